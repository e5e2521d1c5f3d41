"""Floor 5: the two ways of training, on the full batch and on batches, as one: arrays that advance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.activations import Array
from glassnet.batches import Batches, Cursor
from glassnet.dropout import Masks
from glassnet.engine import Problem
from glassnet.optimizers import Optimizer
from glassnet.pace import AHEAD, Pace, advance


class Course(ABC):
    """The parameters, the optimizer's state and whatever else goes from one stretch to the next.

    `lead` is the number of losses before the first iteration's: 1 on the full batch, whose first loss
    is that of the start, 0 on batches.
    """

    lead: int
    cursor: Cursor | None = None

    def __init__(self, flat: Array, state: Array, optimizer: Optimizer, pace: Pace) -> None:
        self.flat, self.state = flat.copy(), state.copy()
        self.optimizer, self.pace = optimizer, pace

    @abstractmethod
    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        """Up to ``len(losses)`` iterations: how many were made, and whether the next one blew up."""


class FullBatch(Course):
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
    ) -> None:
        super().__init__(flat, state, optimizer, pace)
        self._problem, self._gradient, self._limit = problem, gradient, limit
        self._masks = masks  # that gave the gradient

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        arrays = self.flat, self.state, self._gradient
        descent = advance(
            self._problem,
            self.optimizer,
            self.pace,
            arrays,
            losses,
            self._limit,
            stop,
            seconds,
            self._masks,
        )
        self._masks = self._masks and self._masks.after(descent.updates)
        return descent.updates, descent.diverged


class Epochs(Course):
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
    ) -> None:
        super().__init__(flat, state, optimizer, pace)
        self._batches, self.cursor, self._seed = batches, cursor, dropout_seed
        self._good = flat.copy()

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        assert self.cursor is not None
        if self.pace.listens:
            losses = losses[:1]  # the next epoch's rate depends on this one's loss
        told: Any = {"optimizer": self.optimizer, "first_update": self.pace.updates + 1}
        stretch = self._batches.train(
            self.flat,
            self.state,
            self._good,
            losses,
            self.cursor,
            rates=self.pace.rates(AHEAD),
            stop=stop,
            seconds=seconds,
            dropout_seed=self._seed,
            **told,
        )
        self.pace.made(stretch.updates)
        self.pace.listen(losses[: stretch.epochs])
        if stretch.diverged:
            # What is left of this epoch is not made up for: the next one begins from its start.
            self.cursor.row, self.cursor.loss = 0, 0.0
        return stretch.epochs, stretch.diverged
