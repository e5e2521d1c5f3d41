"""Sweeps under joblib's backends: the same bits, wherever they are made."""

import os
import signal
import threading
import time

import joblib
import numpy as np
import pytest

import glassnet as gn
from glassnet.sweeps.elsewhere import joblib_is_active, on_dask

NET = gn.Network((2, 3, 2), hidden="tanh")
RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
X = RANDOM.randn(60, 2) + Y[:, None]

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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_sweep_through_joblib_has_the_same_bits(tmp_path, backend, kind):
    whole = sweep(**KINDS[kind])
    with joblib.parallel_config(backend, n_jobs=2):
        assert joblib_is_active()
        assert_same(sweep(**KINDS[kind], results=tmp_path / "r.jsonl"), whole)
    assert not joblib_is_active()
    assert_same(sweep(**KINDS[kind], results=tmp_path / "r.jsonl"), whole)


def test_sweep_goes_where_joblib_leads(monkeypatch):
    from glassnet.sweeps import running

    shares = []
    real = running.train_share
    monkeypatch.setattr(running, "train_share", lambda *a: shares.append(len(a[1])) or real(*a))
    sweep()
    assert shares == []
    with joblib.parallel_config("threading", n_jobs=2):
        sweep()
    assert sum(shares) == 8


def test_sweep_on_dask_has_the_same_bits():
    distributed = pytest.importorskip("distributed")
    how = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    whole = sweep(halving=2, iterations=16)
    with distributed.Client(**how), joblib.parallel_config("dask"):
        assert joblib_is_active()
        assert_same(sweep(halving=2, iterations=16), whole)


def test_sweep_whose_worker_is_killed_is_all_there(tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    how = {"iterations": 50_000, "seeds": 4}
    whole = sweep(**how)
    over, in_time = threading.Event(), []
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pid = next(iter(client.run(os.getpid).values()))

        def kill():
            os.kill(pid, signal.SIGKILL)
            in_time.append(not over.is_set())

        killer = threading.Timer(0.2, kill)
        killer.start()
        with on_dask(client):
            result = sweep(**how, results=tmp_path / "r.jsonl")
        over.set()
        killer.join()
        for _ in range(100):
            if not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
                break
            time.sleep(0.05)
        assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
    assert in_time == [True]
    assert_same(result, whole)
