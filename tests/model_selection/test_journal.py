"""A sweep's results as they come: what survives a kill, and what is refused."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sweeps import NEAR as X
from sweeps import NET, Y

import glassnet as gn
from glassnet.model_selection import journal, plan
from glassnet.model_selection import worker as workers
from glassnet.model_selection.scheduler import Scheduler

DATA = Path(__file__).parents[1] / "data"
GRID = {"learning_rate": [0.05, 0.5, 1e6], "l2": [0.0, 0.01]}


def sweep(path=None, **settings):
    return gn.sweep(
        NET, X, Y, **{"grid": GRID, "iterations": 6, "random_state": 3, "results": path, **settings}
    )


def table_of(result):
    """Without what a clock has measured; as text, in which NaN is equal to itself."""
    return repr([{k: v for k, v in row.items() if k != "seconds"} for row in result.table])


def assert_same(one, other):
    assert table_of(one) == table_of(other)
    for a, b in zip(one.cells, other.cells, strict=True):
        assert (a.settings, a.seed, a.fold, a.baseline, a.floor) == (
            b.settings,
            b.seed,
            b.fold,
            b.baseline,
            b.floor,
        )
        assert np.array_equal(a.run.losses, b.run.losses, equal_nan=True)
        assert a.run.parameters == b.run.parameters
        assert a.run.averaged == b.run.averaged
        assert np.array_equal(a.run.state, b.run.state)
        assert a.run.extra == b.run.extra
        assert np.array_equal(a.run.validation_losses, b.run.validation_losses)
        assert np.array_equal(a.evaluations, b.evaluations)
        assert a.left_out == b.left_out
        assert (a.predictions is None) == (b.predictions is None)
        assert a.predictions is None or np.array_equal(a.predictions, b.predictions)
        assert a.rows is None or np.array_equal(a.rows, b.rows)
        assert (a.run.optimizer, a.run.network, a.run.status) == (
            b.run.optimizer,
            b.run.network,
            b.run.status,
        )


KINDS = {
    "full batch": {},
    "folds and seeds": {"folds": 3, "seeds": 2, "metric": "accuracy"},
    "standardized": {"folds": 2, "standardize": True},
    "batches": {"batch_size": 8, "validation": 0.2, "average": 0.9, "dropout": 0.2},
    "class weights": {"class_weight": "balanced"},
    "stopping": {"validation": 0.3, "stopping": gn.EarlyStopping(patience=1, tolerance=0.01)},
    "solvers": {"grid": {"optimizer": [kind() for kind in gn.SOLVERS.values()], "l2": [0.0, 0.1]}},
    "own metric": {
        "validation": 0.3,
        "stopping": gn.EarlyStopping(metric=lambda y, found: (y == found).mean(), mode="max"),
    },
    "thinned": {"iterations": 300, "keep_losses": 30},
    "halving": {"iterations": 30, "halving": 2},
    "evaluations": {
        "folds": 2,
        "iterations": 16,
        "halving": 2,
        "evaluate_every": 3,
        "metric": "accuracy",
        "keep_predictions": "predict_proba",
    },
    "halving batches": {"iterations": 16, "halving": 2, "batch_size": 20, "folds": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_goes_on_from_whatever_a_kill_has_left(tmp_path, kind):
    whole = sweep(**KINDS[kind])
    path = tmp_path / "results.jsonl"
    assert_same(sweep(path, **KINDS[kind]), whole)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    cuts = {
        0,
        5,
        ends[0] - 1,
        *ends[:: max(1, len(ends) // 2)],
        ends[-1],
        *np.random.RandomState(0).randint(0, len(data), 2).tolist(),
    }
    for i, cut in enumerate(sorted(cuts)):
        path.write_bytes(data[:cut])
        assert_same(sweep(path, **KINDS[kind]), whole)
        if i % 3 == 1:
            assert_same(sweep(path, **KINDS[kind]), whole)  # from what the sweep before has written
        assert path.read_bytes()[:cut].startswith(data[: max((e for e in ends if e <= cut), default=0)])


def test_what_was_done_is_not_trained_again(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    whole = sweep(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    trained = []
    real = workers.Worker.train
    monkeypatch.setattr(
        workers.Worker,
        "train",
        lambda self, task, *a: trained.append(task.number) or real(self, task, *a),
    )
    assert_same(sweep(path), whole)
    assert len(trained) == 6 - 3
    trained.clear()
    assert_same(sweep(path), whole)
    assert trained == []


def test_the_file_is_there_as_networks_end(tmp_path):
    path, calls = tmp_path / "results.jsonl", itertools.count(1)

    def failing(y, found):
        if next(calls) == 4:
            raise ZeroDivisionError
        return 1.0

    with pytest.raises(ZeroDivisionError):
        sweep(path, metric=failing, mode="max", threads=1)
    records = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert [record["network"] for record in records] == [0, 1, 2]
    assert records[0]["settings"] == {"learning_rate": 0.05, "l2": 0.0}
    assert (records[0]["status"], records[0]["metric"]) == ("falling", 1.0)
    assert len(sweep(path, metric=failing, mode="max").cells) == 6


def test_networks_that_ctrl_c_has_cut_short_are_not_written(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    real = workers.Worker.train

    def pressed(self, task, run, until, show, stop, hooks):
        stop[0] = task.number >= 2
        return real(self, task, run, until, show, stop, hooks)

    with monkeypatch.context() as patch:
        patch.setattr(workers.Worker, "train", pressed)
        with pytest.warns(gn.InterruptedTrainingWarning, match="goes on from .*results.jsonl"):
            sweep(path, threads=1)
    assert len(path.read_text().splitlines()) == 1 + 2
    assert_same(sweep(path), sweep())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_what_ends_a_sweep_has_the_networks_that_were_finished(tmp_path, monkeypatch, kind):
    whole = sweep()
    real = Scheduler._keep

    def pressed_again(self, track):
        real(self, track)
        if len(self.finished) == 3:
            raise kind

    monkeypatch.setattr(Scheduler, "_keep", pressed_again)
    with pytest.raises(kind) as caught:
        sweep(threads=1)
    assert table_of(caught.value.result) == table_of(replace(whole, cells=whole.cells[:3]))
    (note,) = caught.value.__notes__
    assert (
        note == "3 of 6 networks of the sweep are finished: they are this exception's attribute `result`."
    )
    with pytest.raises(kind) as caught:
        sweep(tmp_path / "r.jsonl", threads=1)
    assert "goes on from" in caught.value.__notes__[0]
    monkeypatch.undo()
    assert_same(sweep(tmp_path / "r.jsonl"), whole)


def test_a_seed_of_nobodys_own_is_kept(tmp_path):
    path = tmp_path / "results.jsonl"
    first = sweep(path, random_state=None, seeds=2)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    assert_same(sweep(path, random_state=None, seeds=2), first)


def test_the_file_is_looked_through_a_line_at_a_time(tmp_path):
    path = tmp_path / "r.jsonl"
    sweep(path, iterations=5_000, seeds=5)
    longest = max(map(len, path.read_bytes().splitlines()))
    assert path.stat().st_size > 5 * longest
    code = """import sys, tracemalloc; from glassnet.model_selection.journal import Journal
