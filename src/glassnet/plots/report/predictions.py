"""The report's pictures of predicted against actual targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.classes import ClassCurve, precision_curves, roc_curves, worst_classes
from glassnet.plots.picture_data import Field, Targets
from glassnet.plots.predictions import Predictions
from glassnet.plots.projection import spans
from glassnet.plots.quantities import error_counts, fitted_line, value_span
from glassnet.plots.report.page import figure, sentence
from glassnet.plots.report.traces import (
    Picture,
    Trace,
    make_axis,
    make_bars,
    make_layout,
    make_line,
    make_samples,
    packed,
    plane_axes,
    text,
    upright,
)
from glassnet.plots.verdict.calibration import calibration_of
from glassnet.plots.verdict.residuals import residual_box, residual_points, running_median
from glassnet.utils.html import Html
from glassnet.utils.words import short_names

_EQUAL = {"color": style.FAINT, "width": 1.5, "dash": "dash"}
_MOST_POINTS = 2000  # of a curve of precision


def prediction_figures(field: Field, sets: Sequence[Predictions]) -> list[Html]:
    """The figures of a report: of quantities regression and errors, of classes the ROC."""
    if field.is_class:
        curves, few = _shown_curves(field, sets)
        words = (
            "The share of a class's samples that are predicted as it, against that of the others, as the "
            f"threshold falls; the area under a curve (AUC) is 1 where the class is told apart.{few}"
        )
        return [figure("roc", "Receiver operating characteristic", roc_picture(curves), words)]
    name = field.names[0]
    fits = "; ".join(f"{rows.name} {fitted_line(rows)[1]}" for rows in sets)
    return [
        figure(
            "regression",
            f"Predicted against actual {name}",
            regression_picture(sets, name),
            f"{sentence(fits)} On the dashed line both are equal; the others fit by least squares.",
        ),
        figure(
            "errors",
            f"The errors of {name}",
            errors_picture(sets),
            "How often each size of error occurs; the line is no error.",
        ),
    ]


def regression_picture(sets: Sequence[Predictions], name: str) -> Picture:
    """The predicted values against the actual ones."""
    span, labels = value_span(sets), (name, "predicted")
    box = np.stack([span, span])
    points = [np.column_stack([rows.actual, rows.predicted]) for rows in sets]
    lines = [
        np.empty((0, 2)) if line is None else np.column_stack([span, line[0] * span + line[1]])
        for line, _ in map(fitted_line, sets)
    ]
    traces = _sets_with_lines(sets, points, lines, labels, box)
    traces.append(make_line(box.T, "predicted = actual", line=_EQUAL))
    return {"data": traces, "layout": make_layout(**plane_axes(labels, box))}


def residuals_picture(sets: Sequence[Predictions], name: str) -> Picture:
    """Actual minus predicted against the predicted values."""
    points, labels = [residual_points(rows) for rows in sets], (f"predicted {name}", "actual - predicted")
    box = residual_box(points)
    traces = _sets_with_lines(sets, points, [running_median(rows) for rows in sets], labels, box)
    zero = np.column_stack([box[0], [0.0, 0.0]])
    traces.append(make_line(zero, "no error", legend=False, line=_EQUAL))
    x, y = (make_axis(label, span) for label, span in zip(labels, box, strict=True))
    return {"data": traces, "layout": make_layout(xaxis=x, yaxis=y)}


def _sets_with_lines(
    sets: Sequence[Predictions],
    points: Sequence[Array],
    lines: Sequence[Array],
    labels: Sequence[str],
    box: Array,
) -> list[Trace]:
    """The points of each set of rows in its color, and a line over them, (0, 2) for none."""
    numbers = np.repeat(np.arange(len(sets)), [len(some) for some in points])
    targets = Targets(numbers, tuple(rows.name for rows in sets), is_class=True)
    traces = make_samples(np.concatenate(points), targets, labels, box)
    for rows, line, color in zip(sets, lines, style.class_colors(len(sets)), strict=True):
        if len(line):
            look = {"color": color, "width": 2}
            traces.append(make_line(line, text(rows.name), legend=False, line=look))
    return traces


def errors_picture(sets: Sequence[Predictions]) -> Picture:
    """How often each size of error occurs."""
    edges, counts = error_counts(sets)
    names = [rows.name for rows in sets]
    bars = make_bars(edges, counts, names, line={"color": "white", "width": 1})
    layout = make_layout(
        xaxis=make_axis("actual - predicted", spans(np.append(edges, 0.0)[:, None], 1)[0]),
        yaxis=make_axis("samples"),
        barmode="stack",
        shapes=[upright(0.0)],
        showlegend=True,
    )
    layout["legend"]["traceorder"] = "normal"
    return {"data": bars, "layout": layout}


def _shown_curves(field: Field, sets: Sequence[Predictions]) -> tuple[list[tuple[str, ClassCurve]], str]:
    """The curves to draw, with the entries of their legend, and a sentence where some are left out.

    Of two classes that of each set of rows, of more those of the last set.
    """
    if len(field.names) == 2:
        named = [(rows.name, curve) for rows in sets for curve in roc_curves(rows, field.names)]
        return [(f"{name}, {curve.words}", curve) for name, curve in named], ""
    curves = roc_curves(sets[-1], field.names)
    worst = worst_classes([curves])
    shown = [curve for curve in curves if curve.number in worst]
    few = f" {len(shown)} of {len(field.names)} classes," if len(shown) < len(field.names) else ""
    return [(c.words, c) for c in shown], f" Here{few} of the {sets[-1].name} samples."


def roc_picture(curves: Sequence[tuple[str, ClassCurve]]) -> Picture:
    """The curve of each entry."""
    chance = make_line(np.array([[0.0, 0.0], [1.0, 1.0]]), "chance", legend=False, line=_EQUAL)
    return _curves_picture(curves, [chance], ["false positive rate", "true positive rate"])


def precision_picture(field: Field, sets: Sequence[Predictions]) -> Picture:
    """The precision over the recall of the second class, of each set of rows; dashed, its share of them."""
    curves, shares = [], []
    for rows, color in zip(sets, style.class_colors(len(sets)), strict=True):
        for curve in precision_curves(rows, field.names):
            step = max(1, len(curve.x) // _MOST_POINTS)
            x, y = (np.append(values[:-1:step], values[-1]) for values in (curve.x, curve.y))
            curves.append((f"{rows.name}, {curve.words}", curve._replace(x=x, y=y)))
            share = np.column_stack([[0.0, 1.0], 2 * [np.mean(rows.actual == curve.number)]])
            shares.append(make_line(share, "share", legend=False, line={**_EQUAL, "color": color}))
    return _curves_picture(curves, shares, ["recall", "precision"], shape="hv")


def _curves_picture(
    curves: Sequence[tuple[str, ClassCurve]], beside: Sequence[Trace], labels: Sequence[str], **line: str
) -> Picture:
    """Each curve with its entry in the legend, and lines to compare them with."""
    lines = [
        make_line(
            np.column_stack([curve.x, curve.y]),
            text(words, 60),
            line={"color": color, "width": 2, "simplify": False, **line},
        )
        for (words, curve), color in zip(curves, style.class_colors(len(curves)), strict=True)
    ]
    x, y = (make_axis(label, (-0.01, 1.01)) for label in labels)
    return {"data": [*lines, *beside], "layout": make_layout(xaxis=x, yaxis=y, showlegend=True)}


def quality_figures(field: Field, sets: Sequence[Predictions]) -> list[Html]:
    """Of quantities the residuals, of classes calibration, and of two also precision and recall."""
    if not field.is_class:
        words = (
            "Where the network is right on the average, the residuals scatter evenly about 0; the lines "
            "are the medians of a dozen bins."
        )
        name = field.names[0]
        return [figure("residuals", f"The residuals of {name}", residuals_picture(sets, name), words)]
    names = short_names(field.names)
    given = f"P({names[1]})" if len(names) == 2 else "the probability of the class answered"
    parts = [f"{rows.name} {calibration_of(rows).brier:.3g}" for rows in sets]
    words = (
        f"How often {given} comes true: on the dashed line, of rows given 70 %, 70 % are right. Lines are "
        f"95 % intervals. Brier score: {', '.join(parts)}."
    )
    figures = [figure("calibration", "Calibration", calibration_picture(sets, given), words)]
    if len(names) == 2:
        words = sentence(
            f"How many rows answered {names[1]} are of it, against how many of its rows are found"
        )
        figures.append(figure("precision", "Precision and recall", precision_picture(field, sets), words))
    return figures


def calibration_picture(sets: Sequence[Predictions], given: str) -> Picture:
    """The share that came true by bin of the probability, with intervals."""
    traces = [make_line(np.array([[0.0, 0.0], [1.0, 1.0]]), "calibrated", legend=False, line=_EQUAL)]
    for rows, color in zip(sets, style.class_colors(len(sets)), strict=True):
        found = calibration_of(rows)
        low, high = np.maximum(np.abs(found.interval - found.actual), 0).tolist()
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": text(rows.name),
                "x": packed(found.predicted),
                "y": packed(found.actual),
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": high,
                    "arrayminus": low,
                    "width": 0,
                },
                "line": {"color": color, "width": 1.5},
                "marker": {"size": 7},
                "customdata": found.counts.tolist(),
                "hovertemplate": "%{y:.1%} of %{customdata:,d} rows, given %{x:.1%}<extra></extra>",
            }
        )
    axes: list[dict[str, Any]] = [
        make_axis(words, (-0.02, 1.02)) for words in (given, "share that came true")
    ]
    return {"data": traces, "layout": make_layout(xaxis=axes[0], yaxis=axes[1], showlegend=True)}
