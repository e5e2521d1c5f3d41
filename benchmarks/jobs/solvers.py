"""How soon each way of training is where the notebook's 50,000 iterations end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.charts import OTHERS, OURS, label, set_axis_labels, set_heading
from benchmarks.contest import BenchmarkError
from benchmarks.jobs.options import Options
from benchmarks.peers import installed
from benchmarks.peers.notebook import Notebook, forward_prop, loss
from benchmarks.peers.solvers import CURVES, Curve
from benchmarks.record import FORMAT, outcome
from benchmarks.tasks import N_SAMPLES, SIZES, NotebookTask, copies, make_notebook_task
from benchmarks.timing import timed
from glassnet.engine.prepare import prepare
from glassnet.nn.network import Network, Parameters
from glassnet.optim import OPTIMIZERS, SGD
from glassnet.plots.style import FAINT, INK, OKABE_ITO, flat_axes, new_figure
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import SOLVERS, Rule
from glassnet.training.train import train
from glassnet.utils.threads import thread_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ITERATIONS = 50_000
QUICK_SAMPLES, QUICK_ITERATIONS = 300, 2_000
END = 7.650197917402334
"""The notebook's last loss, of 50,000 samples after as many iterations."""

AT_LEAST = {"levenberg_marquardt": 20_000.0, "lbfgs": 3_000.0}
"""So many times sooner than the notebook's NumPy these have to be there."""
STEPS = {"levenberg_marquardt": 20}
"""In so many accepted steps at most."""

POINTS = 400
"""Of a curve, at most."""


@dataclass(frozen=True)
class Way:
    """A rule with what it is called; `most` iterations are made."""

    name: str
    rule: Rule
    most: int


def ways(task: NotebookTask, iterations: int) -> list[Way]:
    """Who takes part; SciPy's comes besides."""
    return [
        Way("gradient descent", SGD(task.learning_rate, task.momentum), iterations),
        Way("Adam", OPTIMIZERS["adam"](learning_rate=0.1), iterations),
        Way("Newton-CG", SOLVERS["newton_cg"](), 1000),
        Way("L-BFGS", SOLVERS["lbfgs"](), 1000),
        Way("Levenberg-Marquardt", SOLVERS["levenberg_marquardt"](), 1000),
    ]


def measure_solvers(options: Options) -> dict[str, Any]:
    """Seconds to the notebook's last loss, for each way, and the curves on the way there.

    From the notebook's start, on its summed loss, by the engine and threads that `train` chooses. What
    each arrives at is computed again by the notebook's own formulas before anything is timed. A quick
    look takes fewer samples, and the end is what momentum reaches.
    """
    quick, rounds = options.quick, options.rounds
    task = make_notebook_task(QUICK_SAMPLES if quick else N_SAMPLES)
    iterations = QUICK_ITERATIONS if quick else ITERATIONS
    end = END
    if quick:
        end = float(run_once(task, ways(task, iterations)[0], -np.inf).losses[-1])
    notebook = notebook_seconds(task, rounds)
    options.say(f"the notebook's NumPy: {1e3 * notebook:.3g} ms an iteration")
    whole = notebook * iterations
    rows: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        options.say(line_of(row))

    for way in ways(task, iterations):
        row = time_way(task, way, end, rounds)
        row["times_sooner"] = None if row["seconds"] is None else whole / row["seconds"]
        least = AT_LEAST.get(way.rule.name)
        if least is not None:
            row["at_least"] = least
            row["holds"] = row["times_sooner"] is not None and row["times_sooner"] >= least
        add(row)
    add(time_scipy(task, end, rounds, whole))
    libraries = installed(options.peers)
    for name, (library, way_of_peer, repeat) in CURVES.items():
        if library not in libraries or (quick and library == "jax"):
            continue
        if repeat:
            way_of_peer(task, end)  # what is compiled or allocated on first use is not timed
        curves = [way_of_peer(task, end) for _ in range(rounds if repeat else 1)]
        best = min(curves, key=lambda curve: curve[-1][0])
        arrives = best[-1][1] <= end * (1 + 1e-9)
        times = [curve[-1][0] for curve in curves]
        add(row_of(name, name, thread_count(None), best, times, arrives, whole))
    descent = rows[0]["curve"]
    return {
        "format": FORMAT,
        "job": f"2-3-2, {len(task.X):,} samples, the notebook's start and summed loss, float64",
        "end": end,
        "settings": {"rounds": rounds},
        "notebook": {
            "ms_per_iteration": 1e3 * notebook,
            "seconds": whole,
            "curve": {"seconds": [notebook * k for k in descent["iterations"]], "loss": descent["loss"]},
        },
        "ways": rows,
    }


