"""One full-batch iteration of the notebook's job, by everybody, beside the bound of its arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.bound import bound, measure_rates, phases, total
from benchmarks.charts import OTHERS, OURS, label, set_axis_labels, set_heading
from benchmarks.contest import PRECISIONS, BenchmarkError, Contestant, Runner
from benchmarks.jobs.options import check_settings, choose_say, output_folder, write_chart
from benchmarks.peers import choose_peers, gather
from benchmarks.peers.notebook import Notebook
from benchmarks.record import (
    FORMAT,
    columns,
    comments,
    describe_machine,
    entry_record,
    machine_line,
    missing_records,
    outcome,
    row_title,
)
from benchmarks.tasks import N_SAMPLES, NotebookTask, make_notebook_task, one_output
from benchmarks.timing import Entry, compare, ratio, run_heat, time_rounds
from glassnet._types import Array
from glassnet.nn.network import Network
from glassnet.optim import SGD
from glassnet.plots.style import FAINT, INK, flat_axes, new_figure
from glassnet.training.train import train
from glassnet.utils.paths import as_path
from glassnet.utils.storage import write_json
from glassnet.utils.threads import thread_count
from glassnet.utils.words import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHECKED = 20
"""Iterations whose losses are compared before anything is timed."""

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
"""The largest relative difference of a loss from the notebook's."""

FASTER = (("float64", 80.0), ("float32", 200.0))
"""On two threads glassnet is to be at least so many times as fast as the notebook, by precision."""

NEAR_BOUND = 2.0

Rates = Mapping[str, Sequence[Mapping[str, float]]]
"""For each precision, the issue rates measured in each round."""


def run_benchmark(
    *,
    rounds: int = 7,
    seconds: float = 0.2,
    peers: Iterable[str] | None = None,
    output: str | PathLike[str] | None = None,
    quiet: bool = False,
    n_samples: int = N_SAMPLES,
) -> dict[str, Any]:
    """Time one full-batch iteration of the notebook's job, by every library that is installed.

    Network 2-3-2, logistic and softmax, the summed cross-entropy of `n_samples` samples: gradient,
    update with momentum, loss recorded. First each contestant makes 20 iterations from the same
    start, and its losses are compared with the notebook's; then all are timed in turns.

    Parameters
    ----------
    rounds : how many times everybody's turn comes; the results are medians over them.
    seconds : how long a turn lasts, about.
    peers : names from `PEERS`; None is everybody. The notebook and glassnet always take part.
    output : a folder for ``iteration.json`` and ``iteration.png``, or a path that ends in .json, which
        the chart then stands beside; None writes nothing.
    quiet : print nothing; else progress goes to stderr and the table to stdout.

    Returns the document that is written as JSON. Raises BenchmarkError for a contestant whose losses
    are wrong, InputError and InputTypeError for settings that make no sense, FileError where
    `output` cannot be written.

    >>> from benchmarks import run_benchmark
    >>> document = run_benchmark(rounds=1, seconds=0.001, peers=["numpy"], quiet=True, n_samples=500)
    >>> document["contestants"][0]["name"], document["job"]["samples"]
    ("the notebook's NumPy", 500)

    ``benchmarks/README.md`` tells how it is measured and how the bound is counted.
    """
    check_settings(rounds, seconds, n_samples)
    chosen = choose_peers(peers)
    path = None if output is None else as_path(output, "output")
    if path is not None:
        path = path if path.suffix == ".json" else path / "iteration.json"
        output_folder(path.parent)
    say = choose_say(quiet)
    task = make_notebook_task(n_samples)
    truth: dict[bool, Array] = {}

    def enter(who: Contestant[NotebookTask]) -> Entry:
        if who.one_output not in truth:
            truth[who.one_output] = true_losses(task, who.one_output)
        runner: Runner = who.make(task)
        return Entry(who, runner, check(who, runner, truth[who.one_output]), warm=CHECKED)

    entries, missing = gather(chosen, lambda peer: peer.iteration(), enter, say)
    for entry in entries:
        run_heat(entry, seconds, probe=CHECKED)
    rates: dict[str, list[dict[str, Any]]] = {}
    isa = next((isa for entry in entries if (isa := isa_of(entry))), None)

    def measure() -> None:
        for precision in PRECISIONS:
            if isa is not None:
                rates.setdefault(precision, []).append(measure_rates(isa, precision))

    time_rounds(entries, rounds, seconds, say, measure)
    document = make_document(task, entries, missing, rates, {"rounds": rounds, "seconds": seconds})
    if not quiet:
        print(make_table(document))
    if path is not None:
        write_json(path, document)
        write_chart(path.with_suffix(".png"), draw_chart(document))
        say(f"written: {path} and {path.with_suffix('.png').name}")
    return document


