import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

import glassnet as gn
from glassnet.utils import threads as cores_module
from glassnet.utils.threads import as_they_end, thread_count


def test_threads_are_those_asked_for(monkeypatch):
    monkeypatch.setenv("GLASSNET_THREADS", "5")
    assert thread_count(3) == 3
    assert thread_count(np.int64(2)) == 2
    assert thread_count(None) == 5


@pytest.mark.parametrize("threads", [(1 << 16) + 1, 2**31, 2**63, np.uint64(2**63)])
def test_threads_beyond_any_machine_are_refused_wherever_they_are_asked_for(threads):
    for ask in (
        lambda: gn.train(gn.Network((1, 2)), [[0.0], [1]], [0, 1], threads=threads),
        lambda: gn.sweep(gn.Network((1, 2)), [[0.0], [1]], [0, 1], settings=[{}], threads=threads),
    ):
        with pytest.raises(gn.InputError, match=f"threads is {threads}; expected 65,536 or fewer"):
            ask()
    with pytest.raises(ValueError, match="n_threads"):
        gn.MLPClassifier(n_threads=threads).fit([[0.0], [1]], [0, 1])


@pytest.mark.parametrize("setting", ["0", "-1", "two", "1.5", "²", " "])
def test_setting_of_threads_that_is_no_number_is_refused(monkeypatch, setting):
    monkeypatch.setenv("GLASSNET_THREADS", setting)
    with pytest.raises(gn.InputError, match=f"GLASSNET_THREADS is '{setting}'; expected a whole number"):
        thread_count(None)


@pytest.fixture
def cgroup(monkeypatch, tmp_path):
    """A machine of 64 cores whose cgroup files are written by the test: `cgroup({path: text})`."""
    monkeypatch.delenv("GLASSNET_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(cores_module, "Path", lambda path: tmp_path / path.lstrip("/"))

    def write(files):
        for path, text in files.items():
            file = tmp_path / "sys/fs/cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 64),
        ({"cpu.max": "garbage\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_threads_are_bounded_by_the_cgroup(cgroup, files, cores):
    cgroup(files)
    assert thread_count(None) == cores


def test_threads_are_bounded_by_affinity_where_the_system_knows_it(cgroup, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert thread_count(None) == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert thread_count(None) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert thread_count(None) == 1


def allowed(_):
    return thread_count(None)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_share_the_cores(backend, monkeypatch):
    monkeypatch.delenv("GLASSNET_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(allowed)(k) for k in range(4))
    assert max(found) * 2 <= max(2, thread_count(None))


def test_a_process_of_joblibs_takes_what_it_is_told(monkeypatch):
    monkeypatch.delenv("GLASSNET_THREADS", raising=False)
    monkeypatch.setattr(cores_module, "_cgroup_quota", lambda: 8.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count(None) == 8
    with joblib.parallel_config(backend="threading", n_jobs=2):
        backend = joblib.parallel.get_active_backend()[0].get_nested_backend()[0]
    with joblib.parallel_config(backend=backend):
        assert thread_count(None) == 3
        monkeypatch.setenv("OMP_NUM_THREADS", "many")
        assert thread_count(None) == 1


def test_work_that_joblib_does_itself_has_all_cores(monkeypatch):
    monkeypatch.delenv("GLASSNET_THREADS", raising=False)
    assert joblib.Parallel(n_jobs=1)(joblib.delayed(allowed)(0) for _ in range(1)) == [thread_count(None)]


def test_as_they_end_hears_a_signal_that_another_thread_is_given():
    ended = threading.Event()

    def work():
        time.sleep(0.1)  # until the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        ended.wait()

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(1) as pool:
            with pytest.raises(KeyboardInterrupt):
                next(as_they_end([pool.submit(work)]))
            ended.set()
    finally:
        signal.signal(signal.SIGINT, previous)
