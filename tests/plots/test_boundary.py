"""The data and the decision boundary."""

import numpy as np
import pytest
from drawing import legend, make_run, rendered, separable, texts, with_each_output
from numpy.testing import assert_allclose, assert_array_equal

import glassnet as gn
from glassnet import plots
from glassnet.plots import style
from glassnet.plots.picture_data import (
    boundary_lines,
    input_projection,
    make_field,
    make_grid,
)
from glassnet.plots.projection import spans


@pytest.mark.parametrize(
    ("output", "width", "sizes"), with_each_output([(2, 3), (1, 3), (2,), (5, 3)]), ids=str
)
def test_boundary_of_every_network_is_drawn_and_named(output, width, sizes, make_data):
    run, inputs = make_run((*sizes, width), output), sizes[0]
    X, y = make_data(run.network, 40)
    figure = plots.decision_boundary(run, X, y, resolution=20)
    assert rendered(figure).std() > 0
    axes, field = figure.axes[0], make_field(run)
    if inputs == 5:
        assert axes.get_xlabel().startswith("principal axis 1")
        assert "through the samples' mean" in " ".join(" ".join(texts(figure)).split())
    else:
        assert axes.get_xlabel() == "x₁"
    if field.is_class:
        entries = [entry.rpartition(" (")[0] for entry in legend(figure)]
        assert entries[: len(field.names)] == list(field.names)
    else:
        scales = [scale.get_ylabel() for scale in figure.axes[1:]]
        assert scales == ([] if inputs == 1 else [field.names[0]])


def test_data_shows_each_class_with_its_count():
    figure = plots.data([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], ["b", "a", "b"], feature_names=["p", "q"])
    assert legend(figure) == ["a (1)", "b (2)"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("p", "q")


def test_data_of_one_feature_names_the_strip_of_each_class():
    paper = plots.data([[0.0], [1.0], [2.0]], [0, 1, 2], class_names=["a", "b", "c"]).axes[0]
    assert [label.get_text() for label in paper.get_yticklabels()] == ["a", "b", "c"]


def test_data_gives_values_a_color_scale():
    X = np.random.RandomState(0).randn(30, 2)
    figure = plots.data(X, X[:, 0], class_names=["height"])
    assert not figure.legends
    assert [axes.get_ylabel() for axes in figure.axes[1:]] == ["height"]


def test_data_of_a_single_class_or_sample_is_drawn():
    assert rendered(plots.data([[1.0, 2.0]], [0])).std() > 0
    assert rendered(plots.data(np.zeros((5, 2)), np.zeros(5, dtype=int))).std() > 0


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.empty((0, 2)), [], "empty"),
        (np.empty((3, 0)), [0, 1, 0], "empty"),
        ([[0.0, np.nan]], [0], "nan at row 0"),
        ([[0.0, 1.0]], [0, 1], "y has shape"),
        ([0.0, 1.0], [0, 1], "dimension"),
        ([[0.0, 1.0]], [np.inf], "inf"),
    ],
)
def test_data_refuses_arrays_it_cannot_draw(X, y, words):
    with pytest.raises(gn.InputError, match=words):
        plots.data(X, y)


def test_boundary_lies_where_the_classes_are_equally_probable():
    X, y, run = separable()
    field = make_field(run)
    grid = make_grid(field, input_projection(run.network.sizes[0], X, None, None), spans(X, 2), 80)
    (line,) = boundary_lines(grid)
    assert_allclose(line.sum(axis=1), 0, atol=1e-9)
    assert "P = 1/2" in legend(plots.decision_boundary(run, X, y))


def test_boundary_is_not_claimed_where_there_is_none():
    X = np.random.RandomState(0).randn(20, 2)
    run = make_run((2, 2), flat=[0, 0, 0, 0, 5, -5])
    figure = plots.decision_boundary(run, X, np.zeros(20, dtype=int))
    assert legend(figure) == ["class 0 (20)", "class 1 (0)"]


