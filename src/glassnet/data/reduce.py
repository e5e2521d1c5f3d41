"""Blocks of rows, and reductions over them by several workers at once."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import copy, deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.utils.interrupts import Cut

Cancelled = Callable[[], bool]
NEVER: Cancelled = bool
"""Says False whenever it is asked."""

Ranges = Sequence[tuple[int, int]]
"""The first row and the end of each range of rows."""


class Block(NamedTuple):
    """Some rows: X (n, inputs), y as the source has it, and weights (n,) or None.

    Without targets y is (n, 0). Where all samples are one block for an engine to pack, targets are checked,
    and X may also be a sparse array of SciPy's or a `RowSubset`.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    w: NDArray[Any] | None

    def rows(self, start: int, stop: int) -> Block:
        """Some of the rows, without a copy."""
        return Block(self.X[start:stop], self.y[start:stop], None if self.w is None else self.w[start:stop])

    def cast(self, dtype: np.dtype[Any] | None) -> Block:
        """The block with X in another precision, or without X."""
        if dtype is None:
            return self._replace(X=self.X[:, :0])
        with np.errstate(over="ignore"):  # the scan reports what overflows
            return self._replace(X=self.X.astype(dtype, copy=False))

    def copy(self) -> Block:
        """The block in memory of its own."""
        return Block(self.X.copy(), self.y.copy(), None if self.w is None else self.w.copy())

    @staticmethod
    def concatenated(blocks: Sequence[Block]) -> Block:
        """All rows of the blocks, one block after the other."""
        ws = [block.w for block in blocks if block.w is not None]
        X, y = (np.concatenate(arrays) for arrays in ([b.X for b in blocks], [b.y for b in blocks]))
        return Block(X, y, np.concatenate(ws) if ws else None)


class Columns(NamedTuple):
    """A `Block` with X as its columns, each (n,)."""

    X: tuple[NDArray[Any], ...]
    y: NDArray[Any]
    w: NDArray[Any] | None

    def rows(self, start: int, stop: int) -> Columns:
        """Some of the rows, without a copy."""
        X = tuple(column[start:stop] for column in self.X)
        return Columns(X, self.y[start:stop], None if self.w is None else self.w[start:stop])

    def block(self, dtype: np.dtype[Any]) -> Block:
        """The same rows with X as an array whose columns are contiguous."""
        X = np.empty((len(self.X), len(self.y)), dtype)
        for place, column in enumerate(self.X):
            X[place] = column
        return Block(X.T, self.y, self.w)


Change = tuple[Callable[..., Block], np.dtype[Any] | None]
"""A function that makes another block of a block, and the type that it takes X in."""


class BadRow(NamedTuple):
    """The first row that cannot be used, with an error about "row 0", or about an input: its `place`."""

    row: int
    error: Exception
    place: int | None = None


class State(NamedTuple):
    """What is known of a range of rows: its next row, the value so far, and a row that is bad."""

    row: int
    value: Any = None
    bad: BadRow | None = None


class Reduction(ABC):
    """A value of a range of rows, computed block after block; each thread works with a copy of its own.

    `dtype` is the type to read X in; with None X is left out, (n, 0). The value is computed on whole blocks
    of `block` rows, so that it has the same bits however a source cuts its rows (see `fixed_order`); with 1
    on rows as they come. After a multiple of `block` rows another copy may go on with the range.
    `by_column` says that `take` accepts `Columns` too. A reduction can be pickled.
    """

    block: int = 1
    by_column: bool = False
    dtype: np.dtype[Any] | None
    changes: tuple[Change, ...] = ()
    """What makes the blocks of those that a source reads, from the first to the last."""

    @property
    def read_dtype(self) -> np.dtype[Any] | None:
        """The type that the source reads X in."""
        return self.changes[0][1] if self.changes else self.dtype

    @abstractmethod
    def keep(self, block: Block, first: int) -> Any:
        """What to keep of rows of a block that is not whole yet, in memory of its own, or a `BadRow`.

        `first` is the number of the first of these rows.
        """

    @abstractmethod
    def add(self, value: Any, kept: list[Any], first: int) -> Any:
        """The value with a whole block, of which `keep` kept this; None stands for no rows.

        It may change the earlier value.
        """

    def begin(self, state: State) -> None:
        """Begin a range, `State(row)`, or continue it from the state that `end` returned."""
        # Copied, since Dask may use a state twice.
        self._state = state._replace(value=deepcopy(state.value))
        self._kept: list[Any] = []
        self._count = 0

    def take(self, block: Block | Columns) -> None:
        """Take the rows that follow, as a source reads them."""
        for change, _ in self.changes:
            block = change(block)
        self._take(block)

    def _take(self, block: Any) -> None:
        done, n = 0, len(block.y)
        while done < n and self._state.bad is None:
            stop = n if self.block == 1 else min(n, done + self.block - self._count)
            kept = self.keep(block.rows(done, stop), self._state.row + self._count)
            if isinstance(kept, BadRow):
                self._state = self._state._replace(bad=kept)
                return
            self._kept.append(kept)
            self._count += stop - done
            done = stop
            if self._count >= self.block:
                self._close()

    def _close(self) -> None:
        value = self.add(self._state.value, self._kept, self._state.row)
        self._state = State(self._state.row + self._count, value)
        self._kept, self._count = [], 0

    def end(self) -> State:
        """The state after the rows so far: a multiple of `block`, or the whole range."""
        if self._count and self._state.bad is None:
            self._close()
        return self._state


def reduce_in_workers(
    read: Callable[[int, int], Iterator[Block] | Iterator[Columns]],
    reduction: Reduction,
    ranges: Ranges,
    workers: int,
    ahead: bool,
    cancelled: Cancelled,
) -> list[State]:
    """The reduction of each of the consecutive ranges, in their order.

    Each worker takes as many ranges as the others and reads them in one go, in the thread that computes,
    so that what it reads is still in its core's cache; with `ahead` a second thread reads one block ahead.
    The number of workers does not influence the result. Raises Cut once `cancelled` returns True.
    """
    ended = threading.Event()
    by_worker = [
        ranges[len(ranges) * i // workers : len(ranges) * (i + 1) // workers] for i in range(workers)
    ]
    with ThreadPoolExecutor(2 * workers, "glassnet") as pool:

        def work(some: Ranges) -> list[State]:
            worker, states, at = copy(reduction), [], some[0][0]
            left = list(reversed(some))
            worker.begin(State(at))
            blocks: Iterator[Any] = read(at, some[-1][1])
            for block in _ahead(blocks, pool) if ahead else blocks:
                if ended.is_set():
                    raise Cut
                start, rows = 0, len(block.y)
                while start < rows:
                    stop = min(rows, start + left[-1][1] - at)
                    worker.take(block if stop - start == rows else block.rows(start, stop))
                    at, start = at + stop - start, stop
                    if at == left[-1][1]:
                        left.pop()
                        states.append(worker.end())
                        if left:
                            worker.begin(State(at))
            return states

        try:
            futures = [pool.submit(work, some) for some in by_worker if some]
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, 0.05, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if waiting and cancelled():
                    raise Cut
            return [state for future in futures for state in future.result()]
        finally:
            ended.set()  # when one worker fails, the others stop


def _ahead(blocks: Iterator[Block], pool: ThreadPoolExecutor) -> Iterator[Block]:
    """The blocks; the pool reads the next one while the caller works on one."""
    coming = pool.submit(next, blocks, None)
    while (block := coming.result()) is not None:
        coming = pool.submit(next, blocks, None)
        yield block
