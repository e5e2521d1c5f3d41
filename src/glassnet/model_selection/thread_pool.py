"""Many networks at a time, each on a thread of its own, with Ctrl-C, progress, warnings and errors."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from glassnet.training.loop import Progress
from glassnet.utils.interrupts import Interrupts, stop_on_interrupt
from glassnet.utils.progress import shown as shown_progress
from glassnet.utils.threads import as_they_end

T = TypeVar("T")


class ProgressLine:
    """A line on stderr: networks done, iterations a second, and the time left."""

    def __init__(self, line: Any, networks: int, done: int) -> None:
        self._line, self._networks, self._done = line, networks, done
        self._lock = threading.Lock()
        self._describe()

    def _describe(self) -> None:
        if self._line is not None:
            self._line.set_description_str(f"{self._done} of {self._networks} networks")

    @contextmanager
    def network(self, first: int, last: int, ends: bool = True) -> Iterator[Progress]:
        """A function of iteration and loss for one network, which is then done if it `ends`."""
        seen = first

        def update(iteration: int, loss: float) -> None:
            nonlocal seen
            if self._line is not None:
                with self._lock:
                    self._line.update(iteration - seen)
            seen = iteration

        yield update
        self.leave_out(last - seen, int(ends))  # iterations that a diverged network leaves out take no time

    def leave_out(self, iterations: int, networks: int) -> None:
        """Count networks as done and take iterations that will not be made from the total."""
        with self._lock:
            self._done += networks
            if self._line is not None:
                self._line.total -= iterations
            self._describe()


@contextmanager
def progress_line(
    show: bool | float, networks: int, iterations: int, done: int = 0
) -> Iterator[ProgressLine]:
    """The line while networks are trained; `iterations` are without those of the `done` networks."""
    if not show:
        yield ProgressLine(None, networks, done)
        return
    with shown_progress(show, total=iterations, unit=" iterations", unit_scale=True) as line:
        yield ProgressLine(line, networks, done)


_NUMBERS = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")


@contextmanager
def warnings_once(show: Callable[..., object] | None = None) -> Iterator[None]:
    """Give each warning of the block's networks once, and of those that differ in numbers alone the first.

    They keep their place, and filters apply as ever: what is an error is raised where it happens. `show` is
    called in place of ``warnings.showwarning``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # what shows warnings is the process's, and two sweeps would take turns wrongly
        return
    seen: set[tuple[Any, ...]] = set()
    with warnings.catch_warnings():
        given = warnings.showwarning if show is None else show

        def show_once(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            kind = category, filename, lineno, _NUMBERS.sub("", str(message))
            if kind not in seen:
                seen.add(kind)
                given(message, category, filename, lineno, file, line)

        warnings.showwarning = show_once
        yield


@contextmanager
def thread_pool(workers: int) -> Iterator[ThreadPool]:
    """Threads that are gone when the block ends; the first Ctrl-C asks all networks to stop."""
    with stop_on_interrupt() as interrupts:
        executor = ThreadPoolExecutor(workers, thread_name_prefix="glassnet-sweep")
        try:
            yield ThreadPool(executor, interrupts)
        except BaseException:
            interrupts.stop[0] = 1  # the others need not finish
            raise
        finally:
            executor.shutdown(cancel_futures=bool(interrupts.stop[0]))


class ThreadPool:
    """Runs jobs on the threads of `thread_pool`."""

    def __init__(self, executor: ThreadPoolExecutor, interrupts: Interrupts) -> None:
        self._executor, self.interrupts = executor, interrupts

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return bool(self.interrupts.stop[0])

    def run(self, jobs: Sequence[Callable[[NDArray[np.uint8]], T]], done: Callable[[T], None]) -> None:
        """Call `done` in this thread with the result of each job as it comes.

        Raises the exception of the first job that fails.
        """
        futures = [self._executor.submit(job, self.interrupts.stop) for job in jobs]
        for future in as_they_end(futures):
            done(future.result())
