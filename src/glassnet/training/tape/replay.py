"""Replay of a run that `train` made: some of its states are kept, and those between are computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.state import RunData, at_end
from glassnet.training.tape.changes import ready
from glassnet.training.tape.keyframes import Keyframe, nearest, within_epoch

MOST, MEMORY = 256, 64 * 2**20
"""The most states that are kept, and the bytes that they take: beyond, every second one goes."""


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
    """A callback that keeps states of a run of about so many `iterations`, evenly, for its `replay`.

    A replay of any state takes at most a 256th of the training, where there is memory for as many.
    """

    def __init__(self, iterations: int) -> None:
        self.every = max(1, -(-iterations // MOST))
        self._frames: list[Keyframe] = []
        self._data: RunData | None = None

    def on_train_begin(self, run: TrainingRun) -> None:
        self._frames, self._data = [Keyframe.of(run)], run.data

    def on_iteration(self, run: TrainingRun) -> None:
        self._frames.append(Keyframe.of(run))
        while len(self._frames) > 1 and sum(frame.size for frame in self._frames) > MEMORY:
            del self._frames[1::2]
            self.every *= 2

    def replay(self, run: TrainingRun) -> Replay | None:
        """The replay of the run that has ended; None where training had not begun."""
        return None if self._data is None else Replay(run, tuple(self._frames), self._data)
