"""The learning rates of a run's updates, in the order in which they are made."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glassnet.optim.schedules import Adaptive, Constant, Heard, Schedule

AHEAD = 4096
"""Rates that are computed at a time: where they differ, a call of the engine makes no more updates."""


class LearningRates:
    """Where a run stands in its schedule, after `updates` updates.

    `memory` holds what a schedule that listens keeps of the losses, and no numbers for every other
    schedule. A run keeps both, and rates made of them go on where these stand. An `Adaptive` that starts
    here compares the next losses with `loss`.
    """

    def __init__(
        self,
        schedule: Schedule,
        updates: int = 0,
        memory: NDArray[np.float64] | None = None,
        loss: float = math.inf,
        updates_per_iteration: int = 1,
    ) -> None:
        self._schedule, self._per_iteration = schedule, updates_per_iteration
        self.updates = updates
        self._state: Heard | None = None
        self._block, self._first = np.empty(0), 1
        if isinstance(schedule, Adaptive):
            self._state = schedule.begin(loss if schedule.watches == "training" else math.inf)
            if memory is not None and memory.size == len(Heard._fields):
                self._state = Heard(*map(float, memory))

    @property
    def follow_losses(self) -> bool:
        """Whether the rates depend on training's losses, which `observe` must then be given."""
        return isinstance(self._schedule, Adaptive) and self._schedule.watches == "training"

    @property
    def stops(self) -> bool:
        return self._state is not None and self._state.rate == 0

    @property
    def memory(self) -> NDArray[np.float64]:
        """What to keep beside the number of updates."""
        return np.array(self._state if self._state is not None else (), np.float64)

    def next(self, count: int) -> NDArray[np.float64]:
        """The rates of the next updates: one for all of them, or one for each of at most `count`."""
        if self._state is not None:
            return np.array([self._state.rate])
        if isinstance(self._schedule, Constant):
            return self._schedule.rates(self.updates + 1, 1)
        skip = self.updates + 1 - self._first
        if not 0 <= skip < len(self._block) - 1:  # a single rate would be taken for all
            self._first, skip = self.updates + 1, 0
            self._block = self._schedule.rates(self._first, AHEAD, self._per_iteration)
        return self._block[skip : skip + count]

    def count(self, updates: int) -> None:
        self.updates += updates

    def observe(self, losses: NDArray[np.float64]) -> int | None:
        """Take in the losses of iterations made at the present rate.

        The number of them after which the rate changes, where it does: later ones were made at the
        wrong rate.
        """
        if self._state is None or not isinstance(self._schedule, Adaptive) or not self.follow_losses:
            return None
        turn, self._state = self._schedule.listen(self._state, losses.tolist())
        return None if turn is None else turn + 1

    def hear(self, loss: float) -> None:
        """Take in the validation loss of an evaluation, where the schedule watches it."""
        if self._state is not None and isinstance(self._schedule, Adaptive) and not self.follow_losses:
            _, self._state = self._schedule.listen(self._state, [loss])
