"""The report's verdict: scores beside simpler models', what the answers rest on, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.verdict import MEASURES, Dependence, Estimate, Insight, Verdict
from glassnet.diagnostics.verdict.record import write
from glassnet.plots import style
from glassnet.plots.picture_data import Field, Targets
from glassnet.plots.predictions import Predictions
from glassnet.plots.projection import spans
from glassnet.plots.report.page import figure, sentence
from glassnet.plots.report.traces import (
    Picture,
    Trace,
    make_axis,
    make_layout,
    make_line,
    make_samples,
    packed,
    text,
)
from glassnet.plots.verdict.columns import MOST_BARS, shown_classes
from glassnet.plots.verdict.curves import calibration_of, precision_curves
from glassnet.plots.verdict.residuals import running_median
from glassnet.utils.html import Html, join, table, tag
from glassnet.utils.words import readable, short_names, tidy

_EQUAL = {"color": style.FAINT, "width": 1.5, "dash": "dash"}
_MOST_POINTS = 2000  # of a curve of precision


def columns_table(columns: Sequence[Mapping[str, object]]) -> Html:
    """What each column was taken for: a row for each, under the keys of the first."""
    head = list(columns[0])
    rows = [[_cell(row.get(key, "")) for key in head] for row in columns]
    return table([key.capitalize() for key in head], rows, class_="words")


def _cell(value: object) -> object:
    """A cell, whose lines break only where it is long."""
    shown = tidy(value, 60) if isinstance(value, str) else value
    return tag("td", shown, class_="word") if isinstance(shown, str) and len(shown) > 24 else shown


def verdict_section(verdicts: Sequence[Verdict]) -> Html:
    """For each target the sentences, the table of scores, and a picture of those that decide."""
    return join([_of_target(verdict, verdicts, _verdict(verdict, n)) for n, verdict in enumerate(verdicts)])


def _of_target(one: Verdict | Insight, every: Sequence[Verdict | Insight], content: Html) -> Html:
    """The content, under a heading where it is of one target among several."""
    return join([*([tag("h3", f"Of {tidy(one.target)}")] if len(every) > 1 else []), content])


def _verdict(verdict: Verdict, number: int) -> Html:
    head, *rows = verdict.table
    words = [
        tag("p", words, class_="note good" if _good(verdict) and not place else "note")
        for place, words in enumerate(verdict.sentences)
    ]
    notes = [tag("p", words) for words in verdict.notes]
    picture = figure(
        f"models{number}",
        f"{verdict.main} beside simpler models",
        models_picture(verdict),
        "Lines hold 95 % of draws of the held-out rows with replacement. All learned from the same rows.",
        shape="small",
    )
    return join([*words, table(head, rows), *notes, tag("div", picture, class_="pictures")])


def _good(verdict: Verdict) -> bool:
    return verdict.sentences[0].startswith("The network wins")


def models_picture(verdict: Verdict) -> Picture:
    """The score that decides, of each who answered, with its interval."""
    traces: list[Trace] = []
    for place, entry in enumerate(verdict.entries):
        score = entry.scores.get(verdict.main, Estimate(None))
        if score.value is None:
            continue
        ends = [abs(end - score.value) for end in (score.high, score.low) if end is not None]
        bars = {"array": ends[:1], "arrayminus": ends[1:]} if len(ends) == 2 else {"array": [0.0]}
        color = style.OKABE_ITO[int(place == 0)]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "x": [score.value],
                "y": [place],
                "text": [write(verdict.main, score.value)],
                "textposition": "top center",
                "cliponaxis": False,
                "error_x": {"type": "data", "symmetric": len(ends) < 2, **bars, "thickness": 2, "width": 4},
                "marker": {"size": 9, "color": color},
                "hoverinfo": "skip",
            }
        )
    unit = f" ({verdict.target})" if MEASURES[verdict.main].kind == "unit" else ""
    ticks = {"tickformat": ",.0%"} if MEASURES[verdict.main].kind == "share" else {}
    names = [entry.name for entry in verdict.entries]
    rows = make_axis("", tickvals=list(range(len(names))), ticktext=names)
    rows["range"] = [len(names) - 0.5, -0.9]
    x = {**make_axis(f"{verdict.main}{unit}"), **ticks}
    return {"data": traces, "layout": make_layout(xaxis=x, yaxis=rows, showlegend=False)}


# ---- What the answers rest on -----------------------------------------------------------------------


def insight_section(insights: Sequence[Insight]) -> Html:
    """For each target the columns' importance, the answers along the strongest, and the worst mistakes."""
    return join([_of_target(insight, insights, _insight(insight, n)) for n, insight in enumerate(insights)])


def _insight(insight: Insight, number: int) -> Html:
    figures = []
    if insight.importances:
        few = f" The strongest {MOST_BARS} of them." if len(insight.importances) > MOST_BARS else ""
        words = (
            f"By how much {insight.unit} rises on held-out rows where a column is shuffled among these, "
            f"with the deviation of the shuffles.{few} Of columns that say the same each may look weak."
        )
        figures.append(
            figure(
                f"importance{number}",
                "The columns' importance",
                importance_picture(insight),
                words,
                shape="small" if len(insight.importances) <= 6 else "",
            )
        )
    for place, one in enumerate(insight.dependences):
        heading = f"Along {tidy(one.column.name)}"
        words = "The mean answer where all rows get this value in place of their own."
        picture = dependence_picture(one, insight)
        figures.append(figure(f"along{number}_{place}", heading, picture, words, shape="small"))
    parts = [tag("div", *figures, class_="pictures")] if figures else []
    return join([*parts, mistakes_table(insight)])


