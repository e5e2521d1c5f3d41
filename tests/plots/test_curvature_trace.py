"""The gradient and the curvature along a run."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.plots.curvature_trace import log_ticks


@pytest.mark.parametrize(
    ("hidden", "rule"), [((), gn.LBFGS()), ((4,), gn.SGD(0.5, 0.5)), ((4, 3), gn.Adam())], ids=str
)
def test_curvature_draws_every_kind_of_run(hidden, rule):
    X = np.random.RandomState(0).randn(30, 2)
    y = (X[:, 0] > 0).astype(int)
    trace = gn.CurvatureTrace(X, y, every=2)
    gn.train(
        gn.Network((2, *hidden, 2), hidden="relu"),
        X,
        y,
        optimizer=rule,
        iterations=6,
        random_state=0,
        callbacks=[trace],
    )
    figure = gn.plots.curvature(trace)
    figure.canvas.draw()
    assert len(figure.axes) == 3 + bool(hidden)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("stability limit of rate 0.5: 6" in said) == (rule.name == "sgd")


def test_curvature_asks_for_a_trace_that_has_seen_a_run():
    with pytest.raises(gn.InputTypeError, match="CurvatureTrace"):
        gn.plots.curvature(3)
    with pytest.raises(gn.InputError, match="no run yet"):
        gn.plots.curvature(gn.CurvatureTrace([[0.0]], [0]))


@pytest.mark.parametrize("low", [1e-12, 0.3, 0.69])
@pytest.mark.parametrize("ratio", [1.001, 1.3, 4.0, 90.0, 1e9])
def test_log_ticks_label_every_span_with_a_few_round_numbers(low, ratio):
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 9
    assert all(low <= tick <= low * ratio for tick in ticks)
    assert sorted(set(ticks)) == ticks


def test_curvature_labels_each_axis_and_keeps_the_layers_names_off_the_lines():
    X = np.random.RandomState(0).randn(30, 2)
    trace = gn.CurvatureTrace(X, X[:, 0], every=1)
    net = gn.Network((2, 4, 3, 1), hidden="relu", output="identity")
    gn.train(net, X, X[:, 0], iterations=5, random_state=0, callbacks=[trace])
    figure = gn.plots.curvature(trace)
    figure.canvas.draw()
    for paper in figure.axes[:3]:
        low, high = paper.get_ylim()
        assert sum(low <= tick <= high for tick in paper.get_yticks()) >= 2
    last = figure.axes[3]
    assert last.get_legend().get_window_extent().y0 >= last.get_window_extent().y1 - 8
