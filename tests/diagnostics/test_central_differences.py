"""The judge of a derivative: what it asks for, and what a training pass with dropout changes."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.diagnostics.central_differences import LossDifferences, judged
from glassnet.nn import reference
from glassnet.nn.dropout import Masks


def of(function, at, kinks=()):
    """`difference` of a function of one number."""

    def difference(step):
        high, low = at + step, at - step
        crosses = any(low <= kink <= high for kink in kinks)
        return (function(high) - function(low)) / (high - low), high - low, crosses

    return difference


def test_hasty_judge_asks_for_rounding_only_where_it_decides():
    asked = []

    def rounding():
        asked.append(True)
        return 1e-16, 1e-16

    hasty = judged(of(np.sin, 0.3), np.cos(0.3), rounding, hasty=True)
    assert (hasty.verdict, len(asked)) == ("right", 0)
    assert hasty.tolerance == pytest.approx(1e-5 * np.cos(0.3))
    thorough = judged(of(np.sin, 0.3), np.cos(0.3), rounding)
    assert (thorough.verdict, len(asked)) == ("right", 1)
    assert thorough.tolerance > hasty.tolerance
    assert judged(of(np.sin, 0.3), 1.001 * np.cos(0.3), rounding, hasty=True).verdict == "wrong"
    assert len(asked) > 1
    # A derivative of 0 that rounding alone explains.
    flat = judged(of(lambda x: 1e6 + 0 * x, 0.3), 1e-9, lambda: (1e-10, 1e-8), hasty=True)
    assert flat.verdict == "right"


def test_judge_tells_a_kink_from_a_wrong_derivative():
    assert judged(of(abs, 0.0, (0.0,)), 0.0, lambda: (1e-16, 1e-16)).verdict == "kink"
    near = judged(of(abs, 5e-6, (0.0,)), 1.0, lambda: (1e-16, 1e-16))
    assert (near.verdict, near.epsilon) == ("right", 1e-6)
    assert judged(of(abs, 5e-6, (0.0,)), -1.0, lambda: (1e-16, 1e-16)).verdict == "wrong"


@pytest.mark.parametrize("hidden", ["tanh", "relu", "gelu"])
def test_differences_of_a_training_pass_are_those_of_its_masked_loss(hidden):
    network = gn.Network((3, 5, 4, 2), hidden)
    random = np.random.RandomState(0)
    X, Y = random.randn(20, 3), np.eye(2)[random.randint(0, 2, 20)]
    theta, dropout = network.initialize(1, scheme="normal"), (0.4, 0.5)
    masks = Masks(3, 1).draw(network.sizes, dropout, 20, np.float64)
    w = random.uniform(0.5, 1, 20)
    _, weights, biases = reference.compute_gradients(
        X, Y, theta.weights, theta.biases, network.hidden, network.loss, w, masks
    )
    before = theta.flat.copy()
    differences = LossDifferences(network, theta, (X, Y, w), masks=masks)
    bare = LossDifferences(network, theta, (X, Y, w))
    told = set()
    for layer, kind, index in differences.entries():
        right = (weights if kind == "W" else biases)[layer][index]
        judgement = differences.judge(layer, kind, index, right)
        assert judgement.verdict in ("right", "kink")
        assert judgement.tolerance < 1e-5 * abs(judgement.numerical) + 1e-8
        told.add(bare.judge(layer, kind, index, right).verdict)
    assert "wrong" in told  # without the masks it is another loss
    assert np.array_equal(theta.flat, before)
