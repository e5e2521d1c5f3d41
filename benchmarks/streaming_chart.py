"""The memory that training on streams takes, and how near it is to bare reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassnet.plots.style import FAINT, GRID, INK, OKABE_ITO, flat_axes, new_figure, set_title
from glassnet.utils.memory import size_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"parquet": "Parquet", "mapped": "mapped array"}


def draw_streaming(document: Mapping[str, Any]) -> Figure:
    """Left the resident memory over time below its limit, right the bytes per second of each job."""
    figure = new_figure(11.5, 5)
    machine = document["machine"]
    set_title(
        figure,
        "Training on data that do not fit",
        [document["job"], f"{machine['processor']}, {machine['cores_allowed']} cores"],
    )
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.25))
    left, right = halves
    _draw_memory(flat_axes(left), document)
    _draw_speed(flat_axes(right, grid=False), document["speed"])
    return figure


def _draw_memory(axes: Any, document: Mapping[str, Any]) -> None:
    limit = document["memory"]
    for row, color in zip(document["peaks"], OKABE_ITO, strict=False):
        seconds, taken = zip(*row["curve"], strict=True)
        name = f"{NAMES[row['source']]}, {size_text(row['peak'])} at most"
        axes.plot(seconds, [amount / 2**20 for amount in taken], color=color, linewidth=1.2, label=name)
        axes.axvline(row["batches_from"], color=color, linewidth=0.8, linestyle=":")
    axes.axhline(limit / 2**20, color=INK, linewidth=1.2, linestyle="--")
    axes.annotate(
        f"told to stay within {size_text(limit)}", (0.02, limit / 2**20), (0, 4), color=INK, fontsize=9,
        xycoords=("axes fraction", "data"), textcoords="offset points",
    )  # fmt: skip
    axes.set_ylim(0, limit / 2**20 * 1.25)
    axes.set_xlabel("seconds; dotted: the full batch ends, batches begin", color=INK, fontsize=10)
    axes.set_ylabel("resident memory over the start, MiB", color=INK, fontsize=10)
    axes.legend(fontsize=8.5, labelcolor=INK, edgecolor="none", loc="upper right")


def _draw_speed(axes: Any, speed: Mapping[str, Any]) -> None:
    found = speed["bytes_per_second"]
    groups = {
        source: [name for name in found if name.startswith(source)] for source in [*NAMES, "in memory"]
    }
    place, labels = 0.0, []
    for color, names in zip((*OKABE_ITO[:2], FAINT), groups.values(), strict=True):
        for name in names:
            axes.barh(place, found[name] / 1e9, color=GRID if "bare" in name else color, height=0.75)
            axes.annotate(
                f"{found[name] / 1e9:.2g}", (found[name] / 1e9, place), (3, 0), va="center", color=INK,
                fontsize=8.5, textcoords="offset points",
            )  # fmt: skip
            labels.append((place, name))
            place += 1
        place += 0.6
    axes.set_yticks([at for at, _ in labels], [name for _, name in labels], fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlim(0, max(found.values()) / 1e9 * 1.1)
    axes.set_xlabel("GB of rows per second; gray: bare reading", color=INK, fontsize=10)
