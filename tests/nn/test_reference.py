import itertools
import math
from itertools import pairwise

import numpy as np
import pytest
from exact_activations import SLOPES, VALUES
from exact_losses import DELTAS, LINKS
from exact_losses import VALUES as COSTS
from mpmath import mpf

import glassnet as gn
from glassnet.nn import reference
from glassnet.nn.losses import ALL_OUTPUTS

# Each activation with a loss: all of both, taking turns.
PAIRS = list(zip(gn.ACTIVATIONS, itertools.cycle(gn.LOSSES)))


def ours(functions, name):
    """An exact function of numbers in 40 digits as one of floats."""
    return lambda z: float(functions[name](mpf(z)))


def by_loops(network, theta, X, Y, w):
    """J and its gradient by loops over samples, layers, inputs and outputs; every number a float."""
    sigmas = [ours(VALUES, record.name) for record in network.hidden]
    slopes = [ours(SLOPES, record.name) for record in network.hidden]
    weights, biases = [W.tolist() for W in theta.weights], [b.tolist() for b in theta.biases]
    J, gW = 0.0, [[[0.0] * k for _ in range(m)] for m, k in pairwise(network.sizes)]
    gb = [[0.0] * k for k in network.sizes[1:]]
    last = len(weights) - 1
    for x, y, weight in zip(X.tolist(), Y.tolist(), w.tolist(), strict=True):
        inputs, zs = [x], []
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            before = inputs[-1]
            z = [sum(h * row[k] for h, row in zip(before, W, strict=True)) + b[k] for k in range(len(b))]
            zs.append(z)
            if layer < last:
                inputs.append([sigmas[layer](one) for one in z])
        y_hat = LINKS[network.output.name](zs[-1])
        J += weight * COSTS[network.loss.name](y, y_hat)
        of_error = DELTAS.get(network.loss.name, float)
        delta = [weight * of_error(p - t) for p, t in zip(y_hat, y, strict=True)]
        for layer in range(last, -1, -1):
            for k, d in enumerate(delta):
                gb[layer][k] += d
                for j, h in enumerate(inputs[layer]):
                    gW[layer][j][k] += h * d
            if layer:
                delta = [
                    slopes[layer - 1](zs[layer - 1][j])
                    * sum(W * d for W, d in zip(row, delta, strict=True))
                    for j, row in enumerate(weights[layer])
                ]
    parts = [np.ravel(part) for pair in zip(gW, gb, strict=True) for part in pair]
    return J, np.concatenate(parts)


def by_reference(network, theta, X, Y, w=None):
    J, gW, gb = reference.compute_gradients(
        X, Y, theta.weights, theta.biases, network.hidden, network.loss, w
    )
    return J, np.concatenate([part.ravel() for pair in zip(gW, gb, strict=True) for part in pair])


@pytest.mark.parametrize(("hidden", "loss"), PAIRS)
@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 5, 3)])
def test_loss_and_gradient_equal_plain_loops(make_network, make_data, sizes, hidden, loss):
    network = make_network(sizes, hidden, loss)
    X, Y = make_data(network, 7, seed=1)
    theta = network.initialize(2, scheme="normal")
    theta.flat[:] *= 0.4  # the loops' naive logarithms want moderate logits
    w = np.random.RandomState(3).uniform(0, 2, 7)
    J, gradient = by_reference(network, theta, X, Y, w)
    J_loops, gradient_loops = by_loops(network, theta, X, Y, w)
    assert math.isclose(J, J_loops, rel_tol=1e-13)
    np.testing.assert_allclose(gradient, gradient_loops, rtol=1e-11, atol=1e-13)


