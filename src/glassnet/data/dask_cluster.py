"""Datasets on a Dask cluster: Dask's collections, and Parquet files that its workers read.

Dask alone decides which worker computes what, and repeats the tasks of a worker that dies: each task reads
its partition from the source, and receives the parameters.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from glassnet.data.reduce import NEVER, Block, Cancelled, Ranges, Reduction, State
from glassnet.data.source import Dataset, WrappedDataset
from glassnet.errors import EngineError, GlassnetError, GlassnetWarning, InputError, InputTypeError
from glassnet.utils.interrupts import Cut
from glassnet.utils.libraries import require
from glassnet.utils.threads import thread_count
from glassnet.utils.warn import warn

LOCAL = "local"

_TIMEOUT = "10s"

_ASK, _SILENCE, _PATIENCE = 1.0, 10.0, 300.0
"""Seconds between two questions for workers, and without workers until a warning and until an error."""

_IGNORE_INTERRUPTS = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""What local workers run first: Ctrl-C reaches all processes of a terminal, and this one decides."""

_WAIT = 0.2
"""Seconds of waiting for the cluster after which it is looked at."""


def client_of(dask: object) -> Any:
    """The Dask client to compute with: a given client, or one for "local" worker processes or an address.

    None means the active client, or else threads in this process as a cluster of their own. Raises
    EngineError where no scheduler answers, InputError for what is no address.
    """
    distributed: Any = require("distributed")
    if isinstance(dask, distributed.Client):
        return dask
    if dask is None:
        try:
            return distributed.get_client()
        except ValueError:
            return _own_client(
                {"processes": False, "n_workers": 1, "threads_per_worker": thread_count(None)}
            )
    if not isinstance(dask, str):
        raise InputTypeError(
            f'dask is a scheduler\'s address, "{LOCAL}" or a distributed.Client, not {dask!r}.'
        )
    if dask == LOCAL:
        _refuse_to_nest()
        return _own_client(
            {"n_workers": thread_count(None), "threads_per_worker": 1, "preload": _IGNORE_INTERRUPTS}
        )
    if ":" not in dask:
        raise InputError(
            f"dask is {dask!r}; expected a scheduler's address, such as tcp://127.0.0.1:8786, or {LOCAL!r}."
        )
    return _own_client({"address": dask, "timeout": _TIMEOUT})


_STARTING = "GLASSNET_STARTS_WORKERS"
"""An environment variable that worker processes see while they start: this process reports their errors."""

_GUARD = (
    "Each worker process begins by running the script that starts it, which must not start workers there: "
    'put what your script does below a line `if __name__ == "__main__":`.'
)


def _refuse_to_nest() -> None:
    """Raise InputError in a process that is being started and runs the top level of its script."""
    import multiprocessing  # not with `import glassnet`: it gives the main module a second name

    # Only Python's own spawn sets it, and only while it imports the main module.
    if not getattr(multiprocessing.current_process(), "_inheriting", False):
        return
    if _STARTING in os.environ:
        sys.exit(1)
    raise InputError(_GUARD)


_clients: dict[str, Any] = {}


def _own_client(settings: dict[str, Any]) -> Any:
    """A client that ends with this process, one for each kind of settings; it is never the default."""
    distributed: Any = require("distributed")
    kind = repr(settings)
    if kind in _clients and _clients[kind].status == "running":
        return _clients[kind]
    if "address" not in settings:
        settings = {"address": _cluster(distributed, settings)}
    try:
        client = distributed.Client(**settings, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"No Dask scheduler answers at {settings.get('address')}: {error}. Start one there with `dask "
            f'scheduler` and `dask worker ADDRESS`, or use dask="{LOCAL}" for workers on this machine.'
        ) from error
    _clients[kind] = client
    atexit.register(client.close)
    return client


