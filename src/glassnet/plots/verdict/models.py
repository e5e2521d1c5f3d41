"""The network's scores beside those of simpler models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassnet.diagnostics.verdict.measures import MEASURES
from glassnet.diagnostics.verdict.record import Verdict, write
from glassnet.plots import style
from glassnet.plots.predictions import head
from glassnet.utils.words import counted, percent, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def models(verdict: Verdict, *, title: str = "Beside simpler models") -> Figure:
    """Draw the held-out scores of a verdict with their intervals, a panel for each score.

    Parameters
    ----------
    verdict : as `glassnet.diagnostics.verdict.judge` gives it.

    Raises MissingLibraryError where matplotlib is not installed.
    """
    names = [entry.name for entry in verdict.entries]
    scores = verdict.scores
    figure = style.new_figure(0.9 + 2.75 * len(scores), 1.5 + 0.38 * len(names))
    grid = figure.add_gridspec(1, len(scores))
    places = np.arange(len(names))
    for number, score in enumerate(scores):
        paper = style.flat_axes(figure, place=[grid[0, number]])
        for place, entry in enumerate(verdict.entries):
            found = entry.score(score)
            color = style.OKABE_ITO[1] if place == 0 else style.OKABE_ITO[0]
            if found.value is None:
                continue
            if found.low is not None and found.high is not None:
                paper.plot([found.low, found.high], [place, place], color=color, linewidth=1.6)
            paper.plot([found.value], [place], "o", color=color, markersize=6)
            look = {"ha": "center", "va": "bottom", "fontsize": 8}
            style.write(paper, (found.value, place), write(score, found.value), (0, 5), **look)
        paper.set_yticks(places, [plain(name) for name in names] if number == 0 else [""] * len(names))
        paper.set_ylim(len(names) - 0.5, -0.75)
        paper.margins(x=0.18)
        paper.locator_params(axis="x", nbins=4)
        if MEASURES[score].kind == "share":
            style.label_ticks(paper.xaxis, percent)
        else:
            style.label_ticks(paper.xaxis)
        unit = f" ({plain(verdict.target)})" if MEASURES[score].kind == "unit" else ""
        paper.set_xlabel(f"{score}{unit}", color=style.INK, fontsize=10)
        head(paper, "more is better" if MEASURES[score].more else "less is better")
    rows = counted(verdict.n_judged, "held-out row")
    style.set_title(figure, title, [f"on {rows}; lines hold 95 % of draws of the rows"])
    return figure
