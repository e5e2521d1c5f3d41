"""Predicted quantities against the actual ones: regression, errors, and the fit over one input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.plots import style
from glassnet.plots.picture_data import Cloud, Targets, input_projection, make_grid
from glassnet.plots.predictions import (
    HeldOut,
    Predictions,
    head,
    make_predictions,
    notes,
    panels,
    target_unit,
)
from glassnet.plots.projection import spans
from glassnet.training.run import TrainingRun
from glassnet.utils.settings_checks import as_count
from glassnet.utils.words import below_one, readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_MOST_ERRORS = 300  # rows up to which each error is a line
_BINS = 20


def regression(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str | None = None,
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw the predicted values against the actual ones, with the line that fits them and R.

    R is Pearson's correlation of the two, and the line is ``predicted = slope * actual + offset`` by least
    squares; on the dashed line both are equal. There is a panel for the rows that the run learned from, one
    for those that it held out for validation, and one for each set that `held_out` adds.

    Parameters
    ----------
    X, y : (n, inputs) and the targets, as `train` takes them.
    held_out : (X, y) of other rows, or a dict of such pairs by name, as ``{"test": (X_test, y_test)}``.
    class_names : the names of the target values.
    output : the target value to draw, from 0; None is the first.

    Raises InputError for a network that predicts classes, for predictions that are not finite and for
    unusable arrays, MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
    >>> gn.plots.regression(run, X, y).axes[0].get_title(loc="left")
    'training: R = 1'

    MATLAB's ``plotregression`` draws the targets as the network's outputs are numbered, all of them in one
    panel; here each target value has a picture of its own, in its own unit.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=False)
    name = field.names[0]
    figure, papers = panels(len(sets))
    span = value_span(sets)
    fits = [fitted_line(rows) for rows in sets]
    for number, (paper, rows, (line, words)) in enumerate(zip(papers, sets, fits, strict=True)):
        points = np.column_stack([rows.actual, rows.predicted])
        color = draw_dots(paper, rows, points, number, np.stack([span, span]))
        paper.plot(span, span, zorder=4, **style.REFERENCE)
        if line is not None:
            paper.plot(span, line[0] * span + line[1], color=color, linewidth=1.8, zorder=5)
            text = f"{readable(line[0])} actual {'+-'[line[1] < 0]} {readable(abs(line[1]))}"
            place: Any = {"xycoords": "axes fraction", "va": "top", "back": (1.5, 0.8), "zorder": 6}
            style.write(paper, (0.03, 0.97), text, **place)
        paper.set(xlim=span, ylim=span, aspect="equal")
        paper.locator_params(nbins=4)
        style.label_ticks(paper.xaxis)
        style.label_ticks(paper.yaxis)
        style.set_labels(paper, [name, "predicted"])
        head(paper, f"{rows.name}: {words}")
    entries: style.Entries = [(style.stroke(**style.REFERENCE), "predicted = actual")]
    if any(line is not None for line, _ in fits):
        entries.insert(0, (style.stroke(width=1.8), "least squares"))
    style.set_legend(papers[0], entries)
    style.set_title(figure, title or f"Predicted against actual {name}", notes(sets))
    return figure


def value_span(sets: Sequence[Predictions]) -> Array:
    """The range (2,) of all values, actual and predicted."""
    ends = np.concatenate([ends for rows in sets for ends in (rows.actual, rows.predicted)])
    return np.asarray(spans(ends[:, None], 1)[0])


def fitted_line(rows: Predictions) -> tuple[tuple[float, float] | None, str]:
    """Slope and offset of the predicted over the actual values, and R in words; None where undefined."""
    actual, predicted = rows.actual, rows.predicted
    spread = float(np.ptp(actual)), float(np.ptp(predicted))
    if spread[0] == 0:
        return None, "R undefined, actual is constant"
    x = (actual - actual.mean()) / spread[0]
    slope = float(x @ (predicted - predicted.mean()) / (x @ x)) / spread[0]
    offset = float(predicted.mean() - slope * actual.mean())
    if spread[1] == 0:
        return (slope, offset), "R undefined, predicted is constant"
    r = float(np.corrcoef(x, (predicted - predicted.mean()) / spread[1])[0, 1])
    return (slope, offset), f"R = {below_one(r)}"


def draw_dots(paper: Any, rows: Predictions, points: Array, number: int, box: Array) -> str:
    """Draw the rows as dots in the color of their set, and return it."""
    targets = Targets(np.full(len(points), number), ("",) * (number + 1), is_class=True)
    style.draw_samples(paper, Cloud(points, targets, None, rows.total), points, box)
    return style.class_colors(number + 1)[number]


def error_histogram(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str | None = None,
    class_names: object = None,
    output: int | None = None,
    bins: int = _BINS,
) -> Figure:
    """Draw how often each size of error occurs, actual minus predicted, with a line at no error.

    The bars of the sets of rows stand on one another. The arguments are those of `regression`; `bins` is
    the number of bars from the smallest error to the largest.

    Raises InputError and MissingLibraryError as `regression`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
    >>> gn.plots.error_histogram(run, X, y).axes[0].get_xlabel()
    'actual - predicted'

    As MATLAB's ``ploterrhist``.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=False)
    figure = style.new_figure(7.6, 4.6)
    paper = style.flat_axes(figure)
    edges, counts = error_counts(sets, as_count(bins, "bins"))
    colors = style.class_colors(len(sets))
    base, entries = np.zeros(len(edges) - 1), []
    for rows, heights, color in zip(sets, counts, colors, strict=True):
        paper.bar(
            edges[:-1],
            heights,
            np.diff(edges),
            base,
            align="edge",
            color=color,
            edgecolor="white",
            linewidth=0.6,
        )
        base = base + heights
        entries.append((style.dot(color, marker="s"), f"{rows.name} ({len(rows.actual):,})"))
    paper.axvline(0.0, color=style.INK, linewidth=1.6, zorder=5)
    paper.set_xlim(*spans(np.append(edges, 0.0)[:, None], 1)[0])
    paper.locator_params(axis="x", nbins=6)
    style.label_ticks(paper.xaxis)
    style.count_ticks(paper.yaxis)
    style.set_labels(paper, ["actual - predicted", "samples"])
    style.set_legend(paper, [*entries, (style.stroke(), "no error")])
    far = [f"{rows.name} ± {readable(rows.rmse)}" for rows in sets]
    style.set_title(
        figure,
        title or f"Errors of {field.names[0]}",
        [f"root mean square error: {', '.join(far)}", *notes(sets)],
    )
    return figure


