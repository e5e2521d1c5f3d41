"""A runner held to a number of threads in the matrix products of NumPy's and SciPy's libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workloads.task import Runner, Task
from glassnet._types import Array
from glassnet.utils.threads import thread_count


class OnThreads(Runner):
    """Does what `make` makes, on so many threads; setting that is not timed."""

    def __init__(self, task: Task, make: Callable[[Task], Runner], threads: int) -> None:
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
