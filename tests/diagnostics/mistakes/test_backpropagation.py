"""The lines that mistakes are made in: without one they give the gradient of either engine."""

from itertools import cycle

import numpy as np
import pytest

import glassnet as gn
from glassnet.diagnostics.mistakes.backpropagation import NONE, Point, gradient_with, penalty_of
from glassnet.nn.losses import ALL_LOSSES
from glassnet.optim.penalties import Penalties, penalty, weight_mask

PAIRS = [*zip(gn.ACTIVATIONS, cycle(ALL_LOSSES.values())), *zip(cycle(gn.ACTIVATIONS), ALL_LOSSES.values())]


@pytest.mark.parametrize(("hidden", "loss"), PAIRS, ids=str)
def test_backpropagation_without_a_mistake_is_the_engines(hidden, loss, make_data):
    network = gn.Network((3, 4, 5, 2), hidden, loss.output, loss)
    X, Y = make_data(network, 9)
    w, theta = np.linspace(0.1, 1, 9), network.initialize(4)
    known = {"reduction": "sum", "sample_weight": w, "engine": "numpy", "l1": 0.1, "l2": 0.3}
    expected = gn.loss_and_gradient(network, theta, X, Y, **known)[1].flat
    point = Point(network, theta, X, Y, w, np.ones(9), Penalties(0.1, 0.3), mean=False)
    assert gradient_with(NONE, point) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert penalty_of(point) == pytest.approx(penalty(theta.flat, weight_mask(network.sizes), 0.1, 0.3)[1])
