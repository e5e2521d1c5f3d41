"""The picture of a sweep over two settings: how each network ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.diagnostics.curvature import Curvature
from glassnet.errors import InputError, InputTypeError
from glassnet.model_selection import SweepCell, SweepResult, identity_here
from glassnet.optim import SGD
from glassnet.plots import style
from glassnet.plots.sweeps.words import (
    LEAST,
    SYMBOLS,
    ascending,
    check_result,
    compared_name,
    key_of,
    spread_over,
    summary_of,
    texts_of,
    words_of,
)
from glassnet.utils.libraries import require
from glassnet.utils.words import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_MOST_WORDS = (16, 8)  # rows and columns up to which the cells have room for words


def sweep_heatmap(
    result: SweepResult,
    *,
    rows: str | None = None,
    columns: str | None = None,
    curvature: Curvature | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the metric of the networks or, without one, the final loss over two settings.

    A cell shows its value and its status (`glassnet.model_selection.STATUSES`): hatching marks networks
    that diverged, a frame the best one, and darker is better. Losses have a logarithmic color scale. With
    seeds or folds a value is the mean over them, with hatching where one of them diverged. Of more than two
    settings, a cell shows the best over all values of the others.

    Parameters
    ----------
    rows, columns : the settings upward and to the right; None takes the first unused ones.
    curvature : the `glassnet.curvature` at a point, usually where the best network ended: a line marks the
        learning rate 2 (1 + m) / lambda_max, beyond which gradient descent with momentum m cannot stay
        there.

    Raises InputError for a sweep over one setting or an unknown one, for a stability limit without learning
    rates of gradient descent on one of the axes, and MissingLibraryError where matplotlib is missing.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5, 0.9]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> axes = gn.plots.sweep_heatmap(result).axes[0]
    >>> axes.get_xlabel(), [tick.get_text() for tick in axes.get_xticklabels()]
    ('momentum', ['0', '0.5', '0.9'])

    The limit at the best network's end: ``curvature=gn.curvature(net, result.best.run.theta, X, y)``.
    """
    check_result(result, (rows, columns))
    rows, columns = _two_settings(result, rows, columns)
    table = _best_over_others(result, rows, columns)
    n_rows, n_columns = len(table), len(table[0])
    words = n_rows <= _MOST_WORDS[0] and n_columns <= _MOST_WORDS[1]
    size = (1.08, 0.72) if words else (0.34, 0.34)
    width = np.clip(2.3 + size[0] * n_columns, 6.8, 14)
    figure = style.new_figure(float(width), float(np.clip(1.5 + size[1] * n_rows, 3.0, 14)))
    paper = style.flat_axes(figure, grid=False)
    values = np.array([[np.nan if place is None else place.value for place in row] for row in table])
    of_loss = result.measure is None or result.measure.is_loss
    norm = _color_norm(values, logarithmic=of_loss)
    cmap = require("matplotlib").colormaps[style.VALUES]
    cmap = cmap if result.sign > 0 else cmap.reversed()
    paper.set_facecolor("#E9E9E9")
    logarithmic = of_loss and norm.vmin > 0
    shown = np.maximum(values, LEAST) if logarithmic else values
    image = paper.imshow(shown, norm=norm, cmap=cmap, origin="lower", aspect="auto")
    best = None if result.best is None or not np.isfinite(values).any() else result.best.setting
    patch = require("matplotlib.patches").Rectangle
    for i, row in enumerate(table):
        for j, place in enumerate(row):
            if place is None:
                continue
            if place.status == "diverged":
                hatch = {"hatch": "////", "edgecolor": "#D2D2D2", "linewidth": 0}
                paper.add_patch(patch((j - 0.5, i - 0.5), 1, 1, facecolor="none", **hatch))
            elif place.setting == best:
                frame = {"fill": False, "edgecolor": "white", "linewidth": 2.2}
                paper.add_patch(patch((j - 0.46, i - 0.46), 0.92, 0.92, **frame))
            brightness = np.dot(cmap(norm(shown[i, j]))[:3], (0.299, 0.587, 0.114))
            dark = np.isfinite(place.value) and brightness < 0.55
            text = readable(place.value, 3 if of_loss else 4) if np.isfinite(place.value) else ""
            _write(paper, (j, i), text, place, "white" if dark else style.INK, words)
    _set_cells(paper, result, rows, columns)
    if np.isfinite(values).any():
        bar = style.color_bar(figure, paper, image, compared_name(result), 0.85, 26)
        style.label_ticks(bar.ax.yaxis)
        bar.ax.yaxis.set_minor_formatter(require("matplotlib.ticker").NullFormatter())
    notes = [summary_of(result)]
    if curvature is not None:
        notes.append(_draw_stability(paper, result, rows, columns, curvature))
    if best is not None:
        notes.append("white frame: the best")
    if words and any(place and " at " in place.words for row in table for place in row):
        notes.append('"at N": at iteration N')
    averaged = [f"{name}s" for name in ("seed", "fold") if getattr(result.cells[0], name) is not None]
    if averaged:
        notes.append(f"each cell the mean over {' and '.join(averaged)}")
    if len(result.grid) > 2:
        notes.append(f"{'' if averaged else 'each cell '}the best over the other settings")
    if not words:
        statuses = {place.status for row in table for place in row if place}
        signs = [f"{sign} {name}" for name, sign in SYMBOLS.items() if sign and name in statuses]
        notes.append(", ".join(signs))
    if title is None:
        name = compared_name(result)
        title = "Final loss" if result.measure is None else f"{name[:1].upper()}{name[1:]}"
    style.set_title(figure, title, notes)
    return figure


