"""Sweeps, and folds in the order of time."""

import numpy as np

import glassnet as gn
from same_cases.common import LOSSES, case, cases, folder, held_out, of_run, regression, task, task_of


def of_table(rows, without=()):
    """A table's rows without the times; what is neither a number nor text goes in words."""
    plain = (type(None), int, float, str, np.generic)
    return [
        {name: v if isinstance(v, plain) else repr(v) for name, v in row.items() if name not in without}
        for row in rows
    ]


def of_scale(result):
    """A sweep's losses of the best constant answer and of the perfect one."""
    shares = [[cell.share, cell.status] for cell in result.cells]
    return [result.baseline, result.floor, shares, [[cell.baseline, cell.floor] for cell in result.cells]]


def of_sweep(result):
    """All else that is documented of a sweep's result, without times and threads."""
    return {
        "table": of_table(result.table, ("seconds", "share")),
        "summary": of_table(result.summary),
        "compared_by": [result.compared_by, result.metric, result.sign, result.compared],
        "best": None if result.best is None else [result.best.label, result.best.verdict],
        "sizes": [result.iterations, result.n_samples, result.held_out],
        "cells": [[cell.label, cell.status, *cell.curve()] for cell in result.cells],
        "runs": [of_run(run) for run in result.runs],
    }


def swept(job=None, **settings):
    """A sweep of a small network: by default six settings of gradient descent, for eight iterations."""
    if "settings" not in settings:
        settings.setdefault("grid", {"learning_rate": [0.01, 0.1, 1.0], "momentum": [0.0, 0.9]})
    return gn.sweep(*(job or task(hidden=(3,), n=90)), **{"iterations": 8, "random_state": 2, **settings})


# ---- Folds ------------------------------------------------------------------------------------------

DAYS = np.repeat(np.arange(30), 3)
"""The days of 90 rows, three a day."""

FOLDS = {
    "walk": gn.WalkForward(3, test_size=5, gap=1, times=DAYS),
    "walk-window": gn.WalkForward(2, max_train_size=9, gap=2, times=DAYS, ends=DAYS + 2),
    "walk-rows": gn.WalkForward(4),
    "walk-dates": gn.WalkForward(3, gap=1, times=np.datetime64("2024-01-30") + DAYS),
    "purged": gn.PurgedKFold(4, gap=1, embargo=2, times=DAYS),
    "purged-ends": gn.PurgedKFold(3, times=DAYS, ends=DAYS + np.arange(90) % 4),
    "purged-text": gn.PurgedKFold(3, gap=2, times=[f"2024-01-{day + 1:02}" for day in DAYS]),
}
case("folds", FOLDS)(lambda kind: [*FOLDS[kind].split(np.zeros((90, 1))), repr(FOLDS[kind])])


# ---- Sweeps -----------------------------------------------------------------------------------------

RATES = {"learning_rate": [0.1, 0.5]}

SWEPT = {
    "grid": {},
    "grids": {"grid": [RATES, {"optimizer": ["adam", "rmsprop"], "l2": [0.0, 0.1]}]},
    "settings": {
        "metric": "accuracy",
        "settings": [
            {"optimizer": gn.Adam(0.05)},
            {"hidden_layer_sizes": (4, 3), "activation": "relu"},
            {"batch_size": 30, "dropout": 0.2, "iterations": 3},
            {"optimizer": gn.LBFGS(), "iterations": 5},
            {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}, "class_weight": "balanced"},
            {"stopping": gn.EarlyStopping(2), "validation": 0.3, "average": 0.5},
        ],
    },
    "draws": {
        "n_draws": 4,
        "grid": {"learning_rate": [0.01, 0.03, 0.1, 0.3], "l2": [0.0, 0.1], "l1": [0, 0.1]},
    },
    "seeds": {"seeds": [0, 5], "grid": RATES},
    "seeds-drawn": {"seeds": 3, "grid": {"learning_rate": [0.1]}, "batch_size": 30},
    "folds": {"folds": 3, "grid": RATES},
    "folds-metric": {"folds": 3, "grid": RATES, "metric": "accuracy", "seeds": 2},
    "folds-pairs": {"folds": [(np.arange(60), np.arange(60, 90))], "validation": 0.2, "metric": "loss"},
    "walk": {"folds": FOLDS["walk"], "standardize": True, "metric": "accuracy"},
    "purged": {"folds": FOLDS["purged-ends"], "standardize": True, "batch_size": 20, "iterations": 2},
    "weights": {"sample_weight": np.arange(90) % 3 + 0.5, "folds": 2, "standardize": True},
    "halving": {"halving": 2, "iterations": 16},
    "halving-folds": {
        "halving": {"factor": 3, "first": 2},
        "folds": 2,
        "metric": "accuracy",
        "iterations": 12,
    },
    "halving-batches": {"halving": True, "batch_size": 30, "iterations": 9, "seeds": 2},
    "batches": {"batch_size": 30, "dropout": 0.2, "validation": 0.2, "iterations": 4},
    "validation": {"validation": held_out(), "stopping": gn.EarlyStopping(2), "metric": "accuracy"},
    "thinned": {"keep_losses": 20, "iterations": 300, "grid": {"learning_rate": [0.1, 100.0]}},
    "threads-1": {"threads": 1, "dtype": "float32"},
    "threads-2": {"threads": 2, "dtype": "float32"},
    "parameters": {"parameters": np.linspace(-1, 1, 27), "l2": 0.01},
    "sum": {"reduction": "sum", "max_norm": 1.0, "converged_below": 0.5},
}


