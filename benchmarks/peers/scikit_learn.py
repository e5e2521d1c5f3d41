"""Scikit-learn: ``fit``, its bare backpropagation, and ``predict_proba``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import (
    PRECISIONS,
    Contestant,
    OnThreads,
    Repeated,
    Runner,
    TaskRunner,
    thread_choices,
)
from benchmarks.tasks import (
    BETA1,
    BETA2,
    CHECKED_EPOCHS,
    EPSILON,
    LEARNING_RATE,
    SEED,
    SIZES,
    NotebookTask,
    Task,
    copies,
    one_output,
)
from glassnet._types import Array
from glassnet.utils.threads import thread_count


@contextmanager
def no_convergence_warning() -> Iterator[None]:
    """Ignore scikit-learn's warning that training ends too early: the benchmark says when to stop."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


# ---- The notebook's iteration ---------------------------------------------------------------------


def _classifier(task: NotebookTask, **settings: Any) -> Any:
    from sklearn.neural_network import MLPClassifier

    n = len(task.X)
    # Its loss is the mean over samples, the notebook's is the sum: the rate makes up for that.
    return MLPClassifier(
        hidden_layer_sizes=SIZES[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0,
        batch_size=n,
        learning_rate_init=task.learning_rate * n,
        momentum=task.momentum,
        nesterovs_momentum=False,
        shuffle=False,
        random_state=0,
        **settings,
    )


class SklearnFit(Runner):
    """``MLPClassifier.fit``, which has one logistic output for two classes."""

    def __init__(self, task: NotebookTask, precision: str) -> None:
        self._task, self._precision = task, precision
        self._X = task.X.astype(precision)
        self._classifier = _classifier(task, warm_start=True, max_iter=1, tol=0, n_iter_no_change=np.inf)
        self._fit(1)  # makes the arrays that warm_start goes on with
        self.reset()

    def _fit(self, count: int) -> None:
        self._classifier.max_iter = count
        with no_convergence_warning():
            self._classifier.fit(self._X, self._task.y)

    def reset(self) -> None:
        W1, b1, W2, b2 = copies(one_output(self._task.start), self._precision)
        self._classifier.coefs_, self._classifier.intercepts_ = [W1, W2], [b1, b2]
        self._classifier.loss_curve_ = []

    def work(self, count: int) -> Array:
        self._fit(count)
        return np.array(self._classifier.loss_curve_[-count:]) * len(self._X)


class SklearnBackprop(Runner):
    """scikit-learn's backpropagation and update, in a bare loop, with the notebook's two outputs.

    ``fit`` gives a softmax only to three classes and more, so the loop uses the parts that ``fit`` is
    made of. It leaves out what ``fit`` does besides: checking the data, looking whether to stop.
    """

    def __init__(self, task: NotebookTask, precision: str) -> None:
        self._task, self._precision = task, precision
        self._X, self._Y = task.X.astype(precision), task.Y.astype(precision)
        self._classifier = _classifier(task)
        self._classifier.batch_size = 3
        self._classifier.partial_fit(self._X[:3], [0, 1, 2], classes=[0, 1, 2])  # makes it a softmax
        self.reset()

    def reset(self) -> None:
        from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

        W1, b1, W2, b2 = copies(self._task.start, self._precision)
        self._classifier.coefs_, self._classifier.intercepts_ = [W1, W2], [b1, b2]
        rate = self._task.learning_rate * len(self._X)
        self._optimizer = SGDOptimizer(
            [W1, W2, b1, b2], rate, "constant", self._task.momentum, nesterov=False
        )

    def work(self, count: int) -> Array:
        classifier, losses = self._classifier, []
        parameters = classifier.coefs_ + classifier.intercepts_
        activations = [self._X, None, None]
        deltas, W_grads, b_grads = [None, None], [None, None], [None, None]
        for _ in range(count):
            loss, W_grads, b_grads = classifier._backprop(
                self._X, self._Y, None, activations, deltas, W_grads, b_grads
            )
            self._optimizer.update_params(parameters, W_grads + b_grads)
            losses.append(loss)
        return np.array(losses) * len(self._X)


def iteration() -> list[Contestant[NotebookTask]]:
    """``fit`` and its parts, on all cores."""
    import sklearn

    parts = "its backpropagation and update in a bare loop, two softmax outputs"
    fit = "one logistic output, as it has for two classes: less work"
    kinds = {
        "scikit-learn, its parts": (SklearnBackprop, False, parts),
        "scikit-learn, fit": (SklearnFit, True, fit),
    }
    return [
        Contestant(
            name,
            "scikit-learn",
            sklearn.__version__,
            thread_count(None),
            partial(kind, precision=precision),
            precision,
            one_output=one,
            note=note,
        )
        for precision in PRECISIONS
        for name, (kind, one, note) in kinds.items()
    ]


# ---- Workloads ------------------------------------------------------------------------------------


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
    model = kind(
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
        shuffle=not task.full,
        random_state=SEED,
        tol=0,
        n_iter_no_change=np.inf,
        warm_start=True,
    )
    classes = np.arange(task.workload.sizes[-1])
    with no_convergence_warning():  # a fit on next to nothing makes what warm_start goes on with
        if kind is MLPClassifier:
            model.fit(np.repeat(task.X[:1], len(classes), axis=0), classes)
        else:
            model.fit(task.X[:2], values(task)[:2])
    model.batch_size = min(task.batch, len(task.X))
    return model


def values(task: Task) -> NDArray[Any]:
    """y as it takes it: one column as none."""
    return task.y.ravel() if task.workload.sizes[-1] == 1 else task.y


class Training(TaskRunner):
    """``fit``, which keeps its parameters and starts Adam and the order anew.

    Epochs are timed from the end of the first one: checking the data before it is not counted.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._estimator = estimator(task)
        # Its squared error is the mean over outputs too; its gradient is the sum's all the same.
        self._scale = task.network.sizes[-1] if task.network.output.name == "identity" else 1

    def _fit(self, epochs: int) -> Clock:
        parts, clock = self._task.parameters(), Clock()
        fitted = self._estimator
        fitted.coefs_, fitted.intercepts_, fitted.loss_curve_ = parts[::2], parts[1::2], clock
        fitted.max_iter = epochs
        with no_convergence_warning():
            fitted.fit(self._task.X, values(self._task))
        return clock

    def answer(self) -> Array:
        return np.array(self._fit(CHECKED_EPOCHS)) * self._scale

    def work(self, count: int) -> Array:
        return np.array(self._fit(count)) * self._scale

    def seconds(self, count: int) -> float:
        times = self._fit(count + 1).times
        return (times[-1] - times[0]) / count


def prediction(task: Task) -> Repeated:
    """``predict_proba`` of the rows of X."""
    model, parts = estimator(task), task.parameters()
    model.coefs_, model.intercepts_ = parts[::2], parts[1::2]
    return Repeated(model.predict_proba, task.X)


def workload(task: Task) -> list[Contestant[Task]]:
    """On one thread and on all, for what it has a public function; a gradient alone is none of them."""
    import sklearn

    kinds: dict[str, Callable[[Task], TaskRunner]] = {"training": Training, "prediction": prediction}
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
