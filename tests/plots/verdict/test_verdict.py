"""The pictures of the verdict: what they count, and that they bear healthy and extreme rows."""

import numpy as np
import pytest
from drawing import HOSTILE, make_run, texts
from sklearn.calibration import calibration_curve

import glassnet as gn
from glassnet.diagnostics.verdict import Column, Importance, Question, dependences, judge
from glassnet.plots.classes import precision_curves
from glassnet.plots.predictions import Predictions
from glassnet.plots.verdict.calibration import calibration_of
from glassnet.plots.verdict.residuals import running_median

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(60, 2)
CLASSES = (X[:, 0] > 0).astype(int)


def rows_of(p, actual):
    return Predictions("held-out", np.zeros((len(p), 1)), actual, np.column_stack([1 - p, p]), len(p))


def test_calibration_is_scikit_learns_with_intervals_about_it():
    p = RANDOM.rand(400)
    actual = (RANDOM.rand(400) < p).astype(int)
    found = calibration_of(rows_of(p, actual))
    theirs, their_p = calibration_curve(actual, p, n_bins=10, strategy="quantile")
    assert found.actual == pytest.approx(theirs, abs=0.03)
    assert found.predicted == pytest.approx(their_p, abs=0.01)
    assert found.counts.sum() == 400
    low, high = found.interval
    assert np.mean((low <= found.predicted) & (found.predicted <= high)) >= 0.8
    assert found.brier == pytest.approx(np.mean((p - actual) ** 2))


@pytest.mark.parametrize("p", [np.full(30, 0.4), np.array([0.1, 0.9]), np.repeat([0.0, 1.0], 20)])
def test_equal_probabilities_share_a_bin(p):
    found = calibration_of(rows_of(p, np.zeros(len(p), int)))
    assert found.counts.sum() == len(p)
    assert len(np.unique(found.predicted)) == len(found.predicted)


def test_a_class_without_rows_has_no_precision():
    assert precision_curves(rows_of(RANDOM.rand(20), np.zeros(20, int)), ("a", "b")) == []
    (curve,) = precision_curves(rows_of(RANDOM.rand(20), np.ones(20, int)), ("a", "b"))
    assert (curve.area, curve.y.min()) == (1.0, 1.0)


def test_the_median_residual_shows_a_bend():
    x = np.linspace(-1, 1, 200)
    rows = Predictions("training", x[:, None], x**2, x, 200)
    line = running_median(rows)
    assert len(line) == 12
    assert line[:, 1] == pytest.approx(line[:, 0] ** 2 - line[:, 0], abs=0.02)
    assert len(running_median(Predictions("training", x[:5, None], x[:5], x[:5], 5))) == 0


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("draw", [gn.plots.calibration, gn.plots.precision_recall])
def test_pictures_of_classes_have_a_panel_for_each_set_of_rows(draw, classes):
    run = make_run((2, 3, classes))
    y = np.arange(60) % classes
    figure = draw(
        run, X, y, held_out=(X[:2], y[:2]), class_names=[f"{HOSTILE} {i}" for i in range(classes)]
    )
    heads = [paper.get_title(loc="left") for paper in figure.axes]
    assert [head.replace(",", ":").split(":")[0] for head in heads] == ["training", "held-out"]
    if draw is gn.plots.precision_recall:
        assert [head.endswith("8 of 20 classes") for head in heads] == 2 * [classes == 20]
    figure.canvas.draw()


def test_pictures_of_classes_bear_rows_of_one_class():
    run = make_run((2, 3, 2))
    for draw in (gn.plots.calibration, gn.plots.precision_recall):
        draw(run, X, np.zeros(60, int), held_out=(X[:1], [0])).canvas.draw()


@pytest.mark.parametrize("unit", [0.0, 1e-9, 1e9])
def test_residuals_bear_any_unit(unit):
    run = make_run((2, 3, 1), output="identity")
    figure = gn.plots.residuals(run, X, unit * X[:, 0], held_out=(X[:2], unit * X[:2, 0]))
    assert figure.axes[0].get_xlabel() == "predicted y"
    figure.canvas.draw()


def test_importance_draws_the_strongest_fifteen():
    found = [Importance(f"{HOSTILE} {i}", 20.0 - i, 0.5) for i in range(20)]
    figure = gn.plots.importance(found, unit="the log loss")
    assert len(figure.axes[0].get_yticklabels()) == 15
    assert figure.axes[0].get_xlabel() == "rise of the log loss where the column is shuffled"
    assert "deviation of the shuffles" in " ".join(texts(figure))
    alone = gn.plots.importance([Importance("a", 1.0, 0.0)])  # of many columns there is one shuffle each
    assert "deviation" not in " ".join(texts(alone))
    with pytest.raises(gn.InputError, match="importances is empty"):
        gn.plots.importance([])


@pytest.mark.parametrize("count", [0, 2, 3, 12])
def test_partial_dependence_has_curves_of_numbers_and_bars_of_categories(count):
    number = Column("year", (0,), np.array([1900.0, 1950.0, 2000.0]), np.array([[0.0], [1.0], [2.0]]))
    color = Column("color", (1, 2), np.arange(2.0), np.eye(2), ("red", HOSTILE))
    answer = (lambda X: X[:, 0] + X[:, 1]) if not count else (lambda X: np.full((len(X), count), 1 / count))
    found = dependences(answer, np.zeros((4, 3)), [number, color])
    names = [f"{HOSTILE} {i}" for i in range(count)] or None
    figure = gn.plots.partial_dependence(found, class_names=names, target="price")
    figure.canvas.draw()
    years, colors = figure.axes[:2]
    assert "1,900" not in [label.get_text() for label in years.get_xticklabels()]
    assert len(colors.get_xticklabels()) == 2
    assert len(colors.patches) == (2 if count in (0, 2) else 0)
    with pytest.raises(gn.InputError, match="dependences is empty"):
        gn.plots.partial_dependence([])


@pytest.mark.parametrize("quantity", [True, False])
def test_models_draws_each_score_with_its_interval(quantity):
    y, names = (X[:, 0], None) if quantity else (CLASSES, ("a", "b"))
    asked = Question(X[:40], y[:40], X[40:], y[40:], HOSTILE, names)
    answer = (lambda X: X[:, 0]) if quantity else (lambda X: np.full((len(X), 2), 0.5))
    verdict = judge(asked, answer, baselines=False)
    figure = gn.plots.models(verdict)
    figure.canvas.draw()
    assert [paper.get_xlabel().split(" (")[0] for paper in figure.axes] == list(verdict.scores)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["network", "constant answer"]


def test_models_needs_no_interval_of_few_rows():
    asked = Question(X[:40], CLASSES[:40], X[40:42], CLASSES[40:42], "y", ("a", "b"))
    gn.plots.models(judge(asked, lambda X: np.full((len(X), 2), 0.5), baselines=False)).canvas.draw()
