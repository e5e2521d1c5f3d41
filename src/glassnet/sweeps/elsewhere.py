"""Floor 7: networks trained wherever joblib leads: other processes, a Dask or a Ray cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.streams.clusters import client_of

if TYPE_CHECKING:
    from glassnet.sweeps.plan import Plan
    from glassnet.sweeps.records import Track

TASKS_PER_WORKER = 4
"""Many networks a task, so that scheduling is no cost; some tasks for each, so that none waits long."""


def joblib_is_active() -> bool:
    """Whether a backend was chosen by ``joblib.parallel_config`` around this call."""
    parallel = sys.modules.get("joblib.parallel")
    if parallel is None:
        return False
    config: Any = getattr(getattr(parallel, "_backend", None), "config", None) or {}
    backend = config.get("backend")
    chosen = backend is not None and backend is not parallel.default_parallel_config["backend"]
    return chosen and not getattr(backend, "nesting_level", 0)


@contextmanager
def on_dask(where: object) -> Iterator[None]:
    """Sweeps go to a Dask cluster: a scheduler's address, "local" for processes here, or a client.

    The same as ``joblib.parallel_config("dask")`` around a client of one's own. Raises EngineError where no
    scheduler answers.
    """
    client = client_of(where)
    import joblib

    with joblib.parallel_config("dask", client=client):
        yield


def work_elsewhere(
    train_share: Callable[[Plan, Sequence[Track], int | None], list[Track]],
    plan: Plan,
    tracks: Sequence[Track],
    until: int | None,
    done: Callable[[int, Track], None],
    stop: NDArray[np.uint8],
) -> None:
    """Take tracks to a rung or to their end by joblib's tasks; `done` hears of each as it comes.

    After Ctrl-C, which sets `stop`, no more of them are waited for.
    """
    if not tracks:
        return
    import joblib

    run_tasks = joblib.Parallel(return_as="generator_unordered")
    count = min(len(tracks), TASKS_PER_WORKER * max(1, joblib.effective_n_jobs()))
    shares = [list(tracks[i::count]) for i in range(count)]
    given = replace(plan, cores=1)
    found: Iterator[list[Track]] = run_tasks(
        joblib.delayed(train_share)(given, share, until) for share in shares
    )
    for share in found:
        for track in share:
            done(track.task.number, track)
        if stop[0]:
            found.close()  # type: ignore[attr-defined]  # a generator
            return
