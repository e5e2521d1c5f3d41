"""Glassnet in the workloads, through what anybody would call."""

from __future__ import annotations

import numpy as np

from benchmarks.workloads.task import CHECKED, LEARNING_RATE, SEED, Contestant, Runner, Task
from glassnet._types import Array
from glassnet._version import __version__
from glassnet.engine.prepare import prepare
from glassnet.optim import OPTIMIZERS
from glassnet.training.run import TrainingRun
from glassnet.training.train import train
from glassnet.utils.threads import thread_count


class Training(Runner):
    """``gn.train`` for the check, ``run.resume`` for the clock, which then has no data to prepare."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._run = self._train(1)

    def _train(self, epochs: int) -> TrainingRun:
        task = self._task
        return train(
            task.network,
            task.X,
            task.y,
            optimizer=OPTIMIZERS["adam"](learning_rate=LEARNING_RATE),
            iterations=epochs,
            batch_size=task.workload.batch_size,
            parameters=task.start.astype(task.precision),
            random_state=SEED,
            dtype=task.precision,
        )

    def answer(self) -> Array:
        # Of the full batch it records the loss before the first update too: everybody's first.
        return self._train(CHECKED).losses[:CHECKED]

    def work(self, count: int) -> Array:
        return self._run.resume(count).losses[-count:]


class Gradient(Runner):
    """The prepared problem, called with a flat vector."""

    def __init__(self, task: Task) -> None:
        self._problem = prepare(task.network, task.X, task.y, dtype=task.precision)
        self._flat = task.start.flat.astype(task.precision)

    def answer(self) -> Array:
        loss, gradient = self._problem.loss_and_gradient(self._flat)
        answer: Array = np.concatenate([[loss], gradient]).astype(np.float64)
        return answer

    def work(self, count: int) -> None:
        evaluate, flat = self._problem.loss_and_gradient, self._flat
        for _ in range(count):
            evaluate(flat)


class Prediction(Runner):
    """``Network.predict_proba``."""

    def __init__(self, task: Task) -> None:
        self._network, self._X = task.network, task.X
        self._theta = task.start.astype(task.precision)

    def answer(self) -> Array:
        return self._network.predict_proba(self._theta, self._X).ravel().astype(np.float64)

    def work(self, count: int) -> None:
        predict, theta, X = self._network.predict_proba, self._theta, self._X
        for _ in range(count):
            predict(theta, X)


KINDS = {"training": Training, "gradient": Gradient, "prediction": Prediction}


def contestants(task: Task) -> list[Contestant]:
    """glassnet as it comes, with the threads that it takes for itself."""
    return [Contestant("glassnet", "glassnet", __version__, thread_count(None), KINDS[task.workload.kind])]
