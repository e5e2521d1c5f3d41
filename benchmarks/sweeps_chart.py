"""What a network's iteration takes in a sweep, by everybody, as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassnet.plots.style import FAINT, INK, OKABE_ITO, new_figure, readable, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_sweeps(document: Mapping[str, Any]) -> Figure:
    """Two panels of bars, logarithmic, with how many times glassnet's each is."""
    figure = new_figure(8.4, 4.4)
    for i, part in enumerate(("grid", "many")):
        axes = figure.add_subplot(2, 1, i + 1)
        rows = list(reversed(document[part]["contestants"]))
        values = [1e6 * row["seconds"] for row in rows]
        colors = [OKABE_ITO[0] if row["name"] == "glassnet" else "#9A9A9A" for row in rows]
        axes.barh(range(len(rows)), values, color=colors, height=0.62)
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 3, max(values) * 12)
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=9, color=INK)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        for at, (value, row) in enumerate(zip(values, rows, strict=True)):
            times = "" if row["name"] == "glassnet" else f", {row['times_glassnet']:.3g} x glassnet"
            axes.text(value * 1.1, at, f"{readable(value)} µs{times}", va="center", fontsize=8.5, color=INK)
        axes.set_title(
            f"{document[part]['job']}: {document[part]['seconds']:.3g} s",
            loc="left",
            fontsize=9.5,
            color=INK,
        )
        axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=8.5)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.supxlabel("microseconds for one iteration of one network (logarithmic)", fontsize=9.5, color=INK)
    machine = document["machine"]
    set_title(
        figure,
        "Many networks at once",
        ["float64, all losses compared first", f"{machine['processor']}, {machine['cores_allowed']} cores"],
    )
    return figure
