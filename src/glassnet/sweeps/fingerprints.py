"""Floor 7: what tells one sweep from another: its data, settings, folds and where its networks start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.documents import canonical
from glassnet.network import Network, Parameters
from glassnet.sweeps.words import as_plain

if TYPE_CHECKING:
    from glassnet.sweeps.cells import Task
    from glassnet.sweeps.plan import Plan

_ROWS = 1 << 16


def fingerprint_of(plan: Plan) -> dict[str, str]:
    """A short text for each part of a sweep that its numbers depend on, by the part's name."""
    from glassnet import __version__

    sources = plan.sources
    tasks = [
        [
            _network(task.recipe.network),
            as_plain({**task.recipe.told, "validation": _validation(task)}),
            task.setting,
            task.seed,
            task.fold,
        ]
        for task in plan.tasks
    ]
    folds = None if sources.folds is None else [rows for fold in sources.folds for rows in fold]
    start = sources.parameters.flat if isinstance(sources.parameters, Parameters) else sources.parameters
    assert sources.stream is not None
    stream: Any = sources.stream.get_state(legacy=False)
    measure = sources.measure
    validations = {id(given): given for task in plan.tasks if isinstance(given := _given(task), tuple)}
    return {
        "X": _digest([sources.X]),
        "y": _digest([sources.y]),
        "sample_weight": _digest([sources.weights]),
        "settings": _short(hashlib.sha256(canonical(tasks).encode())),
        "folds": "none" if folds is None else _digest(folds),
        "validation": _digest(array for given in validations.values() for array in given),
        "parameters": _digest([None if start is None else np.asarray(start)]),
        "random_state": _short(hashlib.sha256(canonical(as_plain(stream)).encode())),
        "metric": "none" if measure is None else f"{measure.name}, {measure.mode}, {measure.response}",
        "converged_below": repr(plan.converged_below),
        "keep_losses": str(plan.kept),
        "halving": str(plan.halving),
        "engine": ", ".join(sorted({plan.engine_of(task) for task in plan.tasks})),
        "glassnet": __version__,
    }


def _given(task: Task) -> Any:
    return task.recipe.told["validation"]


def _validation(task: Task) -> Any:
    """A fraction or None; of arrays the shape alone, since a digest of them stands beside."""
    given = _given(task)
    return list(given[0].shape) if isinstance(given, tuple) else given


def _network(network: Network) -> Any:
    hidden = [as_plain(record) for record in network.hidden]
    return [list(network.sizes), hidden, network.output.name, str(network.loss)]


def _digest(arrays: Iterable[NDArray[Any] | None]) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha.update(b"none")
            continue
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), _ROWS):
            sha.update(np.ascontiguousarray(array[start : start + _ROWS]).data)
    return _short(sha)


def _short(sha: Any) -> str:
    return str(sha.hexdigest()[:32])
