"""What each object shows in a notebook: HTML that is whole, small, escaped and without a script."""

from html.parser import HTMLParser

import numpy as np
import pytest

import glassnet as gn
from glassnet.utils.html import Html, cell_output, cell_table

NET = gn.Network((2, 8, 2))
X = np.random.RandomState(0).randn(60, 2)
Y = (X[:, 0] > 0).astype(int)
CLOSED_BY_THEMSELVES = {"meta", "br", "hr"}


class Page(HTMLParser):
    """The tags of a text, which must be closed in order, and the words between them."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.words.append(data)


def run_with_everything():
    def worse(targets, predicted):
        return float(np.mean(targets != predicted))

    worse.__name__ = "<b>&worse</b>"
    return gn.train(
        NET,
        X,
        Y,
        batch_size=8,
        iterations=30,
        validation=0.2,
        test=0.2,
        stopping=gn.EarlyStopping(patience=5),
        metrics=["accuracy", worse],
        random_state=0,
    )


def diverged():
    with pytest.warns(gn.DivergenceWarning):
        return gn.train(gn.Network((1, 1), output="identity"), [[9.0]], [1.0], random_state=0)


PEOPLE = {
    "age": [31.5, None, 45.0] * 20,
    "<b>town</b>": ["<i>ulm</i>", "", "graz"] * 20,
    "born": np.array(["1990-01-02", "NaT", "1980-03-04"] * 20, "M8[us]"),
    "n": range(60),
    "same": [1] * 60,
    "paid": [True, False, True] * 20,
}

SHOWN = {
    "table": lambda: gn.read_table(PEOPLE),
    "wide table": lambda: gn.read_table({f"column {k}": ["a long text " * 20] * 9 for k in range(500)}),
    "prepared table": lambda: gn.prepare_table(PEOPLE, "paid"),
    "columns of a wide table": lambda: (
        gn.prepare_table(
            {**{f"column {k}": np.arange(60.0) % (k + 2) for k in range(200)}, "y": [0, 1] * 30}, "y"
        ).columns
    ),
    "network": lambda: NET,
    "network without hidden layer": lambda: gn.Network((1, 1), output="identity"),
    "network of many layers": lambda: gn.Network((5,) * 60),
    "large network": lambda: gn.Network((784, *(100,) * 8, 10)),
    "run": lambda: gn.train(NET, X, Y, iterations=3000, random_state=0),
    "run of one epoch": lambda: gn.train(NET, X, Y, iterations=1, batch_size=8, random_state=0),
    "run of no epoch": lambda: gn.train(NET, X, Y, iterations=0, batch_size=8, random_state=0),
    "run with everything": run_with_everything,
    "run that diverged": diverged,
    "gradient check": lambda: gn.check_gradients(NET, NET.initialize(0), X, Y),
    "sweep": lambda: gn.sweep(NET, X, Y, grid={"learning_rate": [0.1, 1.0]}, random_state=0),
    "long sweep": lambda: gn.sweep(
        NET, X, Y, grid={"learning_rate": np.geomspace(0.01, 1, 40)}, random_state=0, iterations=5
    ),
    "sweep over folds": lambda: gn.sweep(
        NET, X, Y, grid={"learning_rate": [0.1, 1.0]}, folds=3, evaluate_every=10, random_state=0
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_cell_shows_whole_small_html_without_a_script(name):
    text = SHOWN[name]()._repr_html_()
    page = Page(text)
    assert len(text) < 30_000
    assert {tag for tag, _ in page.tags} <= {
        *("div", "b", "span", "table", "thead", "tbody", "tr", "th", "td"),
        *("svg", "title", "g", "line", "circle", "polyline", "text"),
    }
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert "nan" not in text


def test_cell_escapes_all_text():
    text = run_with_everything()._repr_html_()
    assert "<b>&worse" not in text
    assert "<b>&worse</b>" in Page(text).words
    table = cell_table(["<i>"], [["<td>"], [Html("<i>x</i>")]])
    assert Page(cell_output("<script>", ['"&"'], table)).words == ["<script>", '"&"', "<i>", "<td>", "x"]


def test_network_shows_sizes_functions_and_parameters():
    words = Page(gn.Network((20, 300, 1), hidden="tanh", output="identity")._repr_html_()).words
    assert {"20", "300", "tanh", "identity", "6,000", "6,601 parameters, loss squared_error"} <= set(words)


def test_run_shows_status_curves_and_the_best_iteration():
    run = run_with_everything()
    page = Page(run._repr_html_())
    assert [tag for tag, _ in page.tags].count("polyline") == 3
    assert {"training", "validation", "test", "epochs", "mean loss", "best"} <= set(page.words)
    best = int(np.flatnonzero(run.validation_iterations == run.best_iteration)[0])
    assert f"{run.validation_losses[best]:.6g}" in page.words
    assert f"at the best, {run.best_iteration:,}" in page.words


def test_curve_of_many_iterations_keeps_each_spike():
    losses = np.full(100_001, 0.5)
    losses[[12_345, 77_777]] = 9.0, 0.001
    run = gn.train(NET, X, Y, iterations=1, random_state=0)
    object.__setattr__(run, "losses", losses)
    text = run._repr_html_()
    points = next(a["points"] for tag, a in Page(text).tags if tag == "polyline").split()
    assert len(points) < 1000
    assert len({point.split(",")[1] for point in points}) == 3


def test_run_that_diverged_says_so_in_color():
    span = next(attributes for tag, attributes in Page(diverged()._repr_html_()).tags if tag == "span")
    assert "color" in span["style"]


def test_gradient_check_shows_its_verdict_and_the_worst_entries():
    theta = NET.initialize(0)
    gradient = gn.loss_and_gradient(NET, theta, X, Y)[1].flat.copy()
    gradient[3] *= 2
    check = gn.check_gradients(NET, theta, X, Y, gradient=gradient)
    words = Page(check._repr_html_()).words
    assert check.verdict in words
    assert words[words.index("verdict") + 1] == check.worst.label == "W1[0, 3]"


def test_sweep_marks_its_winner_and_shows_the_best_of_many():
    result = SHOWN["long sweep"]()
    page = Page(result._repr_html_())
    best = page.words.index("best")
    assert page.words[best + 1] == f"{result.best.settings['learning_rate']:.6g}"
    assert "the best 20 of 40:" in page.words
    assert sum(tag == "tr" for tag, _ in page.tags) == 21


def test_table_shows_its_first_rows_and_names_its_columns():
    table = gn.read_table(PEOPLE)
    words = Page(table._repr_html_()).words
    assert words[0] == "Table of 60 rows and 6 columns from a dict of columns"
    assert {"<b>town</b>", "<i>ulm</i>", "31.5", "the first 5 rows:"} <= set(words)
    assert len(repr(table)) < 200


def test_prepared_table_shows_what_each_column_is_taken_for():
    data = gn.prepare_table(PEOPLE, "paid")
    words = Page(data._repr_html_()).words
    assert [*data.columns.HEADER] == [word for word in words if word in data.columns.HEADER][-8:]
    assert {"left out", "constant", "<b>town</b>", *data.notes} <= set(words)