tracemalloc.start()
print(sum(record["final"] for record in Journal(sys.argv[1]).records()), tracemalloc.get_traced_memory()[1])
"""  # in a process of its own: other threads of the tests' process allocate memory as well
    printed = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    final, peak = map(int, printed.stdout.split())
    assert final == 30
    assert peak < 8 * longest


def test_a_journal_of_an_earlier_commit_goes_on(tmp_path, monkeypatch):
    """The file has format 1, as glassnet 0.1.0 wrote it before its modules moved into packages."""
    monkeypatch.setattr(plan, "__version__", "0.1.0")
    X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    settings = [
        {"optimizer": gn.Adam(gn.Step(0.1, every=2))},
        {"optimizer": gn.LBFGS()},
        {"network": gn.Network((2, 1, 2), "relu", loss={"name": "cross_entropy", "label_smoothing": 0.1})},
    ]
    how = {
        "iterations": 3,
        "random_state": 3,
        "engine": "numpy",
        "validation": (X, y),
        "metric": "accuracy",
    }
    how["stopping"] = gn.EarlyStopping(patience=50, metric="accuracy")

    def again(path=None):
        return gn.sweep(gn.Network((2, 2, 2), "tanh"), X, y, settings=settings, results=path, **how)

    path, earlier = tmp_path / "r.jsonl", (DATA / "sweep_journal_1.jsonl").read_bytes()
    for lines in (4, 3):  # a sweep that is finished, and one that goes on
        kept = b"".join(earlier.splitlines(keepends=True)[:lines])
        path.write_bytes(kept)
        for run, other in zip(again(path).runs, again().runs, strict=True):
            if run.optimizer.name != "lbfgs":  # whose first step is another since
                assert run.losses == pytest.approx(other.losses, rel=1e-9)  # another processor made them
            assert (run.optimizer, run.network) == (other.optimizer, other.network)
        assert path.read_bytes().startswith(kept)
        assert path.read_bytes().count(b"\n") == 4


def test_networks_of_an_earlier_commit_scale_by_themselves_as_those_of_this_one(tmp_path, monkeypatch):
    """They were trained on standardized folds, and the file says by what; it has no scaling of the runs."""
    monkeypatch.setattr(plan, "__version__", "0.1.0")
    X = np.c_[np.arange(6.0), [1000.0, 3000.0, 1000.0, 4000.0, 2000.0, 4000.0]]
    y = X[:, 0] + X[:, 1] / 1000

    def again(path=None, standardize="X"):
        how = {"settings": [{"learning_rate": 0.3}], "folds": 2, "iterations": 40, "random_state": 3}
        line = gn.Network((2, 1), output="identity")
        return gn.sweep(line, X, y, **how, standardize=standardize, engine="numpy", results=path)

    path, earlier = tmp_path / "r.jsonl", (DATA / "sweep_journal_standardized.jsonl").read_bytes()
    path.write_bytes(earlier)
    for standardize in (True, "X"):  # True left y as it was then
        for one, other in zip(again(path, standardize).runs, again().runs, strict=True):
            assert one.predict(X).shape == (6,)
            assert one.predict(X) == pytest.approx(other.predict(X), rel=1e-9)
    assert path.read_bytes() == earlier
    path.unlink()
    again(path)
    with pytest.raises(gn.FileError, match=r"the folds \(or standardize\) is not the same"):
        again(path, True)


def test_a_sweep_of_an_earlier_commit_goes_on_scaling_by_rows_held_out_too(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "__version__", "0.1.0")
    X = np.c_[np.arange(16.0), np.arange(16.0)[::-1] ** 2 * 1000]
    how = {"settings": [{"learning_rate": 0.3}], "folds": 2, "iterations": 5, "random_state": 3}
    how |= {"standardize": True, "validation": 0.25, "engine": "numpy"}

    def again(path):
        return gn.sweep(gn.Network((2, 1), output="identity"), X, X @ [1, 0.001], results=path, **how)

    earlier = (DATA / "sweep_journal_held_out.jsonl").read_bytes()
    (tmp_path / "whole").write_bytes(earlier)
    (tmp_path / "begun").write_bytes(b"".join(earlier.splitlines(keepends=True)[:1]))
    for one, other in zip(again(tmp_path / "begun").cells, again(tmp_path / "whole").cells, strict=True):
        assert one.metric == pytest.approx(other.metric, rel=1e-9)
        assert one.run.predict(X) == pytest.approx(other.run.predict(X), rel=1e-9)
    assert (tmp_path / "whole").read_bytes() == earlier


# ---- SIGKILL ------------------------------------------------------------------------------------

SERVER = """
import os, sys, numpy as np, glassnet as gn
random = np.random.RandomState(0)
X, y = random.randn(300, 2), random.randint(0, 2, 300)
odd = np.arange(300) % 2 == 1
grid = {"learning_rate": np.geomspace(0.01, 1, 20), "momentum": [0.0, 0.5, 0.9], "batch_size": [None, 100]}
for line in sys.stdin:
    path, halving = line.split()
    if not (child := os.fork()):
        result = gn.sweep(gn.Network((2, 4, 2)), X, y, grid=grid, iterations=150, random_state=0,
                          folds=[(odd, ~odd), (~odd, odd)], halving=eval(halving), results=path)
        with open(path + ".txt", "w") as file:
            for row, run in zip(result.table, result.runs):
                row.pop("seconds")
                print(row, run.parameters.flat.tobytes().hex(), file=file)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print(flush=True)
