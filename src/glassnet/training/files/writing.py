"""What the file of a training run holds, and how it is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.engine.minibatch import Cursor
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.activations import ACTIVATIONS
from glassnet.training.early_stopping import metric_name
from glassnet.training.state import RunState
from glassnet.training.validation import Validation
from glassnet.utils.storage import write_arrays

FORMAT = "glassnet run"
VERSIONS = (4, 5)
VERSION = VERSIONS[-1]

PLAIN_FIELDS = tuple(
    field.name
    for field in fields(RunState)
    if field.name != "finding" and re.fullmatch(r"(Status|str|int|float)( \| None)?", str(field.type))
)
"""The fields of a run that a document holds as they are."""

ARRAY_FIELDS = ("state", "heard", "losses")
"""The fields of a run that are arrays of the file."""

HISTORIES = {"iterations": np.int64, "losses": np.float64, "scores": np.float64}
POINTS = ("best_point", "last_point")
ADDED = ("test_rows", "test_losses", "metric_values")
VALIDATION_ARRAYS = (*HISTORIES, *POINTS, "rows", *ADDED)

VALIDATION_NUMBERS = tuple(
    f.name for f in fields(Validation) if f.type in ("bool", "int", "float", "int | None")
)
"""The fields of a `Validation` that a document holds as numbers, whatever fields there are."""


class HasRun(Protocol):
    """An estimator whose network predicts as a run does."""

    def to_run(self) -> RunState:
        """The run."""
        ...


class HasArrays(Protocol):
    """A tape, which makes arrays and a document of itself."""

    def as_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What its file holds."""
        ...


def save(
    run: RunState | HasRun | HasArrays, path: str | os.PathLike[str], extra: Mapping[str, Any] | None = None
) -> None:
    """Write a run to a safetensors file, with all that `load` needs to predict and resume; not the data.

    Of a fitted `MLPClassifier` or `MLPRegressor` it writes the run that ``to_run()`` gives, which predicts
    alike; skops and pickle keep the estimator itself. Of a `Tape` it writes the whole past.

    The file also holds `extra`, anything that JSON can hold, as ``run.extra`` (None: the run's own). Of
    your own activations, loss or metrics it holds the names: `load` asks for the first two, and `resume`
    for metrics.

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
    if isinstance(run, RunState):
        content = run_as_arrays(run, extra)
    elif hasattr(run, "to_run"):
        content = run_as_arrays(run.to_run(), extra)
    elif hasattr(run, "as_arrays") and extra is None:
        content = run.as_arrays()
    else:
        wrong = "extra with it" if hasattr(run, "as_arrays") else type(run).__name__
        raise InputTypeError(
            f"save takes a TrainingRun, which gn.train returns, a fitted MLPClassifier or MLPRegressor, or "
            f"a Tape, not {wrong}."
        )
    write_arrays(path, *content)


def run_as_arrays(
    run: RunState, extra: Mapping[str, Any] | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the document of the file that `save` writes."""
    network = run.network
    document = {
        "format": FORMAT,
        "version": VERSIONS[0],
        "network": {
            "sizes": list(network.sizes),
            "hidden": [record.name for record in network.hidden],
            "output": network.output.name,
            "loss": network.loss.to_plain() if network.loss.is_built_in else network.loss.name,
        },
        "own_activations": sorted({r.name for r in network.hidden if ACTIVATIONS.get(r.name) != r}),
        "own_loss": not network.loss.is_built_in,
        "optimizer": run.optimizer.to_dict(),
        **_fields(run, (*PLAIN_FIELDS, "iterations", "dropout", "class_weight")),
        "dtype": run.dtype.name,
        "penalties": asdict(run.penalties),
        "extra": dict(run.extra if extra is None else extra),
    }
    arrays: dict[str, Any] = {"parameters": run.parameters.flat, **_fields(run, ARRAY_FIELDS)}
    if len(run.solver_steps):
        arrays["solver_steps"] = np.ascontiguousarray(run.solver_steps)
    if run.finding:
        document["finding"] = run.finding
    if run.cursor is not None:
        document["cursor"] = _describe_cursor(run.cursor, arrays)
    if run.averaged is not None:
        arrays["averaged"] = run.averaged.flat
    if run.validation is not None:
        document["validation"] = _describe_validation(run.validation, arrays)
    if not run.encoding.is_plain:
        document["encoding"] = run.encoding.to_plain()
        if run.encoding.scaling is not None:
            arrays |= run.encoding.scaling.as_arrays()
    if run.freeze:
        document["freeze"] = list(run.freeze)
    if run.encoding.scaling is not None or run.encoding.classes is not None or run.freeze:
        document["version"] = VERSION  # earlier versions would go on without them, in silence
    return {name: values for name, values in arrays.items() if values is not None}, document


def _fields(record: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _describe_cursor(cursor: Cursor, arrays: dict[str, Any]) -> dict[str, Any]:
    arrays |= _fields(cursor, ("order", "good"))
    random = None
    if cursor.random is not None:
        state: Any = cursor.random.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise InputError(
                f"The run's random_state draws from {state['bit_generator']}; files hold the state of "
                f"numpy.random.RandomState's own generator, MT19937."
            )
        arrays["random_key"] = state["state"]["key"]
        random = {"pos": state["state"]["pos"], "has_gauss": state["has_gauss"], "gauss": state["gauss"]}
    return {"random": random, **_fields(cursor, ("limit", "fingerprint", "row", "loss", "layout", "seed"))}


def _describe_validation(validation: Validation, arrays: dict[str, Any]) -> dict[str, Any]:
    values = {name: getattr(validation, name) for name in VALIDATION_ARRAYS}
    values = {name: None if name in ADDED and not np.size(v) else v for name, v in values.items()}
    arrays |= {f"validation_{name}": value for name, value in values.items()}
    rule, numbers = validation.stopping, _fields(validation, VALIDATION_NUMBERS)
    return {
        # JSON has no NaN, which the best value is before the first evaluation.
        **{name: None if n is None or np.isnan(n) else n for name, n in numbers.items()},
        "stopping": None if rule is None else {**rule.settings(), "metric": rule.metric_name},
        "fingerprint": validation.fingerprint,
        **({"metrics": [*map(metric_name, validation.metrics)]} if validation.metrics else {}),
    }
