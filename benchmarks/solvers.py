"""How soon each way of training is where the notebook's 50,000 iterations end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.job import N_SAMPLES, SIZES, BenchmarkError, Job, make_job, split
from benchmarks.notebook import Notebook, forward_prop, loss
from benchmarks.solver_peers import measure_peers, row_of
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import prepare
from glassnet.nn.network import Network, Parameters
from glassnet.optim import OPTIMIZERS, SGD
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import SOLVERS, Rule
from glassnet.training.train import train

FORMAT = 1
"""The version of the document."""

Say = Callable[[str], None]

ITERATIONS = 50_000
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


def ways(job: Job, iterations: int) -> list[Way]:
    """Who takes part; SciPy's comes besides."""
    return [
        Way("gradient descent", SGD(job.learning_rate, job.momentum), iterations),
        Way("Adam", OPTIMIZERS["adam"](learning_rate=0.1), iterations),
        Way("Newton-CG", SOLVERS["newton_cg"](), 1000),
        Way("L-BFGS", SOLVERS["lbfgs"](), 1000),
        Way("Levenberg-Marquardt", SOLVERS["levenberg_marquardt"](), 1000),
    ]


def measure_solvers(
    rounds: int, say: Say, n_samples: int = N_SAMPLES, peers: Sequence[str] = ()
) -> dict[str, Any]:
    """Seconds to the notebook's last loss, for each way, and the curves on the way there.

    From the notebook's start, on its summed loss, by the engine and threads that `train` chooses. What
    each arrives at is computed again by the notebook's own formulas before anything is timed. With
    other samples than the notebook's the end is what momentum reaches. `peers` names other libraries.
    """
    job = make_job(n_samples)
    full = n_samples == N_SAMPLES
    iterations = ITERATIONS if full else 2000
    end = END
    if not full:
        end = float(run_once(job, ways(job, iterations)[0], -np.inf).losses[-1])
    notebook = notebook_seconds(job, rounds)
    say(f"the notebook's NumPy: {1e3 * notebook:.3g} ms an iteration")
    rows, descent = [], None
    for way in ways(job, iterations):
        row = time_way(job, way, end, rounds)
        row["times_sooner"] = None if row["seconds"] is None else notebook * iterations / row["seconds"]
        least = AT_LEAST.get(way.rule.name)
        if least is not None:
            row["at_least"] = least
            row["holds"] = row["times_sooner"] is not None and row["times_sooner"] >= least
        rows.append(row)
        say(line_of(row))
        descent = row["curve"] if descent is None else descent
    rows.append(time_scipy(job, end, rounds, notebook * iterations))
    say(line_of(rows[-1]))
    whole = notebook * iterations
    rows += measure_peers(job, end, rounds, whole, peers, thin, lambda row: say(line_of(row)))
    assert descent is not None
    return {
        "format": FORMAT,
        "job": f"2-3-2, {n_samples:,} samples, the notebook's start and summed loss, float64",
        "end": end,
        "settings": {"rounds": rounds},
        "notebook": {
            "ms_per_iteration": 1e3 * notebook,
            "seconds": notebook * iterations,
            "curve": {"seconds": [notebook * k for k in descent["iterations"]], "loss": descent["loss"]},
        },
        "ways": rows,
    }


def notebook_seconds(job: Job, rounds: int) -> float:
    """What one iteration of the notebook's takes: the median of so many twenties of them."""
    found = []
    # A fresh program gets arrays of this size from the system and gives them back, page by page, each time.
    # Once a larger one was freed, the C library keeps them, and an iteration takes half the time; in
    # `bench iteration` other libraries have seen to that.
    large = np.empty(30 << 20, np.uint8)
    del large
    runner = Notebook(job)
    runner.iterate(20)
    for _ in range(max(rounds, 3)):
        began = time.perf_counter()
        runner.iterate(20)
        found.append((time.perf_counter() - began) / 20)
    return float(np.median(found))


