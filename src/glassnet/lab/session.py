"""A session of the live lab: data, a network and its training, which a page commands and sees by frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from glassnet.errors import GlassnetError, InputError
from glassnet.lab.branch import FRAME_SECONDS, Branch, Watch, free_name, words_of
from glassnet.lab.commands.schema import COMMANDS, check_command
from glassnet.lab.frame import Frame, finite
from glassnet.lab.lessons.events import change_of, settings_of
from glassnet.lab.lessons.lesson import Lesson, read_lesson
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


class Session:
    """Data, a network and its training in a thread of its own, which a page commands and is shown.

    ``command({"do": "play"})`` does what a page asks and answers it; ``frame()`` is the newest state, and
    ``wait(number)`` waits for one that is newer than a frame's `number`. All of them may be
    called from any thread.

    Parameters
    ----------
    X, y : as `train` takes them, or X a `Data`, a `Study` or a `Lesson`.
    network : None takes one of 8 tanh units that suits y.
    iterations : where playing ends, for the first time.
    name : what the page calls the data.
    features, classes : the names of the inputs and of the classes.
    settings : those of `train`, but callbacks, progress and checkpoints. `random_state` is 0 unless it is
        there, so that the start is the same each time.

    >>> from glassnet.lab.session import Session
    >>> with Session([[0.0], [1.0]], [0, 1], optimizer="adam") as session:
    ...     answer = session.command({"do": "step", "n": 3})
    ...     wrong = session.command({"do": "step", "n": -1})
    >>> answer["iteration"], wrong
    (3, {'error': 'n is -1; expected a whole number from 1 to 100,000.'})
    """

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
        self._trouble, self._speed = "", 0.0
        self._wound: TrainingRun | None = None  # a state of the past, where the page shows one
        self._whole = -WHOLE_SECONDS  # when a frame was last whole
        self._judge = Judge()
        self.branches: list[Branch] = []
        self.current: Branch  # the one that is shown
        self.pace: int | None = None
        self.notes: dict[int, str] = {}
        self.title = self.opens = ""
        self.hidden: tuple[str, ...] = ()
        self.closed = self.diagnosing = False
        self.diagnosis: dict[str, Any] | None = None
        self.looked_at: Branch | None = None  # the one that was diagnosed
        if isinstance(X, Lesson):
            with collected():
                self.play_lesson(X)
        elif isinstance(X, Study):
            self.begin(X)
        else:
            data = X if isinstance(X, Data) else as_data(X, y, name, features, classes)
            settings = {"random_state": 0, **settings}
            self.begin(Study(data, network or first_network(data), settings, iterations))
        self._worker = threading.Thread(target=self._work, name="glassnet lab", daemon=True)
        self._worker.start()

    def command(self, message: object) -> dict[str, Any]:
        """Do what a message asks, and answer it; ``{"error": words}`` where it cannot be done."""
        try:
            return self._do(message)
        except GlassnetError as error:
            return {"error": str(error)}
        except (ArithmeticError, MemoryError, LookupError, TypeError, ValueError) as error:
            # A library's own refusal, such as that of a table without rows.
            return {"error": f"{type(error).__name__}: {error}"[:500]}

    def _do(self, message: object) -> dict[str, Any]:
        name, arguments = check_command(message)
        command = COMMANDS[name]
        if not command.acts:
            return dict(command.function(self, **arguments) or {})
        with self.still():
            answer = command.function(self, **arguments)
        return {**self.brief(), **(answer or {})}

    def lesson(self) -> str:
        """The branch that is shown as a lesson, a TOML file that `open_lesson` plays with the same bits."""
        return str(self._do({"do": "lesson"})["text"])

    def open_lesson(self, text: str) -> None:
        """Play a lesson from its start; InputError, and nothing changes, where it cannot be played."""
        lesson = read_lesson(text)
        with self.still():
            self.play_lesson(lesson)

    def wait(self, seen: int, timeout: float | None = None) -> int:
        """The number of the newest state, once it is above `seen`, the session closes, or time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen or self.closed, timeout)
            return self._number

    def close(self) -> None:
        """End training, and its thread."""
        with self._changed:
            self.closed, self._goal = True, None
            self._changed.notify_all()
        if threading.current_thread() is not self._worker:
            self._worker.join()

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
        before = self.current if self.branches else None
        self._take([Branch.of("Run", study, before)], study.iterations if end is None else end)

    def _take(self, branches: list[Branch], end: int) -> None:
        """These branches in place of all that are there, with the first one shown, at rest."""
        with self._changed:
            self.branches, self.end = branches, end
            self._goal, self._speed = None, 0.0
            self.turn_to(branches[0])

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
                self.end = run.iterations + self.current.study.iterations
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
            until = min(last, self._next_event())
            self._advance(until - k, stops=False)
            if self._run.iterations < until:
                return

    def seek(self, iteration: int) -> None:
        """Show the state that training had at an iteration, bit for bit."""
        wound = None if iteration == self._run.iterations else self.current.tape.at(iteration)
        with self._changed:
            self._wound = wound
            self.news()

    def branch(self, name: str = "") -> None:
        """Go on from what is shown along a line of its own; the line so far stays as it is."""
        self._add(self._branched(name))

    def _branched(self, name: str = "") -> Branch:
        return self.current.branched(free_name(name, self.branches), self.shown_run().iterations)

    def begin_beside(self, study: Study, name: str = "") -> None:
        """Start anew with a study, on a branch of its own beside those that are there."""
        self._add(Branch.of(free_name(name, self.branches), study, self.current))

    def _add(self, branch: Branch) -> None:
        with self._changed:
            self.branches.append(branch)
            self.turn_to(branch)

    def turn_to(self, branch: Branch) -> None:
        """Show a branch, at its end."""
        with self._changed:
            self.current, self._wound, self._trouble = branch, None, ""
            self.look(branch.tape.run, self._speed)
            self.end = max(self.end, branch.tape.iterations)
            self.news(setup=True)

    def drop(self, branch: Branch) -> None:
        """Forget a branch that is not shown."""
        with self._changed:
            self.branches.remove(branch)
            self.news(setup=True)

    def change(self, event: Mapping[str, Any], beside: str = "") -> None:
        """Change the tape from what is shown on, as an event of `change_of`; nothing where that fails.

        It is done on a new branch in the past, or where `beside` names one.
        """
        change = change_of(event, self.shown_run(), self.current.study)
        if not change.changes:
            return
        apart = bool(beside) or self._wound is not None
        branch = self._branched(beside) if apart else self.current
        scene = branch.scene
        if change.study.data is not branch.study.data:
            scene = Scene(change.study.data, scene.axes)
        branch.tape.change(**change.changes)
        with self._changed:
            branch.events.append({"iteration": branch.tape.iterations, **event})
            branch.study, branch.scene = change.study, scene
            if apart:
                self.branches.append(branch)
            self.turn_to(branch)

    def play_lesson(self, lesson: Lesson) -> None:
        """Start anew with a lesson: what it changes, and its notes, come as training goes on."""
        first = Branch.of("Run", lesson.study)
        first.script = [*lesson.events]
        branches = [first]
        for beside in lesson.beside:
            study = lesson.study.with_settings(**settings_of(beside.get("training", {})))
            branches.append(Branch.of(free_name(beside.get("name", ""), branches), study, first))
            branches[-1].note(branches[-1].tape.advance(int(beside.get("iterations", 100))))
        with self._changed:
            self.title, self.notes, self.hidden = lesson.title, dict(lesson.notes), lesson.hidden
            self.opens, self.pace = lesson.opens, lesson.pace
            self._take(branches, lesson.iterations)
            self._arrive()
            self.news()

    def look_along(self, inputs: Sequence[str] | None) -> None:
        """Show the plane of two inputs; None takes the principal axes of more than two."""
        scene = Scene(self.study.data, None if inputs is None else tuple(inputs))
        with self._changed:
            self.current.scene = scene
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
        return self.current.study

    def shown_run(self) -> TrainingRun:
        """The run that the page shows."""
        with self._lock:
            return self._run if self._wound is None else self._wound

    def moment(self) -> Moment:
        """All that a frame is made of, at one moment."""
        with self._lock:
            branch = self.current
            others = [one for one in self.branches if one is not branch]
            return Moment(
                self._number,
                self._setup,
                self.shown_run(),
                self._run,
                branch.scene,
                branch.study,
                branch.past,
                others[-1].past if others else None,
                self._goal is not None and time.monotonic() < self._whole + WHOLE_SECONDS,
                {**self.brief(), "speed": self._speed, "branch": branch.name, "looking": self.diagnosing},
            )

    def brief(self) -> dict[str, Any]:
        """The state in short, for answers: what it does, iteration, loss, and what went wrong."""
        with self._lock:
            run, newest = self.shown_run(), self._run
            ended = "diverged" if newest.status == "diverged" else "ended" if newest.ending else "paused"
            return {
                "state": "playing" if self._goal is not None else ended if run is newest else "paused",
                "iteration": run.iterations,
                "loss": finite(run.losses[-1]) if len(run.losses) else None,
                "last": newest.iterations,
                "last_loss": finite(newest.losses[-1]) if len(newest.losses) else None,
                "end": self.end,
                "trouble": self._trouble,
            }

    def setup(self) -> dict[str, Any]:
        """The data, the network, the settings and the branches, as a page shows them."""
        with self._lock:
            return {
                **setup_of(self.moment()),
                "pace": self.pace,
                "end": self.end,
                "branches": [{**one.brief(), "shown": one is self.current} for one in self.branches],
                "events": [dict(event) for event in self.current.events],
                "notes": [{"iteration": k, "text": text} for k, text in sorted(self.notes.items())],
                "title": self.title,
                "hidden": list(self.hidden),
                "opens": self.opens,
            }

    def frame(self) -> Frame:
        """The newest state."""
        moment = self.moment()
        frame = frame_of(moment, self._judge)
        if not moment.rough:
            self._whole = time.monotonic()
        return frame

    # ---- Training, in a thread of its own ---------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self.closed or (self._goal is not None and not self._waiting)
                )
                if self.closed:
                    return
            began = time.perf_counter()
            with self._training, collected():
                goal, wound = self._goal, self._wound  # a command may have come first
                if goal is not None and wound is not None:
                    self._replay(wound)
                elif goal is not None:
                    k = self._run.iterations
                    until = min(goal, self._next_event(), self._next_note(k))
                    self._advance(min(until - k, self.pace or MANY))
            if self.pace is not None or wound is not None:
                rest = FRAME_SECONDS - (time.perf_counter() - began)
                with self._changed:
                    self._changed.wait_for(lambda: self.closed or self._goal is None, max(rest, 0))

    def _replay(self, wound: TrainingRun) -> None:
        """Show the next state of the past, up to the newest, from which training goes on."""
        last = self._run.iterations
        self.seek(min(wound.iterations + (self.pace or max(1, last // REPLAY_FRAMES)), last))
        if self._wound is None and last >= self.end:
            self.halt()

    def _advance(self, n: int, stops: bool = True) -> None:
        """Make n iterations; a command that waits ends them early, where it may."""
        watch, tape = Watch(self.look, self.wanted if stops else None), self.current.tape
        start = tape.iterations
        try:
            run = tape.advance(n, callbacks=[watch])
        except BaseException as error:
            with self._changed:
                self._goal, self._trouble = None, words_of(error)
                self.look(tape.run, self._speed)
            if not isinstance(error, Exception):
                raise
            return
        with self._changed:
            self.look(run, self._speed)
            if run.status == "diverged":
                self._goal, self._trouble = None, words_of(run)
            elif run.iterations < start + n and not watch.asked:
                self._goal, self._trouble = None, run.reason and f"Training has ended: {run.reason}."
            elif self._goal is not None and (
                run.iterations >= self._goal or (run.iterations > start and run.iterations in self.notes)
            ):
                self._goal = None
            self._arrive()

    def _next_event(self) -> int:
        """The iteration of what a lesson changes next."""
        script = self.current.script
        return int(script[0]["iteration"]) if script else 2**62

    def _next_note(self, k: int) -> int:
        """The iteration above k of the next note, at which playing pauses."""
        return min((at for at in self.notes if at > k), default=2**62)

    def _arrive(self) -> None:
        """Make the changes of a lesson whose iteration has come."""
        script = self.current.script
        while script and int(script[0]["iteration"]) <= self._run.iterations:
            event = script.pop(0)
            try:
                self.change({key: value for key, value in event.items() if key != "iteration"})
            except GlassnetError as error:
                script.clear()
                self._goal, self._trouble = None, f"The lesson cannot go on: {error}"

    def look(self, run: TrainingRun, speed: float) -> None:
        """Show the run that training has come to."""
        with self._changed:
            self._run, self._speed = run, speed
            self.current.note(run)
            self.news()

    def wanted(self) -> bool:
        """Whether a command, or the end, waits for training to rest."""
        return self._waiting > 0 or self.closed
