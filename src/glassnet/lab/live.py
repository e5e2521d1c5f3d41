"""What is behind a session: a tape that trains in a thread of its own, its branches, its newest state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

from glassnet.errors import GlassnetError, InputError
from glassnet.lab.branch import (
    FRAME_SECONDS,
    MOST_BRANCHES,
    Branch,
    Watch,
    tape_of,
    words_of,
)
from glassnet.lab.frame import Frame, finite
from glassnet.lab.lessons.events import change_of, settings_of
from glassnet.lab.lessons.lesson import Lesson
from glassnet.lab.scene import Scene
from glassnet.lab.showing import WHOLE_SECONDS, Judge, Moment, frame_of, setup_of
from glassnet.lab.study import Data, Study, as_data, first_network
from glassnet.nn.network import Network
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import Solver
from glassnet.utils.warn import collected

MANY = 100_000
"""Iterations of one call of the engine's loop; a page sees them as they come."""
REPLAY_FRAMES = 300
"""The pictures in which playing shows a past, however long it is."""


class Live:
    """Data, a network and its training in a thread of its own; `Session` has the commands, and the docs."""

    def __init__(
        self,
        X: object,
        y: object = None,
        network: Network | None = None,
        *,
        iterations: int = 1000,
        name: str = "Your data",
        features: Any = None,
        classes: Any = None,
        **settings: Any,
    ) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._training = threading.Lock()  # held while the tape moves on
        self._waiting = 0  # commands that want it
        self._goal: int | None = None  # where training in progress ends
        self._number = self._setup = 0
        self._closed, self._trouble, self._speed = False, "", 0.0
        self._wound: TrainingRun | None = None  # a state of the past, where the page shows one
        self._frame: Frame | None = None
        self._framing = threading.Lock()
        self._whole = -WHOLE_SECONDS  # when a frame was last whole
        self._judge = Judge()
        self.branches: list[Branch] = []
        self._branch: Branch
        self.pace: int | None = None
        self.notes: dict[int, str] = {}
        self.title = ""
        self.hidden: tuple[str, ...] = ()
        self.opens = ""
        self.diagnosing, self.diagnosis = False, None  # type: tuple[bool, dict[str, Any] | None]
        lesson = X if isinstance(X, Lesson) else None
        if lesson is not None:
            X = lesson.study
        elif not isinstance(X, Study):
            data = X if isinstance(X, Data) else as_data(X, y, name, features, classes)
            settings = {"random_state": 0, **settings}
            X = Study(data, network or first_network(data), settings, iterations)
        if lesson is None:
            self.begin(X)
        else:
            with collected():
                self.play_lesson(lesson)
        self._worker = threading.Thread(target=self._work, name="glassnet lab", daemon=True)
        self._worker.start()

    def wait(self, seen: int, timeout: float | None = None) -> int:
        """The number of the newest state, once it is above `seen`, the session closes, or time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen or self._closed, timeout)
            return self._number

    def close(self) -> None:
        """End training, and its thread."""
        with self._changed:
            self._closed, self._goal = True, None
            self._changed.notify_all()
        if threading.current_thread() is not self._worker:
            self._worker.join()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- What commands are made of: training rests meanwhile ---------------------------------------

    @contextmanager
    def still(self) -> Iterator[None]:
        """Training rests meanwhile, between two iterations, and then goes on as it is asked to."""
        with self._changed:
            self._waiting += 1
        try:
            with self._training, collected():
                yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def begin(self, study: Study, end: int | None = None) -> None:
        """Start anew with a study; nothing changes where that fails."""
        data, tape = study.data, tape_of(study)
        known = self._branch.scene if self.branches else None
        scene = known if known is not None and known.data is data else Scene(data)
        with self._lock:
            self.branches = [Branch("Run", tape, study, scene, study)]
            self._branch, self._wound = self.branches[0], None
            self.end = study.iterations if end is None else end
            self._goal, self._trouble, self._speed = None, "", 0.0
            self._run = tape.run
        self.news(setup=True)

    def go(self) -> None:
        """Let training go on, to the end or, from there, as far again; from the past, see it again."""
        with self._changed:
            run = self._run
            if run.status == "diverged" and self._wound is None and not isinstance(run.optimizer, Solver):
                raise InputError(
                    f"Training blew up at iteration {run.diverged_at:,} and would again. Take a smaller "
                    f"learning rate, or go back to before it and branch there."
                )
            if run.iterations >= self.end and self._wound is None:
                self.end = run.iterations + self._branch.study.iterations
                self._setup += 1
            self._goal, self._trouble = self.end, ""
            self.news()

    def halt(self) -> None:
        """Let training rest."""
        with self._changed:
            self._goal = None
            self.news()

    def walk(self, n: int) -> None:
        """Make n iterations at once, or so many of the past again."""
        if self._wound is not None:
            self.seek(min(self._wound.iterations + n, self._run.iterations))
            return
        last = self._run.iterations + n
        while (k := self._run.iterations) < last:
            self._advance(min(last, self._next_event(k)) - k, stops=False)
            if self._run.iterations <= k:
                return

    def seek(self, iteration: int) -> None:
        """Show the state that training had at an iteration, bit for bit."""
        wound = None if iteration == self._run.iterations else self._branch.tape.at(iteration)
        with self._changed:
            self._wound = wound
            self.news()

    def branch(self, name: str = "") -> None:
        """Go on from what is shown along a line of its own; the line so far stays as it is."""
        k, parent, name = self.shown_run().iterations, self._branch, self._free_name(name)
        tape = parent.tape.branch(k)
        events = [event for event in parent.events if event["iteration"] <= k]
        new = replace(parent, name=name, tape=tape, events=events, parent=parent.name, at=k)
        with self._changed:
            self.branches.append(new)
        self.turn_to(new)

    def begin_beside(self, study: Study, name: str = "") -> None:
        """Start anew with a study, on a branch of its own beside those that are there."""
        name, tape = self._free_name(name), tape_of(study)
        scene = self._branch.scene if study.data is self._branch.study.data else Scene(study.data)
        self.branches.append(Branch(name, tape, study, scene, study))
        self.turn_to(self.branches[-1])

    def _free_name(self, name: str) -> str:
        if len(self.branches) >= MOST_BRANCHES:
            raise InputError(f"There are {MOST_BRANCHES} branches already: drop one first.")
        taken = {branch.name for branch in self.branches}
        numbers = (f"{name or 'Branch'} {i}" for i in range(2, MOST_BRANCHES + 3))
        return name if name and name not in taken else next(one for one in numbers if one not in taken)

    def turn_to(self, branch: Branch) -> None:
        """Show a branch, at its end."""
        with self._changed:
            self._branch, self._run, self._wound = branch, branch.tape.run, None
            self._trouble = ""
            self.end = max(self.end, branch.tape.iterations)
            self.news(setup=True)

    def drop(self, branch: Branch) -> None:
        """Forget a branch that is not shown."""
        with self._changed:
            self.branches.remove(branch)
            self.news(setup=True)

    def change(self, event: Mapping[str, Any]) -> None:
        """Change the tape from what is shown on, as an event of `change_of`: in the past on a branch."""
        change = change_of(event, self.shown_run(), self._branch.study)
        if not change.changes:
            return
        before = self._branch
        if self._wound is not None:
            self.branch()
        try:
            self._branch.tape.change(**change.changes)
        except BaseException:
            if self._branch is not before:
                made = self._branch
                self.turn_to(before)
                self.drop(made)
            raise
        with self._changed:
            branch = self._branch
            branch.events.append({"iteration": branch.tape.iterations, **event})
            if change.study.data is not branch.study.data:
                branch.scene = Scene(change.study.data, branch.scene.axes)
            branch.study = change.study
            self._run, self._trouble = branch.tape.run, ""
            self.news(setup=True)

    def play_lesson(self, lesson: Lesson) -> None:
        """Start anew with a lesson: what it changes, and its notes, come as training goes on."""
        self.begin(lesson.study, end=lesson.iterations)
        with self._changed:
            self.title, self.notes, self.hidden = lesson.title, dict(lesson.notes), lesson.hidden
            self.opens, self.pace = lesson.opens, lesson.pace
        first = self._branch
        for beside in lesson.beside:
            study = first.study.with_settings(**settings_of(beside.get("training", {})))
            self.begin_beside(study, beside.get("name", ""))
            self._branch.tape.advance(int(beside.get("iterations", 100)))
        self.turn_to(first)
        first.script = [*lesson.events]
        self._arrive()
        self.end = lesson.iterations
        self.news(setup=True)

    def look_along(self, inputs: Sequence[str] | None) -> None:
        """Show the plane of two inputs; None takes the principal axes of more than two."""
        scene = Scene(self.study.data, None if inputs is None else tuple(inputs))
        with self._changed:
            self._branch.scene = scene
            self.news(setup=True)

    def news(self, setup: bool = False) -> None:
        """Say that there is a new state; with `setup`, that more than numbers is another."""
        with self._changed:
            self._number += 1
            self._setup += setup
            self._changed.notify_all()

    # ---- What is shown ----------------------------------------------------------------------------

    @property
    def study(self) -> Study:
        """What is learned, with which network and how."""
        return self._branch.study

    @property
    def current(self) -> Branch:
        """The branch that is shown."""
        return self._branch

    def shown_run(self) -> TrainingRun:
        """The run that the page shows."""
        with self._lock:
            return self._run if self._wound is None else self._wound

    def moment(self) -> Moment:
        """All that a frame is made of, at one moment."""
        with self._lock:
            branch = self._branch
            others = [one.tape.run for one in self.branches if one is not branch]
            return Moment(
                self._number,
                self._setup,
                self.shown_run(),
                self._run,
                branch.scene,
                branch.study,
                others[-1] if others else None,
                self._goal is not None and time.monotonic() < self._whole + WHOLE_SECONDS,
                {**self.brief(), "speed": self._speed, "branch": branch.name, "looking": self.diagnosing},
            )

    def brief(self) -> dict[str, Any]:
        """The state in short, for answers: what it does, iteration, loss, and what went wrong."""
        with self._lock:
            run, newest, goal, trouble = self.shown_run(), self._run, self._goal, self._trouble
            end = self.end
        ended = "diverged" if newest.status == "diverged" and run is newest else "paused"
        return {
            "state": "playing" if goal is not None else ended,
            "iteration": run.iterations,
            "loss": finite(run.losses[-1]) if len(run.losses) else None,
            "last": newest.iterations,
            "last_loss": finite(newest.losses[-1]) if len(newest.losses) else None,
            "end": end,
            "trouble": trouble,
        }

    def setup(self) -> dict[str, Any]:
        """The data, the network, the settings and the branches, as a page shows them."""
        with self._lock:
            moment, pace, end = self.moment(), self.pace, self.end
            branches = [
                {
                    "name": branch.name,
                    "parent": branch.parent,
                    "at": branch.at,
                    "iterations": branch.tape.iterations,
                    "loss": finite(branch.tape.losses[-1]) if len(branch.tape.losses) else None,
                    "shown": branch is self._branch,
                }
                for branch in self.branches
            ]
            events = [dict(event) for event in self._branch.events]
            notes = [{"iteration": k, "text": text} for k, text in sorted(self.notes.items())]
        return {
            **setup_of(moment),
            "pace": pace,
            "end": end,
            "branches": branches,
            "events": events,
            "notes": notes,
            "title": self.title,
            "hidden": list(self.hidden),
            "opens": self.opens,
        }

    def frame(self) -> Frame:
        """The newest state; pages that ask at once share the work."""
        with self._framing:
            moment = self.moment()
            if self._frame is None or self._frame.number != moment.number:
                self._frame = frame_of(moment, self._judge)
                if not moment.rough:
                    self._whole = time.monotonic()
            return self._frame

    # ---- Training, in a thread of its own ---------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or (self._goal is not None and not self._waiting)
                )
                if self._closed:
                    return
            began = time.perf_counter()
            with self._training, collected():
                goal, wound = self._goal, self._wound  # a command may have come first
                if goal is not None and wound is not None:
                    self._replay(wound)
                elif goal is not None:
                    k = self._run.iterations
                    until = min(goal, self._next_event(k), self._next_note(k))
                    self._advance(min(until - k, self.pace or MANY))
            if self.pace is not None or wound is not None:
                rest = FRAME_SECONDS - (time.perf_counter() - began)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._goal is None, max(rest, 0))

    def _replay(self, wound: TrainingRun) -> None:
        """Show the next state of the past, up to the newest, from which training goes on."""
        last = self._run.iterations
        self.seek(min(wound.iterations + (self.pace or max(1, last // REPLAY_FRAMES)), last))
        with self._changed:
            if self._wound is None and last >= self.end:
                self._goal = None
                self.news()

    def _advance(self, n: int, stops: bool = True) -> None:
        """Make n iterations; a command that waits ends them early, where it may."""
        watch, tape = Watch(self, stops), self._branch.tape
        start = tape.iterations
        try:
            run = tape.advance(n, callbacks=[watch])
        except BaseException as error:
            with self._changed:
                self._run, self._goal, self._trouble = tape.run, None, words_of(error)
                self.news()
            if not isinstance(error, Exception):
                raise
            return
        with self._changed:
            self._run = run
            if run.status == "diverged":
                self._goal, self._trouble = None, words_of(run)
            elif run.iterations < start + n and not watch.asked:
                self._goal, self._trouble = None, run.reason  # training has ended by itself
            elif self._goal is not None and (
                run.iterations >= self._goal or (run.iterations > start and run.iterations in self.notes)
            ):
                self._goal = None
            self._arrive()
            self.news()

    def _next_event(self, k: int) -> int:
        """The iteration of what a lesson changes next."""
        script = self._branch.script
        return int(script[0]["iteration"]) if script else 2**62

    def _next_note(self, k: int) -> int:
        """The iteration above k of the next note, at which playing pauses."""
        return min((at for at in self.notes if at > k), default=2**62)

    def _arrive(self) -> None:
        """Make the changes of a lesson whose iteration has come."""
        script = self._branch.script
        while script and int(script[0]["iteration"]) <= self._run.iterations:
            event = script.pop(0)
            try:
                self.change({key: value for key, value in event.items() if key != "iteration"})
            except GlassnetError as error:
                script.clear()
                self._goal, self._trouble = None, f"The lesson cannot go on: {error}"

    def look(self, run: TrainingRun, speed: float) -> None:
        """Called by the watch: training has come to this run."""
        with self._changed:
            self._run, self._speed = run, speed
            self.news()

    def wanted(self) -> bool:
        """Whether a command, or the end, waits for training to rest."""
        return self._waiting > 0 or self._closed
