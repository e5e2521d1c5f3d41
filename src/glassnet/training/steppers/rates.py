"""The learning rates of a run's updates, in the order in which they are made."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Descent, Problem
from glassnet.engine.updates import Updates
from glassnet.optim.schedules import Adaptive, Constant, Heard, Schedule

AHEAD = 4096
"""Rates that are computed at a time: a call makes no more updates, where they differ."""


class Pace:
    """Where a run stands in its schedule, after `updates` updates.

    `heard` is what `Adaptive` keeps of the losses, an array of no numbers for every other schedule.
    Both go into the run, and a pace made of them goes on where this one stands. `loss` is what an
    `Adaptive` that starts here measures the next ones by.
    """

    def __init__(
        self,
        schedule: Schedule,
        updates: int = 0,
        heard: NDArray[np.float64] | None = None,
        loss: float = math.inf,
        updates_per_iteration: int = 1,
    ) -> None:
        self._schedule, self._per_iteration = schedule, updates_per_iteration
        self.updates = updates
        self._state: Heard | None = None
        self._block, self._first = np.empty(0), 1
        if isinstance(schedule, Adaptive):
            begun = heard is not None and heard.size == len(Heard._fields)
            self._state = Heard(*map(float, heard)) if begun and heard is not None else schedule.begin(loss)

    @property
    def listens(self) -> bool:
        """Whether the losses have a say, so that `listen` must be told of them."""
        return self._state is not None

    @property
    def stops(self) -> bool:
        """Whether the schedule asks training to end."""
        return self._state is not None and self._state.rate == 0

    @property
    def heard(self) -> NDArray[np.float64]:
        """What to keep beside the number of updates."""
        return np.array(self._state if self._state is not None else (), np.float64)

    def rates(self, count: int) -> NDArray[np.float64]:
        """The rates of the next updates, up to `count`: one for all of them, or one for each.

        Where it is one for each there may be fewer of them than asked for.
        """
        if self._state is not None:
            return np.array([self._state.rate])
        if isinstance(self._schedule, Constant):
            return self._schedule.rates(self.updates + 1, 1)
        skip = self.updates + 1 - self._first
        if not 0 <= skip < len(self._block) - 1:  # a single rate would be taken for all
            self._first, skip = self.updates + 1, 0
            self._block = self._schedule.rates(self._first, AHEAD, self._per_iteration)
        return self._block[skip : skip + count]

    def made(self, updates: int) -> None:
        """So many updates more are made."""
        self.updates += updates

    def listen(self, losses: NDArray[np.float64]) -> int | None:
        """Hear the losses of iterations made at the present rate.

        The number of them after which the rate changes, where it does: later ones were made at the
        wrong rate.
        """
        if self._state is None or not isinstance(self._schedule, Adaptive):
            return None
        turn, self._state = self._schedule.listen(self._state, losses.tolist())
        return None if turn is None else turn + 1


def advance(
    problem: Problem,
    pace: Pace,
    arrays: tuple[Array, Array, Array],
    losses: NDArray[np.float64],
    updates: Updates,
) -> Descent:
    """The next updates by their rates, up to one for each place in `losses`; see `Problem.advance`."""
    if len(updates.rates) > 1:
        losses = losses[: len(updates.rates)]
    before = [array.copy() for array in arrays] if pace.listens else []
    descent = problem.advance(*arrays, losses, updates)
    turn = pace.listen(losses[: descent.updates])
    if turn is not None and (turn < descent.updates or descent.diverged):
        # What followed was made at a rate that should have changed: again, up to there.
        for array, kept in zip(arrays, before, strict=True):
            array[:] = kept
        again = updates._replace(stop=np.zeros(1, np.uint8), seconds=math.inf)
        descent = problem.advance(*arrays, losses[:turn], again)
    pace.made(descent.updates)
    return descent
