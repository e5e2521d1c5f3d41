"""A search over walk-forward folds of a large table, and what its averaged prediction is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.charts import OTHERS, OURS, label, set_axis_labels, set_heading, two_panels
from benchmarks.contest import BenchmarkError, Contestant
from benchmarks.jobs.options import Options
from benchmarks.jobs.twin import DAYS, FEATURES, STOCKS, Twin, make_twin
from benchmarks.jobs.workloads import time_workload
from benchmarks.record import FORMAT, long_duration
from benchmarks.tasks import Task, Workload
from benchmarks.timing import timed
from glassnet.errors import InputError
from glassnet.model_selection import SweepResult, sweep
from glassnet.model_selection.time_folds import WalkForward
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS
from glassnet.plots.style import FAINT, INK, OKABE_ITO
from glassnet.plots.style import GRID as GRID_COLOR
from glassnet.training.run import TrainingRun
from glassnet.utils.settings_checks import as_count
from glassnet.utils.threads import thread_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_ROWS, QUICK_ROWS = DAYS * STOCKS, 10_000

GRID: Mapping[str, Sequence[Any]] = {
    "hidden_layer_sizes": [(16,), (32,), (16, 8)],
    "activation": ["relu", "tanh"],
    "learning_rate": [3e-4, 1e-3],
    "l2": [0.0, 1e-3],
}
"""24 settings."""

FOLDS, GAP, EPOCHS, BATCH = 12, 5, 20, 256

BEST = 3
"""Settings whose predictions are averaged."""

REPORTED_HOURS = 7.2
"""What the job's author waited, on another machine; the settings beyond those above are not known."""

SAMPLED = [((16,), "relu"), ((32,), "tanh"), ((16, 8), "relu")]
"""The fits that other libraries are timed on: one of each shape, both activations."""

SAMPLE_ROWS = 200_000

WAYS = {
    "glassnet": "glassnet",
    "scikit-learn": "scikit-learn",
    "PyTorch, eager, fused": "PyTorch, eager",
    "PyTorch, eager, fused, slices": "PyTorch, eager",
    "PyTorch, compiled, flat": "PyTorch, compiled",
    "JAX, jitted": "JAX",
}
"""The ways of each library that come first in the workloads, and what they count as."""


def measure_walk_forward(options: Options) -> dict[str, Any]:
    """The whole search timed, its predictions scored, and what it would take the other libraries.

    Those are timed on epochs of a sample of the fits, once their losses agree, and multiplied by all the
    epochs and rows: as if every core were kept busy by a fit of its own, without any loss, where one
    thread is the faster way.
    """
    quick, say = options.quick, options.say
    n_rows = table_rows(options)
    twin = make_twin(*_shape(n_rows))
    folds = WalkForward(FOLDS, gap=GAP, times=twin.days)
    splits = list(folds.split(twin.X))
    trained = sum(len(train) for train, _ in splits)
    epochs = 2 if quick else EPOCHS
    say(f"{len(twin.y):,} rows, {len(splits)} folds, {_settings()} settings, {epochs} epochs")
    result, taken = timed(lambda: search(twin, folds, epochs))
    say(f"searched in {taken:.4g} s")
    check_metrics(twin, splits, result)
    settings = settings_of(result)
    row_epochs = trained * epochs * len(settings)
    document: dict[str, Any] = {
        "format": FORMAT,
        "job": f"{len(twin.y):,} rows of {len(twin.y) // twin.stocks:,} days, {FEATURES} features, "
        f"float32; {len(settings)} settings x {len(splits)} folds x {epochs} epochs, batches of {BATCH}",
        "rows": len(twin.y),
        "days": len(twin.y) // twin.stocks,
        "folds": [{"train": len(train), "test": len(test)} for train, test in splits],
        "fits": len(result.cells),
        "epochs": epochs,
        "row_epochs": row_epochs,
        "seconds": taken,
        "threads": result.threads,
        "settings": settings,
        "averaged": averaged(twin, splits, result, settings),
        "reported_hours": REPORTED_HOURS if n_rows == N_ROWS else None,
    }
    document["peers"] = time_peers(twin, options, row_epochs)
    for row in document["peers"]["estimates"]:
        row["times_glassnet"] = row["seconds"] / taken
    return document


