"""What a workload is, the task that it becomes with its data, and who can do it."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.nn.network import Network, Parameters

Kind = Literal["training", "gradient", "prediction"]
UNITS: Mapping[Kind, str] = {"training": "epoch", "gradient": "gradient", "prediction": "prediction"}
"""What is counted and timed, by the kind of workload."""

CHECKED = 3
"""Epochs whose losses are compared before anything is timed."""

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
"""Adam's settings, which are everybody's defaults."""

LOG_BETA1, LOG_BETA2 = math.log(BETA1), math.log(BETA2)
"""For 1 - beta^t = -expm1(t log beta), which loses no digits in float32."""

SEED = 0
"""Of the order in which training takes the samples."""


@dataclass(frozen=True)
class Target:
    """glassnet is to be at least so many times as fast as the best that a peer has."""

    peer: str
    at_least: float


@dataclass(frozen=True)
class Workload:
    """A job by name.

    `make` draws X and y for a number of samples, always the same. `batch_size` is None for the full
    batch. The loss is the mean over samples; training is Adam's.
    """

    name: str
    kind: Kind
    sizes: tuple[int, ...]
    hidden: str
    output: str
    n_samples: int
    batch_size: int | None
    precisions: tuple[str, ...]
    make: Callable[[int], tuple[NDArray[np.float64], NDArray[Any]]]
    targets: tuple[Target, ...]
    note: str = ""

    @property
    def title(self) -> str:
        """The job in words."""
        sizes = "-".join(map(str, self.sizes))
        words = [f"{sizes} {self.hidden}", f"{self.n_samples:,} sample{'s' if self.n_samples > 1 else ''}"]
        if self.kind == "training":
            words += [f"batch {self.batch_size}" if self.batch_size else "full batch", "Adam"]
        return ", ".join([*words, f"one {UNITS[self.kind]}"])

    def shrunk(self, n_samples: int) -> Workload:
        """The same with fewer samples, for a quick look."""
        return replace(self, n_samples=min(n_samples, self.n_samples))


@dataclass(frozen=True, eq=False)
class Task:
    """A workload with its data in one precision.

    X (n, inputs) and T (n, outputs), the target rows, in the precision of the task; y as the workload
    made it, class numbers or values; `start`, the parameters in float64 that everybody starts from.
    """

    workload: Workload
    precision: str
    network: Network
    X: NDArray[Any]
    y: NDArray[Any]
    T: NDArray[Any]
    start: Parameters

    @property
    def batch(self) -> int:
        """Samples in an update."""
        return self.workload.batch_size or len(self.X)

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """Where batches begin and end in the order of an epoch; the last may be shorter."""
        n = len(self.X)
        return [(start, min(start + self.batch, n)) for start in range(0, n, self.batch)]

    def orders(self) -> Iterator[NDArray[np.int64]]:
        """The order of the samples in each epoch of the check, scikit-learn's: the last one permuted."""
        random, order = RandomState(SEED), np.arange(len(self.X))
        while True:
            if self.workload.batch_size is not None:
                permutation = np.arange(len(order))
                random.shuffle(permutation)
                order = order[permutation]
            yield order

    def parts(self, dtype: str | None = None) -> list[NDArray[Any]]:
        """W1, b1, W2, b2, ... at the start as copies."""
        pairs = zip(self.start.weights, self.start.biases, strict=True)
        return [np.array(part, dtype or self.precision) for pair in pairs for part in pair]

    def with_one_output(self) -> Task:
        """A two-class softmax's task for one logistic output, with the same first loss."""
        theta, network = (
            self.start,
            Network((*self.network.sizes[:-1], 1), self.workload.hidden, "logistic"),
        )
        W, b = theta.weights[-1], theta.biases[-1]
        kept = theta.flat[: theta.flat.size - W.size - b.size]
        start = Parameters(network.sizes, np.concatenate([kept, W[:, 1] - W[:, 0], [b[1] - b[0]]]))
        return replace(self, network=network, start=start, T=self.y[:, None].astype(self.precision))


def make_task(workload: Workload, precision: str) -> Task:
    """Draw the data and the parameters to start from."""
    network = Network(workload.sizes, workload.hidden, workload.output)
    X, y = workload.make(workload.n_samples)
    T = np.eye(workload.sizes[-1])[y] if network.loss.target == "class" else y
    start = network.initialize(SEED, "glorot")
    return Task(
        workload,
        precision,
        network,
        np.ascontiguousarray(X, precision),
        y if network.loss.target == "class" else np.ascontiguousarray(y, precision),
        np.ascontiguousarray(T, precision),
        start,
    )


class Runner(ABC):
    """A contestant with its data in place."""

    @abstractmethod
    def answer(self) -> Array:
        """What is compared: the losses of `CHECKED` epochs in the orders of the task; the loss and the
        flat gradient; or the probabilities. float64, of one dimension."""

    def reset(self) -> None:  # noqa: B027 - gradients and predictions have nothing to go back to
        """Go back to the start of training; none of this is timed."""

    @abstractmethod
    def work(self, count: int) -> Any:
        """`count` epochs in an order of its own, gradients or predictions; the losses of epochs."""

    def seconds(self, count: int) -> float:
        """Seconds of each of `count` in a row, from the start."""
        self.reset()
        began = time.perf_counter()
        self.work(count)
        return (time.perf_counter() - began) / count


@dataclass(frozen=True)
class Contestant:
    """Someone who can do a task in one way of `peer`'s.

    `late_epsilon`: Adam's epsilon is added to the root before the root's bias is corrected, as in
    scikit-learn; everybody else adds it afterwards. `one_output`: it does the task with one logistic
    output. Both change the right answer a little, and the reference follows.
    """

    name: str
    peer: str
    version: str
    threads: int
    make: Callable[[Task], Runner]
    late_epsilon: bool = False
    one_output: bool = False
    note: str = ""

    @property
    def title(self) -> str:
        """What tells it from every other one."""
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"