# ---- Cells --------------------------------------------------------------------------------------


def _two_settings(result: SweepResult, rows: str | None, columns: str | None) -> tuple[str, str]:
    names = list(result.grid)
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


class _Place(NamedTuple):
    """The content of a cell: a setting, its value (NaN where a network diverged), its status, in words."""

    setting: int
    value: float
    status: str
    words: str


def _best_over_others(result: SweepResult, rows: str, columns: str) -> list[list[_Place | None]]:
    """For each row and column the best setting: the first in the order of the summary."""
    networks: dict[int, list[SweepCell]] = {}
    for cell in result.cells:
        networks.setdefault(cell.setting, []).append(cell)
    best: dict[tuple[str, str], _Place] = {}
    for row in result.summary:
        key = identity_here(row[rows]), identity_here(row[columns])
        if key not in best:
            best[key] = _place_of(row["mean"], networks[row["setting"]])
    across = [identity_here(value) for value in ascending(result, columns)]
    upward = [identity_here(value) for value in ascending(result, rows)]
    return [[best.get((row, column)) for column in across] for row in upward]


def _place_of(value: float, cells: Sequence[SweepCell]) -> _Place:
    statuses = Counter(cell.status for cell in cells)
    (status, count), *_ = statuses.most_common()
    if "diverged" in statuses:
        status, count, value = "diverged", statuses["diverged"], np.nan
    if len(cells) == 1:
        return _Place(cells[0].setting, value, status, cells[0].verdict)
    words = status if count == len(cells) else f"{count} of {len(cells)} {status}"
    return _Place(cells[0].setting, value, status, words)


def _color_norm(values: Any, logarithmic: bool) -> Any:
    """A color scale: logarithmic and at least a factor of 2 wide for losses that are not negative."""
    colors = require("matplotlib.colors")
    finite = values[np.isfinite(values)]
    if not finite.size:
        return colors.Normalize(0, 1)
    low, high = float(finite.min()), float(finite.max())
    if low < 0 or not logarithmic:
        return colors.Normalize(*style.value_range(finite))
    low, high = max(low, LEAST), max(high, LEAST)
    widen = max(np.sqrt(2 * low / high), 1.0)
    return colors.LogNorm(low / widen, high * widen)


def _write(paper: Any, at: tuple[int, int], value: str, place: _Place, color: str, words: bool) -> None:
    center = {"horizontalalignment": "center", "verticalalignment": "center", "color": color}
    if not words:
        paper.text(*at, SYMBOLS[place.status], fontsize=9, **center)
        return
    outcome = place.words.replace(" at", "\nat")
    if not value:
        paper.text(*at, outcome, fontsize=8.5, **center)
        return
    x, y = at
    paper.text(x, y + 0.16, value, fontsize=10, fontweight="bold", **center)
    paper.text(x, y - 0.2, outcome, fontsize=8.5, linespacing=0.95, **center)