def notebook_seconds(task: NotebookTask, rounds: int) -> float:
    """What one iteration of the notebook's takes: the median of so many twenties of them."""
    times = []
    # A fresh program gets arrays of this size from the system and gives them back, page by page, each time.
    # Once a larger one was freed, the C library keeps them, and an iteration takes half the time; in
    # `bench iteration` other libraries have seen to that.
    large = np.empty(30 << 20, np.uint8)
    del large
    runner = Notebook(task)
    runner.work(20)
    for _ in range(max(rounds, 3)):
        _, seconds = timed(lambda: runner.work(20))
        times.append(seconds / 20)
    return float(np.median(times))


def run_once(task: NotebookTask, way: Way, end: float, curve: Curve | None = None) -> TrainingRun:
    """One training until the loss is below `end`; what passes on the way goes into `curve`."""

    def look(run: TrainingRun) -> bool:
        if curve is not None:
            curve.append((run.seconds, float(run.losses[-1])))
        return bool(run.losses[-1] < end)

    # Looking after every iteration would be most of what a first-order method takes.
    looks = [look] if way.rule.name in SOLVERS and end > -np.inf else []
    return train(
        Network(SIZES),
        task.X,
        task.y,
        optimizer=way.rule,
        iterations=way.most,
        parameters=task.start,
        reduction="sum",
        callbacks=looks,
    )


def time_way(task: NotebookTask, way: Way, end: float, rounds: int) -> dict[str, Any]:
    """The row of one way: checked, then timed."""
    solver = way.rule.name in SOLVERS
    points: Curve = []
    run = run_once(task, way, end, points)
    for _ in range(rounds if solver else 0):  # the curve of the one that was disturbed least
        again: Curve = []
        run_once(task, way, end, again)
        points = min(points, again, key=lambda curve: curve[-1][0] if curve else 0.0)
    below = np.flatnonzero(run.losses <= end * (1 + 1e-9))  # the notebook's own end, but for rounding
    k = int(below[0]) if below.size else None
    row: dict[str, Any] = {"name": way.name, "rule": repr(way.rule), "threads": run.threads}
    if k is not None:
        short = replace(way, most=k)
        ended = run_once(task, short, -np.inf)
        check_end(task, ended.parameters, float(ended.losses[-1]), way.name)
        most = STEPS.get(way.rule.name)
        if most is not None and k > most and len(task.X) == N_SAMPLES:
            raise BenchmarkError(f"{way.name} took {k} steps; {most} are allowed.")
    else:
        short = way
    # First-order methods run for seconds: once is enough.
    times = [run_once(task, short, -np.inf).seconds for _ in range(rounds if solver else 1)]
    seconds = float(np.median(times))
    shown = thin(len(run.losses) if k is None else k + 1)
    seconds_of_one = seconds / max(short.most, 1)
    passed = (
        [0.0, *(at for at, _ in points)] if solver else [seconds_of_one * i for i in range(len(run.losses))]
    )
    return {
        **row,
        "iterations": k,
        "evaluations": ended.evaluations if k is not None else None,
        "seconds": seconds if k is not None else None,
        "seconds_of_rounds": times,
        "last_loss": float(run.losses[-1] if k is None else run.losses[k]),
        "curve": {
            "iterations": shown,
            "seconds": [float(passed[i]) for i in shown],
            "loss": [float(run.losses[i]) for i in shown],
        },
    }


