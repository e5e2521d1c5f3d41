"""Sweeps under joblib's backends: the same bits, wherever they are made."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend
from sweeps import NEAR as X
from sweeps import NET, Y

import glassnet as gn
from glassnet.model_selection import joblib_backend, scheduler
from glassnet.model_selection.joblib_backend import Payload, joblib_is_active, on_dask, train_list
from glassnet.model_selection.plan import TaskState
from glassnet.model_selection.scheduler import Scheduler
from glassnet.model_selection.thread_pool import ProgressLine

pytestmark = pytest.mark.xdist_group("dask")  # clusters start one after the other

KINDS = {
    "plain": {},
    "folds": {"folds": [(np.arange(40), np.arange(40, 60))], "seeds": 2, "metric": "accuracy"},
    "batches": {"batch_size": 10, "validation": 0.2, "dropout": 0.1},
    "halving": {"halving": 2, "iterations": 16},
}


def sweep(**told):
    grid = {"learning_rate": [0.01, 0.1, 0.5, 1e6], "momentum": [0.0, 0.9]}
    return gn.sweep(NET, X, Y, **{"grid": grid, "iterations": 6, "random_state": 3, **told})


def assert_same(one, other):
    def table(result):
        return repr([{k: v for k, v in row.items() if k != "seconds"} for row in result.table])

    assert table(one) == table(other)
    for a, b in zip(one.runs, other.runs, strict=True):
        assert np.array_equal(a.losses, b.losses)
        assert a.parameters == b.parameters


LOKY = {"backend": "loky", "n_jobs": 2, "max_nbytes": 1000}
"""One kind of pool for all tests, which joblib keeps; arrays of more bytes come as mapped files."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_sweep_through_joblib_has_the_same_bits(tmp_path, backend, kind):
    whole = sweep(**KINDS[kind])
    with joblib.parallel_config(**{**LOKY, "backend": backend}):
        assert joblib_is_active()
        assert_same(sweep(**KINDS[kind], results=tmp_path / "r.jsonl"), whole)
    assert not joblib_is_active()
    assert_same(sweep(**KINDS[kind], results=tmp_path / "r.jsonl"), whole)


def test_warnings_of_other_processes_are_given_here_and_once():
    def metric(y, found):
        warnings.warn(f"{found[0]} comes first", RuntimeWarning, stacklevel=1)
        return 0.0

    with joblib.parallel_config(**LOKY), pytest.warns(RuntimeWarning, match="comes first") as seen:
        sweep(folds=2, metric=metric, mode="max")
    assert len(seen) == 1


def test_sweep_goes_where_joblib_leads(monkeypatch):
    shares = []
    real = joblib_backend.train_list
    monkeypatch.setattr(joblib_backend, "train_list", lambda *a: shares.append(len(a[1])) or real(*a))
    sweep()
    assert shares == []
    with joblib.parallel_config("threading", n_jobs=2):
        sweep()
    assert sum(shares) == 8


class Counted:
    """What tqdm's line is told."""

    def __init__(self, total):
        self.n, self.total = 0, total

    def update(self, count):
        self.n += count

    def set_description_str(self, words):
        self.words = words


@pytest.mark.parametrize("halving", [None, 2])
@pytest.mark.parametrize("backend", ["here", "threading"])
def test_progress_ends_at_its_total_after_a_kill_too(tmp_path, monkeypatch, backend, halving):
    lines = []

    @contextmanager
    def progress_line(show, networks, iterations, done=0):
        lines.append(Counted(iterations))
        yield ProgressLine(lines[-1], networks, done)

    monkeypatch.setattr(scheduler, "progress_line", progress_line)
    path = tmp_path / "r.jsonl"
    told = {"grid": {"learning_rate": [0.1, 0.2, 0.3, 0.4]}, "iterations": 16, "halving": halving}
    where = nullcontext() if backend == "here" else joblib.parallel_config(backend, n_jobs=2)
    with where:
        sweep(results=path, progress=True, **told)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
        sweep(results=path, progress=True, **told)
    assert [line.n for line in lines] == [line.total for line in lines]
    assert lines[0].n > lines[1].n > 0
    assert {line.words for line in lines} == {"4 of 4 networks"}


