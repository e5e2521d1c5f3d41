"""What a network's answers rest on: the importance of each column, and how answers change along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.verdict.contenders import Answer, some_rows
from glassnet.diagnostics.verdict.measures import measured

_ROWS, _REPEATS, _WORK = 5000, 5, 1e8
_LEAST_ROWS = 100
_MOST_WORK = 5e6  # columns times inputs, beyond which even few rows take long
_DEPENDENCE_ROWS = 500


@dataclass(frozen=True, eq=False)
class Column:
    """A column as people know it, and the places of its inputs in X.

    `levels` are values along it, in its own unit, with `inputs` (levels, places) for each; of categories
    and other values that have names, `labels` are these. A column without levels has no curve. `unit` is a
    word on the levels.
    """

    name: str
    places: tuple[int, ...]
    levels: Array
    inputs: Array
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def label(self) -> str:
        """The name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Importance:
    """By how much the error rises where a column is shuffled: mean and standard deviation."""

    name: str
    rise: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Dependence:
    """The mean answer at each level of a column: of classes (levels, C), of a quantity (levels,)."""

    column: Column
    answers: Array


def spread_over(values: Array, levels: int = 40) -> Array:
    """The different values, of more than a dozen evenly spaced ones from the 1st to the 99th hundredth."""
    known = np.unique(values)
    if len(known) <= 12:
        return known
    low, high = np.quantile(values, [0.01, 0.99])
    return np.linspace(low, high, levels) if low < high else known[[0, -1]]


def of_inputs(X: Array, names: Sequence[str], mean: Array, scale: Array) -> list[Column]:
    """Each input as a column of its own, whose values are ``scale * x + mean``."""
    columns = []
    for place, name in enumerate(names):
        x = spread_over(X[:, place])
        columns.append(Column(name, (place,), x * scale[place] + mean[place], x[:, None]))
    return columns


def importances(
    answer: Answer,
    X: Array,
    y: NDArray[np.intp] | Array,
    columns: Sequence[Column],
    seed: int = 0,
    targets: int = 1,
) -> list[Importance]:
    """Permutation importance of each column on held-out rows (Breiman 2001), the strongest first.

    A column's inputs are shuffled together, against the others; the error is the log loss of classes, and
    the root mean square error of a quantity in its own unit. Many rows are a random sample; of so many
    columns that the shuffles would take long, there is none. Several `targets` share the time of one.

    scikit-learn's `permutation_importance` shuffles one input at a time.
    """
    n, work = len(X), len(columns) * X.shape[1]
    if not n or not columns or work > _MOST_WORK:
        return []
    random = RandomState(seed)
    work *= targets
    repeats = _REPEATS if work < 1e4 else 1
    most = min(_ROWS, max(_LEAST_ROWS, int(_WORK / (work * repeats))))
    rows = some_rows(n, most)
    X, y, n = X[rows], y[rows], len(rows)
    base = _error(y, answer(X))
    found = []
    for column in columns:
        places, changed = list(column.places), X.copy()
        rises = []
        for _ in range(repeats):
            changed[:, places] = X[:, places][random.permutation(n)]
            rises.append(_error(y, answer(changed)) - base)
        found.append(Importance(column.name, float(np.mean(rises)), float(np.std(rises))))
    return sorted(found, key=lambda one: -one.rise) if all(np.isfinite(one.rise) for one in found) else []


def _error(y: NDArray[np.intp] | Array, answers: Array) -> float:
    scores = measured(y, answers, np.ones((1, len(y))))
    return float(scores["log loss" if answers.ndim == 2 else "RMSE"][0])


def dependences(answer: Answer, X: Array, columns: Sequence[Column]) -> list[Dependence]:
    """Partial dependence of the answers on each column that has levels (Friedman 2001).

    At each level all rows get that value in place of their own, and the answers' mean is taken; rows
    beyond five hundred are left to chance. Values that never occur together count too.
    """
    X = X[some_rows(len(X), _DEPENDENCE_ROWS)]
    found = []
    for column in columns:
        if not len(column.levels):
            continue
        changed, means = X.copy(), []
        for inputs in column.inputs:
            changed[:, list(column.places)] = inputs
            means.append(answer(changed).mean(axis=0))
        found.append(Dependence(column, np.array(means)))
    return found
