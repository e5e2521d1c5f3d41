"""Replay of a run that `train` made: some of its states are kept, and those between are computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.state import RunData, at_end
from glassnet.training.tape.changes import ready
from glassnet.training.tape.keyframes import Keyframe, nearest, within_epoch

MOST, MEMORY = 256, 64 * 2**20
"""The most states that are kept, and the bytes that they take: beyond, every second one goes."""

SECONDS = 0.02
"""States that follow each other sooner are too many: keeping them would slow down a short training."""


@dataclass(frozen=True, eq=False)
class Replay:
    """A run with the states that `Snapshots` kept of it."""

    run: TrainingRun
    frames: Sequence[Keyframe]
    data: RunData

    @property
    def first(self) -> int:
        """The first iteration that there is: above 0 where the run went on from an earlier one."""
        frame = self.frames[0]
        return frame.iteration + frame.within

    def at(self, iteration: int) -> TrainingRun:
        """The run after an iteration, from `first` to the last, with the bits that training had there."""
        if iteration == self.run.iterations and not within_epoch(self.run):
            return self.run
        frame = nearest(self.frames, iteration)
        before = at_end(frame.run_before(self.run))
        run = continue_run(ready(before, self.data), iteration - frame.iteration)
        return replace(run, encoding=self.run.encoding)


class Snapshots(Hook[TrainingRun]):
    """A callback that keeps states of a run of about so many `iterations`, for its `replay`.

    Computing a state again takes some hundredths of a second or, of a long training, a 256th of it, where
    there is memory for as many.
    """

    def __init__(self, iterations: int) -> None:
        self.every = max(1, -(-iterations // MOST))
        self._frames: list[Keyframe] = []
        self._data: RunData | None = None
        self._latest = 0.0

    def on_train_begin(self, run: TrainingRun) -> None:
        self._frames, self._data, self._latest = [Keyframe.of(run)], run.data, monotonic()

    def on_iteration(self, run: TrainingRun) -> None:
        self._frames.append(Keyframe.of(run))
        while len(self._frames) > 1 and sum(frame.size for frame in self._frames) > MEMORY:
            del self._frames[1::2]
            self.every *= 2
        before, self._latest = self._latest, monotonic()
        if self._latest - before < SECONDS:
            self.every *= 2

    def replay(self, run: TrainingRun) -> Replay | None:
        """The replay of the run that has ended; None where training had not begun."""
        return None if self._data is None else Replay(run, tuple(self._frames), self._data)
