"""What a walk-forward search found, fold by fold, and how long it takes whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.walk_forward import BEST, duration
from glassnet.plots.style import FAINT, GRID, INK, OKABE_ITO, flat_axes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36_000: "10 h"}


def draw_walk_forward(document: Mapping[str, Any]) -> Figure:
    """Left the daily rank correlation of every setting on each fold, right the time, logarithmic."""
    figure = new_figure(10.5, 4.8)
    machine = document["machine"]
    set_title(
        figure,
        "A search over walk-forward folds, and the average of its best",
        [document["job"], f"{machine['processor']}, {machine['cores_allowed']} cores"],
    )
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.35, 1))
    left, right = halves
    _draw_folds(flat_axes(left), document)
    _draw_times(flat_axes(right, grid=False), document)
    return figure


def _draw_folds(axes: Any, document: Mapping[str, Any]) -> None:
    settings, found = document["settings"], document["averaged"]
    at = np.arange(1, len(document["folds"]) + 1)
    for row in settings:
        (others,) = axes.plot(at, row["of_folds"], color=GRID, linewidth=1.2)
    (best,) = axes.plot(at, settings[0]["of_folds"], color=OKABE_ITO[0], linewidth=1.6, marker="o", ms=4)
    (mean,) = axes.plot(at, found["known"], color=OKABE_ITO[1], linewidth=2, marker="s", ms=4)
    (chosen,) = axes.plot(
        at[1:], found["chosen"], "--", color=OKABE_ITO[2], linewidth=1.6, marker="^", ms=4
    )
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set_xticks(at)
    axes.set_xlabel("fold", color=INK, fontsize=10)
    axes.set_ylabel("daily rank correlation, days ahead", color=INK, fontsize=10)
    axes.legend(
        [mean, chosen, best, others],
        [
            f"mean prediction of the best {BEST}: {np.mean(found['known']):.4f}",
            f"of the best {BEST} on the folds before: {np.mean(found['chosen']):.4f}",
            f"the best setting: {settings[0]['mean']:.4f}",
            f"each of the {len(settings)} settings",
        ],
        fontsize=8.5,
        labelcolor=INK,
        edgecolor="none",
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=2,
    )


def _draw_times(axes: Any, document: Mapping[str, Any]) -> None:
    rows = [("glassnet, measured", document["seconds"], OKABE_ITO[1])]
    rows += [
        (f"{row['name']}, at its rate", row["seconds"], OKABE_ITO[0])
        for row in sorted(document["peers"]["estimates"], key=lambda row: row["seconds"])
    ]
    if document["reported_hours"] is not None:
        rows.append(("reported, another machine", 3600 * document["reported_hours"], FAINT))
    names, seconds, colors = zip(*reversed(rows), strict=True)
    axes.barh(np.arange(len(rows)), seconds, color=colors, height=0.6)
    axes.set_xscale("log")
    axes.set_xlim(min(seconds) / 3, max(seconds) * 6)
    for i, value in enumerate(seconds):
        axes.annotate(
            duration(value),
            (value, i),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks(np.arange(len(rows)), names)
    shown = {at: words for at, words in TICKS.items() if min(seconds) / 3 <= at <= max(seconds) * 6}
    axes.set_xticks(list(shown), list(shown.values()))
    axes.set_xticks([], minor=True)
    axes.set_xlabel("the whole search (logarithmic)", color=INK, fontsize=10)
