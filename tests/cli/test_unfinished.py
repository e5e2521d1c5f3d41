"""`glassnet train` goes on where it was cut off, to the bits of training that was not."""

import re
import subprocess
import sys
import time
from functools import wraps
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from same_runs import assert_same_run

import glassnet as gn
from glassnet.cli import main
from glassnet.experiments import preparation

RANDOM = np.random.default_rng(5)
A, B = RANDOM.normal(size=(2, 400))
COLUMNS = {"a": A, "b": B, "kind": np.where(A * B > 0, "high", "low")}
MODEL = "model.safetensors"
OPTIONS = ["--no-check", "--no-pictures", "--no-report", "--no-baselines", "--results", "r"]
FOLDER = ["--memory", "96 MiB", "--batch-size", "50"]
EXPERIMENTS = {
    "built in": ["circles", "--set", "data.n_samples=300", "--learning-rate", "0.003"],
    "table": ["t.csv", "--target", "kind", "--hidden", "5", "--set", "train.dropout=0.1"],
    "solver": ["t.csv", "--target", "a", "--optimizer", "lm", "--hidden", "4", "--validation", "0"],
    "folder in blocks": ["parts", "--target", "kind", *FOLDER],
}


class LostError(Exception):
    """Ends the process, as far as a job can see."""


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gn.utils.storage.write_csv("t.csv", COLUMNS)
    Path("parts").mkdir()
    pq.write_table(pa.table(COLUMNS), "parts/0.parquet")


def command(*arguments):
    return CliRunner().invoke(main, ["train", *arguments, *OPTIONS])


def cut_off(monkeypatch, iteration, *arguments):
    """Run a command whose training is cut off after an iteration."""
    with monkeypatch.context() as patch:
        real = preparation.train

        def lose(run):
            raise LostError

        @wraps(real)
        def train(*args, **keywords):
            return real(*args, **{**keywords, "callbacks": [gn.Every(iteration, lose)]})

        patch.setattr(preparation, "train", train)
        assert isinstance(command(*arguments).exception, LostError)


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_resume_goes_on_to_the_bits_of_unbroken_training(monkeypatch, kind):
    arguments = [*EXPERIMENTS[kind], "--iterations", "12"]
    assert command(*arguments).exit_code == 0
    whole = gn.load(f"r/{MODEL}")
    cut_off(monkeypatch, 5, *arguments)
    (left,) = Path("r").glob("unfinished-*")
    resumed = command(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert f"iteration 5 of the run in {left}" in " ".join(resumed.stdout.split())
    assert_same_run(gn.load(f"r/{MODEL}"), whole)
    assert not list(Path("r").glob("unfinished-*"))


def test_job_that_begins_anew_says_what_was_cut_off_and_leaves_it(monkeypatch):
    arguments = [*EXPERIMENTS["table"], "--iterations", "4"]
    cut_off(monkeypatch, 2, *arguments)
    (left,) = Path("r").glob("unfinished-*")
    (foreign := Path("r/unfinished-foreign")).mkdir()
    (foreign / MODEL).write_text("of an earlier glassnet, without settings")
    said = " ".join(command(*arguments).stdout.split())
    assert f"unfinished the run in {left} was cut off: --resume goes on from it. This one begins" in said
    assert gn.load(left / MODEL).iterations == 2


def test_resume_goes_on_after_ctrl_c_and_after_an_end_with_more_iterations(monkeypatch):
    arguments = EXPERIMENTS["table"]
    assert command(*arguments, "--iterations", "9").exit_code == 0
    whole = gn.load(f"r/{MODEL}")
    assert command(*arguments, "--iterations", "4").exit_code == 0
    assert command(*arguments, "--iterations", "9", "--resume").exit_code == 0
    assert_same_run(gn.load(f"r/{MODEL}"), whole)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["--iterations", "3"], r"has made its 3 iterations. More of them, such as --iterations 6"),
        (
            ["--iterations", "9", "--learning-rate", "0.02", "--hidden", "3"],
            r"other settings: network.hidden is \[5\] there and \[3\] here; "
            r"train.learning_rate is 0.004 there and 0.02 here. Give the same ones",
        ),
    ],
)
def test_resume_refuses(given, error):
    assert command(*EXPERIMENTS["table"], "--iterations", "3").exit_code == 0
    refused = command(*EXPERIMENTS["table"], *given, "--resume")
    assert refused.exit_code == 2
    assert re.search(error, refused.stderr)


def test_resume_writes_the_results_of_training_that_had_ended_before_a_kill():
    arguments = [*EXPERIMENTS["table"], "--iterations", "3"]
    assert command(*arguments).exit_code == 0
    whole = gn.load(f"r/{MODEL}")
    (left := Path("r/unfinished-0123abcd")).mkdir()
    Path("r", MODEL).rename(left / "checkpoint.safetensors")
    Path("r/experiment.toml").rename(left / "experiment.toml")
    resumed = command(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert_same_run(gn.load(f"r/{MODEL}"), whole)
    assert not left.exists()


def test_resume_without_a_run_says_so():
    refused = command(*EXPERIMENTS["table"], "--resume")
    assert refused.exit_code == 1
    assert "there is nothing to go on from in r" in refused.stderr


def test_kill_leaves_a_checkpoint_that_goes_on():
    arguments = [*EXPERIMENTS["table"], "--validation", "0", "--set", "train.batch_size=1"]
    job = [
        sys.executable,
        "-m",
        "glassnet",
        "train",
        *arguments,
        *OPTIONS,
        "-q",
        "--checkpoint-every",
        "0.01",
    ]
    with subprocess.Popen([*job, "--iterations", "100000"]) as process:
        while not list(Path("r").glob("unfinished-*/checkpoint.safetensors")):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    (left,) = Path("r").glob("unfinished-*")
    end = gn.load(left / "checkpoint.safetensors").iterations + 1
    assert command(*arguments, "--iterations", str(end), "--resume").exit_code == 0
    resumed = gn.load(f"r/{MODEL}")
    assert command(*arguments, "--iterations", str(end)).exit_code == 0
    assert_same_run(resumed, gn.load(f"r/{MODEL}"))
    assert not list(Path("r").glob("unfinished-*"))
