import numpy as np
import pytest
from drawing import HOSTILE, make_run, rendered, separable, texts
from sklearn.metrics import roc_auc_score

import glassnet as gn
from glassnet.plots.classes import roc_curves
from glassnet.plots.predictions import Predictions


def test_confusion_counts_actual_classes_down_and_predicted_ones_across():
    X, y, run = separable()
    wrong = y.copy()
    wrong[:3] = 1 - y[:3]
    figure = gn.plots.confusion(run, X, y, held_out={"odd": (X, wrong)}, class_names=["low", "high"])
    first, second = figure.axes
    assert first.get_title(loc="left") == "training: 100 % right"
    assert second.get_title(loc="left") == "odd: 95 % right"
    counts = second.images[0].get_array()
    assert counts.sum(axis=1).tolist() == np.bincount(wrong).tolist()
    assert [tick.get_text() for tick in second.get_yticklabels()] == ["low", "high"]
    assert rendered(figure).size


@pytest.mark.parametrize("count", [3, 40])
def test_confusion_of_any_number_of_classes_can_be_drawn(count):
    run = make_run((2, count))
    X = np.random.RandomState(0).randn(50, 2)
    names = [f"{HOSTILE} {i}" for i in range(count)]
    figure = gn.plots.confusion(run, X, np.arange(50) % count, class_names=names)
    assert rendered(figure).size


@pytest.mark.parametrize("count", [2, 4])
def test_areas_of_the_curves_are_scikit_learns(count):
    random = np.random.RandomState(0)
    P, y = random.dirichlet(np.ones(count), 80), np.arange(80) % count
    rows = Predictions("training", P, y, P, 80)
    curves = roc_curves(rows, tuple("abcd"[:count]))
    assert [curve.number for curve in curves] == list(range(count == 2, count))
    for curve in curves:
        assert curve.area == pytest.approx(roc_auc_score(y == curve.number, P[:, curve.number]))


def test_roc_draws_the_eight_worst_classes_alike_in_every_panel():
    random = np.random.RandomState(0)
    X, y = random.randn(300, 2), np.arange(300) % 10
    figure = gn.plots.roc(make_run((2, 10)), X, y, held_out=(X[:100], y[:100]))
    names = [
        [text.get_text().split(" (")[0] for text in paper.get_legend().get_texts()] for paper in figure.axes
    ]
    assert names[0] == names[1]
    assert len(names[0]) == 8
    assert figure.axes[0].get_title(loc="left") == "training, 8 of 10 classes"
    assert rendered(figure).size


def test_roc_says_where_all_rows_have_one_class():
    X, y, run = separable()
    figure = gn.plots.roc(run, X, y, held_out=(X[y == 1], y[y == 1]))
    assert "samples of one class only" in texts(figure)
    assert "class 1 (AUC 1)" in texts(figure)


def test_long_names_that_begin_alike_are_told_apart():
    X, y = np.random.RandomState(0).randn(30, 2), np.arange(30) % 3
    names = [f"a long name of a class that ends in {i}" for i in range(3)]
    for draw in (gn.plots.confusion, gn.plots.roc):
        shown = {text for text in texts(draw(make_run((2, 3)), X, y, class_names=names)) if "long" in text}
        assert len(shown) == 3


def test_pictures_of_labels_take_the_output_that_they_are_asked_for():
    X, Y = np.random.RandomState(0).randn(30, 2), np.random.RandomState(1).randint(0, 2, (30, 2))
    figure = gn.plots.confusion(make_run((2, 2), "logistic"), X, Y, output=1, class_names=["wet", "cold"])
    counts = figure.axes[0].images[0].get_array()
    assert counts.sum(axis=1).tolist() == np.bincount(Y[:, 1]).tolist()
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["not cold", "cold"]
