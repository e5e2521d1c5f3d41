"""Floor 7: training runs as files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.activations import ACTIVATIONS, Activation
from glassnet.arrays import FLOATS
from glassnet.batches import Cursor
from glassnet.dropout import as_dropout
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.losses import Loss
from glassnet.network import Network, Parameters
from glassnet.optimizers import optimizer_from_dict
from glassnet.penalties import Penalties
from glassnet.storage import read_arrays, write_arrays
from glassnet.training import STATUSES, TrainingRun

FORMAT = "glassnet run"
VERSION = 3

Record = TypeVar("Record", Activation, Loss)


def save(run: TrainingRun, path: str | os.PathLike[str], extra: Mapping[str, Any] | None = None) -> None:
    """Write a run to a safetensors file, with all that `load` needs to predict and resume; not the data.

    `extra`, anything that JSON can hold, is kept beside it as ``run.extra`` (None: the run's own).
    Functions of your own, activations or a loss, are kept by name: `load` asks for them.

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
        }
    write_arrays(path, arrays, document)


def load(
    path: str | os.PathLike[str], activations: Iterable[Activation] = (), losses: Iterable[Loss] = ()
) -> TrainingRun:
    """The run that `save` wrote, exactly; ``run.resume(iterations, X=X, y=y)`` trains on bit for bit.

    `activations` and `losses` are the records of your own that the network was made with. See
    `save` for an example.

    Raises FileError for a file that is missing, damaged, of another kind or of a later version, and
    InputError for a record that the file names and that is not given.
    """
    arrays, document = read_arrays(path)
    if document.get("format") != FORMAT:
        raise FileError(f"{os.fspath(path)} is not a training run; gn.load reads what gn.save wrote.")
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
    try:
        network = Network(
            described["sizes"],
            [mine[name] if name in own_activations else name for name in described["hidden"]],
            described["output"],
            my_losses[described["loss"]] if own_loss else described["loss"],
        )
        flat, state, heard, history = (arrays[n] for n in ("parameters", "state", "heard", "losses"))
        optimizer = optimizer_from_dict(document["optimizer"])
        precisions = {flat.dtype.name, state.dtype.name, document["dtype"]}
        _check(flat.dtype in FLOATS and len(precisions) == 1, "precisions differ")
        _check(state.shape == (len(optimizer.state_names), flat.size), "the optimizer's state does not fit")
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
            cursor=None if batch_size is None else _cursor(document["cursor"], arrays),
        )
    except (KeyError, TypeError, InputError) as error:
        raise _damaged(path, error) from error


def _cursor_arrays(cursor: Cursor) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if cursor.order is not None:
        arrays["order"] = cursor.order
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


def _cursor(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Cursor:
    random = None
    if described["random"] is not None:
        key, kept = arrays["random_key"], described["random"]
        _check(key.dtype == np.uint32 and key.shape == (624,), "the random state does not fit")
        random = RandomState()
        random.set_state(("MT19937", key, kept["pos"], kept["has_gauss"], kept["gauss"]))
    order, fingerprint = arrays.get("order"), tuple(map(float, described["fingerprint"]))
    n, row = int(fingerprint[0]), described["row"]
    _check(type(row) is int and 0 <= row < n, "the row lies outside of the data")
    _check((order is None) == (random is None), "the order lacks its random state")
    if order is not None:
        fits = order.dtype == np.uint32 and np.array_equal(np.sort(order), np.arange(n))
        _check(fits, "the order is none of the samples")
    return Cursor(described["limit"], fingerprint, order, random, row, described["loss"])


def _by_name(records: Iterable[Record], kind: type[Record], argument: str) -> dict[str, Record]:
    if isinstance(records, kind) or not isinstance(records, Iterable):
        raise InputTypeError(f"{argument} is a list of records, not {records!r}.")
    given = list(records)
    for record in given:
        if not isinstance(record, kind):
            raise InputTypeError(f"{argument} holds glassnet.{kind.__name__} records, not {record!r}.")
    return {record.name: record for record in given}


def _require(
    name: str, records: Mapping[str, Record], kind: str, argument: str, path: str | os.PathLike[str]
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