def test_boundary_of_the_circles_goes_around_the_inner_class(circles_run):
    run, X, _ = circles_run
    grid = make_grid(
        make_field(run), input_projection(run.network.sizes[0], X, None, None), spans(X, 2), 200
    )
    (line,) = boundary_lines(grid)
    radius = np.hypot(*line.T)
    assert 0.4 < radius.min() < radius.max() < 0.8
    assert_allclose(line[0], line[-1])  # closed
    assert_allclose(make_field(run)(line)[:, 1], 0.5, atol=0.02)


def test_boundary_rings_each_misclassified_sample():
    X, y, run = separable()
    y[:3] = 1 - y[:3]
    figure = plots.decision_boundary(run, X, y)
    assert "misclassified (3)" in legend(figure)
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert_array_equal(np.sort(rings[0].get_xydata(), axis=0), np.sort(X[:3], axis=0))


def test_boundary_tints_by_the_leading_class_and_fades_where_none_leads():
    colors = style.class_colors(3)
    sure, unsure = style.shades(np.array([[0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]), colors)
    assert_allclose(unsure, 1)
    assert_allclose(sure, style.tint(colors[1], 0.3))


def test_crossing_over_one_input_is_exact():
    run = make_run((1, 2), flat=[-3, 3, 1.5, -1.5])  # P = 1/2 at x = 1/2
    figure = plots.decision_boundary(run, [[-1.0], [2.0]], [0, 1])
    uprights = [
        line for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1 < len(line.get_xdata())
    ]
    assert_allclose(uprights[0].get_xdata()[0], 0.5, atol=1e-9)


def test_output_picks_one_class_against_the_rest():
    run = make_run((2, 4, 3))
    X = np.random.RandomState(0).randn(30, 2)
    field = make_field(run, ["a", "b", "c"], output=1)
    P = run.network.predict_proba(run.parameters, X)
    assert field.names == ("not b", "b")
    assert_allclose(field(X), np.stack([1 - P[:, 1], P[:, 1]], axis=1))
    assert_array_equal(field.targets(np.arange(30) % 3, 30).values, np.arange(30) % 3 == 1)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"output": 2}, "output is 2"),
        ({"class_names": ["one"]}, "expected 2"),
        ({"feature_names": ["one"]}, "expected 2"),
        ({"resolution": 1}, "resolution"),
        ({"limits": (1, 0)}, "limits"),
        ({"limits": (1, 2, 3)}, "limits"),
    ],
)
def test_boundary_refuses_what_it_cannot_draw(extra, words):
    X, y, run = separable()
    with pytest.raises(gn.InputError, match=words):
        plots.decision_boundary(run, X, y, **extra)


def test_boundary_of_a_network_that_blew_up_is_drawn_without_warnings():
    X, y, _ = separable()
    run = make_run((2, 3, 2), hidden="relu", flat=np.full(17, 1e200))
    assert rendered(plots.decision_boundary(run, X, y)).std() > 0
    assert rendered(plots.output_surface(run)).std() > 0


def test_a_slice_says_what_is_not_shown_and_what_rings_mean():
    X, y = np.random.RandomState(0).randn(40, 3), np.arange(40) % 2
    run = gn.train(gn.Network((3, 2)), X, y, random_state=0, iterations=5)
    figure = plots.decision_boundary(
        run, X, y, axes=["a", "b"], feature_names=["a", "b", "c"], resolution=30
    )
    words = " ".join(" ".join(texts(figure)).split())
    assert "c at its mean" in words
    assert "the sample itself is misclassified" in words


def test_arguments_are_not_changed():
    X, y, run = separable()
    before = X.copy(), y.copy(), run.parameters.copy(), run.losses.copy()
    plots.decision_boundary(run, X, y, resolution=10)
    plots.loss(run)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert run.parameters == before[2]
    assert_array_equal(run.losses, before[3])
