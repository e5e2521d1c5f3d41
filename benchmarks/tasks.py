"""What is to be done: the notebook's iteration, and workloads with their data in one precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.data.generators import generate
from glassnet.nn.network import Network, Parameters


def copies(theta: Parameters, dtype: Any) -> list[NDArray[Any]]:
    """W1, b1, W2, b2, ... as copies of a precision."""
    pairs = zip(theta.weights, theta.biases, strict=True)
    return [np.array(array, dtype) for pair in pairs for array in pair]


def one_output(theta: Parameters) -> Parameters:
    """Parameters of a two-class softmax for one logistic output, with the same loss.

    A softmax over two classes depends on the difference of its two Z alone.
    """
    W, b = theta.weights[-1], theta.biases[-1]
    others = theta.flat[: theta.flat.size - W.size - b.size]
    flat = np.concatenate([others, W[:, 1] - W[:, 0], [b[1] - b[0]]])
    return Parameters((*theta.sizes[:-1], 1), flat)


# ---- The notebook's iteration ---------------------------------------------------------------------

SIZES = (2, 3, 2)
N_SAMPLES = 50_000
NOTEBOOK_SEED = 42


@dataclass(frozen=True)
class NotebookTask:
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


def make_notebook_task(n_samples: int = N_SAMPLES) -> NotebookTask:
    """The notebook's circles and the draw that its training starts from, by its own random stream."""
    random = RandomState(NOTEBOOK_SEED)
    X, y = generate("circles", random, n_samples=n_samples)
    network = Network(SIZES)
    network.initialize(random, "normal")  # the notebook checks its gradients at this one
    Y = target_rows(y, 2, np.dtype(np.float64)).astype(np.float64)
    return NotebookTask(X, y, Y, network.initialize(random, "normal"))


# ---- Workloads ------------------------------------------------------------------------------------

Kind = Literal["training", "gradient", "prediction"]
UNITS: Mapping[Kind, str] = {"training": "epoch", "gradient": "gradient", "prediction": "prediction"}
"""What is counted and timed, by the kind of workload."""

CHECKED_EPOCHS = 3
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
    def full(self) -> bool:
        """Whether an update takes all samples."""
        return self.workload.batch_size is None

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
            if not self.full:
                permutation = np.arange(len(order))
                random.shuffle(permutation)
                order = order[permutation]
            yield order

    def checked_orders(self) -> Iterator[NDArray[np.int64]]:
        """The orders of the epochs whose losses are compared."""
        return islice(self.orders(), CHECKED_EPOCHS)

    def parameters(self, dtype: str | None = None) -> list[NDArray[Any]]:
        """W1, b1, W2, b2, ... at the start as copies."""
        return copies(self.start, dtype or self.precision)

    def with_one_output(self) -> Task:
        """A two-class softmax's task for one logistic output, with the same first loss."""
        network = Network((*self.network.sizes[:-1], 1), self.workload.hidden, "logistic")
        T = self.y[:, None].astype(self.precision)
        return replace(self, network=network, start=one_output(self.start), T=T)


def make_task(workload: Workload, precision: str) -> Task:
    """Draw the data and the parameters to start from."""
    network = Network(workload.sizes, workload.hidden, workload.output)
    X, y = workload.make(workload.n_samples)
    classes = network.loss.target == "class"
    T: Array = np.eye(workload.sizes[-1])[y] if classes else y
    return Task(
        workload,
        precision,
        network,
        np.ascontiguousarray(X, precision),
        y if classes else np.ascontiguousarray(y, precision),
        np.ascontiguousarray(T, precision),
        network.initialize(SEED, "glorot"),
    )
