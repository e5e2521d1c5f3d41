"""The workloads as a picture: everybody's best time, and how fast glassnet has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.workloads.record import duration
from glassnet.plots.style import GRID, INK, OKABE_ITO, flat_axes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKS = {
    "glassnet": ("glassnet", OKABE_ITO[1], "o"),
    "torch": ("PyTorch", OKABE_ITO[0], "s"),
    "jax": ("JAX", OKABE_ITO[2], "D"),
    "scikit-learn": ("scikit-learn", OKABE_ITO[4], "^"),
    "numpy": ("NumPy", OKABE_ITO[7], "v"),
}
"""Name, color and marker of each peer, here and in the charts of scaling."""


def fastest(result: Mapping[str, Any]) -> dict[str, float]:
    """The least milliseconds of each peer that has a look."""
    found: dict[str, float] = {}
    for row in (row for row in result["contestants"] if row["peer"] in LOOKS):
        found[row["peer"]] = min(row["ms"], found.get(row["peer"], row["ms"]))
    return found


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
        best = fastest(result)
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
            axes.annotate(
                duration(best["glassnet"]),
                (min([best["glassnet"], *goals]), y),  # left of both marks
                xytext=(-9, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
                color=INK,
            )
    axes.set_yticks(range(len(lines)), labels)
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.set_ylim(len(lines) - 0.4, -0.7)
    left, right = axes.get_xlim()
    axes.set_xlim(left / 2.5, right)  # room for the leftmost time
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("milliseconds (logarithmic), the best of each library", color=INK, fontsize=10)
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
    machine = document["machine"]
    set_title(
        figure,
        "Small networks, the same work in every library",
        [f"{machine['processor']}, {machine['cores_allowed']} cores", "medians of rounds"],
    )
    legend_below(figure, handles, names)
    return figure


def legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """A legend under the axes, in up to two lines; it comes after the heading."""
    columns = len(names) if len(names) <= 4 else (len(names) + 1) // 2
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9, labelcolor=INK
    )