def importance_picture(insight: Insight) -> Picture:
    """A bar for each of the strongest columns."""
    shown = insight.importances[:MOST_BARS]
    places = list(range(len(shown)))
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": [one.rise for one in shown],
        "y": places,
        "error_x": {
            "type": "data",
            "array": [one.deviation for one in shown],
            "thickness": 1.5,
            "width": 3,
        },
        "marker": {"color": style.OKABE_ITO[0]},
        "hovertemplate": "%{x:,.7~g}<extra></extra>",
    }
    names = make_axis("", tickvals=places, ticktext=[text(one.name, 28) for one in shown])
    names["range"] = [len(shown) - 0.4, -0.6]
    return {
        "data": [trace],
        "layout": make_layout(xaxis=make_axis("rise of the error"), yaxis=names, showlegend=False),
    }


def dependence_picture(one: Dependence, insight: Insight) -> Picture:
    """A curve over a column of numbers, or a bar for each category; of classes up to eight."""
    names = None if insight.classes is None else short_names(insight.classes)
    chosen = [0] if names is None else shown_classes(insight.dependences, names)
    answers = one.answers[:, None] if one.answers.ndim == 1 else one.answers
    labels, traces = one.column.labels, []
    x: Array = np.arange(len(labels), dtype=float) if labels else one.column.levels
    for number, color in zip(chosen, style.class_colors(len(chosen)), strict=True):
        name = text(insight.target) if names is None else text(names[number])
        look: Trace = {"name": name, "x": packed(x), "y": packed(answers[:, number])}
        if labels and len(chosen) == 1:
            look |= {"type": "bar", "marker": {"color": color}}
        else:
            few = "lines+markers" if len(x) <= 12 else "lines"
            look |= {"type": "scatter", "mode": few, "line": {"color": color, "width": 2}}
        traces.append({**look, "hovertemplate": f"%{{x}}: %{{y:,.7~g}}<extra>{name}</extra>"})
    label = f"mean predicted {insight.target}" if names is None else "mean probability"
    if names is not None and len(names) == 2:
        label = f"mean P({names[1]})"
    across = make_axis(one.column.label)
    if labels:
        across.update(tickvals=x.tolist(), ticktext=[text(label, 20) for label in labels])
    up = make_axis(label, rangemode="normal" if names is None else "tozero")
    return {
        "data": traces,
        "layout": make_layout(xaxis=across, yaxis=up, showlegend=len(chosen) > 1),
    }


def mistakes_table(insight: Insight) -> Html:
    """The rows that were answered worst."""
    of_classes = insight.classes is not None
    heading = tag("h3", "The worst mistakes on held-out rows")
    if not insight.mistakes:
        return join([heading, tag("p", "There are none.")])
    last = "probability given to the actual class" if of_classes else "actual - predicted"
    rows = [
        (one.where, tidy(one.actual), tidy(one.predicted), readable(one.size, 3 if of_classes else 6))
        for one in insight.mistakes
    ]
    return join([heading, table(["row", "actual", "predicted", last], rows)])


# ---- Predicted and actual, further -------------------------------------------------------------------


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
        picture = precision_picture(sets, field.names)
        figures.append(figure("precision", "Precision and recall", picture, words))
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


def precision_picture(sets: Sequence[Predictions], names: tuple[str, ...]) -> Picture:
    """The precision over the recall, of each set of rows; dashed, the share of the class."""
    traces: list[Trace] = []
    for rows, color in zip(sets, style.class_colors(len(sets)), strict=True):
        for curve in precision_curves(rows, names):
            step = max(1, len(curve.recall) // _MOST_POINTS)
            points = np.column_stack([curve.recall, curve.precision])
            points = np.vstack([points[:-1:step], points[-1:]])
            line = {"color": color, "width": 2, "shape": "hv", "simplify": False}
            traces.append(make_line(points, text(f"{rows.name}, {curve.words}", 60), line=line))
            share = np.array([[0.0, curve.share], [1.0, curve.share]])
            traces.append(make_line(share, "share", legend=False, line={**_EQUAL, "color": color}))
    axes = [make_axis(words, (-0.01, 1.02)) for words in ("recall", "precision")]
    return {"data": traces, "layout": make_layout(xaxis=axes[0], yaxis=axes[1], showlegend=True)}


def residuals_picture(sets: Sequence[Predictions], name: str) -> Picture:
    """Predicted minus actual against the predicted values."""
    points = [np.column_stack([rows.predicted, -rows.errors]) for rows in sets]
    every = np.concatenate(points)
    box = spans(np.vstack([every, [[every[0, 0], 0.0]]]), 2)
    numbers = np.repeat(np.arange(len(sets)), [len(some) for some in points])
    labels = f"predicted {name}", "predicted - actual"
    targets = Targets(numbers, tuple(rows.name for rows in sets), is_class=True)
    traces = make_samples(every, targets, labels, box)
    zero = np.column_stack([box[0], [0.0, 0.0]])
    traces.append(make_line(zero, "no error", legend=False, line=_EQUAL))
    for rows, color in zip(sets, style.class_colors(len(sets)), strict=True):
        line = running_median(rows)
        if len(line):
            look = {"color": color, "width": 2.5}
            traces.append(make_line(line, text(rows.name), legend=False, line=look))
    x, y = (make_axis(label, span) for label, span in zip(labels, box, strict=True))
    return {"data": traces, "layout": make_layout(xaxis=x, yaxis=y)}
