"""The cost over width and over samples as curves, with the bound below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.workloads.chart import LOOKS, legend_below
from glassnet.plots.style import FAINT, INK, flat_axes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_scaling(
    document: Mapping[str, Any],
    part: str,
    x: str,
    value: str,
    bound: str,
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """A curve for each library's best and a dashed one for the bound, both axes logarithmic."""
    from matplotlib.lines import Line2D

    rows = document[part]["rows"]
    figure = new_figure(7.6, 5.2)
    axes = flat_axes(figure)
    axes.set_xscale("log", base=2 if part == "widths" else 10)
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
    points = [(row[x], row[bound]) for row in rows if row[bound] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), "--", color=FAINT, linewidth=1.4)
        handles.append(Line2D([], [], color=FAINT, linestyle="--"))
        names.append("bound: arithmetic alone")
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:,.0f}")
    axes.yaxis.set_major_formatter(lambda number, _: f"{number:g}")
    axes.set_xlabel(xlabel, color=INK, fontsize=10)
    axes.set_ylabel(ylabel, color=INK, fontsize=10)
    machine = document["machine"]
    set_title(
        figure,
        title,
        [document[part]["job"], f"{machine['processor']}, {machine['cores_allowed']} cores"],
    )
    legend_below(figure, handles, names)
    return figure


def draw_widths(document: Mapping[str, Any]) -> Figure:
    """Microseconds per sample over the width."""
    return draw_scaling(
        document,
        "widths",
        "width",
        "us",
        "bound_us",
        "width of both hidden layers",
        "microseconds per sample, forward and back",
        "What a sample costs",
    )


def draw_samples(document: Mapping[str, Any]) -> Figure:
    """Milliseconds per iteration over the samples."""
    return draw_scaling(
        document,
        "samples",
        "samples",
        "ms",
        "bound_ms",
        "samples",
        "milliseconds per iteration",
        "What a full-batch iteration costs",
    )
