"""The data, and the decision boundary between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.picture_data import (
    Cloud,
    Grid,
    as_samples,
    boundary_lines,
    check_run,
    guess_targets,
    input_projection,
    make_cloud,
    make_field,
    make_grid,
)
from glassnet.plots.projection import Axes, Projection, is_even, spans
from glassnet.training.run import TrainingRun
from glassnet.utils.words import counted, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_MOST_RINGS = 300  # misclassified samples up to which each gets a ring


def data(
    X: object,
    y: object,
    *,
    title: str = "The data",
    class_names: object = None,
    feature_names: object = None,
    axes: Axes = None,
    limits: object = None,
) -> Figure:
    """Draw the samples X (n, inputs), colored by y, and return a matplotlib Figure.

    y holds classes (text, whole numbers of at most 12 values, or rows with a single 1) or values,
    which get a color scale.

    Parameters
    ----------
    class_names, feature_names : the names in the legend and on the axes.
    axes : the features to show, by index from 0 or name, or "principal" for the directions in
        which the samples vary most; None is all of up to two features, else "principal".
    limits : (low, high) for both axes, or a pair for each; None is the range of the samples.

    Raises InputError for arrays that are empty, not finite or of unequal length, and
    MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> figure = gn.plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1], class_names=["out", "in"])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['out (1)', 'in (1)']

    The figure belongs to no pyplot window: Jupyter shows it, ``figure.savefig(path)`` writes it.
    """
    samples = as_samples(X)
    projection = input_projection(samples.shape[1], samples, axes, feature_names)
    cloud = make_cloud(samples, guess_targets(y, len(samples), class_names), projection)
    span = spans(cloud.points, projection.dimensions, limits)
    figure = style.new_figure(*_size_for(span, bar=not cloud.targets.is_class))
    paper = style.flat_axes(figure)
    if projection.dimensions == 1:
        draw_over_line(paper, cloud, span)
    else:
        style.draw_samples(paper, cloud, cloud.points, span)
    set_view(paper, projection, span)
    style.set_legend(paper, style.sample_legend(cloud.targets))
    if not cloud.targets.is_class and projection.dimensions == 2:
        style.color_bar(figure, paper, style.color_scale(cloud.targets.values), cloud.targets.names[0])
    style.set_title(figure, title, [counted(len(samples), "sample"), cloud.note, projection.note])
    return figure


def decision_boundary(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    title: str | None = None,
    class_names: object = None,
    feature_names: object = None,
    axes: Axes = None,
    output: int | None = None,
    limits: object = None,
    resolution: int = 300,
) -> Figure:
    """Draw the prediction at every point, with the samples on it.

    For classes, the tint shows the most probable class and how sure the network is; the line shows where
    two classes are equally probable, P = 1/2 for two. Rings mark misclassified samples. For a regression
    the prediction and the samples share one color scale. For one input the picture shows curves over it.

    Parameters
    ----------
    X, y : (n, inputs) and the targets, as `train` takes them.
    class_names : names of the classes (softmax, logistic with one output), of the labels (logistic
        with several) or of the target values (identity).
    axes : as for `data`. With more inputs than axes, the background is the plane through the mean of the
        samples, and the samples are projected on it.
    output : a softmax class against the rest, or the label or target value to draw.
    limits, resolution : the range as for `data`, and the grid points along each axis.

    Raises InputError for unusable arrays and for an unknown feature or output, MissingLibraryError where
    matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 1, 1]
    >>> run = gn.train(gn.Network((2, 2)), X, y, random_state=0, iterations=20)
    >>> gn.plots.decision_boundary(run, X, y).axes[0].get_xlabel()
    'x₁'

    The samples of a slice lie off the plane: one may appear on the other side of the line and still be
    classified correctly. Rings depend on the sample itself.
    """
    check_run(run)
    samples = as_samples(X, width=run.network.sizes[0])
    field = make_field(run, class_names, output)
    projection = input_projection(run.network.sizes[0], samples, axes, feature_names)
    targets = field.targets(y, len(samples))
    cloud = make_cloud(samples, targets, projection, field)
    grid = make_grid(field, projection, spans(cloud.points, projection.dimensions, limits), resolution)
    figure = style.new_figure(*_size_for(grid.span, bar=not field.is_class))
    paper = style.flat_axes(figure, grid=projection.dimensions == 1)
    entries = style.sample_legend(targets)
    more: style.Entries = []
    if projection.dimensions == 1:
        curves = draw_curves(paper, grid)
        draw_over_line(paper, cloud, grid.span, predicted=True)
        entries = entries or curves
    else:
        draw_background(paper, grid, cloud.targets.values)
        if not field.is_class:
            style.color_bar(figure, paper, style.color_scale(cloud.targets.values), field.names[0])
        style.draw_samples(paper, cloud, cloud.points, grid.span)
        lines = boundary_lines(grid)
        for points in lines:
            paper.plot(*points.T, color=style.INK, linewidth=1.6, zorder=6)
        more = [(style.stroke(), field.border)] if lines else []
        more += _draw_rings(paper, cloud)
    set_view(paper, projection, grid.span)
    style.set_legend(paper, entries + more, len(entries))
    heading = title or ("Decision boundary" if field.is_class else f"Prediction of {field.names[0]}")
    score = counted(len(cloud.points), "sample")
    if field.is_class:
        score = f"{len(cloud.points) - cloud.n_wrong:,} of {score} classified correctly"
    notes = [score, cloud.note, projection.note, projection.slice_note if field.is_class else ""]
    style.set_title(figure, heading, notes)
    return figure


def draw_background(paper: Any, grid: Grid, values: Array, levels: int | Array = 8) -> None:
    """Draw the field over a plane: tints of the classes, or the colors of the samples' `values`.

    Contours of values are at so many `levels`, or at those.
    """
    place: Any = {"extent": grid.span.ravel(), "origin": "lower", "aspect": "auto", "zorder": 0}
    place["interpolation"] = "bilinear"
    if grid.field.is_class:
        paper.imshow(style.shades(grid.values, style.class_colors(len(grid.field.names))), **place)
        return
    low, high = style.value_range(values)
    paper.imshow(grid.values, cmap=style.VALUES, vmin=low, vmax=high, **place)
    if np.isfinite(grid.values).all() and np.ptp(grid.values) > 0:
        paper.contour(
            *grid.ticks, grid.values, levels=levels, colors="white", linewidths=0.6, alpha=0.7, zorder=1
        )


def _draw_rings(paper: Any, cloud: Cloud) -> style.Entries:
    """Draw rings around the misclassified samples, if few."""
    if not 0 < cloud.n_wrong <= _MOST_RINGS:
        return []
    look = {
        "linestyle": "",
        "marker": "o",
        "markersize": 6.5,
        "markerfacecolor": "none",
        "markeredgecolor": style.INK,
        "markeredgewidth": 0.9,
    }
    paper.plot(*cloud.points[cloud.wrong].T, zorder=7, **look)
    return [(style.dot(style.INK, **look), f"misclassified ({cloud.n_wrong:,})")]


def draw_curves(paper: Any, grid: Grid) -> style.Entries:
    """Draw the field over one coordinate: a curve for the probability of each class, or for the value."""
    ticks, values = grid.ticks[0], grid.values
    if not grid.field.is_class:
        paper.plot(ticks, values, color=style.OKABE_ITO[1], linewidth=2, zorder=5)
        return [(style.stroke(style.OKABE_ITO[1], 2), grid.field.quantity)]
    colors = style.class_colors(len(grid.field.names))
    for column, color in zip(values.T, colors, strict=True):
        paper.plot(ticks, column, color=color, linewidth=2, zorder=5)
    for place in crossings(grid):
        paper.axvline(place, color=style.INK, linewidth=1.2, linestyle=style.DASHES, zorder=4)
    paper.set_ylim(-0.08, 1.08)
    named = zip(grid.field.names, colors, strict=True)
    return [(style.stroke(color, 2), f"P({name})") for name, color in named]


def crossings(grid: Grid) -> list[float]:
    """The places over one coordinate where the leading class changes."""
    leader = grid.values.argmax(axis=-1)
    margins, ticks = grid.margins(), grid.ticks[0]
    places = []
    for i in np.flatnonzero(leader[1:] != leader[:-1]):
        before, after = margins[i : i + 2, leader[i]]
        x = before / (before - after) if before > after else 0.5
        places.append(float(ticks[i] + x * (ticks[i + 1] - ticks[i])))
    return places


def draw_over_line(paper: Any, cloud: Cloud, span: Array, predicted: bool = False) -> None:
    """Draw samples over one coordinate: a value at its height, each class in its own strip."""
    points, label = style.over_line(cloud, predicted)
    shown = replace(cloud, points=points)
    box = np.vstack([span, spans(points[:, 1:], 1)])
    style.draw_samples(paper, shown, points, box, zorder=2 if predicted else 3)
    if cloud.targets.is_class and len(cloud.targets.names) != 2:
        paper.set_ylim(-0.08, 1.08)
    if cloud.targets.is_class and not predicted:
        style.name_strips(paper, cloud.targets.names)
    else:
        style.label_ticks(paper.yaxis)
    paper.set_ylabel(label if cloud.targets.is_class else plain(label), color=style.INK, fontsize=10)


def set_view(paper: Any, projection: Projection, span: Array) -> None:
    """Set the range, the ticks and the labels of axes over one or two coordinates."""
    paper.set_xlim(*span[0])
    if projection.dimensions == 2:
        paper.set_ylim(*span[1])
        if is_even(span):
            # At the lower left corner, so that the layout includes the labels there.
            paper.set_aspect("equal", anchor="SW")
        style.label_ticks(paper.yaxis)
    style.label_ticks(paper.xaxis)
    style.set_labels(paper, projection.labels)


def _size_for(span: Array, bar: bool = False) -> tuple[float, float]:
    """The size of a figure, in inches, that fits a plane in equal units and a color bar beside it."""
    if not is_even(span):
        return 7.2, 5.6
    aspect = float(np.ptp(span[1]) / np.ptp(span[0]))
    height = float(np.clip(4.9 * aspect, 2.6, 5.4))
    return float(np.clip(height / aspect + 0.9, 4.8, 7.2)) + 0.9 * bar, height + 1.0
