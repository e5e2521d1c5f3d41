"""The report's verdict: its table and sentences, what the answers rest on, the columns and the mistakes."""

import json
import re

import numpy as np
import pytest
from drawing import HOSTILE, make_run
from plotly import graph_objects

import glassnet as gn
from glassnet.data.tables.columns import ColumnInfo, ColumnTable
from glassnet.diagnostics.verdict import Column, Question, judge, look_into, of_inputs

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(80, 2)
CLASSES = (X[:, 0] > 0).astype(int)


def columns():
    numbers = of_inputs(X, [HOSTILE, "b"], np.array([100.0, 0.0]), np.array([20.0, 1.0]))
    return [numbers[0], Column("b", (1,), np.arange(2.0), np.array([[-1.0], [1.0]]), ("low", HOSTILE))]


def written(tmp_path, count, held_out=20, **more):
    """The page of a run of `count` classes, or of a quantity with 0, and its pictures by anchor."""
    names = tuple(f"{HOSTILE} {i}" for i in range(count)) or None
    run = make_run((2, 3, count or 1), output="softmax" if count else "identity")
    y = np.arange(80) % count if count else X[:, 0] * 1e5
    split = slice(0, 80 - held_out), slice(80 - held_out, 80)
    (A, a), (B, b) = ((X[part], y[part]) for part in split)
    asked = Question(A, a, B, b, HOSTILE, names)
    answer = (
        (lambda X: run.network.predict_proba(run.theta, X))
        if count
        else (lambda X: run.network.predict(run.theta, X)[:, 0])
    )
    path = gn.report.write_report(
        tmp_path / "report.html",
        run=run,
        X=A,
        y=a,
        held_out=(B, b),
        class_names=names or [HOSTILE],
        verdicts=[judge(asked, answer, baselines=False)],
        insights=[look_into(asked, answer, columns(), lambda row: f"line {row}")],
        **more,
    )
    page = path.read_text("utf-8")
    found = re.findall(
        r'<script type="application/json" id="([\w-]+)-data">(.*?)</script>', page, re.DOTALL
    )
    return page, {anchor: json.loads(text) for anchor, text in found}


@pytest.mark.parametrize(("count", "held_out"), [(2, 20), (0, 20), (12, 20), (2, 2), (0, 2)])
def test_report_shows_the_verdict_and_what_it_rests_on(count, held_out, tmp_path):
    page, pictures = written(tmp_path, count, held_out)
    for picture in pictures.values():
        graph_objects.Figure(picture)
    quality = {0: {"residuals"}, 2: {"calibration", "precision"}, 12: {"calibration"}}[count]
    assert {"models0", "importance0", "along0_0", "along0_1", *quality} <= set(pictures)
    assert ("precision" in pictures) == (count == 2)
    assert "<script>alert" not in page
    assert f"on {held_out} held-out rows" in page
    assert "The worst mistakes on held-out rows" in page
    assert "line " in page


def test_report_draws_along_a_column_in_its_own_unit(tmp_path):
    _, pictures = written(tmp_path, 0)
    kinds = {picture["data"][0]["type"] for name, picture in pictures.items() if name.startswith("along")}
    assert kinds == {"scatter", "bar"}  # numbers and categories
    ticks = [
        picture["layout"]["xaxis"].get("ticktext") for name, picture in pictures.items() if "along" in name
    ]
    assert any(text and text[0] == "low" for text in ticks)


def test_report_draws_all_columns_over_one_range_of_answers(tmp_path):
    _, pictures = written(tmp_path, 0)
    ranges = [picture["layout"]["yaxis"]["range"] for name, picture in pictures.items() if "along" in name]
    assert len(ranges) > 1
    assert ranges == ranges[:1] * len(ranges)


def test_report_lists_the_columns_of_a_table_and_leaves_out_what_there_is_not(tmp_path):
    page, _ = written(tmp_path, 2)
    assert "The columns</h2>" not in page
    long = "as long as a sentence that breaks"
    rows = [ColumnInfo(HOSTILE, "number", "numbers", "feature", 3, 97, 5, "1 to 9", 2)]
    rows.append(ColumnInfo("b", "text", long, "left out", 0, 100, 90, ""))
    page, _ = written(tmp_path, 2, columns=ColumnTable(rows))
    assert 'id="columns">The columns</h2>' in page
    assert '<th scope="col">Kind</th>' in page
    assert f'<td class="word">{long}</td>' in page
    assert "<td>number</td>" in page  # short words never break


def test_report_without_held_out_rows_has_no_verdict(tmp_path):
    path = gn.report.write_report(tmp_path / "r.html", run=make_run((2, 3, 2)), X=X, y=CLASSES)
    page = path.read_text("utf-8")
    assert not {"verdict", "insight", "columns"} & set(re.findall(r'<h2 id="(\w+)"', page))
    assert "calibration-data" not in page
