"""The command line: what it promises in its help, what it says of mistakes, and its exit statuses."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from functools import wraps
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import benchmarks as bench
import glassnet as gn
from glassnet.cli import main
from glassnet.cli.jobs import job, sweeping
from glassnet.cli.jobs.results import record
from glassnet.cli.options import Setting
from glassnet.data.checks import ENGINES
from glassnet.data.tables import read_table
from glassnet.data.tables.preprocessing import TASKS
from glassnet.errors import GlassnetError
from glassnet.experiments import built_in, find_experiment, preparation
from glassnet.experiments.preparation import Draws
from glassnet.experiments.schema import key_at
from glassnet.nn.activations import ACTIVATIONS
from glassnet.training.steppers import RULES
from glassnet.utils.array_checks import FLOATS

COMMANDS = ["train", "check", "predict", "export", "lab", "sweep", "bench", "info"]
SMALL = ["--set", "data.n_samples=60", "--iterations", "5", "--no-pictures", "--no-report"]
SWEEP_SMALL = ["--set", "data.n_samples=60", "--iterations", "3", "--no-pictures"]


def glassnet(*arguments):
    """Run a command in this process; what it printed is in .stdout and .stderr."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="glassnet")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def flowers(tmp_path):
    random = np.random.RandomState(0)
    rows = ["width,length,species"]
    for i in range(40):
        width, length = random.randn(2) + 3 * (i % 2)
        rows.append(f"{width},{length},{('setosa', 'virginica')[i % 2]}")
    (tmp_path / "flowers.csv").write_text("\n".join(rows) + "\n")
    return "flowers.csv"


# ---- Help -----------------------------------------------------------------------------------------


