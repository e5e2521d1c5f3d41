"""The full batch of rows that are read anew for each pass."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import sum_in_order
from glassnet.data.scan import Scan
from glassnet.data.source import Dataset
from glassnet.engine import gauss_newton as second_order
from glassnet.engine.chunks import Layout
from glassnet.engine.full_batch import Descent, Problem
from glassnet.engine.sums import EachFold, GradientFold, HessianFold, ProductFold, SumFold, matrix_folds
from glassnet.engine.updates import Updates, native_rule, numpy_update
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network
from glassnet.optim import SGD, penalties
from glassnet.utils.interrupts import Cut
from glassnet.utils.memory import release_memory
from glassnet.utils.threads import thread_count


class StreamedProblem(Problem):
    """A network with rows that stay where they lie: each pass reads all of them, chunk by chunk.

    The chunks, and the order of every sum, are those of the native engine with all samples in memory, and
    so are the bits. With the NumPy engine they are the same from whatever source the rows come.
    """

    def __init__(
        self,
        network: Network,
        rows: Dataset,
        known: Scan,
        dtype: np.dtype[Any],
        reduction: str,
        engine: str,
        threads: int,
    ) -> None:
        dropout = (0.0,) * len(network.hidden)
        super().__init__(network, rows.n_rows, dtype, reduction, known.weight_sum, dropout)
        self.engine, self.threads = engine, threads
        self.rows, self.fingerprint = rows, known.fingerprint
        weighted = rows.weighted or known.class_weight is not None
        self._layout = Layout(
            network, rows.n_rows, dtype, known.labels, weighted, engine == "native", known.class_weight
        )
        self._is_weight = penalties.weight_mask(network.sizes)
        if engine == "native":
            self.isa: str = self._layout.empty.isa

    def _folded(self, fold: SumFold, ranges: Sequence[tuple[int, int]]) -> list[NDArray[np.float64]]:
        found = self.rows.reduce(fold, ranges, self.threads, self._is_cancelled)
        if self.rows.memory < self.n_samples * self.rows.row_bytes:
            release_memory()
        return found

    def _sums(self, flat: Array, slope: bool) -> NDArray[np.float64]:
        fold = GradientFold(self._layout, flat, self.conventions, slope)
        found = self._folded(fold, self._layout.ranges)
        return self._padded(found)

    def _padded(self, found: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Of all chunks, of which the last ones may be empty."""
        sums = np.zeros((self._layout.count, self._layout.size))
        sums[: len(found)] = found
        return sums

    def with_threads(self, threads: int | None) -> Problem:
        other = copy.copy(self)
        other.threads = thread_count(threads)
        return other

    def _is_cancelled(self) -> bool:
        return self.stop is not None and bool(self.stop[0])

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        flat = self._as_flat(flat)
        gradient = np.empty_like(flat)
        return self._finish(flat, self._sums(flat, True), gradient), gradient

    def loss(self, flat: Array) -> float:
        flat = self._as_flat(flat)
        return self._finish(flat, self._sums(flat, False), None)

    def _finish(self, flat: Array, sums: NDArray[np.float64], gradient: Array | None) -> float:
        if self.engine == "native":
            rule = native_rule(SGD(), self.penalties, 0.0, self.conventions)
            return float(self._layout.empty.finish(flat, sums, gradient, rule, self.divisor))
        total = sum_in_order([*sums])
        loss, penalized = float(total[-1] / self.divisor), self.penalties
        added, slope = penalties.penalty(flat, self._is_weight, penalized.l1, penalized.l2)
        if gradient is not None:
            gradient[:] = (total[:-1] / self.divisor).astype(flat.dtype) + slope
        return loss + added

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        layout = self._layout
        if vector is not None:
            product = sum_in_order(self._folded(ProductFold(layout, flat, vector), layout.ranges))
            return second_order.of_network(product, flat.size)
        slots = layout.slots
        # Where there are fewer slots than threads, or than a cluster's, each is shared out.
        shares = -(-self.rows.cluster_threads() // len(slots))
        threads = 1 if shares > 1 else max(1, self.threads // len(slots))
        folds = matrix_folds(layout, flat, shares, threads)
        with ThreadPoolExecutor(len(folds), "glassnet") as pool:
            found = [*pool.map(lambda fold: sum_in_order(self._folded(fold, slots)), folds)]
        sums = found[0] if len(found) == 1 else np.concatenate(found)
        return second_order.of_network(layout.matrix(sums), flat.size)

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.engine == "native":
            return super()._hessian(flat, vectors)
        return sum_in_order(self._folded(HessianFold(self._layout, flat, vectors), self._layout.ranges))

    def _gradients(self, points: NDArray[Any]) -> NDArray[Any]:
        layout = self._layout
        folds = tuple(GradientFold(layout, flat, self.conventions) for flat in points)
        found = self._folded(EachFold(layout, points[0], folds), layout.ranges)
        gradients = np.empty_like(points)
        for k, (flat, gradient) in enumerate(zip(points, gradients, strict=True)):
            self._finish(flat, self._padded([sums[k] for sums in found]), gradient)
        return gradients

    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        end, stop = time.monotonic() + updates.seconds, updates.stop
        self.stop = stop
        try:
            for k in range(len(losses)):
                theta, moved = self._updated(updates, k, flat, state, gradient)
                try:
                    loss, g = self.loss_and_gradient(theta)
                except Cut:
                    return Descent(k, diverged=False)
                except Exception:
                    if k == 0:
                        raise
                    return Descent(k, diverged=False)  # updates made so far count; the next call raises
                if not loss <= updates.limit:
                    return Descent(k, diverged=True)
                flat[:], state[:], gradient[:], losses[k] = theta, moved, g, loss
                if stop[0] or time.monotonic() >= end:
                    return Descent(k + 1, diverged=False)
            return Descent(len(losses), diverged=False)
        finally:
            self.stop = None

    def _updated(
        self, updates: Updates, k: int, flat: Array, state: Array, gradient: Array
    ) -> tuple[Array, Array]:
        """The new parameters and state after update k, by the engine's own arithmetic."""
        if self.engine == "numpy":
            return numpy_update(self.network, self.penalties, updates, k, (flat, state, gradient))
        theta, moved = flat.copy(), state.copy()
        rule = native_rule(updates.optimizer, self.penalties, updates.average)
        # Clips the gradient in place.
        self._layout.empty.update(theta, moved, gradient.copy(), rule, updates.rate(k), updates.first + k)
        return theta, moved
