"""A branch of a session, and the watch that shows it while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import GlassnetError, InputError
from glassnet.lab.frame import Curve, finite
from glassnet.lab.scene import Scene
from glassnet.lab.study import Study
from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.tape.tape import Tape

FRAME_SECONDS = 1 / 32
"""Time from one look at training to the next, and at least from one frame to the next."""
MOST_BRANCHES = 12
MOST_TIMES = 600
"""Moments of which a branch knows the seconds; beyond, it forgets every second one."""


class Past(NamedTuple):
    """Iterations, each with the seconds of training until then, (2, some); losses, and held-out ones."""

    clock: NDArray[np.float64] = np.zeros((2, 1))
    losses: Curve = Curve()
    held_out: Curve = Curve()


@dataclass(eq=False)
class Branch:
    """A line of training: its tape, what it learns, and where it began.

    `start` is the study that its tape began with, `events` what changed since then, as a lesson has it, and
    `script` what a lesson will change when training comes there. `past` has its curves; the seconds of
    training in them are `late` by those of its run.
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
    past: Past = field(default_factory=Past)
    late: float = 0.0

    @classmethod
    def of(cls, name: str, study: Study, beside: Branch | None = None) -> Branch:
        """A branch at the start of a study, which looks at the same data as `beside` does.

        Its tape keeps within the bounds of a dozen of them.
        """
        data = study.data
        tape = Tape(study.network, data.X, data.y, memory="32 MiB", disk="256 MiB", **study.settings)
        scene = beside.scene if beside is not None and beside.study.data is data else Scene(data)
        return cls(name, tape, study, scene, study)

    def branched(self, name: str, iteration: int) -> Branch:
        """A branch that shares the past up to an iteration."""
        tape = self.tape.branch(iteration)
        seconds = float(np.interp(iteration, *self.past.clock))
        return replace(
            self,
            name=name,
            tape=tape,
            events=[event for event in self.events if event["iteration"] <= iteration],
            script=[*self.script],
            parent=self.name,
            at=iteration,
            late=seconds - tape.run.seconds,  # replay took other seconds
        )

    def note(self, run: TrainingRun) -> None:
        """Remember the losses up to this state, and how many seconds of training came before it."""
        (clock, losses, held_out), k, evaluated = self.past, run.iterations, run.validation
        now = np.array([[k], [run.seconds + self.late if k else 0.0]])
        clock = np.append(clock[:, clock[0] < k], now, axis=1)
        if clock.shape[1] > MOST_TIMES:
            clock = np.delete(clock, slice(1, -1, 2), axis=1)
        losses = losses.followed_by(range(k + 1 - len(run.losses), k + 1), run.losses)
        at = range(0)
        if evaluated is not None and len(evaluated.losses):
            at = range(int(evaluated.iterations[0]), int(evaluated.iterations[-1]) + 1, evaluated.every)
        self.past = Past(clock, losses, held_out.followed_by(at, run.validation_losses))

    def brief(self) -> dict[str, Any]:
        """Its name, where it began and how far it has come, as a page lists it."""
        losses = self.tape.losses
        return {
            "name": self.name,
            "parent": self.parent,
            "at": self.at,
            "iterations": self.tape.iterations,
            "seconds": float(self.past.clock[1, -1]),
            "loss": finite(losses[-1]) if len(losses) else None,
        }


def free_name(name: str, branches: Sequence[Branch]) -> str:
    """The name, or where it is taken the name with a number; InputError for one branch too many."""
    if len(branches) >= MOST_BRANCHES:
        raise InputError(f"There are {MOST_BRANCHES} branches already: drop one first.")
    taken = {branch.name for branch in branches}
    numbers = (f"{name or 'Branch'} {i}" for i in range(2, MOST_BRANCHES + 3))
    return name if name and name not in taken else next(one for one in numbers if one not in taken)


class Watch(Hook[TrainingRun]):
    """Shows the run, and how fast it goes, 32 times a second; ends training where that is wanted."""

    def __init__(
        self, show: Callable[[TrainingRun, float], None], wanted: Callable[[], bool] | None
    ) -> None:
        self._show, self._wanted, self.asked = show, wanted, False
        self._last, self._at = time.perf_counter(), 0

    def on_train_begin(self, run: TrainingRun) -> None:
        self._at = run.iterations

    def on_iteration(self, run: TrainingRun) -> bool:
        now = time.perf_counter()
        took, made = now - self._last, run.iterations - self._at
        speed = made / took if took > 0 else 0.0
        # Called at its multiples: one that changed each time would be called at odd moments.
        if not 0.8 < speed * FRAME_SECONDS / self.every < 1.25:
            self.every = max(1, min(round(speed * FRAME_SECONDS), 2 * self.every))
        self._show(run, speed)
        self._last, self._at = now, run.iterations
        self.asked = self._wanted is not None and self._wanted()
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
