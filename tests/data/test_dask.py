"""Dask: the bits of data in memory on any number of workers, also where one of them is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import dask
import dask.array as da
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from streams import INPUTS, NAMES, N, draw, same, write

import glassnet as gn
from glassnet.data.dask_cluster import gathered
from glassnet.data.dataset import is_stream
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.utils.interrupts import Cut
from glassnet.utils.memory import RESERVED

pytestmark = pytest.mark.xdist_group("dask")  # clusters start one after the other


NET = gn.Network((INPUTS, 6, 3), hidden="tanh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("rows"), *draw(), group=400)


@pytest.fixture
def client(two_workers):
    return two_workers


def train(X, y=None, **settings):
    how = {"iterations": 3, "random_state": 0, "optimizer": gn.Adam(0.01), "engine": "native"}
    return gn.train(NET, X, y, **{**how, **settings})


@pytest.fixture(scope="module")
def expected():
    X, y, w = draw()
    return train(X, y, sample_weight=w)


def collections(folder):
    X, y, w = draw()
    array = da.from_array(X, chunks=(777, 3))
    frame = dd.read_parquet(folder)
    pandas = pd.DataFrame(X, columns=NAMES).assign(**{"class": y, "weight": w})
    return {
        "arrays": (array, da.from_array(y, chunks=500), da.from_array(w, chunks=N)),
        "an array with targets in memory": (array, y, w),
        "an array of unknown chunks": (dd.read_parquet(folder)[NAMES].values, y, w),
        "a dataframe of files": (frame[[*NAMES, "class", "weight"]], "class", "weight"),
        "a dataframe and its columns": (frame[NAMES], frame["class"], frame["weight"]),
        "a dataframe in memory": (dd.from_pandas(pandas, npartitions=7), "class", "weight"),
    }


KINDS = [
    "arrays", "an array with targets in memory", "an array of unknown chunks", "a dataframe of files",
    "a dataframe and its columns", "a dataframe in memory",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_collection_has_the_bits_of_data_in_memory_on_two_workers(kind, folder, client, expected):
    X, y, w = collections(folder)[kind]
    assert is_stream(X)
    rows = gn.stream(X, y, sample_weight=w, dask=client)
    assert same(train(rows), expected)


@pytest.mark.parametrize("kind", ["arrays", "a dataframe and its columns", "files"])
def test_answers_and_scores_of_two_workers_have_the_bits_of_data_in_memory(kind, folder, client, expected):
    X, y, w = (folder, "class", "weight") if kind == "files" else collections(folder)[kind]
    how = {"features": NAMES} if kind == "files" else {}
    rows = gn.stream(X, y, sample_weight=w, dask=client, **how)
    in_memory = draw()
    assert np.array_equal(expected.predict_proba(rows), expected.predict_proba(in_memory[0]))
    assert expected.score(rows) == expected.score(*in_memory)
    how = {} if "array" in kind else {"features": NAMES}
    without = gn.stream(X, dask=client, **how)
    assert not without.targeted
    assert np.array_equal(expected.predict(without), expected.predict(in_memory[0]))


def test_files_read_by_workers_have_the_bits_of_data_in_memory(folder, client, expected):
    rows = gn.stream(folder, "class", features=NAMES, sample_weight="weight", dask=client)
    run = train(rows)
    assert same(run, expected)
    assert same(run.resume(2), expected.resume(2))


@pytest.mark.parametrize("solver", [gn.LBFGS(), gn.BayesianRegularization()], ids=str)
def test_solver_and_options_have_the_bits_of_data_in_memory(solver, folder, client):
    X, y, _ = draw()
    how = {"optimizer": solver, "class_weight": "balanced", "l2": 1e-3, "dtype": "float32"}
    how["iterations"] = 1
    rows = gn.stream(dd.read_parquet(folder), "class", features=NAMES, dask=client)
    assert same(train(rows, **how), train(X, y, **how))


@pytest.mark.parametrize("kind", ["files", "array"])
def test_matrix_summed_in_bands_by_two_workers_has_the_bits_of_data_in_memory(kind, folder, client):
    X, y, _ = draw()
    net = gn.Network((INPUTS, 40, 30, 3))  # 1,523 parameters: one matrix, whose rows are divided
    rows = gn.stream(folder, "class", features=NAMES, dask=client)
    if kind == "array":
        rows = gn.stream(da.from_array(X, chunks=(777, 4)), y, dask=client)
    assert rows.cluster_threads() == 2
    theta = net.initialize(0).flat
    expected = gn.prepare(net, X, y, engine="native").gauss_newton(theta)
    streamed = prepare_problem(net, rows, ProblemSettings(engine="native"))
    assert np.array_equal(streamed.gauss_newton(theta), expected)


def test_batches_of_a_collection_are_read_here(folder, client):
    X, y, _ = draw()
    rows = gn.stream(dd.read_parquet(folder), "class", features=NAMES, dask=client)
    rows.memory = RESERVED + 400_000
    run = train(rows, batch_size=32, shuffle=False, iterations=2)
    assert run.cursor.layout[1] == 4  # of five partitions one is empty
    assert run.parameters == train(X, y, batch_size=32, shuffle=False, iterations=2).parameters
    assert same(train(rows, batch_size=32), train(rows, batch_size=32, iterations=1).resume(2))


def test_cluster_of_threads_starts_by_itself(folder, expected):
    frame = collections(folder)["a dataframe in memory"][0]
    assert same(train(gn.stream(frame, "class", sample_weight="weight")), expected)
    X, y, w = draw()
    run = train(da.from_array(X, chunks=(900, 4)), da.from_array(y, chunks=900), sample_weight=w)
    assert same(run, expected)


# ---- A worker that is killed ----------------------------------------------------------------------


def slowly(block):
    time.sleep(0.02)
    return block


def test_killed_worker_changes_no_bit(client, wait_for_end):
    """Of a collection and a solver, whose chains of tasks have the most to lose."""
    X, y, w = draw()
    rule = gn.LevenbergMarquardt()
    expected = train(X, y, sample_weight=w, optimizer=rule)
    slow = da.from_array(X, chunks=(500, 4)).map_blocks(slowly)
    rows = gn.stream(slow, y, sample_weight=w, dask=client)
    killed = []

    def kill(run):
        """In the middle of the pass that follows."""
        if run.iterations == 2:
            pid = next(iter(client.run(os.getpid).values()))
            killed.append(pid)
            threading.Timer(0.05, os.kill, (pid, signal.SIGKILL)).start()

    run = train(rows, optimizer=rule, callbacks=[kill])
    wait_for_end(killed[0])
    client.wait_for_workers(2)
    assert same(run, expected)
    assert run.status == "completed"


# ---- What cannot be used --------------------------------------------------------------------------


def test_scheduler_that_is_not_there_is_named(folder, monkeypatch):
    monkeypatch.setattr("glassnet.data.dask_cluster._TIMEOUT", "1s")
    with pytest.raises(
        gn.EngineError, match=r"No Dask scheduler answers at tcp://127.0.0.1:1.*dask scheduler"
    ):
        gn.stream(folder, "class", dask="tcp://127.0.0.1:1")


def test_scheduler_without_workers_is_told_of_and_not_waited_for_without_end(folder, monkeypatch):
    for name, seconds in (("_ASK", 0.0), ("_SILENCE", 0.0), ("_PATIENCE", 1.0)):
        monkeypatch.setattr(f"glassnet.data.dask_cluster.{name}", seconds)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as alone,
        pytest.warns(gn.GlassnetWarning, match=r"has no worker yet.*dask worker"),
        pytest.raises(gn.EngineError, match=r"has had no worker for \d+ s\. Start one"),
    ):
        gn.train(gn.Network((INPUTS + 1, 3)), gn.stream(folder, "class", dask=alone))


def test_script_without_a_guard_ends_in_the_worker_and_is_told_by_who_started_it(folder, monkeypatch):
    class Failing:
        def __init__(self, **_):
            with monkeypatch.context() as within:
                within.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
                with pytest.raises(SystemExit):  # no traceback for each worker
                    gn.stream(folder, "class", dask="local")
            raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("glassnet.data.dask_cluster._clients", {})
    monkeypatch.setattr(distributed, "LocalCluster", Failing)
    with pytest.raises(gn.EngineError, match='if __name__ == "__main__":') as caught:
        gn.stream(folder, "class", dask="local")
    assert caught.value.__suppress_context__
    # Where another library starts the process, it alone hears of it.
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(gn.InputError, match='if __name__ == "__main__":'):
        gn.stream(folder, "class", dask="local")


def test_cluster_that_is_lost_meanwhile_leaves_the_run():
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
    )
    client = distributed.Client(cluster, set_as_default=False)
    X, y, _ = draw()
    rows = gn.stream(da.from_array(X, chunks=(900, 4)), y, dask=client)

    def lose(run):
        if run.iterations == 2:
            client.close()
            cluster.close()

    with pytest.raises(gn.EngineError, match="The Dask cluster did not finish a pass") as raised:
        train(rows, callbacks=[lose])
    assert same(raised.value.run, train(X, y, iterations=2))
    assert same(raised.value.run.resume(1, X=X, y=y), train(X, y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.assign(x1=np.nan), r"'x1' has a missing value at row 0 of partition 2"),
        (lambda p: p.drop(columns="x1"), r"partition 2 has no column 'x1'"),
        (
            lambda p: p.assign(x1=np.inf),
            r"Column 'x1' has inf in float64; expected a finite number at row 0 of partition 2",
        ),
        (lambda p: p.assign(**{"class": 9}), r"y has 9 at row 0 of partition 2"),
        (lambda p: p.assign(weight=-1.0), r"sample_weight has -1.0 at row 0 of partition 2"),
        (lambda p: p.assign(x1="text"), r"partition 2: column 'x1' holds object values"),
    ],
    ids=["missing", "no column", "infinite", "class", "weight", "text"],
)
def test_bad_partition_is_named(client, change, message):
    X, y, w = draw(900)
    pandas = pd.DataFrame(X, columns=NAMES).assign(**{"class": y, "weight": w})
    frame = dd.from_pandas(pandas, npartitions=3)

    def changed(part, partition_info=None):
        return change(part) if partition_info is not None and partition_info["number"] == 2 else part

    frame = frame.map_partitions(changed, meta=frame._meta, enforce_metadata=False)
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        train(gn.stream(frame, "class", features=NAMES, sample_weight="weight", dask=client))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"y": "clas"}, gn.InputError, "Did you mean 'class'"),
        ({"y": "class", "features": ["x0", "text"]}, gn.InputTypeError, "'text' of the dataframe holds"),
        ({"y": np.zeros(7)}, gn.InputError, "y has 7 entries, X has 900 rows"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(client, settings, error, message):
    X, y, _ = draw(900)
    pandas = pd.DataFrame(X, columns=NAMES).assign(**{"class": y, "text": "word"})
    settings.setdefault("features", NAMES)
    with pytest.raises(error, match=message):
        gn.stream(dd.from_pandas(pandas, npartitions=2), dask=client, **settings)


def renamed(frame, names):
    frame = frame.copy()
    frame.columns = names
    return frame


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda f: f, {"features": [*NAMES, "class"]}, "'class' is a target or weight; it cannot be"),
        (lambda f: renamed(f, range(5)), {}, "a column called 0; expected a text of its own"),
        (lambda f: renamed(f, ["a", "a", "b", "c", "class"]), {}, "more than one column called 'a'"),
        (lambda f: dask.delayed(f), {}, "X is a Dask Delayed; expected a dataframe"),
    ],
    ids=["target among features", "numbers", "twice", "delayed"],
)
def test_dataframe_whose_columns_are_not_told_apart_is_refused(client, change, settings, message):
    X, y, _ = draw(90)
    frame = dd.from_pandas(pd.DataFrame(X, columns=NAMES).assign(**{"class": y}), npartitions=2)
    with pytest.raises(gn.InputError, match=message):
        gn.stream(change(frame), "class", dask=client, **settings)


def test_what_a_task_raises_is_no_fault_of_the_cluster(client):
    def opened(block):
        raise FileNotFoundError("a disk of the worker's")

    X = da.zeros((10, INPUTS), chunks=(5, INPUTS)).map_blocks(opened, meta=np.empty((0, 0)))
    with pytest.raises(FileNotFoundError, match="a disk of the worker's"):
        train(gn.stream(X, [0] * 10, dask=client))


def test_pass_that_is_cut_leaves_nothing_on_the_cluster(client):
    task = dask.delayed(slowly, pure=False)
    with pytest.raises(Cut):
        gathered(client, [task(n) for n in range(200)], lambda: True)
    for _ in range(50):
        if not client.futures and not client.run_on_scheduler(
            lambda dask_scheduler: len(dask_scheduler.tasks)
        ):
            break
        time.sleep(0.1)
    assert not client.futures


def test_arrays_of_other_lengths_or_dimensions_are_refused(client):
    X = da.zeros((10, 2), chunks=(5, 2))
    with pytest.raises(gn.InputError, match="y has 11 entries, X has 10 rows"):
        gn.stream(X, da.zeros(11, chunks=4), dask=client)
    with pytest.raises(gn.InputError, match="expected a dataframe, or an array with 2 dimensions"):
        gn.stream(X[0], [0, 1], dask=client)
    with pytest.raises(gn.InputError, match="dask is for a path"):
        gn.stream(np.zeros((3, 1)), [0, 1, 1], dask=client)
    with pytest.raises(gn.InputTypeError, match=r'dask is a scheduler\'s address, "local" or'):
        gn.stream(X, [0] * 10, dask=8786)


def test_missing_dask_is_said_with_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(gn.InputError, match=r'pip install "glassnet\[dask\]"'):
        gn.stream(folder, "class", dask="local")


def test_local_cluster_starts_by_itself_in_a_script(folder, tmp_path, expected):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy as np, glassnet as gn\n"
        "if __name__ == '__main__':\n"
        f"    rows = gn.stream({str(folder)!r}, 'class', features={NAMES!r}, sample_weight='weight',\n"
        "                     dask='local')\n"
        "    run = gn.train(gn.Network((4, 6, 3), hidden='tanh'), rows, iterations=3, random_state=0,\n"
        "                   optimizer=gn.Adam(0.01))\n"
        "    print(run.losses[-1].hex())\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "GLASSNET_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == float(expected.losses[-1]).hex()


@pytest.mark.parametrize("kind", ["arrays", "a dataframe of files", "files"])
def test_standardized_rows_have_the_bits_of_data_in_memory(kind, folder, client):
    X, y, _ = (folder, "class", None) if kind == "files" else collections(folder)[kind]
    how = {} if kind == "arrays" else {"features": NAMES}
    rows = gn.stream(X, y, dask=client, standardize=True, **how)
    in_memory = draw()
    expected = gn.stream(*in_memory[:2], standardize=True)
    assert np.array_equal(rows.mean, expected.mean)
    assert np.array_equal(rows.scale, expected.scale)
    Z = (in_memory[0] - rows.mean) / rows.scale
    run = train(rows)
    assert same(run, train(Z, in_memory[1]))
    assert run.score(rows) == run.score(expected)