def _cluster(distributed: Any, settings: dict[str, Any]) -> Any:
    """Workers on this machine, not started by a client, which would wait a minute where that fails."""
    os.environ[_STARTING] = "1"
    try:
        cluster = distributed.LocalCluster(**settings, dashboard_address=":0")
    except RuntimeError as error:
        raise EngineError(f"Dask's workers did not start. {_GUARD}") from error
    finally:
        del os.environ[_STARTING]
    atexit.register(cluster.close)
    return cluster


def is_collection(X: object) -> bool:
    """Whether X is one of Dask's collections."""
    return hasattr(X, "__dask_graph__")


def _worker_watch(client: Any) -> Callable[[], None]:
    """What to call now and then: it warns where a scheduler has no workers, and finally raises EngineError.

    Dask would wait for them forever, in silence.
    """
    since = asked = time.monotonic()
    warned = False

    def check() -> None:
        nonlocal since, asked, warned
        now = time.monotonic()
        if now - asked < _ASK or client.status != "running":
            return
        asked = now
        if client.nthreads():
            since = now
            return
        waited, scheduler = now - since, client.scheduler.address
        remedy = f"Start one with `dask worker {scheduler}`"
        if waited > _SILENCE and not warned:
            warned = True
            words = (
                f"The Dask scheduler at {scheduler} has no worker yet. {remedy}; waiting {_PATIENCE:.0f} s."
            )
            warn(words, GlassnetWarning)
        if waited > _PATIENCE:
            raise EngineError(
                f"The Dask scheduler at {scheduler} has had no worker for {waited:.0f} s. "
                f"{remedy}, and go on."
            )

    return check


def gathered(client: Any, tasks: Sequence[Any], cancelled: Cancelled = NEVER) -> list[Any]:
    """The results of tasks. Raises Cut once `cancelled` says so, EngineError if the cluster is lost."""
    distributed: Any = require("distributed")
    futures: list[Any] = []
    try:
        with client.as_current():
            futures = client.compute(list(tasks))
            check_workers = _worker_watch(client)
            while True:
                began = time.monotonic()
                try:
                    distributed.wait(futures, timeout=_WAIT)
                    break
                except TimeoutError:
                    if time.monotonic() - began < _WAIT:
                        raise  # a time limit of the caller's own
                    check_workers()
                    if cancelled():
                        raise Cut from None
                    if client.status not in ("running", "connecting"):
                        raise OSError(f"the connection to the scheduler is {client.status}") from None
            return list(client.gather(futures))
    except (Cut, KeyboardInterrupt):
        if client.status == "running":
            client.cancel(futures)
        raise
    except Exception as error:
        if not is_lost(client, error):
            raise  # a task raised it
        raise EngineError(
            f"The Dask cluster did not finish a pass: {type(error).__name__}: {error}. See that its "
            f"scheduler and workers run and have enough memory for a partition."
        ) from error
    finally:
        for future in futures:  # else the frames of an exception would keep the cluster's results
            future.release()


def is_lost(client: Any, error: Exception) -> bool:
    """Whether the error comes from a cluster that is gone, and not from a task."""
    distributed: Any = require("distributed")
    from concurrent.futures import CancelledError

    lost = distributed.comm.CommClosedError, CancelledError, distributed.KilledWorker
    own = isinstance(error, GlassnetError)
    return not own and (isinstance(error, lost) or client.status != "running")


def _threads_of(client: Any) -> int:
    """The threads of all workers of the cluster now."""
    return max(1, sum(client.nthreads().values()))


class ClusterDataset(WrappedDataset):
    """A dataset that every worker can read by itself: each range of rows is a task."""

    def __init__(self, rows: Dataset, client: Any) -> None:
        super().__init__(rows)
        self._client = client

    def inputs(self) -> Dataset:
        return ClusterDataset(self._dataset.inputs(), self._client)

    def cluster_threads(self) -> int:
        return _threads_of(self._client)

    def reduce_ranges(
        self, reduction: Reduction, ranges: Ranges, threads: int, cancelled: Cancelled
    ) -> list[State]:
        dask: Any = require("dask")
        payload, rows = (dask.delayed(value, traverse=False) for value in (reduction, self._dataset))
        task = dask.delayed(_reduce_range, pure=False)
        return gathered(self._client, [task(rows, payload, *edges) for edges in ranges], cancelled)


