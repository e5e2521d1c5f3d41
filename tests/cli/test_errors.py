"""Signals and outputs that fail end a command with its work so far, and an exit status that says so."""

import json
import os
import signal
import subprocess
import sys
from functools import wraps
from pathlib import Path

import pytest
from click.testing import CliRunner
from platforms import linux

import glassnet as gn
from glassnet.cli import main
from glassnet.cli.jobs import job
from glassnet.experiments import preparation
from glassnet.model_selection.worker import Worker

TRAIN = ["train", "circles", "--set", "data.n_samples=60", "--iterations", "9", "--results", "r"]
SWEEP = ["sweep", "circles", "--set", "data.n_samples=60", "--iterations", "9", "--results", "r"]
NUMBERS = [signal.SIGTERM, signal.SIGHUP]

pytestmark = pytest.mark.usefixtures("handler")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def invoke(*arguments):
    return CliRunner().invoke(main, arguments)


def while_training(monkeypatch, function):
    """Call a function after the third iteration of `glassnet train`."""
    train = preparation.train

    @wraps(train)
    def interrupted(*args, **keywords):
        return train(*args, **{**keywords, "callbacks": [gn.Every(3, lambda run: function())]})

    monkeypatch.setattr(preparation, "train", interrupted)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("times", [1, 3])
def test_signal_in_training_writes_the_work_so_far_at_once(monkeypatch, number, times):
    def end():
        for _ in range(times):  # an init system may say it again
            signal.raise_signal(number)

    while_training(monkeypatch, end)
    before = signal.getsignal(number)
    ended = invoke(*TRAIN)
    assert ended.exit_code == 128 + number
    assert f"{number.name} ended training after 3 of 9 iterations" in ended.stderr
    assert "pictures and report were left out" in ended.stdout
    assert gn.load("r/model.safetensors").iterations == 3
    assert json.loads(Path("r/run.json").read_text())["status"] == "interrupted"
    assert not {"report.html", "loss.png"} & {path.name for path in Path("r").iterdir()}
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", NUMBERS)
def test_signal_while_ctrl_c_is_ignored_ends_training_too(monkeypatch, number):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell has it for a job in the background
    while_training(monkeypatch, lambda: signal.raise_signal(number))
    assert invoke(*TRAIN).exit_code == 128 + number
    assert gn.load("r/model.safetensors").iterations == 3


def test_hangup_that_is_ignored_stays_so(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        while_training(monkeypatch, lambda: signal.raise_signal(signal.SIGHUP))
        assert invoke(*TRAIN, "--no-pictures", "--no-report").exit_code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert gn.load("r/model.safetensors").iterations == 9


@pytest.mark.parametrize("number", NUMBERS)
def test_signal_before_training_leaves_nothing(monkeypatch, number):
    monkeypatch.setattr(job, "Draws", lambda *_: signal.raise_signal(number))
    ended = invoke(*TRAIN)
    assert ended.exit_code == 128 + number
    assert ended.stderr.splitlines()[-1] == f"Error: {number.name}."
    assert list(Path().iterdir()) == []


def test_signal_once_training_is_done_keeps_the_network(monkeypatch):
    monkeypatch.setattr(job, "_losses", lambda run: signal.raise_signal(signal.SIGTERM))
    ended = invoke(*TRAIN)
    assert ended.exit_code == 143
    assert "SIGTERM. What was written before is in r/unfinished-" in ended.stderr
    (kept,) = Path("r").glob("unfinished-*/model.safetensors")
    assert gn.load(kept).iterations == 9


@pytest.mark.parametrize("number", NUMBERS)
def test_signal_ends_a_sweep_with_the_networks_that_are_done(monkeypatch, number):
    advance, calls = Worker.advance, []

    def second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        return advance(*arguments)

    monkeypatch.setattr(Worker, "advance", second)
    ended = invoke(*SWEEP, "--no-pictures")
    assert ended.exit_code == 128 + number
    assert f"{number.name} ended the sweep before" in ended.stderr
    assert json.loads(Path("r/run.json").read_text())["grids"]


def test_library_leaves_the_signals_to_its_host():
    seen = []
    gn.train(
        gn.Network((1, 2, 2)),
        [[0.0], [1.0]],
        [0, 1],
        iterations=1,
        callbacks=[lambda run: seen.extend(map(signal.getsignal, NUMBERS))],
    )
    assert seen == [signal.SIG_DFL, signal.SIG_DFL]


@linux("/dev/full")
@pytest.mark.parametrize("output", ["/dev/full", "a pipe that is closed", "closed"])
def test_output_that_cannot_be_written_costs_the_status_and_nothing_else(tmp_path, output):
    code = "import sys; from glassnet.cli import main; main(sys.argv[1:])"
    arguments = [sys.executable, "-c", code, *TRAIN, "--no-pictures", "--no-report"]
    if output == "closed":
        arguments = ["sh", "-c", 'exec "$@" >&-', "sh", *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("w") as full:
        stdout = {"/dev/full": full, "closed": None}.get(output, writing)
        ended = subprocess.run(arguments, stdout=stdout, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Error: Not all output could be written")
    assert ended.stderr.count("\n") == ended.stderr.count("\n[") + 2  # the stages, and this line
    assert gn.load("r/model.safetensors").iterations == 9


@linux("/dev/full")
@pytest.mark.parametrize("command", [None, *main.commands])
def test_help_that_cannot_be_written_is_one_line(command):
    arguments = [sys.executable, "-m", "glassnet", *([command] if command else []), "--help"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "Error: No space left on device.\n"


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_predictions_replace_neither_the_table_nor_the_model(link):
    rows = "".join(f"{k % 7},{k % 3},{k % 2}\n" for k in range(40))
    Path("table.csv").write_text("a,b,c\n" + rows)
    settings = ["--iterations", "5", "--no-pictures", "--no-report", "--results", "r"]
    assert invoke("train", "table.csv", "--target", "c", *settings).exit_code == 0
    for path in ("table.csv", "r/model.safetensors"):
        output, before = path, Path(path).read_bytes()
        if link is not None:
            output = f"other-{Path(path).name}"
            link(Path(path).resolve(), output)
        for model in ("r", "r/model.safetensors"):
            ended = invoke("predict", model, "table.csv", "-o", output)
            assert ended.exit_code == 2
            assert "itself, which the predictions would replace" in ended.stderr
            assert Path(path).read_bytes() == before
    assert invoke("predict", "r", "table.csv", "-o", "p.csv").exit_code == 0
    assert invoke("predict", "r", "table.csv", "-o", "p.csv").exit_code == 0  # its own predictions again


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("y\n1\n2\n", "no column but the target, 'y'"),
        ("a,y\n1,\n2,\n", "No row of t.csv has a value in 'y'"),
        ("a,y\n1,yes\n2,yes\n", "is 'yes' in every row"),
        ("a,z\n1,2\n", "Unknown column of t.csv: 'y'"),
        ('a,y\n"1,2\n', "double quote that is not closed"),
    ],
)
def test_table_that_cannot_be_learned_is_answered_before_scikit_learn_is_loaded(rows, words):
    Path("t.csv").write_text(rows)
    ended = invoke("train", "t.csv", "--target", "y")
    assert ended.exit_code in (1, 2)
    assert words in " ".join(ended.stderr.split())
    assert "loading scikit-learn" not in ended.stderr
