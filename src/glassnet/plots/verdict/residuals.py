"""What a network leaves unexplained of a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.predictions import HeldOut, Predictions, head, make_predictions, notes, panels
from glassnet.plots.projection import spans
from glassnet.plots.quantities import draw_dots
from glassnet.training.run import TrainingRun
from glassnet.utils.words import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST, _BINS = 40, 12


def residual_points(rows: Predictions) -> Array:
    """Predicted, and actual - predicted, (n, 2)."""
    return np.column_stack([rows.predicted, rows.errors])


def residual_box(points: Sequence[Array]) -> Array:
    """The limits of both axes for all points, with the line at 0."""
    return spans(np.vstack([*points, [[points[0][0, 0], 0.0]]]), 2)


def running_median(rows: Predictions) -> Array:
    """The median residual (k, 2) of up to a dozen bins of as many rows each, by predicted value.

    Fewer than forty rows have none.
    """
    if len(rows.actual) < _LEAST or np.ptp(rows.predicted) == 0:
        return np.empty((0, 2))
    order = np.argsort(rows.predicted, kind="stable")
    parts = np.array_split(order, min(_BINS, len(order) // 10))
    return np.array([(np.median(rows.predicted[part]), np.median(rows.errors[part])) for part in parts])


def residuals(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str | None = None,
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw the residuals, actual minus predicted, against the predicted values.

    Where the network is right on the average, they scatter evenly about the line at 0: a bent median line
    shows what it misses, a funnel that it errs more where values are large. There is a panel for each set
    of rows, and the arguments are those of `regression`.

    Raises InputError and MissingLibraryError as `regression`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
    >>> gn.plots.residuals(run, X, y).axes[0].get_ylabel()
    'actual - predicted'

    scikit-learn's `PredictionErrorDisplay` draws the same without the median.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=False)
    figure, papers = panels(len(sets))
    ends, medians = ([of(rows) for rows in sets] for of in (residual_points, running_median))
    box = residual_box(ends)
    entries: style.Entries = [(style.stroke(style.FAINT, 1.2), "no error")]
    for number, (paper, rows, points) in enumerate(zip(papers, sets, ends, strict=True)):
        draw_dots(paper, rows, points, number, box)
        paper.axhline(0.0, color=style.FAINT, linewidth=1.2, zorder=4)
        paper.plot(*medians[number].T, color=style.INK, linewidth=1.8, zorder=5)
        paper.set(xlim=box[0], ylim=box[1])
        paper.locator_params(nbins=4)
        style.label_ticks(paper.xaxis)
        style.label_ticks(paper.yaxis)
        style.set_labels(paper, [f"predicted {field.names[0]}", "actual - predicted"])
        head(paper, f"{rows.name}: root mean square error {readable(rows.rmse, 4)}")
    if any(map(len, medians)):
        entries.insert(0, (style.stroke(width=1.8), "median"))
    style.set_legend(papers[0], entries)
    style.set_title(figure, title or f"Residuals of {field.names[0]}", notes(sets))
    return figure
