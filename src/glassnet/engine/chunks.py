"""How an engine cuts rows that do not fit into memory, and what it takes them as."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet.data.checks import target_rows
from glassnet.data.reduce import Block, Columns
from glassnet.errors import EngineError
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_target

_NUMPY_BLOCK = 4096

_APART = 1 << 20
"""Entries of all matrices that the NumPy engine sums apart."""


class Share(NamedTuple):
    """A row of the sums that the Gauss-Newton matrix is made of, and the place where it begins."""

    row: int
    place: int


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
    def curved(self) -> int:
        """The parameters that the Gauss-Newton matrix is summed of: the engine's."""
        return int(self.empty.curvature_parameters) if self.native else self.network.n_parameters

    def shares(self, count: int) -> list[Share]:
        """Where so many shares of the matrix's sums begin, and where the last one ends.

        Each is of about as many sums; the NumPy engine has one.
        """
        if self.native:
            return [Share(*edge) for edge in self.empty.curvature_shares(count)]
        return [Share(0, 0), Share(self.curved, self.curved**2)]

    def matrix(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The Gauss-Newton matrix over the engine's parameters, from all of its sums."""
        if not self.native:
            return sums.reshape(self.curved, self.curved)
        assert native.module is not None
        G = np.zeros((self.curved, self.curved))
        self.empty.expand(sums, G)
        native.module.mirror(G)
        return G

    @property
    def slots(self) -> list[tuple[int, int]]:
        """The rows of each Gauss-Newton matrix that is summed apart: whole chunks, so few that all fit."""
        if self.native:
            edges = self.empty.curvature_slots
        else:
            edges = [*range(self.count + 1)] if self.count * self.curved**2 <= _APART else [0, self.count]
        starts = [min(self.n, edge * self.chunk) for edge in edges]
        return [(start, stop) for start, stop in pairwise(starts) if start < stop]

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

    def targets(self, block: Block | Columns) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """A block's targets and weights as the engines take them, but for their precision."""
        network = self.network
        y = as_target(block.y, len(block.y), network.sizes[-1], network.loss.target)
        if not self.labels and y.ndim == 1:  # others are no one-hot rows
            y = target_rows(y, network.sizes[-1], self.dtype)
        w = block.w
        if self.each is not None:
            each = np.array(self.each)
            w = each[y] if w is None else w * each[y]
        return y, w
