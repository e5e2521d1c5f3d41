"""Sums over a range of rows, by either engine: losses, gradients, curvature."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.data.reduce import Block, Columns, Reduction, State
from glassnet.engine import gauss_newton
from glassnet.engine.chunks import Chunks, Edge
from glassnet.engine.native_calls import native_rule
from glassnet.engine.numpy_ops import NumpyLoss, Samples
from glassnet.optim import SGD
from glassnet.optim.loss_conventions import Conventions
from glassnet.optim.penalties import Penalties


@dataclass(eq=False)
class Sums(Reduction):
    """Sums over a range of rows at flat parameters; a range is one chunk or several."""

    chunks: Chunks
    flat: Array
    room_bytes: ClassVar[int] = 256 << 10
    """The bytes that are packed at a time: they stay in a core's cache until they are summed."""

    def __post_init__(self) -> None:
        chunks = self.chunks
        self.block, self.dtype, self.by_column = chunks.block, chunks.dtype, chunks.native
        self._buffer: Any = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of the sums."""

    @abstractmethod
    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        """Add the sums of the buffer's first rows, by the native engine."""

    @abstractmethod
    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        """Add the sums of a block, by the NumPy engine."""

    def begin(self, state: State) -> None:
        super().begin(state._replace(value=np.zeros(self.shape)) if state.value is None else state)
        chunks = self.chunks
        if chunks.native and self._buffer is None:
            row = chunks.dtype.itemsize * (chunks.network.sizes[0] + chunks.network.sizes[-1] + 1)
            blocks = max(1, self.room_bytes // row // chunks.block)
            self._room = min(blocks * chunks.block, -(-chunks.n // chunks.block) * chunks.block)
            self._buffer = chunks.buffer(min(self._room, chunks.n))

    def _take(self, block: Block | Columns) -> None:
        if not self.chunks.native:
            super()._take(block)
            return
        y, w = self.chunks.targets(block)
        dtype, done = self.chunks.dtype, 0
        y = np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)
        w = None if w is None else np.ascontiguousarray(w, dtype)
        X = [*block.X] if isinstance(block, Columns) else block.X
        if not isinstance(X, list) and X.strides[0] == X.itemsize:
            X = [*X.T]
        while done < len(y):
            some = slice(done, min(len(y), done + self._room - self._count))
            weights = None if w is None else w[some]
            if isinstance(X, list):
                self._buffer.put_columns(self._count, X, done, y[some], weights)
            else:
                self._buffer.put(self._count, np.ascontiguousarray(X[some]), y[some], weights)
            self._count += some.stop - done
            done = some.stop
            if self._count == self._room:
                self._close()

    def keep(self, block: Block, first: int) -> Block:
        return block

    def add(self, value: NDArray[np.float64], kept: list[Block], first: int) -> NDArray[np.float64]:
        if self.chunks.native:
            self.add_native(self._buffer, value, self._count)
            return value
        chunks, block = self.chunks, Block.concatenated(kept)
        y, w = chunks.targets(block)
        Y = target_rows(y, chunks.network.sizes[-1], chunks.dtype)
        weights = None if w is None else w.astype(chunks.dtype)
        self.add_numpy((np.ascontiguousarray(block.X), Y, weights), value)
        return value


@dataclass(eq=False)
class GradientSums(Sums):
    """The gradient of the summed loss and, behind it, the loss; without `slope` the loss alone."""

    conventions: Conventions
    slope: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.chunks.size,)

    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        rule = native_rule(SGD(), Penalties(), 0.0, self.conventions)
        buffer.add(self.flat, sums, n, rule, self.slope)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        loss = NumpyLoss(self.chunks.network, conventions=self.conventions)
        value, gradient = loss.value_and_gradient(samples, self.flat)
        sums[:-1] += gradient
        sums[-1] += value


@dataclass(eq=False)
class StackedSums(Sums):
    """Several sums, a row each, in one pass."""

    members: tuple[Sums, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.members), *self.members[0].shape

    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        for member, row in zip(self.members, sums, strict=True):
            member.add_native(buffer, row, n)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        for member, row in zip(self.members, sums, strict=True):
            member.add_numpy(samples, row)


@dataclass(eq=False)
class HessianSums(Sums):
    """The exact Hessian times each row of `vectors`, by the NumPy engine alone."""

    vectors: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.vectors.shape

    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        raise AssertionError("the native engine takes differences of gradients")

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        sums += gauss_newton.numpy_hessian(self.chunks.network, samples, self.flat, self.vectors)


@dataclass(eq=False)
class ProductSums(Sums):
    """The Gauss-Newton matrix times a vector."""

    vector: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.chunks.curved,)

    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        buffer.add_gauss_newton_product(self.flat, self.vector, sums, n)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        sums += gauss_newton.numpy_curvature(self.chunks.network, samples, self.flat, self.vector)


@dataclass(eq=False)
class MatrixSums(Sums):
    """The sums of the Gauss-Newton matrix between two edges; see `Chunks.matrix_edges`."""

    lower: Edge
    upper: Edge
    threads: int
    room_bytes: ClassVar[int] = 1 << 20  # for all of its threads

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.upper.place - self.lower.place,)

    def add_native(self, buffer: Any, sums: NDArray[np.float64], n: int) -> None:
        buffer.add_gauss_newton(self.flat, sums, n, self.lower.row, self.upper.row, self.threads)

    def add_numpy(self, samples: Samples, sums: NDArray[np.float64]) -> None:
        sums += gauss_newton.numpy_curvature(self.chunks.network, samples, self.flat, None).ravel()


def matrix_sums(chunks: Chunks, flat: Array, count: int, threads: int) -> list[MatrixSums]:
    """All sums of the Gauss-Newton matrix, in at most `count` runs."""
    edges = pairwise(chunks.matrix_edges(count))
    return [MatrixSums(chunks, flat, *pair, threads) for pair in edges if pair[0].row < pair[1].row]
