"""A training run from its file; every field is checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.encoding import encoding_from_plain
from glassnet.engine.minibatch import Cursor
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.nn.activations import Activation
from glassnet.nn.dropout import as_dropout
from glassnet.nn.losses import NUMPY_LOSSES, Loss
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties, as_layers, frozen_mask
from glassnet.training.early_stopping import METRICS, EarlyStopping, Metric, MissingMetric, metric_name
from glassnet.training.files.writing import (
    ADDED,
    ARRAY_FIELDS,
    FORMAT,
    HISTORIES,
    PLAIN_FIELDS,
    POINTS,
    VALIDATION_ARRAYS,
    VALIDATION_NUMBERS,
    VERSION,
    VERSIONS,
)
from glassnet.training.loop import STATUSES
from glassnet.training.run import TrainingRun
from glassnet.training.state import RunState
from glassnet.training.steppers import Solver, rule_from_dict
from glassnet.training.steppers.solver import NO_STEPS
from glassnet.training.validation import Validation
from glassnet.utils.array_checks import FLOATS


class OwnFunctions(NamedTuple):
    """The functions of a user's own that a file names but cannot hold, by their names."""

    activations: Mapping[str, Activation]
    losses: Mapping[str, Loss]
    metrics: Mapping[str, Metric]

    @classmethod
    def of(
        cls, activations: Iterable[Activation], losses: Iterable[Loss], metrics: Iterable[Metric]
    ) -> OwnFunctions:
        """Those that `load` takes, checked."""
        return cls(
            _by_name(activations, "activations", Activation),
            _by_name(losses, "losses", Loss),
            _by_name(metrics, "metrics", Callable),
        )


NO_FUNCTIONS = OwnFunctions({}, {}, {})