def _reduce_range(dataset: Dataset, reduction: Reduction, start: int, stop: int) -> State:
    return dataset.reduce_ranges(reduction, [(start, stop)], 1, NEVER)[0]


class DaskDataset(Dataset):
    """The rows of a collection's partitions, in their order."""

    def __init__(
        self, partitions: Sequence[Any], lengths: Sequence[int], about: About, memory: int, client: Any
    ) -> None:
        for name, value in about._asdict().items():
            setattr(self, name, value)
        self._partitions, self._client = list(partitions), client
        self._edges = np.cumsum([0, *lengths]).tolist()
        self.n_rows, self.memory = self._edges[-1], memory
        if self.n_rows == 0:
            raise InputError(f"{self.source} has no rows; expected at least one.")

    def where(self, row: int) -> str:
        place = int(np.searchsorted(self._edges, row, side="right")) - 1
        return f"row {row - self._edges[place]} of partition {place}"

    def row_groups(self) -> list[int]:
        return sorted(set(self._edges))

    def cluster_threads(self) -> int:
        return _threads_of(self._client)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        for partition, (low, high) in zip(self._partitions, pairwise(self._edges), strict=True):
            if low < stop and high > start and low < high:
                (block,) = gathered(self._client, [partition])
                block = block.cast(dtype)
                for first in range(max(start, low), min(stop, high), most):
                    yield block.rows(first - low, min(first + most, stop, high) - low)

    def reduce_ranges(
        self, reduction: Reduction, ranges: Ranges, threads: int, cancelled: Cancelled
    ) -> list[State]:
        """Each range is a chain of tasks, one for each of its partitions, which pass the state on."""
        dask: Any = require("dask")
        payload, step = dask.delayed(reduction, traverse=False), dask.delayed(_step, pure=False)
        edges, chains = np.array(self._edges), []
        for start, stop in ranges:
            first = int(np.searchsorted(edges, start, side="right")) - 1
            last = int(np.searchsorted(edges, stop, side="left"))
            carried = None
            for place in range(first, last):
                low, high = max(start, self._edges[place]), min(stop, self._edges[place + 1])
                if low < high:
                    rows = low - self._edges[place], high - self._edges[place]
                    carried = step(payload, carried, self._partitions[place], start, rows, high == stop)
            chains.append(carried)
        return [carried.state for carried in gathered(self._client, chains, cancelled)]


class About(NamedTuple):
    """What a collection says of itself without being computed."""

    source: str
    n_inputs: int
    dtype: np.dtype[Any]
    weighted: bool
    names: tuple[str, ...] | None
    targeted: bool
    flat: bool = False


class _Carried(NamedTuple):
    """What a task passes on: the state of the range, and rows that do not fill a block yet."""

    state: State
    left: Block | None


def _step(
    reduction: Reduction,
    carried: _Carried | None,
    block: Block,
    row: int,
    rows: tuple[int, int],
    last: bool,
) -> _Carried:
    """Continue a range, which began at `row`, with some rows of a partition."""
    block = block.rows(*rows).cast(reduction.read_dtype)
    state, left = (State(row), None) if carried is None else carried
    held = 0 if left is None else len(left.X)
    whole = held + len(block.X)
    if not last:
        whole -= whole % reduction.block
    if whole < held:  # the rows still do not fill a block
        assert left is not None
        return _Carried(state, Block.concatenated([left, block]))
    worker = copy(reduction)  # threads of a process may share one
    worker.begin(state)
    if left is not None:
        worker.take(left)
    if whole > held:
        worker.take(block.rows(0, whole - held))
    rest = block.rows(whole - held, len(block.X))
    return _Carried(worker.end(), rest.copy() if len(rest.X) else None)
