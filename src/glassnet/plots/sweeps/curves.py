"""The picture of every loss curve of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.model_selection import SweepCell, SweepResult, identity_here
from glassnet.plots import style
from glassnet.plots.loss_curve import loss_words, unit_of
from glassnet.plots.sweeps.words import (
    LEAST,
    check_result,
    key_of,
    spread_over,
    summary_of,
    texts_of,
    units_of,
    varied,
    words_of,
)
from glassnet.utils.libraries import require
from glassnet.utils.words import tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
Looks = dict[tuple[str, ...], dict[str, Any]]
"""The look of the curve for each combination of settings."""

_MOST_PANELS = 12
_MOST_NAMES = 10


def sweep_losses(result: SweepResult, *, panels: str | None = None, title: str = "Loss curves") -> Figure:
    """Draw every loss curve of a sweep, on logarithmic axes: a panel for each value of one setting.

    Colors and dashes show the values of the other settings. Where a loss jumps up and down, the line is its
    median and the band its range over short intervals. A curve that leaves through the top, with a cross,
    is a network that diverged.

    Parameters
    ----------
    panels : the setting with a panel for each value; None takes the one with the fewest values, or one
        panel for a single setting.

    Raises InputError for an unknown setting, and MissingLibraryError where matplotlib is missing.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5, 0.9]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> [axes.get_title(loc="left") for axes in gn.plots.sweep_losses(result).axes]
    ['learning rate 0.1', 'learning rate 1']
    """
    check_result(result, [panels])
    changing = varied(result)
    if panels is None and len(changing) > 1:
        panels = min(changing, key=lambda name: len(result.grid[name]))
    values = spread_over(result.grid[panels], _MOST_PANELS) if panels else [None]
    others = [name for name in changing if name != panels]
    keys = list(dict.fromkeys(key_of(cell, others) for cell in result.cells))
    looks = dict(zip(keys, _looks(len(keys)), strict=True))
    columns = min(len(values), 3)
    rows = -(-len(values) // columns)
    panel_width, panel_height = (2.9, 2.5) if columns > 1 else (5.6, 3.6)
    figure: Any = style.new_figure(1.9 + panel_width * columns, 1.3 + panel_height * rows)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    span = _loss_span(result)
    first: Any = None
    bands = False
    for i, value in enumerate(values):
        place, shared = (rows, columns, i + 1), {"sharex": first, "sharey": first}
        paper = style.flat_axes(figure, place=place, shared=shared, labelsize=8.5, length=3)
        first = first or paper
        key = (identity_here(value),)
        cells = [cell for cell in result.cells if panels is None or key_of(cell, [panels]) == key]
        bands |= _draw_curves(paper, cells, others, looks, span)
        if panels is not None:
            name = texts_of(result.grid[panels])[identity_here(value)]
            paper.set_title(f"{words_of(panels)} {name}", loc="left", fontsize=10, color=style.INK)
        _set_scales(paper, result, span)
        paper.tick_params(labelbottom=i + columns >= len(values), labelleft=i % columns == 0)
    figure.supxlabel(units_of(result), fontsize=10, color=style.INK)
    figure.supylabel(loss_words(result.cells[0].trained), fontsize=10, color=style.INK)
    notes = [summary_of(result)]
    if panels and len(values) < len(result.grid[panels]):
        notes.append(f"{len(values)} of {len(result.grid[panels])} values of {words_of(panels)} shown")
    named = _named(result, looks, others)
    if len(others) > 1 and len(named) < len(looks):
        notes.append(f"named: the {len(named)} best of {len(looks)}")
    style.set_title(figure, title, notes)
    _set_curve_legend(figure, result, {key: looks[key] for key in named}, others, bands)
    return figure


def _draw_curves(
    paper: Any, cells: Sequence[SweepCell], others: Sequence[str], looks: Looks, span: tuple[float, float]
) -> bool:
    """Draw the curves of a panel; return whether one has a band about it, since its loss also rises."""
    bands = False
    for cell in cells:
        look = looks[key_of(cell, others)]
        iterations, losses = cell.curve(None)
        losses = losses if span[0] < 0 else np.maximum(losses, LEAST)
        at, low, middle, high = _intervals(iterations, losses)
        # A falling loss begins every interval below the end of the one before.
        rises = (high[1:] > 1.02 * high[:-1]) & (high[1:] > 1.02 * low[1:]) & (low[1:] > LEAST)
        bands |= bool(rises.any())
        paper.fill_between(at, low, high, color=look["color"], alpha=0.16, linewidth=0)
        if cell.trained.diverged_at is not None:
            at, middle = np.append(at, cell.trained.diverged_at), np.append(middle, span[1])
            end = {"marker": "X", "markersize": 9, "markeredgecolor": "white", "clip_on": False}
            paper.plot(at[-1], middle[-1], color=look["color"], zorder=5, **end)
        paper.plot(at, middle, linewidth=1.3, **look)
    diverged = [cell.trained.diverged_at for cell in cells if cell.trained.diverged_at is not None]
    if diverged:
        first, last = min(diverged), max(diverged)
        unit = unit_of(cells[0].trained)
        where = f"at {unit} {first:,}" if first == last else f"at {unit}s {first:,} to {last:,}"
        place = {"xycoords": "axes fraction", "va": "bottom", "fontsize": 8.5}
        text = f"{len(diverged)} of {len(cells)} diverged {where}"
        style.write(paper, (0.04, 0.05), text, back=(1.5, 0.85), **place)
    return bands


def _intervals(
    iterations: NDArray[np.intp], losses: NDArray[np.float64]
) -> tuple[Array, Array, Array, Array]:
    """Place, smallest, median and largest loss of intervals that look equally long on the logarithmic axis.

    Early intervals hold one loss each; the first and the last loss always have their own.
    """
    if not len(losses):
        return (np.empty(0),) * 4
    last = int(iterations[-1])
    edges = np.unique(np.geomspace(1, max(last, 1), 200).astype(np.intp))
    rows = [(float(iterations[0]), losses[0], losses[0], losses[0])]
    for start, stop in pairwise(edges):
        inside = losses[slice(*np.searchsorted(iterations, (start, stop)))]
        if not len(inside):
            continue
        middle = start if stop == start + 1 else np.sqrt(start * stop)
        rows.append((middle, inside.min(), np.median(inside), inside.max()))
    rows.append((last, losses[-1], losses[-1], losses[-1]))
    at, low, middle, high = np.array(rows).T
    return at, low, middle, high


def _set_scales(paper: Any, result: SweepResult, span: tuple[float, float]) -> None:
    """Scale iterations logarithmically from 1 on, because early changes are quick, and positive losses."""
    ticker = require("matplotlib.ticker")
    paper.set_xscale("symlog", linthresh=1, linscale=0.25)
    paper.set_xlim(-0.15, result.iterations * 1.25)
    powers = 10.0 ** np.arange(0, int(np.log10(result.iterations)) + 1)
    paper.xaxis.set_major_locator(ticker.FixedLocator([0, *powers[:: 1 + len(powers) // 6]]))
    paper.xaxis.set_minor_locator(ticker.NullLocator())
    style.label_ticks(paper.xaxis, "{:,.0f}".format)
    if span[0] > 0:
        paper.set_yscale("log")
        paper.yaxis.set_minor_formatter(ticker.NullFormatter())
    paper.set_ylim(*span)
    style.label_ticks(paper.yaxis)


def _loss_span(result: SweepResult) -> tuple[float, float]:
    """The limits of the loss axis; a logarithmic axis has at least two powers of 10 within them."""
    histories = [losses for cell in result.cells if len(losses := cell.trained.losses)]
    low = min((float(losses.min()) for losses in histories), default=1.0)
    high = max((float(losses.max()) for losses in histories), default=1.0)
    if low < 0:
        margin = 0.06 * (high - low) or 1.0
        return low - margin, high + 2 * margin
    low, high = max(low, LEAST), max(high, LEAST)
    margin = max(0.06 * np.log10(high / low), 0.15)
    bottom, top = np.log10(low) - margin, np.log10(high) + 2 * margin
    if np.floor(top) - np.ceil(bottom) < 1:  # fewer than two ticks, which lie at powers of 10
        bottom, top = np.floor(bottom), np.ceil(top)
    return float(10**bottom), float(10**top)


def _looks(count: int) -> list[dict[str, Any]]:
    """Colors in the order of the values, from dark to light, and four dashes in turn."""
    cmap, colors = require("matplotlib").colormaps[style.VALUES], require("matplotlib.colors")
    dashes: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
    shades = np.linspace(0, 0.88, count) if count > 1 else [0.0]
    return [
        {"color": colors.to_hex(cmap(shade)), "linestyle": dashes[i % len(dashes)]}
        for i, shade in enumerate(shades)
    ]


def _named(result: SweepResult, looks: Looks, others: Sequence[str]) -> list[tuple[str, ...]]:
    """The keys that fit into the legend: evenly spaced values of one setting, or the best of several."""
    if len(others) < 2 or len(looks) <= _MOST_NAMES:
        return spread_over(list(looks), _MOST_NAMES)
    best = [tuple(identity_here(row[name]) for name in others) for row in result.summary]
    return list(dict.fromkeys(best))[:_MOST_NAMES]


def _set_curve_legend(
    figure: Figure, result: SweepResult, looks: Looks, others: Sequence[str], bands: bool
) -> None:
    texts = [texts_of(result.grid[name]) for name in others]
    handles = [style.stroke(**look) for look in looks.values()]
    labels = [
        tidy(", ".join(filter(None, map(dict.get, texts, key))))  # of many settings as many as fit
        for key in looks
    ]
    if any(cell.status == "diverged" for cell in result.cells):
        handles.append(style.stroke(style.FAINT, linestyle="", marker="X", markersize=8))
        labels.append("diverged")
    if bands:
        handles.append(require("matplotlib.patches").Patch(color=style.FAINT, alpha=0.25, linewidth=0))
        labels.append("range of a jumping loss")
    heading = tidy(", ".join(words_of(name) for name in others))
    legend = figure.legend(
        handles,
        labels,
        title=heading or None,
        loc="outside right center",
        frameon=False,
        fontsize=9,
        labelcolor=style.INK,
        handlelength=2.6,
    )
    legend.get_title().set(fontsize=9, color=style.INK)
