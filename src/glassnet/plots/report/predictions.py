"""The report's pictures of predicted against actual targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassnet.plots import style
from glassnet.plots.classes import RocCurve, roc_curves, worst_classes
from glassnet.plots.picture_data import Field, Targets
from glassnet.plots.predictions import Predictions
from glassnet.plots.projection import spans
from glassnet.plots.quantities import error_counts, fitted_line, value_span
from glassnet.plots.report.page import figure, sentence
from glassnet.plots.report.traces import (
    Picture,
    make_axis,
    make_bars,
    make_layout,
    make_line,
    make_samples,
    plane_axes,
    text,
    upright,
)
from glassnet.utils.html import Html

_EQUAL = {"color": style.FAINT, "width": 1.5, "dash": "dash"}


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
    span, names = value_span(sets), tuple(rows.name for rows in sets)
    points = [np.column_stack([rows.actual, rows.predicted]) for rows in sets]
    numbers = np.repeat(np.arange(len(sets)), [len(some) for some in points])
    labels = name, "predicted"
    traces = make_samples(
        np.concatenate(points), Targets(numbers, names, is_class=True), labels, np.stack([span, span])
    )
    traces.append(make_line(np.column_stack([span, span]), "predicted = actual", line=_EQUAL))
    for rows, color in zip(sets, style.class_colors(len(sets)), strict=True):
        line, _ = fitted_line(rows)
        if line is not None:
            ends = np.column_stack([span, line[0] * span + line[1]])
            look = {"color": color, "width": 2}
            traces.append(make_line(ends, text(rows.name), legend=False, line=look))
    return {"data": traces, "layout": make_layout(**plane_axes(labels, np.stack([span, span])))}


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


def _shown_curves(field: Field, sets: Sequence[Predictions]) -> tuple[list[tuple[str, RocCurve]], str]:
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


def roc_picture(curves: Sequence[tuple[str, RocCurve]]) -> Picture:
    """The curve of each entry."""
    colors = style.class_colors(max(len(curves), 1))
    lines = [
        make_line(
            np.column_stack([curve.false, curve.true]),
            text(words, 60),
            line={"color": color, "width": 2, "simplify": False},
        )
        for (words, curve), color in zip(curves, colors, strict=False)
    ]
    chance = make_line(np.array([[0.0, 0.0], [1.0, 1.0]]), "chance", legend=False, line=_EQUAL)
    rates: list[dict[str, Any]] = [
        make_axis(f"{kind} positive rate", (-0.01, 1.01)) for kind in ("false", "true")
    ]
    return {
        "data": [*lines, chance],
        "layout": make_layout(xaxis=rates[0], yaxis=rates[1], showlegend=True),
    }
