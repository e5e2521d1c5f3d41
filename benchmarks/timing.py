"""The clock: compare the answers first, then choose the length of slices, then time all in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import BenchmarkError, Contestant, Runner, Say
from glassnet._types import Array

SETTLE = 0.05
"""Seconds of rest before a slice: threads of other libraries spin for a while after their last work."""

FASTEST = 2
"""How many contestants of a peer go into the rounds: the fastest in a heat."""

HOPELESS = 5
"""A contestant that takes so many times as long as its peer's best does not run on."""

Result = TypeVar("Result")


def compare(
    found: Any,
    right: Array,
    tolerance: float,
    *,
    who: str,
    job: str,
    of_largest: bool = False,
    first: int = 0,
) -> float:
    """The largest relative difference of an answer from the right one.

    Relative to each number, or to the largest one where `of_largest` is true. `first` is the number of the
    first value in the message. Raises BenchmarkError where the difference exceeds `tolerance`.
    """
    found = np.asarray(found, np.float64)
    if found.shape != right.shape:
        raise BenchmarkError(
            f"{who} gives an answer of shape {found.shape} for {job}, where {right.shape} is right. "
            f"Nothing was timed."
        )
    scale = np.abs(right)
    error = np.abs(found - right) / (scale.max() if of_largest else scale)
    wrong = ~(error <= tolerance)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise BenchmarkError(
            f"{who} does another job than {job}: its value [{k + first}] is {found.flat[k]:.12g}, where "
            f"{right.flat[k]:.12g} is right. Nothing was timed. Leave it out with peers=[...], or mend it."
        )
    return float(error.max())


@dataclass
class Entry:
    """A contestant whose answer is right, and its times.

    `count` of the work are done in a row, `warm` before each slice (None: a tenth of `count`).
    """

    contestant: Contestant[Any]
    runner: Runner
    error: float
    count: int = 1
    warm: int | None = None
    heat: float = math.inf
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds of an iteration, an epoch, a gradient or a prediction."""
        return float(np.median(self.seconds))


def run_heat(
    entry: Entry, seconds: float, *, probe: int = 1, longest: float = math.inf, best: float = math.inf
) -> None:
    """Choose how many in a row, at most `longest`, fill a slice; time a few for a first impression.

    A contestant that is hopeless beside the `best` heat of its peer is timed once, `probe` in a row.
    """
    entry.runner.seconds(probe)  # whatever compiles itself on first use does so here
    seconds_of_one = entry.heat = entry.runner.seconds(probe)
    if seconds_of_one > HOPELESS * best:
        return
    entry.count = int(max(1, min(longest, math.ceil(seconds / seconds_of_one))))
    entry.heat = min(seconds_of_one, *(entry.runner.seconds(entry.count) for _ in range(2)))


def qualified(entries: Sequence[Entry]) -> list[Entry]:
    """The fastest `FASTEST` of each peer, in the order of the entries."""
    chosen = []
    for _, entries_of_peer in groupby(entries, lambda entry: entry.contestant.peer):
        members = list(entries_of_peer)
        fastest = sorted(members, key=lambda entry: entry.heat)[:FASTEST]
        chosen += [entry for entry in members if entry in fastest]
    return chosen


def time_slice(entry: Entry, seconds: float) -> float:
    """Seconds of each over about `seconds`, in rows of `count` from the start."""
    rows = max(1, round(seconds / (entry.count * entry.heat)))
    return float(np.mean([entry.runner.seconds(entry.count) for _ in range(rows)]))


def time_rounds(
    entries: Sequence[Entry],
    rounds: int,
    seconds: float,
    say: Say,
    before_round: Callable[[], None] = lambda: None,
) -> None:
    """Time every entry once per round, forwards and backwards by turns.

    A machine that others use slows everybody in a round alike, and who comes after whom changes. Each
    slice of about `seconds` follows a rest, in which other libraries' threads go to sleep, and a first go
    that wakes its own and fills the caches.
    """
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        before_round()
        for entry in entries if number % 2 == 0 else reversed(entries):
            time.sleep(min(SETTLE, seconds))
            entry.runner.seconds(entry.warm or max(1, entry.count // 10))
            entry.seconds.append(time_slice(entry, seconds))


def ratio(slow: Sequence[float] | NDArray[np.float64], fast: Sequence[float]) -> float:
    """The median over rounds of how many times as long the first took."""
    return float(np.median(np.asarray(slow) / np.asarray(fast)))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the seconds that it takes."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