def isa_of(entry: Entry) -> str | None:
    """The instruction set that a contestant of the native engine runs on."""
    return getattr(getattr(entry.runner, "problem", None), "isa", None)


# ---- The check ------------------------------------------------------------------------------------


def true_losses(task: NotebookTask, one_logistic: bool = False, count: int = CHECKED) -> Array:
    """The notebook's losses after 0 to `count` iterations.

    For one logistic output, which takes other steps from the same first loss, the NumPy engine's:
    it is held against the notebook where the two are the same, before the first update.
    """
    notebook = Notebook(task)
    if not one_logistic:
        return np.append(notebook.loss, notebook.work(count))
    losses = train(
        Network((2, 3, 1), output="logistic"),
        task.X,
        task.y,
        optimizer=SGD(task.learning_rate, task.momentum),
        iterations=count,
        reduction="sum",
        parameters=one_output(task.start),
        engine="numpy",
    ).losses
    if abs(losses[0] / notebook.loss - 1) > TOLERANCE["float64"]:
        raise BenchmarkError(f"One logistic output starts at {losses[0]}, the notebook at {notebook.loss}.")
    return losses


def check(who: Contestant[NotebookTask], runner: Runner, truth: Array) -> float:
    """The largest relative difference of the contestant's losses; BenchmarkError where it is too large.

    `truth` are the losses after 0, 1, ... iterations, one more than are compared.
    """
    count = len(truth) - 1
    runner.reset()
    return compare(
        runner.work(count),
        truth[who.first :][:count],
        TOLERANCE[who.precision],
        who=f"{who.title} ({who.version})",
        job="the notebook's iteration",
        first=who.first,
    )


# ---- The document ---------------------------------------------------------------------------------