class TellsOfNoneBeforeAll(ThreadingBackend):
    """As Ray's backend: results come once all that was given is done."""

    supports_return_generator = False


def test_a_backend_that_gives_all_at_once_is_given_some_at_a_time(tmp_path, monkeypatch):
    given, lengths = [], []
    joblib.register_parallel_backend("at once", TellsOfNoneBeforeAll)
    real = Scheduler._keep
    monkeypatch.setattr(joblib_backend, "LISTS_AT_A_TIME", 2)
    monkeypatch.setattr(joblib_backend, "train_list", lambda *a: given.extend(a[1]) or train_list(*a))
    monkeypatch.setattr(
        Scheduler, "_keep", lambda self, track: lengths.append(len(given)) or real(self, track)
    )
    with joblib.parallel_config("at once", n_jobs=2):
        result = sweep(results=tmp_path / "r.jsonl")
    assert_same(result, sweep())
    assert lengths[0] < len(given) == 8


def test_large_data_have_the_same_bits_as_mapped_files():
    X = np.random.RandomState(1).randn(20_000, 2)
    y = (X[:, 0] > 0).astype(int)
    told = {
        "grid": {"learning_rate": [0.1, 0.5], "validation": [(X[:15_000], y[:15_000]), (X, y)]},
        "folds": [(np.arange(5_000, 20_000), np.arange(5_000))],
        "sample_weight": np.random.RandomState(2).uniform(1, 2, 20_000),
        "metric": "accuracy",
        "iterations": 2,
        "random_state": 0,
    }
    whole = gn.sweep(NET, X, y, **told)
    with joblib.parallel_config(**LOKY):
        assert_same(gn.sweep(NET, X, y, **told), whole)


def test_a_process_keeps_what_came_last_and_packs_it_once(monkeypatch):
    made = []
    monkeypatch.setattr(scheduler.JoblibBackend, "run", lambda self, *a: made.append(self._payload))
    with joblib.parallel_config("threading", n_jobs=2), pytest.raises(AssertionError):
        sweep()  # none of whose networks are trained
    (payload,) = made
    arrived = [pickle.loads(pickle.dumps(payload)) for _ in range(2)]
    assert arrived[0] is arrived[1]
    assert arrived[0].worker is arrived[1].worker
    other = pickle.loads(pickle.dumps(Payload(payload._plan, (), "another")))
    assert other is not arrived[0]
    assert pickle.loads(pickle.dumps(payload)) is not arrived[0]
    alone = Payload(payload._plan, ())
    assert pickle.loads(pickle.dumps(alone)) is not pickle.loads(pickle.dumps(alone))


def test_shares_are_as_long_as_what_was_done_tells():
    tracks = [TaskState(SimpleNamespace(number=i)) for i in range(10_000)]
    shares = joblib_backend.StateLists(tracks, workers=2)
    given = []
    for seconds, share in zip((0.001, 0.001, 0.001, 0.001, 0.001, 0.5), shares, strict=False):
        given.append(share)
        shares.add_time(len(share), seconds * len(share))
    rest = list(shares)
    lengths = [len(share) for share in given]
    assert lengths == [1, 4, 16, 64, 256, 1000]
    each = (341 * 0.001 + 1000 * 0.5) / 1341
    assert len(rest[0]) == int(joblib_backend.LIST_SECONDS / each)
    numbers = [track.task.number for share in [*given, *rest] for track in share]
    assert sorted(numbers) == list(range(10_000))
    assert np.abs(np.diff(numbers)).min() > 1000
    few = joblib_backend.StateLists(tracks[:40], workers=2)
    next(iter(few))
    few.add_time(1, 1e-9)
    assert [len(share) for share in few] == [4, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1]


def test_shares_grow_again_after_a_slow_start():
    tracks = [TaskState(SimpleNamespace(number=i)) for i in range(10_000)]
    shares = joblib_backend.StateLists(tracks, workers=2)
    lengths = []
    for seconds, share in zip((3.0, 0.0, 0.0, 0.0, 0.0), shares, strict=False):  # the first one packs data
        lengths.append(len(share))
        shares.add_time(len(share), seconds)
    assert lengths == [1, 1, 1, 1, 1]
    shares.add_time(1000, 1.0)
    assert len(next(iter(shares))) == 4


