"""Networks trained wherever joblib leads: in other processes, on a Dask or a Ray cluster.

The data travel once, as a `Payload`; networks travel in lists long enough to be worth a joblib task.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from glassnet.data.arrays import InMemory
from glassnet.data.dask_cluster import client_of, is_lost
from glassnet.errors import EngineError
from glassnet.model_selection.plan import Plan, TaskState, validation_arrays
from glassnet.model_selection.search_space import SearchSpace
from glassnet.model_selection.sweep_folds import Fold
from glassnet.model_selection.thread_pool import ProgressLine, warnings_once
from glassnet.model_selection.worker import Worker
from glassnet.utils.interrupts import Interrupts

LIST_SECONDS = 1.0
"""About how long a list of networks trains: scheduling costs nothing then, and a kill loses little."""

LISTS_AT_A_TIME = 4
"""The lists for each worker, where a backend reports no result before it has all that it was asked for."""


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


# ---- Here ---------------------------------------------------------------------------------------


class JoblibBackend:
    """The backend that is active in joblib, and a plan's data on the way there."""

    def __init__(self, plan: Plan) -> None:
        import joblib

        self._backend, _ = joblib.parallel.get_active_backend()
        self._workers = max(1, joblib.effective_n_jobs())
        self._client = getattr(self._backend, "client", None)
        self._payload = Payload.of(plan, named=self._client is None)
        self._sent = _sent(self._payload, self._client)

    def run(
        self,
        states: Sequence[TaskState],
        until: int | None,
        done: Callable[[TaskState], None],
        interrupts: Interrupts,
    ) -> None:
        """Train networks up to a rung or to their end; `done` is called with each as it comes.

        After Ctrl-C, which sets the byte of `interrupts`, it waits for no more of them. Raises the
        exception of a network, and EngineError where a cluster is lost.
        """
        if not states:
            return
        import joblib

        tasks = {state.task.number: state.task for state in states}
        lists = StateLists(states, self._workers)
        calls = (
            joblib.delayed(train_list)(self._sent, list(map(self._payload.light, states)), until)
            for states in lists
        )
        answers = _answers(calls, self._backend, self._workers)
        try:
            while not interrupts.stop[0]:
                try:
                    interrupts.waiting = True
                    answer = next(answers, None)
                except KeyboardInterrupt:
                    interrupts.stop[0] = 1  # a worker of this terminal may have got the signal first
                    return
                finally:
                    interrupts.waiting = False
                if answer is None:
                    return
                lists.add_time(len(answer.states), answer.seconds)
                for warning in answer.warned:
                    warnings.warn_explicit(*warning)
                for state in answer.states:
                    done(replace(state, task=tasks[state.task.number]))
        except Exception as error:
            if self._client is None or not is_lost(self._client, error):
                raise  # a network's exception
            why = str(error).strip().rstrip(".")
            raise EngineError(
                f"The Dask cluster did not finish the sweep: {why}. See that its scheduler and workers run "
                f"and have enough memory for the data, and start the sweep again."
            ) from error
        finally:
            with warnings.catch_warnings():  # of tasks that were cut short
                warnings.simplefilter("ignore")
                answers.close()


def _sent(payload: Payload, client: Any) -> Any:
    """The payload as each joblib task gets it: on Dask as the result of a task of its own.

    So the data travel to the cluster once, and are there again where the worker that held them is lost.
    """
    if client is None:
        return payload
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_unchanged, payload, pure=False)


def _unchanged(payload: Payload) -> Payload:
    return payload


def _answers(calls: Iterable[Any], backend: Any, workers: int) -> Generator[Answer, None, None]:
    """Results as they come where the backend reports them so, else after some calls for each worker."""
    import joblib

    if backend.supports_return_generator:
        yield from joblib.Parallel(return_as="generator_unordered", batch_size=1)(calls)
        return
    with joblib.Parallel(batch_size=1) as run:
        while some := list(islice(calls, LISTS_AT_A_TIME * workers)):
            yield from run(some)


class StateLists:
    """Splits networks into lists, one for a joblib task, as long as the time of those before allows."""

    def __init__(self, states: Sequence[TaskState], workers: int) -> None:
        # Neighbors are alike: the golden ratio takes each far from those before it.
        mixed = sorted(range(len(states)), key=lambda i: i * 0.6180339887498949 % 1)
        self._left = deque(states[i] for i in mixed)
        self.workers, self._length = workers, 1
        self._networks, self._seconds = 0, 0.0

    def add_time(self, networks: int, seconds: float) -> None:
        """Take note of how long so many networks took."""
        self._networks += networks
        self._seconds += seconds

    def __iter__(self) -> Iterator[list[TaskState]]:
        while self._left:
            fair = len(self._left) // (2 * self.workers)
            if self._networks:
                each = self._seconds / self._networks
                self._length = max(1, min(int(LIST_SECONDS / max(each, 1e-9)), 4 * self._length))
            length = max(1, min(self._length, fair))
            yield [self._left.popleft() for _ in range(min(length, len(self._left)))]