def make_document(
    task: NotebookTask,
    entries: Sequence[Entry],
    missing: Sequence[tuple[str, str]],
    rates: Rates,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything about a benchmark: job, machine, times, ratios, bound and targets."""
    n, cores = len(task.X), thread_count(None)
    notebook = next(
        entry
        for entry in entries
        if (entry.contestant.peer, entry.contestant.precision) == ("numpy", "float64")
    )
    bounds = {precision: [bound(precision, n, rate) for rate in rates[precision]] for precision in rates}
    rows = []
    for entry in entries:
        precision, threads = entry.contestant.precision, min(entry.contestant.threads, cores)
        least = [b.on(threads) for b in bounds.get(precision, ())]
        rows.append(
            {
                **entry_record(entry),
                "precision": precision,
                "times_faster_than_notebook": ratio(notebook.seconds, entry.seconds),
                "times_the_bound": ratio(entry.seconds, least) if least else None,
                "largest_difference_of_loss": entry.error,
                "iterations_per_slice": entry.count,
            }
        )
    return {
        "format": FORMAT,
        "job": {
            "network": "2-3-2, logistic and softmax",
            "samples": n,
            "iteration": "full-batch gradient, update with momentum, loss recorded",
            "first_loss": Notebook(task).loss,
            "losses_compared": CHECKED,
            "tolerance": TOLERANCE,
        },
        "settings": dict(settings),
        "contestants": rows,
        "missing": missing_records(missing),
        "bound": {
            precision: {
                "instructions_per_vector": asdict(total(precision)),
                "phases": [
                    {"name": p.name, **asdict(p.count), "what_for": p.why} for p in phases(precision)
                ],
                "samples_per_vector": int(rates[precision][0]["lanes"]),
                "ns_per_instruction": {
                    kind: 1e9 * float(np.median([rate[kind] for rate in rates[precision]]))
                    for kind in ("fma", "add", "divide", "mixed")
                },
                "ms_on_one_thread": 1e3 * float(np.median([least.seconds for least in of_rounds])),
                "set_by": of_rounds[-1].limit,
            }
            for precision, of_rounds in bounds.items()
        },
        "targets": judge(rows, n, cores),
        "machine": describe_machine(next((isa for e in entries if (isa := isa_of(e))), None)),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def judge(rows: Sequence[Mapping[str, Any]], n_samples: int, cores: int) -> list[dict[str, Any]]:
    """The targets: what was wanted, what was measured, and whether that holds (None: not measured)."""

    def measured(precision: str, key: str) -> float | None:
        wanted = ("glassnet", precision, 2)
        here = n_samples == N_SAMPLES and cores >= 2
        values = [r[key] for r in rows if here and (r["name"], r["precision"], r["threads"]) == wanted]
        return values[0] if values else None

    def target(claim: str, value: float | None, holds: bool) -> dict[str, Any]:
        return {"claim": claim, "measured": value, "holds": None if value is None else holds}

    targets = []
    for precision, least in FASTER:
        times = measured(precision, "times_faster_than_notebook")
        claim = f"{precision} on two threads: at least {least:g} times the notebook's NumPy"
        targets.append(target(claim, times, times is not None and times >= least))
    times = measured("float64", "times_the_bound")
    claim = f"float64 on two threads: at most {NEAR_BOUND:g} times the bound"
    return [*targets, target(claim, times, times is not None and times <= NEAR_BOUND)]


def make_table(document: Mapping[str, Any]) -> str:
    """The document for a terminal: a line for each contestant, the bound, the targets, the machine."""
    lines = [("contestant", "version", "precision", "threads", "ms / iteration", "x notebook", "x bound")]
    lines += [
        (
            row["name"],
            row["version"],
            row["precision"],
            str(row["threads"]),
            f"{row['ms']:.4g}",
            f"{row['times_faster_than_notebook']:.3g}",
            "" if row["times_the_bound"] is None else f"{row['times_the_bound']:.3g}",
        )
        for row in document["contestants"]
    ]
    cores = document["machine"]["cores_allowed"]
    for precision, limit in document["bound"].items():
        for threads in sorted({1, min(2, cores), cores}):
            ms = f"{limit['ms_on_one_thread'] / threads:.4g}"
            lines.append(("bound", limit["set_by"], precision, str(threads), ms, "", "1"))
    job, settings = document["job"], document["settings"]
    targets = [
        f"{outcome(target['holds'])} {target['claim']}"
        + ("" if target["measured"] is None else f": {target['measured']:.3g}")
        for target in document["targets"]
    ]
    samples = (
        f"{job['samples']:,} samples, medians of {settings['rounds']} rounds with slices of "
        f"{settings['seconds']:g} s; every loss agrees with the notebook's over {CHECKED} iterations."
    )
    ends = ["", *targets, "", samples, machine_line(document["machine"])]
    return "\n".join([*columns(lines, 3), "", *comments(document), *ends])


# ---- The chart ------------------------------------------------------------------------------------


def draw_chart(document: Mapping[str, Any]) -> Figure:
    """Milliseconds per iteration, slowest first, by precision, the bound as a mark."""
    rows = document["contestants"]
    rows_of = {
        precision: sorted(
            (row for row in rows if row["precision"] == precision), key=lambda row: -row["ms"]
        )
        for precision in ("float64", "float32")
    }
    figure = new_figure(9.2, 1.9 + 0.29 * (len(rows) + 2 * len(rows_of)))
    axes = flat_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.set_xscale("log")
    y, ticks, labels = 0.0, [], []
    least = min(row["ms"] for row in rows)
    most = max(row["ms"] for row in rows)
    for precision, members in rows_of.items():
        bold: dict[str, Any] = {"fontsize": None, "fontweight": "bold", "annotation_clip": False}
        label(axes, precision, (0, y), (-8, 0), xycoords=("axes fraction", "data"), ha="right", **bold)
        limit = document["bound"].get(precision)
        for row in members:
            y += 1
            ticks.append(y)
            labels.append(plain(row_title(row)))
            ours = row["name"] == "glassnet"
            axes.barh(y, row["ms"], height=0.72, color=OURS if ours else OTHERS, alpha=0.9)
            ms = f"{row['ms']:.2f}" if row["ms"] >= 1 else f"{row['ms']:.3f}"
            label(axes, f"{ms} ms   {row['times_faster_than_notebook']:.3g} x", (row["ms"], y), (5, 0))
            if ours and limit:
                bound = limit["ms_on_one_thread"] / min(
                    row["threads"], document["machine"]["cores_allowed"]
                )
                least = min(least, bound)
                axes.plot(
                    [bound, bound], [y - 0.45, y + 0.45], color=INK, linewidth=2, solid_capstyle="butt"
                )
        y += 1.8
    axes.set_yticks(ticks, labels)
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set_ylim(y - 1, -0.8)
    axes.set_xlim(least / 2.5, most * 6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    set_axis_labels(axes, "milliseconds per iteration (logarithmic)")
    _legend(axes, bool(document["bound"]))
    machine = document["machine"]
    set_heading(
        figure,
        "One full-batch iteration of the notebook's job",
        [
            f"2-3-2 network, {document['job']['samples']:,} samples",
            "x: times as fast as the notebook's NumPy in float64",
            f"medians of {document['settings']['rounds']} rounds",
            str(machine["instruction_set"] or "no native engine"),
        ],
        machine,
    )
    return figure


def _legend(axes: Any, bound: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=OURS), Patch(color=OTHERS)]
    names = ["glassnet's native engine", "others"]
    if bound:
        handles.append(
            Line2D(
                [], [], color=INK, linewidth=2, marker="|", linestyle="", markersize=11, markeredgewidth=2
            )
        )
        names.append("bound: arithmetic alone")
    axes.legend(
        handles, names, frameon=False, fontsize=9, loc="lower right", labelcolor=INK, edgecolor=FAINT
    )
