"""Training runs as files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.minibatch import Cursor
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.dropout import as_dropout
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.training.early_stopping import METRICS, EarlyStopping
from glassnet.training.run import TrainingRun
from glassnet.training.state import STATUSES
from glassnet.training.steppers import Rule, Solver, rule_from_dict
from glassnet.training.validation import Validation
from glassnet.utils.array_checks import FLOATS
from glassnet.utils.storage import read_arrays, write_arrays

FORMAT = "glassnet run"
VERSION = 4

Record = TypeVar("Record", Activation, Loss)


def save(run: TrainingRun, path: str | os.PathLike[str], extra: Mapping[str, Any] | None = None) -> None:
    """Write a run to a safetensors file, with all that `load` needs to predict and resume; not the data.

    `extra`, anything that JSON can hold, is kept beside it as ``run.extra`` (None: the run's own).
    Functions of your own, activations, a loss or a stopping rule's metric, are kept by name: `load`
    asks for them.

    Raises FileError where the file cannot be written, InputTypeError for what is not a run.

    >>> import glassnet as gn, os, tempfile
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], iterations=5, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gn.save(run, os.path.join(folder, "model.safetensors"), extra={"labels": ["no", "yes"]})
    ...     loaded = gn.load(os.path.join(folder, "model.safetensors"))
    >>> loaded.parameters == run.parameters, loaded.extra["labels"]
    (True, ['no', 'yes'])

    Unlike a pickled scikit-learn or PyTorch model, the file holds numbers and names only: loading
    one runs no code of whoever wrote it.
    """
    if not isinstance(run, TrainingRun):
        raise InputTypeError(f"save takes a TrainingRun, not {type(run).__name__}.")
    write_arrays(path, *run_as_arrays(run, extra))


def run_as_arrays(
    run: TrainingRun, extra: Mapping[str, Any] | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the document of the file that `save` writes."""
    network = run.network
    document = {
        "format": FORMAT,
        "version": VERSION,
        "network": {
            "sizes": list(network.sizes),
            "hidden": [record.name for record in network.hidden],
            "output": network.output.name,
            "loss": network.loss.to_plain() if network.loss.is_built_in else network.loss.name,
        },
        "own_activations": sorted({r.name for r in network.hidden if ACTIVATIONS.get(r.name) != r}),
        "own_loss": not network.loss.is_built_in,
        "optimizer": run.optimizer.to_dict(),
        "reduction": run.reduction,
        "status": run.status,
        "diverged_at": run.diverged_at,
        "iterations": run.iterations,
        "seconds": run.seconds,
        "dtype": run.dtype.name,
        "engine": run.engine,
        "engine_reason": run.engine_reason,
        "threads": run.threads,
        "updates": run.updates,
        "penalties": asdict(run.penalties),
        "batch_size": run.batch_size,
        "dropout": list(run.dropout),
        "dropout_seed": run.dropout_seed,
        "average": run.average,
        "class_weight": None if run.class_weight is None else list(run.class_weight),
        "extra": dict(run.extra if extra is None else extra),
    }
    arrays: dict[str, NDArray[Any]] = {
        "parameters": run.parameters.flat,
        "state": run.state,
        "heard": run.heard,
        "losses": run.losses,
    }
    if run.cursor is not None:
        arrays |= _cursor_arrays(run.cursor)
        document["cursor"] = {
            "limit": run.cursor.limit,
            "fingerprint": list(run.cursor.fingerprint),
            "row": run.cursor.row,
            "loss": run.cursor.loss,
            "random": _random_document(run.cursor.random),
            "layout": list(run.cursor.layout),
            "seed": run.cursor.seed,
        }
    if run.averaged is not None:
        arrays["averaged"] = run.averaged.flat
    if run.validation is not None:
        arrays |= _validation_arrays(run.validation)
        document["validation"] = _validation_document(run.validation)
    return arrays, document


