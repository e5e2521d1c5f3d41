"""How a tape keeps the states that training comes to, and its losses."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from glassnet.training.files.checkpoint import Checkpoint
from glassnet.training.files.writing import HasArrays
from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.state import RunState
from glassnet.training.tape.keyframes import Bounds, Keyframe, within_epoch

REPLAY_SECONDS = 0.05
"""The time from one keyframe to the next, and so about the longest that winding back takes."""

SHARE = 0.02
"""The most of the time that keyframes take."""


class Keeper(Hook[TrainingRun]):
    """Keeps states of a run that goes on: every n-th, as a callback, or one at a time by the clock.

    `rows` are the keyframes of each segment of a tape. Beyond the bounds, n and the time double.
    """

    def __init__(self, every: int | None, bounds: Bounds, rows: list[list[Keyframe]]) -> None:
        self.by_number, self.every = every is not None, every or 1
        self._bounds, self._rows = bounds, rows
        self._seconds, self._due = REPLAY_SECONDS, monotonic() + REPLAY_SECONDS

    @property
    def settings(self) -> tuple[int | None, int, int]:
        """Those of a tape: keyframe_every, memory and disk."""
        return self.every if self.by_number else None, self._bounds.memory, self._bounds.disk

    @property
    def is_due(self) -> bool:
        """Whether the clock asks for a state."""
        return not self.by_number and monotonic() >= self._due

    def begin(self, row: list[Keyframe]) -> None:
        """Go on with the keyframes of another segment."""
        self._rows.append(row)
        self._keep_bounds()

    def on_iteration(self, run: TrainingRun) -> None:
        began = monotonic()
        row = self._rows[-1]
        if run.iterations > row[-1].iteration or within_epoch(run):
            row.append(Keyframe.of(run))
            self._keep_bounds()
        ended = monotonic()
        self._due = ended + max(self._seconds, (ended - began) / SHARE)

    def _keep_bounds(self) -> None:
        factor = 2 ** self._bounds.keep(self._rows)
        self._seconds *= factor
        self.every *= factor


class Recorder:
    """Follows training by the clock: hands states to the keeper, and writes the file of the tape.

    `stands_at` gives the tape that has come to a run.
    """

    def __init__(
        self, keeper: Keeper, stands_at: Callable[[TrainingRun], HasArrays], file: Checkpoint | None
    ) -> None:
        self._keeper, self._stands_at, self._file = keeper, stands_at, file

    @property
    def is_due(self) -> bool:
        return self._keeper.is_due or (self._file is not None and self._file.is_due)

    def prove(self, run: RunState) -> None:
        if self._file is not None:
            self._file.prove(run)

    def write(self, run: RunState) -> None:
        if run.status != "running" or not isinstance(run, TrainingRun):  # `advance` takes the end
            return
        if self._keeper.is_due:
            self._keeper.on_iteration(run)
        if self._file is not None and self._file.is_due:
            self._file.write(self._stands_at(run))


class Room:
    """The losses of one training in an array with room for more, so that no `advance` copies all of them.

    Runs of before keep their losses, as training writes none but those that follow.
    """

    def __init__(self) -> None:
        self._history: NDArray[np.float64] = np.empty(0)

    def of(self, start: TrainingRun, iterations: int) -> NDArray[np.float64]:
        """An array that begins with the run's losses and has room for those of so many iterations."""
        known = start.losses
        size = len(known) + iterations
        if known.base is not self._history or size > len(self._history):
            self._history = np.empty(max(size, 2 * len(known)))
            self._history[: len(known)] = known
        return self._history
