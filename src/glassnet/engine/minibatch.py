"""Training on batches: a network with its samples, whole epochs per call, by either engine."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import Summary, same_data, target_rows
from glassnet.data.reduce import Block
from glassnet.engine.native_calls import Rules, count_written, native_masks, pack
from glassnet.engine.numpy_ops import NumpyLoss, numpy_update
from glassnet.engine.records import Prepared, Setup, Updates
from glassnet.errors import InputError
from glassnet.nn import reference
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Parameters
from glassnet.utils.array_checks import cast

FEW = 1024
"""The largest number of samples whose loss stands for the loss before the first update."""


@dataclass(eq=False)
class Cursor:
    """The place of training on batches, beside the parameters and the optimizer's state.

    Each epoch begins by shuffling `order`, the samples' numbers, in place by ``random.shuffle``: the
    orders are those of scikit-learn's stochastic solvers from the same stream. Within an epoch `row`
    samples are done, and `loss` is the sum of their batches' losses, each times its samples. A loss of a
    batch above `limit` has diverged; training then goes back to the parameters in `good`.

    For streamed data `layout` has the rows of a window and the number of row groups, and `seed` makes this
    epoch's order again; there is no `order`.
    """

    limit: float
    fingerprint: tuple[float, ...]
    order: NDArray[np.uint32] | None = None
    random: RandomState | None = None
    row: int = 0
    loss: float = 0.0
    good: Array | None = None
    layout: tuple[int, int] = (0, 0)
    seed: int = 0
    _lent: Any = field(default=None, init=False, repr=False)  # see `lend`

    def lend(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]] | None:
        """The Mersenne Twister's 624 numbers and the count of those used, for draws in place; or None.

        NumPy takes longer to copy them than a small network takes for an epoch, so `random` itself is not
        updated until `settle`.
        """
        if self._lent is None and self.random is not None:
            state: Any = self.random.get_state(legacy=False)
            if state["bit_generator"] == "MT19937":
                self._lent = state, np.array([state["state"]["pos"]], np.int64)
        return None if self._lent is None else (self._lent[0]["state"]["key"], self._lent[1])

    def settle(self) -> None:
        """Move `random` on by the draws that were made in place."""
        if self._lent is not None and self.random is not None:
            state, used = self._lent
            state["state"]["pos"] = int(used[0])
            self.random.set_state(state)
            self._lent = None

    def fits(self, fingerprint: tuple[float, ...]) -> bool:
        """Whether the fingerprint is that of the data that this cursor was made for."""
        return same_data(self.fingerprint, fingerprint)

    def check_layout(self, layout: tuple[int, int]) -> None:
        """Raise InputError for data in other windows, whose order would differ."""
        if layout != self.layout:
            (window, groups), (other, other_groups) = self.layout, layout
            raise InputError(
                f"This run's batches were drawn from {_windows(window, groups)}, but these data come "
                f"in {_windows(other, other_groups)}: their order would differ. Give the data from the "
                f"same source and with the same memory, as gn.stream(..., memory=...) had it."
            )

    def copy(self) -> Cursor:
        """A copy that shares no memory."""
        self.settle()
        order = None if self.order is None else self.order.copy()
        return replace(self, order=order, random=deepcopy(self.random), good=deepcopy(self.good))


def _windows(rows: int, groups: int) -> str:
    return f"windows of {rows:,} rows over {groups:,} row groups" if rows else "memory"


class EpochsDone(NamedTuple):
    """How far a call of `Batches.train` came: epochs ended, updates made, and whether a loss diverged.

    `error` cut the call short: see `Descent`.
    """

    epochs: int
    updates: int
    diverged: bool
    error: BaseException | None = None


class Batches(Prepared, ABC):
    """A network with its samples, checked, to train on a batch at a time.

    Attributes as a `Problem`'s, and `batch_size`, at most the number of samples; `baseline` is that
    of a batch. `fingerprint` recognizes the data, and `weight_sum` is that of all samples.
    """

    layout = (0, 0)
    """See `Cursor`."""

    def __init__(
        self,
        setup: Setup,
        samples: Block,
        summary: Summary,
        batch_size: int,
        baseline: float = 0.0,
        fingerprint: tuple[float, ...] = (),
        n_samples: int | None = None,
    ) -> None:
        """`samples` hold all samples, or the first of `n_samples` streamed ones."""
        super().__init__(setup, samples.X.shape[0] if n_samples is None else n_samples, summary)
        self.batch_size, self.baseline, self.fingerprint = batch_size, baseline, fingerprint
        (X, y, w), few = samples, slice(0, min(batch_size, FEW))
        self.weight_sum = float(self.n_samples if w is None else w.sum(dtype=np.float64))
        w = None if w is None else w[few].astype(self.dtype)
        self._first = X[few].astype(self.dtype), target_rows(y[few], self.network.sizes[-1], self.dtype), w
        self._hold(samples)

    def _hold(self, samples: Block) -> None:
        """Take the samples as the engine needs them."""

    @property
    def updates_per_epoch(self) -> int:
        """The batches of an epoch, the last of which may be short."""
        return -(-self.n_samples // self.batch_size)

    def first_loss(self, flat: Array) -> float:
        """The loss of a batch at the parameters, from the data's first samples."""
        X, Y, w = self._first
        theta = Parameters(self.network.sizes, flat)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, self.network.hidden)
            loss = reference.loss(Zs[-1], Y, self.network.loss, w)
        total = (float(len(X)) if w is None else float(w.sum(dtype=np.float64))) or 1.0
        return loss / total * (1.0 if self.reduction == "mean" else self.batch_size)

    def begin(self, random: RandomState | None, limit: float) -> Cursor:
        """The cursor before the first epoch; with None every epoch takes the samples in their order."""
        order = None if random is None else np.arange(self.n_samples, dtype=np.uint32)
        return Cursor(limit, self.fingerprint, order, random)

    def train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        """Up to ``len(losses)`` epochs from the place of `cursor`; changes arrays and cursor in place.

        Returns early, within an epoch as well, when the seconds are over, ``stop[0]`` is set, or the rates
        (one for each update, or one for all) are used up. An epoch's entry in `losses` is the mean of
        its batches' losses, weighted by their samples. `cursor.good` keeps the parameters at the beginning
        of the last epoch whose first batch did not diverge, and with an average the mean behind them: where
        a loss is above the limit, or a parameter is not finite at an epoch's end, `flat` returns to them,
        and `cursor` stays where that was seen. At row 0 the last update of the epoch before has diverged,
        and `cursor.good` is from that epoch. Raises InputError where units are dropped without masks.
        """
        self.check_masks(updates.masks)
        if cursor.good is None:
            cursor.good = np.concatenate([flat, state[-1]]) if updates.average else flat.copy()
        return self._train(flat, state, losses, cursor, updates)

    @abstractmethod
    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        """`train`, with masks where units are dropped and a cursor that has `good`."""


