"""The job that is timed, and what a contestant is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.data.generators import generate
from glassnet.errors import GlassnetError
from glassnet.nn.network import Network, Parameters

SIZES = (2, 3, 2)
N_SAMPLES = 50_000
SEED = 42


class BenchmarkError(GlassnetError):
    """A contestant that does another job than the notebook's, so that its time would mean nothing."""


class UnavailableError(Exception):
    """A contestant that cannot run here; the message says why. The benchmark lists it and goes on."""


@dataclass(frozen=True)
class Job:
    """The notebook's training: X (n, 2), class numbers y (n,), the same as rows Y (n, 2), the start.

    The loss is the sum of the samples' cross-entropies; an iteration is one update by
    V <- momentum V - learning_rate g, theta <- theta + V, with its loss recorded.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    Y: NDArray[np.float64]
    start: Parameters
    learning_rate: float = 1e-4
    momentum: float = 0.5

    @property
    def one_output(self) -> Parameters:
        """The start as a network with one logistic output, which has the same first loss.

        A softmax over two classes depends on the difference of its two Z alone.
        """
        flat = [*self.start.flat[:9], *(self.start.flat[10::2] - self.start.flat[9::2])]
        return Parameters((2, 3, 1), np.array(flat))


def make_job(n_samples: int = N_SAMPLES) -> Job:
    """The notebook's circles and the draw that its training starts from, by its own random stream."""
    random = RandomState(SEED)
    X, y = generate("circles", random, n_samples=n_samples)
    network = Network(SIZES)
    network.initialize(random, "normal")  # the notebook checks its gradients at this one
    return Job(
        X,
        y,
        target_rows(y, 2, np.dtype(np.float64)).astype(np.float64),
        network.initialize(random, "normal"),
    )


class Runner(Protocol):
    """A contestant with its data in place."""

    def reset(self) -> None:
        """Go back to the start; none of this is timed."""

    def iterate(self, count: int) -> Array:
        """Make `count` iterations after a `reset` and give their losses, one for each, as recorded."""


@dataclass(frozen=True)
class Contestant:
    """Someone who can do the job.

    `peer` is its entry in `PEERS`. `first` is where its record begins: 1 is the loss after the first
    update, 0 is the one before it, which costs the same. `outputs` is 1 for a network with one
    logistic output in place of a softmax over two.
    """

    name: str
    peer: str
    version: str
    precision: str
    threads: int
    make: Callable[[Job], Runner]
    first: int = 0
    outputs: int = 2
    note: str = ""

    @property
    def title(self) -> str:
        """What tells it from every other one."""
        count = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.name}, {self.precision}, {count}"


def split(theta: Parameters, dtype: Any) -> list[NDArray[Any]]:
    """W1, b1, W2, b2 as copies of a precision."""
    pairs = zip(theta.weights, theta.biases, strict=True)
    return [np.array(part, dtype) for pair in pairs for part in pair]
