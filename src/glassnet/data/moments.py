"""The mean and the standard deviation of columns, added up in an order that rows alone decide."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import PACKED_ROWS, ranges_of
from glassnet.errors import InputError

Floats = NDArray[np.float64]

_ROWS, _ENTRIES = 4096, 1 << 17


def leaf_rows(width: int) -> int:
    """The rows of a leaf, which are added up at once: a power of two."""
    return 1 << max(1, min(_ROWS, _ENTRIES // width)).bit_length() - 1


class Moments(NamedTuple):
    """Of some rows, by column: the mean, the sum of squares about it, the least and the largest value.

    `rest` is what the mean lacks by rounding: beside a large one, differences of means are lost in it.
    """

    n: int
    mean: Floats
    rest: Floats
    spread: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, columns: Floats) -> Moments:
        """Of a leaf, (columns, rows), whose columns are contiguous."""
        n = columns.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = columns.sum(axis=1) / n
            beside = columns - mean[:, None]
            rest = beside.sum(axis=1) / n
            spread = np.square(beside).sum(axis=1) - n * rest**2
        return cls(n, mean, rest, spread, columns.min(axis=1), columns.max(axis=1))

    def merged(self, other: Moments) -> Moments:
        """Of both parts' rows, as Chan, Golub and LeVeque (1979) add them."""
        n = self.n + other.n
        with np.errstate(over="ignore", invalid="ignore"):
            between = (other.mean - self.mean) + (other.rest - self.rest)
            step = between * (other.n / n)
            mean = self.mean + step
            return Moments(
                n,
                mean,
                self.rest + (step - (mean - self.mean)),
                self.spread + other.spread + between**2 * (self.n * (other.n / n)),
                np.minimum(self.low, other.low),
                np.maximum(self.high, other.high),
            )

    @property
    def constant(self) -> NDArray[np.bool_]:
        """By column, whether it has one value only: rounding may give that a deviation of its own."""
        return self.low == self.high

    @property
    def center(self) -> Floats:
        """The mean; of a constant column its value."""
        with np.errstate(invalid="ignore"):
            return np.where(self.constant, self.low, self.mean + self.rest)

    @property
    def scale(self) -> Floats:
        """The standard deviation, over n; 1 of a constant column."""
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = np.sqrt(np.maximum(self.spread, 0.0) / self.n)
        return np.where(self.constant | (deviation == 0), 1.0, deviation)


class Tower:
    """Leaves that are added up in pairs, and pairs of pairs: an error grows with the tree's height."""

    def __init__(self, floors: tuple[tuple[int, Moments], ...] = ()) -> None:
        self.floors = floors
        """Height and sums of what waits for its other half, the highest first."""

    def with_leaf(self, leaf: Moments) -> Tower:
        """A tower with one leaf more."""
        floors, height = list(self.floors), 0
        while floors and floors[-1][0] == height:
            leaf = floors.pop()[1].merged(leaf)
            height += 1
        return Tower((*floors, (height, leaf)))

    @property
    def total(self) -> Moments:
        """Of all leaves."""
        return reduce(lambda later, earlier: earlier.merged(later), (m for _, m in reversed(self.floors)))


def moments(X: NDArray[Any]) -> Moments:
    """Of rows in memory, (n, columns), with the bits of the same rows streamed."""
    rows = leaf_rows(X.shape[1])
    assert PACKED_ROWS % rows == 0

    def tower(start: int, stop: int) -> Moments:
        grown = Tower()
        for first, end in pairwise([*range(start, stop, rows), stop]):
            grown = grown.with_leaf(Moments.of(np.ascontiguousarray(X[first:end].T, np.float64)))
        return grown.total

    return reduce(Moments.merged, (tower(*edges) for edges in ranges_of(len(X))))


def check_moments(found: Moments, column: Callable[[int], str]) -> None:
    """Raise InputError for a column too large to be averaged; `column` names one by its place."""
    large = ~np.isfinite(found.center + found.scale)
    if large.any():
        raise InputError(
            f"{column(int(large.argmax()))} has values too large to be averaged; expected their squares to "
            f"stay below 1e308. Use a larger unit."
        )
