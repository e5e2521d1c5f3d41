"""The command line, and files that glassnet wrote before its insides changed."""

import contextlib
import io
import json
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

import glassnet as gn
from same_cases.common import (
    case,
    classes_of,
    folder,
    inputs,
    of_run,
    regression,
    task,
    values_of,
    with_data,
)
from same_cases.models import labeled, of_ensemble
from same_cases.streams import columns_of_rows, parquet, write_parquet
from same_cases.sweeps import of_sweep, swept


def glassnet(line, *more, cwd):
    """What `python -m glassnet` prints, in this process: a new one would import everything again."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = ["glassnet", *line.split(), *map(str, more)]
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            runpy.run_module("glassnet", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"{' '.join(sys.argv)} ended with {end.code}.") from end
    finally:
        sys.argv = before
    return printed.getvalue()


QUICK = " --no-pictures --no-report -q --results results"


def of_folder(here):
    """The numbers in a folder of results but the scores: the model, its losses and settings."""
    place = here / "results"
    record = json.loads((place / "run.json").read_text())
    names = ["status", "iterations", "first_loss", "final_loss", "best_iteration", "parameters"]
    text = (place / "experiment.toml").read_text()
    text = text.replace(str(here.resolve()), "").replace(str(here), "").replace('"../', '"/')
    # The order of the keys is free.
    settings = json.dumps(tomllib.loads(text), sort_keys=True)
    texts = [(place / "losses.csv").read_text(), settings]
    return [of_run(gn.load(place / "model.safetensors")), [record.get(name) for name in names], texts]


def scores_in(here):
    """The scores in a folder of results; those of values come from NumPy."""
    return json.loads((here / "results" / "run.json").read_text())["scores"]


def write_csv(path, columns):
    """A table as text, numbers as Python writes them."""
    rows = zip(*(np.asarray(one).tolist() for one in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")


@contextlib.contextmanager
def tables(n=120):
    """A folder of tables: trees.csv has a label, prices.csv a quantity, new.csv neither."""
    X = inputs(n, 3, seed=15)
    columns = {"width": 3 + X[:, 0], "height": 10 * X[:, 1], "age": X[:, 2]}
    columns = {name: np.round(one, 2) for name, one in columns.items()}
    labels = np.array(["ash", "fir", "oak"])[classes_of(X)]
    with folder() as here:
        write_csv(here / "trees.csv", {**columns, "species": labels})
        write_csv(here / "prices.csv", {**columns, "price": np.round(100 + 20 * values_of(X)[:, 0], 1)})
        write_csv(here / "new.csv", {name: one[:25] for name, one in columns.items()})
        yield here


@case("command-train-circles", by_numpy=True)
def _():
    with folder() as here:
        glassnet(f"train circles --set data.n_samples=400 --iterations 20 {QUICK}", cwd=here)
        return [of_folder(here), scores_in(here)]


@case("command-train-table")
def _():
    """Labels, batches and all that goes with them; what it predicts; the same from its settings."""
    settings = (
        "--optimizer adamw --batch-size 16 --iterations 8 --hidden 6,4 --dropout 0.1 --validation 0.2 "
        "--random-state 7 --activation relu --set train.stopping.patience=3 --set train.l2=1e-3 "
        "--set train.class_weight='balanced' --set train.average=0.9"
    )
    with tables() as here:
        glassnet(f"train trees.csv --target species {settings} {QUICK}", cwd=here)
        numbers = [of_folder(here), scores_in(here)]
        texts = [
            glassnet("predict results new.csv --proba", cwd=here),
            glassnet("predict results/model.safetensors trees.csv", cwd=here),
        ]
        shutil.move(here / "results", here / "first")
        glassnet(f"train first/experiment.toml {QUICK}", cwd=here)
        return [numbers, texts, of_run(gn.load(here / "results" / "model.safetensors"))]


VALUES = {
    "lbfgs": "--optimizer lbfgs --iterations 15",
    "sgd": "--learning-rate 0.05 --momentum 0.5 --iterations 30 --features age,width",
    "float32": "--dtype float32 --ignore age --iterations 20 --test-fraction 0.5",
}


@case("command-train-values", VALUES, ("run", "scores"), by_numpy="scores")
def _(kind, extent):
    """A quantity, and its predictions as Parquet."""
    import pyarrow.parquet as pq

    with tables() as here:
        glassnet(f"train prices.csv --target price --no-check {VALUES[kind]} {QUICK}", cwd=here)
        if extent == "scores":
            return scores_in(here)
        glassnet("predict results new.csv -o out.parquet", cwd=here)
        table = pq.read_table(here / "out.parquet")
        return [of_folder(here), {name: table[name].to_numpy() for name in table.column_names}]


EXPERIMENT = """
    random_state = 3
    [data]
    generator = "{}"
    n_samples = 150
    test_fraction = 0.2
    [network]
    hidden = [5, 4]
    activation = ["relu", "tanh"]
    [check]
    samples = 20
    [train]
    optimizer = "nadam"
    learning_rate = {{schedule = "cosine", rate = 0.05, steps = 40}}
    iterations = 5
    batch_size = 16
    dropout = [0.1, 0.0]
    validation = 0.2
    l1 = 1e-4
    max_norm = 2.0
    """


@case("command-train-file", ("moons", "blobs"), by_numpy=True)
def _(generator):
    """An experiment of one's own, of generated data."""
    with folder() as here:
        (here / "own.toml").write_text(EXPERIMENT.format(generator))
        glassnet(f"train own.toml {QUICK}", cwd=here)
        return [of_folder(here), scores_in(here)]