def run_from_arrays(
    arrays: Mapping[str, NDArray[Any]],
    document: Mapping[str, Any],
    path: str | os.PathLike[str],
    own: OwnFunctions = NO_FUNCTIONS,
) -> TrainingRun:
    """The run that `run_as_arrays` described; errors name `path`."""
    if document.get("format") != FORMAT:
        hint = " Use gn.Ensemble.load." if document.get("format") == "glassnet ensemble" else ""
        raise FileError(f"{os.fspath(path)} is not a training run; gn.load reads what gn.save wrote.{hint}")
    if document.get("version") not in VERSIONS:
        raise FileError(
            f"{os.fspath(path)} has format version {document.get('version')}; this glassnet reads "
            f"versions {VERSIONS[0]} to {VERSION}. Load it with the glassnet that wrote it, or a later one."
        )
    try:
        described, named, own_loss = (document[n] for n in ("network", "own_activations", "own_loss"))
    except (KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    my_losses, my_metrics = {**NUMPY_LOSSES, **own.losses}, dict(own.metrics)
    for name in named:
        _require(name, own.activations, "activation", "activations", path)
    if own_loss:
        _require(described["loss"], my_losses, "loss", "losses", path)
    judged = document.get("validation") or {}
    measured = [(judged.get("stopping") or {}).get("metric"), *(judged.get("metrics") or ())]
    for metric in measured:
        if metric is not None and metric not in METRICS:
            my_metrics.setdefault(str(metric), MissingMetric(str(metric)))
    try:
        network = Network(
            described["sizes"],
            [own.activations[name] if name in named else name for name in described["hidden"]],
            described["output"],
            my_losses[described["loss"]] if own_loss else described["loss"],
        )
        return run_of_network(network, arrays, document, my_metrics)
    except (KeyError, TypeError, InputError) as error:
        raise _damaged(path, error) from error


def run_of_network(
    network: Network,
    arrays: Mapping[str, Any],
    document: Mapping[str, Any],
    metrics: Mapping[str, Metric],
) -> TrainingRun:
    """The run of a network, with the functions that it measures; InputError for what does not fit."""
    flat, state, heard, history = (arrays[n] for n in ("parameters", "state", "heard", "losses"))
    _check(flat.shape == (network.n_parameters,), "the parameters are not those of the network")
    _check_kinds(RunState, {name: document[name] for name in PLAIN_FIELDS})
    _check(isinstance(document["extra"], Mapping), "extra is no mapping")
    optimizer = rule_from_dict(document["optimizer"])
    precisions = {flat.dtype.name, state.dtype.name, document["dtype"]}
    _check(flat.dtype in FLOATS and len(precisions) == 1, "precisions differ")
    fits = state.ndim == 2 and state.shape[1] == flat.size
    if isinstance(optimizer, Solver):
        fits = fits and optimizer.fits(len(state), heard)
    else:
        fits = fits and len(state) == len(optimizer.state_names)
    _check(fits, "the optimizer's state does not fit")
    _check(document["updates"] >= 0, "updates is no count")
    for name, values in (("heard", heard), ("losses", history)):
        _check(values.dtype == np.float64 and values.ndim == 1, f"{name} is no list of float64")
    steps = arrays.get("solver_steps", NO_STEPS)  # files of earlier commits have none
    fits = steps.dtype == np.float64 and steps.ndim == 2 and steps.shape[1] == 2
    _check(fits and len(steps) <= len(history), "the solver's history does not fit")
    start_losses = 1 if document["batch_size"] is None else 0
    _check(
        len(history) == document["iterations"] + start_losses, "the losses are not one for each iteration"
    )
    dropout, seed = as_dropout(document["dropout"], len(network.hidden)), document["dropout_seed"]
    needed = type(seed) is int and 0 <= seed < 2**64 if any(dropout) else seed is None
    _check(needed, "the seed of dropout's masks does not fit")
    _check(document["status"] in STATUSES, f"the status {document['status']!r} is unknown")
    averaged, cursor = None, None
    if document["average"] is not None:
        averaged = arrays["averaged"]
        fits = averaged.dtype == flat.dtype and averaged.shape == flat.shape
        _check(fits, "the mean of the parameters does not fit")
    if "cursor" in document:
        # Behind the parameters that a run goes back to is their mean.
        point = flat if averaged is None else np.tile(flat, 2)
        cursor = _cursor(document["cursor"], arrays, document["batch_size"], point)
    freeze = as_layers(document.get("freeze", ()), "freeze")
    frozen_mask(network.sizes, freeze)
    weights = document["class_weight"]
    _check(weights is None or len(weights) == network.sizes[-1], "the class weights do not fit")
    return TrainingRun(
        network=network,
        optimizer=optimizer,
        parameters=Parameters(network.sizes, flat),
        **{name: arrays[name] for name in ARRAY_FIELDS},
        penalties=Penalties(**document["penalties"]),
        dropout=dropout,
        cursor=cursor,
        averaged=None if averaged is None else Parameters(network.sizes, averaged),
        class_weight=None if weights is None else tuple(map(float, weights)),
        validation=_validation(document.get("validation"), arrays, flat, averaged, metrics),
        solver_steps=steps,
        encoding=encoding_from_plain(network, document.get("encoding"), arrays),
        extra=document["extra"],
        finding=str(document.get("finding", "")),  # which files of earlier commits lack
        freeze=freeze,
        **{name: document[name] for name in PLAIN_FIELDS},
    )


# ---- The place among the batches ------------------------------------------------------------------


def _random(described: Mapping[str, Any], key: NDArray[Any]) -> RandomState:
    pos, has_gauss, gauss = described["pos"], described["has_gauss"], described["gauss"]
    _check(key.dtype == np.uint32 and key.shape == (624,), "the random state does not fit")
    # NumPy takes any place, and draws from what lies there.
    _check(type(pos) is int and 0 <= pos <= 624, "the random state's place does not fit")
    _check(has_gauss in (0, 1) and type(gauss) is float, "the random state's normal does not fit")
    random = RandomState()
    random.set_state(("MT19937", key, pos, has_gauss, gauss))
    return random


def _cursor(
    described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], batch_size: Any, point: Array
) -> Cursor:
    state = described["random"]
    random = None if state is None else _random(state, arrays["random_key"])
    fingerprint, row = described["fingerprint"], described["row"]
    order, good = arrays.get("order"), arrays.get("good")
    _check(len(fingerprint) == 7 and _are_floats(*fingerprint), "the data's fingerprint does not fit")
    n = fingerprint[0]
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
        fits = fits and np.array_equal(np.sort(order), np.arange(order.size))
        _check(fits, "the order is no order of the samples")
    if good is not None:
        fits = good.dtype == point.dtype and good.shape == point.shape
        _check(fits, "the parameters to go back to do not fit")
    place: Any = row, described["loss"], good, tuple(layout), seed
    return Cursor(described["limit"], tuple(fingerprint), order, random, *place)


