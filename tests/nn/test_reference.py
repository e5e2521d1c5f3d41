import math
from itertools import pairwise

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn import reference

# Scalar functions of Python's own, so that nothing here shares a line with what it tests.
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


def inner(z):
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


VALUE = {
    "logistic": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: max(z, 0.01 * z),
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "selu": lambda z: SCALE * (z if z > 0 else ALPHA * (math.exp(z) - 1)),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + math.tanh(inner(z))) / 2,
    "silu": lambda z: z / (1 + math.exp(-z)),
    "softplus": lambda z: math.log(1 + math.exp(z)),
    "softsign": lambda z: z / (1 + abs(z)),
    "identity": lambda z: z,
}
SLOPE = {
    "logistic": lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
    "tanh": lambda z: 1 / math.cosh(z) ** 2,
    "relu": lambda z: float(z > 0),
    "leaky_relu": lambda z: 1.0 if z > 0 else 0.01,
    "elu": lambda z: 1.0 if z > 0 else math.exp(z),
    "selu": lambda z: SCALE * (1.0 if z > 0 else ALPHA * math.exp(z)),
    "gelu": lambda z: (1 + math.erf(z / math.sqrt(2))) / 2 + z * math.exp(-z * z / 2) / math.sqrt(math.tau),
    "gelu_tanh": lambda z: (
        (1 + math.tanh(inner(z))) / 2
        + z / math.cosh(inner(z)) ** 2 / 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
    ),
    "silu": lambda z: (1 + math.exp(-z) + z * math.exp(-z)) / (1 + math.exp(-z)) ** 2,
    "softplus": lambda z: 1 / (1 + math.exp(-z)),
    "softsign": lambda z: 1 / (1 + abs(z)) ** 2,
    "identity": lambda z: 1.0,
}


def softmax_of(z):
    total = sum(math.exp(one) for one in z)
    return [math.exp(one) / total for one in z]


LINK = {
    "softmax": softmax_of,
    "logistic": lambda z: [1 / (1 + math.exp(-one)) for one in z],
    "identity": list,
    "exp": lambda z: [math.exp(one) for one in z],
}


def huber_of(r):
    return r * r / 2 if abs(r) <= 1 else abs(r) - 0.5


COST = {
    "cross_entropy": lambda y, p: -sum(a * math.log(b) for a, b in zip(y, p, strict=True)),
    "binary_cross_entropy": lambda y, p: (
        -sum(a * math.log(b) + (1 - a) * math.log(1 - b) for a, b in zip(y, p, strict=True))
    ),
    "squared_error": lambda y, p: sum((b - a) ** 2 for a, b in zip(y, p, strict=True)) / 2,
    "absolute_error": lambda y, p: sum(abs(b - a) for a, b in zip(y, p, strict=True)),
    "huber": lambda y, p: sum(huber_of(b - a) for a, b in zip(y, p, strict=True)),
    "quantile": lambda y, p: sum(abs(b - a) / 2 for a, b in zip(y, p, strict=True)),
    "poisson": lambda y, p: sum(b - a * math.log(b) for a, b in zip(y, p, strict=True)),
}
# What a loss pulls with where its error y_hat - y is r; r itself where nothing is said.
PULL = {
    "absolute_error": lambda r: math.copysign(1, r),
    "huber": lambda r: max(min(r, 1.0), -1.0),
    "quantile": lambda r: math.copysign(0.5, r),
}


def by_loops(network, theta, X, Y, w):
    """J and its gradient by loops over samples, layers, inputs and outputs; every number a float."""
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
                inputs.append([VALUE[network.hidden[layer].name](one) for one in z])
        y_hat = LINK[network.output.name](zs[-1])
        J += weight * COST[network.loss.name](y, y_hat)
        pull = PULL.get(network.loss.name, float)
        delta = [weight * pull(p - t) for p, t in zip(y_hat, y, strict=True)]
        for layer in range(last, -1, -1):
            for k, d in enumerate(delta):
                gb[layer][k] += d
                for j, h in enumerate(inputs[layer]):
                    gW[layer][j][k] += h * d
            if layer:
                slope = SLOPE[network.hidden[layer - 1].name]
                delta = [
                    slope(zs[layer - 1][j]) * sum(W * d for W, d in zip(row, delta, strict=True))
                    for j, row in enumerate(weights[layer])
                ]
    parts = [np.ravel(part) for pair in zip(gW, gb, strict=True) for part in pair]
    return J, np.concatenate(parts)


def by_reference(network, theta, X, Y, w=None):
    J, gW, gb = reference.compute_gradients(
        X, Y, theta.weights, theta.biases, network.hidden, network.loss, w
    )
    return J, np.concatenate([part.ravel() for pair in zip(gW, gb, strict=True) for part in pair])


@pytest.mark.parametrize("loss", gn.LOSSES)
@pytest.mark.parametrize("hidden", gn.ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(3, 2), (2, 3, 2), (3, 4, 5, 3)])
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


def test_momentum_update_by_hand():
    theta, V, g = np.array([1.0, -2.0]), np.array([0.5, 0.0]), np.array([4.0, -8.0])
    new_theta, new_V = reference.momentum_update(theta, V, g, learning_rate=0.25, momentum=0.5)
    assert new_V.tolist() == [-0.75, 2.0]
    assert new_theta.tolist() == [0.25, 0.0]
    new_theta, new_V = reference.momentum_update(new_theta, new_V, g, learning_rate=0.25, momentum=0.5)
    assert new_V.tolist() == [-1.375, 3.0]
    assert new_theta.tolist() == [-1.125, 3.0]
    assert (theta.tolist(), V.tolist(), g.tolist()) == ([1.0, -2.0], [0.5, 0.0], [4.0, -8.0])


def test_first_updates_are_the_published_ones(circles, circles_data):
    X, y, _ = circles_data
    network = gn.Network((2, 3, 2))
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    flat = np.concatenate([circles[f"initial_{name}"].ravel() for name in names])
    V, Y = np.zeros_like(flat), np.eye(2)[y]
    losses = []
    for _ in range(6):
        J, gradient = by_reference(network, gn.Parameters(network.sizes, flat), X, Y)
        losses.append(J)
        flat, V = reference.momentum_update(flat, V, gradient, learning_rate=1e-4, momentum=0.5)
    np.testing.assert_allclose(losses, circles["loss"][:6], rtol=1e-13)
