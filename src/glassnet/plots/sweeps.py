"""Floor 8: pictures of a sweep: every loss curve, and the final losses over two settings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.activations import Array
from glassnet.errors import InputError, unknown_name
from glassnet.plots import style
from glassnet.plots.libraries import require
from glassnet.plots.losses import readable
from glassnet.sweep_results import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassnet.sweep_results import SweepCell, SweepResult

Looks = dict[tuple[float, ...], dict[str, Any]]
"""How the curve of each combination of settings looks."""

_LEAST = 1e-100  # of a loss on a logarithmic scale; below, and at 0, it is drawn as this
_MOST_PANELS = 12
_MOST_WORDS = (16, 8)  # rows and columns of a heatmap whose cells have room for words
SYMBOLS = {
    "converged": "",
    "falling": "↓",
    "plateau": "−",  # noqa: RUF001 - a minus sign is as wide as the others
    "unstable": "~",
    "diverged": "×",  # noqa: RUF001
    "interrupted": "?",
}
"""What stands for a status where there is no room for its name."""


def sweep_losses(result: SweepResult, *, panels: str | None = None, title: str = "Loss curves") -> Figure:
    """Draw every loss curve of a sweep, on logarithmic axes: a panel for each value of one setting.

    Colours and dashes tell the values of the other setting. Where a loss jumps up and down, the
    line is its median and the band its range, stretch by stretch. A curve that leaves through the
    top, with a cross, is a network that diverged.

    Parameters
    ----------
    panels : the setting that has a panel for each value; None takes the one with the fewest, and
        for a single setting one panel for all.

    Raises InputError for an unknown setting, and MissingLibraryError where matplotlib is missing.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5, 0.9]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> [axes.get_title(loc="left") for axes in gn.plots.sweep_losses(result).axes]
    ['learning rate 0.1', 'learning rate 1']
    """
    names = list(result.grid)
    if panels is not None and panels not in names:
        raise unknown_name("setting of this sweep:", panels, names)
    if panels is None and len(names) > 1:
        panels = min(names, key=lambda name: len(result.grid[name]))
    values = _spread(result.grid[panels], _MOST_PANELS) if panels else [None]
    others = [name for name in names if name != panels]
    keys = list(dict.fromkeys(_key(cell, others) for cell in result.cells))
    looks = dict(zip(keys, _looks(len(keys)), strict=True))
    columns = min(len(values), 3)
    rows = -(-len(values) // columns)
    width, height = (
        1.9 + (2.9 * columns if columns > 1 else 5.6),
        1.3 + (2.5 if columns > 1 else 3.6) * rows,
    )
    figure = style.new_figure(width, height)
    _lay_out(figure, w_pad=0.06, h_pad=0.06)
    span = _loss_span(result)
    first: Any = None
    for i, value in enumerate(values):
        paper = _panel(figure, rows, columns, i, first)
        first = first or paper
        cells = [cell for cell in result.cells if panels is None or cell.settings[panels] == value]
        _draw_curves(paper, cells, others, looks, span)
        if panels is not None:
            name = _texts(result.grid[panels])[value]
            paper.set_title(f"{_words(panels)} {name}", loc="left", fontsize=10, color=style.INK)
        _set_scales(paper, result, span)
        paper.tick_params(labelbottom=i + columns >= len(values), labelleft=i % columns == 0)
    figure.supxlabel("iteration", fontsize=10, color=style.INK)
    figure.supylabel(_loss_name(result), fontsize=10, color=style.INK)
    notes = [_summary(result)]
    if panels and len(values) < len(result.grid[panels]):
        notes.append(f"{len(values)} of {len(result.grid[panels])} values of {_words(panels)} shown")
    style.set_title(figure, title, notes)
    _set_curve_legend(figure, result, looks, others)
    return figure


def sweep_heatmap(
    result: SweepResult,
    *,
    rows: str | None = None,
    columns: str | None = None,
    title: str = "Final loss",
) -> Figure:
    """Draw each network's final loss over two settings, on a logarithmic colour scale.

    A cell holds its loss and its status (`glassnet.sweep_results.STATUSES`); hatched are those that
    diverged, and framed is the lowest loss. Of more than two settings, a cell shows the best
    network over all values of the others.

    Parameters
    ----------
    rows, columns : the settings upward and to the right; None takes the first and second that are
        left.

    Raises InputError for a sweep over one setting or an unknown one, and MissingLibraryError where
    matplotlib is missing.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5, 0.9]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> axes = gn.plots.sweep_heatmap(result).axes[0]
    >>> axes.get_xlabel(), [tick.get_text() for tick in axes.get_xticklabels()]
    ('momentum', ['0', '0.5', '0.9'])
    """
    rows, columns = _two_settings(result, rows, columns)
    table = _best_over_others(result, rows, columns)
    n_rows, n_columns = len(table), len(table[0])
    words = n_rows <= _MOST_WORDS[0] and n_columns <= _MOST_WORDS[1]
    size = (1.08, 0.72) if words else (0.34, 0.34)
    width = np.clip(2.3 + size[0] * n_columns, 6.8, 14)
    figure = style.new_figure(float(width), float(np.clip(1.5 + size[1] * n_rows, 3.0, 14)))
    paper = style.flat_axes(figure, grid=False)
    losses = np.array(
        [[np.nan if cell.status == "diverged" else cell.final_loss for cell in row] for row in table]
    )
    norm = _color_norm(losses)
    cmap = require("matplotlib").colormaps[style.VALUES]
    paper.set_facecolor("#E9E9E9")
    shown = losses if norm.vmin < 0 else np.maximum(losses, _LEAST)
    image = paper.imshow(shown, norm=norm, cmap=cmap, origin="lower", aspect="auto")
    best = min(
        (cell.final_loss for row in table for cell in row if cell.status != "diverged"), default=None
    )
    patch = require("matplotlib.patches").Rectangle
    for i, row in enumerate(table):
        for j, cell in enumerate(row):
            if cell.status == "diverged":
                hatch = {"hatch": "////", "edgecolor": "#D2D2D2", "linewidth": 0}
                paper.add_patch(patch((j - 0.5, i - 0.5), 1, 1, facecolor="none", **hatch))
            elif cell.final_loss == best:
                paper.add_patch(
                    patch((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, edgecolor="white", linewidth=2.2)
                )
            dark = cell.status != "diverged" and _is_dark(image.cmap(norm(max(cell.final_loss, norm.vmin))))
            _write(paper, (j, i), cell, "white" if dark else style.INK, words)
    _set_cells(paper, result, rows, columns)
    if np.isfinite(losses).any():
        _add_color_bar(figure, paper, image, result)
    notes = [_summary(result)]
    if best is not None:
        notes.append("white frame: the lowest loss")
    if words and any(" at " in cell.verdict for row in table for cell in row):
        notes.append('"at N": at iteration N')
    if len(result.grid) > 2:
        notes.append("each cell the best over the other settings")
    if not words:
        shown = {cell.status for row in table for cell in row}
        notes.append(
            ", ".join(f"{sign} {name}" for name, sign in SYMBOLS.items() if sign and name in shown)
        )
    style.set_title(figure, title, notes)
    return figure


# ---- Curves -------------------------------------------------------------------------------------


def _draw_curves(
    paper: Any,
    cells: Sequence[SweepCell],
    others: Sequence[str],
    looks: Looks,
    span: tuple[float, float],
) -> None:
    for cell in cells:
        look = looks[_key(cell, others)]
        losses = cell.run.losses if span[0] < 0 else np.maximum(cell.run.losses, _LEAST)
        at, low, middle, high = _stretches(losses)
        paper.fill_between(at, low, high, color=look["color"], alpha=0.16, linewidth=0)
        if cell.run.diverged_at is not None:
            at, middle = np.append(at, cell.run.diverged_at), np.append(middle, span[1])
            end = {"marker": "X", "markersize": 9, "markeredgecolor": "white", "clip_on": False}
            paper.plot(at[-1], middle[-1], color=look["color"], zorder=5, **end)
        paper.plot(at, middle, linewidth=1.3, **look)
    diverged = [cell.run.diverged_at for cell in cells if cell.run.diverged_at is not None]
    if diverged:
        first, last = min(diverged), max(diverged)
        where = f"at iteration {first:,}" if first == last else f"at iterations {first:,} to {last:,}"
        paper.text(
            0.04,
            0.05,
            f"{len(diverged)} of {len(cells)} diverged {where}",
            transform=paper.transAxes,
            verticalalignment="bottom",
            fontsize=8.5,
            color=style.INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
        )


def _stretches(losses: NDArray[np.float64]) -> tuple[Array, Array, Array, Array]:
    """Where, smallest, median and largest loss of stretches that look equally long on the paper.

    Early ones hold one loss each; the first and the last loss are always among them.
    """
    last = len(losses) - 1
    edges = np.unique(np.geomspace(1, max(last, 1), 200).astype(np.intp))
    rows = [(0.0, losses[0], losses[0], losses[0])]
    for start, stop in pairwise(edges):
        part = losses[start:stop]
        middle = start if stop == start + 1 else np.sqrt(start * stop)
        rows.append((middle, part.min(), np.median(part), part.max()))
    rows.append((last, losses[-1], losses[-1], losses[-1]))
    at, low, middle, high = np.array(rows).T
    return at, low, middle, high


def _has_band(cell: SweepCell) -> bool:
    """Whether a band can be seen about the curve: a range that is no mere fall within a stretch."""
    _, low, _, high = _stretches(cell.run.losses)
    # A falling loss has every stretch begin below the end of the one before.
    return bool(np.any((high[1:] > 1.02 * high[:-1]) & (high[1:] > 1.02 * low[1:]) & (low[1:] > 0)))


def _panel(figure: Figure, rows: int, columns: int, i: int, first: Any) -> Any:
    paper: Any = figure.add_subplot(rows, columns, i + 1, sharex=first, sharey=first)
    paper.set_facecolor("white")
    for side, spine in paper.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(style.FAINT)
        spine.set_linewidth(0.8)
    paper.tick_params(colors=style.FAINT, labelcolor=style.INK, labelsize=8.5, width=0.8, length=3)
    paper.grid(color=style.GRID, linewidth=0.7)
    paper.set_axisbelow(True)
    return paper


def _set_scales(paper: Any, result: SweepResult, span: tuple[float, float]) -> None:
    """Iterations from 0, logarithmic from 1 on, since what is early is quick; log losses if positive."""
    ticker = require("matplotlib.ticker")
    paper.set_xscale("symlog", linthresh=1, linscale=0.25)
    paper.set_xlim(-0.15, result.iterations * 1.25)
    powers = 10.0 ** np.arange(0, int(np.log10(result.iterations)) + 1)
    paper.xaxis.set_major_locator(ticker.FixedLocator([0, *powers[:: 1 + len(powers) // 6]]))
    paper.xaxis.set_minor_locator(ticker.NullLocator())
    paper.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if span[0] > 0:
        paper.set_yscale("log")
        paper.yaxis.set_minor_formatter(ticker.NullFormatter())
    paper.set_ylim(*span)
    paper.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: readable(value)))


def _loss_span(result: SweepResult) -> tuple[float, float]:
    """The limits of the loss axis; two powers of 10 lie within them where it is logarithmic."""
    low = min(cell.lowest_loss for cell in result.cells)
    high = max(float(run.losses.max()) for run in result.runs)
    if low < 0:
        margin = 0.06 * (high - low) or 1.0
        return low - margin, high + 2 * margin
    low, high = max(low, _LEAST), max(high, _LEAST)
    margin = max(0.06 * np.log10(high / low), 0.15)
    bottom, top = np.log10(low) - margin, np.log10(high) + 2 * margin
    if np.floor(top) - np.ceil(bottom) < 1:  # no two of the ticks, which stand at powers of 10
        bottom, top = np.floor(bottom), np.ceil(top)
    return float(10**bottom), float(10**top)


def _lay_out(figure: Any, **settings: Any) -> None:
    figure.get_layout_engine().set(**settings)


def _looks(count: int) -> list[dict[str, Any]]:
    """Colours in the order of the values, from dark to light, and dashes in turn."""
    cmap, colors = require("matplotlib").colormaps[style.VALUES], require("matplotlib.colors")
    dashes: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
    shades = np.linspace(0, 0.88, count) if count > 1 else [0.0]
    return [
        {"color": colors.to_hex(cmap(shade)), "linestyle": dashes[i % len(dashes)]}
        for i, shade in enumerate(shades)
    ]


def _set_curve_legend(figure: Figure, result: SweepResult, looks: Looks, others: Sequence[str]) -> None:
    line = require("matplotlib.lines").Line2D
    texts = [_texts(result.grid[name]) for name in others]
    keys = _spread(list(looks), 10)
    handles = [line([], [], linewidth=1.6, **looks[key]) for key in keys]
    labels = [", ".join(text[value] for text, value in zip(texts, key, strict=True)) for key in keys]
    if any(cell.status == "diverged" for cell in result.cells):
        handles.append(line([], [], linestyle="", marker="X", markersize=8, color=style.FAINT))
        labels.append("diverged")
    if any(_has_band(cell) for cell in result.cells):
        handles.append(require("matplotlib.patches").Patch(color=style.FAINT, alpha=0.25, linewidth=0))
        labels.append("range of a jumping loss")
    heading = ", ".join(_words(name) for name in others)
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
    legend.get_title().set_fontsize(9)
    legend.get_title().set_color(style.INK)


# ---- Cells --------------------------------------------------------------------------------------


def _two_settings(result: SweepResult, rows: str | None, columns: str | None) -> tuple[str, str]:
    names = list(result.grid)
    for name in (rows, columns):
        if name is not None and name not in names:
            raise unknown_name("setting of this sweep:", name, names)
    if len(names) < 2:
        raise InputError(
            f"A heatmap lies over two settings, and this sweep has one, {names[0]}: gn.plots.sweep_losses "
            f"draws its curves."
        )
    rows = rows or next(name for name in names if name != columns)
    columns = columns or next(name for name in names if name != rows)
    if rows == columns:
        raise InputError(f"rows and columns are both {rows!r}; expected two of: {', '.join(names)}.")
    return rows, columns


def _best_over_others(result: SweepResult, rows: str, columns: str) -> list[list[SweepCell]]:
    def best(row: float, column: float) -> SweepCell:
        cells = [c for c in result.cells if (c.settings[rows], c.settings[columns]) == (row, column)]
        return min(cells, key=lambda cell: (cell.status == "diverged", cell.final_loss))

    return [[best(row, column) for column in result.grid[columns]] for row in result.grid[rows]]


def _color_norm(losses: Any) -> Any:
    """A logarithmic scale where no loss is negative, at least a factor of 2 wide."""
    colors = require("matplotlib.colors")
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return colors.Normalize(0, 1)
    low, high = float(finite.min()), float(finite.max())
    if low < 0:
        return colors.Normalize(*style.value_range(finite))
    low, high = max(low, _LEAST), max(high, _LEAST)
    widen = max(np.sqrt(2 * low / high), 1.0)
    return colors.LogNorm(low / widen, high * widen)


def _is_dark(color: Sequence[float]) -> bool:
    red, green, blue = color[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55


def _write(paper: Any, at: tuple[int, int], cell: SweepCell, color: str, words: bool) -> None:
    center = {"horizontalalignment": "center", "verticalalignment": "center", "color": color}
    if not words:
        paper.text(*at, SYMBOLS[cell.status], fontsize=9, **center)
        return
    if cell.status == "diverged":
        paper.text(*at, cell.verdict.replace(" at", "\nat"), fontsize=8.5, **center)
        return
    verdict = cell.verdict.replace(" at", "\nat")
    x, y = at
    paper.text(x, y + 0.16, readable(cell.final_loss), fontsize=10, fontweight="bold", **center)
    paper.text(x, y - 0.2, verdict, fontsize=8.5, linespacing=0.95, **center)


def _set_cells(paper: Any, result: SweepResult, rows: str, columns: str) -> None:
    for axis, name in ((paper.xaxis, columns), (paper.yaxis, rows)):
        values = result.grid[name]
        places = _spread(range(len(values)), 24)
        texts = _texts(values)
        axis.set_ticks(places, [texts[values[i]] for i in places])
        axis.set_ticks(np.arange(len(values) + 1) - 0.5, minor=True)
        axis.set_label_text(_words(name), color=style.INK, fontsize=10)
    if len(result.grid[columns]) > _MOST_WORDS[1]:
        paper.tick_params(axis="x", labelrotation=90)
    paper.grid(which="minor", color="white", linewidth=1.5)
    paper.tick_params(which="both", length=0)
    for spine in paper.spines.values():
        spine.set_visible(False)


def _add_color_bar(figure: Figure, paper: Any, image: Any, result: SweepResult) -> None:
    ticker = require("matplotlib.ticker")
    bar = figure.colorbar(image, ax=paper, shrink=0.85, pad=0.03, aspect=26)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=style.FAINT, labelcolor=style.INK, length=2.5)
    bar.ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: readable(value)))
    bar.ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    bar.set_label(_loss_name(result), color=style.INK, fontsize=9)


# ---- Words --------------------------------------------------------------------------------------


def _words(name: str) -> str:
    return name.replace("_", " ")


def _key(cell: SweepCell, names: Sequence[str]) -> tuple[float, ...]:
    return tuple(cell.settings[name] for name in names)


def _texts(values: Sequence[float]) -> dict[float, str]:
    """Values as text of three digits, or of as many as it takes to tell them apart."""
    for digits in range(3, 18):
        texts = {value: shown(value, digits) for value in values}
        if len(set(texts.values())) == len(texts):
            break
    return texts


def _loss_name(result: SweepResult) -> str:
    run = result.runs[0]
    name = str(run.network.loss).replace("cross_", "cross-").replace("_", " ")
    return f"{'summed' if run.reduction == 'sum' else 'mean'} {name}"


def _summary(result: SweepResult) -> str:
    statuses = [cell.status for cell in result.cells]
    counts = [f"{statuses.count(name)} {name}" for name in SYMBOLS if name in statuses]
    return f"{len(statuses)} networks, {result.iterations:,} iterations each: {', '.join(counts)}"


def _spread(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the values, evenly over all of them, the first and last included."""
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in places]
