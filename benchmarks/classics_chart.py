"""The classics: the time of every start that arrived, for each way, and the share of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.plots.style import FAINT, GRID, INK, OKABE_ITO, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
            color = OKABE_ITO[0] if "'s" not in way["name"] else FAINT
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
