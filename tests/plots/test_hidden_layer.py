"""The samples in the coordinates of a hidden layer."""

import numpy as np
import pytest
from drawing import legend, make_run, rendered, separable, texts, with_each_output
from numpy.testing import assert_allclose

import glassnet as gn
from glassnet import plots
from glassnet.plots.picture_data import (
    make_field,
    make_hidden_scene,
)


@pytest.mark.parametrize(("output", "outputs", "width"), with_each_output([3, 1, 2, 8]))
def test_hidden_projection_has_an_axis_per_unit(output, outputs, width, make_data):
    run = make_run((2, width, outputs), output)
    figure = plots.hidden_projection(run, *make_data(run.network, 30))
    assert rendered(figure).std() > 0
    axes = figure.axes[0]
    labels = [axes.get_xlabel(), axes.get_ylabel()] + ([axes.get_zlabel()] if width >= 3 else [])
    if width == 8:
        assert [label.startswith(f"principal axis {i}") for i, label in enumerate(labels, 1)] == [True] * 3
    else:
        assert labels == {1: ["h₁", "samples"], 2: ["h₁", "h₂"], 3: ["h₁", "h₂", "h₃"]}[width]


def test_hidden_projection_of_the_circles_shows_the_plane(circles_run):
    run, X, y = circles_run
    figure = plots.hidden_projection(run, X, y)
    assert legend(figure)[-1] == "output layer's boundary"
    scene = make_hidden_scene(make_field(run), X, y, None, -1)
    w, b = scene.plane
    assert len(scene.corners) >= 3
    assert_allclose(scene.corners @ w + b, 0, atol=1e-9)
    sides = scene.cloud.points @ w + b > 0
    assert (sides == (y == 1)).mean() > 0.9999


def test_hidden_units_can_be_chosen():
    run = make_run((2, 8, 4, 2))
    X = np.random.RandomState(0).randn(30, 2)
    figure = plots.hidden_projection(run, X, np.arange(30) % 2, layer=0, units=(7, 0))
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("h₈", "h₁")
    assert "The samples in hidden layer 1" in texts(figure)


@pytest.mark.parametrize(
    ("sizes", "layer", "words"), [((2, 2), -1, "no hidden layer"), ((2, 3, 2), 1, "layer is 1")]
)
def test_hidden_projection_refuses_a_layer_that_is_not_there(sizes, layer, words):
    X, y, _ = separable()
    with pytest.raises(gn.InputError, match=words):
        plots.hidden_projection(make_run(sizes), X, y, layer=layer)
