"""glassnet: the engine on the notebook's iteration, and what anybody would call in the workloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.contest import PRECISIONS, BenchmarkError, Contestant, Repeated, Runner, TaskRunner
from benchmarks.tasks import CHECKED_EPOCHS, LEARNING_RATE, SEED, SIZES, NotebookTask, Task
from glassnet import native
from glassnet._types import Array
from glassnet._version import __version__
from glassnet.engine.prepare import prepare
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS, SGD
from glassnet.training.loop import CHUNK_SECONDS
from glassnet.training.run import TrainingRun
from glassnet.training.train import train
from glassnet.utils.threads import thread_count


class Glassnet(Runner):
    """This engine as `train` drives it: chunks by the clock, every loss recorded."""

    def __init__(self, task: NotebookTask, precision: str, engine: str, threads: int) -> None:
        self._task = task
        self.problem = prepare(
            Network(SIZES), task.X, task.y, dtype=precision, reduction="sum", engine=engine, threads=threads
        )
        self._rule = SGD(task.learning_rate, task.momentum)
        self._stop = np.zeros(1, np.uint8)
        self.reset()

    def reset(self) -> None:
        self._flat = self._task.start.flat.astype(self.problem.dtype)
        self._state = np.zeros((1, self._flat.size), self._flat.dtype)
        _, self._gradient = self.problem.loss_and_gradient(self._flat)

    def work(self, count: int) -> Array:
        losses = np.empty(count)
        done = 0
        while done < count:
            descent = self.problem.descend(
                self._flat,
                self._state,
                self._gradient,
                losses[done:],
                optimizer=self._rule,
                rates=np.array([self._task.learning_rate]),
                first_update=1 + done,
                limit=float(np.finfo(np.float64).max),
                stop=self._stop,
                seconds=CHUNK_SECONDS,
            )
            done += descent.updates
            if descent.diverged:
                raise BenchmarkError(f"glassnet's loss was not finite after {done + 1} iterations.")
        return losses


def iteration() -> list[Contestant[NotebookTask]]:
    """The native engine on 1, 2 and all threads, and the NumPy engine."""

    def contestant(
        name: str, precision: str, engine: str, threads: int, shown: int, note: str = ""
    ) -> Contestant[NotebookTask]:
        make = partial(Glassnet, precision=precision, engine=engine, threads=threads)
        return Contestant(name, "glassnet", __version__, shown, make, precision, first=1, note=note)

    cores = thread_count(None)
    note = "the reference that the native engine is held against"
    if native.module is None:
        note += f"; there is no native engine: {native.reason}"
    return [
        *(
            contestant("glassnet", precision, "native", threads, threads)
            for precision in (PRECISIONS if native.module is not None else ())
            for threads in sorted({1, 2, cores})
        ),
        contestant("glassnet, NumPy engine", "float64", "numpy", 1, cores, note),
    ]


class Training(TaskRunner):
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
        return self._train(CHECKED_EPOCHS).losses[:CHECKED_EPOCHS]

    def work(self, count: int) -> Array:
        return self._run.resume(count).losses[-count:]


def gradient(task: Task) -> Repeated:
    """The prepared problem, called with a flat vector."""
    problem = prepare(task.network, task.X, task.y, dtype=task.precision)
    return Repeated(problem.loss_and_gradient, task.start.flat.astype(task.precision))


def prediction(task: Task) -> Repeated:
    """``Network.predict_proba``."""
    return Repeated(task.network.predict_proba, task.start.astype(task.precision), task.X)


KINDS: Mapping[str, Callable[[Task], TaskRunner]] = {
    "training": Training,
    "gradient": gradient,
    "prediction": prediction,
}


def workload(task: Task) -> list[Contestant[Task]]:
    """glassnet as it comes, with the threads that it takes for itself."""
    return [Contestant("glassnet", "glassnet", __version__, thread_count(None), KINDS[task.workload.kind])]