def mean_distance(y, predicted, rows):
    """A metric of one's own that gets the rows; its name is part of the digests."""
    return float(np.abs(y - predicted).max() + rows.min())


VALUES = regression(hidden=(3,), n=90)
NETWORKS = [VALUES[0], regression(hidden=(2, 2), activation="relu")[0]]
SWEPT_VALUES = {
    "r2": {"folds": FOLDS["walk"], "metric": "r2", "standardize": True},
    "metric": {"folds": 3, "metric": mean_distance, "mode": "min"},
    "solvers": {"grid": {"optimizer": [gn.LBFGS(memory=2), gn.NewtonCG(), gn.Adam(0.1)]}, "folds": 2},
    "networks": {"grid": {"network": NETWORKS, "loss": ["squared_error", "huber"]}, "metric": "r2"},
}


def tell_sweeps(name, keys, sweep_of):
    """Register a sweep for each key: its runs, and its scale, which NumPy's sums compute."""

    @case(name, keys, ("runs", "scale"), by_numpy="scale")
    def _(key, extent):
        return (of_scale if extent == "scale" else of_sweep)(sweep_of(key))


tell_sweeps("sweep", SWEPT, lambda name: swept(**SWEPT[name]))
tell_sweeps("sweep-values", SWEPT_VALUES, lambda name: swept(VALUES, **SWEPT_VALUES[name]))
tell_sweeps(
    "sweep-losses",
    LOSSES,
    lambda name: swept(task_of(name, n=90), grid={"learning_rate": [0.01, 0.1]}),
)


@case("sweep-distributions")
def _():
    from scipy import stats

    grid = {"learning_rate": stats.uniform(0.25, 0.5), "momentum": [0.0, 0.5]}
    return of_sweep(swept(grid=grid, n_draws=4))


@case("sweep-joblib", ("threading",))
def _(backend):
    import joblib

    with joblib.parallel_config(backend, n_jobs=2):
        return of_sweep(swept(folds=2, seeds=2))


def from_results(change=None):
    """A sweep that goes on from its results, after a change to the file."""
    settings = {"folds": 2, "metric": "accuracy", "batch_size": 20, "iterations": 3}
    with folder() as here:
        file = settings["results"] = here / "sweep.jsonl"
        result = swept(**settings)
        if change is not None:
            change(file)
            result = swept(**settings)
    return of_sweep(result)


def tear(file):
    """Cut a file off within its sixth line."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:5]) + lines[5][:100])


cases(
    "sweep-results",
    {
        "new": from_results,
        "again": lambda: from_results(lambda file: None),
        "torn": lambda: from_results(tear),
    },
)
case("sweep-resume")(lambda: [of_run(run.resume(4)) for run in swept(batch_size=30, iterations=2).runs])


@case("sweep-dictionary", by_numpy=True)
def _():
    def without_times(value):
        if isinstance(value, dict):
            left_out = ("seconds", "threads", "engine_reason")
            return {key: without_times(one) for key, one in value.items() if key not in left_out}
        return [without_times(one) for one in value] if isinstance(value, list) else value

    return without_times(swept(seeds=2).to_dict())
