"""Rows taken in lanes, which read and compute by turns, or read ahead where cores are left."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from glassnet.utils.interrupts import Cut

Block = Any  # of `rows.py`, which lies above this module

Cancelled = Callable[[], bool]


class Worker(ABC):
    """Takes the blocks of one range after another, in order."""

    @abstractmethod
    def begin(self, state: Any, row: int) -> None:
        """Go on from what `end` gave, or None for the start, with that row."""

    @abstractmethod
    def take(self, block: Block) -> None:
        """The rows that follow."""

    @abstractmethod
    def end(self) -> Any:
        """What has come of the rows: after a multiple of the fold's `block`, or where the range ends."""


class Fold(ABC):
    """What is to be made of a range of rows, one block after the other; it can be pickled.

    `dtype` is what X is read in; None leaves it out, and X is (n, 0). A range may be left and gone on with,
    by another worker, after any multiple of `block` rows. `by_column` says whether workers take X by column
    too.
    """

    block: int
    by_column: bool = False
    dtype: np.dtype[Any] | None

    @abstractmethod
    def worker(self) -> Worker:
        """One that does it; each thread has its own."""


def fold_lanes(
    read: Callable[[int, int], Iterator[Block]],
    fold: Fold,
    ranges: Sequence[tuple[int, int]],
    lanes: int,
    ahead: bool,
    cancelled: Cancelled,
) -> list[Any]:
    """What `fold` makes of each range, in the ranges' order; these lie one behind the other.

    Each lane takes as many ranges and reads them in one go, in the thread that computes: what was read is
    still in its core's cache; with `ahead` in a thread of its own, a block ahead. How many lanes there
    are has no influence on what comes out. Raises Cut where `cancelled` says so meanwhile.
    """
    ended = threading.Event()
    parts = [ranges[len(ranges) * i // lanes : len(ranges) * (i + 1) // lanes] for i in range(lanes)]
    with ThreadPoolExecutor(2 * lanes, "glassnet") as pool:

        def lane(part: Sequence[tuple[int, int]]) -> list[Any]:
            worker, found, at = fold.worker(), [], part[0][0]
            left = list(reversed(part))
            worker.begin(None, at)
            blocks = read(at, part[-1][1])
            for block in _ahead(blocks, pool) if ahead else blocks:
                if ended.is_set():
                    raise Cut
                start, rows = 0, len(block.y)
                while start < rows:
                    stop = min(rows, start + left[-1][1] - at)
                    worker.take(block if stop - start == rows else block.part(start, stop))
                    at, start = at + stop - start, stop
                    if at == left[-1][1]:
                        left.pop()
                        found.append(worker.end())
                        if left:
                            worker.begin(None, at)
            return found

        try:
            futures = [pool.submit(lane, part) for part in parts if part]
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, 0.05, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if waiting and cancelled():
                    raise Cut
            return [state for future in futures for state in future.result()]
        finally:
            ended.set()  # the others need not go on where one of them has failed


def _ahead(blocks: Iterator[Block], pool: ThreadPoolExecutor) -> Iterator[Block]:
    """The blocks, of which the next one is read while the caller has one."""
    coming = pool.submit(next, blocks, None)
    while (block := coming.result()) is not None:
        coming = pool.submit(next, blocks, None)
        yield block
