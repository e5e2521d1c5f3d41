"""The projection on the coordinates of a picture."""

import numpy as np
import pytest
from drawing import make_run, texts
from numpy.testing import assert_allclose

import glassnet as gn
from glassnet import plots
from glassnet.plots.picture_data import (
    input_projection,
)
from glassnet.plots.projection import make_projection


def test_axes_choose_the_plane_through_the_mean():
    X = np.random.RandomState(0).randn(50, 5) + 3
    run = make_run((5, 3, 2))
    projection = input_projection(run.network.sizes[0], X, ("e", 1), list("abcde"))
    assert projection.labels == ("e", "b")
    assert_allclose(projection.project(X), X[:, [4, 1]])
    lifted = projection.lift(np.array([[7.0, 8.0]]))[0]
    assert_allclose(lifted, [X[:, 0].mean(), 8, X[:, 2].mean(), X[:, 3].mean(), 7])
    figure = plots.decision_boundary(run, X, np.arange(50) % 2, axes=("e", 1), feature_names=list("abcde"))
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("e", "b")
    assert "the other 3 inputs at their mean" in " ".join(" ".join(texts(figure)).split())


def test_principal_axes_are_those_of_an_svd():
    X = np.random.RandomState(0).randn(80, 4) @ np.diag([5, 1, 3, 0.5]) + 2
    projection = make_projection(X, 4, 2, None, list("abcd"))
    _, _, directions = np.linalg.svd(X - X.mean(axis=0))
    for mine, theirs in zip(projection.directions, directions, strict=False):
        assert_allclose(abs(mine @ theirs), 1)
    assert_allclose(projection.lift(np.zeros((1, 2)))[0], X.mean(axis=0))
    assert_allclose(projection.project(projection.lift(np.array([[1.0, -2.0]]))), [[1, -2]], atol=1e-12)


@pytest.mark.parametrize(
    ("axes", "error", "words"),
    [
        (("a", "nope"), gn.InputError, "Unknown coordinate"),
        ((0, 0), gn.InputError, "twice"),
        ((0, 9), gn.InputError, "index from 0 to 4"),
        ((0, 1, 2), gn.InputError, "1 to 2"),
        ((), gn.InputError, "1 to 2"),
        ((0, True), gn.InputTypeError, "indices or names"),
    ],
)
def test_axes_that_do_not_exist_are_refused(axes, error, words):
    X = np.random.RandomState(0).randn(10, 5)
    with pytest.raises(error, match=words):
        plots.data(X, np.arange(10) % 2, axes=axes, feature_names=list("abcde"))
