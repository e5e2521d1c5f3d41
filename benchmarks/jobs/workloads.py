"""Workloads besides the notebook's iteration: mini-batches, wider layers, a gradient, a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.charts import LOOKS, label, legend_below, set_axis_labels, set_heading
from benchmarks.contest import BenchmarkError, Contestant, TaskRunner
from benchmarks.jobs.options import Options
from benchmarks.peers import gather
from benchmarks.peers.plain import right_answer
from benchmarks.record import (
    columns,
    comments,
    duration,
    entry_record,
    fastest,
    missing_records,
    outcome,
    row_title,
)
from benchmarks.tasks import CHECKED_EPOCHS, UNITS, Task, Workload, make_task
from benchmarks.timing import Entry, compare, qualified, ratio, run_heat, time_rounds
from glassnet._types import Array
from glassnet.plots.style import GRID, INK, flat_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
"""The largest difference from the reference, relative to its largest number: the first epoch's loss, say.
Relative to each, a loss that falls a hundredfold would show float32's rounding a hundred times as large.
Rounding grows in training: hundreds of updates in float32 move PyTorch's losses by up to 1e-4."""

LONGEST = 100
"""Epochs in a row: longer, and who is faster would train on where there is nothing left to learn."""

Wanted = Callable[[Contestant[Task]], bool]


def check(who: Contestant[Task], task: Task, runner: TaskRunner, right: Array) -> float:
    """The answer's largest difference from the right one, or BenchmarkError where that is too large.

    Training in an order of one's own cannot be compared number by number: its losses must be there,
    finite, and lead downward from the first one.
    """
    title, job = f"{who.title} ({who.version})", task.workload.name
    tolerance = TOLERANCE[task.precision]
    error = compare(runner.answer(), right, tolerance, who=title, job=job, of_largest=True)
    if task.workload.kind == "training":
        runner.reset()
        losses = np.asarray(runner.work(CHECKED_EPOCHS), np.float64)
        if losses.shape != (CHECKED_EPOCHS,) or not (losses <= 1.5 * right[0]).all():
            raise BenchmarkError(
                f"{title} does another job than {job} in an order of its own: its losses are {losses}, "
                f"those of the check {right}. Nothing was timed."
            )
    return error


def enter_all(
    task: Task, options: Options, wanted: Wanted = lambda who: True
) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Every contestant that is wanted, with its answer compared, and those that cannot run."""
    truth: dict[tuple[bool, bool], Array] = {}

    def enter(who: Contestant[Task]) -> Entry:
        of_contestant = task.with_one_output() if who.one_output else task
        key = who.one_output, who.late_epsilon
        if key not in truth:
            truth[key] = right_answer(of_contestant, who.late_epsilon)
        runner = who.make(of_contestant)
        return Entry(who, runner, check(who, of_contestant, runner, truth[key]))

    return gather(options.peers, lambda peer: filter(wanted, peer.workload(task)), enter, options.say)


def time_workload(
    workload: Workload, precision: str, options: Options, wanted: Wanted = lambda who: True
) -> dict[str, Any]:
    """Everybody's times for a workload in one precision; what `wanted` refuses is left out.

    Raises BenchmarkError for a contestant with a wrong answer.
    """
    entries, missing = enter_all(make_task(workload, precision), options, wanted)
    best: dict[str, float] = {}
    longest = LONGEST if workload.kind == "training" else math.inf
    for entry in entries:
        peer = entry.contestant.peer
        run_heat(entry, options.seconds, longest=longest, best=best.get(peer, math.inf))
        best[peer] = min(entry.heat, best.get(peer, math.inf))
        options.say(f"  {entry.contestant.title}: {1e3 * entry.heat:.4g} ms in a heat")
    timed = qualified(entries)
    time_rounds(timed, options.rounds, options.seconds, options.say)
    return result_of(workload, timed, entries, missing)


def run_workload(workload: Workload, options: Options) -> dict[str, Any]:
    """The record of a workload in each of its precisions."""
    record = describe(workload, {"rounds": options.rounds, "seconds": options.seconds})
    for precision in workload.precisions:
        options.say(f"{workload.name}, {precision}")
        record["precisions"][precision] = time_workload(workload, precision, options)
    return record


# ---- The document ---------------------------------------------------------------------------------


def best(entries: Sequence[Entry], peer: str) -> Entry | None:
    """A peer's fastest entry by the median of its rounds."""
    of_peer = [entry for entry in entries if entry.contestant.peer == peer and entry.seconds]
    return min(of_peer, key=lambda entry: entry.median) if of_peer else None


