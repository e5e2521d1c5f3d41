"""First-order steppers: an optimizer's updates on the full batch, and on batches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches, Cursor
from glassnet.engine.records import Updates
from glassnet.nn.dropout import Masks
from glassnet.optim import Optimizer
from glassnet.training.loop import ChunkStepper
from glassnet.training.steppers.rates import AHEAD, LearningRates

Mean = tuple[float, Array]
"""A running mean of the parameters: its decay, and where it stands."""


_MOST = 1 << 16
"""Losses of a chunk: more than an engine computes before the clock calls it back."""


def _emptied(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses to be written, NaN: an engine that is cut short leaves those that it did not come to."""
    losses = losses[:_MOST]
    losses.fill(np.nan)
    return losses


class FirstOrder(ChunkStepper):
    """Updates by an optimizer, at the rates of its schedule.

    A policy may set `threads` before each chunk; None takes those of the problem.
    """

    threads: int | None = None

    def __init__(
        self, flat: Array, state: Array, optimizer: Optimizer, rates: LearningRates, mean: Mean | None
    ) -> None:
        self.flat, self.optimizer, self.rates = flat.copy(), optimizer, rates
        self._decay, *averaged = mean or (0.0,)
        # The engines keep the mean behind the optimizer's own state.
        self._rows = np.vstack([state, *averaged])
        self.state = self._rows[: len(optimizer.state_names)]
        self.averaged = self._rows[-1] if averaged else None

    @property
    def updates(self) -> int:  # type: ignore[override]  # read only
        return self.rates.updates

    @property
    def memory(self) -> NDArray[np.float64]:  # type: ignore[override]  # read only
        return self.rates.memory

    @property
    def stops(self) -> bool:  # type: ignore[override]  # read only
        return self.rates.stops

    def hear(self, loss: float) -> None:
        self.rates.hear(loss)

    def _updates(
        self, ahead: int, stop: NDArray[np.uint8], seconds: float, limit: float, masks: Masks | None
    ) -> Updates:
        """The next ones, whose rates reach so many updates ahead."""
        rates, first = self.rates.next(ahead), self.rates.updates + 1
        rule = self.optimizer, rates, first, stop, seconds
        return Updates(*rule, limit, masks, self._decay, self.threads)


class FullBatch(FirstOrder):
    """An iteration is an update on all samples. `masks` are those of the pass that gave `gradient`."""

    start_losses = 1

    def __init__(
        self,
        problem: Problem,
        flat: Array,
        state: Array,
        gradient: Array,
        optimizer: Optimizer,
        rates: LearningRates,
        limit: float,
        masks: Masks | None,
        mean: Mean | None = None,
    ) -> None:
        super().__init__(flat, state, optimizer, rates, mean)
        self._problem, self._gradient, self._limit, self._masks = problem, gradient, limit, masks

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        updates = self._updates(len(losses), stop, seconds, self._limit, self._masks)
        if len(updates.rates) > 1:
            losses = losses[: len(updates.rates)]
        arrays = self.flat, self._rows, self._gradient
        before = [array.copy() for array in arrays] if self.rates.follow_losses else []
        losses = _emptied(losses)
        descent = self._problem.advance(*arrays, losses, updates)
        self.error = descent.error
        change = self.rates.observe(losses[: descent.updates])
        if change is not None and (change < descent.updates or descent.diverged):
            # The later updates were made at a rate that should have changed: again, up to the change.
            for array, copied in zip(arrays, before, strict=True):
                array[:] = copied
            again = updates._replace(stop=np.zeros(1, np.uint8), seconds=math.inf)
            descent = self._problem.advance(*arrays, losses[:change], again)
            self.error = self.error or descent.error
        self.rates.count(descent.updates)
        self._masks = self._masks and self._masks.after(descent.updates)
        return descent.updates, descent.diverged


class Epochs(FirstOrder):
    """An iteration is an epoch, an update on each of its batches.

    After a loss that is above the cursor's limit or not finite, the parameters go back to where the epoch
    began, and `advance` tells. With ``keep_nan`` there is no way back: they are NaN from there on, and so
    is the loss of every later epoch, as in scikit-learn.
    """

    start_losses = 0
    cursor: Cursor

    def __init__(
        self,
        batches: Batches,
        flat: Array,
        state: Array,
        cursor: Cursor,
        optimizer: Optimizer,
        rates: LearningRates,
        dropout_seed: int | None,
        mean: Mean | None = None,
        keep_nan: bool = False,
    ) -> None:
        super().__init__(flat, state, optimizer, rates, mean)
        self._batches, self.cursor, self._seed = batches, cursor, dropout_seed
        self._keep_nan, self._is_nan = keep_nan, False
        if cursor.good is None or (rates.updates == 0 and cursor.row == 0):
            cursor.good = flat.copy() if self.averaged is None else np.concatenate([flat, self.averaged])

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        if self._is_nan:
            losses[:] = np.nan
            return len(losses), False
        if self.rates.follow_losses:
            losses = losses[:1]  # the next epoch's rate depends on this one's loss
        masks = None if self._seed is None else Masks(self._seed, self.rates.updates + 1)
        updates = self._updates(AHEAD, stop, seconds, self.cursor.limit, masks)
        losses = _emptied(losses)
        done = self._batches.train(self.flat, self._rows, losses, self.cursor, updates)
        self.rates.count(done.updates)
        epochs, self.error = done.epochs, done.error
        if done.diverged and self._keep_nan:
            if self.cursor.row < self._batches.n_samples:
                losses[epochs] = np.nan  # else the epoch is whole and has its loss
            self._is_nan, self.flat[:] = True, np.nan
            self.rates.observe(losses[: epochs + 1])
            return epochs + 1, False
        self.rates.observe(losses[:epochs])
        if done.diverged:
            epochs -= self.cursor.row == 0 and self.rates.updates > 0
            # The rest of this epoch is left out: the next one begins from its start.
            self.cursor.row, self.cursor.loss = 0, 0.0
        return epochs, done.diverged
