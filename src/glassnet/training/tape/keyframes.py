"""Keyframes: the states of a training run from which every state between them is computed again."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.encoding import PLAIN
from glassnet.errors import InputError
from glassnet.nn.network import Parameters
from glassnet.training.files.reading import run_of_network
from glassnet.training.files.writing import run_as_arrays
from glassnet.training.run import TrainingRun
from glassnet.training.validation import EVALUATIONS
from glassnet.utils.storage import arrays_as_bytes, arrays_from_bytes

MOST = 4096
"""The most keyframes of a tape, whatever their size: beyond it, every second one goes."""

_OVERHEAD = 4096
"""About the bytes of the Python objects of a keyframe, beside its arrays."""


def within_epoch(run: TrainingRun) -> bool:
    """Whether a run on batches stands within an epoch, past its last whole iteration."""
    return run.cursor is not None and run.cursor.row > 0


def without_histories(run: TrainingRun) -> TrainingRun:
    """The run without what a later run of the same training holds too."""
    kept = run.validation
    if kept is not None:
        none: dict[str, Any] = {name: getattr(kept, name)[:0].copy() for name in EVALUATIONS}
        kept = replace(kept, rows=None, test_rows=None, **none)
    return replace(run, losses=np.empty(0), solver_steps=np.empty((0, 2)), validation=kept, data=None)


def with_histories(run: TrainingRun, iteration: int, later: TrainingRun) -> TrainingRun:
    """The run at an iteration of the training that has come to `later`."""
    n_losses = iteration + (run.batch_size is None)
    kept, whole = run.validation, later.validation
    if kept is not None and whole is not None:
        n = int(np.searchsorted(whole.iterations, iteration, side="right"))
        evaluations: dict[str, Any] = {name: getattr(whole, name)[:n] for name in EVALUATIONS}
        kept = replace(kept, rows=whole.rows, test_rows=whole.test_rows, **evaluations)
    losses, steps = later.losses[:n_losses], later.solver_steps[:n_losses]
    return replace(run, losses=losses, solver_steps=steps, validation=kept)


def ended(run: TrainingRun, theta: Parameters) -> TrainingRun:
    """A run that goes on in another segment, with what neither keyframes nor a later run hold.

    These are its settings and its own last loss; `theta`, the same of every segment, stand for its state.
    """
    kept = run.validation and replace(run.validation, best_point=None, last_point=None)
    bare = replace(run, parameters=theta, averaged=None, cursor=None, validation=kept)
    bare = without_histories(replace(bare, state=run.state[:0].copy(), heard=np.empty(0)))
    return replace(bare, losses=run.losses[-1:].copy(), solver_steps=run.solver_steps)


def with_past(run: TrainingRun, iteration: int, later: TrainingRun) -> TrainingRun:
    """The `ended` run, which came to an iteration, with all that was before it."""
    whole = with_histories(run, iteration, later)
    losses = np.append(whole.losses[:-1], run.losses)
    return replace(whole, losses=losses, solver_steps=run.solver_steps)


class _Spill:
    """A temporary file without a name that a kill could leave; it goes with the last keyframe in it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - see `finalize`
        self.end, self.lock = 0, threading.Lock()  # a branch may be read while training goes on
        weakref.finalize(self, self.file.close)

    def append(self, content: bytes) -> int:
        """Write bytes at the end; where they begin."""
        with self.lock:
            place = self.end
            self.file.seek(place)
            self.file.write(content)
            self.end += len(content)
        return place

    def read(self, place: int, size: int) -> bytes:
        """The bytes from a place on."""
        with self.lock:
            self.file.seek(place)
            return self.file.read(size)


