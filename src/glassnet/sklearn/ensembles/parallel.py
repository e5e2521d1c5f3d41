"""Members of an ensemble fitted side by side, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from sklearn import config_context, get_config

from glassnet.data.dataset import is_stream
from glassnet.utils.interrupts import stop_on_interrupt
from glassnet.utils.threads import thread_count

Params = Mapping[str, Any]


def fit_members(members: list[Any], n_threads: int | None, X: Any, y: Any, params: Params) -> list[Any]:
    """The members fitted to the same samples; after Ctrl-C those that were finished before it.

    Under an active `joblib.parallel_config` its backend fits them, else threads of this process.
    """
    if _has_joblib_backend():
        from sklearn.utils.parallel import Parallel, delayed

        fitted: list[Any] = Parallel(prefer="threads")(
            delayed(_fit)(member, None, X, y, params) for member in members
        )
        return fitted
    # A fit that streams takes all of its memory, and its threads read side by side.
    workers = 1 if is_stream(X) else min(thread_count(n_threads), len(members))
    # Cores without a member of their own help the others; the numbers are the same.
    threads = thread_count(n_threads) // workers
    config = get_config()  # scikit-learn keeps one for each thread
    with stop_on_interrupt() as interrupts:
        stop = interrupts.stop

        def fit(member: Any) -> Any:
            if stop[0]:
                return None
            with config_context(**config):
                model = _fit(member, threads, X, y, params)
            return None if stop[0] else model

        with ThreadPoolExecutor(workers, thread_name_prefix="glassnet-ensemble") as pool:
            try:
                futures = [pool.submit(fit, member) for member in members]
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()  # raises what a member raised
            except BaseException:
                stop[0] = 1  # the others need not finish
                raise
        models = [future.result() for future in futures]
    return [model for model in models if model is not None]


def _fit(member: Any, threads: int | None, X: Any, y: Any, params: Params) -> Any:
    """The member fitted, on so many threads where it takes their number; its settings stay as they were."""
    unset = [name for name in _names_of("n_threads", member) if member.get_params()[name] is None]
    if threads is not None:
        member.set_params(**dict.fromkeys(unset, threads))
    member.fit(X, y, **params)
    return member.set_params(**dict.fromkeys(unset)) if threads is not None else member


def _names_of(setting: str, member: Any) -> list[str]:
    """The names under which a setting of the member, or of what it is made of, goes."""
    return sorted(name for name in member.get_params() if name == setting or name.endswith(f"__{setting}"))


def _has_joblib_backend() -> bool:
    """Whether the caller has chosen where joblib computes."""
    from joblib.parallel import SequentialBackend, ThreadingBackend, get_active_backend

    backend, n_jobs = get_active_backend(prefer="threads")
    here = isinstance(backend, (SequentialBackend, ThreadingBackend)) and n_jobs in (None, 1)
    return not here and backend.nesting_level == 0


def draw_seeds(members: list[Any], random: np.random.RandomState) -> None:
    """Give each member seeds of its own, for whatever in it is drawn."""
    for member in members:
        names = _names_of("random_state", member)
        seeds = random.randint(np.iinfo(np.int32).max, size=len(names))
        member.set_params(**dict(zip(names, seeds.tolist(), strict=True)))