"""


@pytest.fixture(scope="module")
def forks():
    """A process that has glassnet loaded, and makes a sweep in a child for each line that it gets."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "GLASSNET_THREADS": "2"},
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("halving", [None, 3])
def test_a_sweep_killed_at_ten_random_moments_gives_the_same_table(tmp_path, forks, halving):
    def whole(path):
        forks.stdin.write(f"{path} {halving}\n")
        assert forks.stdout.readline().strip()
        forks.stdout.readline()
        return Path(f"{path}.txt").read_text()

    expected = whole(tmp_path / "whole.jsonl")
    path, moments = tmp_path / "killed.jsonl", random.Random(0)
    lengths = [0]
    for _ in range(10):
        forks.stdin.write(f"{path} {halving}\n")
        child = int(forks.stdout.readline())
        deadline = time.monotonic() + 30
        # From when it is at work, at a random moment.
        while (
            time.monotonic() < deadline and Path(f"/proc/{child}").exists()
        ):  # until the server has waited
            if path.exists() and path.stat().st_size > lengths[-1]:
                time.sleep(moments.uniform(0, 0.03))
                break
            time.sleep(0.001)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        forks.stdout.readline()
        lengths.append(path.stat().st_size)
    assert len(set(lengths)) > 4, "most of them were killed at work"
    assert whole(path) == expected
    assert expected.count("\n") == 240