def test_the_commands_are_these_and_listed_in_this_order():
    shown = glassnet("--help").stdout
    assert list(main.commands) == COMMANDS
    assert re.findall(r"^  (\w+)  ", shown.split("Commands:")[1], re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", main.commands)
def test_every_command_and_option_is_explained(command):
    shown = glassnet(command, "--help").stdout
    assert "{" not in shown
    for parameter in main.commands[command].params:
        if parameter.param_type_name == "option":
            assert parameter.opts[-1] in shown
            assert parameter.help, f"{command} {parameter.opts[0]}"


def test_help_names_every_choice():
    shown = re.split(r"[\s,.;]+", glassnet("train", "--help").stdout)
    assert {*ACTIVATIONS, *ENGINES, *(kind.name for kind in FLOATS), *RULES, *TASKS} <= set(shown)


@pytest.mark.parametrize("command", main.commands)
def test_every_setting_sets_a_key_that_experiments_have_to_a_value_of_its_kind(command):
    for option in main.commands[command].params:
        if isinstance(option, Setting):
            example = {"INT": 1, "FLOAT": 0.5, "STRING": "1", "BOOL": False}.get(str(option.type).upper())
            assert example is None or key_at(option.key).kind.accepts(example), option.opts


def test_python_m_glassnet_is_the_command_line_and_its_help_loads_nothing_heavy():
    code = (
        "import json, runpy, sys\n"
        "sys.argv[1:] = ['--help']\n"
        "try:\n"
        "    runpy.run_module('glassnet', run_name='__main__')\n"
        "finally:\n"
        "    print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage: glassnet [OPTIONS] COMMAND")
    loaded = set(json.loads(shown.splitlines()[-1]))
    assert "click" in loaded
    assert loaded.isdisjoint(
        {"sklearn", "scipy", "matplotlib", "plotly", "pandas", "pyarrow", "tqdm", "safetensors"}
    )


def test_version_is_the_librarys():
    assert glassnet("--version").stdout == f"glassnet {gn.__version__}\n"


# ---- What it says of mistakes ---------------------------------------------------------------------

MISTAKES = [
    (["trian"], 2, "Unknown command 'trian'. Did you mean 'train'?"),
    (["train"], 2, "Missing argument 'EXPERIMENT'"),
    (["train", "circels"], 2, "Did you mean 'circles'?"),
    (["train", "flwers.csv", "--target", "species"], 1, "Did you mean 'flowers.csv'?"),
    (["train", "flowers.csv"], 2, "--target COLUMN. It has: width, length, species."),
    (["train", "flowers.csv", "--target", "specie"], 2, "Did you mean 'species'?"),
    (
        ["train", "flowers.csv", "--target", "width", "--numeric", "species"],
        2,
        "Column 'species' holds cells that are no number: 'setosa' at line 2",
    ),
    (["train", "circles", "--target", "x"], 2, "--target x goes with a table"),
    (
        ["train", "circles", "--activation", "relo"],
        2,
        "--activation relo: Unknown activation 'relo'. Did you mean",
    ),
    (["train", "circles", "--gif", "--no-pictures"], 2, "--gif draws a picture, and --no-pictures none"),
    (["train", "circles", "--hidden", "0"], 2, "--hidden 0: hidden layer 1 of [0] has a width of 0"),
    (["train", "circles", "--hidden", "a"], 2, "'a' is not whole numbers between commas"),
    (
        ["train", "circles", "--learning-rate", "nan"],
        2,
        "--learning-rate nan: learning_rate is nan; expected",
    ),
    (["train", "circles", "--momentum", "1"], 2, "--momentum 1.0: momentum is 1.0; expected"),
    (["train", "circles", "--set", "train.iteration=3"], 2, "Did you mean 'iterations'?"),
    (["train", "circles", "--lr", "1"], 2, "No such option '--lr'. Did you mean '--learning-rate'?"),
    (["train", "circles", "--epochs", "1"], 2, "Did you mean '--iterations'?"),
    (["train", "circles", "--hidden-layer-sizes", "8"], 2, "Did you mean '--hidden'?"),
    (["train", "circles", "--alpha", "1"], 2, "Did you mean '--set train.l2=...'?"),
    (["train", "circles", "--patience", "1"], 2, "Did you mean '--set train.stopping.patience=...'?"),
    (["train", "circles", "--beta_1", "1"], 2, "Did you mean '--set train.beta1=...'?"),
    (["train", "circles", "--seed", "1"], 2, "Did you mean '--random-state'?"),
    (["train", "circles", "--hiden", "8"], 2, "Did you mean '--hidden'?"),
    (["train", "circles", "--xyz"], 2, "No such option '--xyz'.\n"),
    (["predict", "--epochs", "1"], 2, "No such option '--epochs'.\n"),
    (["sweep", "circles", "--max-iter", "1"], 2, "Did you mean '--iterations'?"),
    (["train", "circles", "--set", "nothing"], 2, "KEY=VALUE"),
    (["train", "circles", "--results", "flowers.csv"], 1, "flowers.csv is a file"),
    (["train", "circles", "--iterations", "many"], 2, "'many' is not a valid integer"),
    (["train", "."], 1, ". holds no Parquet file, nor the experiment.toml of a folder of results"),
    (["train", "*.parquet", "--target", "a"], 1, "There is no file that *.parquet fits"),
    (
        ["train", "flower"],
        2,
        f"Did you mean 'flowers.csv'? Choose one of: {', '.join(built_in())}. Or a file or a folder",
    ),
    (["check", "circles", "--engine", "cuda"], 2, "Unknown engine 'cuda'"),
    (["check", "missing.toml"], 1, "There is no file missing.toml"),
    (["sweep", "circles", "--grid", "notebok"], 2, "Did you mean 'notebook'?"),
    (["sweep", "flowers.csv", "--target", "species"], 2, "has no grid"),
    (["sweep", "circles", "--dask", "nowhere"], 2, "expected a scheduler's address"),
    (["predict", "flowers.csv", "flowers.csv"], 1, "is not a safetensors file"),
    (["predict", "missing", "flowers.csv"], 1, "There is no file missing"),
    (["info", "circels"], 2, "Did you mean 'circles'?"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), MISTAKES, ids=lambda value: str(value)[:50])
def test_a_mistake_is_one_message_and_a_status(arguments, status, words, flowers):
    result = glassnet(*arguments)
    assert result.exit_code == status
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


NOT_OURS = [
    (OSError(28, "No space left on device", "x.png"), 1, "x.png: "),
    (MemoryError(), 1, "not enough memory"),
    (KeyboardInterrupt("Work is kept."), 130, "Ctrl-C. Work is kept."),
    (GlassnetError("as it is"), 1, "as it is"),
]


@pytest.mark.parametrize(("error", "status", "words"), NOT_OURS, ids=lambda value: type(value).__name__)
def test_what_the_machine_refuses_is_a_message_too(error, status, words, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(job, "run_experiment", fail)
    result = glassnet("train", "circles")
    assert result.exit_code == status
    assert words in result.stderr


def test_a_disk_that_fills_leaves_the_earlier_results(tmp_path):
    assert glassnet("train", "circles", *SMALL, "--results", "r").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        shown = glassnet("train", "circles", *SMALL, "--iterations", "20000", "--results", "r")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert shown.exit_code == 1
    assert "cannot be written" in shown.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


# ---- Training -------------------------------------------------------------------------------------


def test_train_says_what_came_of_each_part(tmp_path):
    result = glassnet("train", "circles", *SMALL)
    assert result.exit_code == 0
    stages = [line.partition("] ")[2] for line in result.stderr.splitlines()]
    assert stages[0] == "loading glassnet"
    assert stages[-1] == "scoring"
    assert "training" in stages
    labels = re.findall(r"^(\w[\w -]*?)  ", result.stdout, re.MULTILINE)
    assert labels == ["data", "network", "gradient check", "training", "training score", "timings", "files"]
    assert "PASSED: all 17 entries agree" in result.stdout
    assert "results/circles: " in result.stdout
    assert (tmp_path / "results" / "circles" / "run.json").is_file()
    assert max(map(len, result.stdout.splitlines())) <= 110


def test_quiet_says_nothing():
    result = glassnet("train", "circles", *SMALL, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_result_like_a_constant_is_said_in_the_last_line(quiet, tmp_path):
    how = ["--activation", "relu", "--learning-rate", "0.1", "--no-check", *quiet]
    result = glassnet("train", "circles", *SMALL, "--iterations", "300", *how)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1].startswith(
        "Warning: Training ended, but its loss, 41.61, is no better than the best "
    )
    assert "3 of 3 units of hidden layer 1 are dead" in result.stderr
    assert "constant" not in result.stdout
    document = json.loads((tmp_path / "results/circles/run.json").read_text())
    assert document["reason"] in result.stderr
    (first, *_) = document["diagnosis"]["findings"]
    assert (f"diagnosis       {first['name']}: " in result.stdout) == (not quiet)
    assert first["trial"] is not None


def test_options_reach_the_run(tmp_path, flowers):
    options = {
        "--hidden": "4,3",
        "--activation": "relu",
        "--iterations": "30",
        "--learning-rate": "0.05",
        "--momentum": "0.3",
        "--test-fraction": "0.5",
        "--random-state": "7",
        "--features": "length",
        "--dtype": "float32",
        "--engine": "numpy",
        "--threads": "1",
        "--axes": "length",
        "--results": "r",
    }
    line = [part for pair in options.items() for part in pair]
    result = glassnet(
        "train", flowers, "--target", "species", *line, "--no-pictures", "--no-report", "--no-check"
    )
    assert result.exit_code == 0, result.output
    run = gn.load(tmp_path / "r" / "model.safetensors")
    assert run.network.sizes == (1, 4, 3, 2)
    assert [record.name for record in run.network.hidden] == ["relu", "relu"]
    assert run.optimizer == gn.SGD(learning_rate=0.05, momentum=0.3)
    assert (run.iterations, run.dtype, run.engine) == (30, np.float32, "numpy")
    document = json.loads((tmp_path / "r" / "run.json").read_text())
    assert document["data"]["n_held_out"] == 20
    assert document["gradient_check"] is None
    assert document["settings"]["random_state"] == 7


def test_a_table_can_be_trained_on_and_predicted(tmp_path, flowers):
    how = ["--hidden", "", "--iterations", "300", "--no-pictures", "--no-report"]
    result = glassnet("train", flowers, "--target", "species", *how)
    assert result.exit_code == 0
    assert "held-out score" in result.stdout
    assert re.search(r"^verdict +on 10 held-out rows  accuracy", result.stdout, re.MULTILINE)
    assert re.search(r"^ +(linear model|boosted trees) +\d", result.stdout, re.MULTILINE)
    verdict = json.loads(Path("results/flowers/run.json").read_text())["verdict"]
    assert verdict["sentences"][0].split(":")[0] in " ".join(result.stdout.split())
    without = glassnet("train", flowers, "--target", "species", *how, "--no-baselines")
    assert "verdict" not in without.stdout
    assert json.loads(Path("results/flowers/run.json").read_text())["verdict"] is None
    shown = glassnet("predict", "results/flowers", flowers)
    assert shown.stdout.splitlines()[:3] == ["prediction", "setosa", "virginica"]
    assert shown.stderr.startswith("Score against 'species': ")
    written = glassnet(
        "predict", "results/flowers/model.safetensors", flowers, "--proba", "--output", "out.csv"
    )
    assert written.stdout == ""
    assert "40 prediction(s) in out.csv" in written.stderr
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "prediction,P(setosa),P(virginica)"
    assert [line.partition(",")[0] for line in lines] == shown.stdout.splitlines()


def test_a_diverged_run_is_written_and_ends_with_status_1(tmp_path):
    result = glassnet("train", "circles", *SMALL, "--learning-rate", "50")
    assert result.exit_code == 1
    assert "Training blew up at iteration" in result.stderr
    assert "--learning-rate 5 (it was 50, and a summed loss asks for smaller ones)" in result.stderr
    document = json.loads((tmp_path / "results/circles/run.json").read_text())
    assert document["status"] == "diverged"
    assert document["diagnosis"]["findings"][0]["name"] == "rate_too_large"


def test_ctrl_c_keeps_the_work_and_ends_with_status_130(tmp_path, monkeypatch):
    real = preparation.train

    @wraps(real)
    def interrupted(*args, **kwargs):
        press = gn.Every(3, lambda run: signal.raise_signal(signal.SIGINT))
        return real(*args, **{**kwargs, "callbacks": [press]})

    monkeypatch.setattr(preparation, "train", interrupted)
    result = glassnet("train", "circles", *SMALL)
    assert result.exit_code == 130
    assert "Ctrl-C ended training after 3 of 5 iterations" in result.stderr
    assert "The same command with --resume goes on from there." in result.stderr
    document = json.loads((tmp_path / "results/circles/run.json").read_text())
    assert (document["status"], document["iterations"]) == ("interrupted", 3)


def test_a_real_ctrl_c_reaches_a_running_program(tmp_path):
    # Training is announced by its progress line, which begins when the first update does.
    code = (
        "import sys\n"
        "sys.stderr.isatty = lambda: True\n"
        "from glassnet.cli import main\n"
        "main(['train', 'circles', '--set', 'data.n_samples=200', '--engine', 'numpy', '--no-check',"
        " '--iterations', '10000000', '--no-pictures', '--no-report'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ
    ) as program:
        seen = b""
        while b"iterations/s" not in seen:
            seen += (said := os.read(program.stderr.fileno(), 4096))
            assert said, f"it ended early: {seen!r}"
        program.send_signal(signal.SIGINT)
        program.stderr.read()
    assert program.returncode == 130
    assert gn.load(tmp_path / "results/circles/model.safetensors").status == "interrupted"


# ---- The other commands ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_check_prints_the_table_and_the_verdict(engine):
    result = glassnet(
        "check", "circles", "--set", "data.n_samples=60", "--engine", engine, "--dtype", "float64"
    )
    assert result.exit_code == 0
    assert len(re.findall(r"right$", result.stdout, re.MULTILINE)) == 17
    assert "PASSED: all 17 entries agree" in result.stdout


def test_check_ends_with_status_1_where_the_gradient_is_wrong(monkeypatch):
    real = Draws.check

    def wrong(self, theta):
        found = real(self, theta)
        rows = (found.table[0]._replace(verdict="wrong"), *found.table[1:])
        return type(found)(**{**found.__dict__, "table": rows})

    monkeypatch.setattr(Draws, "check", wrong)
    result = glassnet("check", "circles", "--set", "data.n_samples=60")
    assert result.exit_code == 1
    assert "FAILED: 1 of 17 entries are wrong" in result.stdout
    trained = glassnet("train", "circles", *SMALL)
    assert trained.exit_code == 1
    assert "FAILED: 1 of 17 entries are wrong" in trained.stderr
    assert glassnet("train", "circles", *SMALL, "--no-check").exit_code == 0


SWEPT = ("notebook.csv", "notebook.json", "notebook.cells.jsonl", "notebook-best.safetensors")


def test_sweep_prints_each_grid_and_writes_it(tmp_path):
    result = glassnet("sweep", "circles", *SWEEP_SMALL, "--grid", "notebook")
    assert result.exit_code == 0
    assert "25 networks" in result.stdout
    files = {path.name for path in (tmp_path / "results" / "circles-sweep").iterdir()}
    assert files == {*SWEPT, "experiment.toml", "run.json"}


def test_sweep_ends_with_status_130_after_ctrl_c(tmp_path, monkeypatch):
    real = sweeping.sweep

    @wraps(real)
    def interrupted(*args, **kwargs):
        result = real(*args, **kwargs)
        cell = result.cells[0]
        cells = (type(cell)(cell.settings, "interrupted", cell.run), *result.cells[1:])
        return type(result)(**{**result.__dict__, "cells": cells})

    monkeypatch.setattr(sweeping, "sweep", interrupted)
    result = glassnet("sweep", "circles", *SWEEP_SMALL, "-q")
    assert result.exit_code == 130
    assert "Ctrl-C ended the sweep before 1 network(s) were done" in result.stderr
    files = {path.name for path in (tmp_path / "results" / "circles-sweep").iterdir()}
    assert files == {*SWEPT, "experiment.toml", "run.json"}  # and no second grid


def test_bench_hands_its_options_on(monkeypatch):
    asked = {}
    monkeypatch.setattr(bench, "run_benchmark", lambda **options: asked.update(options))
    assert (
        glassnet("bench", "--peers", "torch, jax", "--rounds", "2", "--seconds", "0.1", "-q").exit_code == 0
    )
    assert asked["peers"] == ["torch", "jax"]
    assert (asked["rounds"], asked["seconds"], asked["quiet"]) == (2, 0.1, True)
    assert asked["output"] == Path("benchmarks/results")


def test_bench_outside_of_a_checkout_says_where_it_works(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["glassnet.cli.bench"], "__file__", str(tmp_path / "cli" / "bench.py"))
    result = glassnet("bench", "--list")
    assert result.exit_code == 2
    assert "works in a checkout of the project" in result.stderr
    assert "--peers" in glassnet("bench", "--help").stdout


def test_bench_works_in_a_folder_of_a_checkout_wherever_the_library_is(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["glassnet.cli.bench"], "__file__", str(tmp_path / "cli" / "bench.py"))
    monkeypatch.chdir(Path(__file__).parent)
    assert "iteration" in glassnet("bench", "--list").stdout


def test_bench_refuses_a_peer_that_is_none():
    result = glassnet("bench", "--peers", "tensorflow")
    assert result.exit_code == 2
    assert "Unknown peer 'tensorflow'" in result.stderr
    assert all(name in glassnet("bench", "--help").stdout for name in bench.PEERS)


def test_bench_does_the_jobs_that_it_is_given(monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "run_benchmark", lambda **options: asked.append(("iteration", options)))
    monkeypatch.setattr(bench, "run_suite", lambda jobs, **options: asked.append((jobs, options)))
    assert glassnet("bench", "digits", "memory", "--rounds", "2", "-q").exit_code == 0
    assert [jobs for jobs, _ in asked] == [["digits", "memory"]]
    assert (asked[0][1]["rounds"], asked[0][1]["quick"]) == (2, False)
    asked.clear()
    assert glassnet("bench", "all", "--quick").exit_code == 0
    assert [jobs for jobs, _ in asked] == ["iteration", list(bench.JOBS)]
    assert asked[0][1]["output"] == Path("benchmarks/results/quick-iteration.json")
    assert asked[1][1]["quick"] is True


def test_bench_lists_its_jobs_and_refuses_any_other(monkeypatch):
    monkeypatch.setattr(bench, "run_suite", lambda *_, **__: pytest.fail("it began"))
    listed = glassnet("bench", "--list")
    assert listed.exit_code == 0
    for name, words in bench.JOBS.items():
        assert f"{name:<16}{words}\n" in listed.stdout
    result = glassnet("bench", "digitz")
    assert result.exit_code == 2
    assert "Did you mean 'digits'" in result.stderr


def test_info_tells_the_engine_threads_and_experiments(monkeypatch):
    shown = glassnet("info").stdout
    for word in (gn.__version__, np.__version__, "engine", "threads", *built_in()):
        assert word in shown
    monkeypatch.setenv("GLASSNET_THREADS", "3")
    assert "3, from GLASSNET_THREADS" in glassnet("info").stdout


def test_info_lists_what_is_installed_of_each_extra_for_users(monkeypatch):
    requirements = [
        "numpy>=2.0",
        'click>=8; extra == "plot"',
        'no-such-library>=3.9; extra == "plot"',
        'glassnet[plot]; extra == "bench"',
        'pytest; extra == "dev"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: requirements)
    shown = glassnet("info").stdout
    assert f"libraries         numpy {np.__version__}\n" in shown
    assert (
        f'click {metadata.version("click")}, no-such-library missing: pip install "glassnet[plot]"' in shown
    )
    assert "pytest" not in shown


def test_info_says_why_there_is_no_native_engine(monkeypatch):
    monkeypatch.setattr(gn.native, "module", None)
    monkeypatch.setattr(gn.native, "reason", "there was no compiler")
    assert "numpy, because there is no native one: there was no compiler" in glassnet("info").stdout


@pytest.mark.parametrize("name", built_in())
def test_info_prints_an_experiment_that_can_be_trained(name, tmp_path):
    (tmp_path / "my.toml").write_text(glassnet("info", name).stdout)
    assert (tmp_path / "my.toml").read_text() == built_in()[name]
    assert glassnet("train", "my.toml", *SMALL, "-q").exit_code == 0
    assert (tmp_path / "results" / "my" / record.RECORD).is_file()


def test_results_of_an_earlier_run_begin_anew_in_their_own_folder(tmp_path):
    glassnet("train", "circles", *SMALL, "-q", "--results", "mine")
    result = glassnet("train", "mine", *SMALL)
    assert result.stdout.splitlines()[0].split(None, 1) == [
        "settings",
        "mine/experiment.toml; training begins anew, and writes into mine",
    ]
    assert not (tmp_path / "results").exists()
    result = glassnet("train", "mine", *SMALL, "--results", "other")
    assert "begins anew, and writes into other" in result.stdout.splitlines()[0]
    (tmp_path / "mine" / "model.safetensors").unlink()  # as in the folder of a sweep
    glassnet("train", "mine", *SMALL, "-q")
    assert (tmp_path / "results" / "circles" / record.RECORD).is_file()


# ---- A table's model in Python --------------------------------------------------------------------


def test_predict_of_a_loaded_tables_run_warns_of_raw_rows(flowers):
    glassnet("train", flowers, "--target", "species", "--iterations", "50", "--no-pictures", "--no-report")
    run = gn.load("results/flowers/model.safetensors")
    for ask in (run.predict, run.predict_proba, lambda X: run.score(X, [0])):
        with pytest.warns(
            gn.PreprocessingWarning, match=r"not labels.*run\.extra\['preprocessing'\].*such as a DataFrame"
        ):
            ask([[0.0, 0.0]])
    run.network.predict(run.theta, [[0.0, 0.0]])  # warnings are errors here
    assert set(run.predict(flowers)) <= {"setosa", "virginica"}  # a table has names, and is prepared
    assert "Warning" not in glassnet("predict", "results/flowers", flowers).stderr


def test_predict_of_a_loaded_run_of_generated_data_warns_of_nothing():
    glassnet("train", "circles", *SMALL)
    run = gn.load("results/circles/model.safetensors")
    assert "preprocessing" in run.extra
    run.predict([[0.0, 0.0]])


def test_info_of_a_table_says_what_each_column_is(flowers):
    lines = glassnet("info", flowers, "--target", "species").stdout.splitlines()
    assert lines[0].startswith("flowers.csv: ")
    assert [line.split()[:3] for line in (lines[3], lines[-1])] == [
        ["width", "feature", "number"],
        ["species", "target", "classes"],
    ]
    assert "Did you mean 'species'" in glassnet("info", flowers, "--target", "specie").stderr


def test_predict_says_what_differs_and_scores_the_rows_that_have_a_target(flowers):
    glassnet("train", flowers, "--target", "species", "--iterations", "50", "--no-pictures", "--no-report")
    Path("new.csv").write_text("width,length,species\n0,0,setosa\n,3,\n3,3,virginica\n")
    result = glassnet("predict", "results/flowers", "new.csv")
    assert len(result.stdout.splitlines()) == 4
    assert "'width' lacks a value in 1 of 3 rows (the first at line 3)" in result.stderr
    assert "0 of 2 samples wrong" in result.stderr


def test_several_quantities_are_learned_scored_drawn_and_predicted_by_name():
    rows = "".join(f"{i},{i * i % 7},{2 * i + i % 3},{40 - i}\n" for i in range(40))
    Path("t.csv").write_text(f"a,b,up,down\n{rows}")
    result = glassnet("train", "t.csv", "--target", "up, down", "--iterations", "200", "--no-report")
    assert re.search(r"held-out score .*\(up\); .*\(down\)", " ".join(result.stdout.split()))
    assert set(json.loads(Path("results/t/run.json").read_text())["scores"]["held-out"]["targets"]) == {
        "up",
        "down",
    }
    assert Path("results/t/regression.png").exists()
    predicted = glassnet("predict", "results/t", "t.csv")
    assert predicted.stdout.splitlines()[0] == "prediction up,prediction down"
    assert "(up); " in predicted.stderr


def test_counts_are_learned_by_a_poisson_output_in_their_own_unit():
    rows = "".join(f"{i % 5},{i % 5 + i % 2}\n" for i in range(60))
    Path("t.csv").write_text(f"a,visits\n{rows}")
    settings = ("--task", "counts", "--iterations", "300", "--no-report")
    said = glassnet("train", "t.csv", "--target", "visits", *settings).stdout
    assert "exp; poisson" in said
    predicted = glassnet("predict", "results/t", "t.csv").stdout.split()[1:]
    assert min(map(float, predicted)) > 0
    Path("t.csv").write_text("a,visits\n1,0.5\n2,1\n3,2\n")
    wrong = glassnet("train", "t.csv", "--target", "visits", "--task", "counts").stderr
    assert "no counts, such as 0.5" in wrong


def test_predict_advises_what_predict_can_do(flowers):
    glassnet("train", flowers, "--target", "species", "--iterations", "5", "--no-pictures", "--no-report")
    Path("odd.csv").write_text("width,length\n1,2\nred,4\n")
    result = glassnet("predict", "results/flowers", "odd.csv")
    assert result.exit_code == 2
    assert "'width' holds cells that are no number: 'red' at line 3" in result.stderr
    assert "those rows" in result.stderr
    assert not re.search("--ignore|--features|ignore=", result.stderr)


def test_a_column_with_a_comma_is_taken_as_the_advice_says():
    rows = "".join(f"{i},red {i},{i % 2}\n" for i in range(12))
    Path("t.csv").write_text(f'size,"x,y",kind\n{rows}')
    command = ["train", "t.csv", "--target", "kind", "--iterations", "5", "--no-pictures", "--no-report"]
    assert """--categorical '"x,y"'""" in glassnet(*command).stdout
    assert "size, x,y" in glassnet(*command, "--categorical", '"x,y"').stdout


@pytest.mark.parametrize(("labels", "advised"), [("abcdefgh", False), ("12345678", True)])
def test_a_target_of_distinct_values_is_advised_for_regression_only_where_it_is_numbers(labels, advised):
    Path("t.csv").write_text("size,kind\n" + "".join(f"{i},{x}\n" for i, x in enumerate(labels)))
    result = glassnet("train", "t.csv", "--target", "kind", "--task", "classification")
    assert "has another value in each of its 8 rows" in result.stderr
    assert ("--task regression" in result.stderr) == advised
    assert 'task="regression"' not in result.stderr


def test_training_that_blows_up_says_at_once_what_to_do(flowers):
    result = glassnet(
        *("train", flowers, "--target", "width", "--ignore", "species", "--learning-rate", "1000"),
        *("--no-pictures", "--no-report"),
    )
    assert "use a smaller learning rate" in " ".join(result.stdout.split())
    assert "--learning-rate 100 (it was 1000" in result.stderr


# ---- Sweeps of any settings -----------------------------------------------------------------------

SWEEP = """
random_state = 1
[data]
generator = "circles"
n_samples = 120
[network]
hidden = [3]
[train]
iterations = 8
batch_size = 30
dropout = 0.1
class_weight = "balanced"
[sweep.drawn]
hidden = [[2], [4], [3, 3]]
activation = ["tanh", "relu"]
optimizer = ["adam", "sgd"]
learning_rate = {distribution = "loguniform", low = 1e-3, high = 1}
n_draws = 6
seeds = 2
folds = {splitter = "walk_forward", n_splits = 2}
metric = "accuracy"
halving = {factor = 2, first = 3}
[sweep.listed]
settings = [
  {optimizer = "nadam"}, {hidden = [8], dropout = 0.2}, {validation = 0.2, stopping = {patience = 3}}
]
"""


@pytest.fixture
def swept(tmp_path):
    (tmp_path / "s.toml").write_text(SWEEP)
    return tmp_path / "results" / "s-sweep"


def test_sweep_of_a_file_draws_folds_and_halves(swept):
    result = glassnet("sweep", "s.toml", "--grid", "drawn")
    assert result.exit_code == 0, result.output
    assert "24 networks" in result.stdout
    assert "held_out_accuracy, mean of 4" in result.stdout
    names = {path.name for path in swept.iterdir()}
    ends = ("summary.csv", "best.safetensors", "losses.png", "parallel.png")
    assert {f"drawn-{end}" for end in ends} <= names
    assert "drawn-heatmap.png" not in names
    document = json.loads((swept / "drawn.json").read_text())
    assert len({(row["seed"], row["fold"]) for row in document["cells"]}) == 4
    assert {row["status"] for row in document["cells"]} >= {"dropped"}


def test_a_network_of_a_sweep_is_that_of_glassnet_train(swept):
    assert glassnet("sweep", "s.toml", "--grid", "listed", "--no-pictures").exit_code == 0
    more = ("--optimizer", "nadam", "--no-pictures", "--no-report")
    assert glassnet("train", "s.toml", *more, "--results", "one").exit_code == 0
    alone = gn.load("one/model.safetensors")
    lines = map(json.loads, (swept / "listed.cells.jsonl").read_text().splitlines()[1:])
    record = next(record for record in lines if "optimizer" in record["settings"])
    assert record["loss"] == alone.losses[-1]
    assert gn.load(swept / "listed-best.safetensors").batch_size == 30
    best = glassnet("predict", str(swept / "listed-best.safetensors"), "nowhere.csv")
    assert "There is no file nowhere.csv" in best.stderr


def test_sweep_started_again_goes_on_and_tells_of_other_settings(swept, monkeypatch):
    first = glassnet("sweep", "s.toml", "--no-pictures")
    table = (swept / "drawn.csv").read_text()
    lines = (swept / "drawn.cells.jsonl").read_bytes().splitlines(keepends=True)
    (swept / "drawn.cells.jsonl").write_bytes(b"".join(lines[:9]) + lines[9][:50])

    other = glassnet("sweep", "s.toml", "--no-pictures", "--seeds", "3")
    assert other.exit_code == 2
    assert "holds another sweep" in other.stderr
    assert "--fresh" in other.stderr
    assert (swept / "drawn.csv").read_text() == table

    def without_seconds(text):
        return [line.rpartition(",")[0] for line in text.splitlines()]

    again = glassnet("sweep", "s.toml", "--no-pictures")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert without_seconds((swept / "drawn.csv").read_text()) == without_seconds(table)
    # What was done is replaced, as all results of an earlier run are.
    assert glassnet("sweep", "s.toml", "--no-pictures", "--seeds", "3").exit_code == 0
    (swept / "drawn.cells.jsonl").write_bytes(b"".join(lines[:3]))
    assert glassnet("sweep", "s.toml", "--no-pictures", "--fresh", "--seeds", "1").exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "sweep.drawn.hiden=[[3]]"], "Did you mean 'hidden'?"),
        (["--set", "sweep.drawn.hidden=[3]"], "expected a list of lists of widths"),
        (["--set", "sweep.listed.settings=[{hiden=[3]}]"], "Did you mean 'hidden'?"),
        (["--set", "sweep.listed.settings=[{hidden=3}]"], "expected a list of whole numbers"),
        (["--set", "sweep.listed.l2=[0.1]"], "both settings, a list of tables, and lists for l2"),
        (["--set", "sweep.drawn.folds.splitter='walk'"], "Unknown splitter"),
        (["--set", "sweep.drawn.folds.gapp=3"], "Did you mean 'gap'?"),
        (["--set", "sweep.drawn.folds.n_splits=0"], "n_splits"),
        (["--set", "data.test_fraction=0.2"], "set data.test_fraction = 0"),
        (["--set", "sweep.drawn.learning_rate.distribution='normal'"], "Unknown distribution"),
        (["--set", "sweep.drawn.learning_rate.low=0"], "both above 0"),
        (["--set", "sweep.drawn.learning_rate.low='a'"], "needs low and high, each a number"),
        (["--set", "sweep.drawn.optimizer=['adma']"], "Did you mean 'adam'?"),
        (["--set", "sweep.drawn.seeds='two'"], "expected how many, or a list"),
        (["--set", "sweep.drawn.halving.factor=1"], "factor is 1"),
        (["--metric", "acuracy"], "Did you mean 'accuracy'?"),
        (["--metric", "r2"], "r2 does not go with"),
        (["--seeds", "0"], "seeds is 0"),
        (["--grid", "listed", "--draws", "3"], "n_draws draws from a grid"),
    ],
)
def test_sweep_says_what_is_wrong_and_leaves_no_folder_of_halves(swept, args, message):
    result = glassnet("sweep", "s.toml", "--no-pictures", "-q", *args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not swept.exists()


def test_sweep_varies_what_set_lists_and_marks_the_best():
    told = ["--set", "learning_rate=[1e-9, 0.1]", "--set", "seeds=1", "--iterations", 20, "--no-pictures"]
    result = glassnet("sweep", "moons", *told, "--set", "data.n_samples=100")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.strip().startswith("*")] == ["0.1", "the"]
    assert "* the best by held_out_loss" in result.stdout
    assert Path("results/moons-sweep/grid.csv").exists()
    assert not list(Path("results/moons-sweep").glob("sizes*"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--set", "learning_rate=0.1"],
            "--set 'learning_rate=[0.1, ...]'. One value for all networks is --set train",
        ),
        (["--set", "train.learning_rate=[0.1, 1]"], "To vary it: --set 'learning_rate=[0.1, 1]'"),
        (["--set", "network.hidden=[[3]]"], "To vary it: --set 'hidden=[[3]]'"),
        (["--set", "lerning_rate=[0.1]"], "Did you mean 'learning_rate'?"),
        (["--set", "learning_rate=[0.1,"], "Put quotes around all of it where it has blanks"),
        (["--learning-rate", "0.1"], "Did you mean \"--set 'learning_rate=[A, B, ...]'\"?"),
    ],
)
def test_sweep_says_how_a_setting_is_varied(args, message):
    result = glassnet("sweep", "moons", *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_command_in_the_help_of_sweep_runs():
    line = next(line for line in glassnet("sweep", "--help").stdout.splitlines() if "sweep moons" in line)
    assert glassnet(*shlex.split(line)[1:], "--iterations", 2, "--no-pictures", "-q").exit_code == 0


def test_results_of_a_table_can_be_moved_with_it(flowers, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    (work / "f.csv").write_bytes(Path(flowers).read_bytes())
    command = [
        "train",
        "work/f.csv",
        "--target",
        "species",
        "--iterations",
        3,
        "--no-pictures",
        "--no-report",
    ]
    assert glassnet(*command, "--no-baselines", "--results", "work/results/f").exit_code == 0
    record = json.loads((work / "results/f/run.json").read_text())
    assert record["settings"]["data"]["file"] == "../../f.csv"
    assert str(tmp_path) not in (work / "results/f/experiment.toml").read_text()
    other = tmp_path / "elsewhere" / "deep"
    other.parent.mkdir()
    work.rename(other)
    again = ["--no-pictures", "--no-report", "--no-baselines"]
    assert glassnet("train", str(other / "results/f"), *again).exit_code == 0
    assert glassnet("train", str(other / "results/f.1"), *again).exit_code == 0  # an earlier one is as deep
    assert (other / "results/f.2").is_dir()

    (other / "results/f/experiment.toml").rename(other / "alone.toml")
    alone = glassnet("train", str(other / "alone.toml"), *again)
    assert alone.exit_code == 1
    assert f"data.file in {other}/alone.toml is '../../f.csv'" in alone.stderr
    assert f"There is {other}/f.csv: --set data.file={other}/f.csv" in alone.stderr
    monkeypatch.chdir(other)
    mended = glassnet("train", "alone.toml", *again, "--set", "data.file=f.csv", "--results", "r")
    assert mended.exit_code == 0
    (other / "f.csv").unlink()
    assert "say where it is: --set data.file=PATH" in glassnet("train", "alone.toml").stderr


def test_rows_of_tables_stay_whole_and_sentences_are_wrapped(capsys):
    from glassnet.cli.options import tell

    row = "  ".join(["0.123456789"] * 12)
    tell("grid", f"{row}\n{'word ' * 40}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{'grid':<16}{row}"
    assert len(lines) > 2
    assert max(map(len, lines[1:])) < 110


def test_folds_of_a_table_are_standardized_by_the_rows_that_are_trained_on(tmp_path, monkeypatch):
    from sklearn.model_selection import StratifiedKFold

    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    y = np.arange(40) % 2
    X = 100 * random.randn(40, 2) + 1e4 + 100 * y[:, None]
    rows = "\n".join(f"{a!r},{b!r},{label}" for (a, b), label in zip(X.tolist(), "ab" * 20, strict=True))
    Path("points.csv").write_text(f"u,v,species\n{rows}\n")
    told = ["--set", "sweep.rates.learning_rate=[0.1]", "--set", "data.test_fraction=0", "--folds", 2]
    result = glassnet(
        "sweep", "points.csv", "--target", "species", *told, "--iterations", 9, "--no-pictures"
    )
    assert result.exit_code == 0, result.stderr
    best = gn.load("results/points-sweep/rates-best.safetensors")
    made = best.extra["preprocessing"]
    folds = [train for train, _ in StratifiedKFold(2).split(X, y)]
    near = [np.allclose(made["mean"], X[train].mean(axis=0), rtol=1e-12) for train in folds]
    assert near.count(True) == 1
    train = folds[near.index(True)]
    np.testing.assert_allclose(made["scale"], X[train].std(axis=0), rtol=1e-10)
    scaled = (X[train] - made["mean"]) / made["scale"]
    loss, _ = gn.loss_and_gradient(best.network, best.theta, scaled, y[train])
    assert loss == pytest.approx(best.losses[-1], rel=1e-9)


def test_a_sweep_without_folds_is_compared_on_the_rows_held_out(flowers, tmp_path):
    told = ["--target", "species", "--iterations", 9, "--no-pictures", "--set", "sweep.one.l2=[0.0, 0.1]"]
    result = glassnet("sweep", flowers, *told)
    assert result.exit_code == 0, result.stderr
    assert "held_out_loss" in result.stdout
    document = json.loads((tmp_path / "results" / "flowers-sweep" / "one.json").read_text())
    assert document["n_samples"] == 30
    assert all("fold" not in row for row in document["cells"])
    Path("own.toml").write_text("[data]\nfile = 'flowers.csv'\ntarget = 'species'\n")  # as a sweep begins
    command = ["train", "own.toml", "--iterations", 9, "--results", "r"]
    assert glassnet(*command, "--no-pictures", "--no-report").exit_code == 0
    row, run = document["cells"][0], gn.load("r/model.safetensors")
    assert (row["final_loss"], row["held_out_loss"]) == (run.losses[-1], held_out_loss("r"))
    several = [
        *told,
        "--set",
        "sweep.one.loss=['cross_entropy', {name='cross_entropy', label_smoothing=0.1}]",
    ]
    assert "held_out_accuracy" in glassnet("sweep", flowers, *several, "--fresh").stdout


def held_out_loss(folder):
    """The mean loss of a table's rows held out, by a model of glassnet train."""
    draws = Draws(find_experiment(f"{folder}/experiment.toml"))
    run = gn.load(f"{folder}/model.safetensors")
    X, y, _ = draws.samples.held_out.read_all()
    return gn.loss_and_gradient(run.network, run.theta, X, y)[0]


def test_folds_in_time_go_by_a_column_of_dates(tmp_path):
    days = [f"2026-01-{day:02}" for day in range(1, 11) for _ in range(4)]
    random = np.random.RandomState(0)
    rows = [f"{day},{random.randn()},{random.randn()}" for day in days]
    (tmp_path / "prices.csv").write_text("\n".join(["day,x,y", *rows]) + "\n")
    (tmp_path / "p.toml").write_text(
        "[data]\nfile = 'prices.csv'\ntarget = 'y'\nignore = ['day']\ntest_fraction = 0\n"
        "[sweep.s]\nl2 = [0.0, 0.1]\niterations = 2\n"
        "folds = {splitter = 'walk_forward', n_splits = 2, gap = 1, test_size = 3, times = 'day'}\n"
    )
    result = glassnet("sweep", "p.toml", "--no-pictures")
    assert result.exit_code == 0, result.stderr
    table = (tmp_path / "results" / "p-sweep" / "s.cells.jsonl").read_text().splitlines()
    assert len(table) == 5
    for told, message in [
        (["--set", "sweep.s.folds.times='dya'"], "Did you mean 'day'?"),
        (["--set", "sweep.s.folds.times='x'"], "'x' is a feature too"),
        (["--set", "sweep.s.folds.test_size=6"], "There are 10 dates"),
    ]:
        result = glassnet("sweep", "p.toml", "--no-pictures", "--fresh", *told)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())


def test_a_sweep_over_a_panel_writes_curves_predictions_and_the_choice_fitted_to_all_rows(tmp_path):
    """Rows by symbol and then by date, the usual order of a panel, of which a few dates are tested."""
    random, days = np.random.RandomState(0), [f"2026-01-{day:02}" for day in range(1, 21)]
    x = random.randn(8, 20)
    y = 500 + 100 * (x + 0.3 * random.randn(8, 20))
    rows = [f"{'ABCDEFGH'[i]},{day},{x[i, k]},{y[i, k]}" for i in range(8) for k, day in enumerate(days)]
    (tmp_path / "panel.csv").write_text("\n".join(["symbol,day,x,y", *rows]) + "\n")
    (tmp_path / "p.toml").write_text(
        "[data]\nfile = 'panel.csv'\ntarget = 'y'\nignore = ['day', 'symbol']\ntest_fraction = 0\n"
        "[train]\nlearning_rate = 0.1\n[sweep.s]\nl2 = [0.0, 0.1]\niterations = 20\n"
        "metric = 'rank_ic'\nevaluate_every = 5\nkeep_predictions = true\n"
        "folds = {splitter = 'walk_forward', n_splits = 2, gap = 1, test_size = 3, times = 'day'}\n"
    )
    result = glassnet("sweep", "p.toml", "--no-pictures")
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "results" / "p-sweep"
    known = json.loads((folder / "s.json").read_text())
    curves = read_table(folder / "s-curves.csv")
    assert curves["iterations"].tolist() == [5, 10, 15, 20] * 2
    assert known["chosen"]["mean"] == curves["mean"].max() > 0.8
    found = read_table(folder / "s-predictions.csv")
    assert sorted(set(found["day"].astype("M8[D]").astype(str).tolist())) == days[-6:]
    assert found["target"] == pytest.approx(y.ravel()[found["row"].astype(int)])
    assert 1 - np.var(found["prediction"] - found["target"]) / y.var() > 0.5
    model = gn.load(folder / "s-refit.safetensors")
    assert model.iterations == known["chosen"]["iterations"]
    answer = glassnet("predict", str(folder / "s-refit.safetensors"), "panel.csv", "-o", "answers.csv")
    assert answer.exit_code == 0, answer.stderr
    for told in (["--set", "data.test_fraction=0.2"], ["--set", "sweep.s.folds=3"]):
        result = glassnet("sweep", "p.toml", "--no-pictures", "--fresh", *told)
        assert result.exit_code == 2
        assert "test_fraction" in result.stderr or "the rows have no dates" in result.stderr


def test_folds_in_time_go_by_dates_of_a_folder_too(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    days = np.datetime64("2026-01-01") + np.arange(48) // 4
    random = np.random.RandomState(0)
    table = pa.table({"day": pa.array(days), "x": random.randn(48), "y": random.randn(48)})
    (tmp_path / "parts").mkdir()
    parquet.write_table(table, tmp_path / "whole.parquet")
    for i, place in enumerate((0, 20, 30)):
        parquet.write_table(
            table.slice(place, (20, 10, 18)[i]), tmp_path / "parts" / f"part-{8 + i}.parquet"
        )
    (tmp_path / "p.toml").write_text(
        "[data]\nfile = 'parts'\nmemory = '96 MiB'\ntarget = 'y'\nignore = ['day']\ntest_fraction = 0\n"
        "[sweep.s]\nl2 = [0.0, 0.1]\niterations = 2\n"
        "folds = {splitter = 'purged', n_splits = 3, gap = 1, times = 'day'}\n"
    )
    tables = []
    for file in ("parts", "whole.parquet"):
        result = glassnet("sweep", "p.toml", "--no-pictures", "--fresh", "--set", f"data.file='{file}'")
        assert result.exit_code == 0, result.stderr
        cells = json.loads((tmp_path / "results" / "p-sweep" / "s.json").read_text())["cells"]
        tables.append([{**cell, "seconds": 0} for cell in cells])
    assert len(tables[0]) == 6
    assert tables[0] == tables[1]


def test_a_sweep_of_a_file_that_is_not_there_says_so():
    assert "There is no file nowhere.csv" in glassnet("sweep", "nowhere.csv", "--target", "a").stderr