def time_scipy(task: NotebookTask, end: float, rounds: int, notebook: float) -> dict[str, Any]:
    """SciPy's L-BFGS-B over glassnet's gradients, which scikit-learn's solver="lbfgs" is over its own."""
    from scipy.optimize import minimize

    problem = prepare(Network(SIZES), task.X, task.y, reduction="sum")
    times: list[float] = []
    best: Curve = []
    for _ in range(rounds):
        best = []
        began = time.perf_counter()

        def look(flat: Any) -> tuple[float, Any]:
            value, gradient = problem.loss_and_gradient(flat)
            best.append((time.perf_counter() - began, min(value, best[-1][1] if best else np.inf)))  # noqa: B023
            if value < end:
                raise StopIteration
            return value, gradient

        try:
            minimize(look, task.start.flat.copy(), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        except StopIteration:
            times.append(time.perf_counter() - began)
    return row_of("SciPy's L-BFGS-B", "L-BFGS-B", problem.threads, best, times, bool(times), notebook)


def row_of(
    name: str, rule: str, threads: int, best: Curve, rounds: list[float], arrives: bool, notebook: float
) -> dict[str, Any]:
    """The row of another library: its curve, thinned, and its time, None where it does not arrive."""
    shown, seconds = thin(len(best)), float(np.median(rounds)) if arrives else None
    return {
        "name": name,
        "rule": rule,
        "threads": threads,
        "iterations": None,
        "evaluations": len(best),
        "seconds": seconds,
        "seconds_of_rounds": rounds,
        "times_sooner": None if seconds is None else notebook / seconds,
        "last_loss": best[-1][1],
        "curve": {
            "iterations": shown,
            "seconds": [best[i][0] for i in shown],
            "loss": [best[i][1] for i in shown],
        },
    }


def check_end(task: NotebookTask, parameters: Parameters, said: float, name: str) -> None:
    """Raise BenchmarkError where the notebook's formulas give another loss than the run says."""
    w_h, b_h, w_o, b_o = copies(parameters, "float64")
    with np.errstate(over="ignore"):
        there = float(loss(forward_prop(task.X, w_h, b_h, w_o, b_o), task.Y))
    if not abs(there - said) <= 1e-6 * abs(said):
        raise BenchmarkError(
            f"{name} says that its loss is {said:.10g}; the notebook's formulas give {there:.10g}."
        )


def thin(count: int) -> list[int]:
    """Numbers from 0 to below `count`, denser at the beginning, where there are too many."""
    if count <= POINTS:
        return list(range(count))
    return sorted({0, *np.geomspace(1, count - 1, POINTS).round().astype(int).tolist()})


def line_of(row: dict[str, Any]) -> str:
    """A row for a terminal."""
    if row["seconds"] is None:
        return f"  {row['name']}: not there; its loss was {row['last_loss']:.4g}"
    steps = "" if row["iterations"] is None else f"{row['iterations']:,} iterations, "
    tries = "" if row["evaluations"] is None else f"{row['evaluations']:,} evaluations, "
    target = ""
    if "holds" in row:
        target = f" {outcome(row['holds'])[:-1]}: {row['at_least']:,.0f}]"
    times = f"{1e3 * row['seconds']:.3g} ms, {row['times_sooner']:,.0f} times sooner"
    return f"  {row['name']}: {steps}{tries}{times}{target}"


def solvers_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    notebook = record["notebook"]
    lines = [
        f"solvers: until the loss is {record['end']:.4g}; {record['job']}",
        f"  the notebook's NumPy: {notebook['ms_per_iteration']:.3g} ms an iteration, "
        f"{notebook['seconds']:.3g} s in all",
        *(line_of(row) for row in record["ways"]),
    ]
    return "\n".join(lines)


# ---- The chart ------------------------------------------------------------------------------------

LOOKS = {
    "Levenberg-Marquardt": (OURS, "o"),
    "L-BFGS": (OTHERS, "s"),
    "SciPy's L-BFGS-B": (OKABE_ITO[4], "^"),
    "Newton-CG": (OKABE_ITO[2], "D"),
    "Adam": (OKABE_ITO[3], ""),
    "gradient descent": (OKABE_ITO[5], ""),
}
LOOKS_OF_PEERS: dict[str, tuple[str, str, str]] = {
    "scikit-learn's lbfgs": (OKABE_ITO[6], "v", "-"),
    "PyTorch's LBFGS": (OKABE_ITO[7], "x", "-"),
    "PyTorch's Adam": (OKABE_ITO[3], "", "--"),
    "JAX's gradient descent": (OKABE_ITO[5], "", "--"),
}
"""Color and marker of each way; those of thousands of iterations are lines alone."""


def draw_solvers(document: Mapping[str, Any]) -> Figure:
    """A curve for each way from its first iteration on, and where the notebook ends."""
    figure = new_figure(9.4, 6.4)
    axes = flat_axes(figure)
    axes.set_xscale("log")
    axes.set_yscale("log")
    handles: list[Any] = []
    names = []
    end, notebook = document["end"], document["notebook"]
    (line,) = axes.plot(
        notebook["curve"]["seconds"][1:], notebook["curve"]["loss"][1:], color=FAINT, linewidth=1.6
    )
    handles.append(line)
    names.append(f"the notebook's NumPy: {_duration(notebook['seconds'])}")
    rows = {row["name"]: row for row in document["ways"]}
    looks = {name: (*look, "-") for name, look in LOOKS.items()} | LOOKS_OF_PEERS
    for name, (color, marker, dashes) in looks.items():
        if name not in rows:  # a library that is not installed, or was not asked for
            continue
        row = rows[name]
        seconds, loss = np.array(row["curve"]["seconds"][1:]), np.array(row["curve"]["loss"][1:])
        (line,) = axes.plot(
            seconds,
            loss,
            marker=marker or None,
            color=color,
            linestyle=dashes,
            linewidth=1.8,
            markersize=4,
            zorder=3,
        )
        handles.append(line)
        names.append(f"{name}: {'not there' if row['seconds'] is None else _duration(row['seconds'])}")
    axes.axhline(end, color=INK, linewidth=1, linestyle=":")
    corner: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top"}
    label(axes, f"{end:.4g}, where the notebook ends", (1, end), (-4, -4), **corner)
    axes.xaxis.set_major_formatter(lambda value, _: _duration(value))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    set_axis_labels(axes, "time since the start (logarithmic)", "summed loss")
    notes = [document["job"], f"medians of {document['settings']['rounds']} rounds"]
    set_heading(figure, "How soon each is where the notebook ends", notes, document["machine"])
    legend = axes.legend(handles, names, fontsize=9, loc="lower left", labelcolor=INK, edgecolor="none")
    legend.set_zorder(5)
    return figure


def _duration(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    if seconds >= 1:
        return f"{seconds:,.3g} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"
