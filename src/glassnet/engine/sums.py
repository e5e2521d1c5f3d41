"""What is summed over a range of rows, by either engine: losses, gradients, curvature."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.data.reduce import Block, Columns, Reduction, Worker
from glassnet.engine import gauss_newton as second_order
from glassnet.engine.chunks import Layout, Share
from glassnet.engine.numpy_ops import numpy_pass
from glassnet.engine.updates import native_rule
from glassnet.optim import SGD, penalties
from glassnet.optim.loss_conventions import Conventions
from glassnet.optim.penalties import Penalties

Samples = tuple[Array, Array, Array | None]
"""X, Y and weights of a block, as the NumPy engine takes them."""


@dataclass(frozen=True, eq=False)
class SumFold(Reduction):
    """Sums of `shape`, at flat parameters."""

    layout: Layout
    flat: Array
    block: int = field(init=False)
    room_bytes: ClassVar[int] = 256 << 10
    """What is packed at a time: little enough to be in a core's cache still where it is summed."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", self.layout.block)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.layout.dtype

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """That of the sums."""

    @abstractmethod
    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        """Add what the NumPy engine makes of a block."""

    def worker(self) -> Worker:
        return _NumpySums(self)


@dataclass(frozen=True, eq=False)
class EngineFold(SumFold):
    """Sums that either engine makes: the layout's."""

    @property
    def by_column(self) -> bool:  # type: ignore[override]  # read only
        return self.layout.native

    @abstractmethod
    def add_native(self, part: Any, sums: NDArray[np.float64], rows: int) -> None:
        """Add what the native engine makes of the first rows that are packed."""

    def worker(self) -> Worker:
        return _NativeSums(self) if self.layout.native else super().worker()


@dataclass(frozen=True, eq=False)
class GradientFold(EngineFold):
    """The gradient of the summed loss and, behind it, the loss; without `slope` the loss alone."""

    conventions: Conventions
    slope: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.layout.size,)

    def add_native(self, part: Any, sums: NDArray[np.float64], rows: int) -> None:
        rule = native_rule(SGD(), Penalties(), 0.0, self.conventions)
        part.add(self.flat, sums, rows, rule, self.slope)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        network, (X, Y, w) = self.layout.network, samples
        is_weight = penalties.weight_mask(network.sizes)
        how = 1.0, Penalties(), is_weight, None, self.conventions
        loss, gradient = numpy_pass(network, X, Y, w, self.flat, *how)
        sums[:-1] += gradient
        sums[-1] += loss


@dataclass(frozen=True, eq=False)
class EachFold(EngineFold):
    """The sums of several folds, a row each: all of them in one pass."""

    folds: tuple[EngineFold, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.folds), *self.folds[0].shape

    def add_native(self, part: Any, sums: NDArray[np.float64], rows: int) -> None:
        for fold, own in zip(self.folds, sums, strict=True):
            fold.add_native(part, own, rows)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        for fold, own in zip(self.folds, sums, strict=True):
            fold.add_numpy(samples, own)


@dataclass(frozen=True, eq=False)
class HessianFold(SumFold):
    """The exact Hessian times each row of `vectors`; the native engine takes differences of gradients."""

    vectors: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.vectors.shape

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        sums += second_order.numpy_hessian(self.layout.network, samples, self.flat, self.vectors)


@dataclass(frozen=True, eq=False)
class ProductFold(EngineFold):
    """The Gauss-Newton matrix times a vector."""

    vector: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.layout.curved,)

    def add_native(self, part: Any, sums: NDArray[np.float64], rows: int) -> None:
        part.add_gauss_newton_product(self.flat, self.vector, sums, rows)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        X, _, w = samples
        sums += second_order.numpy_curvature(self.layout.network, X, w, self.flat, self.vector)


@dataclass(frozen=True, eq=False)
class MatrixFold(EngineFold):
    """The share from `begin` to `end` of what the Gauss-Newton matrix is made of; see `Layout.shares`."""

    begin: Share
    end: Share
    threads: int
    room_bytes: ClassVar[int] = 1 << 20  # which its threads share

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.end.place - self.begin.place,)

    def add_native(self, part: Any, sums: NDArray[np.float64], rows: int) -> None:
        part.add_gauss_newton(self.flat, sums, rows, self.begin.row, self.end.row, self.threads)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        X, _, w = samples
        sums += second_order.numpy_curvature(self.layout.network, X, w, self.flat, None).ravel()


def matrix_folds(layout: Layout, flat: Array, count: int, threads: int) -> list[MatrixFold]:
    """All of it, in so many shares at most."""
    edges = pairwise(layout.shares(count))
    return [MatrixFold(layout, flat, begin, end, threads) for begin, end in edges if begin.row < end.row]


class _NativeSums(Worker):
    def __init__(self, fold: EngineFold) -> None:
        layout, self._fold = fold.layout, fold
        row = layout.dtype.itemsize * (layout.network.sizes[0] + layout.network.sizes[-1] + 1)
        blocks = max(1, fold.room_bytes // row // layout.block)
        self._room = min(blocks * layout.block, -(-layout.n // layout.block) * layout.block)
        self._part = layout.part(min(self._room, layout.n))
        self._filled = 0

    def begin(self, state: Any, row: int) -> None:
        self._sums = np.zeros(self._fold.shape) if state is None else state.copy()

    def take(self, block: Block | Columns) -> None:
        y, w = self._fold.layout.targets(block)
        dtype, done = self._fold.layout.dtype, 0
        y = np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)
        w = None if w is None else np.ascontiguousarray(w, dtype)
        X = [*block.X] if isinstance(block, Columns) else block.X
        if not isinstance(X, list) and X.strides[0] == X.itemsize:
            X = [*X.T]
        while done < len(y):
            some = slice(done, min(len(y), done + self._room - self._filled))
            weights = None if w is None else w[some]
            if isinstance(X, list):
                self._part.put_columns(self._filled, X, done, y[some], weights)
            else:
                self._part.put(self._filled, np.ascontiguousarray(X[some]), y[some], weights)
            self._filled += some.stop - done
            done = some.stop
            if self._filled == self._room:
                self._add()

    def _add(self) -> None:
        self._fold.add_native(self._part, self._sums, self._filled)
        self._filled = 0

    def end(self) -> NDArray[np.float64]:
        if self._filled:
            self._add()
        return self._sums


class _NumpySums(Worker):
    """The reference, block by block; a block's rows are gathered where they come in other pieces."""

    def __init__(self, fold: SumFold) -> None:
        self._fold, self._rows = fold, fold.layout.block
        self._held: list[Block] = []
        self._count = 0

    def begin(self, state: Any, row: int) -> None:
        self._sums = np.zeros(self._fold.shape) if state is None else state.copy()

    def take(self, block: Block) -> None:
        done = 0
        while done < len(block.X):
            stop = min(len(block.X), done + self._rows - self._count)
            self._held.append(block.rows(done, stop))
            self._count += stop - done
            done = stop
            if self._count == self._rows:
                self._add()

    def _add(self) -> None:
        layout = self._fold.layout
        whole = Block(*(None if p[0] is None else np.concatenate(p) for p in zip(*self._held, strict=True)))  # type: ignore[arg-type]
        y, w = layout.targets(whole)
        X = np.ascontiguousarray(whole.X)
        Y = target_rows(y, layout.network.sizes[-1], layout.dtype)
        weights = None if w is None else w.astype(layout.dtype)
        self._fold.add_numpy((X, Y, weights), self._sums)
        self._held, self._count = [], 0

    def end(self) -> NDArray[np.float64]:
        if self._count:
            self._add()
        return self._sums
