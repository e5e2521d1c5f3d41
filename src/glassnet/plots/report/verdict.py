"""The report's verdict: scores beside simpler models', what the answers rest on, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet._types import Array
from glassnet.data.tables.columns import ColumnTable
from glassnet.diagnostics.verdict import MEASURES, Dependence, Insight, Verdict
from glassnet.diagnostics.verdict.record import write
from glassnet.plots import style
from glassnet.plots.report.page import figure
from glassnet.plots.report.traces import (
    Picture,
    Trace,
    make_axis,
    make_layout,
    packed,
    text,
)
from glassnet.plots.verdict.columns import MOST_BARS, answer_span, drawn_answers
from glassnet.utils.html import Html, join, table, tag
from glassnet.utils.words import readable, tidy

_BARS = {"type": "data", "thickness": 1.5, "width": 4}


def columns_table(columns: ColumnTable) -> Html:
    """What each column was taken for; lines break only in long cells."""
    rows = [[tidy(cell, 60) for cell in column.row()] for column in columns]
    cells = [[tag("td", cell, class_="word") if len(cell) > 24 else cell for cell in row] for row in rows]
    return table([name.capitalize() for name in columns.HEADER], cells, class_="words")


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
        f"Beside simpler models: {verdict.main}",
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
        score = entry.score(verdict.main)
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
                "error_x": {**_BARS, "symmetric": len(ends) < 2, **bars},
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
        "error_x": {**_BARS, "array": [one.deviation for one in shown]},
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
    names, label = drawn_answers(insight.dependences, insight.classes, insight.target)
    answers = one.answers.reshape(len(one.answers), -1)
    labels, traces = one.column.labels, []
    x: Array = np.arange(len(labels), dtype=float) if labels else one.column.levels
    for number, color in zip(names, style.class_colors(len(names)), strict=True):
        name = text(names[number])
        look: Trace = {"name": name, "x": packed(x), "y": packed(answers[:, number])}
        if labels and len(names) == 1:
            look |= {"type": "bar", "marker": {"color": color}}
        else:
            few = "lines+markers" if len(x) <= 12 else "lines"
            look |= {"type": "scatter", "mode": few, "line": {"color": color, "width": 2}}
        traces.append({**look, "hovertemplate": f"%{{x}}: %{{y:,.7~g}}<extra>{name}</extra>"})
    across = make_axis(one.column.label)
    if labels:
        across.update(tickvals=x.tolist(), ticktext=[text(label, 20) for label in labels])
    up = make_axis(label, answer_span(insight.dependences, names, insight.classes is not None))
    return {
        "data": traces,
        "layout": make_layout(xaxis=across, yaxis=up, showlegend=len(names) > 1),
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
