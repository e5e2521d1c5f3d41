"""Blocks of rows, and reductions over them by several workers at once."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
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
    """Consecutive rows: X (n, inputs), y as the source has it, and weights (n,) or None.

    Without targets y is (n, 0).
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


class Worker(ABC):
    """Reduces one range of rows after another, block by block."""

    @abstractmethod
    def begin(self, state: Any, row: int) -> None:
        """Begin a range at `row` with state None, or continue it from a state that `end` returned."""

    @abstractmethod
    def take(self, block: Block) -> None:
        """Take the rows that follow."""

    @abstractmethod
    def end(self) -> Any:
        """The state after the rows so far: a multiple of the reduction's `block`, or the whole range."""


class BadRow(NamedTuple):
    """The first row that cannot be used, with an error about "row 0", or about an input: its `place`."""

    row: int
    error: Exception
    place: int | None = None


class BlockState(NamedTuple):
    """What a `BlockWorker` knows of a range: its next row, the value so far, and a row that is bad."""

    row: int
    value: Any = None
    bad: BadRow | None = None


class BlockWorker(Worker):
    """A worker that checks rows as they come and computes on whole blocks of `size` rows.

    However a source cuts its rows, the value has the same bits: see `fixed_order`.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[Any] = []
        self._count = 0

    @abstractmethod
    def keep(self, block: Block, first: int) -> Any:
        """What to keep of rows of a block that is not whole yet, in memory of its own, or a `BadRow`.

        `first` is the number of the first of these rows.
        """

    @abstractmethod
    def add(self, value: Any, kept: list[Any], first: int) -> Any:
        """The value with a whole block, of which `keep` kept this; None stands for no rows.

        The earlier value stays as it is: Dask may use it twice.
        """

    def begin(self, state: Any, row: int) -> None:
        self._state = BlockState(row) if state is None else state

    def take(self, block: Block) -> None:
        done, n = 0, len(block.y)
        while done < n and self._state.bad is None:
            stop = min(n, done + self._size - self._count)
            kept = self.keep(block.rows(done, stop), self._state.row + self._count)
            if isinstance(kept, BadRow):
                self._state = self._state._replace(bad=kept)
                return
            self._kept.append(kept)
            self._count += stop - done
            done = stop
            if self._count == self._size:
                self._close()

    def _close(self) -> None:
        value = self.add(self._state.value, self._kept, self._state.row)
        self._state = BlockState(self._state.row + self._count, value)
        self._kept, self._count = [], 0

    def end(self) -> BlockState:
        if self._count and self._state.bad is None:
            self._close()
        return self._state


class Reduction(ABC):
    """What is computed of a range of rows, one block after the other; a reduction can be pickled.

    `dtype` is the type to read X in; with None X is left out, (n, 0). Another worker may continue a range
    after any multiple of `block` rows. `by_column` says that workers take `Columns` too.
    """

    block: int
    by_column: bool = False
    dtype: np.dtype[Any] | None

    @abstractmethod
    def worker(self) -> Worker:
        """A worker; each thread has its own."""


def reduce_in_workers(
    read: Callable[[int, int], Iterator[Block] | Iterator[Columns]],
    reduction: Reduction,
    ranges: Ranges,
    workers: int,
    ahead: bool,
    cancelled: Cancelled,
) -> list[Any]:
    """The reduction of each of the consecutive ranges, in their order.

    Each worker takes as many ranges as the others and reads them in one go, in the thread that computes,
    so that what it reads is still in its core's cache; with `ahead` a second thread reads one block ahead.
    The number of workers does not influence the result. Raises Cut once `cancelled` returns True.
    """
    ended = threading.Event()
    shared_out = [
        ranges[len(ranges) * i // workers : len(ranges) * (i + 1) // workers] for i in range(workers)
    ]
    with ThreadPoolExecutor(2 * workers, "glassnet") as pool:

        def work(some: Ranges) -> list[Any]:
            worker, states, at = reduction.worker(), [], some[0][0]
            left = list(reversed(some))
            worker.begin(None, at)
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
                            worker.begin(None, at)
            return states

        try:
            futures = [pool.submit(work, some) for some in shared_out if some]
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
