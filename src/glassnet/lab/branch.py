"""A branch of a session, and the watch that shows it while it trains."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from glassnet.errors import GlassnetError
from glassnet.lab.scene import Scene
from glassnet.lab.study import Study
from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.tape.tape import Tape

FRAME_SECONDS = 1 / 30
"""How often training is looked at while it goes on."""
MOST_BRANCHES = 12


@dataclass(eq=False)
class Branch:
    """A line of training: its tape, what it learns, and where it began.

    `start` is the study that its tape began with, `events` what changed since then, as a lesson has it, and
    `script` what a lesson will change when training comes there.
    """

    name: str
    tape: Tape
    study: Study
    scene: Scene
    start: Study
    events: list[dict[str, Any]] = field(default_factory=list)
    script: list[Mapping[str, Any]] = field(default_factory=list)
    parent: str = ""
    at: int = 0


def tape_of(study: Study) -> Tape:
    """A tape at the start of a study, within the bounds of a dozen of them."""
    data = study.data
    return Tape(study.network, data.X, data.y, memory="32 MiB", disk="256 MiB", **study.settings)


class Watched(Protocol):
    """What a watch needs of a session."""

    def look(self, run: TrainingRun, speed: float) -> None:
        """Training has come to this run, at so many iterations a second."""

    def wanted(self) -> bool:
        """Whether training should rest."""


class Watch(Hook[TrainingRun]):
    """Shows a session the run about 30 times a second, however long an iteration takes."""

    def __init__(self, session: Watched, stops: bool) -> None:
        self._session, self._stops, self.asked = session, stops, False
        self._last, self._at = time.perf_counter(), 0

    def on_train_begin(self, run: TrainingRun) -> None:
        self._at = run.iterations

    def on_iteration(self, run: TrainingRun) -> bool:
        now = time.perf_counter()
        took, made = now - self._last, run.iterations - self._at
        if took < FRAME_SECONDS / 2:
            self.every = min(2 * self.every, 2**20)
        elif took > 2 * FRAME_SECONDS:
            self.every = max(1, self.every // 2)
        self._session.look(run, made / took if took > 0 else 0.0)
        self._last, self._at = now, run.iterations
        self.asked = self._stops and self._session.wanted()
        return self.asked


def words_of(what: BaseException | TrainingRun) -> str:
    """What went wrong, for a page: an error, or a run that blew up."""
    if isinstance(what, GlassnetError):
        return str(what)
    if isinstance(what, BaseException):
        return f"{type(what).__name__}: {what}"
    return (
        f"Training blew up at iteration {what.diverged_at:,}: its loss was no longer finite, or a hundred "
        f"times what it began with. The network is that of iteration {what.iterations:,}. "
        f"Take a smaller learning rate."
    )
