"""Who takes part: runners that do the work, contestants that make them, and why one cannot run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from glassnet._types import Array
from glassnet.errors import GlassnetError
from glassnet.utils.threads import thread_count

PRECISIONS = ("float64", "float32")

Say = Callable[[str], None]
"""Shows a line of progress."""


class BenchmarkError(GlassnetError):
    """A contestant does other work than the benchmark's, so that its time would mean nothing."""


class UnavailableError(Exception):
    """A contestant cannot run here; the message says why. The benchmark lists it and goes on."""


class Runner(ABC):
    """A contestant with its data in place."""

    def reset(self) -> None:  # noqa: B027 - gradients and predictions have no state
        """Go back to the start of training; the clock does not run."""

    @abstractmethod
    def work(self, count: int) -> Any:
        """Do `count` iterations, epochs, gradients or predictions; return the losses of training."""

    def seconds(self, count: int) -> float:
        """Seconds of each of `count` in a row, from the start."""
        self.reset()
        began = time.perf_counter()
        losses = self.work(count)
        seconds = time.perf_counter() - began
        if losses is not None and len(losses) != count:
            raise BenchmarkError(f"{type(self).__name__} recorded {len(losses)} losses of {count}.")
        return seconds / count


class TaskRunner(Runner):
    """A runner of a workload, which gives an answer to compare."""

    @abstractmethod
    def answer(self) -> Array:
        """The answer, float64, of one dimension: the losses of the first epochs in the task's orders; the
        loss and the flat gradient; or the probabilities."""


class Repeated(TaskRunner):
    """A function without state, which is called with the same arguments again and again."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function, self._arguments = function, arguments

    def answer(self) -> Array:
        return flat(self._function(*self._arguments))

    def work(self, count: int) -> None:
        function, arguments = self._function, self._arguments
        for _ in range(count):
            function(*arguments)


def flat(answer: Any) -> Array:
    """Numbers and arrays, in lists of lists, as one array of float64."""
    if isinstance(answer, (list, tuple)):
        return np.concatenate([flat(one) for one in answer])
    return np.ravel(np.asarray(answer, np.float64))


Work = TypeVar("Work")


@dataclass(frozen=True)
class Contestant(Generic[Work]):
    """A library's way to do some work; `peer` is its entry in `PEERS`, `make` puts the data in place.

    `precision` is empty where the task says it. `first` is the number of the first loss that the
    contestant records: 1 is the loss after the first update, 0 the one before it, which costs the same.
    `one_output`: the contestant computes one logistic output in place of a softmax over two classes.
    `late_epsilon`: it adds Adam's epsilon to the root before it corrects the root's bias, as scikit-learn
    does. Both change the right answer a little, and the reference follows.
    """

    name: str
    peer: str
    version: str
    threads: int
    make: Callable[[Work], Any]
    precision: str = ""
    first: int = 0
    one_output: bool = False
    late_epsilon: bool = False
    note: str = ""

    @property
    def title(self) -> str:
        """A name that no other contestant has."""
        return ", ".join(filter(None, (self.name, self.precision, threads_text(self.threads))))


def threads_text(threads: int) -> str:
    """How many threads, in words."""
    return f"{threads} thread{'s' if threads > 1 else ''}"


class OnThreads(TaskRunner):
    """Limits the matrix products of NumPy's and SciPy's libraries to `threads` threads, off the clock."""

    def __init__(self, task: Any, make: Callable[[Any], TaskRunner], threads: int) -> None:
        from threadpoolctl import ThreadpoolController

        self._limit, self._threads = ThreadpoolController().limit, threads
        with self._limit(limits=threads, user_api="blas"):
            self._runner = make(task)

    def answer(self) -> Array:
        with self._limit(limits=self._threads, user_api="blas"):
            return self._runner.answer()

    def reset(self) -> None:
        self._runner.reset()

    def work(self, count: int) -> Any:
        with self._limit(limits=self._threads, user_api="blas"):
            return self._runner.work(count)

    def seconds(self, count: int) -> float:
        with self._limit(limits=self._threads, user_api="blas"):
            return self._runner.seconds(count)


def thread_choices() -> list[int]:
    """One thread, which suits small networks, and all."""
    return sorted({1, thread_count(None)})
