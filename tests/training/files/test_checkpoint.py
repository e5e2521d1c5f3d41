"""Checkpoints: a run that was cut off goes on with the bits of one that was not."""

import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from run_kinds import KINDS, NET, X, Y, data_of
from same_runs import assert_same_run

import glassnet as gn
from glassnet.training import loop
from glassnet.training.files import checkpoint


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A copy of each checkpoint, of which there is one after every chunk, as short as chunks can be."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e-9)
    monkeypatch.setattr(checkpoint.Checkpoint, "is_due", True)
    copies = []

    def copied(run, path):
        copies.append(tmp_path / f"{len(copies)}.safetensors")
        gn.save(run, copies[-1])

    monkeypatch.setattr(checkpoint, "save", copied)
    return copies


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoint_of_any_chunk_goes_on_to_the_bits_of_unbroken_training(files, tmp_path, kind):
    settings, (network, rows, y) = KINDS[kind], data_of(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gn.StalledTrainingWarning)
        whole = gn.train(network, rows, y, random_state=1, checkpoint=tmp_path / "c", **settings)
    *cut_off, last = files
    assert len(cut_off) >= 3
    assert_same_run(gn.load(last), whole)
    for file in [cut_off[1], cut_off[len(cut_off) // 2], cut_off[-1]]:
        run = gn.load(file)
        assert run.status == "running"
        if kind.startswith("batches") and file == cut_off[1]:
            assert run.cursor.row > 0
        validation = settings["validation"] if isinstance(settings.get("validation"), tuple) else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gn.StalledTrainingWarning)
            left = settings["iterations"] - run.iterations
            assert_same_run(run.resume(left, X=rows, y=y, validation=validation), whole)


KILLED = """
import numpy as np, glassnet as gn
X = np.random.default_rng(0).normal(size=(2000, 2))
network = gn.Network((2, 5, 2), hidden="tanh")
gn.train(network, X, (X[:, 0] * X[:, 1] > 0).astype(int), iterations=10**6, batch_size=20, random_state=0,
         checkpoint="run.safetensors", checkpoint_every=0.01)
"""


def test_kill_leaves_a_checkpoint_that_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("run.safetensors")
    with subprocess.Popen([sys.executable, "-c", KILLED]) as process:
        while not path.exists() or not gn.load(path).updates:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    run = gn.load(path)
    rows = np.random.default_rng(0).normal(size=(2000, 2))
    y, end = (rows[:, 0] * rows[:, 1] > 0).astype(int), run.iterations + 2
    settings = {"batch_size": 20, "random_state": 0}
    with pytest.raises(gn.InputError, match=r"cut off after iteration \d+.*gn.load\('run.safetensors'\)"):
        gn.train(run.network, rows, y, checkpoint=path, **settings)
    going_on = run.resume(end - run.iterations, X=rows, y=y, checkpoint=path)
    assert_same_run(going_on, gn.train(run.network, rows, y, iterations=end, **settings))
    assert_same_run(gn.load(path), going_on)


def test_checkpoint_that_cannot_be_written_warns_once_and_training_goes_on(files, tmp_path, monkeypatch):
    def full(run, path):
        raise gn.FileError("the disk is full.")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.warns(gn.CheckpointWarning, match=r"goes on without.*the disk is full") as warned:
        run = gn.train(NET, X, Y, iterations=9, random_state=1, checkpoint=tmp_path / "c")
    assert (len(warned), warned[0].filename) == (1, __file__)
    assert_same_run(run, gn.train(NET, X, Y, iterations=9, random_state=1))


@pytest.mark.parametrize("holds", ["a folder", "another file"])
def test_checkpoint_refuses_a_path_that_holds(tmp_path, holds):
    path = tmp_path / "c"
    path.mkdir() if holds == "a folder" else path.write_text("thesis")
    with pytest.raises(gn.FileError):
        gn.train(NET, X, Y, iterations=1, checkpoint=path)


def test_checkpoint_of_a_run_that_no_file_can_hold_is_refused_before_training(tmp_path):
    random = np.random.RandomState(np.random.PCG64(0))
    seen = []
    with pytest.raises(gn.InputError, match="draws from PCG64"):
        gn.train(
            NET, X, Y, batch_size=9, random_state=random, checkpoint=tmp_path / "c", callbacks=[seen.append]
        )
    assert not seen


def test_checkpoints_are_fewer_where_writing_takes_long(tmp_path, monkeypatch):
    clock = iter([0.0, 100.0, 103.0, 249.0, 254.0])
    monkeypatch.setattr(checkpoint, "monotonic", lambda: next(clock))
    one = checkpoint.Checkpoint(tmp_path / "c")
    monkeypatch.setattr(checkpoint, "save", lambda run, path: None)
    one.write(gn.train(NET, X, Y, iterations=1))
    assert [one.is_due, one.is_due] == [False, True]