def load(
    path: str | os.PathLike[str],
    activations: Iterable[Activation] = (),
    losses: Iterable[Loss] = (),
    metrics: Iterable[Callable[[Any, Any], float]] = (),
) -> TrainingRun:
    """The run that `save` wrote, exactly; ``run.resume(iterations, X=X, y=y)`` trains on bit for bit.

    `activations` and `losses` are the records of your own that the network was made with, `metrics` the
    function that its stopping rule watches.

    The run of a table by ``glassnet train`` expects standardized rows: see `TrainingRun.predict`.

    Raises FileError for a file that is missing, damaged, of another kind or of a later version, and
    InputError for a record or function that the file names and that is not given.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=5)
    >>> gn.save(run, "model.safetensors")
    >>> gn.load("model.safetensors").resume(5, X=X, y=y).iterations
    10

    Nothing in the file is executed, unlike a pickle's, which scikit-learn and PyTorch keep models in.
    """
    return run_from_arrays(*read_arrays(path), path, activations, losses, metrics)


def run_from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    document: Mapping[str, Any],
    path: str | os.PathLike[str],
    activations: Iterable[Activation] = (),
    losses: Iterable[Loss] = (),
    metrics: Iterable[Callable[[Any, Any], float]] = (),
) -> TrainingRun:
    """The run that `run_as_arrays` described; `path` is where it comes from in errors."""
    if document.get("format") != FORMAT:
        hint = " Use gn.Ensemble.load." if document.get("format") == "glassnet ensemble" else ""
        raise FileError(f"{os.fspath(path)} is not a training run; gn.load reads what gn.save wrote.{hint}")
    if document.get("version") != VERSION:
        raise FileError(
            f"{os.fspath(path)} has format version {document.get('version')}; this glassnet reads "
            f"version {VERSION}. Load it with the glassnet that wrote it, or a later one."
        )
    try:
        described = document["network"]
        own_activations, own_loss = document["own_activations"], document["own_loss"]
    except (KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    mine = _by_name(activations, Activation, "activations")
    my_losses = _by_name(losses, Loss, "losses")
    for name in own_activations:
        _require(name, mine, "activation", "activations", path)
    if own_loss:
        _require(described["loss"], my_losses, "loss", "losses", path)
    my_metrics = _functions(metrics)
    rule = (document.get("validation") or {}).get("stopping")
    if rule is not None and rule.get("metric") not in METRICS:
        _require(str(rule.get("metric")), my_metrics, "metric", "metrics", path)
    try:
        network = Network(
            described["sizes"],
            [mine[name] if name in own_activations else name for name in described["hidden"]],
            described["output"],
            my_losses[described["loss"]] if own_loss else described["loss"],
        )
        flat, state, heard, history = (arrays[n] for n in ("parameters", "state", "heard", "losses"))
        optimizer = rule_from_dict(document["optimizer"])
        precisions = {flat.dtype.name, state.dtype.name, document["dtype"]}
        _check(flat.dtype in FLOATS and len(precisions) == 1, "precisions differ")
        _check(_fits(optimizer, state, heard, flat), "the optimizer's state does not fit")
        _check(type(document["updates"]) is int and document["updates"] >= 0, "updates is no count")
        _check(heard.dtype == np.float64 and heard.ndim == 1, "what was heard of the losses is no list")
        _check(history.dtype == np.float64 and history.ndim == 1, "the losses are no history")
        batch_size = document["batch_size"]
        lead = 1 if batch_size is None else 0
        _check(len(history) == document["iterations"] + lead, "the losses are not one for each iteration")
        dropout, seed = as_dropout(document["dropout"], len(network.hidden)), document["dropout_seed"]
        _check(
            (type(seed) is int and 0 <= seed < 2**64) if any(dropout) else seed is None, "no seed of masks"
        )
        _check(document["status"] in STATUSES, f"the status {document['status']!r} is unknown")
        # What a run goes back to has the mean of the parameters behind them.
        point = flat if document["average"] is None else np.tile(flat, 2)
        return TrainingRun(
            network=network,
            optimizer=optimizer,
            parameters=Parameters(network.sizes, flat),
            state=state,
            losses=history,
            reduction=document["reduction"],
            status=document["status"],
            diverged_at=document["diverged_at"],
            seconds=document["seconds"],
            engine=document["engine"],
            engine_reason=document["engine_reason"],
            threads=document["threads"],
            extra=document["extra"],
            updates=document["updates"],
            penalties=Penalties(**document["penalties"]),
            heard=heard,
            batch_size=batch_size,
            dropout=dropout,
            dropout_seed=seed,
            cursor=_cursor(document["cursor"], arrays, batch_size, point) if "cursor" in document else None,
            average=document["average"],
            averaged=None if document["average"] is None else _like(arrays["averaged"], flat, network),
            class_weight=_class_weight(document["class_weight"], network),
            validation=_validation(document.get("validation"), arrays, flat, my_metrics),
        )
    except (KeyError, TypeError, InputError) as error:
        raise _damaged(path, error) from error


def _fits(rule: Rule, state: NDArray[Any], heard: NDArray[Any], flat: NDArray[Any]) -> bool:
    if state.ndim != 2 or state.shape[1] != flat.size:
        return False
    return rule.fits(state, heard) if isinstance(rule, Solver) else len(state) == len(rule.state_names)


def _cursor_arrays(cursor: Cursor) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if cursor.order is not None:
        arrays["order"] = cursor.order
    if cursor.good is not None:
        arrays["good"] = cursor.good
    if cursor.random is not None:
        state: Any = cursor.random.get_state(legacy=False)
        if state["bit_generator"] == "MT19937":
            arrays["random_key"] = state["state"]["key"]
    return arrays


def _random_document(random: RandomState | None) -> dict[str, Any] | None:
    """The stream's state but for its key; None where there is none."""
    if random is None:
        return None
    state: Any = random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise InputError(
            f"The run's random_state draws from {state['bit_generator']}; files hold the state of "
            f"numpy.random.RandomState's own generator, MT19937."
        )
    return {"pos": int(state["state"]["pos"]), "has_gauss": state["has_gauss"], "gauss": state["gauss"]}


def _cursor(
    described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], batch_size: Any, point: Array
) -> Cursor:
    random = None
    if described["random"] is not None:
        key, kept = arrays["random_key"], described["random"]
        pos, has_gauss, gauss = kept["pos"], kept["has_gauss"], kept["gauss"]
        _check(key.dtype == np.uint32 and key.shape == (624,), "the random state does not fit")
        # NumPy takes any place, and draws from what lies there.
        _check(type(pos) is int and 0 <= pos <= 624, "the random state's place does not fit")
        _check(has_gauss in (0, 1) and type(gauss) is float, "the random state's normal does not fit")
        random = RandomState()
        random.set_state(("MT19937", key, pos, has_gauss, gauss))
    fingerprint, order = described["fingerprint"], arrays.get("order")
    _check(len(fingerprint) == 7 and _are_floats(*fingerprint), "the data's fingerprint does not fit")
    n, row = fingerprint[0], described["row"]
    _check(type(batch_size) is int and 1 <= batch_size <= n, "the batches do not fit the data")
    _check(type(row) is int and 0 <= row < n and row % batch_size == 0, "no batch begins at the row")
    _check(_are_floats(described["limit"], described["loss"]), "the loss or its limit is no number")
    # Files of versions that streamed no data have neither.
    layout, seed = described.get("layout", [0, 0]), described.get("seed", 0)
    _check(len(layout) == 2 and all(type(x) is int and x >= 0 for x in layout), "the windows do not fit")
    _check(type(seed) is int and 0 <= seed < 2**32, "the epoch's seed does not fit")
    _check((order is None) == (random is None or layout[0] > 0), "the order lacks its random state")
    if order is not None:
        fits = order.dtype == np.uint32 and order.shape == (n,)
        _check(
            fits and np.array_equal(np.sort(order), np.arange(order.size)),
            "the order is none of the samples",
        )
    good = arrays.get("good")
    if good is not None:
        _check(good.dtype == point.dtype and good.shape == point.shape, "what to go back to does not fit")
    place: Any = row, described["loss"], good, tuple(layout), seed
    return Cursor(described["limit"], tuple(fingerprint), order, random, *place)


