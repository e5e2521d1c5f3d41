"""Tapes: runs with their whole past, which can be wound back, branched and compared."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network
from glassnet.training.divergence import gentler, warn_of_ending
from glassnet.training.early_stopping import Metric
from glassnet.training.files.checkpoint import SECONDS, checkpoint_of
from glassnet.training.files.reading import NO_FUNCTIONS, OwnFunctions
from glassnet.training.hooks import Callbacks, Hooks
from glassnet.training.other_names import refuse
from glassnet.training.run import TrainingRun, check_same_data
from glassnet.training.run_policy import continue_run
from glassnet.training.settings import NAMES, FitSettings
from glassnet.training.state import RunData, at_end
from glassnet.training.steppers import Solver, StopReason
from glassnet.training.tape.changes import PREPARED, Given, changed, check_names, ready
from glassnet.training.tape.comparison import (
    CHANGED,
    Difference,
    check_replayed,
    reasons,
    same_state,
    shared_until,
)
from glassnet.training.tape.files import check_rows, segments_as_arrays, segments_from_arrays
from glassnet.training.tape.keyframes import (
    Bounds,
    Keyframe,
    ended,
    nearest,
    with_histories,
    with_past,
    within_epoch,
)
from glassnet.training.tape.recording import Keeper, Recorder, Room
from glassnet.training.tape.segment import Event, Segment
from glassnet.training.train import DEFAULTS, begin_with
from glassnet.utils.memory import bytes_of
from glassnet.utils.settings_checks import as_count, as_steps, or_none
from glassnet.utils.storage import read_arrays

MEMORY, DISK = "64 MiB", "1 GiB"

_OF_ADVANCE = {"iterations": "tape.advance(iterations)", "callbacks": "tape.advance(n, callbacks=[...])"}
"""Arguments of `train` that `Tape.advance` takes."""


class Tape:
    """A run with its whole past: every state that training had comes back, bit for bit.

    Parameters
    ----------
    network, X, y, sample_weight : as `train` takes them.
    settings : those of `train` but iterations, callbacks, progress and the checkpoint.
    keyframe_every : the states that are kept, at every n-th iteration; with 1 all of them, for small
        networks. None keeps one each 0.05 s of training, so that any state between them is computed again
        within about that time. Where they would take over 2 % of the time, there are fewer.
    memory, disk : the bytes that keyframes take in memory and, the older ones, in a temporary file, as
        numbers or text. Beyond both, every second keyframe goes, and winding back takes twice as long.

    Attributes
    ----------
    run : `TrainingRun` after the last iteration. It must not be changed in place.
    iterations : how far training has come: updates on the full batch, epochs with a batch_size.
    losses : those of `run`.
    events : each `Event`, in order: where settings, parameters or data changed.

    Raises InputError, InputTypeError and EngineError as `train` does.

    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> net = gn.Network((2, 4, 2), hidden="tanh")
    >>> tape = gn.Tape(net, X, y, optimizer=gn.SGD(0.5), random_state=0)
    >>> run = tape.advance(100)
    >>> bool(tape.at(40).losses[-1] == run.losses[40])
    True
    >>> slower = tape.branch(40, learning_rate=0.1)
    >>> _ = slower.advance(60)
    >>> tape.diff(slower)
    Difference(iteration=41, what=('learning_rate: 0.5 and 0.1, from iteration 40',))

    The engine gives the same bits each time, so that a few states and replay between them are the whole
    past. A recorded history, such as Keras's, holds losses only.
    """

    def __init__(
        self,
        network: Network,
        X: object,
        y: object = None,
        sample_weight: object = None,
        *,
        keyframe_every: int | None = None,
        memory: int | str = MEMORY,
        disk: int | str = DISK,
        **settings: Any,
    ) -> None:
        own = set(NAMES) - {"iterations"}
        if wrong := {name: value for name, value in settings.items() if name not in own}:
            known = ["network", "X", "y", "sample_weight", *sorted(own), "keyframe_every", "memory", "disk"]
            refuse("Tape", wrong, known, settings.get("optimizer"), _OF_ADVANCE)
        record = FitSettings.of({**DEFAULTS, **settings})
        if isinstance(record.random_state, np.random.RandomState):  # which `train` draws from
            record = replace(record, random_state=copy.deepcopy(record.random_state))
        start, _ = begin_with(network, X, y, sample_weight, record)
        run = continue_run(start, 0)
        given = Given(X, y, sample_weight, record.validation, record.engine)
        first = Segment(Event(0, {}), run, given, [Keyframe.of(at_end(run))])
        self._begin([first], keyframe_every, memory, disk)
        self._engine, self._trained_here = record.engine, True

    def _begin(
        self, segments: list[Segment], every: int | None, memory: int | str, disk: int | str
    ) -> None:
        every = or_none(as_steps)(every, "keyframe_every")
        bounds = Bounds(bytes_of(memory, "memory"), bytes_of(disk, "disk"))
        self._segments, self._room = segments, Room()
        self._keeper = Keeper(every, bounds, [segment.keyframes for segment in segments])
        self._recent: tuple[Segment, TrainingRun] | None = None

    # ---- What it holds ---------------------------------------------------------------------------

    @property
    def run(self) -> TrainingRun:
        """The run after the last iteration."""
        return self._segments[-1].run

    @property
    def iterations(self) -> int:
        """How far training has come."""
        return self.run.iterations

    @property
    def losses(self) -> NDArray[np.float64]:
        """The losses of `run`; see `TrainingRun`."""
        return self.run.losses

    @property
    def events(self) -> tuple[Event, ...]:
        """Where settings, parameters or data changed, in order."""
        return tuple(segment.event for segment in self._segments[1:] if segment.event.changes)

    @property
    def keyframes(self) -> tuple[int, ...]:
        """The iterations whose states are kept."""
        return tuple(frame.iteration for segment in self._segments for frame in segment.keyframes)

    @property
    def samples(self) -> tuple[object, object]:
        """X and y as they were given, and as later events changed them."""
        given = self._given(self._segments[-1])
        return given.X, given.y

    @property
    def nbytes(self) -> int:
        """About the bytes that the keyframes take, in memory and in the temporary file."""
        return sum(frame.size for segment in self._segments for frame in segment.keyframes)

    # ---- Forward and back ------------------------------------------------------------------------

    def advance(
        self,
        iterations: int,
        *,
        callbacks: Callbacks[TrainingRun] = (),
        progress: bool | float = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float = SECONDS,
    ) -> TrainingRun:
        """Train on, bit for bit as `train` would without a pause, and return the run.

        `callbacks`, `progress` and the checkpoint are those of `train`; the file holds the whole tape.
        After a kill ``tape = gn.load(path).attach(X, y)`` goes on. Ctrl-C ends training with whole updates,
        which the tape keeps, as it keeps the work before an error.

        Raises InputError where the run has diverged, and where a loaded tape has no data yet.
        """
        iterations = as_count(iterations, "iterations")
        begins = len(self._segments) == 1 and self.iterations == 0
        file = checkpoint_of(checkpoint, checkpoint_every, begins=begins)
        hooks = Hooks(callbacks)
        if self._keeper.by_number:
            hooks.add(self._keeper)
        if self.run.status == "diverged" and not isinstance(self.run.optimizer, Solver):
            raise InputError(
                f"This run blew up at iteration {self.run.diverged_at} and would again. Change the rule, "
                f"such as by tape.change(optimizer={gentler(self.run.optimizer)}), or branch before it."
            )
        data = self._data(self._segments[-1])
        if self.run.ending and self.run.solver_reason is StopReason.NONE:
            start = ready(at_end(self.run), data)  # where patience begins anew
            self._add(start, Event(self.iterations, {}), self._segments[-1].given)
        segment = self._segments[-1]
        start = ready(at_end(segment.run), data)
        if file is not None:
            check_rows(self._segments)
        try:
            follower = Recorder(self._keeper, self._stands_at, file)
            room = self._room.of(start, iterations)
            run = continue_run(start, iterations, hooks, progress, follower=follower, history=room)
        except BaseException as error:
            left = getattr(error, "run", None)
            if isinstance(left, TrainingRun):
                self._ended(segment, left)
            raise
        run = self._ended(segment, run)
        if file is not None:
            file.write(self)
        warn_of_ending(run)
        return run

    def at(self, iteration: int) -> TrainingRun:
        """The run that training had at an iteration, with its data: `resume` goes on from there.

        At an event it is the state from which training went on. Raises InputError for an iteration that
        training has not come to.
        """
        segment = self._segment_at(iteration)
        run = self._whole(segment)
        if run.iterations == iteration and not within_epoch(run) and run.status != "running":
            return run
        frame = nearest(segment.keyframes, iteration)
        before, done = None, frame.iteration
        recent = self._recent  # which another thread may change
        if recent is not None and recent[0] is segment:
            latest = recent[1]
            if done <= latest.iterations <= iteration and latest.status == "completed":
                before, done = at_end(latest), latest.iterations
        if before is None:
            before = at_end(frame.run_before(run))
        replayed = continue_run(ready(before, self._data(segment)), iteration - done)
        if replayed.iterations < iteration:
            if replayed.status == "interrupted":
                raise KeyboardInterrupt
            raise InputError(
                f"Replay from iteration {frame.iteration} ended at {replayed.iterations} "
                f"({replayed.status}), where training went on: {CHANGED}, or a metric of "
                f"your own gives other values each time."
            )
        if self._trained_here and iteration > done:  # another processor may round otherwise
            check_replayed(replayed, run)
        self._recent = segment, replayed
        return replayed

    def change(self, **changes: Any) -> TrainingRun:
        """Change settings, parameters or data from the last iteration on: an event of this tape.

        `changes` are ``optimizer``, or settings of the present one such as ``learning_rate``;
        ``parameters``; ``l1``, ``l2``, ``max_norm``, ``dropout``, ``freeze``, ``class_weight``; a
        ``batch_size`` in place of another; ``network``, of the same sizes, with other activations; ``X``,
        ``y`` and ``sample_weight``. The optimizer keeps its state; with ``average`` the mean begins
        anew at other parameters. On the full batch the last loss becomes the one with the changes. Means
        and deviations of ``standardize=True`` stay those of the first data.

        Raises what `train` raises for such settings; nothing has changed then.
        """
        if not changes:
            raise InputError("change takes what is to change by name, such as learning_rate=0.01.")
        segment = self._segments[-1]
        check_names(changes, self.run.optimizer, "change")
        given = self._given(segment)
        given = given._replace(**{name: value for name, value in changes.items() if name in given._fields})
        start = changed(ready(at_end(segment.run), self._data(segment)), given, changes)
        self._add(start, Event.of(start, changes), given)
        return self.run

    def branch(self, iteration: int | None = None, **changes: Any) -> Tape:
        """A tape of its own that shares the past up to an iteration, the last one by default.

        `changes` are those of `change`; this tape stays as it is, and the branch writes no checkpoint.
        """
        iteration = self.iterations if iteration is None else iteration
        segment = self._segment_at(iteration)
        check_names(changes, segment.run.optimizer, "branch")
        run = self.at(iteration)
        past = self._segments[: self._segments.index(segment)]
        frames = [frame for frame in segment.keyframes if frame.iteration < iteration]
        frames = frames or [Keyframe.of(at_end(run))]
        tape = copy.copy(self)
        past = [replace(one, keyframes=[*one.keyframes]) for one in past]
        tape._begin([*past, replace(segment, run=run, keyframes=frames)], *self._keeper.settings)
        if changes:
            tape.change(**changes)
        return tape

    def diff(self, other: Tape) -> Difference | None:
        """Where and by what two tapes part: the first iteration with another state; None where none has.

        A state is the parameters, their mean and the optimizer's rows. Iterations that only one of the two
        has come to are not compared.
        """
        if not isinstance(other, Tape):
            raise InputError(f"diff takes another Tape, not {type(other).__name__}.")
        last = min(self.iterations, other.iterations)
        if self.run.network.sizes != other.run.network.sizes:
            return Difference(0, ("the sizes of the networks",))
        if same_state(self.at(last), other.at(last)):
            return None
        frames = [[f for s in tape._segments for f in s.keyframes] for tape in (self, other)]
        same, differs = min(shared_until(*frames), last) - 1, last  # what has parted stays so
        while differs - same > 1:
            middle = (same + differs) // 2
            if same_state(self.at(middle), other.at(middle)):
                same = middle
            else:
                differs = middle
        ours, theirs = ([e for e in tape.events if e.iteration <= differs] for tape in (self, other))
        one, two = (tape._segment_at(differs).run for tape in (self, other))
        return Difference(differs, reasons(one, two, ours, theirs))

    # ---- Data -------------------------------------------------------------------------------------

    def attach(
        self, X: object, y: object = None, sample_weight: object = None, *, validation: object = None
    ) -> Tape:
        """Give a loaded tape the data that it was made with, and return it.

        Raises InputError for data that are not those.
        """
        given = Given(X, y, sample_weight, validation, self._engine)
        for segment in self._segments:
            new = {n: value for n, value in segment.event.changes.items() if n in given._fields}
            given = given._replace(**new)
            segment.given, segment.run = given, replace(segment.run, data=None)
        for segment in (self._segments[-1], self._segments[0]):
            self._data(segment)
        return self

    def _given(self, segment: Segment) -> Given:
        if segment.given is None:
            raise InputError(
                "This tape was loaded and holds no data: give those it was made with, tape.attach(X, y)."
            )
        return segment.given

    def _data(self, segment: Segment) -> RunData:
        """The data of a segment, which it shares with later ones up to a change of them.

        Of segments that have ended, one at a time has data of its own, made ready again.
        """
        later = self._segments[self._segments.index(segment) + 1 :]
        for one in (segment, *takewhile(lambda one: one.event.changes.keys().isdisjoint(PREPARED), later)):
            if one.run.data is not None:
                return one.run.data
        given = self._given(segment)
        first = at_end(segment.keyframes[0].run_before(self._whole(segment)))
        data = given.prepared(first, first.engine)
        check_same_data(first, data.problem)
        for other in self._segments[:-1]:
            other.run = replace(other.run, data=None)
        segment.run = ready(segment.run, data)
        return data

    # ---- Files -------------------------------------------------------------------------------------

    def as_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The arrays and the document of the file that `glassnet.save` writes, without the data."""
        *past, last = self._segments
        for place, segment in enumerate(past):  # the state of the last keyframe stands for the end
            whole = self._whole(segment)
            run = segment.keyframes[-1].run_before(whole)
            past[place] = replace(segment, run=with_histories(run, whole.iterations, whole))
        return segments_as_arrays([*past, last], self._engine)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        activations: Iterable[Activation] = (),
        losses: Iterable[Loss] = (),
        metrics: Iterable[Metric] = (),
    ) -> Tape:
        """The tape that `glassnet.save` wrote; `attach` gives it the data. As `glassnet.load` otherwise."""
        return cls.from_arrays(*read_arrays(path), path, OwnFunctions.of(activations, losses, metrics))

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        document: Mapping[str, Any],
        path: str | os.PathLike[str],
        own: OwnFunctions = NO_FUNCTIONS,
    ) -> Tape:
        """The tape of the arrays and the document of its file; errors name `path`."""
        tape = cls.__new__(cls)
        segments = segments_from_arrays(arrays, document, path, own)
        for segment in segments[:-1]:
            segment.run = ended(segment.run, segments[0].run.parameters)
        tape._begin(segments, None, MEMORY, DISK)
        tape._engine, tape._trained_here = document.get("engine", "auto"), False
        return tape

    # ---- Segments and keyframes -------------------------------------------------------------------

    def _add(self, start: TrainingRun, event: Event, given: Given | None) -> None:
        segment = Segment(event, continue_run(start, 0), given, [Keyframe.of(start)])
        last = self._segments[-1]
        last.run = ended(last.run, self._segments[0].run.parameters)
        self._segments.append(segment)
        self._room, self._recent = Room(), None
        self._keeper.begin(segment.keyframes)

    def _whole(self, segment: Segment) -> TrainingRun:
        """The run of a segment with all of the past; of one that has ended the later ones hold it."""
        later = self._segments[self._segments.index(segment) + 1 :]
        return with_past(segment.run, later[0].first, self.run) if later else segment.run

    def _ended(self, segment: Segment, run: TrainingRun) -> TrainingRun:
        if run.iterations < segment.first:  # a first batch blew up; what was before an event stays
            run = replace(segment.run, status="diverged", diverged_at=segment.first + 1)
        segment.run = run
        self._room = Room() if run.status == "diverged" else self._room  # it may have gone back
        while segment.keyframes[-1].iteration > run.iterations:  # of an epoch that was taken back
            segment.keyframes.pop()
        return run

    def _segment_at(self, iteration: int) -> Segment:
        iteration = as_count(iteration, "iteration")
        if iteration > self.iterations:
            raise InputError(
                f"iteration is {iteration:,}, but this tape has come to {self.iterations:,}: "
                f"tape.advance({iteration - self.iterations}) goes there."
            )
        return next(segment for segment in reversed(self._segments) if segment.first <= iteration)

    def _stands_at(self, run: TrainingRun) -> Tape:
        self._segments[-1].run = run
        return self
