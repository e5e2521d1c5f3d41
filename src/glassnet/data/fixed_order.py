"""Sums whose order depends on the numbers of rows and columns alone, so that their bits do.

Floating-point addition rounds, so the order of a sum decides its last bits. glassnet promises the same
bits for any number of threads, for rows in memory and streamed, from any files, and on any cluster. It
keeps that promise by three rules, and everything in Python that adds up rows follows them:

1. *Chunks.* A dataset of n rows is cut into at most 32 chunks (`chunk_ranges`). Whoever computes may give
   chunks to threads, processes or machines in any way: each chunk's sum is made by itself.
2. *Blocks.* Within a chunk, rows are added up in blocks of `BLOCK_ROWS` rows, one block after the other,
   however many rows a file or a task happens to deliver at a time. A chunk consists of whole blocks, save
   for the dataset's last one, and a reader that gets other amounts collects rows until a block is whole.
3. *Order.* The sums of the chunks are added from the first to the last (`sum_in_order`). Means and
   variances, which lose more by rounding, are added in pairs of pairs (`MomentsTree`).

The native engine cuts the rows of its passes likewise, by sizes of its own; `engine.chunks` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError

Floats = NDArray[np.float64]

BLOCK_ROWS = 1 << 16
"""Rows of a block. Casting one block at a time also means that a second copy of X never exists."""

MOST_CHUNKS = 32

_BLOCK_ENTRIES = 1 << 20

_LEAF_ROWS, _LEAF_ENTRIES = 4096, 1 << 17


# ---- Chunks and blocks ----------------------------------------------------------------------------


def chunk_ranges(n: int) -> list[tuple[int, int]]:
    """First row and end of each of the at most 32 chunks of n rows, each of whole blocks but the last."""
    blocks = -(-n // BLOCK_ROWS)
    count = min(MOST_CHUNKS, blocks)
    edges = [min(n, blocks * i // count * BLOCK_ROWS) for i in range(count + 1)]
    return [*pairwise(edges)]


def row_blocks(n: int, width: int = 1) -> Iterator[slice]:
    """Slices that cover n rows of `width` entries, at most `BLOCK_ROWS` rows and 2^20 entries each."""
    step = max(1, min(BLOCK_ROWS, _BLOCK_ENTRIES // width))
    return (slice(start, start + step) for start in range(0, n, step))


def total_weight(w: NDArray[Any]) -> float:
    """The sum of weights, block by block, as a pass over streamed rows adds them."""
    return sum(float(w[rows].sum()) for rows in row_blocks(len(w)))


def sum_in_order(sums: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The sum of the chunks' sums, from the first chunk to the last."""
    total = sums[0].copy()
    for other in sums[1:]:
        total += other
    return total


# ---- Means and variances --------------------------------------------------------------------------


def leaf_rows(width: int) -> int:
    """The rows of `width` columns whose moments are computed at once: a power of two."""
    return 1 << max(1, min(_LEAF_ROWS, _LEAF_ENTRIES // width)).bit_length() - 1


class Moments(NamedTuple):
    """Moments of some rows, by column: mean, sum of squared deviations, smallest and largest value.

    `rest` is the rounding error of `mean`, kept because differences of large means would vanish in it.
    """

    n: int
    mean: Floats
    rest: Floats
    spread: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, columns: Floats) -> Moments:
        """The moments of a leaf, (columns, rows), whose columns are contiguous."""
        n = columns.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            mean = columns.sum(axis=1) / n
            beside = columns - mean[:, None]
            rest = beside.sum(axis=1) / n
            spread = np.square(beside).sum(axis=1) - n * rest**2
        return cls(n, mean, rest, spread, columns.min(axis=1), columns.max(axis=1))

    def merged(self, other: Moments) -> Moments:
        """The moments of these rows and the `other` ones, as Chan, Golub and LeVeque (1979) add them."""
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

    def of_columns(self, places: NDArray[np.intp]) -> Moments:
        """The moments of some of the columns."""
        return Moments(self.n, *(values[places] for values in self[1:]))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Whether a column has a single value, whose computed deviation rounding may make nonzero."""
        return self.low == self.high

    @property
    def center(self) -> Floats:
        """The mean, or a constant column's value."""
        with np.errstate(invalid="ignore"):
            return np.where(self.constant, self.low, self.mean + self.rest)

    @property
    def scale(self) -> Floats:
        """The standard deviation, over n, or 1 for a constant column."""
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = np.sqrt(np.maximum(self.spread, 0.0) / self.n)
        return np.where(self.constant | (deviation == 0), 1.0, deviation)

    def check_finite(self, column: Callable[[int], str]) -> None:
        """Raise InputError for a column too large to be averaged; `column` names one by its number."""
        large = ~np.isfinite(self.center + self.scale)
        if large.any():
            raise InputError(
                f"{column(int(large.argmax()))} has values too large to be averaged; expected their "
                f"squares to stay below 1e308. Use a larger unit."
            )


class MomentsTree:
    """Moments of leaves, added pairwise as a binary tree: errors grow with its height."""

    def __init__(self, waiting: tuple[tuple[int, Moments], ...] = ()) -> None:
        self.waiting = waiting
        """Height and moments of the subtrees that wait for their other half, the highest first."""

    def with_leaf(self, leaf: Moments) -> MomentsTree:
        """The tree with one more leaf."""
        waiting, height = list(self.waiting), 0
        while waiting and waiting[-1][0] == height:
            leaf = waiting.pop()[1].merged(leaf)
            height += 1
        return MomentsTree((*waiting, (height, leaf)))

    @property
    def total(self) -> Moments:
        """The moments of all leaves."""
        return reduce(lambda later, earlier: earlier.merged(later), (m for _, m in reversed(self.waiting)))


def moments(X: NDArray[Any]) -> Moments:
    """The moments of rows in memory, (n, columns), with the bits of the same rows streamed."""
    rows = leaf_rows(X.shape[1])

    def of_chunk(start: int, stop: int) -> Moments:
        tree = MomentsTree()
        for first, end in pairwise([*range(start, stop, rows), stop]):
            tree = tree.with_leaf(Moments.of(np.ascontiguousarray(X[first:end].T, np.float64)))
        return tree.total

    return reduce(Moments.merged, (of_chunk(*edges) for edges in chunk_ranges(len(X))))
