"""The benchmark as a picture: a bar for each contestant, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassnet.plots.style import FAINT, INK, OKABE_ITO, flat_axes, new_figure, plain, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, OTHERS = OKABE_ITO[1], OKABE_ITO[0]


def draw_chart(document: Mapping[str, Any]) -> Figure:
    """Milliseconds per iteration, slowest first, a group for each precision, the bound as a mark."""
    rows = document["contestants"]
    groups = {
        precision: sorted(
            (row for row in rows if row["precision"] == precision), key=lambda row: -row["ms"]
        )
        for precision in ("float64", "float32")
    }
    figure = new_figure(9.2, 1.9 + 0.29 * (len(rows) + 2 * len(groups)))
    axes = flat_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.set_xscale("log")
    y, ticks, labels = 0.0, [], []
    least = min(row["ms"] for row in rows)
    most = max(row["ms"] for row in rows)
    for precision, members in groups.items():
        axes.annotate(
            precision,
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontweight="bold",
            color=INK,
            annotation_clip=False,
        )
        found = document["bound"].get(precision)
        for row in members:
            y += 1
            ticks.append(y)
            count = row["threads"]
            labels.append(plain(f"{row['name']}, {count} thread{'s' if count > 1 else ''}"))
            ours = row["name"] == "glassnet"
            axes.barh(y, row["ms"], height=0.72, color=OURS if ours else OTHERS, alpha=0.9)
            axes.annotate(
                f"{_milliseconds(row['ms'])} ms   {row['times_faster_than_notebook']:.3g} x",
                (row["ms"], y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=INK,
            )
            if ours and found:
                bound = found["ms_on_one_thread"] / min(count, document["machine"]["cores_allowed"])
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
    axes.set_xlabel("milliseconds per iteration (logarithmic)", color=INK, fontsize=10)
    _legend(axes, bool(document["bound"]))
    machine = document["machine"]
    set_title(
        figure,
        "One full-batch iteration of the notebook's job",
        [
            f"2-3-2 network, {document['job']['samples']:,} samples",
            "x: times as fast as the notebook's NumPy in float64",
            f"medians of {document['settings']['rounds']} rounds",
            f"{machine['processor']}, {machine['cores_allowed']} cores",
            str(machine["instruction_set"] or "no native engine"),
        ],
    )
    return figure


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


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