class NumpyBatches(Batches):
    """The reference on one batch after another; X may be a sparse array of SciPy's."""

    def _hold(self, samples: Block) -> None:
        (X, y, w), dtype = samples, self.dtype
        self._X = cast(X, dtype, "X")
        self._y = y if y.ndim == 1 else cast(y, dtype, "y")
        self._w = None if w is None else cast(w, dtype, "sample_weight")

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self.threads = 1  # whatever number is asked for

    def _batch(
        self, row: int, order: NDArray[Any] | None, flat: Array, masks: Masks | None
    ) -> tuple[int, float, Array]:
        """The number of samples, the loss and the gradient of the batch that begins at a row."""
        rows: Any = slice(row, min(row + self.batch_size, self.n_samples))
        if order is not None:
            rows = order[rows]
        X, w = self._X[rows], None if self._w is None else self._w[rows]
        n = X.shape[0]
        Y = target_rows(self._y[rows], self.network.sizes[-1], self.dtype)
        divisor = 1.0
        if self.reduction == "mean":
            # A batch whose samples all have weight 0 has the loss 0.
            divisor = float(n) if w is None else float(w.sum(dtype=np.float64)) or 1.0
        drawn = None
        if masks is not None and any(self.dropout):
            drawn = masks.draw(self.network.sizes, self.dropout, n, self.dtype)
        penalized = self.conventions.over(self.penalties, divisor)
        loss = NumpyLoss(self.network, divisor, penalized, self.conventions)
        return n, *loss.value_and_gradient((X, Y, w), flat, drawn)

    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        assert cursor.good is not None
        end, good, masks = time.monotonic() + updates.seconds, cursor.good, updates.masks
        epochs = k = 0
        # Where training stands is one name, so that an error of a signal handler finds it whole.
        now = cursor.row, cursor.loss, flat, state
        diverged, failure = False, None
        try:
            while epochs < len(losses) and (len(updates.rates) == 1 or k < len(updates.rates)):
                if k and (updates.stop[0] or time.monotonic() >= end):
                    break
                row, summed, theta, own = now
                if row == 0 and cursor.random is not None:
                    cursor.random.shuffle(cursor.order)  # type: ignore[arg-type]  # both or neither
                samples, loss, gradient = self._batch(row, cursor.order, theta, masks and masks.after(k))
                if not loss <= updates.limit:
                    diverged = True
                    break
                if row == 0:
                    good[:] = np.concatenate([theta, own[-1]]) if updates.average else theta
                moved = numpy_update(self.setup, updates, k, theta, own, gradient)
                row, summed = row + samples, summed + loss * samples
                if row == self.n_samples:
                    losses[epochs] = summed / self.n_samples
                    diverged = not np.isfinite(moved[0]).all()
                    row, summed = (row, summed) if diverged else (0, 0.0)
                now = row, summed, *moved
                k += 1
                if diverged:
                    break
                epochs += row == 0
        except BaseException as error:
            failure = error
        cursor.row, cursor.loss, flat[:], state[:] = now
        if diverged:
            go_back(flat, state, good)
        return EpochsDone(epochs, k, diverged, failure)