def judge(workload: Workload, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """What was wanted against each peer's best, what was measured, and whether it holds (None: it is
    not known)."""
    ours, outcomes = best(entries, "glassnet"), []
    for target in workload.targets:
        theirs = best(entries, target.peer)
        measured = ratio(theirs.seconds, ours.seconds) if theirs and ours else None
        outcomes.append(
            {
                **asdict(target),
                "measured": measured,
                "holds": None if measured is None else measured >= target.at_least,
            }
        )
    return outcomes


def result_of(
    workload: Workload,
    timed: Sequence[Entry],
    entries: Sequence[Entry],
    missing: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """One workload in one precision; `timed` are the entries that went into the rounds."""
    ours = best(timed, "glassnet")
    return {
        "contestants": [
            {
                **entry_record(entry),
                "times_glassnet": ratio(entry.seconds, ours.seconds) if ours else None,
                "largest_difference": entry.error,
                "in_a_row": entry.count,
            }
            for entry in timed
        ],
        "heats_ms": {entry.contestant.title: 1e3 * entry.heat for entry in entries},
        "missing": missing_records(missing),
        "targets": judge(workload, timed),
    }


def describe(workload: Workload, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A workload without its results."""
    return {
        "title": workload.title,
        "unit": UNITS[workload.kind],
        "samples": workload.n_samples,
        "epochs_compared": CHECKED_EPOCHS if workload.kind == "training" else None,
        "tolerance": TOLERANCE,
        "note": workload.note,
        "settings": dict(settings),
        "precisions": {},
    }


def workload_table(name: str, record: Mapping[str, Any]) -> str:
    """A workload for a terminal: everybody's times."""
    lines = [f"{name}: {record['title']}"]
    for precision, result in record["precisions"].items():
        heads = ["contestant", "version", f"{precision}, one {record['unit']}", "x glassnet"]
        rows = [
            [
                row_title(row),
                row["version"],
                duration(row["ms"]),
                "" if row["times_glassnet"] is None else f"{row['times_glassnet']:.3g}",
            ]
            for row in result["contestants"]
        ]
        lines += columns([heads, *rows], 2)
        lines += comments(result)
    return "\n".join([*lines, *([f"{record['note']}."] if record["note"] else []), ""])


def target_table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Every target: wanted and measured, side by side."""
    rows = [
        [
            name,
            precision,
            target["peer"],
            f"{target['at_least']:g} x",
            "" if target["measured"] is None else f"{target['measured']:.3g} x",
            outcome(target["holds"]),
        ]
        for name, record in records.items()
        for precision, result in record["precisions"].items()
        for target in result["targets"]
    ]
    heads = ["workload", "precision", "against the best of", "at least", "measured", ""]
    return "\n".join(columns([heads, *rows], 3))


def readme_table(workloads: Mapping[str, Workload]) -> str:
    """The workloads and their targets as rows of the README's table."""
    lines = []
    for name, workload in workloads.items():
        goals = ", ".join(f"{target.at_least:g} x {target.peer}" for target in workload.targets)
        precisions = " and ".join(workload.precisions)
        lines.append(f"| `{name}` | {workload.title}; {precisions} | {goals} |")
    return "\n".join(lines)


# ---- The chart ------------------------------------------------------------------------------------


def draw_workloads(document: Mapping[str, Any]) -> Figure:
    """A line for each workload and precision; a mark where the strictest target lies."""
    from matplotlib.lines import Line2D

    lines = [
        (name, precision, record, result)
        for name, record in document["workloads"].items()
        for precision, result in record["precisions"].items()
    ]
    figure = new_figure(9.2, 2.6 + 0.42 * len(lines))
    axes = flat_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.set_xscale("log")
    labels, seen, wanted = [], set(), False
    for y, (name, precision, record, result) in enumerate(lines):
        best = fastest((row["peer"], row["ms"]) for row in result["contestants"] if row["peer"] in LOOKS)
        labels.append(f"{name}, {precision}\none {record['unit']}")
        axes.plot([min(best.values()), max(best.values())], [y, y], color=GRID, linewidth=3, zorder=1)
        for peer, milliseconds in best.items():
            _, color, marker = LOOKS[peer]
            axes.plot(milliseconds, y, marker, color=color, markersize=8, zorder=3)
            seen.add(peer)
        goals = [best[t["peer"]] / t["at_least"] for t in result["targets"] if t["peer"] in best]
        if goals:
            wanted = True
            axes.plot([min(goals)] * 2, [y - 0.32, y + 0.32], color=INK, linewidth=1.6, zorder=2)
        if "glassnet" in best:
            left_of_both = (min([best["glassnet"], *goals]), y)
            label(axes, duration(best["glassnet"]), left_of_both, (-9, 0), ha="right", fontsize=8)
    axes.set_yticks(range(len(lines)), labels)
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.set_ylim(len(lines) - 0.4, -0.7)
    left, right = axes.get_xlim()
    axes.set_xlim(left / 2.5, right)  # room for the leftmost time
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    set_axis_labels(axes, "milliseconds (logarithmic), the best of each library")
    shown = [peer for peer in LOOKS if peer in seen]
    handles: list[Any] = [
        Line2D([], [], color=LOOKS[peer][1], marker=LOOKS[peer][2], linestyle="", markersize=8)
        for peer in shown
    ]
    names = [LOOKS[peer][0] for peer in shown]
    if wanted:
        handles.append(
            Line2D([], [], color=INK, marker="|", linestyle="", markersize=11, markeredgewidth=1.6)
        )
        names.append("glassnet is to be here or left of it")
    title = "Small networks, the same work in every library"
    set_heading(figure, title, ["medians of rounds"], document["machine"])
    legend_below(figure, handles, names)
    return figure
