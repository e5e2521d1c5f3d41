"""How an engine divides rows that do not fit into memory, and the form in which it takes them."""

from __future__ import annotations

import platform
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet.data.checks import target_rows, with_class_weights
from glassnet.data.reduce import Block, Columns
from glassnet.engine.native_calls import describe
from glassnet.engine.records import Setup
from glassnet.errors import EngineError
from glassnet.utils.array_checks import as_target

_NUMPY_BLOCK = 4096

_ENTRIES = 1 << 20
"""Entries of all Gauss-Newton matrices that the NumPy engine sums separately."""


class Edge(NamedTuple):
    """A row of the Gauss-Newton matrix's sums, and the place where its sums begin."""

    row: int
    place: int


class Chunks:
    """A problem's n rows in chunks, each of `chunk` rows but the last, summed in blocks of `block` rows.

    For the native engine they are those of a `NativeProblem` of n samples, so that sums by chunk have the
    same bits. `labels` says whether targets are class numbers, `count` how many chunks the engine has, the
    last of which may be empty; `ranges` are their rows. `size` is the number of sums, one for each of the
    engine's parameters and the loss; over `curved` parameters the engine sums the Gauss-Newton matrix.
    """

    def __init__(self, setup: Setup, n: int, labels: bool, weighted: bool) -> None:
        self.setup, self.n, self.labels, self.weighted = setup, n, labels, weighted
        self.network, self.dtype, self.native = setup.network, setup.dtype, setup.engine == "native"
        if self.native:
            engine = self.empty
            self.block, self.chunk, self.count = engine.block_rows, engine.chunk_rows, engine.chunk_count
            self.size, self.curved = engine.sums_size, engine.curvature_parameters
        else:
            self.block, self.chunk = _NUMPY_BLOCK, -(-n // min(32, -(-n // 256)))
            self.count = -(-n // self.chunk)
            self.size, self.curved = setup.network.n_parameters + 1, setup.network.n_parameters
        self.ranges = [(start, min(start + self.chunk, n)) for start in range(0, n, self.chunk)]

    @property
    def matrix_ranges(self) -> list[tuple[int, int]]:
        """The rows of each Gauss-Newton matrix that is summed separately: whole chunks.

        There are so few of them that all matrices fit into memory.
        """
        if self.native:
            edges = self.empty.curvature_chunk_edges
        else:
            edges = [*range(self.count + 1)] if self.count * self.curved**2 <= _ENTRIES else [0, self.count]
        starts = [min(self.n, edge * self.chunk) for edge in edges]
        return [(start, stop) for start, stop in pairwise(starts) if start < stop]

    def matrix_edges(self, count: int) -> list[Edge]:
        """The edges of `count` runs of the matrix's sums, each about as long; NumPy has one run."""
        if self.native:
            return [Edge(*edge) for edge in self.empty.curvature_row_edges(count)]
        return [Edge(0, 0), Edge(self.curved, self.curved**2)]

    def matrix(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The Gauss-Newton matrix over the engine's parameters, from all of its sums."""
        if not self.native:
            return sums.reshape(self.curved, self.curved)
        assert native.module is not None
        G = np.zeros((self.curved, self.curved))
        self.empty.expand(sums, G)
        native.module.mirror(G)
        return G

    @cached_property
    def empty(self) -> Any:
        """A native buffer of one row, which knows the chunks."""
        return self.buffer(1)

    def buffer(self, rows: int) -> Any:
        """Room for so many of the rows, in the native engine's own order."""
        if native.module is None:  # on a worker of a cluster; the engine was chosen elsewhere
            raise EngineError(
                f"The native engine is not available on {platform.node()}: {native.reason}. Install "
                f'glassnet on each worker as it is here, or use engine="numpy".'
            )
        kind = (
            native.module.PartialProblem32 if self.dtype == np.float32 else native.module.PartialProblem64
        )
        return kind(**describe(self.network, rows, self.labels, self.weighted), whole=self.n)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "empty"}

    def targets(self, block: Block | Columns) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """A block's targets and weights as the engines take them, but for their precision."""
        network, class_weight = self.network, self.setup.class_weight
        y = as_target(block.y, len(block.y), network.sizes[-1], network.loss.target)
        if not self.labels and y.ndim == 1:  # other blocks have rows that are not one-hot
            y = target_rows(y, network.sizes[-1], self.dtype)
        return y, with_class_weights(block.w, class_weight, y)
