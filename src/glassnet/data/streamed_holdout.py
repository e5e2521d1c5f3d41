"""A part of a stream's rows held out, drawn anew wherever they are read, without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.source import Block, Rows, WrappedRows
from glassnet.errors import InputError

STRETCH = 4096
"""Rows of which those held out are drawn together."""


def split_rows(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on and those held out, ceil(share n) of n.

    Of each stretch of 4,096 rows as many are held out as its share comes to, at random by `seed` and the
    stretch's number: the same rows whatever the files and memory, as spread as the rows themselves are, so
    that rows in the order of time or of classes are no trap. Both read all rows and pass over the others'.

    Raises InputError where no row would be left.
    """
    kept, held = (SplitRows(rows, share, seed, held_out) for held_out in (False, True))
    for part, name in ((kept, "to train on"), (held, "held out")):
        if part.n_rows == 0:
            raise InputError(
                f"A share of {share} of {rows.n_rows} row(s) leaves none {name}. Use more rows."
            )
    return kept, held


class SplitRows(WrappedRows):
    """One of the two parts of `split_rows`."""

    def __init__(self, rows: Rows, share: float, seed: int, held_out: bool) -> None:
        super().__init__(rows)
        self._share, self._seed, self._held_out = share, seed, held_out
        edges = np.minimum(np.arange(-(-rows.n_rows // STRETCH) + 1) * STRETCH, rows.n_rows)
        held = np.ceil(share * edges).astype(np.int64)
        self._counts = np.diff(held)
        self._before = held if held_out else edges - held
        self.n_rows = int(self._before[-1])

    def inputs(self) -> Rows:
        return SplitRows(self._rows.inputs(), self._share, self._seed, self._held_out)

    def _places(self, stretch: int) -> NDArray[np.int64]:
        """The rows of a stretch that belong to this part, by their place in it."""
        n = min(STRETCH, self._rows.n_rows - stretch * STRETCH)
        drawn = RandomState([self._seed, stretch]).permutation(n)[: self._counts[stretch]]
        mask = np.full(n, not self._held_out)
        mask[drawn] = self._held_out
        return np.flatnonzero(mask)

    def _source(self, row: int) -> int:
        """Where the source has this part's row."""
        stretch = int(np.searchsorted(self._before, row, side="right")) - 1
        return stretch * STRETCH + int(self._places(stretch)[row - self._before[stretch]])

    def where(self, row: int) -> str:
        return self._rows.where(self._source(row))

    def pieces(self) -> list[int]:
        return self._pieces

    @cached_property
    def _pieces(self) -> list[int]:
        found = {0, self.n_rows}
        for edge in self._rows.pieces()[:-1]:
            stretch, place = divmod(edge, STRETCH)
            before = np.searchsorted(self._places(stretch), place) if place else 0
            found.add(int(self._before[stretch] + before))
        return sorted(found)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        if start >= stop:
            return
        at, end = self._source(start), self._source(stop - 1) + 1
        stretch = -1
        places: NDArray[np.int64] = np.empty(0, np.int64)
        for block in self._rows.read(at, end, most, dtype):
            done = 0
            while done < len(block.X):
                if stretch != at // STRETCH:
                    stretch = at // STRETCH
                    places = self._places(stretch) + stretch * STRETCH
                some = min(len(block.X) - done, (stretch + 1) * STRETCH - at)
                low, high = np.searchsorted(places, (at, at + some))
                if low < high:
                    yield _taken(block, places[low:high] - at + done)
                at, done = at + some, done + some


def _taken(block: Block, places: NDArray[np.int64]) -> Block:
    """Some of a block's rows; columns that lie together stay so."""
    X = block.X
    by_column = X.ndim == 2 and X.strides[0] == X.itemsize
    taken = X.T.take(places, axis=1).T if by_column else X.take(places, axis=0)
    return Block(taken, block.y[places], None if block.w is None else block.w[places])


def gathered_rows(rows: Rows, dtype: np.dtype[Any] | None = None) -> Block:
    """All rows in memory, X in `dtype` or the rows' own; they must fit."""
    parts = list(rows.read(0, rows.n_rows, rows.most(1), dtype or rows.dtype))
    w = None if parts[0].w is None else np.concatenate([part.w for part in parts if part.w is not None])
    return Block(np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts]), w)
