"""Floor 5: the sums of losses and gradients over a range of rows, by either engine."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import native, penalties
from glassnet.activations import Array
from glassnet.arrays import as_target
from glassnet.conventions import Conventions
from glassnet.data import target_rows
from glassnet.errors import EngineError
from glassnet.network import Network
from glassnet.optimizers import SGD
from glassnet.optimizers.compiled import native_rule
from glassnet.passes import numpy_pass
from glassnet.penalties import Penalties
from glassnet.streams.lanes import Fold, Worker
from glassnet.streams.rows import BLOCK_BYTES, Block

_NUMPY_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Layout:
    """How a network's engine cuts n rows: into chunks of `chunk` rows, summed in blocks of `block`.

    For the native engine they are those of a `NativeProblem` of n samples, so that sums by chunk have the
    bits of its own.
    """

    network: Network
    n: int
    dtype: np.dtype[Any]
    labels: bool
    """Whether targets are class numbers."""
    weighted: bool
    native: bool
    each: tuple[float, ...] | None = None
    """The weight of each class."""

    @property
    def block(self) -> int:
        """The rows of a block."""
        return int(self.empty.block_rows) if self.native else _NUMPY_BLOCK

    @property
    def chunk(self) -> int:
        """The rows of a chunk; the last one may have fewer."""
        if self.native:
            return int(self.empty.chunk_rows)
        count = min(32, -(-self.n // 256))
        return -(-self.n // count)

    @property
    def count(self) -> int:
        """The engine's number of chunks, the last of which may be empty."""
        return int(self.empty.chunk_count) if self.native else len(self.ranges)

    @property
    def size(self) -> int:
        """How many sums there are: of each of the engine's parameters, and of the loss."""
        return int(self.empty.sums_size) if self.native else self.network.n_parameters + 1

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The chunks' rows."""
        return [(start, min(start + self.chunk, self.n)) for start in range(0, self.n, self.chunk)]

    @cached_property
    def empty(self) -> Any:
        """A native part of one row, which knows the layout."""
        return self.part(1)

    def part(self, rows: int) -> Any:
        """Room for so many of the rows, in the native engine's own order."""
        if native.module is None:  # on a worker, which is not where the engine was chosen
            raise EngineError(
                f"The native engine is not available on {platform.node()}: {native.reason}. Install "
                f'glassnet on each worker as it is here, or use engine="numpy".'
            )
        network = self.network
        kind = native.module.Part32 if self.dtype == np.float32 else native.module.Part64
        return kind(
            sizes=network.sizes,
            hidden=[record.name for record in network.hidden],
            loss=network.loss.name,
            n_samples=rows,
            labels=self.labels,
            weighted=self.weighted,
            isa=native.forced_isa(),
            loss_setting=next(iter(network.loss.settings.values()), 0.0),
            whole=self.n,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "empty"}

    def targets(self, block: Block) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """A block's targets and weights as the engines take them, but for their precision."""
        network = self.network
        y = as_target(block.y, len(block.X), network.sizes[-1], network.loss.target)
        if not self.labels and y.ndim == 1:  # others are no one-hot rows
            y = target_rows(y, network.sizes[-1], self.dtype)
        w = block.w
        if self.each is not None:
            each = np.array(self.each)
            w = each[y] if w is None else w * each[y]
        return y, w


@dataclass(frozen=True, eq=False)
class GradientFold(Fold):
    """The gradient of the summed loss and, behind it, the loss; without `slope` the loss alone."""

    layout: Layout
    flat: Array
    conventions: Conventions
    slope: bool = True
    block: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", self.layout.block)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.layout.dtype

    def worker(self) -> Worker:
        return _NativeSums(self) if self.layout.native else _NumpySums(self)


class _NativeSums(Worker):
    def __init__(self, fold: GradientFold) -> None:
        layout, self._fold = fold.layout, fold
        row = layout.dtype.itemsize * (layout.network.sizes[0] + layout.network.sizes[-1] + 1)
        blocks = max(1, BLOCK_BYTES // 4 // row // layout.block)
        self._room = min(blocks * layout.block, -(-layout.n // layout.block) * layout.block)
        self._part = layout.part(min(self._room, layout.n))
        self._rule = native_rule(SGD(), Penalties(), 0.0, fold.conventions)
        self._filled = 0

    def begin(self, state: Any, row: int) -> None:
        self._sums = np.zeros(self._fold.layout.size) if state is None else state.copy()

    def take(self, block: Block) -> None:
        y, w = self._fold.layout.targets(block)
        dtype, done = self._fold.layout.dtype, 0
        y = np.ascontiguousarray(y, np.int64 if y.ndim == 1 else dtype)
        w = None if w is None else np.ascontiguousarray(w, dtype)
        while done < len(y):
            some = slice(done, min(len(y), done + self._room - self._filled))
            X, weights = block.X[some], None if w is None else w[some]
            if (
                X.strides[0] == X.itemsize and X.strides[1] >= X.nbytes // X.shape[1]
            ):  # columns lie together
                self._part.put_columns(self._filled, X.T, y[some], weights)
            else:
                self._part.put(self._filled, np.ascontiguousarray(X), y[some], weights)
            self._filled += some.stop - done
            done = some.stop
            if self._filled == self._room:
                self._add()

    def _add(self) -> None:
        self._part.add(self._fold.flat, self._sums, self._filled, self._rule, self._fold.slope)
        self._filled = 0

    def end(self) -> NDArray[np.float64]:
        if self._filled:
            self._add()
        return self._sums


class _NumpySums(Worker):
    """The reference, block by block; a block's rows are gathered where they come in other pieces."""

    def __init__(self, fold: GradientFold) -> None:
        self._fold, self._rows = fold, fold.layout.block
        self._is_weight = penalties.weight_mask(fold.layout.network.sizes)
        self._held: list[Block] = []
        self._count = 0

    def begin(self, state: Any, row: int) -> None:
        self._sums = np.zeros(self._fold.layout.size) if state is None else state.copy()

    def take(self, block: Block) -> None:
        done = 0
        while done < len(block.X):
            stop = min(len(block.X), done + self._rows - self._count)
            self._held.append(block.part(done, stop))
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
        how = 1.0, Penalties(), self._is_weight, None, self._fold.conventions
        loss, gradient = numpy_pass(layout.network, X, Y, weights, self._fold.flat, *how)
        self._sums[:-1] += gradient
        self._sums[-1] += loss
        self._held, self._count = [], 0

    def end(self) -> NDArray[np.float64]:
        if self._count:
            self._add()
        return self._sums
