"""What goes to other processes: the data once, networks in shares, and what trains them there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection.plan import Plan
from glassnet.model_selection.records import Track
from glassnet.model_selection.search_space import Space
from glassnet.model_selection.sweep_folds import Fold
from glassnet.model_selection.thread_pool import Line
from glassnet.model_selection.trainer import Trainer

Arrays = tuple[Any, ...]


class Kept(NamedTuple):
    """In the place of validation data, which the cargo has once for all networks."""

    number: int


class Cargo:
    """A plan's data without its tasks, and a trainer over them, which tasks in one process share.

    It is pickled without the trainer; where it arrives one is made when it is asked for. Where each task
    brings it along (`kept`), a process keeps the one that came last, so that nothing is packed twice.
    """

    def __init__(self, plan: Plan, validations: Sequence[Arrays], kept: str | None = None) -> None:
        self._plan, self._validations, self._kept = plan, tuple(validations), kept
        self._lock = threading.Lock()
        self._trainer: Trainer | None = None

    @classmethod
    def of(cls, plan: Plan, kept: bool) -> Cargo:
        """What the plan's tasks have in common, to be trained on one thread each."""
        given = [task.recipe.told["validation"] for task in plan.tasks]
        arrays = {id(one): one for one in given if isinstance(one, tuple)}
        common = replace(plan, tasks=(), space=Space({}, [], []), cores=1)
        return cls(common, list(arrays.values()), uuid4().hex if kept else None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._plan, self._validations, self._kept)

    @property
    def trainer(self) -> Trainer:
        """What trains networks over these data."""
        with self._lock:
            if self._trainer is None:
                sources = self._plan.sources
                # What has come as a mapped file or as another's memory is an array like any other.
                plain = replace(
                    sources,
                    X=np.asarray(sources.X),
                    y=np.asarray(sources.y),
                    weights=_as_array(sources.weights),
                    folds=sources.folds and tuple(Fold(*map(np.asarray, fold)) for fold in sources.folds),
                )
                self._validations = tuple(tuple(map(_as_array, one)) for one in self._validations)
                self._trainer = Trainer(replace(self._plan, sources=plain))
            return self._trainer

    def light(self, track: Track) -> Track:
        """The track without validation data."""
        given = track.task.recipe.told["validation"]
        places = [i for i, one in enumerate(self._validations) if one is given]
        return _with_validation(track, Kept(places[0])) if places else track

    def whole(self, track: Track) -> Track:
        """The track with its validation data."""
        given = track.task.recipe.told["validation"]
        kept = isinstance(given, Kept)
        return _with_validation(track, self._validations[given.number]) if kept else track


_here: dict[str, Cargo] = {}
"""The cargo that came last, by its name; a worker that has nothing to do soon ends."""

_arriving = threading.Lock()


def _arrived(plan: Plan, validations: Sequence[Arrays], kept: str | None) -> Cargo:
    if kept is None:
        return Cargo(plan, validations)
    with _arriving:
        if kept not in _here:
            _here.clear()
            _here[kept] = Cargo(plan, validations, kept)
        return _here[kept]


class Answer(NamedTuple):
    """What a share gives: its tracks further on, and the seconds that they took."""

    tracks: list[Track]
    seconds: float


def train_share(cargo: Cargo, tracks: Sequence[Track], until: int | None) -> Answer:
    """What a task does: these networks one after the other, on one thread."""
    began = time.perf_counter()
    trainer, line, stop = cargo.trainer, Line(None, len(tracks), 0), np.zeros(1, np.uint8)
    done = []
    for light in tracks:
        track = trainer.trained(cargo.whole(light), until, line, stop)
        done.append(replace(track, task=light.task))
    return Answer(done, time.perf_counter() - began)


def _with_validation(track: Track, given: Any) -> Track:
    recipe = track.task.recipe
    recipe = replace(recipe, told={**recipe.told, "validation": given})
    return replace(track, task=replace(track.task, recipe=recipe))


def _as_array(given: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if given is None else np.asarray(given)
