"""Scikit-learn in the workloads: ``fit`` and ``predict_proba``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads.blas import OnThreads, thread_choices
from benchmarks.workloads.task import (
    BETA1,
    BETA2,
    CHECKED,
    EPSILON,
    LEARNING_RATE,
    SEED,
    Contestant,
    Runner,
    Task,
)
from glassnet._types import Array


@contextmanager
def no_advice() -> Iterator[None]:
    """No word of training that ends too early: it is told when to stop."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class Clock(list[float]):
    """A loss curve that notes when each epoch's loss was appended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, loss: float) -> None:
        self.times.append(time.perf_counter())
        super().append(loss)


def estimator(task: Task) -> Any:
    """A fitted MLPClassifier or MLPRegressor at the start."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if task.network.output.name == "identity" else MLPClassifier
    found = kind(
        hidden_layer_sizes=task.network.sizes[1:-1],
        activation=task.workload.hidden,
        solver="adam",
        alpha=0,
        batch_size=2,
        learning_rate_init=LEARNING_RATE,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPSILON,
        max_iter=1,
        shuffle=task.workload.batch_size is not None,
        random_state=SEED,
        tol=0,
        n_iter_no_change=np.inf,
        warm_start=True,
    )
    classes = np.arange(task.workload.sizes[-1])
    with no_advice():  # a fit on next to nothing makes what warm_start goes on with
        if kind is MLPClassifier:
            found.fit(np.repeat(task.X[:1], len(classes), axis=0), classes)
        else:
            found.fit(task.X[:2], values(task)[:2])
    found.batch_size = min(task.batch, len(task.X))
    return found


def values(task: Task) -> NDArray[Any]:
    """y as it takes it: one column as none."""
    return task.y.ravel() if task.workload.sizes[-1] == 1 else task.y


class Training(Runner):
    """``fit``, which keeps its parameters and starts Adam and the order anew.

    Epochs are timed from the end of the first one: checking the data before it is not counted.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._estimator = estimator(task)
        # Its squared error is the mean over outputs too; its gradient is the sum's all the same.
        self._scale = task.network.sizes[-1] if task.network.output.name == "identity" else 1

    def _fit(self, epochs: int) -> Clock:
        parts, clock = self._task.parts(), Clock()
        fitted = self._estimator
        fitted.coefs_, fitted.intercepts_, fitted.loss_curve_ = parts[::2], parts[1::2], clock
        fitted.max_iter = epochs
        with no_advice():
            fitted.fit(self._task.X, values(self._task))
        return clock

    def answer(self) -> Array:
        return np.array(self._fit(CHECKED)) * self._scale

    def work(self, count: int) -> Array:
        return np.array(self._fit(count)) * self._scale

    def seconds(self, count: int) -> float:
        times = self._fit(count + 1).times
        return (times[-1] - times[0]) / count


class Prediction(Runner):
    """``predict_proba`` of the rows of X."""

    def __init__(self, task: Task) -> None:
        self._X, self._estimator = task.X, estimator(task)
        parts = task.parts()
        self._estimator.coefs_, self._estimator.intercepts_ = parts[::2], parts[1::2]

    def answer(self) -> Array:
        return self._estimator.predict_proba(self._X).ravel().astype(np.float64)

    def work(self, count: int) -> None:
        predict, X = self._estimator.predict_proba, self._X
        for _ in range(count):
            predict(X)


def contestants(task: Task) -> list[Contestant]:
    """On one thread and on all, for what it has a public function; a gradient alone is none of them."""
    import sklearn

    kinds = {"training": Training, "prediction": Prediction}
    if task.workload.kind not in kinds:
        return []
    one_output = task.workload.kind == "training" and task.workload.sizes[-1] == 2
    return [
        Contestant(
            "scikit-learn",
            "scikit-learn",
            sklearn.__version__,
            threads,
            partial(OnThreads, make=kinds[task.workload.kind], threads=threads),
            late_epsilon=True,
            one_output=one_output and task.network.output.name == "softmax",
            note="for two classes one logistic output: less work" if one_output else "",
        )
        for threads in thread_choices()
    ]
