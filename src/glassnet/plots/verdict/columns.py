"""What a network's answers rest on: bars for the importance of columns, curves along the strongest."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.verdict.columns import Dependence, Importance
from glassnet.errors import InputError
from glassnet.plots import style
from glassnet.utils.words import plain, short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS, MOST_CLASSES = 15, 8
_LONGEST = 20  # characters of a category


def importance(
    importances: Sequence[Importance], *, unit: str = "the error", title: str = "What the answers rest on"
) -> Figure:
    """Draw by how much the error on held-out rows rises when a column is shuffled, the strongest first.

    Parameters
    ----------
    importances : as `glassnet.diagnostics.verdict.importances` gives them; fifteen are drawn.
    unit : what rises, for the axis.

    Raises InputError where there are none, MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> from glassnet.diagnostics.verdict import Importance
    >>> figure = gn.plots.importance([Importance("age", 0.3, 0.02), Importance("height", 0.01, 0.02)])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['age', 'height']
    """
    if not importances:
        raise InputError("importances is empty; expected at least one column to draw.")
    shown = list(importances[:MOST_BARS])
    figure = style.new_figure(7.2, 1.5 + 0.3 * len(shown))
    paper = style.flat_axes(figure)
    rises = np.array([one.rise for one in shown])
    deviations = np.array([one.deviation for one in shown])
    places = np.arange(len(shown))
    paper.barh(places, rises, 0.66, color=style.OKABE_ITO[0], alpha=0.85)
    paper.errorbar(rises, places, xerr=deviations, fmt="none", ecolor=style.INK, elinewidth=1.1, capsize=2)
    paper.axvline(0.0, color=style.FAINT, linewidth=0.9)
    paper.set_yticks(places, [plain(one.name) for one in shown])
    paper.set_ylim(len(shown) - 0.4, -0.6)
    paper.grid(visible=False, axis="y")
    paper.locator_params(axis="x", nbins=6)
    style.label_ticks(paper.xaxis)
    words = f"rise of {plain(unit)} where the column is shuffled"
    paper.set_xlabel(words, color=style.INK, fontsize=10)
    more = (
        f"the strongest {len(shown)} of {len(importances)} columns" if len(importances) > len(shown) else ""
    )
    lines = "; lines: the deviation of the shuffles" if deviations.any() else ""
    style.set_title(figure, title, [f"on held-out rows{lines}", more])
    return figure


def drawn_answers(
    dependences: Sequence[Dependence], classes: Sequence[str] | None, target: str
) -> tuple[dict[int, str], str]:
    """The names of the answers to draw, by number, and what they are.

    Of two classes it is the second, of more up to eight whose answers vary most.
    """
    if classes is None:
        return {0: target}, f"mean predicted {target}"
    names = short_names(classes)
    if len(names) == 2:
        return {1: names[1]}, f"mean P({names[1]})"
    spread = np.max([np.ptp(one.answers, axis=0) for one in dependences], axis=0)
    chosen = sorted(np.argsort(-spread, kind="stable")[:MOST_CLASSES].tolist())
    return {number: names[number] for number in chosen}, "mean probability"


def answer_span(dependences: Sequence[Dependence], names: Collection[int], of_classes: bool) -> Array:
    """The ends of the axis of the answers, (2,), which all columns share: flat curves look flat."""
    heights = np.concatenate(
        [one.answers.reshape(len(one.answers), -1)[:, [*names]].ravel() for one in dependences]
    )
    if of_classes:
        return np.array([-0.02, min(1.02, max(1.15 * heights.max(), 0.05))])
    bars = len(names) == 1 and any(one.column.labels for one in dependences)
    low, high = style.value_range(np.append(heights, 0.0) if bars else heights)  # bars begin at 0
    margin = 0.06 * (high - low)
    return np.array([low - margin, high + margin])


def partial_dependence(
    dependences: Sequence[Dependence],
    *,
    class_names: Sequence[str] | None = None,
    target: str = "y",
    title: str = "How the answers change along a column",
) -> Figure:
    """Draw the mean answer where all rows get one value of a column, for each of its values.

    Columns of numbers have a curve in their own unit, categories a bar each. Of two classes it is the
    probability of the second; of more, there is a curve for each, at most eight.

    Parameters
    ----------
    dependences : as `glassnet.diagnostics.verdict.dependences` gives them, up to nine.
    class_names : the names of the classes; None for a quantity, which `target` names.

    Raises InputError where there are none, MissingLibraryError where matplotlib is not installed.

    >>> import numpy as np
    >>> import glassnet as gn
    >>> from glassnet.diagnostics.verdict import Column, dependences
    >>> age = Column("age", (0,), np.array([20.0, 30.0]), np.array([[-1.0], [1.0]]))
    >>> found = dependences(lambda X: X[:, 0], np.zeros((5, 1)), [age])
    >>> gn.plots.partial_dependence(found, target="income").axes[0].get_xlabel()
    'age'

    scikit-learn's `PartialDependenceDisplay` draws the same along single inputs.
    """
    if not dependences:
        raise InputError("dependences is empty; expected at least one column to draw.")
    shown = list(dependences[:9])
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    longest = max((_turned(one.column.labels) for one in shown), default=0)
    figure = style.new_figure(max(2.9 * columns, 4.8) + 0.4, (2.5 + 0.07 * longest) * lines + 0.9)
    grid = figure.add_gridspec(lines, columns)
    names, label = drawn_answers(shown, class_names, target)
    colors = style.class_colors(len(names))
    answers = [one.answers.reshape(len(one.answers), -1)[:, list(names)] for one in shown]
    span = answer_span(shown, names, class_names is not None)
    bars = len(names) == 1
    for place, (one, some) in enumerate(zip(shown, answers, strict=True)):
        paper = style.flat_axes(figure, place=[grid[divmod(place, columns)]])
        for height, color in zip(some.T, colors, strict=True):
            _draw_along(paper, one, height, color, bars=bars)
        paper.set_ylim(*span)
        if not one.column.labels:
            paper.locator_params(axis="x", nbins=4)
            style.label_ticks(paper.xaxis)
        style.label_ticks(paper.yaxis)
        style.set_labels(paper, [one.column.label])
        if place % columns == 0:
            paper.set_ylabel(textwrap.fill(plain(label, 60), 26), color=style.INK, fontsize=10)
    if len(names) > 1:
        strokes = map(style.stroke, colors)
        style.set_legend(figure.axes[0], list(zip(strokes, names.values(), strict=True)))
    style.set_title(
        figure, title, ["all rows get the value in place of their own; the rest stays as it is"]
    )
    return figure


def _draw_along(paper: Any, one: Dependence, heights: Any, color: str, bars: bool) -> None:
    """A curve over the levels, dots for few, bars for names."""
    labels = one.column.labels
    if not labels:
        dots = {"marker": "o", "markersize": 4} if len(one.column.levels) <= 12 else {}
        paper.plot(one.column.levels, heights, color=color, linewidth=1.8, **dots)
        return
    places = np.arange(len(labels))
    if bars:
        paper.bar(places, heights, 0.7, color=color, alpha=0.85)
    else:
        paper.plot(places, heights, color=color, marker="o", markersize=4, linewidth=0.8, linestyle=":")
    size = 8.5 if len(labels) <= 8 else max(4.0, 10 - 0.2 * len(labels))
    turn = {"rotation": 90} if _turned(labels) else {}
    paper.set_xticks(places, [plain(label, _LONGEST) for label in labels], fontsize=size, **turn)
    paper.set_xlim(-0.6, len(labels) - 0.4)


def _turned(labels: Sequence[str]) -> int:
    """The characters of the longest label where they stand upright, for all would not fit side by side."""
    longest = max(map(len, labels), default=0)
    return min(longest, _LONGEST) if longest * len(labels) > 26 else 0