def _are_floats(*values: object) -> bool:
    return all(type(value) is float for value in values)


# ---- Validation -----------------------------------------------------------------------------------


def _validation(
    described: Mapping[str, Any] | None,
    arrays: Mapping[str, NDArray[Any]],
    flat: NDArray[Any],
    averaged: NDArray[Any] | None,
    metrics: Mapping[str, Metric],
) -> Validation | None:
    if described is None:
        return None
    values: dict[str, Any] = {name: arrays.get(f"validation_{name}") for name in VALIDATION_ARRAYS}
    for name, dtype in HISTORIES.items():
        fits = values[name] is not None and values[name].dtype == dtype and values[name].ndim == 1
        _check(fits, f"the {name} are no history")
    for name in POINTS:
        point, shape = values[name], (1 if averaged is None else 2, flat.size)
        fits = point is None or (point.dtype == flat.dtype and point.shape == shape)
        _check(fits, f"the {name.replace('_', ' ')} does not fit")
    rows, rule, fingerprint = values["rows"], described["stopping"], described["fingerprint"]
    n = len(values["iterations"])
    for name in ADDED:
        if values[name] is None:
            del values[name]
    values["metrics"] = tuple(metrics.get(name, name) for name in described.get("metrics", ()))
    n_metrics = len(values["metrics"])
    measured = values.setdefault("metric_values", np.empty((0, n_metrics)))
    fits = len(values.get("test_losses", ())) in (0, n)
    fits = fits and measured.shape == (n if n_metrics else 0, n_metrics)
    _check(fits, "the evaluations do not fit each other")
    if rows is not None:
        every = np.concatenate([rows, values.get("test_rows", np.empty(0, np.int64))])
        _check(np.array_equal(np.sort(every), np.arange(len(every))), "the rows are none of the samples")
    if rule is not None:
        rule = EarlyStopping(**{**rule, "metric": metrics.get(rule["metric"], rule["metric"])})
    # Files of earlier commits lack later fields; None stands for a default.
    numbers = {name: described[name] for name in VALIDATION_NUMBERS if described.get(name) is not None}
    _check_kinds(Validation, numbers)
    _check(numbers.get("every", 1) >= 1, "every is no step")
    values |= numbers
    return Validation(
        stopping=rule,
        fingerprint=None if fingerprint is None else tuple(map(float, fingerprint)),
        **values,
    )


# ---- Records and functions of the user's own, and errors -------------------------------------------


def _by_name(values: object, argument: str, kind: Any) -> dict[str, Any]:
    """The values of an argument of `load` by their names; each is an instance of the kind."""
    words = "functions of targets and predictions"
    if kind is not Callable:
        words = f"glassnet.{kind.__name__} records"
    if isinstance(values, kind) or not isinstance(values, Iterable):
        raise InputTypeError(f"{argument} is a list of {words}, not {values!r}.")
    by_name = {}
    for value in values:
        if not isinstance(value, kind):
            raise InputTypeError(f"{argument} holds {words}, not {value!r}.")
        by_name[metric_name(value) if kind is Callable else value.name] = value
    return by_name


def _require(
    name: str, records: Mapping[str, Any], kind: str, argument: str, path: str | os.PathLike[str]
) -> None:
    if name not in records:
        raise InputError(
            f"{os.fspath(path)} was trained with the {kind} {name!r} of its author's own, which a file "
            f"cannot hold. Give its record: gn.load(path, {argument}=[{name}])."
        )


def _check_kinds(record: type, values: Mapping[str, object]) -> None:
    """Raise InputError for values that are not of the types of the record's fields."""
    kinds = {"int": (int,), "float": (int, float), "bool": (bool,)}
    for name, value in values.items():
        first, *others = str(record.__dataclass_fields__[name].type).split(" | ")  # type: ignore[attr-defined]
        fits = type(value) in kinds.get(first, (str,)) or (value is None and "None" in others)
        fits = fits and (type(value) is not int or -(2**63) <= value < 2**63)
        _check(fits, f"{name} is {value!r:.50}")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(otherwise)


def _damaged(path: str | os.PathLike[str], error: Exception) -> FileError:
    missing = "an entry is missing: " if isinstance(error, KeyError) else ""
    return FileError(f"{os.fspath(path)} does not describe a run: {missing}{error}.")
