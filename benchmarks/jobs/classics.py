"""Two classics of the literature on Levenberg-Marquardt, by each solver and its peers.

A period of a sine by 1-5-1 to a mean squared error of 0.002, and three bits' parity by 3-10-10-1 to 0.001:
networks and goals are those of the problems SIN and PARITY in "Choose a Multilayer Neural Network Training
Function", MathWorks' documentation of the toolbox of Hagan and Demuth. The rest is ours: 41 points of the
sine from -1 to 1, bits of -1 and 1, hidden units of tanh and an identity at the end, and Glorot's draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.charts import OTHERS
from benchmarks.contest import BenchmarkError
from benchmarks.jobs.options import Options
from benchmarks.peers import installed
from benchmarks.peers.solvers import MOST_STEPS, Classic, Solver, by_scipy, by_sklearn, by_torch
from benchmarks.record import FORMAT
from benchmarks.timing import timed
from glassnet._types import Array
from glassnet.errors import StalledTrainingWarning
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS
from glassnet.plots.style import FAINT, GRID, INK, new_figure, set_title
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import SOLVERS, Rule
from glassnet.training.train import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS = 30

MOST = {"adam": 20_000}
"""Iterations after which a start counts as one that does not arrive."""


def classics() -> list[Classic]:
    """The two problems."""
    x = np.linspace(-1, 1, 41)[:, None]
    bits = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)])
    sine = Network((1, 5, 1), hidden="tanh", output="identity")
    parity = Network((3, 10, 10, 1), hidden="tanh", output="identity")
    return [
        Classic("sine", sine, x, np.sin(np.pi * x), 0.002),
        Classic("parity", parity, bits, bits.prod(axis=1, keepdims=True), 0.001),
    ]


@dataclass(frozen=True)
class Trial:
    """One start: whether it arrived, with how many evaluations of the loss, and in what time."""

    arrived: bool
    evaluations: int
    seconds: float


def by_rule(rule: Rule) -> Solver:
    """By `train`, with the rule's own settings; from a start that it knows, as many iterations as it took.

    So a callback that looks for the goal is not timed: it would take longer than the steps.
    """
    most = MOST.get(rule.name, MOST_STEPS)
    known: dict[tuple[str, bytes], int] = {}

    def run(classic: Classic, start: Array) -> tuple[Array, int]:
        # The reported loss is half the mean squared error, and a penalty where the solver has one.
        def there(run: TrainingRun) -> bool:
            if rule.name == "bayesian_regularization":
                return classic.error(run.parameters.flat) <= classic.goal
            return bool(run.losses[-1] <= classic.goal / 2)

        key = classic.name, start.tobytes()
        trained = train(
            classic.network,
            classic.X,
            classic.y,
            optimizer=rule,
            iterations=known.get(key, most),
            parameters=start,
            threads=1,
            callbacks=[] if key in known else [there],
        )
        known[key] = trained.iterations
        return trained.parameters.flat, trained.evaluations or trained.iterations + 1

    return run


def ways(names: Collection[str]) -> dict[str, Solver]:
    """Who takes part, by name; `names` are the libraries that take part."""
    solvers: dict[str, Solver] = {
        "Levenberg-Marquardt": by_rule(SOLVERS["levenberg_marquardt"]()),
        "Bayesian regularization": by_rule(SOLVERS["bayesian_regularization"]()),
        "Newton-CG": by_rule(SOLVERS["newton_cg"]()),
        "L-BFGS": by_rule(SOLVERS["lbfgs"]()),
        "Adam(0.01)": by_rule(OPTIMIZERS["adam"](learning_rate=0.01)),
        "SciPy's L-BFGS-B": by_scipy,
    }
    if "scikit-learn" in names:
        solvers["scikit-learn's lbfgs"] = by_sklearn
    if "torch" in names:
        solvers["PyTorch's LBFGS"] = by_torch
    return solvers


def measure_classics(options: Options) -> dict[str, Any]:
    """Median evaluations and time of the starts that arrive, and their share, for each way and problem.

    All begin at the same parameters, Glorot's draw of seeds 0 and up, twice; the second time is kept.
    What is said to be there is computed again by the reference.
    """
    seeds, libraries = 2 if options.quick else SEEDS, installed(options.peers)
    record: dict[str, Any] = {"format": FORMAT, "seeds": seeds, "problems": {}}
    for classic in classics():
        starts = [classic.network.initialize(seed).flat for seed in range(seeds)]
        rows = []
        for name, way in ways(libraries).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", StalledTrainingWarning)  # the table says who arrives
                rows.append(_row(name, [_trial(classic, way, start, name) for start in starts]))
            options.say(line_of(classic.name, rows[-1]))
        record["problems"][classic.name] = {
            "network": str(classic.network),
            "samples": len(classic.X),
            "goal": classic.goal,
            "ways": rows,
        }
    return record


def _trial(classic: Classic, way: Solver, start: Array, name: str) -> Trial:
    way(classic, start)
    (flat, evaluations), seconds = timed(lambda: way(classic, start))
    error = classic.error(flat)
    if not np.isfinite(error):
        raise BenchmarkError(f"{name} ends the {classic.name} with an error of {error}.")
    return Trial(error <= classic.goal * (1 + 1e-6), evaluations, seconds)


def _row(name: str, trials: list[Trial]) -> dict[str, Any]:
    arrived = [trial for trial in trials if trial.arrived]
    return {
        "name": name,
        "share": len(arrived) / len(trials),
        "evaluations": float(np.median([trial.evaluations for trial in arrived])) if arrived else None,
        "ms": 1e3 * float(np.median([trial.seconds for trial in arrived])) if arrived else None,
        "trials": [vars(trial) for trial in trials],
    }


def line_of(problem: str, row: dict[str, Any]) -> str:
    """A row for a terminal."""
    if row["ms"] is None:
        return f"  {problem:<7} {row['name']:<24} none arrives"
    return (
        f"  {problem:<7} {row['name']:<24} {row['evaluations']:>8,.0f} evaluations {row['ms']:>10.3g} ms "
        f"{row['share']:>6.0%}"
    )


def classics_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [f"classics: medians of the starts that arrive, of {record['seeds']}; and their share"]
    for name, problem in record["problems"].items():
        lines.append(f" {name}: {problem['network']}, to a mean squared error of {problem['goal']:g}")
        lines += [line_of("", row) for row in problem["ways"]]
    return "\n".join(lines)


def draw_classics(document: Mapping[str, Any]) -> Figure:
    """A dot for each start, a bar at the median, the share at the right; time is logarithmic."""
    problems = document["problems"]
    figure = new_figure(8.6, 1.6 + 0.34 * sum(len(one["ways"]) + 2 for one in problems.values()))
    grid = figure.add_gridspec(len(problems), 1)
    first: Any = None
    for row, (name, problem) in enumerate(problems.items()):
        axes: Any = figure.add_subplot(grid[row], sharex=first)
        first = first or axes
        axes.set_xscale("log")
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(FAINT)
        ways = problem["ways"]
        for place, way in enumerate(ways):
            color = OTHERS if "'s" not in way["name"] else FAINT
            times = [1e3 * one["seconds"] for one in way["trials"] if one["arrived"]]
            axes.plot(times, np.full(len(times), place), "o", color=color, markersize=4, alpha=0.35)
            if times:
                axes.plot([way["ms"]] * 2, [place - 0.32, place + 0.32], color=color, linewidth=2.5)
            words = (
                "none arrives"
                if way["ms"] is None
                else f"{way['evaluations']:,.0f} evaluations, {way['share']:.0%} arrive"
            )
            axes.annotate(
                words,
                (1.01, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8.5,
                color=INK,
            )
        axes.set_yticks(range(len(ways)), [way["name"] for way in ways])
        axes.set_ylim(len(ways) - 0.4, -0.6)
        axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=9, length=2.5)
        axes.grid(axis="x", color=GRID, linewidth=0.7)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g} ms")
        words = (
            f"{name}, {problem['network'].split(' ')[0]}, to a mean squared error of {problem['goal']:g}"
        )
        axes.set_title(words, loc="left", fontsize=10, color=INK)
    machine = document["machine"]
    notes = [
        f"{document['seeds']} starts, a dot for each that arrives; the bar is the median",
        "one thread",
    ]
    set_title(figure, "Two classics, until each is there", [*notes, str(machine["processor"])])
    return figure