@pytest.fixture(scope="module")
def client():
    """A Dask cluster of threads in this process."""
    import distributed

    how = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": ":0"}
    with distributed.Client(**how) as client:
        yield client


def test_sweep_on_dask_has_the_same_bits(client):
    whole = sweep(halving=2, iterations=16)
    with joblib.parallel_config("dask"):
        assert joblib_is_active()
        assert_same(sweep(halving=2, iterations=16), whole)


@pytest.mark.parametrize(("kind", "told"), [(CancelledError, gn.EngineError), (KeyError, KeyError)])
def test_a_cluster_that_is_lost_is_told_from_what_a_network_raises(client, monkeypatch, kind, told):

    def lost(calls, backend, workers):
        function, (sent, states, until), _ = next(iter(calls))
        yield function(sent.result(), states, until)
        raise kind("gone.")

    monkeypatch.setattr(joblib_backend, "_answers", lost)
    with on_dask(client), pytest.raises(told, match="gone") as caught:
        sweep()
    assert len(caught.value.result.cells) == 1  # what was finished before


def test_sweep_whose_worker_is_killed_is_all_there_and_sends_its_data_once(
    tmp_path, monkeypatch, two_workers, wait_for_end
):
    import distributed

    how, path = {"iterations": 8_000, "seeds": 4}, tmp_path / "r.jsonl"
    whole = sweep(**how)
    over, in_time, sent, real = threading.Event(), [], [], joblib_backend._sent
    monkeypatch.setattr(joblib_backend, "_sent", lambda *a: sent.append(real(*a)) or sent[-1])
    pid = next(iter(two_workers.run(os.getpid).values()))

    def kill_after_the_first_network():
        while not (path.exists() and path.read_bytes().count(b"\n") > 1):
            if over.wait(0.01):
                return  # the sweep has failed: the thread must not outlive the test
        os.kill(pid, signal.SIGKILL)
        in_time.append(not over.is_set())

    killer = threading.Thread(target=kill_after_the_first_network)
    killer.start()
    try:
        with on_dask(two_workers):
            result = sweep(**how, results=path)
    finally:
        over.set()
        killer.join()
    assert in_time == [True]
    wait_for_end(pid)
    two_workers.wait_for_workers(2)
    assert_same(result, whole)
    assert [type(one) for one in sent] == [distributed.Future]  # and each share has this


def test_a_second_ctrl_c_while_a_network_is_noted_raises(monkeypatch):
    real = Scheduler._keep

    def pressed(self, track):
        real(self, track)
        monkeypatch.undo()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Scheduler, "_keep", pressed)
    with joblib.parallel_config("threading", n_jobs=2), pytest.raises(KeyboardInterrupt) as caught:
        sweep()
    assert len(caught.value.result.cells) == 1


SCRIPT = """
import sys, contextlib, warnings
import joblib, numpy as np, glassnet as gn
from glassnet.model_selection.joblib_backend import on_dask
if __name__ == "__main__":
    warnings.simplefilter("ignore", gn.InterruptedTrainingWarning)
    random = np.random.RandomState(0)
    X, y = random.randn(5_000, 2), random.randint(0, 2, 5_000)
    settings = [{"learning_rate": rate} for rate in np.geomspace(0.01, 1, 39)]
    settings.append({"iterations": 100_000_000})
    with on_dask("local") if sys.argv[1] == "dask" else joblib.parallel_config("loky", n_jobs=2):
        result = gn.sweep(gn.Network((2, 4, 2)), X, y, settings=settings, iterations=50, random_state=0,
                          results=sys.argv[2])
    print([cell.status for cell in result.cells].count("interrupted"))
"""


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_ctrl_c_in_a_terminal_keeps_what_other_processes_have_done(tmp_path, backend):
    script, path = tmp_path / "script.py", tmp_path / "r.jsonl"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, backend, path], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.exists() and path.read_bytes().count(b"\n") > 2):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    done = path.read_bytes().count(b"\n") - 1
    assert 2 <= done < 40
    assert 40 - done == int(out)
