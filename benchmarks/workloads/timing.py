"""The workloads' clock: first the answers, then heats, then rounds in which all take turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from benchmarks.job import BenchmarkError
from benchmarks.workloads.task import CHECKED, UNITS, Contestant, Runner, Task
from glassnet._types import Array

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
"""The largest difference from the reference, relative to its largest number: the first epoch's loss, say.
Relative to each, a loss that falls a hundredfold would show float32's rounding a hundred times as large.
Rounding grows in training: hundreds of updates in float32 move PyTorch's losses by up to 1e-4."""

LONGEST = 100
"""Epochs in a row: longer, and who is faster would train on where there is nothing left to learn."""

KEPT = 2
"""How many of a peer's ways go into the rounds: the fastest in a heat."""


HOPELESS = 5
"""A way that takes so many times as long as its peer's best does not run on."""


@dataclass
class Entry:
    """A contestant whose answer is right, and its times."""

    contestant: Contestant
    task: Task
    runner: Runner
    error: float
    count: int = 1
    heat: float = math.inf
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds of an epoch, a gradient or a prediction."""
        return float(np.median(self.seconds))


def check(who: Contestant, task: Task, runner: Runner, right: Array) -> float:
    """The answer's largest difference from the right one, or BenchmarkError where that is too large.

    Training in an order of one's own cannot be compared number by number: its losses must be there,
    finite, and lead downward from the first one.
    """
    found, what = np.asarray(runner.answer(), np.float64), f"{who.title} ({who.version})"
    training = task.workload.kind == "training"
    if found.shape != right.shape:
        raise BenchmarkError(
            f"{what} gives an answer of shape {found.shape} for {task.workload.name}, where {right.shape} "
            f"is right. Nothing was timed."
        )
    error = np.abs(found - right) / np.abs(right).max()
    wrong = ~(error <= TOLERANCE[task.precision])
    if wrong.any():
        k = int(np.argmax(wrong))
        raise BenchmarkError(
            f"{what} does another job than {task.workload.name}: its answer [{k}] is {found[k]:.12g}, "
            f"where {right[k]:.12g} is right. Nothing was timed. Leave it out with peers=[...], or mend it."
        )
    if training:
        runner.reset()
        losses = np.asarray(runner.work(CHECKED), np.float64)
        if losses.shape != (CHECKED,) or not (losses <= 1.5 * right[0]).all():
            raise BenchmarkError(
                f"{what} does another job than {task.workload.name} in an order of its own: its losses are "
                f"{losses}, those of the check {right}. Nothing was timed."
            )
    return float(error.max())


def run_heat(entry: Entry, seconds: float, best: float = math.inf) -> None:
    """Choose how many in a row fill a slice, and time a few of them for a first impression.

    One time is enough where it is hopeless beside the `best` heat of the same peer.
    """
    entry.runner.seconds(1)  # whatever compiles itself on first use does so here
    each = entry.heat = entry.runner.seconds(1)
    if each > HOPELESS * best:
        return
    longest = LONGEST if entry.task.workload.kind == "training" else math.inf
    entry.count = int(max(1, min(longest, math.ceil(seconds / each))))
    entry.heat = min(each, *(entry.runner.seconds(entry.count) for _ in range(2)))


def qualified(entries: Sequence[Entry]) -> list[Entry]:
    """The fastest `KEPT` of each peer, in the order of the entries."""
    kept = []
    for _, group in groupby(entries, lambda entry: entry.contestant.peer):
        members = list(group)
        fastest = sorted(members, key=lambda entry: entry.heat)[:KEPT]
        kept += [entry for entry in members if entry in fastest]
    return kept


def time_slice(entry: Entry, seconds: float) -> float:
    """Seconds of each over about `seconds`, in rows of `count` from the start."""
    rows = max(1, round(seconds / (entry.count * entry.heat)))
    return float(np.mean([entry.runner.seconds(entry.count) for _ in range(rows)]))


def time_rounds(
    entries: Sequence[Entry], rounds: int, seconds: float, settle: float, show: Callable[[str], None]
) -> None:
    """Time every entry once per round, forwards and backwards by turns.

    A machine that others use slows everybody in a round alike, and who comes after whom changes. Each
    slice follows a rest of `settle` seconds, in which other libraries' threads go to sleep, and a
    first go that wakes its own and fills the caches.
    """
    for number in range(rounds):
        show(f"  round {number + 1} of {rounds}")
        for entry in entries if number % 2 == 0 else reversed(entries):
            time.sleep(settle)
            entry.runner.seconds(max(1, entry.count // 10))
            entry.seconds.append(time_slice(entry, seconds))


def unit(task: Task) -> str:
    """What is counted."""
    return UNITS[task.workload.kind]
