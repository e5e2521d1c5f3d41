"""How many cores this process may use, and waiting for what its threads do."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from glassnet.errors import InputError, InputTypeError

MOST_THREADS = 1 << 16
"""The most threads that may be asked for; the native engine counts them by 32 bits."""


T = TypeVar("T")

_HEAR_SECONDS = 0.05


def as_they_end(futures: Sequence[Future[T]]) -> Iterator[Future[T]]:
    """The futures in the order in which they end, while the main thread hears Ctrl-C.

    The system may give a signal to any thread. Python handles it in the main thread, once that waits no
    more: `concurrent.futures.as_completed` may wait for hours.
    """
    ended: SimpleQueue[Future[T]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    left = len(futures)
    while left:
        try:
            future = ended.get(timeout=_HEAR_SECONDS)
        except Empty:
            continue
        left -= 1
        yield future


def thread_count(threads: int | None, name: str = "threads") -> int:
    """`threads`, or the cores that this process is allowed.

    None means GLASSNET_THREADS where it is set, else the smallest of the affinity mask, the cgroup's
    processor quota and, in a worker of joblib, the threads meant for it. Results do not depend on it.
    """
    if threads is None:
        setting = os.environ.get("GLASSNET_THREADS", "")
        if not setting:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            return max(1, min(cores or 1, int(_cgroup_quota()), _threads_of_joblib_worker()))
        if not setting.isdecimal() or not 1 <= int(setting) <= MOST_THREADS:
            raise InputError(
                f"GLASSNET_THREADS is {setting!r}; expected a whole number from 1 to {MOST_THREADS:,}."
            )
        return int(setting)
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)):
        raise InputTypeError(f"{name} is None or a whole number, not {threads!r}.")
    if threads < 1:
        raise InputError(f"{name} is {threads}; expected 1 or more, or None for all cores.")
    if threads > MOST_THREADS:
        raise InputError(
            f"{name} is {threads}; expected {MOST_THREADS:,} or fewer, as no machine has more cores. None "
            f"takes all cores."
        )
    return int(threads)


def _threads_of_joblib_worker() -> int:
    """The threads that a worker of joblib may start, so that all workers together fit the cores.

    joblib tells a process the number, in OMP_NUM_THREADS. A worker that is a thread gets 1.
    """
    joblib = sys.modules.get("joblib.parallel")
    if joblib is None or joblib.get_active_backend()[0].nesting_level == 0:
        return sys.maxsize
    setting = os.environ.get("OMP_NUM_THREADS", "")
    in_a_process = threading.current_thread() is threading.main_thread()
    return max(1, int(setting)) if in_a_process and setting.isdecimal() else 1


def _cgroup_quota() -> float:
    """The processors that the cgroup (version 2, then 1) allows; 1e9 for no limit."""
    unlimited = 1e9
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            folder = Path("/sys/fs/cgroup/cpu")
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text()
        except OSError:
            return unlimited
    if quota in ("max", "-1"):
        return unlimited
    return max(1.0, float(quota) / float(period))
