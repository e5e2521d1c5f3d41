"""Many networks at a time, each on a thread of its own, with Ctrl-C, progress and errors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from glassnet.training.loop import Progress
from glassnet.utils.interrupts import Interrupts, stop_on_interrupt

T = TypeVar("T")


class Line:
    """A progress line on stderr: networks done, iterations a second, and the time left."""

    def __init__(self, line: Any, networks: int, done: int) -> None:
        self._line, self._networks, self._done = line, networks, done
        self._lock = threading.Lock()
        self._describe()

    def _describe(self) -> None:
        if self._line is not None:
            self._line.set_description_str(f"{self._done} of {self._networks} networks")

    @contextmanager
    def network(self, first: int, last: int, ends: bool = True) -> Iterator[Progress]:
        """A function of iteration and loss for one network, which is `done` afterwards where it ends."""
        seen = first

        def update(iteration: int, loss: float) -> None:
            nonlocal seen
            if self._line is not None:
                with self._lock:
                    self._line.update(iteration - seen)
            seen = iteration

        yield update
        with self._lock:
            self._done += ends
            if self._line is not None:
                self._line.total -= last - seen  # what a diverged network leaves out takes no time
            self._describe()

    def leave_out(self, iterations: int, networks: int) -> None:
        """Networks that go on no further."""
        with self._lock:
            self._done += networks
            if self._line is not None:
                self._line.total -= iterations
            self._describe()


@contextmanager
def progress_of(show: bool, networks: int, iterations: int, done: int = 0) -> Iterator[Line]:
    """The line while networks are trained; `done` of them were before, whose iterations do not count."""
    if not show:
        yield Line(None, networks, done)
        return
    from tqdm import tqdm

    with tqdm(
        total=iterations, unit=" iterations", unit_scale=True, file=sys.stderr, dynamic_ncols=True
    ) as line:
        yield Line(line, networks, done)


@contextmanager
def crew(workers: int) -> Iterator[Crew]:
    """Threads that are gone when the block ends; the first Ctrl-C asks all networks to stop."""
    with stop_on_interrupt() as interrupts:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="glassnet-sweep")
        try:
            yield Crew(pool, interrupts)
        except BaseException:
            interrupts.stop[0] = 1  # the others need not finish
            raise
        finally:
            pool.shutdown(cancel_futures=bool(interrupts.stop[0]))


class Crew:
    """See `crew`."""

    def __init__(self, pool: ThreadPoolExecutor, interrupts: Interrupts) -> None:
        self._pool, self.interrupts = pool, interrupts

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return bool(self.interrupts.stop[0])

    def work(
        self, jobs: Sequence[Callable[[NDArray[np.uint8]], T]], done: Callable[[int, T], None] | None = None
    ) -> list[T]:
        """What each job gives, in their order; `done` hears of each as it comes, in this thread.

        Raises what the first job that fails raises.
        """
        futures = {self._pool.submit(job, self.interrupts.stop): i for i, job in enumerate(jobs)}
        found: list[Any] = [None] * len(jobs)
        for future in as_completed(futures):
            i = futures[future]
            found[i] = future.result()
            if done is not None:
                done(i, found[i])
        return found