@case("command-train-parquet", ("file", "quantity", "kept"))
def _(kind):
    """Columns of other kinds, in one file or in a folder that stays in memory."""
    n, settings, memory = 400, "--target tree --ignore value", []
    columns = columns_of_rows(n) | {"even": np.arange(n) % 2 == 0, "whole": np.arange(n) % 5}
    columns = {name: one for name, one in columns.items() if name not in ("class", "weight")}
    if kind == "quantity":
        settings = "--target value --ignore tree --validation 0.2 --batch-size 64 --dtype float32"
        memory = ["--memory", "96 MiB"]
    with folder() as here:
        place = write_parquet(here / "rows", columns, [0, n] if kind == "file" else [0, 150, n], 100)
        source = place / "part-0.parquet" if kind == "file" else place
        glassnet(f"train --iterations 5 --no-check {settings} {QUICK}", source, *memory, cwd=here)
        return [of_folder(here), glassnet("predict results", source, cwd=here)]


@case("command-train-curvature", ("run", "curvature"), by_numpy="curvature")
def _(extent):
    settings = "--iterations 12 --curvature 5 --hidden 3 --no-check"
    with tables() as here:
        glassnet(f"train trees.csv --target species {settings} {QUICK}", cwd=here)
        return of_folder(here) if extent == "run" else (here / "results" / "curvature.csv").read_text()


@case("command-train-folder")
def _():
    """A folder of Parquet files, read block by block, and predictions for it."""
    settings = "--iterations 6 --ignore class,weight,value --no-check"
    with parquet() as rows:
        here = rows.parent
        glassnet(f"train rows --target tree {settings} {QUICK}", "--memory", "128 MiB", cwd=here)
        return [of_folder(here), scores_in(here), glassnet("predict results rows --proba", cwd=here)]


# ---- Sweeps -----------------------------------------------------------------------------------------


def sweep_in(here, line, *more):
    """The tables of the grid "a" but for times and shares, and its best network."""
    glassnet(f"sweep {line} --no-pictures -q --results results", *more, cwd=here)
    place = here / "results"
    lines = [line.split(",") for line in (place / "a.csv").read_text().splitlines()]
    columns = [at for at, name in enumerate(lines[0]) if name not in ("seconds", "share")]
    table = [[line[at] for at in columns] for line in lines]
    summary = place / "a-summary.csv"
    text = summary.read_text() if summary.exists() else None
    return [table, text, of_run(gn.load(place / "a-best.safetensors"))]


@case("command-sweep")
def _():
    grid = ["--set", "sweep.a.learning_rate=[0.01, 0.1, 1.0]", "--set", "sweep.a.l2=[0.0, 0.1]"]
    settings = "--iterations 6 --folds 2 --seeds 2 --metric accuracy"
    with tables() as here:
        return sweep_in(here, f"trees.csv --target species {settings}", *grid)


GRIDS = {
    "draws": """
        n_draws = 3
        learning_rate.distribution = "uniform"
        learning_rate.low = 0.01
        learning_rate.high = 0.5
        batch_size = [16, 32]
        halving = 2
        iterations = 6
        """,
    "settings": """
        iterations = 4
        seeds = [1, 2]
        settings = [
            {optimizer = "adam", hidden = [3]},
            {learning_rate = {schedule = "step", rate = 0.5, every = 2}},
        ]
        """,
    "times": """
        iterations = 4
        metric = "accuracy"
        learning_rate = [0.1, 0.5]
        folds.splitter = "walk_forward"
        folds.n_splits = 3
        folds.gap = 1
        folds.times = "day"
        """,
}