def _are_floats(*values: object) -> bool:
    return all(type(value) is float for value in values)


_HISTORY = ("iterations", "losses", "scores")  # of the evaluations
_POINTS = ("best_point", "last_point")


def _validation_arrays(kept: Validation) -> dict[str, NDArray[Any]]:
    held = {name: getattr(kept, name) for name in (*_HISTORY, *_POINTS, "rows")}
    return {f"validation_{name}": values for name, values in held.items() if values is not None}


def _validation_document(kept: Validation) -> dict[str, Any]:
    rule = kept.stopping
    return {
        "every": kept.every,
        "stopping": None if rule is None else {**rule.settings(), "metric": rule.metric_name},
        "fingerprint": None if kept.fingerprint is None else list(kept.fingerprint),
        "n_held_out": kept.n_held_out,
        "best": None if kept.best_iteration is None else kept.best,
        "best_iteration": kept.best_iteration,
        "waited": kept.waited,
    }


def _validation(
    described: Mapping[str, Any] | None,
    arrays: Mapping[str, NDArray[Any]],
    flat: NDArray[Any],
    metrics: Mapping[str, Callable[[Any, Any], float]],
) -> Validation | None:
    if described is None:
        return None
    held = {name: arrays.get(f"validation_{name}") for name in (*_HISTORY, *_POINTS, "rows")}
    for name, kind in zip(_HISTORY, (np.int64, np.float64, np.float64), strict=True):
        values = held[name]
        _check(
            values is not None and values.dtype == kind and values.ndim == 1, f"the {name} are no history"
        )
    for name in _POINTS:
        point = held[name]
        fits = point is None or (
            point.dtype == flat.dtype and point.shape in ((1, flat.size), (2, flat.size))
        )
        _check(fits, f"the {name.replace('_', ' ')} does not fit")
    rows, rule = held["rows"], described["stopping"]
    if rows is not None:
        _check(np.array_equal(np.sort(rows), np.arange(len(rows))), "the rows are none of the samples")
    if rule is not None:
        rule = EarlyStopping(**{**rule, "metric": metrics.get(rule["metric"], rule["metric"])})
    return Validation(
        every=described["every"],
        stopping=rule,
        fingerprint=None
        if described["fingerprint"] is None
        else tuple(map(float, described["fingerprint"])),
        n_held_out=described["n_held_out"],
        best=np.nan if described["best"] is None else described["best"],
        best_iteration=described["best_iteration"],
        waited=described["waited"],
        **held,  # type: ignore[arg-type]  # the history was found to be there
    )


