"""How the cost grows: with the width of the layers, and with the number of samples."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.bound import bound, bound_of, dense, measure_rates
from benchmarks.charts import LOOKS, legend_below, set_axis_labels, set_heading
from benchmarks.contest import Contestant, Runner, UnavailableError
from benchmarks.jobs.iteration import CHECKED, check, true_losses
from benchmarks.jobs.options import Options
from benchmarks.jobs.workloads import time_workload
from benchmarks.record import FORMAT, fastest
from benchmarks.tasks import NotebookTask, Task, Workload, make_notebook_task
from benchmarks.timing import SETTLE
from benchmarks.workloads import made_up
from glassnet import native
from glassnet.plots.style import FAINT, flat_axes, new_figure
from glassnet.utils.threads import thread_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
INPUTS, BATCH, PRECISION = 20, 256, "float32"

SAMPLES = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SAMPLES_PRECISION = "float64"

CURVES = {
    "widths": ("width", "us", "bound_us", "us per sample"),
    "samples": ("samples", "ms", "bound_ms", "ms per iteration"),
}
"""The keys of each curve's x, its values and its bound in the document, and the unit."""

_SLOW = (", foreach", ", eager, fused, slices", "PyTorch, compiled, slices", "JAX, jitted, slices")
"""Ways that win nowhere by much, left out to save compiling them for every width."""


def _is_fast(who: Contestant[Task]) -> bool:
    return not any(way in who.name for way in _SLOW)


def width_workload(width: int, samples: int | None = None) -> Workload:
    """Mini-batches through two hidden layers of a width; fewer samples where a pass is long."""
    count = samples or (20_480 if width <= 128 else 2_560)
    sizes = (INPUTS, width, width, 2)
    name, data = f"width-{width}", made_up(INPUTS, 2)
    return Workload(name, "training", sizes, "relu", "softmax", count, BATCH, (PRECISION,), data, ())


def over_widths(
    widths: Sequence[int], options: Options, samples: int | None = None
) -> list[dict[str, Any]]:
    """Microseconds that a sample takes, forward and back, for each width and contestant, and the bound."""
    rows = []
    for width in widths:
        workload = width_workload(width, samples)
        options.say(f"width {width}")
        result = time_workload(workload, PRECISION, options, _is_fast)
        us_of_sample = 1e3 / workload.n_samples
        rows.append(
            {
                "width": width,
                "samples": workload.n_samples,
                "us": fastest((row["peer"], row["ms"] * us_of_sample) for row in result["contestants"]),
                "bound_us": _bound_us(workload),
                "contestants": result["contestants"],
            }
        )
    return rows


def _rates(precision: str) -> dict[str, Any] | None:
    if native.module is None:
        return None
    return measure_rates(native.module.isas()[0], precision)


def _bound_us(workload: Workload) -> float | None:
    """The arithmetic of a sample's pass on all cores; the update is not counted."""
    rates = _rates(PRECISION)
    if rates is None:
        return None
    seconds = bound_of(dense(workload.sizes, PRECISION), workload.n_samples, rates).on(thread_count(None))
    return 1e6 * seconds / workload.n_samples


def _takes_part(who: Contestant[NotebookTask]) -> bool:
    return who.precision == SAMPLES_PRECISION and "parts" not in who.name and "NumPy engine" not in who.name


def over_samples(counts: Sequence[int], options: Options) -> list[dict[str, Any]]:
    """Milliseconds of one full-batch iteration of the notebook's network, for each number of samples.

    The rate falls with the samples, or the sum's gradient would take steps that are too large.
    """
    rows = []
    for count in counts:
        task = make_notebook_task(count)
        task = replace(task, learning_rate=task.learning_rate * min(1.0, 50_000 / count))
        options.say(f"{count:,} samples")
        times = _times_of_samples(task, CHECKED if count <= 1_000_000 else 2, options)
        rates = _rates(SAMPLES_PRECISION)
        least = None if rates is None else bound(SAMPLES_PRECISION, count, rates).on(thread_count(None))
        rows.append(
            {
                "samples": count,
                "ms": fastest((peer, 1e3 * seconds) for peer, seconds in times),
                "bound_ms": None if least is None else 1e3 * least,
            }
        )
    return rows