@case("command-sweep-file", GRIDS)
def _(kind):
    """Grids of a file: distributions, settings, folds of days and rows held out."""
    data = '[data]\nfile = "trees.csv"\ntarget = "species"\nignore = ["day"]\ntest_fraction = '
    with tables() as here:
        head, *lines = (here / "trees.csv").read_text().splitlines()
        dated = [f"{line},{1 + row // 4}\n" for row, line in enumerate(lines)]
        (here / "trees.csv").write_text("".join([f"{head},day\n", *dated]))
        fraction = "0.0" if kind == "times" else "0.2"
        (here / "own.toml").write_text(f"{data}{fraction}\n[sweep.a]\n{GRIDS[kind]}")
        return sweep_in(here, "own.toml")


@case("command-check", by_numpy=True)
def _():
    with tables() as here:
        return glassnet("check prices.csv --target price", cwd=here)


MODELS = Path(__file__).resolve().parents[1] / "data" / "models"

SMALL = task(hidden=(3,), n=80)
SAVED = {
    "plain": SMALL,
    "batches": task(hidden=(4, 3), n=80, activation=["relu", "tanh"]),
    "lbfgs": SMALL,
    "newton_cg": SMALL,
    "bayesian": regression(hidden=(3,), n=80),
    "stopped": SMALL,
    "adaptive": regression(hidden=(3,), n=80, loss={"name": "huber", "delta": 0.5}),
    "diverged": regression(hidden=(), n=80),
}
"""The task of each run."""


@case("file", SAVED, ("loaded", "resumed", "written"))
def _(name, use):
    job, path = SAVED[name], MODELS / f"{name}.safetensors"
    run = gn.load(path)
    if use == "loaded":
        return of_run(run, job[1].astype(run.dtype))
    if use == "written":  # a run that is loaded and saved again gives the same file, byte for byte
        with folder() as here:
            gn.save(run, here / "again")
            again = (here / "again").read_bytes()
            return [again, again == path.read_bytes()]
    other = {"optimizer": gn.SGD(0.01)} if name == "diverged" else {}
    return of_run(run.resume(5, **with_data(job), **other))


@case("file-ensemble")
def _():
    ensemble = gn.Ensemble.load(MODELS / "ensemble.safetensors")
    with folder() as here:
        ensemble.save(here / "again")
        return [of_ensemble(ensemble, *labeled()), (here / "again").read_bytes()]


@case("file-table", ("loaded", "predict"))
def _(use):
    path = MODELS / "table.safetensors"
    if use == "loaded":
        return of_run(gn.load(path))
    command = [sys.executable, "-m", "glassnet", "predict", str(path), "new.csv", "--proba"]
    with tables() as here:
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True).stdout


SWEEPS = {
    "plain": {"grid": {"learning_rate": [0.1, 0.5], "momentum": [0.0, 0.9]}, "iterations": 5},
    "rules": {
        "settings": [
            {"optimizer": gn.Adam(gn.Step(0.05, every=2))},
            {"optimizer": gn.LBFGS(), "hidden_layer_sizes": (2,), "activation": "relu"},
            {"stopping": gn.EarlyStopping(2), "validation": 0.3, "batch_size": 30},
        ],
        "folds": [(np.arange(60), np.arange(60, 90))],
        "metric": "accuracy",
        "standardize": True,
        "iterations": 4,
    },
}


@case("file-sweep", SWEEPS, ("done", "torn"))
def _(name, state):
    """A sweep goes on from the file of an earlier one, or has its results from there."""
    lines = (MODELS / f"sweep-{name}.jsonl").read_bytes().splitlines(keepends=True)
    if state == "torn":
        lines[-1] = lines[-1][: len(lines[-1]) // 2]
    with folder() as here:
        file = here / "sweep.jsonl"
        file.write_bytes(b"".join(lines))
        result = swept(results=file, **SWEEPS[name])
        # The times show that the networks come from the file, and were not trained again.
        records = map(json.loads, lines[1 : 2 if state == "torn" else None])
        seconds = {record["network"]: record["seconds"] for record in records}
        return [of_sweep(result), all(result.table[k]["seconds"] == time for k, time in seconds.items())]
