"""The picture of a sweep over many settings: an axis for each setting, a line for each combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection import SweepResult, identity_here, shown
from glassnet.plots import style
from glassnet.plots.sweeps.words import (
    LEAST,
    check_result,
    compared_name,
    spread_over,
    summary_of,
    varied,
    words_of,
)
from glassnet.utils.libraries import require
from glassnet.utils.words import readable, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_FEW = 8  # values up to which each has a tick
_WIDE = 20.0  # the ratio of the largest and smallest value beyond which a scale is logarithmic


class _Axis(NamedTuple):
    """A vertical axis: the place of each line on it, from 0 to 1, its ticks and the values."""

    title: str
    places: NDArray[np.float64]
    ticks: list[tuple[float, str]]
    values: NDArray[np.float64] | None = None


def sweep_parallel(
    result: SweepResult,
    *,
    names: Sequence[str] | None = None,
    title: str = "Settings and what came of them",
) -> Figure:
    """Draw parallel coordinates: an axis for each setting, the last one for the metric or the final loss.

    Each combination of settings is a line to the mean over its seeds and folds, whose color shows where it
    ends. The best line is thick; dashed lines, of settings with a network that diverged, end at the bad end
    of the last axis; thin lines are settings that the sweep dropped. Scales are logarithmic where values
    differ by a factor of 20; values that are no numbers lie at equal distances.

    Parameters
    ----------
    names : the settings to draw, in this order; None takes all with more than one value.

    Raises InputError for an unknown setting, and MissingLibraryError where matplotlib is missing.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5, 0.9]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> [text.get_text() for text in gn.plots.sweep_parallel(result).axes[0].get_xticklabels()]
    ['learning rate', 'momentum', 'mean cross-entropy']

    Inselberg, "The plane with parallel coordinates" (1985).
    """
    check_result(result, names or ())
    chosen = list(names) if names else varied(result)
    rows = result.summary
    axes = [_setting_axis(name, [row[name] for row in rows], result) for name in chosen]
    axes.append(_outcome_axis(result, rows))
    figure = style.new_figure(float(np.clip(2.0 + 1.7 * len(axes), 6.8, 14)), 4.6)
    paper = style.flat_axes(figure, grid=False)
    _draw_lines(paper, axes, rows, result)
    _draw_axes(paper, axes)
    notes = [summary_of(result)]
    if len(rows) < len(result.cells):
        notes.append(f"each line the mean over {len(result.cells) // len(rows)} networks")
    if any(row["diverged"] for row in rows):
        notes.append("dashed: diverged")
    if any(row["dropped"] for row in rows):
        notes.append("thin: dropped early")
    style.set_title(figure, title, [*notes, "thick: the best"])
    return figure


def _setting_axis(name: str, values: Sequence[Any], result: SweepResult) -> _Axis:
    distinct = list(result.grid[name])
    numbers = [v for v in distinct if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) == len(distinct) and None not in values and len(numbers) > 1:
        array = np.array(values, np.float64)
        logarithmic = min(numbers) > 0 and max(numbers) / min(numbers) > _WIDE
        marked = sorted(map(float, numbers))
        if len(marked) > _FEW:
            marked = _rounded(marked[0], marked[-1], logarithmic)
        scale = _scale(min(numbers), max(numbers), logarithmic)
        return _Axis(words_of(name), scale(array), [(float(scale(t)), shown(t, 3)) for t in marked], array)
    texts = {identity_here(value): shown(value, 4) for value in distinct}
    if any(value is None for value in values) and None not in distinct:
        texts[identity_here(None)] = "not set"
    order = list(texts)
    at = np.linspace(0, 1, len(order)) if len(order) > 1 else np.array([0.5])
    places = np.array([at[order.index(identity_here(value))] for value in values])
    ticks = [(float(at[i]), tidy(texts[order[i]], 24)) for i in spread_over(range(len(order)), 12)]
    return _Axis(words_of(name), places, ticks)


def _outcome_axis(result: SweepResult, rows: Sequence[dict[str, Any]]) -> _Axis:
    values = np.array([row["mean"] for row in rows], np.float64)
    good = np.isfinite(values) & np.array([row["diverged"] == 0 for row in rows])
    name = compared_name(result)
    if not good.any():
        return _Axis(name, np.ones(len(rows)), [], np.full(len(rows), np.nan))
    low, high = float(values[good].min()), float(values[good].max())
    logarithmic = low >= 0 and high / max(low, LEAST) > _WIDE
    if logarithmic:
        low, values = max(low, LEAST), np.maximum(values, LEAST)
    scale = _scale(low, high, logarithmic)
    worst = 1.0 if result.sign > 0 else 0.0
    places = np.where(good, scale(np.where(good, values, low)), worst)
    ticks = [(float(scale(t)), readable(t)) for t in _rounded(low, high, logarithmic)]
    return _Axis(name, places, ticks, np.where(good, values, np.nan))


def _scale(low: float, high: float, logarithmic: bool) -> Any:
    """The function from values to places from 0 to 1."""
    if high <= low:
        return lambda value: np.zeros_like(np.asarray(value, np.float64)) + 0.5
    if logarithmic:
        return lambda value: np.log(np.asarray(value) / low) / np.log(high / low)
    return lambda value: (np.asarray(value, np.float64) - low) / (high - low)


def _rounded(low: float, high: float, logarithmic: bool) -> list[float]:
    """A few round numbers from low to high."""
    if high <= low:
        return [low]
    ticker = require("matplotlib.ticker")
    locator = ticker.LogLocator(numticks=7) if logarithmic else ticker.MaxNLocator(5)
    ticks = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
    return ticks if len(ticks) > 1 else [low, high]


def _draw_lines(
    paper: Any, axes: Sequence[_Axis], rows: Sequence[dict[str, Any]], result: SweepResult
) -> None:
    cmap = require("matplotlib").colormaps[style.VALUES]
    places = np.column_stack([axis.places for axis in axes])
    outcome = axes[-1].values
    assert outcome is not None
    for i in reversed(range(len(rows))):  # the best one last, on top
        lost = not np.isfinite(outcome[i])
        place = float(axes[-1].places[i])
        shade = 0.9 * (place if result.sign > 0 else 1 - place)  # the best are dark
        paper.plot(
            range(len(axes)),
            places[i],
            color=style.FAINT if lost else cmap(shade),
            linestyle=style.DASHES if lost else "-",
            linewidth=2.8 if i == 0 and not lost else 0.7 if rows[i]["dropped"] else 1.2,
            alpha=0.45 if lost else float(np.clip(12 / len(rows), 0.25, 0.9)) if i else 1.0,
            solid_capstyle="round",
            zorder=3 if i == 0 else 2,
        )


def _draw_axes(paper: Any, axes: Sequence[_Axis]) -> None:
    for i, axis in enumerate(axes):
        paper.plot([i, i], [0, 1], color=style.INK, linewidth=1.0, zorder=4)
        for place, text in axis.ticks:
            paper.plot([i - 0.015, i], [place, place], color=style.INK, linewidth=0.8, zorder=4)
            look = {"fontsize": 8, "ha": "right", "va": "center", "zorder": 5}
            style.write(paper, (i - 0.03, place), text, back=(0.8, 0.8), **look)
    paper.set_xticks(range(len(axes)), [axis.title for axis in axes], fontsize=9.5, color=style.INK)
    paper.tick_params(axis="x", length=0, pad=8)
    paper.set_yticks([])
    paper.set_xlim(-0.45, len(axes) - 0.9)
    paper.set_ylim(-0.04, 1.04)
    for spine in paper.spines.values():
        spine.set_visible(False)