def _times_of_samples(task: NotebookTask, checked: int, options: Options) -> list[tuple[str, float]]:
    """Seconds of an iteration with the name of the peer; each runner is dropped before the next is made."""
    truth: dict[bool, Any] = {}
    times = []
    for peer in options.peers:
        if peer.why_missing() is not None:
            continue
        for who in filter(_takes_part, peer.iteration()):
            if who.one_output not in truth:
                truth[who.one_output] = true_losses(task, who.one_output, checked)
            try:
                runner = who.make(task)
            except UnavailableError:
                continue
            check(who, runner, truth[who.one_output])
            times.append((peer.name, _seconds(runner, options.rounds, options.seconds)))
            options.say(f"  {who.title}: {1e3 * times[-1][1]:.4g} ms")
            del runner
    return times


def _seconds(runner: Runner, rounds: int, seconds: float) -> float:
    """The median over rounds of an iteration's seconds.

    One after the other, not in turns: at the largest size the data of all do not fit at once.
    """
    count = max(1, round(seconds / runner.seconds(1)))
    times = []
    for _ in range(rounds):
        time.sleep(min(SETTLE, seconds))
        times.append(runner.seconds(count))
        count = max(1, round(seconds / times[-1]))
    return float(np.median(times))


def measure_scaling(options: Options) -> dict[str, Any]:
    """Both curves; a quick look takes the smallest sizes only."""
    quick = options.quick
    return {
        "format": FORMAT,
        "settings": {"rounds": options.rounds, "seconds": options.seconds, "quick": quick},
        "widths": {
            "job": f"{INPUTS}-w-w-2 relu, batch {BATCH}, Adam, {PRECISION}",
            "rows": over_widths(WIDTHS[:2] if quick else WIDTHS, options, 600 if quick else None),
        },
        "samples": {
            "job": f"2-3-2 logistic, full batch with momentum, {SAMPLES_PRECISION}",
            "rows": over_samples(SAMPLES[:3] if quick else SAMPLES, options),
        },
    }


def scaling_table(record: Mapping[str, Any]) -> str:
    """Both curves for a terminal."""
    lines = []
    for curve, (x, value, bound_key, unit) in CURVES.items():
        lines.append(f"scaling: {record[curve]['job']}, {unit}")
        for row in record[curve]["rows"]:
            cells = [f"{name} {number:.4g}" for name, number in row[value].items()]
            cells += [f"bound {row[bound_key]:.4g}"] if row[bound_key] is not None else []
            lines.append(f"  {row[x]:>10,}  {', '.join(cells)}")
    return "\n".join(lines)


# ---- The chart ------------------------------------------------------------------------------------


def draw_scaling(document: Mapping[str, Any], curve: str, xlabel: str, ylabel: str, title: str) -> Figure:
    """A curve for each library's best and a dashed one for the bound, both axes logarithmic."""
    from matplotlib.lines import Line2D

    x, value, bound_key, _ = CURVES[curve]
    rows = document[curve]["rows"]
    figure = new_figure(7.6, 5.2)
    axes = flat_axes(figure)
    axes.set_xscale("log", base=2 if curve == "widths" else 10)
    axes.set_yscale("log")
    handles: list[Any] = []
    names = []
    for peer, (name, color, marker) in LOOKS.items():
        points = [(row[x], row[value][peer]) for row in rows if peer in row[value]]
        if points:
            ours = peer == "glassnet"
            (line,) = axes.plot(
                *zip(*points, strict=True),
                marker=marker,
                color=color,
                linewidth=2.2 if ours else 1.4,
                markersize=6,
                zorder=4 if ours else 3,
            )
            handles.append(line)
            names.append(name)
    points = [(row[x], row[bound_key]) for row in rows if row[bound_key] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), "--", color=FAINT, linewidth=1.4)
        handles.append(Line2D([], [], color=FAINT, linestyle="--"))
        names.append("bound: arithmetic alone")
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:,.0f}")
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:g}")
    set_axis_labels(axes, xlabel, ylabel)
    set_heading(figure, title, [document[curve]["job"]], document["machine"])
    legend_below(figure, handles, names)
    return figure


def draw_widths(document: Mapping[str, Any]) -> Figure:
    """Microseconds per sample over the width."""
    xlabel, ylabel = "width of both hidden layers", "microseconds per sample, forward and back"
    return draw_scaling(document, "widths", xlabel, ylabel, "What a sample costs")


def draw_samples(document: Mapping[str, Any]) -> Figure:
    """Milliseconds per iteration over the samples."""
    title = "What a full-batch iteration costs"
    return draw_scaling(document, "samples", "samples", "milliseconds per iteration", title)