# ---- There --------------------------------------------------------------------------------------

Light = tuple[TaskState, int | None]
"""A state without its validation arrays, which the payload holds once for all networks, and their place."""


class Payload:
    """A plan's data without its tasks, and the worker that all joblib tasks of a process share.

    Pickles leave the worker out; a process makes its own when a task asks for it. Where every joblib
    task brings the payload along, it has a `name`, by which a process keeps the payload that came last
    and packs its data once.
    """

    def __init__(self, plan: Plan, validations: Sequence[tuple[Any, ...]], name: str | None = None) -> None:
        self._plan, self._validations, self._name = plan, tuple(validations), name
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    @classmethod
    def of(cls, plan: Plan, named: bool) -> Payload:
        """The payload of a plan whose networks train on one thread each."""
        data = replace(plan.data, samples=_plain(plan.data.samples))
        common = replace(plan, data=data, tasks=(), space=SearchSpace({}, [], []), cores=1)
        validations = validation_arrays(task.candidate for task in plan.tasks)
        return cls(common, validations, uuid4().hex if named else None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._plan, self._validations, self._name)

    @property
    def worker(self) -> Worker:
        """The worker that trains networks over these data."""
        with self._lock:
            if self._worker is None:
                data = self._plan.data
                # Arrays may arrive as mapped files or as another process's memory.
                folds = tuple(Fold(*map(np.asarray, fold)) for fold in data.folds)
                data = replace(data, samples=_plain(data.samples), folds=folds)
                self._validations = tuple(tuple(map(_as_array, arrays)) for arrays in self._validations)
                self._worker = Worker(replace(self._plan, data=data))
            return self._worker

    def light(self, state: TaskState) -> Light:
        """The state without validation arrays, and where they are among the payload's."""
        validation = state.task.candidate.fit.validation
        if not isinstance(validation, tuple):
            return state, None
        identities = [tuple(map(id, arrays)) for arrays in self._validations]
        return _with_validation(state, None), identities.index(tuple(map(id, validation)))

    def whole(self, light: Light) -> TaskState:
        """The state with its validation arrays."""
        state, place = light
        return state if place is None else _with_validation(state, self._validations[place])


def _plain(samples: InMemory) -> InMemory:
    """The samples as plain arrays, without what the dataset has derived from them."""
    X, y, weights = map(_as_array, (samples.X, samples.y, samples.weights))
    return InMemory(X, y, weights, described=samples.described)


def _as_array(array: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if array is None else np.asarray(array)


_last: dict[str, Payload] = {}
"""The payload that came last, by its name; a process that has nothing to do soon ends."""

_arriving = threading.Lock()


def _arrived(plan: Plan, validations: Sequence[tuple[Any, ...]], name: str | None) -> Payload:
    if name is None:
        return Payload(plan, validations)
    with _arriving:
        if name not in _last:
            _last.clear()
            _last[name] = Payload(plan, validations, name)
        return _last[name]


class Answer(NamedTuple):
    """The result of a joblib task: networks trained further, the seconds that it took, and its warnings."""

    states: list[TaskState]
    seconds: float
    warned: list[tuple[str, type[Warning], str, int]]


def train_list(payload: Payload, states: Sequence[Light], until: int | None) -> Answer:
    """A joblib task: train these networks one after the other, on one thread."""
    began = time.perf_counter()
    worker, line, stop = payload.worker, ProgressLine(None, len(states), 0), np.zeros(1, np.uint8)
    warned: list[tuple[str, type[Warning], str, int]] = []
    with warnings_once(lambda message, *where: warned.append((str(message), *where[:3]))):
        trained = [
            replace(worker.advance(payload.whole(light), until, line, stop), task=light[0].task)
            for light in states
        ]
    return Answer(trained, time.perf_counter() - began, warned)


def _with_validation(state: TaskState, validation: Any) -> TaskState:
    candidate = state.task.candidate
    candidate = replace(candidate, fit=replace(candidate.fit, validation=validation))
    return replace(state, task=replace(state.task, candidate=candidate))
