"""Where and by what two tapes part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.network import Parameters
from glassnet.training.run import TrainingRun
from glassnet.training.state import at_end
from glassnet.training.tape.keyframes import Keyframe
from glassnet.training.tape.segment import Event


class Difference(NamedTuple):
    """The first iteration at which two tapes have different states, and by `what`, in words."""

    iteration: int
    what: tuple[str, ...]


def same_state(one: TrainingRun, two: TrainingRun) -> bool:
    """Whether two runs would go on alike: parameters, their mean and the optimizer's rows are equal."""
    one, two = at_end(one), at_end(two)
    pairs = [(one.parameters.flat, two.parameters.flat), (one.state, two.state)]
    if one.averaged is not None and two.averaged is not None:
        pairs.append((one.averaged.flat, two.averaged.flat))
    return all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def shared_until(ours: Sequence[Keyframe], theirs: Sequence[Keyframe]) -> int:
    """An iteration up to which two tapes have the same keyframes."""
    same = 0
    for one, two in zip(ours, theirs, strict=False):
        if one is not two:
            break
        same = one.iteration
    return same


CHANGED = "the data have changed since"


def check_replayed(replayed: TrainingRun, trained: TrainingRun) -> None:
    """Raise InputError where the last loss of a replay is not the one that training had there."""
    losses = trained.losses[len(replayed.losses) - 1], replayed.losses[-1]
    if not np.array_equal(*losses, equal_nan=True):
        raise InputError(
            f"Replay gives the loss {losses[1]:.10g} at iteration {replayed.iterations}, where training "
            f"had {losses[0]:.10g}: {CHANGED}. A tape reads X and y again; change copies of them."
        )


def _same_changes(one: Event, two: Event) -> bool:
    """Whether two events are the same one."""
    return one is two or (
        one.iteration == two.iteration
        and one.changes.keys() == two.changes.keys()
        and all(_equal(value, two.changes[name]) for name, value in one.changes.items())
    )


def _equal(one: object, two: object) -> bool:
    if isinstance(one, Parameters) or isinstance(two, Parameters):
        return one == two
    return one is two or np.array_equal(np.asarray(one), np.asarray(two))


def _settings_of(run: TrainingRun) -> dict[str, object]:
    """The settings that may differ between two runs, as text."""
    rule, penalties = run.optimizer, run.penalties
    of_fit = ("network", "batch_size", "reduction", "dropout", "freeze", "class_weight", "average", "dtype")
    settings = {name: getattr(run, name) for name in of_fit} | dict(vars(penalties))
    return {"optimizer": rule.name, **settings, **rule.settings()}


def _settings_that_differ(one: TrainingRun, two: TrainingRun) -> list[tuple[str, object, object]]:
    ours, theirs = _settings_of(one), _settings_of(two)
    names = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if "optimizer" in names:  # whose settings cannot be compared
        names = [name for name in names if name not in one.optimizer.settings()]
    return [(name, ours[name], theirs[name]) for name in names]


def reasons(
    one: TrainingRun, two: TrainingRun, ours: Sequence[Event], theirs: Sequence[Event]
) -> tuple[str, ...]:
    """By what two tapes part, from their runs before it and their events up to it."""
    while ours and theirs and _same_changes(ours[0], theirs[0]):
        ours, theirs = ours[1:], theirs[1:]
    first = [*ours[:1], *theirs[:1]]
    since = f", from iteration {min(event.iteration for event in first):,}" if first else ""
    words = [f"{name}: {a} and {b}{since}" for name, a, b in _settings_that_differ(one, two)]
    for owner, events in (("the first", ours), ("the other", theirs)):
        for event in events[:1]:
            names = [name for name in event.changes if name in _NO_SETTINGS]
            words += [f"{owner} changed {name} at iteration {event.iteration:,}" for name in names]
    return tuple(words) or ("the parameters that they begin with, or the data",)


_NO_SETTINGS = ("parameters", "X", "y", "sample_weight")
