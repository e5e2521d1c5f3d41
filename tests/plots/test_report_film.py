"""The report's film: under a slider, the answers are those that training had."""

import base64
import json
import re

import numpy as np
import pytest

import glassnet as gn
from glassnet.plots.report import film as report_film

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """`page(tape, X, y, **extra)`: the report of a tape, without plotly.js."""
    import plotly.offline

    monkeypatch.setattr(plotly.offline, "get_plotlyjs", lambda: "/* plotly.js */")

    def do(tape, rows, y, **extra):
        path = tmp_path / "report.html"
        gn.report.write_report(path, run=tape.run, X=rows, y=y, film=tape, **extra)
        return path.read_text(encoding="utf-8")

    return do


def film_in(text):
    """The figure of the film in a page."""
    return json.loads(re.search(r'id="film-data">(.*?)</script>', text, re.S)[1])


def tape_of(network, rows, y, n, **settings):
    tape = gn.Tape(network, rows, y, random_state=0, **settings)
    tape.advance(n)
    return tape


def array(block):
    values = np.frombuffer(base64.b64decode(block["bdata"]), f"<{block['dtype']}")
    return values.reshape([int(n) for n in block["shape"].split(",")]) if "shape" in block else values


def shown_at(picture, step):
    """The figure at a step, as the page puts it together."""
    traces = step["traces"]
    return [{**trace, **traces.get(str(place), {})} for place, trace in enumerate(picture["data"])]


KINDS = {
    "two classes": (gn.Network((2, 4, 2), hidden="tanh"), X, Y),
    "three classes": (gn.Network((2, 4, 3), hidden="tanh"), X, Y + (X[:, 0] > 1)),
    "a quantity over a plane": (gn.Network((2, 4, 1), hidden="tanh", output="identity"), X, X[:, 0] ** 2),
    "a quantity over a line": (
        gn.Network((1, 4, 1), hidden="tanh", output="identity"),
        X[:, :1],
        X[:, 0] ** 2,
    ),
    "classes over a line": (gn.Network((1, 4, 2), hidden="tanh"), X[:, :1], Y),
}


@pytest.mark.parametrize("kind", KINDS)
def test_film_has_a_figure_that_plotly_accepts_at_each_step(kind, page):
    from plotly.graph_objects import Figure

    network, rows, y = KINDS[kind]
    tape = tape_of(network, rows, y, 60, optimizer="adam")
    made = page(tape, rows, y)
    picture = film_in(made)
    labels = [step["label"] for step in picture["steps"]]
    assert labels[0].startswith("start · iteration 0 · loss ")
    assert labels[-1].startswith("end · iteration 60 · loss ")
    slider = dict(re.findall(r'([\w-]+)="([^"]*)"', re.search("<input (.*?)>", made)[1]))
    assert (slider["type"], slider["max"], slider["value"]) == (
        "range",
        str(len(labels) - 1),
        slider["max"],
    )
    assert slider["aria-valuetext"] == labels[-1]
    assert f"<output>{labels[-1]}</output>" in made
    for step in picture["steps"][:: len(labels) - 1]:
        Figure(data=shown_at(picture, step), layout=picture["layout"])
    assert picture["data"] == shown_at(picture, picture["steps"][-1])


def test_film_shows_the_probabilities_that_the_network_gave_then(page):
    network, rows, y = KINDS["two classes"]
    tape = tape_of(network, rows, y, 60, optimizer="adam")
    picture = film_in(page(tape, rows, y))
    step = picture["steps"][len(picture["steps"]) // 2]
    traces = shown_at(picture, step)
    dot = traces[-1]
    state = tape.at(dot["x"][0])
    assert dot["y"] == [state.losses[-1]]
    ground = next(trace for trace in traces if trace["type"] == "heatmap")
    points = np.stack(np.meshgrid(array(ground["x"]), array(ground["y"])), axis=-1).reshape(-1, 2)
    expected = state.predict_proba(points)[:, 1].reshape(array(ground["z"]).shape)
    np.testing.assert_allclose(array(ground["z"]), expected, atol=1e-5)


def test_film_shows_the_curve_that_the_network_drew_then(page):
    network, rows, y = KINDS["a quantity over a line"]
    tape = tape_of(network, rows, y, 60, optimizer="adam")
    picture = film_in(page(tape, rows, y))
    traces = shown_at(picture, picture["steps"][3])
    curve = next(trace for trace in traces if trace["name"].startswith("predicted"))
    state = tape.at(traces[-1]["x"][0])
    np.testing.assert_allclose(array(curve["y"]), state.predict(array(curve["x"])[:, None]), atol=1e-4)


def test_film_of_a_single_state_is_left_out(page):
    network, rows, y = KINDS["two classes"]
    made = page(gn.Tape(network, rows, y, random_state=0), rows, y)
    assert 'id="film-data"' not in made
    assert "How it learned" not in made


def test_lines_of_several_borders_are_one_with_gaps():
    joined = report_film._joined([np.ones((2, 2)), np.zeros((3, 2))])
    assert np.isnan(joined[:, 0]).tolist() == [True, False, False, True, False, False, False, True]
    assert np.isnan(report_film._joined([])).all()


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.02, 0.7], {"tickvals", "ticktext"}), ([1e-9, 1.0], {"dtick"})],
)
def test_logarithmic_axis_has_few_ticks(values, ticks):
    assert set(report_film._log_ticks(np.array(values))) == ticks