def table_rows(options: Options) -> int:
    """The rows of the table; InputError where they are too few for folds of whole days."""
    n_rows = (QUICK_ROWS if options.quick else N_ROWS) if options.rows is None else options.rows
    if as_count(n_rows, "rows") < 1_000:
        raise InputError(f"rows is {n_rows}; expected 1,000 or more, for {FOLDS} folds of whole days.")
    return n_rows


def _shape(n_rows: int) -> tuple[int, int]:
    """Days and stocks of about so many rows; of fewer rows there are fewer stocks, then fewer days."""
    stocks = min(STOCKS, max(10, n_rows // DAYS))
    return n_rows // stocks, stocks


def _settings() -> int:
    return int(np.prod([len(values) for values in GRID.values()]))


def search(twin: Twin, folds: WalkForward, epochs: int) -> SweepResult:
    """Every setting on every fold, each network on one thread, with the daily rank correlation."""
    return sweep(
        Network((FEATURES, 16, 1), hidden="relu", output="identity"),
        twin.X,
        twin.y,
        grid=GRID,
        folds=folds,
        metric=twin.score,
        mode="max",
        optimizer=OPTIMIZERS["adam"](),
        iterations=epochs,
        batch_size=BATCH,
        random_state=0,
    )


def check_metrics(
    twin: Twin, splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], result: SweepResult
) -> None:
    """Raise BenchmarkError where a metric is not what SciPy's Spearman says of the predictions."""
    from scipy.stats import spearmanr

    for cell in (result.cells[0], result.cells[-1]):
        assert cell.fold is not None
        test = splits[cell.fold][1]
        predicted = cell.run.predict(twin.X[test]).reshape(-1, twin.stocks)
        actual = twin.y[test].reshape(-1, twin.stocks)
        daily = [spearmanr(a, b).statistic for a, b in zip(actual, predicted, strict=True)]
        right = float(np.mean(np.nan_to_num(daily)))
        if cell.metric is None or not abs(cell.metric - right) <= 1e-6:
            raise BenchmarkError(
                f"The sweep's rank correlation of fold {cell.fold} is {cell.metric}; SciPy's is "
                f"{right:.8g}."
            )


def settings_of(result: SweepResult) -> list[dict[str, Any]]:
    """Each setting with its metric on every fold, best mean first."""
    rows: dict[int, dict[str, Any]] = {}
    for cell in result.cells:
        row = rows.setdefault(
            cell.setting, {"number": cell.setting, **_plain(cell.settings), "of_folds": []}
        )
        row["of_folds"].append(cell.metric)
    for row in rows.values():
        row["mean"] = float(np.mean(row["of_folds"]))
    return sorted(rows.values(), key=lambda row: -row["mean"])


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def runs_of(result: SweepResult) -> dict[tuple[int, int | None], TrainingRun]:
    """The networks by the number of the setting and of the fold."""
    return {(cell.setting, cell.fold): cell.run for cell in result.cells}


def averaged(
    twin: Twin,
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    result: SweepResult,
    settings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The rank correlation of the mean prediction of the best settings, fold by fold.

    "known" takes the best over all folds, which nobody knows in time; "chosen" the best over the folds
    before, so that it begins with the second one.
    """
    from glassnet.sklearn.ensembles import Ensemble  # loads scikit-learn, which takes seconds

    runs = runs_of(result)

    def score(numbers: Sequence[int], fold: int) -> float:
        test = splits[fold][1]
        ensemble = Ensemble.from_runs([runs[number, fold] for number in numbers])
        return twin.score(twin.y[test], ensemble.predict(twin.X[test]), test)

    def best(folds: int, count: int) -> list[int]:
        means = [(-float(np.mean(row["of_folds"][:folds])), row["number"]) for row in settings]
        return [number for _, number in sorted(means)[:count]]

    scores: dict[str, Any] = {"settings": best(len(splits), BEST)}
    scores["known"] = [score(scores["settings"], fold) for fold in range(len(splits))]
    scores["chosen"] = [score(best(fold, BEST), fold) for fold in range(1, len(splits))]
    scores["chosen_alone"] = [score(best(fold, 1), fold) for fold in range(1, len(splits))]
    return scores


# ---- Others -------------------------------------------------------------------------------------


def time_peers(twin: Twin, options: Options, row_epochs: int) -> dict[str, Any]:
    """Seconds of an epoch of each sampled fit in each library, and of the whole job at that rate."""
    rows = min(SAMPLE_ROWS, len(twin.y))
    samples: list[dict[str, Any]] = []

    def eager(who: Contestant[Task]) -> bool:
        return who.name in WAYS and "compiled" not in who.name

    def compiled(who: Contestant[Task]) -> bool:
        return who.name in WAYS and "compiled" in who.name

    def take(n: int) -> Any:
        return twin.X[:n], twin.y[:n, None]

    for hidden, activation in SAMPLED[: 1 if options.quick else None]:
        sizes = (FEATURES, *hidden, 1)
        workload = Workload(
            "walk-forward", "training", sizes, activation, "identity", rows, BATCH, ("float32",), take, ()
        )
        options.say(workload.title)
        # Apart, since of each library only the fastest ways go into the rounds; compiling takes a minute.
        results = [
            time_workload(workload, "float32", options, wanted)
            for wanted in ([eager] if options.quick else [eager, compiled])
        ]
        contestants = [row for result in results for row in result["contestants"]]
        missing = {gone["name"]: gone for result in results for gone in result["missing"]}
        samples.append(
            {
                "fit": workload.title,
                "best": best_ways(contestants, rows),
                "missing": list(missing.values()),
            }
        )
    estimates = []
    for name in dict.fromkeys(WAYS.values()):
        rates = [sample["best"][name]["seconds_per_row"] for sample in samples if name in sample["best"]]
        if rates and name != "glassnet":
            estimates.append({"name": name, "seconds": float(np.mean(rates)) * row_epochs})
    return {"rows": rows, "samples": samples, "estimates": estimates}


def best_ways(contestants: Sequence[Mapping[str, Any]], rows: int) -> dict[str, dict[str, Any]]:
    """Of each library the way, and the number of threads, that is through with many fits soonest."""
    best: dict[str, dict[str, Any]] = {}
    cores = thread_count(None)
    for row in contestants:
        each = row["ms"] / 1e3 / rows / (cores if row["threads"] == 1 else 1)
        name = WAYS[row["name"]]
        if name not in best or each < best[name]["seconds_per_row"]:
            best[name] = {
                "way": row["name"],
                "version": row["version"],
                "threads": row["threads"],
                "seconds_per_row": each,
                "difference_of_losses": row["largest_difference"],
            }
    return best


# ---- Words --------------------------------------------------------------------------------------


def walk_forward_table(record: Mapping[str, Any]) -> str:
    """The record for a terminal."""
    lines = [
        f"walk-forward: {record['job']}",
        f"  glassnet: {long_duration(record['seconds'])} for {record['fits']} fits on {record['threads']} "
        f"thread(s), {1e9 * record['seconds'] / record['row_epochs']:.3g} ns a row and epoch",
    ]
    samples = record["peers"]["samples"]
    for row in record["peers"]["estimates"]:
        ways = [sample["best"][row["name"]] for sample in samples if row["name"] in sample["best"]]
        threads = " or ".join(sorted({str(way["threads"]) for way in ways}))
        lines.append(
            f"  {row['name']} {ways[0]['version']}, at the rate of epochs of {record['peers']['rows']:,} "
            f"rows: {long_duration(row['seconds'])}, {row['times_glassnet']:.3g} times as long "
            f"({threads} thread(s) a fit)"
        )
    lines += [f"  {gone['name']}: {gone['reason']}" for gone in samples[0]["missing"]]
    if record["reported_hours"] is not None:
        lines.append(f"  reported by the job's author, on another machine: {record['reported_hours']:g} h")
    lines.append("  daily rank correlation on the days ahead, mean of the folds:")
    for row in record["settings"][:BEST]:
        lines.append(f"    {row['mean']:.4f}  {setting_words(row)}")
    lines.append(
        f"    {record['settings'][-1]['mean']:.4f}  {setting_words(record['settings'][-1])} (the last)"
    )
    averages = record["averaged"]
    lines += [
        f"    {np.mean(averages['known']):.4f}  averaged prediction of these {BEST}",
        f"    {np.mean(averages['chosen']):.4f}  averaged prediction of the {BEST} best of the folds "
        f"before, from the second on",
        f"    {np.mean(averages['chosen_alone']):.4f}  the best of the folds before alone",
    ]
    return "\n".join(lines)


def setting_words(row: Mapping[str, Any]) -> str:
    """A setting in a line."""
    widths = "-".join(map(str, row["hidden_layer_sizes"]))
    return f"{widths} {row['activation']}, learning rate {row['learning_rate']:g}, l2 {row['l2']:g}"


# ---- The chart ------------------------------------------------------------------------------------

TICKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36_000: "10 h"}


def draw_walk_forward(document: Mapping[str, Any]) -> Figure:
    """Left the daily rank correlation of every setting on each fold, right the time, logarithmic."""
    figure, left, right = two_panels(10.5, 4.8, (1.35, 1))
    title = "A search over walk-forward folds, and the average of its best"
    set_heading(figure, title, [document["job"]], document["machine"])
    _draw_folds(left, document)
    _draw_times(right, document)
    return figure


def _draw_folds(axes: Any, document: Mapping[str, Any]) -> None:
    settings, averages = document["settings"], document["averaged"]
    at = np.arange(1, len(document["folds"]) + 1)
    for row in settings:
        (others,) = axes.plot(at, row["of_folds"], color=GRID_COLOR, linewidth=1.2)
    (best,) = axes.plot(at, settings[0]["of_folds"], color=OKABE_ITO[0], linewidth=1.6, marker="o", ms=4)
    (mean,) = axes.plot(at, averages["known"], color=OKABE_ITO[1], linewidth=2, marker="s", ms=4)
    (chosen,) = axes.plot(
        at[1:], averages["chosen"], "--", color=OKABE_ITO[2], linewidth=1.6, marker="^", ms=4
    )
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set_xticks(at)
    set_axis_labels(axes, "fold", "daily rank correlation, days ahead")
    axes.legend(
        [mean, chosen, best, others],
        [
            f"mean prediction of the best {BEST}: {np.mean(averages['known']):.4f}",
            f"of the best {BEST} on the folds before: {np.mean(averages['chosen']):.4f}",
            f"the best setting: {settings[0]['mean']:.4f}",
            f"each of the {len(settings)} settings",
        ],
        fontsize=8.5,
        labelcolor=INK,
        edgecolor="none",
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=2,
    )


def _draw_times(axes: Any, document: Mapping[str, Any]) -> None:
    rows = [("glassnet, measured", document["seconds"], OURS)]
    rows += [
        (f"{row['name']}, at its rate", row["seconds"], OTHERS)
        for row in sorted(document["peers"]["estimates"], key=lambda row: row["seconds"])
    ]
    if document["reported_hours"] is not None:
        rows.append(("reported, another machine", 3600 * document["reported_hours"], FAINT))
    names, seconds, colors = zip(*reversed(rows), strict=True)
    axes.barh(np.arange(len(rows)), seconds, color=colors, height=0.6)
    axes.set_xscale("log")
    axes.set_xlim(min(seconds) / 3, max(seconds) * 6)
    for i, value in enumerate(seconds):
        label(axes, long_duration(value), (value, i), (4, 0), fontsize=9)
    axes.set_yticks(np.arange(len(rows)), names)
    shown = {at: words for at, words in TICKS.items() if min(seconds) / 3 <= at <= max(seconds) * 6}
    axes.set_xticks(list(shown), list(shown.values()))
    axes.set_xticks([], minor=True)
    set_axis_labels(axes, "the whole search (logarithmic)")