def _like(values: NDArray[Any], flat: NDArray[Any], network: Network) -> Parameters:
    _check(
        values.dtype == flat.dtype and values.shape == flat.shape, "the mean of the parameters does not fit"
    )
    return Parameters(network.sizes, values)


def _class_weight(weights: list[float] | None, network: Network) -> tuple[float, ...] | None:
    _check(weights is None or len(weights) == network.sizes[-1], "the class weights do not fit")
    return None if weights is None else tuple(map(float, weights))


def _functions(metrics: object) -> dict[str, Callable[[Any, Any], float]]:
    if callable(metrics) or not isinstance(metrics, Iterable):
        raise InputTypeError(f"metrics is a list of functions, not {metrics!r}.")
    given = list(metrics)
    for one in given:
        if not callable(one):
            raise InputTypeError(f"metrics holds functions of targets and predictions, not {one!r}.")
    return {str(getattr(one, "__name__", type(one).__name__)): one for one in given}


def _by_name(records: Iterable[Record], kind: type[Record], argument: str) -> dict[str, Record]:
    if isinstance(records, kind) or not isinstance(records, Iterable):
        raise InputTypeError(f"{argument} is a list of records, not {records!r}.")
    given = list(records)
    for record in given:
        if not isinstance(record, kind):
            raise InputTypeError(f"{argument} holds glassnet.{kind.__name__} records, not {record!r}.")
    return {record.name: record for record in given}


def _require(
    name: str, records: Mapping[str, Any], kind: str, argument: str, path: str | os.PathLike[str]
) -> None:
    if name not in records:
        raise InputError(
            f"{os.fspath(path)} was trained with the {kind} {name!r} of its author's own, which a file "
            f"cannot hold. Give its record: gn.load(path, {argument}=[{name}])."
        )


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(otherwise)


def _damaged(path: str | os.PathLike[str], error: Exception) -> FileError:
    missing = "an entry is missing: " if isinstance(error, KeyError) else ""
    return FileError(f"{os.fspath(path)} does not describe a run: {missing}{error}.")
