"""Training on batches of rows that are read anew for each epoch, a window at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import deepcopy
from threading import Event
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import RowSubset
from glassnet.data.reduce import Block
from glassnet.data.scan import Scan
from glassnet.data.source import Dataset
from glassnet.engine.chunks import Chunks
from glassnet.engine.minibatch import FEW, Batches, Cursor, EpochsDone, batches_of, go_back
from glassnet.engine.records import Setup, Updates
from glassnet.utils.interrupts import Cut
from glassnet.utils.memory import RESERVED, release_memory

_WINDOWS = 6
"""The windows that fit into the memory beyond `RESERVED`: one is trained on, the next is there twice."""


class _Place(NamedTuple):
    """A window of an epoch; `seed` is the epoch's, None for rows as they come."""

    seed: int | None
    number: int


class StreamedBatches(Batches):
    """Rows that stay where they lie, of which one window at a time is in memory.

    An epoch takes the row groups of the dataset in a new order and divides them into windows of `window`
    rows, whole batches; it shuffles the rows of each window, and trains on them while it reads the next
    window. The cursor's stream draws the epoch's seed; generators of that seed shuffle row groups and
    windows, so that any window can be made again.
    """

    def __init__(self, setup: Setup, rows: Dataset, scan: Scan, batch_size: int, baseline: float) -> None:
        weighted = rows.weighted or setup.class_weight is not None
        self._chunks = Chunks(setup, rows.n_rows, scan.labels, weighted)
        first = next(rows.read(0, min(batch_size, FEW, rows.n_rows), FEW, setup.dtype))
        few = Block(np.ascontiguousarray(first.X), *self._chunks.targets(first))
        super().__init__(setup, few, scan.summary, batch_size, baseline, scan.fingerprint, rows.n_rows)
        self.weight_sum = scan.weight_sum
        self.rows, self._edges = rows, rows.row_groups()
        row = setup.dtype.itemsize * (self.network.sizes[0] + self.network.sizes[-1] + 1) + 16
        window = max(0, rows.memory - RESERVED) // _WINDOWS
        self.window = max(1, window // row // batch_size) * batch_size
        self.layout = self.window, len(self._edges) - 1
        self._begin_reading()

    def _with(self, **changes: Any) -> Self:
        other = super()._with(**changes)
        other._begin_reading()
        return other

    def _begin_reading(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._ended = Event()
        self._reader: _Reader | None = None
        self._at: tuple[_Place, Batches] | None = None
        self._coming: tuple[_Place, Future[Batches]] | None = None

    @property
    def windows(self) -> int:
        """How many an epoch has, the last of which may be short."""
        return -(-self.n_samples // self.window)

    def whole(self) -> Batches:
        """Batches of all rows in memory, in their order."""
        return self._packed(_Place(None, 0), self._ended, self.baseline, self.fingerprint)

    def begin(self, random: RandomState | None, limit: float) -> Cursor:
        return Cursor(limit, self.fingerprint, None, random, layout=self.layout)

    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        assert cursor.good is not None
        end, stop, good, random = (
            time.monotonic() + updates.seconds,
            updates.stop,
            cursor.good,
            cursor.random,
        )
        # Where training stands is one name, so that an error of a signal handler finds it whole.
        now = 0, 0, cursor.row, cursor.loss
        drawn: tuple[int, Any] | None = None  # an epoch, and the random stream before its seed was drawn
        diverged, failure = False, None
        try:
            while not diverged:
                epochs, made, row, summed = now
                if epochs == len(losses) or (len(updates.rates) > 1 and made >= len(updates.rates)):
                    break
                if made and (stop[0] or time.monotonic() >= end):
                    break
                seed = cursor.seed
                if row == 0 and random is not None:
                    drawn = epochs, random.get_state(legacy=False)
                    seed = _seed(random)
                place = _Place(None if random is None else seed, row // self.window)
                window = self._window(place, self._after(place, random, epochs + 1 < len(losses)), stop)
                cursor.seed = seed
                begun = place.number * self.window
                within = Cursor(cursor.limit, (), row=row - begun, loss=summed)
                within.good = good if place.number == 0 else good.copy()
                loss = np.full(1, np.nan)
                left = updates._replace(
                    rates=updates.rates if len(updates.rates) == 1 else updates.rates[made:],
                    first=updates.first + made,
                    seconds=max(0.0, end - time.monotonic()),
                    masks=updates.masks and updates.masks.after(made),
                    threads=updates.threads or self.threads,
                )
                done = window.train(flat, state, loss, within, left)
                diverged, row, summed = done.diverged, begun + within.row, within.loss
                if not diverged and done.epochs:  # the window's end
                    row = min(begun + self.window, self.n_samples)
                    summed = float(loss[0]) * window.n_samples
                if not diverged and row == self.n_samples:
                    losses[epochs] = summed / self.n_samples
                    epochs, row, summed = epochs + 1, 0, 0.0
                now = epochs, made + done.updates, row, summed
                if done.error is not None:
                    raise done.error
        except Cut:
            pass
        except BaseException as error:
            failure = error
        epochs, made, cursor.row, cursor.loss = now
        if diverged:
            go_back(flat, state, good)
        elif random is not None and drawn is not None and drawn[0] == epochs and cursor.row == 0:
            random.set_state(drawn[1])  # the epoch has not begun
        if stop[0] or failure is not None:
            self._read_no_further()
        return EpochsDone(epochs, made, diverged, failure)

    def _after(self, place: _Place, random: RandomState | None, more: bool) -> _Place | None:
        """The window that follows, of the next epoch where there are to be `more`."""
        if place.number + 1 < self.windows:
            return place._replace(number=place.number + 1)
        if not more:
            return None
        return _Place(None if random is None else _seed(deepcopy(random)), 0)

    def _window(self, place: _Place, then: _Place | None, stop: NDArray[np.uint8]) -> Batches:
        """A window, while the one after it is being read; raises Cut where `stop` is set meanwhile."""
        if self._at is None or self._at[0] != place:
            self._at = None  # makes room
            if self._coming is None or self._coming[0] != place:
                self._coming = place, self._thread().submit(self._packed, place, self._ended)
            coming = self._coming[1]
            while not coming.done():
                if stop[0]:
                    raise Cut
                wait([coming], 0.05)
            self._coming = None
            self._at = place, coming.result()
        if then is not None and self._coming is None and then != place:
            self._coming = then, self._thread().submit(self._packed, then, self._ended)
        return self._at[1]

    def _read_no_further(self) -> None:
        """End the reading ahead: the process would wait for its end before it ends itself."""
        self._ended.set()
        self._ended, self._coming = Event(), None

    def _thread(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "glassnet")
        return self._pool

    def _packed(
        self, place: _Place, ended: Event, baseline: float = 0.0, fingerprint: tuple[float, ...] = ()
    ) -> Batches:
        """A window as the engine keeps it; raises Cut where `ended` is set meanwhile."""
        samples = self._samples(place, ended)
        size = min(self.batch_size, len(samples.y))
        batches = batches_of(self.setup, samples, self.summary, size, baseline, fingerprint)
        del samples
        release_memory()
        return batches

    def _samples(self, place: _Place, ended: Event) -> Block:
        """A window's rows, shuffled."""
        start = place.number * self.window
        n = min(self.window, self.n_samples - start)
        if self._reader is None or not self._reader.stands(place.seed, start):
            self._reader = _Reader(self._blocks(place.seed, start), place.seed, start)
        X = np.empty((n, self.network.sizes[0]), self.dtype)
        targets, at = [], 0
        try:
            for block in self._reader.take(n):
                if ended.is_set():
                    raise Cut
                X[at : at + len(block.X)] = block.X
                at += len(block.X)
                y, w = self._chunks.targets(block)
                targets.append(Block(block.X[:, :0], y, w).copy())
        except BaseException:
            self._reader = None  # it gives no rows after an error
            raise
        _, y, w = Block.concatenated(targets)
        order = np.arange(n) if place.seed is None else _stream(place, 1).permutation(n)
        shuffled: Any = RowSubset(X, order)
        return Block(shuffled, y[order], None if w is None else w[order])

    def _blocks(self, seed: int | None, start: int) -> Iterator[Block]:
        """An epoch's rows from a place in its order on."""
        groups = np.arange(len(self._edges) - 1)
        if seed is not None:
            groups = _stream(_Place(seed, 0), 0).permutation(groups)
        skip = start
        for group in groups.tolist():
            begin, end = self._edges[group], self._edges[group + 1]
            if skip < end - begin:
                yield from self.rows.read(begin + skip, end, self.rows.block_rows(1), self.dtype)
            skip = max(0, skip - (end - begin))


class _Reader:
    """An epoch's rows, taken some at a time."""

    def __init__(self, blocks: Iterator[Block], seed: int | None, start: int) -> None:
        self._blocks, self._seed, self._row = blocks, seed, start
        self._left: Block | None = None

    def stands(self, seed: int | None, row: int) -> bool:
        """Whether the next row is that row of that epoch."""
        return (seed, row) == (self._seed, self._row)

    def take(self, n: int) -> Iterator[Block]:
        """The next n rows."""
        taken = 0
        while taken < n:
            block = next(self._blocks) if self._left is None else self._left
            some = min(n - taken, len(block.X))
            self._left = None if some == len(block.X) else block.rows(some, len(block.X))
            taken, self._row = taken + some, self._row + some
            yield block.rows(0, some)


def _seed(random: RandomState) -> int:
    return int(random.randint(0, 2**32, dtype=np.uint64))


def _stream(place: _Place, purpose: int) -> RandomState:
    """The generator that shuffles an epoch's row groups, purpose 0, or a window's rows, purpose 1."""
    return RandomState([place.seed or 0, place.number, purpose])