def error_counts(sets: Sequence[Predictions], bins: int = _BINS) -> tuple[Array, list[Any]]:
    """The edges of the bars, and of each set of rows how many errors are in each."""
    every = np.concatenate([rows.errors for rows in sets])
    low, high = style.value_range(every)
    edges = np.linspace(low, high, bins + 1)
    return edges, [np.histogram(rows.errors, edges)[0] for rows in sets]


def fit(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str | None = None,
    class_names: object = None,
    feature_names: object = None,
    output: int | None = None,
    limits: object = None,
    resolution: int = 400,
) -> Figure:
    """Draw what a network of one input has learned: the curve, the actual values, and the errors under it.

    X is (n, 1); lines join up to 300 actual values to the curve. The other arguments are those of
    `regression` and `decision_boundary`.

    Raises InputError for a network of more inputs, and as `regression`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
    >>> [paper.get_ylabel() for paper in gn.plots.fit(run, X, y).axes]
    ['y', 'error']

    As MATLAB's ``plotfit``.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=False)
    if run.network.sizes[0] != 1:
        raise InputError(
            f"The network has {run.network.sizes[0]} inputs; expected one, whose curve this picture draws. "
            f"For more draw glassnet.plots.regression, or decision_boundary with axes=."
        )
    projection = input_projection(1, None, None, feature_names)
    inputs = np.concatenate([rows.X for rows in sets]).astype(np.float64)
    grid = make_grid(field, projection, spans(inputs, 1, limits), resolution)
    figure = style.new_figure(7.6, 6.0)
    parts = figure.add_gridspec(2, 1, height_ratios=[2.4, 1.0])
    above = style.flat_axes(figure, place=[parts[0]])
    below = style.flat_axes(figure, place=[parts[1]], shared={"sharex": above})
    above.tick_params(labelbottom=False)
    mean, scale = target_unit(run, field.output)
    curve = grid.values * scale + mean
    above.plot(grid.ticks[0], curve, color=style.INK, linewidth=1.8, zorder=4)
    entries: style.Entries = [(style.stroke(width=1.8), f"predicted {field.names[0]}")]
    few = sum(len(rows.actual) for rows in sets) <= _MOST_ERRORS
    for number, rows in enumerate(sets):
        x = rows.X[:, 0].astype(np.float64)
        for paper, heights in ((above, rows.actual), (below, rows.errors)):
            points = np.column_stack([x, heights])
            color = draw_dots(paper, rows, points, number, spans(points, 2))
        if few:
            above.vlines(x, rows.actual, rows.predicted, color=color, linewidth=0.9, alpha=0.6, zorder=2)
            below.vlines(x, 0.0, rows.errors, color=color, linewidth=0.9, alpha=0.6, zorder=2)
        entries.append((style.dot(color), f"{rows.name} ({len(rows.actual):,})"))
    below.axhline(0.0, color=style.INK, linewidth=1.2, zorder=4)
    above.set_xlim(*grid.span[0])
    style.set_labels(above, ["", field.names[0]])
    style.set_labels(below, [projection.labels[0], "error"])
    figure.align_ylabels([above, below])
    style.set_legend(below, entries)
    style.set_title(figure, title or f"Fit of {field.names[0]}", [str(run.network), *notes(sets)])
    return figure