# ---- What is refused ----------------------------------------------------------------------------

OTHERS = {
    "X": lambda: gn.sweep(NET, X + 1e-12, Y, grid=GRID, iterations=6, random_state=3, results="r.jsonl"),
    "y": lambda: gn.sweep(NET, X, 1 - Y, grid=GRID, iterations=6, random_state=3, results="r.jsonl"),
    "settings": lambda: sweep("r.jsonl", iterations=7),
    "random_state": lambda: sweep("r.jsonl", random_state=4),
    "folds": lambda: sweep("r.jsonl", folds=2),
    "metric": lambda: sweep("r.jsonl", metric="accuracy"),
    "sample_weight": lambda: sweep("r.jsonl", sample_weight=np.ones(60)),
    "parameters": lambda: sweep("r.jsonl", parameters=NET.initialize(0)),
    "halving": lambda: sweep("r.jsonl", halving=3),
    "converged_below": lambda: sweep("r.jsonl", converged_below=0.2),
    "keep_losses": lambda: sweep("r.jsonl", keep_losses=3),
    "engine": lambda: sweep("r.jsonl", engine="numpy"),
}


@pytest.mark.parametrize("part", OTHERS)
def test_results_of_another_sweep_are_refused_and_stay(tmp_path, monkeypatch, part):
    monkeypatch.chdir(tmp_path)
    sweep("r.jsonl")
    before = Path("r.jsonl").read_bytes()
    with pytest.raises(gn.FileError, match=f"holds another sweep .6 networks of it are done.: .*{part}"):
        OTHERS[part]()
    assert Path("r.jsonl").read_bytes() == before


