"""The full batch of rows that are read anew for each pass."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import sum_in_order
from glassnet.data.scan import Scan
from glassnet.data.source import Dataset
from glassnet.engine import gauss_newton
from glassnet.engine.chunks import Chunks
from glassnet.engine.full_batch import Problem
from glassnet.engine.native_calls import Rules
from glassnet.engine.records import Setup, Updates
from glassnet.engine.sums import GradientSums, HessianSums, ProductSums, StackedSums, Sums, matrix_sums
from glassnet.nn.dropout import Masks
from glassnet.optim import penalties


class StreamedProblem(Problem):
    """A network with rows that stay where they lie: each pass reads all of them, chunk by chunk.

    The chunks, and the order of every sum, are those of the native engine with all samples in memory, and
    so are the bits. With the NumPy engine they are the same from whatever source the rows come.
    """

    def __init__(self, setup: Setup, rows: Dataset, scan: Scan) -> None:
        super().__init__(setup, rows.n_rows, scan.summary, scan.weight_sum, scan.baseline)
        self.rows, self.fingerprint, self.memory_limit = rows, scan.fingerprint, rows.memory_limit
        weighted = rows.weighted or setup.class_weight is not None
        self._chunks = Chunks(setup, rows.n_rows, scan.labels, weighted)
        self._stop: NDArray[np.uint8] | None = None
        if setup.engine == "native":
            self.isa: str = self._chunks.empty.isa

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self._rules = Rules(setup) if setup.engine == "native" else None

    def with_stop(self, stop: NDArray[np.uint8]) -> StreamedProblem:
        other = copy(self)
        other._stop = stop
        return other

    def _reduced(self, sums: Sums, ranges: Sequence[tuple[int, int]]) -> list[NDArray[np.float64]]:
        return self.rows.reduce(sums, ranges, self.threads, self._is_cancelled)

    def _is_cancelled(self) -> bool:
        return self._stop is not None and bool(self._stop[0])

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        flat = self._as_flat(flat)
        gradient = np.empty_like(flat)
        return self._finish(flat, self._sums(flat, True), gradient), gradient

    def loss(self, flat: Array) -> float:
        flat = self._as_flat(flat)
        return self._finish(flat, self._sums(flat, False), None)

    def _sums(self, flat: Array, slope: bool) -> list[NDArray[np.float64]]:
        return self._reduced(GradientSums(self._chunks, flat, self.conventions, slope), self._chunks.ranges)

    def _finish(self, flat: Array, sums: list[NDArray[np.float64]], gradient: Array | None) -> float:
        """The loss of all chunks' sums; writes the gradient."""
        chunks = self._chunks
        by_chunk = np.zeros((chunks.count, chunks.size))  # the engine's last chunks may be empty
        by_chunk[: len(sums)] = sums
        if self._rules is not None:
            return float(chunks.empty.finish(flat, by_chunk, gradient, self._rules.of_loss, self.divisor))
        total = sum_in_order([*by_chunk])
        is_weight = penalties.weight_mask(self.network.sizes)
        added, slope = penalties.penalty(flat, is_weight, self.penalties.l1, self.penalties.l2)
        if gradient is not None:
            gradient[:] = (total[:-1] / self.divisor).astype(flat.dtype) + slope
        return float(total[-1] / self.divisor) + added

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        chunks = self._chunks
        if vector is not None:
            product = sum_in_order(self._reduced(ProductSums(chunks, flat, vector), chunks.ranges))
            return gauss_newton.of_network(product, flat.size)
        ranges = chunks.matrix_ranges
        # Where there are fewer ranges than threads of the cluster, each pass sums a run of the matrix.
        runs = -(-self.rows.cluster_threads() // len(ranges))
        threads = 1 if runs > 1 else max(1, self.threads // len(ranges))
        passes = matrix_sums(chunks, flat, runs, threads)
        with ThreadPoolExecutor(len(passes), "glassnet") as pool:
            sums = [*pool.map(lambda run: sum_in_order(self._reduced(run, ranges)), passes)]
        matrix = chunks.matrix(sums[0] if len(sums) == 1 else np.concatenate(sums))
        return gauss_newton.of_network(matrix, flat.size)

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.engine == "native":
            return super()._hessian(flat, vectors)
        return sum_in_order(self._reduced(HessianSums(self._chunks, flat, vectors), self._chunks.ranges))

    def _gradients(self, points: NDArray[Any]) -> NDArray[Any]:
        chunks = self._chunks
        members = tuple(GradientSums(chunks, flat, self.conventions) for flat in points)
        reduced = self._reduced(StackedSums(chunks, points[0], members), chunks.ranges)
        gradients = np.empty_like(points)
        for k, (flat, gradient) in enumerate(zip(points, gradients, strict=True)):
            self._finish(flat, [sums[k] for sums in reduced], gradient)
        return gradients

    def _updated(
        self, updates: Updates, k: int, flat: Array, state: Array, gradient: Array
    ) -> tuple[Array, Array]:
        if self._rules is None:
            return super()._updated(updates, k, flat, state, gradient)
        theta, moved, rule = flat.copy(), state.copy(), self._rules.of(updates.optimizer, updates.average)
        # It clips the gradient in place.
        self._chunks.empty.update(theta, moved, gradient.copy(), rule, updates.rate(k), updates.first + k)
        return theta, moved