def test_gradient_equals_complex_step():
    """Im J(theta + ih) / h has no subtraction, and so no rounding to speak of (Squire and Trapp, 1998)."""
    network = gn.Network((3, 4, 4, 2), hidden=["tanh", "logistic"])
    random = np.random.RandomState(0)
    X, Y = random.randn(11, 3), np.eye(2)[random.randint(0, 2, 11)]
    theta = network.initialize(1, scheme="normal")

    def loss_of(flat):
        H, start = X, 0
        for layer, (m, k) in enumerate(pairwise(network.sizes)):
            W, b = flat[start : start + m * k].reshape(m, k), flat[start + m * k : start + (m + 1) * k]
            start += (m + 1) * k
            Z = H @ W + b
            H = [np.tanh, lambda z: 1 / (1 + np.exp(-z)), lambda z: z][layer](Z)
        return -np.sum(Y * (H - np.log(np.exp(H).sum(axis=1, keepdims=True))))

    steps = 1e-30j * np.eye(network.n_parameters)
    exact = [loss_of(theta.flat + step).imag / 1e-30 for step in steps]
    np.testing.assert_allclose(by_reference(network, theta, X, Y)[1], exact, rtol=1e-12, atol=1e-14)


def test_weights_of_one_are_no_weights(make_data):
    network = gn.Network((2, 3, 2))
    X, Y = make_data(network, 9)
    theta = network.initialize(0)
    plain, weighted = by_reference(network, theta, X, Y), by_reference(network, theta, X, Y, np.ones(9))
    assert plain[0] == weighted[0]
    assert np.array_equal(plain[1], weighted[1])


def test_forward_propagation_returns_every_z_and_every_layers_input(make_data):
    network = gn.Network((3, 4, 5, 2), hidden="tanh")
    X, _ = make_data(network, 6)
    theta = network.initialize(0)
    Zs, Hs = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
    assert [Z.shape for Z in Zs] == [(6, 4), (6, 5), (6, 2)]
    assert [H.shape for H in Hs] == [(6, 3), (6, 4), (6, 5)]
    assert Hs[0] is X
    assert np.array_equal(Hs[2], np.tanh(Zs[1]))


@pytest.mark.parametrize("output", ALL_OUTPUTS.values(), ids=lambda output: output.name)
def test_link_jacobian_is_the_derivative_of_the_link(output):
    Z, steps = np.random.default_rng(0).normal(size=(4, 3)), 1e-6 * np.eye(3)
    slopes = np.stack([(output.link(Z + e) - output.link(Z - e)) / 2e-6 for e in steps], axis=2)
    found = reference.link_jacobian(output.name, output.link(Z))
    np.testing.assert_allclose(found, slopes, rtol=1e-7, atol=1e-9)


def test_link_jacobian_of_a_rate_of_any_size_is_the_rate():
    assert reference.link_jacobian("exp", np.array([[1e300]])).tolist() == [[[1e300]]]


def test_momentum_update_by_hand():
    theta, V, g = np.array([1.0, -2.0]), np.array([0.5, 0.0]), np.array([4.0, -8.0])
    new_theta, new_V = reference.momentum_update(theta, V, g, learning_rate=0.25, momentum=0.5)
    assert new_V.tolist() == [-0.75, 2.0]
    assert new_theta.tolist() == [0.25, 0.0]
    new_theta, new_V = reference.momentum_update(new_theta, new_V, g, learning_rate=0.25, momentum=0.5)
    assert new_V.tolist() == [-1.375, 3.0]
    assert new_theta.tolist() == [-1.125, 3.0]
    assert (theta.tolist(), V.tolist(), g.tolist()) == ([1.0, -2.0], [0.5, 0.0], [4.0, -8.0])


def test_first_updates_are_the_published_ones(circles, circles_data, circles_start):
    X, y, _ = circles_data
    network = gn.Network((2, 3, 2))
    flat = circles_start
    V, Y = np.zeros_like(flat), np.eye(2)[y]
    losses = []
    for _ in range(6):
        J, gradient = by_reference(network, gn.Parameters(network.sizes, flat), X, Y)
        losses.append(J)
        flat, V = reference.momentum_update(flat, V, gradient, learning_rate=1e-4, momentum=0.5)
    np.testing.assert_allclose(losses, circles["loss"][:6], rtol=1e-13)