def go_back(flat: Array, state: Array, good: Array) -> None:
    """Return to the good parameters, and to their mean where there is one."""
    flat[:] = good[: flat.size]
    if good.size > flat.size:
        state[-1] = good[flat.size :]


class NativeBatches(Batches):
    """The compiled engine over a copy of the samples, in the precision of training."""

    def _hold(self, samples: Block) -> None:
        self._batches = pack("Batches", self.setup, samples)
        self.isa: str = self._batches.isa

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self._rules = Rules(setup)

    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        lent = cursor.lend()
        key, used = (None, np.zeros(1, np.int64)) if lent is None else lent
        if cursor.random is not None and lent is None:
            # Another generator's stream is drawn by NumPy, an epoch at a time.
            losses = losses[:1]
            if cursor.row == 0:
                cursor.random.shuffle(cursor.order)  # type: ignore[arg-type]  # both or neither
        before = updates.first - 1
        position, loss = np.array([cursor.row, before]), np.array([cursor.loss])
        diverged, failure = False, None
        arguments = (
            flat,
            state,
            cursor.good,
            losses,
            self._rules.of(updates.optimizer, updates.average),
            updates.rates,
            cursor.order,
            key,
            used,
            position,
            loss,
            self.batch_size,
            self.reduction == "mean",
            updates.limit,
            updates.stop,
            updates.seconds,
            updates.threads or self.threads,
            native_masks(updates.masks)[0],
        )
        try:
            epochs, diverged = self._batches.train(*arguments)
        except BaseException as error:  # a signal handler's, once the engine came back
            epochs, failure = count_written(losses), error
        cursor.row, cursor.loss = int(position[0]), float(loss[0])
        return EpochsDone(epochs, int(position[1]) - before, diverged, failure)


def batches_of(
    setup: Setup,
    samples: Block,
    summary: Summary,
    batch_size: int,
    baseline: float = 0.0,
    fingerprint: tuple[float, ...] = (),
) -> Batches:
    """Batches of validated samples, by the engine of the setup; `baseline` is that of a batch."""
    kind = NativeBatches if setup.engine == "native" else NumpyBatches
    return kind(setup, samples, summary, batch_size, baseline, fingerprint)
