"""Networks trained wherever joblib leads: other processes, a Dask or a Ray cluster."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from glassnet.data.dask_cluster import client_of, is_lost
from glassnet.errors import EngineError
from glassnet.model_selection.payload import Answer, Cargo, train_share
from glassnet.model_selection.plan import Plan
from glassnet.model_selection.records import Track
from glassnet.utils.interrupts import Interrupts

TASK_SECONDS = 1.0
"""Of training in a task, about: scheduling is no cost then, and a kill loses no more than that."""

TASKS_AT_A_TIME = 4
"""For each worker, where a backend tells of no task before all that it was given are done."""


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


class Elsewhere:
    """Where joblib's active backend leads, with a plan's data on the way there."""

    def __init__(self, plan: Plan) -> None:
        import joblib

        self._backend, _ = joblib.parallel.get_active_backend()
        self._workers = max(1, joblib.effective_n_jobs())
        self._client = getattr(self._backend, "client", None)
        self._cargo = Cargo.of(plan, kept=self._client is None)
        self._sent = _sent(self._cargo, self._client)

    def work(
        self,
        tracks: Sequence[Track],
        until: int | None,
        done: Callable[[Track], None],
        interrupts: Interrupts,
    ) -> None:
        """Take tracks to a rung or to their end by joblib's tasks; `done` hears of each as it comes.

        After Ctrl-C, which sets the byte of `interrupts`, no more of them are waited for. Raises what a
        network raises, and EngineError where a cluster is lost.
        """
        if not tracks:
            return
        import joblib

        tasks = {track.task.number: track.task for track in tracks}
        shares = Shares(tracks, self._workers)
        calls = (
            joblib.delayed(train_share)(self._sent, [self._cargo.light(track) for track in share], until)
            for share in shares
        )
        found = _answers(calls, self._backend, self._workers)
        try:
            while not interrupts.stop[0]:
                try:
                    interrupts.waiting = True
                    answer = next(found, None)
                except KeyboardInterrupt:
                    interrupts.stop[0] = 1  # which a worker of this terminal may have heard first
                    return
                finally:
                    interrupts.waiting = False
                if answer is None:
                    return
                shares.heard(len(answer.tracks), answer.seconds)
                for track in answer.tracks:
                    done(replace(track, task=tasks[track.task.number]))
        except Exception as error:
            if self._client is None or not is_lost(self._client, error):
                raise  # what a network has raised
            why = str(error).strip().rstrip(".")
            raise EngineError(
                f"The Dask cluster did not finish the sweep: {why}. See that its scheduler and workers run "
                f"and have enough memory for the data, and start the sweep again."
            ) from error
        finally:
            with warnings.catch_warnings():  # that tasks were cut short
                warnings.simplefilter("ignore")
                found.close()


def _sent(cargo: Cargo, client: Any) -> Any:
    """The cargo as each task is to be given it: on Dask as what a task of its own has given.

    So the data go to the cluster once, and are there again where the worker that held them is lost.
    """
    if client is None:
        return cargo
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_as_it_is, cargo, pure=False)


def _as_it_is(cargo: Cargo) -> Cargo:
    return cargo


def _answers(calls: Iterable[Any], backend: Any, workers: int) -> Generator[Answer, None, None]:
    """What tasks give, as they end where the backend can say so, else some for each worker at a time."""
    import joblib

    if backend.supports_return_generator:
        yield from joblib.Parallel(return_as="generator_unordered", batch_size=1)(calls)
        return
    with joblib.Parallel(batch_size=1) as run:
        while some := list(islice(calls, TASKS_AT_A_TIME * workers)):
            yield from run(some)


class Shares:
    """Tracks as lists for a task each, long enough to be worth sending, by what those done have taken."""

    def __init__(self, tracks: Sequence[Track], workers: int) -> None:
        # Neighbors are alike: by the golden ratio any of them is far from those before it.
        mixed = sorted(range(len(tracks)), key=lambda i: i * 0.6180339887498949 % 1)
        self._left = deque(tracks[i] for i in mixed)
        self.workers, self._size = workers, 1
        self._networks, self._seconds = 0, 0.0

    def heard(self, networks: int, seconds: float) -> None:
        """How long so many networks took."""
        self._networks += networks
        self._seconds += seconds

    def __iter__(self) -> Iterator[list[Track]]:
        while self._left:
            fair = len(self._left) // (2 * self.workers)
            if self._networks:
                each = self._seconds / self._networks
                self._size = max(1, min(int(TASK_SECONDS / max(each, 1e-9)), 4 * self._size))
            size = max(1, min(self._size, fair))
            yield [self._left.popleft() for _ in range(min(size, len(self._left)))]