def test_every_part_of_the_fingerprint_is_tried_above(tmp_path):
    sweep(tmp_path / "r.jsonl")
    header = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert set(header["fingerprint"]) == set(OTHERS) | {"validation", "glassnet"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "is not a sweep's results"),
        (b"\x00" * 100, "is not a sweep's results"),
        (b'{"fingerprint": 1}\n', "is not a sweep's results"),
    ],
)
def test_files_of_another_kind_are_refused_and_stay(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(gn.FileError, match=message):
        sweep(path)
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_told(tmp_path):
    path = tmp_path / "r.jsonl"
    sweep(path)
    data = bytearray(path.read_bytes())
    lines = data.split(b"\n")
    data[len(lines[0]) + len(lines[1]) + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(gn.FileError, match="damaged: line 3 is not what was written"):
        sweep(path)
    assert path.read_bytes() == data


def test_a_later_format_is_told(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(journal, "FORMAT", 2)
        sweep(path)
    with pytest.raises(gn.FileError, match="has format 2; this glassnet knows format 1"):
        sweep(path)


def test_places_that_cannot_be_written_are_told_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(Scheduler, "run", None)
    with pytest.raises(gn.FileError, match=r"does not exist\. Create it first"):
        sweep(tmp_path / "nowhere" / "r.jsonl")
    with pytest.raises(gn.FileError, match="is a folder"):
        sweep(tmp_path)
    with pytest.raises(gn.InputTypeError, match="results is text or a pathlib"):
        sweep(3)


def test_two_processes_do_not_write_to_one_file(tmp_path):
    path = tmp_path / "r.jsonl"
    sweep(path)
    held = journal.Journal(path)
    held.begin(held.header)
    with pytest.raises(gn.FileError, match="is being written by another process"):
        sweep(path)
    held.close()
    assert_same(sweep(path), sweep())


def test_a_full_disk_leaves_what_was_written(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    real, calls = os.write, []

    def full(file, data):
        calls.append(1)
        if len(calls) == 4:
            return real(file, data[: len(data) // 2])
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        return real(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "write", full)
        with pytest.raises(gn.FileError, match=r"cannot be written any further.*start the sweep again"):
            sweep(path, threads=1)
    assert len(path.read_bytes().splitlines()) == 3
    assert path.read_bytes().endswith(b"\n")
    assert_same(sweep(path), sweep())


def test_a_file_that_another_sweep_has_begun_meanwhile_is_refused_and_stays(tmp_path):
    path = tmp_path / "r.jsonl"
    late = journal.Journal(path)
    sweep(path)
    before = path.read_bytes()
    other = {**journal.Journal(path).header["fingerprint"], "X": "another"}
    with pytest.raises(gn.FileError, match="holds another sweep"):
        late.begin({"fingerprint": other, "networks": 1, "seed": None})
    assert path.read_bytes() == before


def test_validation_data_are_told_apart_and_do_not_swell_the_fingerprint(tmp_path):
    path = tmp_path / "r.jsonl"
    told = {"grid": {"l2": [0.0, 0.01]}, "iterations": 3}
    first = sweep(path, validation=(X, Y), **told)
    assert_same(sweep(path, validation=(X.copy(), Y.copy()), **told), first)
    with pytest.raises(gn.FileError, match="validation is not the same"):
        sweep(path, validation=(X + 1, Y), **told)


def test_folds_that_are_standardized_are_another_sweep(tmp_path):
    path = tmp_path / "r.jsonl"
    sweep(path, folds=2)
    with pytest.raises(gn.FileError, match=r"the folds \(or standardize\) is not the same"):
        sweep(path, folds=2, standardize=True)


@pytest.mark.parametrize("other", [{"evaluate_every": 2}, {"keep_predictions": True}])
def test_a_sweep_that_keeps_more_is_another_sweep(tmp_path, other):
    path = tmp_path / "r.jsonl"
    sweep(path, folds=2)
    with pytest.raises(gn.FileError, match=r"the metric .* is not the same"):
        sweep(path, folds=2, **other)


def test_another_metric_of_the_same_name_is_told_apart(tmp_path):
    def right(factor):
        return lambda y, found: factor * (y == found).mean()

    path = tmp_path / "r.jsonl"
    first = sweep(path, metric=right(1), mode="max")
    assert_same(sweep(path, metric=right(1), mode="max"), first)
    with pytest.raises(gn.FileError, match=r"the metric .* is not the same"):
        sweep(path, metric=right(2), mode="max")
