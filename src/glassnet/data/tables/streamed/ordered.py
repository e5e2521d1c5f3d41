"""The different values of more rows than memory has room for, in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.raw import Run, runs_of

Keys = NDArray[np.uint64]

_DIGIT = 16
"""Bits by which values are sorted into buckets at once."""

_FEW = 1 << 12
"""So many different values are counted one by one."""

_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True)
class Ordered:
    """Values that `blocks` reads anew each time, of which at most `most` are kept in memory: a radix sort.

    One pass counts the values by the first 16 bits of their keys, whole numbers of the same order. Then
    buckets next to each other, as many as memory has room for, are collected by a pass and sorted. A bucket
    that has no room is divided by the next 16 bits, and so on.
    """

    blocks: Callable[[], Iterator[Floats]]
    n_rows: int
    most: int

    def runs(self) -> Iterator[Run]:
        """The different values and their counts, ascending, in parts; missing ones are left out."""
        return (run for _, run in self._runs(None))

    def ranked(self, places: NDArray[np.intp]) -> Floats:
        """The values at some places of the sorted ones; only their buckets are collected."""
        found = np.empty(len(places))
        for before, (values, counts) in self._runs(np.sort(places)):
            ends = before + np.cumsum(counts)
            here = (places >= before) & (places < ends[-1])
            found[here] = values[np.searchsorted(ends, places[here], side="right")]
        return found

    def _runs(self, places: NDArray[np.intp] | None) -> Iterator[tuple[int, Run]]:
        """The runs, each with the number of values before; of given `places`, their buckets alone."""
        if self.n_rows <= self.most:
            return self._sorted(0, 0, (1 << 64) - 1, self.n_rows)
        return self._divided(places, 0, 0, 64)

    def _divided(
        self, places: NDArray[np.intp] | None, before: int, first: int, bits: int
    ) -> Iterator[tuple[int, Run]]:
        """The runs of the keys from `first`, which differ in their last `bits` bits."""
        shift = max(0, bits - _DIGIT)  # of one key no bits are left
        buckets, few = np.zeros(1 << _DIGIT, np.int64), Counter[float]()
        for values, keys in self._between(first, first + (1 << bits) - 1):
            digits = (keys - np.uint64(first)) >> np.uint64(shift)
            buckets += np.bincount(digits.astype(np.intp), minlength=1 << _DIGIT)
            if len(few) <= _FEW:
                some, counts = np.unique(values, return_counts=True)
                few.update(dict(zip(some.tolist(), counts.tolist(), strict=True)))
        if len(few) <= _FEW:
            if few:
                run = sorted(few.items())
                yield before, (np.array([v for v, _ in run]), np.array([count for _, count in run]))
            return
        ends, start, done = np.cumsum(buckets), 0, 0
        while done < ends[-1]:
            stop = max(start + 1, int(np.searchsorted(ends, done + self.most, side="right")))
            end = int(ends[stop - 1])
            if end > done and (places is None or np.diff(np.searchsorted(places - before, (done, end)))[0]):
                low, high = first + (start << shift), first + (stop << shift) - 1
                if end - done <= self.most:
                    yield from self._sorted(before + done, low, high, end - done)
                else:
                    yield from self._divided(places, before + done, low, shift)
            start, done = stop, end

    def _sorted(self, before: int, low: int, high: int, count: int) -> Iterator[tuple[int, Run]]:
        """The runs of the keys from `low` to `high`, at most `count` of them, by one pass."""
        collected, n = np.empty(count), 0
        for values, _ in self._between(low, high):
            collected[n : n + len(values)] = values
            n += len(values)
        collected = collected[:n]
        collected.sort()
        for run in runs_of(collected):
            yield before, run
            before += int(run[1].sum())

    def _between(self, low: int, high: int) -> Iterator[tuple[Floats, Keys]]:
        """The values whose keys are from `low` to `high`, and the keys."""
        for values in self.blocks():
            known = values[~np.isnan(values)]
            keys = _keys(known)
            inside = (keys >= np.uint64(low)) & (keys <= np.uint64(high))
            yield known[inside], keys[inside]


def _keys(values: Floats) -> Keys:
    """Whole numbers that are ordered as the values are: their bits, less for negative ones."""
    bits = (values + 0.0).view(np.uint64)  # no -0.0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)