def _set_cells(paper: Any, result: SweepResult, rows: str, columns: str) -> None:
    for axis, name in ((paper.xaxis, columns), (paper.yaxis, rows)):
        values = ascending(result, name)
        places = spread_over(range(len(values)), 24)
        texts = texts_of(values)
        axis.set_ticks(places, [texts[identity_here(values[i])] for i in places])
        axis.set_ticks(np.arange(len(values) + 1) - 0.5, minor=True)
        axis.set_label_text(words_of(name), color=style.INK, fontsize=10)
    if len(result.grid[columns]) > _MOST_WORDS[1]:
        paper.tick_params(axis="x", labelrotation=90)
    paper.grid(which="minor", color="white", linewidth=1.5)
    paper.tick_params(which="both", length=0)
    for spine in paper.spines.values():
        spine.set_visible(False)


# ---- The stability limit ------------------------------------------------------------------------

_RATE = "learning_rate"


def _draw_stability(paper: Any, result: SweepResult, rows: str, columns: str, curvature: Curvature) -> str:
    """Draw the limit over the cells; return a note for the heading."""
    if not isinstance(curvature, Curvature):
        raise InputTypeError(
            "curvature is what gn.curvature(network, run.theta, X, y) returns, not "
            f"{type(curvature).__name__}."
        )
    limits = _limits(result, columns if rows == _RATE else rows, rows, columns, curvature)
    rates = ascending(result, _RATE)
    at = _places(np.array(rates, np.float64), limits)
    along = np.arange(len(limits), dtype=np.float64)
    # To the edges of the first and the last cell.
    along = np.concatenate([along[:1] - 0.5, along, along[-1:] + 0.5])
    at = np.concatenate([at[:1], at, at[-1:]])
    inside = at.min() < len(rates) - 0.5 and at.max() > -0.5
    at = np.clip(at, -0.5, len(rates) - 0.5)
    if inside:
        x, y = (along, at) if rows == _RATE else (at, along)
        paper.plot(x, y, color="white", linewidth=4.2, zorder=2.5, solid_capstyle="butt")
        paper.plot(x, y, color="#C8102E", linewidth=2.0, zorder=2.6, solid_capstyle="butt")
    low, high = float(limits.min()), float(limits.max())
    span = readable(low) if low == high else f"{readable(low)} to {readable(high)}"
    look = "red" if inside else "off the picture"
    rule = result.cells[0].trained.optimizer
    nesterov = isinstance(rule, SGD) and rule.nesterov
    below = "((1\u00a0+\u00a02m)\u00a0λmax)" if nesterov else "λmax"  # the spaces break no line
    return f"{look}: the stability limit 2(1\u00a0+\u00a0m)/{below}, {span}"


def has_stability_limit(result: SweepResult, rows: str, columns: str) -> bool:
    """Whether a heatmap over these settings has an axis of learning rates of gradient descent."""
    plain = all(isinstance(rate, (int, float)) for rate in result.grid.get(_RATE, ()))
    rules = [cell.trained.optimizer for cell in result.cells]
    return _RATE in (rows, columns) and plain and all(isinstance(rule, SGD) for rule in rules)


def _limits(
    result: SweepResult, other: str, rows: str, columns: str, curvature: Curvature
) -> NDArray[np.float64]:
    """The stability limit for each value of the other setting."""
    if not has_stability_limit(result, rows, columns):
        raise InputError(
            "The stability limit is a learning rate of gradient descent with momentum: it needs numbers of "
            "learning_rate on one of the axes, and a sweep whose optimizer is gn.SGD."
        )
    limits = []
    for value in ascending(result, other):
        key = (identity_here(value),)
        rule = next(c.trained.optimizer for c in result.cells if key_of(c, [other]) == key)
        assert isinstance(rule, SGD)
        limits.append(curvature.stability_limit(rule.momentum, rule.nesterov))
    return np.array(limits)


def _places(rates: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The places of limits among the rates, whose cells are one apart, on a logarithmic scale."""
    logs, at = np.log(rates), np.log(limits)
    if len(rates) == 1:
        return np.clip(at - logs[0], -1.0, 1.0)
    places = np.interp(at, logs, np.arange(len(rates), dtype=np.float64))
    below, above = at < logs[0], at > logs[-1]
    places[below] = (at[below] - logs[0]) / (logs[1] - logs[0])
    places[above] = len(rates) - 1 + (at[above] - logs[-1]) / (logs[-1] - logs[-2])
    return places
