"""Members of an ensemble fitted side by side, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context, get_config

from glassnet.data.dataset import is_stream
from glassnet.utils.interrupts import stop_on_interrupt
from glassnet.utils.threads import thread_count

Params = Mapping[str, Any]


def fit_members(members: list[Any], n_threads: int | None, X: Any, y: Any, params: Params) -> list[Any]:
    """The members fitted to the same samples; after Ctrl-C those that were finished before it.

    Under an active `joblib.parallel_config` they go to wherever that leads, else to threads here.
    """
    if _is_through_joblib():
        return _through_joblib(members, X, y, params)
    # What reads a stream takes all of its memory, and its threads read side by side.
    workers = 1 if is_stream(X) else min(thread_count(n_threads), len(members))
    # Cores that have no member of their own help the others; the numbers are the same.
    share = thread_count(n_threads) // workers
    config = get_config()  # scikit-learn keeps one for each thread
    with stop_on_interrupt() as interrupts:
        stop = interrupts.stop

        def fit_one(member: Any) -> Any:
            if stop[0]:
                return None
            with config_context(**config):
                fitted = _fit(member, share, X, y, params)
            return None if stop[0] else fitted

        with ThreadPoolExecutor(workers, thread_name_prefix="glassnet-ensemble") as pool:
            try:
                futures = [pool.submit(fit_one, member) for member in members]
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()  # raises what a member raised
            except BaseException:
                stop[0] = 1  # the others need not finish
                raise
        found = [future.result() for future in futures]
    return [member for member in found if member is not None]


def _fit(member: Any, threads: int | None, X: Any, y: Any, params: Params) -> Any:
    """A member fitted on so many threads, where it can be told; its settings stay as they were given."""
    own = [name for name, value in member.get_params().items() if _is_threads(name) and value is None]
    if threads is not None:
        member.set_params(**dict.fromkeys(own, threads))
    member.fit(X, y, **params)
    return member.set_params(**dict.fromkeys(own)) if threads is not None else member


def _is_threads(name: str) -> bool:
    return name == "n_threads" or name.endswith("__n_threads")


def _is_through_joblib() -> bool:
    """Whether the caller has chosen where joblib's work goes."""
    from joblib.parallel import SequentialBackend, ThreadingBackend, get_active_backend

    backend, n_jobs = get_active_backend(prefer="threads")
    here = isinstance(backend, (SequentialBackend, ThreadingBackend)) and n_jobs in (None, 1)
    return not here and backend.nesting_level == 0


def _through_joblib(members: list[Any], X: Any, y: Any, params: Params) -> list[Any]:
    from sklearn.utils.parallel import Parallel, delayed

    found: list[Any] = Parallel(prefer="threads")(
        delayed(_fit)(member, None, X, y, params) for member in members
    )
    return found


def seeds_of(members: list[Any], random: np.random.RandomState) -> list[Any]:
    """The members, each with seeds of its own for whatever in it is drawn."""
    for member in members:
        names = sorted(
            name
            for name in member.get_params()
            if name == "random_state" or name.endswith("__random_state")
        )
        seeds: NDArray[Any] = random.randint(np.iinfo(np.int32).max, size=len(names))
        member.set_params(**dict(zip(names, seeds.tolist(), strict=True)))
    return members
