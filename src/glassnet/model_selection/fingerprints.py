"""What tells one sweep from another: its data, settings, folds and where its networks start."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.model_selection.hashing import digest, identity, short
from glassnet.model_selection.words import as_plain
from glassnet.nn.network import Parameters
from glassnet.utils.json_documents import canonical

if TYPE_CHECKING:
    from glassnet.model_selection.metrics import Measure
    from glassnet.model_selection.plan import Plan
    from glassnet.model_selection.settings import Recipe
    from glassnet.model_selection.tasks import Task


def fingerprint_of(plan: Plan) -> dict[str, str]:
    """A short text for each part of a sweep that its numbers depend on, by the part's name."""
    from glassnet._version import __version__

    sources = plan.sources
    tasks, told = hashlib.sha256(), _Told()
    for task in plan.tasks:
        tasks.update(f"{told.of(task.recipe)} {task.setting} {task.seed} {task.fold}\n".encode())
    folds = None if sources.folds is None else [rows for fold in sources.folds for rows in fold]
    start = sources.parameters.flat if isinstance(sources.parameters, Parameters) else sources.parameters
    assert sources.stream is not None
    stream: Any = sources.stream.get_state(legacy=False)
    measure = sources.measure
    validations = {id(given): given for task in plan.tasks if isinstance(given := _given(task), tuple)}
    return {
        "X": digest([sources.X]),
        "y": digest([sources.y]),
        "sample_weight": digest([sources.weights]),
        "settings": short(tasks),
        "folds": "none" if folds is None else digest(folds) + ", standardized" * sources.standardize,
        "validation": digest(array for given in validations.values() for array in given),
        "parameters": digest([None if start is None else np.asarray(start)]),
        "random_state": short(hashlib.sha256(canonical(as_plain(stream)).encode())),
        "metric": "none" if measure is None else _metric(measure),
        "converged_below": repr(plan.converged_below),
        "keep_losses": str(plan.kept),
        "halving": str(plan.halving),
        "engine": ", ".join(sorted({plan.engine_of(task) for task in plan.tasks})),
        "glassnet": __version__,
    }


class _Told:
    """Recipes in words, each written once: the networks of many seeds and folds share one."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def of(self, recipe: Recipe) -> str:
        """The network and what `train` is told, arrays of validation data as their shape alone."""
        if id(recipe) not in self._known:
            given = recipe.told["validation"]
            shape = given[0].shape if isinstance(given, tuple) else given
            self._known[id(recipe)] = identity((recipe.network, {**recipe.told, "validation": shape}))
        return self._known[id(recipe)]


def _metric(measure: Measure) -> str:
    words = f"{measure.name}, {measure.mode}, {measure.response}"
    return words if measure.function is None else f"{words}, {identity(measure.function)}"


def _given(task: Task) -> Any:
    return task.recipe.told["validation"]
