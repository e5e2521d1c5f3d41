"""No registered function is taken for one whose derivative is another's, wherever it is looked at."""

from itertools import product

import numpy as np
import pytest

import glassnet as gn
from glassnet.diagnostics.mistakes.backpropagation import Point
from glassnet.diagnostics.mistakes.own_functions import wrong_functions
from glassnet.nn.losses import ALL_LOSSES, MAKERS
from glassnet.optim.penalties import NO_PENALTIES

LOSSES = [*ALL_LOSSES.values(), *(make(0.3) for make in MAKERS.values())]


def point_of(network, make_data, scale):
    X, Y = make_data(network, 60)
    theta = network.initialize(2, scheme="normal")
    return Point(network, theta, scale * X, Y, np.ones(60), np.ones(60), NO_PENALTIES, mean=False)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 1e4])
def test_no_built_in_activation_or_loss_is_accused(make_data, scale):
    networks = [gn.Network((2, 6, 2), hidden, "identity") for hidden in gn.ACTIVATIONS]
    if scale < 1e3:  # exp overflows, and says nothing
        networks += [gn.Network((2, 2), output=loss.output, loss=loss) for loss in LOSSES]
    for network in networks:
        with np.errstate(all="ignore"):
            assert wrong_functions(point_of(network, make_data, scale)) == []


@pytest.mark.parametrize(("factor", "at"), [*product([1.001, -1.0, 0.0], [1, 2])])
def test_own_activation_whose_derivative_is_off_is_accused_in_its_layer(make_data, factor, at):
    tanh = gn.ACTIVATIONS["tanh"]
    own = gn.Activation(
        "mine", np.tanh, lambda z, h: factor * tanh.derivative(z, h), "tanh(z)", "what I took it for"
    )
    hidden = ["tanh", "tanh"]
    hidden[at - 1] = own
    (finding,) = wrong_functions(point_of(gn.Network((2, 4, 4, 2), hidden), make_data, 1.0))
    assert (finding.kind, finding.layer) == ("derivative", at)
    assert finding.names == tuple(f"{kind}{layer}" for layer in range(1, at + 1) for kind in "Wb")
    expected = {1.001: "every entry is 1.001 times", -1.0: "the wrong sign: ", 0.0: "zero everywhere: "}[
        factor
    ]
    assert finding.words.startswith(expected)
