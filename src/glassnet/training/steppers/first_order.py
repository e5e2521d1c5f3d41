"""The ways of training, on the full batch and on batches, as one: arrays that advance.

The solvers' is in `solvers/base.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches, Cursor
from glassnet.engine.updates import Updates
from glassnet.nn.dropout import Masks
from glassnet.optim import Optimizer
from glassnet.optim.penalties import Penalties
from glassnet.training.steppers.rates import AHEAD, Pace, advance


class Mean(NamedTuple):
    """A running mean of the parameters: what it keeps of itself at an update, and where it stands."""

    average: float = 0.0
    flat: Array | None = None


NO_MEAN = Mean()


class Course(ABC):
    """The parameters, the optimizer's state and whatever else goes from one stretch to the next.

    `lead` is the number of losses before the first iteration's: 1 on the full batch, whose first loss
    is that of the start, 0 on batches. `state` may be a view of what changes.
    """

    lead: int
    flat: Array
    state: Array
    cursor: Cursor | None = None
    averaged: Array | None = None
    penalties: Penalties | None = None
    """Those that the last loss was counted with, where a rule chooses them."""

    @property
    @abstractmethod
    def updates(self) -> int:
        """How many the state has seen."""

    @property
    @abstractmethod
    def heard(self) -> NDArray[np.float64]:
        """What a run keeps beside the state."""

    @property
    @abstractmethod
    def stops(self) -> bool:
        """Whether training is to end here."""

    @abstractmethod
    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        """Up to ``len(losses)`` iterations: how many were made, and whether the next one blew up.

        On batches that may show in the epoch after, which then is taken back with it: -1 was made.
        """


class Paced(Course):
    """By an optimizer, at the rates of its schedule."""

    def __init__(
        self, flat: Array, state: Array, optimizer: Optimizer, pace: Pace, mean: Mean = NO_MEAN
    ) -> None:
        self.flat, self.average = flat.copy(), mean.average
        self.optimizer, self.pace = optimizer, pace
        # The engines keep the mean behind the optimizer's own state.
        self._kept = state.copy() if mean.flat is None else np.vstack([state, mean.flat])

        self.state = self._kept[: len(optimizer.state_names)]
        self.averaged = self._kept[-1] if self.average else None

    @property
    def updates(self) -> int:
        return self.pace.updates

    @property
    def heard(self) -> NDArray[np.float64]:
        return self.pace.heard

    @property
    def stops(self) -> bool:
        return self.pace.stops

    def _updates(
        self, ahead: int, stop: NDArray[np.uint8], seconds: float, limit: float, masks: Masks | None
    ) -> Updates:
        """The next ones, whose rates reach so many updates ahead."""
        rates, first = self.pace.rates(ahead), self.pace.updates + 1
        return Updates(self.optimizer, rates, first, stop, seconds, limit, masks, self.average)


class FullBatch(Paced):
    """An iteration is an update on all samples."""

    lead = 1

    def __init__(
        self,
        problem: Problem,
        flat: Array,
        state: Array,
        gradient: Array,
        optimizer: Optimizer,
        pace: Pace,
        limit: float,
        masks: Masks | None,
        mean: Mean = NO_MEAN,
    ) -> None:
        super().__init__(flat, state, optimizer, pace, mean)
        self._problem, self._gradient, self._limit = problem, gradient, limit
        self._masks = masks  # that gave the gradient

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        arrays = self.flat, self._kept, self._gradient
        updates = self._updates(len(losses), stop, seconds, self._limit, self._masks)
        descent = advance(self._problem, self.pace, arrays, losses, updates)
        self._masks = self._masks and self._masks.after(descent.updates)
        return descent.updates, descent.diverged


class Epochs(Paced):
    """An iteration is an epoch, an update on each of its batches."""

    lead = 0

    def __init__(
        self,
        batches: Batches,
        flat: Array,
        state: Array,
        cursor: Cursor,
        optimizer: Optimizer,
        pace: Pace,
        dropout_seed: int | None,
        mean: Mean = NO_MEAN,
    ) -> None:
        super().__init__(flat, state, optimizer, pace, mean)
        self._batches, self.cursor, self._seed = batches, cursor, dropout_seed
        if cursor.good is None or (pace.updates == 0 and cursor.row == 0):
            cursor.good = flat.copy() if mean.flat is None else np.concatenate([flat, mean.flat])

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        assert self.cursor is not None
        if self.pace.listens:
            losses = losses[:1]  # the next epoch's rate depends on this one's loss
        masks = None if self._seed is None else Masks(self._seed, self.pace.updates + 1)
        updates = self._updates(AHEAD, stop, seconds, self.cursor.limit, masks)
        done = self._batches.train(self.flat, self._kept, losses, self.cursor, updates)
        self.pace.made(done.updates)
        self.pace.listen(losses[: done.epochs])
        epochs = done.epochs
        if done.diverged:
            epochs -= self.cursor.row == 0 and self.pace.updates > 0
            # What is left of this epoch is not made up for: the next one begins from its start.
            self.cursor.row, self.cursor.loss = 0, 0.0
        return epochs, done.diverged