@dataclass(eq=False)
class Keyframe:
    """The state after `iteration`; on batches it may lie `within` the epoch that follows.

    It is in memory, or in a temporary file from `place` on, as the bytes of a file with a checksum.
    """

    iteration: int
    within: bool
    run: TrainingRun | None
    size: int
    spill: _Spill | None = None
    place: int = 0

    @classmethod
    def of(cls, run: TrainingRun, iteration: int | None = None) -> Keyframe:
        """The keyframe of a run as it stands; `iteration` of one that lacks its histories."""
        frame, kept, cursor = without_histories(run), run.validation, run.cursor
        arrays: list[Any] = [frame.parameters.flat, frame.state, frame.heard]
        if frame.averaged is not None:
            arrays.append(frame.averaged.flat)
        if cursor is not None:
            arrays += [cursor.order, cursor.good]
        if kept is not None:
            arrays += [kept.best_point, kept.last_point]
        size = _OVERHEAD + sum(array.nbytes for array in arrays if array is not None)
        return cls(run.iterations if iteration is None else iteration, within_epoch(run), frame, size)

    def run_before(self, later: TrainingRun) -> TrainingRun:
        """The run of this keyframe, of the training that has come to `later`."""
        run = self.run
        if run is None:
            run = restored(*self.as_arrays(), later)
        return with_histories(run, self.iteration, later)

    def as_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The arrays and the document of the state."""
        if self.run is None:
            return arrays_from_bytes(self._content(), Path("A tape's temporary file"))
        return run_as_arrays(replace(self.run, encoding=PLAIN), extra={})

    def move(self, spill: _Spill) -> None:
        """Move the state to a file."""
        content = self._content() if self.run is None else arrays_as_bytes(*self.as_arrays())
        place = spill.append(content)
        self.run, self.size, self.spill, self.place = None, len(content), spill, place

    def _content(self) -> bytes:
        assert self.spill is not None
        return self.spill.read(self.place, self.size)


class Bounds:
    """The bounds of a tape's keyframes: the newest stay in memory, older ones in a temporary file.

    Beyond `disk` bytes there, every second keyframe goes.
    """

    def __init__(self, memory: int, disk: int) -> None:
        self.memory, self.disk = memory, disk
        self._spilled: _Spill | None = None

    def keep(self, rows: list[list[Keyframe]]) -> int:
        """Keep the bounds; how many times every second keyframe of each row had to go."""
        held = _size(rows, in_memory=True)
        if held > self.memory:
            self._spill([frame for row in rows for frame in row], held - self.memory)
        times = 0
        while self._exceeded_by(rows) and any(len(row) > 1 for row in rows):
            times += 1
            for row in rows:
                del row[1::2]  # the first one begins a segment, and stays
        if times and self._spilled is not None:  # another file has no holes
            self._spilled = _Spill()
            for frame in [frame for row in rows for frame in row if frame.run is None]:
                frame.move(self._spilled)
        return times

    def _exceeded_by(self, rows: list[list[Keyframe]]) -> bool:
        sizes = _size(rows, in_memory=True) > self.memory, _size(rows, in_memory=False) > self.disk
        return sum(map(len, rows)) > MOST or any(sizes)

    def _spill(self, frames: list[Keyframe], excess: int) -> None:
        """Move the oldest keyframes to the file, fewer where it cannot be written."""
        freed = 0
        try:
            for frame in frames:
                if freed >= excess:
                    break
                if frame.run is not None:
                    if self._spilled is None:
                        self._spilled = _Spill()
                    size = frame.size
                    frame.move(self._spilled)
                    freed += size
        except (InputError, OSError):  # a generator of one's own, or a full disk
            pass


def _size(rows: list[list[Keyframe]], in_memory: bool) -> int:
    return sum(frame.size for row in rows for frame in row if (frame.run is not None) is in_memory)


def restored(arrays: Mapping[str, Any], document: Mapping[str, Any], later: TrainingRun) -> TrainingRun:
    """The keyframe's run, with what no iteration changes from `later`."""
    kept = later.validation
    run = run_of_network(later.network, arrays, document, {} if kept is None else kept.functions)
    return without_histories(replace(run, extra=later.extra, encoding=later.encoding))


def nearest(frames: Sequence[Keyframe], iteration: int) -> Keyframe:
    """The last keyframe from which training comes to the iteration.

    The first one may lie within the epoch after it: where Ctrl-C came, and then a change.
    """
    before = (
        frame
        for frame in reversed(frames)
        if frame.iteration < iteration or (frame.iteration == iteration and not frame.within)
    )
    return next(before, frames[0])