def run_once(job: Job, way: Way, end: float, curve: list[tuple[float, float]] | None = None) -> TrainingRun:
    """One training until the loss is below `end`; what passes on the way goes into `curve`."""

    def look(run: TrainingRun) -> bool:
        if curve is not None:
            curve.append((run.seconds, float(run.losses[-1])))
        return bool(run.losses[-1] < end)

    # Looking after every iteration would be most of what a first-order method takes.
    looks = [look] if way.rule.name in SOLVERS and end > -np.inf else []
    return train(
        Network(SIZES),
        job.X,
        job.y,
        optimizer=way.rule,
        iterations=way.most,
        parameters=job.start,
        reduction="sum",
        callbacks=looks,
    )


def time_way(job: Job, way: Way, end: float, rounds: int) -> dict[str, Any]:
    """The row of one way: checked, then timed."""
    solver = way.rule.name in SOLVERS
    points: list[tuple[float, float]] = []
    run = run_once(job, way, end, points)
    for _ in range(rounds if solver else 0):  # the curve of the one that was disturbed least
        again: list[tuple[float, float]] = []
        run_once(job, way, end, again)
        points = min(points, again, key=lambda curve: curve[-1][0] if curve else 0.0)
    below = np.flatnonzero(run.losses <= end * (1 + 1e-9))  # the notebook's own end, but for rounding
    k = int(below[0]) if below.size else None
    row: dict[str, Any] = {"name": way.name, "rule": repr(way.rule), "threads": run.threads}
    if k is not None:
        short = Way(way.name, way.rule, k)
        ended = run_once(job, short, -np.inf)
        check_end(job, ended.parameters, float(ended.losses[-1]), way.name)
        most = STEPS.get(way.rule.name)
        if most is not None and k > most and len(job.X) == N_SAMPLES:
            raise BenchmarkError(f"{way.name} took {k} steps; {most} are allowed.")
    else:
        short = way
    # First-order methods run for seconds: once is enough.
    found = [run_once(job, short, -np.inf).seconds for _ in range(rounds if solver else 1)]
    seconds = float(np.median(found))
    kept = thin(len(run.losses) if k is None else k + 1)
    each = seconds / max(short.most, 1)
    passed = [0.0, *(at for at, _ in points)] if solver else [each * i for i in range(len(run.losses))]
    return {
        **row,
        "iterations": k,
        "evaluations": ended.evaluations if k is not None else None,
        "seconds": seconds if k is not None else None,
        "seconds_of_rounds": found,
        "last_loss": float(run.losses[-1] if k is None else run.losses[k]),
        "curve": {
            "iterations": kept,
            "seconds": [float(passed[i]) for i in kept],
            "loss": [float(run.losses[i]) for i in kept],
        },
    }


def time_scipy(job: Job, end: float, rounds: int, notebook: float) -> dict[str, Any]:
    """SciPy's L-BFGS-B over glassnet's gradients, which scikit-learn's solver="lbfgs" is over its own."""
    from scipy.optimize import minimize

    problem: Problem = prepare(Network(SIZES), job.X, job.y, reduction="sum")
    found: list[float] = []
    best: list[tuple[float, float]] = []
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
            minimize(look, job.start.flat.copy(), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        except StopIteration:
            found.append(time.perf_counter() - began)
    seconds = float(np.median(found)) if found else None
    return row_of("SciPy's L-BFGS-B", "L-BFGS-B", problem.threads, best, found, seconds, notebook, thin)


def check_end(job: Job, parameters: Parameters, said: float, name: str) -> None:
    """Raise BenchmarkError where the notebook's formulas give another loss than the run says."""
    w_h, b_h, w_o, b_o = split(parameters, "float64")
    with np.errstate(over="ignore"):
        there = float(loss(forward_prop(job.X, w_h, b_h, w_o, b_o), job.Y))
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
    verdict = ""
    if "holds" in row:
        verdict = f" [{'holds' if row['holds'] else 'MISSED'}: {row['at_least']:,.0f}]"
    found = f"{1e3 * row['seconds']:.3g} ms, {row['times_sooner']:,.0f} times sooner"
    return f"  {row['name']}: {steps}{tries}{found}{verdict}"


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
