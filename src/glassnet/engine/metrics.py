"""Tallies of predictions, for scores: summed block by block in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import BLOCK_ROWS, chunk_ranges
from glassnet.errors import InputError
from glassnet.nn.network import Network, decided
from glassnet.utils.array_checks import as_target

_ENTRIES = 1 << 20


def block_rows(outputs: int) -> int:
    """The rows of a block, a power of two that divides `BLOCK_ROWS`."""
    return 1 << max(64, min(BLOCK_ROWS, _ENTRIES // outputs)).bit_length() - 1


@dataclass(frozen=True, eq=False)
class Tally:
    """What a score needs of the predictions for `n` rows, whose weights sum to `weight`.

    For classes and labels: `exact`, the number of rows whose every number is right, `right`, the sum of
    their weights, and `counts` of the actual against the predicted, (C, C), or (outputs, 2, 2) for labels.
    For values, by output: the weighted `mean`, `spread`, the sum of squares about it, and `errors`, the sum
    of squared errors.
    """

    n: int
    weight: float
    right: float = 0.0
    exact: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    spread: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    errors: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, network: Network, y: NDArray[Any], Y_hat: Array, w: NDArray[Any] | None) -> Tally:
        """The tally of a block; y as `as_target` gives them."""
        w = None if w is None else w.astype(np.float64)
        weight = float(len(y) if w is None else w.sum())
        if network.loss.target in ("class", "label"):
            counts, hits = _counted(network, y, decided(network, Y_hat))
            exact = int(hits.sum())
            return cls(len(y), weight, float(exact if w is None else (hits * w).sum()), exact, counts)
        actual, weights = y.astype(np.float64), np.float64(1.0) if w is None else w[:, None]
        with np.errstate(all="ignore"):
            mean = (weights * actual).sum(axis=0) / (weight or 1.0)
            spread, errors = ((weights * (actual - at) ** 2).sum(axis=0) for at in (mean, Y_hat))
        return cls(len(y), weight, mean=mean, spread=spread, errors=errors)

    def merged(self, other: Tally) -> Tally:
        """The tally of both, whose means and squares Chan, Golub and LeVeque (1979) add so."""
        weight = self.weight + other.weight
        fraction = other.weight / weight if weight else 0.0
        with np.errstate(all="ignore"):
            between = other.mean - self.mean
            return Tally(
                self.n + other.n,
                weight,
                self.right + other.right,
                self.exact + other.exact,
                self.counts + other.counts,
                self.mean + between * fraction,
                self.spread + other.spread + between**2 * (self.weight * fraction),
                self.errors + other.errors,
            )

    @property
    def score(self) -> float:
        """The right part of the weights; for values R^2, the mean over the outputs."""
        if not self.weight > 0:
            raise InputError("sample_weight is 0 everywhere; at least one sample must count.")
        return self.right / self.weight if self.counts.size else float(np.average(self.r2))

    @property
    def r2(self) -> NDArray[np.float64]:
        """R^2 by output; where y never varies, as in scikit-learn, 1 if every value is met, else 0."""
        if self.n < 2:
            return np.full_like(self.errors, np.nan)
        with np.errstate(all="ignore"):
            r2 = 1 - self.errors / self.spread
        return np.where(self.spread != 0, r2, np.where(self.errors == 0, 1.0, 0.0))


def _counted(
    network: Network, y: NDArray[Any], predicted: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`Tally.counts`, and the rows that are right."""
    outputs = network.sizes[-1]
    if network.loss.target == "class":
        actual = y if y.ndim == 1 else np.argmax(y, axis=1)
        shape: tuple[int, ...] = (outputs, outputs)
        pairs = actual * outputs + predicted
        hits = actual == predicted
    else:
        actual = (y > 0.5).astype(np.intp)
        pairs, shape = (4 * np.arange(outputs) + 2 * actual + predicted).ravel(), (outputs, 2, 2)
        hits = (actual == predicted).all(axis=1)
    return np.bincount(pairs, minlength=int(np.prod(shape))).reshape(shape), hits


def accuracy(y: NDArray[Any], y_hat: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """The share of the rows in memory, by their weights, whose every number is right.

    >>> import numpy as np
    >>> from glassnet.engine.metrics import accuracy
    >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), None)
    0.75
    """
    right = y == y_hat
    return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=weights))


def summed(tallies: Iterable[Tally]) -> Tally:
    """All tallies, merged in their order."""
    return reduce(Tally.merged, tallies)


def tally(network: Network, y: object, Y_hat: Array, w: NDArray[Any] | None = None) -> Tally:
    """The tally of predictions in memory, with the bits of the same rows streamed."""
    actual = as_target(y, len(Y_hat), network.sizes[-1], network.loss.target)
    rows = block_rows(Y_hat.shape[1])

    def block(start: int, stop: int) -> Tally:
        some = slice(start, stop)
        return Tally.of(network, actual[some], Y_hat[some], None if w is None else w[some])

    return summed(
        summed(block(first, min(first + rows, stop)) for first in range(start, stop, rows))
        for start, stop in chunk_ranges(len(Y_hat))
    )
