"""Floor 1: how many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from glassnet.errors import InputError, InputTypeError


def thread_count(threads: int | None) -> int:
    """`threads`, or the cores that this process is allowed.

    None takes GLASSNET_THREADS where it is set, else the smaller of the affinity mask and the
    cgroup's processor quota. Results do not depend on it.
    """
    if threads is None:
        setting = os.environ.get("GLASSNET_THREADS", "")
        if not setting:
            return _allowed_cores()
        if not setting.isdecimal() or int(setting) < 1:
            raise InputError(f"GLASSNET_THREADS is {setting!r}; expected a whole number from 1 up.")
        return int(setting)
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)):
        raise InputTypeError(f"threads is None or a whole number, not {threads!r}.")
    if threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more, or None for all cores.")
    return int(threads)


def _allowed_cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, int(_cgroup_quota())))


def _cgroup_quota() -> float:
    """The processors that the cgroup (version 2, then 1) allows; infinite is written as a large number."""
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
