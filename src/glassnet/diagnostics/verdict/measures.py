"""Scores of answers for rows whose targets are known, and how far they vary with the draw of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array

LEVEL = 0.95
"""The share of draws of the rows that an interval holds."""

FEW = 10
"""Fewer rows than this give no interval, but for that of an accuracy."""

_DRAWS, _WORK, _CELLS = (200, 1000), 4_000_000, 2_000_000
_SMALLEST = 1e-15  # probability


class Measure(NamedTuple):
    """A score by name: whether more of it is better, and whether it is a share or has the target's unit."""

    name: str
    more: bool
    kind: str = "number"


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("accuracy", True, "share"),
        Measure("balanced accuracy", True, "share"),
        Measure("log loss", False),
        Measure("ROC AUC", True),
        Measure("RMSE", False, "unit"),
        Measure("MAE", False, "unit"),
        Measure("R²", True),
    )
}
"""All scores. Balanced accuracy is the mean over the classes of the share of their rows that is right; the
log loss, the mean of -log P(the actual class)."""


class Estimate(NamedTuple):
    """A score and the ends of its interval; None where it is undefined, or rows are too few."""

    value: float | None
    low: float | None = None
    high: float | None = None


def measured(y: NDArray[Any], answers: Array, weights: Array) -> dict[str, Array]:
    """Each score for each row of weights (m, n): (m,), NaN where it is undefined.

    Answers (n, C) are probabilities of the classes that y (n,) numbers; answers (n,) are values, and y too.
    """
    with np.errstate(all="ignore"):
        return (_of_values if answers.ndim == 1 else _of_classes)(y, answers, weights)


def _of_classes(y: NDArray[Any], P: Array, weights: Array) -> dict[str, Array]:
    right = (P.argmax(axis=1) == y).astype(np.float64)
    total = weights.sum(axis=1)
    order = np.argsort(y, kind="stable")
    starts = np.flatnonzero(np.diff(y[order], prepend=-1))
    own = np.add.reduceat(weights[:, order], starts, axis=1)
    recalls = np.add.reduceat((weights * right)[:, order], starts, axis=1) / own
    losses = -np.log(np.clip(P[np.arange(len(y)), y], _SMALLEST, 1))
    scores = {
        "accuracy": weights @ right / total,
        "balanced accuracy": recalls.mean(axis=1),
        "log loss": weights @ losses / total,
    }
    if P.shape[1] == 2:
        scores["ROC AUC"] = _area(y == 1, P[:, 1], weights)
    # NaN in a probability is no answer, though argmax gives one.
    return scores if np.isfinite(P).all() else {name: np.full(len(total), np.nan) for name in scores}


def _area(positive: NDArray[np.bool_], scores: Array, weights: Array) -> Array:
    """The share of pairs, a positive row and another, in the right order; equal scores count as half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    w, own = weights[:, order], positive[order]
    ones, zeros = (np.add.reduceat(w * side, starts, axis=1) for side in (own, ~own))
    below = np.cumsum(zeros, axis=1) - zeros / 2
    return np.asarray((ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1)))


def _of_values(y: NDArray[Any], predicted: Array, weights: Array) -> dict[str, Array]:
    errors, total = y - predicted, weights.sum(axis=1)
    unit = float(np.abs(errors).max()) or 1.0  # squares of large errors overflow
    squares = weights @ (errors / unit) ** 2 / total
    width = float(np.ptp(y)) or 1.0
    centered = (y - y.mean()) / width
    spread = weights @ centered**2 / total - (weights @ centered / total) ** 2
    spread = np.where(spread > 1e-12, spread, np.nan) if np.ptp(y) else np.full(len(total), np.nan)
    return {
        "RMSE": unit * np.sqrt(squares),
        "R²": 1 - squares * (unit / width) ** 2 / spread,
        "MAE": weights @ np.abs(errors) / total,
    }


def draws(n: int, seed: int = 0) -> Iterator[Array]:
    """How often each of n rows comes in draws of n with replacement, as blocks (m, n) of weights."""
    random = RandomState(seed)
    left = int(np.clip(_WORK // n, *_DRAWS))
    while left:
        count = min(left, max(1, _CELLS // n))
        rows = random.randint(0, n, (count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(rows.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
        left -= count


def estimates(
    y: NDArray[Any], answers: dict[str, Array], seed: int = 0
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """The scores of each set of answers with intervals, and those of the first less each other's.

    The intervals are percentiles over draws of the rows with replacement (Efron 1979), the same draws for
    all answers, so that differences are paired; an accuracy's interval is Wilson's (1927), which also knows
    what nothing wrong in few rows means. The same seed gives the same intervals.
    """
    n, first = len(y), next(iter(answers))
    parts: dict[str, dict[str, list[Array]]] = {name: {} for name in answers}
    for weights in chain([np.ones((1, n))], draws(n, seed) if n >= FEW else ()):
        for name, given in answers.items():
            for key, found in measured(y, given, weights).items():
                parts[name].setdefault(key, []).append(found)
    every = {
        name: {key: np.concatenate(found) for key, found in some.items()} for name, some in parts.items()
    }
    scores = {
        name: {key: _estimate(key, values, n) for key, values in some.items()}
        for name, some in every.items()
    }
    differences = {
        name: {key: _estimate("", every[first][key] - values, n) for key, values in some.items()}
        for name, some in every.items()
        if name != first
    }
    return scores, differences


def _estimate(name: str, values: Array, n: int) -> Estimate:
    """The first value, and the interval of the others."""
    value, drawn = float(values[0]), values[1:]
    if not math.isfinite(value):
        return Estimate(None)
    if name == "accuracy":
        return Estimate(value, *wilson(value, n))
    known = drawn[np.isfinite(drawn)]
    if not len(known) or len(known) < LEVEL * len(drawn):
        return Estimate(value)
    low, high = np.percentile(known, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Estimate(value, float(low), float(high))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's interval of a share of n rows.

    >>> from glassnet.diagnostics.verdict.measures import wilson
    >>> [round(end, 3) for end in wilson(1.0, 30)]
    [0.886, 1.0]
    """
    z = 1.959963984540054
    middle, wide = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    low, high = ((middle + sign * wide) / (1 + z * z / n) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)
