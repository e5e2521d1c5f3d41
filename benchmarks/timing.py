"""First the losses, then the time: slices of all contestants in turns, round after round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import BenchmarkError, Contestant, Job, Runner
from benchmarks.notebook import Notebook
from glassnet._types import Array
from glassnet.nn.network import Network
from glassnet.optim import SGD
from glassnet.training.train import train

CHECKED = 20
"""Iterations whose losses are compared before anything is timed."""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
"""The largest relative difference of a loss from the notebook's."""


def true_losses(job: Job, outputs: int = 2, count: int = CHECKED) -> Array:
    """The notebook's losses after 0 to `count` iterations.

    For one logistic output, which takes other steps from the same first loss, the NumPy engine's:
    it is held against the notebook where the two are the same, before the first update.
    """
    notebook = Notebook(job)
    if outputs == 2:
        return np.append(notebook.loss, notebook.iterate(count))
    losses = train(
        Network((2, 3, 1), output="logistic"),
        job.X,
        job.y,
        optimizer=SGD(job.learning_rate, job.momentum),
        iterations=count,
        reduction="sum",
        parameters=job.one_output,
        engine="numpy",
    ).losses
    if abs(losses[0] / notebook.loss - 1) > TOLERANCE["float64"]:
        raise BenchmarkError(f"One logistic output starts at {losses[0]}, the notebook at {notebook.loss}.")
    return losses


def check(contestant: Contestant, runner: Runner, truth: Array) -> float:
    """The largest relative difference of the contestant's losses, or BenchmarkError where it is too large.

    `truth` are the losses after 0, 1, ... iterations, one more than are compared.
    """
    count = len(truth) - 1
    wanted = truth[contestant.first :][:count]
    runner.reset()
    losses = np.asarray(runner.iterate(count), np.float64)
    if losses.shape != wanted.shape:
        raise BenchmarkError(
            f"{contestant.title} recorded losses of shape {losses.shape} in {count} iterations; expected "
            f"one for each. Nothing was timed."
        )
    wrong = ~(np.abs(losses / wanted - 1) <= TOLERANCE[contestant.precision])
    if wrong.any():
        k = int(np.argmax(wrong))
        raise BenchmarkError(
            f"{contestant.title} ({contestant.version}) does another job: its loss of iteration "
            f"{k + contestant.first} is {losses[k]:.12g}, where {wanted[k]:.12g} is right. Nothing was "
            f"timed. Leave it out with peers=[...], or mend it."
        )
    return float(np.abs(losses / wanted - 1).max())


@dataclass
class Entry:
    """A contestant that passed the check, and its times."""

    contestant: Contestant
    runner: Runner
    error: float
    iterations: int = 1
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds per iteration."""
        return float(np.median(self.seconds))


SETTLE = 0.05
"""Seconds of rest before a slice: threads of other libraries spin for a while after their last work."""


def calibrate(entry: Entry, seconds: float) -> None:
    """Choose how many iterations fill a slice; whatever compiles itself on first use does so here."""
    entry.runner.reset()
    began = time.perf_counter()
    entry.runner.iterate(CHECKED)
    each = (time.perf_counter() - began) / CHECKED
    entry.iterations = max(1, math.ceil(seconds / each))
    time_slice(entry)


def time_slice(entry: Entry) -> float:
    """Seconds per iteration over a slice, from the start."""
    entry.runner.reset()
    began = time.perf_counter()
    losses = entry.runner.iterate(entry.iterations)
    seconds = time.perf_counter() - began
    if len(losses) != entry.iterations:
        raise BenchmarkError(f"{entry.contestant.title} did not record a loss for each iteration.")
    return seconds / entry.iterations


def time_rounds(
    entries: Sequence[Entry],
    rounds: int,
    settle: float,
    before_round: Callable[[], None],
    show: Callable[[str], None],
) -> None:
    """Time every entry once per round, forwards and backwards by turns, and keep seconds per iteration.

    A machine that others use slows everybody in a round alike, and who comes after whom changes.
    Each slice follows a rest of `settle` seconds and a few iterations that wake its own threads and
    fill the caches.
    """
    for number in range(rounds):
        show(f"round {number + 1} of {rounds}")
        before_round()
        for entry in entries if number % 2 == 0 else reversed(entries):
            time.sleep(settle)
            entry.runner.reset()
            entry.runner.iterate(CHECKED)
            entry.seconds.append(time_slice(entry))


def ratio(slow: Sequence[float] | NDArray[np.float64], fast: Sequence[float]) -> float:
    """The median over rounds of how many times as long the first took."""
    return float(np.median(np.asarray(slow) / np.asarray(fast)))
