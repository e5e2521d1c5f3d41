"""Inputs measured in one pass, and standardized wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import PACKED_ROWS, ranges_of
from glassnet.data.moments import Floats, Moments, Tower, check_moments, leaf_rows
from glassnet.data.preprocessing import Preprocessing
from glassnet.data.reduce import Cancelled, Fold, Worker
from glassnet.data.scan import Wrong, check_block, named
from glassnet.data.source import Block, ChangedFold, Rows, WrappedRows
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_vector
from glassnet.utils.memory import give_back
from glassnet.utils.threads import thread_count

_DOUBLE = np.dtype(np.float64)


class StandardizedRows(WrappedRows):
    """Rows whose inputs come as (x - mean) / scale, computed in float64, by column."""

    def __init__(self, rows: Rows, mean: Floats, scale: Floats) -> None:
        super().__init__(rows)
        self.mean, self.scale = mean, scale

    def inputs(self) -> Rows:
        return StandardizedRows(self._rows.inputs(), self.mean, self.scale)

    def most(self, lanes: int) -> int:
        return max(64, self._rows.most(lanes) // 2)  # a block is there as it came, too

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        change = partial(_standardized, mean=self.mean, scale=self.scale, dtype=dtype)
        return map(change, self._rows.read(start, stop, most, None if dtype is None else _DOUBLE))

    def fold(
        self, fold: Fold, ranges: Sequence[tuple[int, int]], threads: int, cancelled: Cancelled
    ) -> list[Any]:
        change = partial(_standardized, mean=self.mean, scale=self.scale, dtype=fold.dtype)
        changed = ChangedFold(fold, change, None if fold.dtype is None else _DOUBLE)
        return self._rows.fold(changed, ranges, threads, cancelled)


def _standardized(block: Block, mean: Floats, scale: Floats, dtype: np.dtype[Any] | None) -> Block:
    if dtype is None:
        return block
    X = block.X - mean
    X /= scale
    return block._replace(X=X).cast(dtype)


def standardized(rows: Rows, how: object) -> Rows:
    """The rows, standardized by their own moments, True, or by (mean, scale); or as they are, False.

    Raises InputError for a value that is missing or not finite, and for columns too large to be averaged.
    """
    if how is None or how is False:
        return rows
    if isinstance(rows, StandardizedRows):
        raise InputError("These rows are standardized already; leave standardize out.")
    if how is True:
        found = measured(rows)
        return StandardizedRows(rows, found.center, found.scale)
    if not isinstance(how, (tuple, list)) or len(how) != 2:
        raise InputTypeError(
            f"standardize is True, which measures the inputs, or (mean, scale) of others, not {how!r}."
        )
    mean, scale = (
        as_vector(values, name, rows.n_inputs, "input").astype(np.float64)
        for values, name in zip(how, ("mean", "scale"), strict=True)
    )
    if not (scale > 0).all():
        raise InputError(f"scale has {scale.min():g}; expected numbers above 0.")
    return StandardizedRows(rows, mean, scale)


def standardized_by(X: object, mean: object, scale: object) -> bool:
    """Whether X are rows that come standardized by these means and scales."""
    if not isinstance(X, StandardizedRows):
        return False
    return np.array_equal(X.mean, np.asarray(mean)) and np.array_equal(X.scale, np.asarray(scale))


def measured(rows: Rows, threads: int | None = None) -> Moments:
    """The moments of each input over all rows, read once.

    Leaves of rows and the tree that adds them depend on the numbers of rows and inputs alone: files,
    threads, memory and machines have no say in the bits.
    """
    fold = _MomentsFold(rows.n_inputs)
    found = rows.fold(fold, ranges_of(rows.n_rows), thread_count(threads), lambda: False)
    if rows.memory < rows.n_rows * rows.row_bytes:
        give_back()
    for state in found:
        if state.wrong is not None:
            raise named(rows, *state.wrong)
    total = reduce(Moments.merged, (state.tower.total for state in found))
    check_moments(total, rows.column)
    return total


def preprocessing_of(rows: StandardizedRows, network: Network) -> dict[str, Any]:
    """How the rows became inputs, as a model's file keeps it and ``glassnet predict`` reads it."""
    kind, outputs = network.loss.target, network.sizes[-1]
    classes = {"class": tuple(range(outputs)), "label": (0, 1)}.get(kind)
    names = rows.names or tuple(f"x{place + 1}" for place in range(rows.n_inputs))
    return Preprocessing(
        rows.target or "y",
        "regression" if classes is None else "classification",
        names,
        tuple(rows.mean.tolist()),
        tuple(rows.scale.tolist()),
        classes,
    ).to_dict()


@dataclass(frozen=True)
class _State:
    """Of a range: its tower, how many rows it has, and what is wrong with one."""

    row: int
    tower: Tower
    wrong: Wrong | None = None


class _MomentsFold(Fold):
    dtype = _DOUBLE

    def __init__(self, width: int) -> None:
        self.width = width
        self.block = leaf_rows(width)
        assert PACKED_ROWS % self.block == 0

    def worker(self) -> Worker:
        return _Measurer(self)


class _Measurer(Worker):
    """Gathers leaves, whose columns are contiguous whatever the blocks' layout."""

    def __init__(self, fold: _MomentsFold) -> None:
        self._leaf: NDArray[np.float64] = np.empty((fold.width, fold.block))
        self._count = 0

    def begin(self, state: Any, row: int) -> None:
        self._state = _State(row, Tower()) if state is None else state

    def take(self, block: Block) -> None:
        if self._state.wrong is not None:
            return
        wrong = check_block(None, block, self._state.row + self._count, _DOUBLE)
        if wrong is not None:
            self._state = _State(self._state.row, self._state.tower, wrong)
            return
        done, n = 0, len(block.X)
        while done < n:
            stop = min(n, done + self._leaf.shape[1] - self._count)
            self._leaf[:, self._count : self._count + stop - done] = block.X[done:stop].T
            self._count += stop - done
            done = stop
            if self._count == self._leaf.shape[1]:
                self._close()

    def _close(self) -> None:
        leaf = Moments.of(self._leaf[:, : self._count])
        self._state = _State(self._state.row + self._count, self._state.tower.with_leaf(leaf))
        self._count = 0

    def end(self) -> _State:
        if self._count and self._state.wrong is None:
            self._close()
        return self._state
