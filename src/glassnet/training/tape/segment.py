"""Events and the segments of a tape between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from glassnet.training.other_names import brief
from glassnet.training.run import TrainingRun
from glassnet.training.tape.changes import OF_DATA, Given, value_of
from glassnet.training.tape.keyframes import Keyframe


class Event(NamedTuple):
    """What changed at an iteration, before training went on: settings, "parameters", "X" or "y" by name."""

    iteration: int
    changes: Mapping[str, Any]

    @classmethod
    def of(cls, start: TrainingRun, changes: Mapping[str, Any]) -> Event:
        """The event after which a run starts: rows as they are given, other values as the run has them."""
        values = {n: v if n in OF_DATA else value_of(start, n) for n, v in changes.items()}
        return cls(start.iterations, values)

    def __str__(self) -> str:
        changes = ", ".join(f"{name}={brief(value)}" for name, value in self.changes.items())
        return f"at iteration {self.iteration:,}: {changes}"


@dataclass(eq=False)
class Segment:
    """The part of a tape from one event to the next.

    `run` is the training of this segment as far as it has come. That of the last one has all of the past in
    its histories and its data; that of others is `ended`, and their data are made ready from `given` when
    they are needed.
    """

    event: Event
    run: TrainingRun
    given: Given | None
    keyframes: list[Keyframe]

    @property
    def first(self) -> int:
        """The iteration at which the segment begins."""
        return self.event.iteration
