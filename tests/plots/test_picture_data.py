"""The data of the pictures, before anything is drawn."""

import numpy as np
import pytest
from drawing import make_run
from numpy.testing import assert_allclose, assert_array_equal

import glassnet as gn
from glassnet.plots.picture_data import (
    Targets,
    guess_targets,
    input_projection,
    make_cloud,
    make_field,
    make_grid,
    make_hidden_scene,
)
from glassnet.plots.projection import make_projection


@pytest.mark.parametrize(
    ("y", "names", "is_class"),
    [
        (["no", "yes", "no"], ("no", "yes"), True),
        ([True, False, True], ("class 0", "class 1"), True),
        ([2.0, 5.0, 2.0], ("class 2", "class 5"), True),
        ([[0, 1], [1, 0], [0, 1]], ("class 0", "class 1"), True),
        ([0.5, 1.0, 2.0], ("y",), False),
        ([[0.5, 3.0], [1.0, 2.0], [2.0, 1.0]], ("y",), False),
    ],
)
def test_guess_targets_tells_classes_from_values(y, names, is_class):
    targets = guess_targets(y, 3)
    assert (targets.names, targets.is_class) == (names, is_class)


def test_guess_targets_numbers_index_the_names_they_are_given():
    targets = guess_targets([1, 1, 1], 3, ["out", "in"])
    assert [targets.names[i] for i in targets.values] == ["in"] * 3


def test_more_samples_than_can_be_seen_are_thinned_and_said_so():
    X = np.random.RandomState(0).randn(300, 2)
    targets = Targets(np.zeros(300, dtype=int), ("a",), True)
    cloud = make_cloud(X, targets, make_projection(X, 2, 2, None, ("x", "y")), most=100)
    assert len(cloud.points) == 100
    assert cloud.note == "100 of 300 samples drawn at random"


@pytest.mark.parametrize(
    ("output", "sizes"), [("softmax", (2, 3, 2)), ("logistic", (2, 3, 1)), ("logistic", (2, 3, 2))]
)
def test_separating_plane_is_where_the_output_layer_decides(output, sizes, make_data):
    run = make_run(sizes, output, seed=1)
    X, y = make_data(run.network, 200)
    field = make_field(run)
    w, b = make_hidden_scene(field, X, y, None, -1).plane
    H = run.network.forward(run.parameters, X)[0]
    assert_array_equal(H @ w + b > 0, field(X)[:, 1] > 0.5)


@pytest.mark.parametrize("sizes", [(2, 3, 3), (2, 3, 3, 2)])
def test_no_plane_where_the_layer_does_not_divide_two_classes(sizes, make_data):
    run = make_run(sizes)
    X, y = make_data(run.network, 20)
    assert make_hidden_scene(make_field(run), X, y, None, 0).plane is None


def test_adaptive_grid_puts_points_where_the_field_is_steep():
    run = make_run((2, 2), flat=[-40, 40, 0, 0, 0, 0])  # a cliff at x = 0
    field, plane = make_field(run), input_projection(2, None, None, None)
    span = np.array([[-1.5, 1.5], [-1.5, 1.5]])
    even, steep = (make_grid(field, plane, span, 60, adaptive=adaptive) for adaptive in (False, True))
    near = [np.count_nonzero(np.abs(grid.ticks[0]) < 0.1) for grid in (even, steep)]
    assert near[1] > 4 * near[0]
    assert_allclose(steep.ticks[0][[0, -1]], [-1.5, 1.5])


def test_plots_of_a_run_refuse_what_is_none():
    X, y = [[0.0, 1.0], [1.0, 0.0]], [0, 1]
    for draw in (
        gn.plots.loss,
        gn.plots.output_surface,
        lambda what: gn.plots.decision_boundary(what, X, y),
        lambda what: gn.plots.hidden_projection(what, X, y),
    ):
        with pytest.raises(gn.InputTypeError, match=r"a TrainingRun, .*not MLPClassifier"):
            draw(gn.MLPClassifier())


@pytest.mark.parametrize("labels", [False, True])
def test_pictures_of_a_run_that_scales_are_in_the_units_of_the_user(labels):
    X = np.random.RandomState(0).randn(50, 2) * [1, 1000] + [0, 5000]
    y = np.where(X[:, 0] > 0, "up", "down") if labels else 1e5 * X[:, 0]
    net = gn.Network((2, 4, 2)) if labels else gn.Network((2, 4, 1), output="identity")
    run = gn.train(net, X, y, standardize=True, random_state=0, iterations=30)
    field = make_field(run)
    assert field.names == (("down", "up") if labels else ("y",))
    assert_allclose(field(X), run.predict_proba(X) if labels else run.predict(X))
    targets = field.targets(y, 50)
    assert_array_equal(targets.values, (y == "up") if labels else y)
    scene = make_hidden_scene(field, X, y, None, 0)
    hidden = run.forward(X)[0]
    assert_allclose(np.ptp(scene.cloud.points), np.ptp(scene.projection.project(hidden)))
