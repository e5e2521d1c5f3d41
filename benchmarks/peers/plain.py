"""The workloads in plain NumPy: the judge of everybody's answers, and a contestant itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import Contestant, OnThreads, Repeated, TaskRunner, thread_choices
from benchmarks.tasks import BETA1, BETA2, EPSILON, LEARNING_RATE, Task
from glassnet._types import Array


def forward(parameters: list[Array], X: Array, hidden: str) -> list[Array]:
    """Every layer's output, [X, H1, ..., Z]; the last one without its link."""
    H, pairs = [X], list(zip(parameters[::2], parameters[1::2], strict=True))
    for W, b in pairs[:-1]:
        Z = H[-1] @ W + b
        if hidden == "relu":
            H.append(np.maximum(Z, 0))
        else:
            H.append(np.tanh(Z) if hidden == "tanh" else 1 / (1 + np.exp(-Z)))
    W, b = pairs[-1]
    return [*H, H[-1] @ W + b]


def head(Z: Array, T: Array, output: str) -> tuple[float, Array]:
    """The sum of the samples' losses, and its derivative by Z."""
    if output == "identity":
        return float(0.5 * np.square(Z - T).sum()), Z - T
    if output == "logistic":
        loss = np.maximum(Z, 0) - Z * T + np.log1p(np.exp(-np.abs(Z)))
        return float(loss.sum()), 1 / (1 + np.exp(-Z)) - T
    Z = Z - Z.max(axis=1, keepdims=True)
    e = np.exp(Z)
    total = e.sum(axis=1, keepdims=True)
    return float((np.log(total[:, 0]) - (Z * T).sum(axis=1)).sum()), e / total - T


def gradient(
    parameters: list[Array], X: Array, T: Array, hidden: str, output: str
) -> tuple[float, list[NDArray[np.floating]]]:
    """The mean loss and its derivatives by W1, b1, W2, b2, ..."""
    H = forward(parameters, X, hidden)
    loss, delta = head(H[-1], T, output)
    delta = delta / len(X)
    gradients: list[Array] = []
    for layer in range(len(parameters) // 2 - 1, -1, -1):
        gradients[:0] = [H[layer].T @ delta, delta.sum(axis=0)]
        if layer:
            delta = delta @ parameters[2 * layer].T
            if hidden == "relu":
                delta *= H[layer] > 0
            else:
                delta *= 1 - H[layer] ** 2 if hidden == "tanh" else H[layer] * (1 - H[layer])
    return loss / len(X), gradients


class Adam:
    """Adam's rule (Kingma and Ba, 2015), in place; see `Contestant` on `late`."""

    def __init__(self, parameters: list[Array], late: bool = False) -> None:
        self._parameters, self._late, self._t = parameters, late, 0
        self._m = [np.zeros_like(array) for array in parameters]
        self._v = [np.zeros_like(array) for array in parameters]

    def step(self, gradients: list[Array]) -> None:
        """One update."""
        self._t += 1
        first, second = 1 - BETA1**self._t, np.sqrt(1 - BETA2**self._t)
        for array, g, m, v in zip(self._parameters, gradients, self._m, self._v, strict=True):
            m += (1 - BETA1) * (g - m)
            v += (1 - BETA2) * (g * g - v)
            root = np.sqrt(v) + EPSILON if self._late else np.sqrt(v) / second + EPSILON
            array -= LEARNING_RATE * (second if self._late else 1.0) / first * m / root


class NumpyTraining(TaskRunner):
    """Epochs of Adam; recorded is the mean over samples of the losses before each update."""

    def __init__(self, task: Task, dtype: str | None = None, late: bool = False) -> None:
        self._task, self._late, self._dtype = task, late, dtype or task.precision
        self._X, self._T = task.X.astype(self._dtype), task.T.astype(self._dtype)
        self.reset()

    def reset(self) -> None:
        self._parameters = self._task.parameters(self._dtype)
        self._adam = Adam(self._parameters, self._late)

    def _epoch(self, order: NDArray[np.int64]) -> float:
        network, total, hidden = self._task.network, 0.0, self._task.workload.hidden
        for start, stop in self._task.bounds:
            rows = order[start:stop]
            X, T = (self._X[rows], self._T[rows]) if len(rows) < len(order) else (self._X, self._T)
            loss, gradients = gradient(self._parameters, X, T, hidden, network.output.name)
            self._adam.step(gradients)
            total += loss * len(rows)
        return total / len(order)

    def answer(self) -> Array:
        self.reset()
        return np.array([self._epoch(order) for order in self._task.checked_orders()])

    def work(self, count: int) -> Array:
        random, n = np.random.default_rng(), len(self._X)
        orders = (np.arange(n) if self._task.full else random.permutation(n) for _ in range(count))
        return np.array([self._epoch(order) for order in orders])


def loss_and_gradient(task: Task, dtype: str | None = None) -> Repeated:
    """The loss and its gradient at the start."""
    dtype = dtype or task.precision
    X, T = task.X.astype(dtype), task.T.astype(dtype)
    return Repeated(gradient, task.parameters(dtype), X, T, task.workload.hidden, task.network.output.name)


def prediction(task: Task, dtype: str | None = None) -> Repeated:
    """Probabilities of the rows of X."""

    def predict(parameters: list[Array], X: Array) -> Array:
        Z = forward(parameters, X, task.workload.hidden)[-1]
        e = np.exp(Z - Z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    dtype = dtype or task.precision
    return Repeated(predict, task.parameters(dtype), task.X.astype(dtype))


KINDS: Mapping[str, Callable[..., TaskRunner]] = {
    "training": NumpyTraining,
    "gradient": loss_and_gradient,
    "prediction": prediction,
}


def right_answer(task: Task, late: bool = False) -> Array:
    """What everybody has to find, computed in float64 from the task's data and start."""
    settings = {"late": late} if task.workload.kind == "training" else {}
    return KINDS[task.workload.kind](task, "float64", **settings).answer()


def workload(task: Task) -> list[Contestant[Task]]:
    """Plain NumPy, which is threaded in its matrix products alone."""
    make = KINDS[task.workload.kind]
    return [
        Contestant(
            "NumPy", "numpy", np.__version__, threads, partial(OnThreads, make=make, threads=threads)
        )
        for threads in thread_choices()
    ]
