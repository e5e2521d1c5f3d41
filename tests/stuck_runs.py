"""Runs in which one reason why a network does not learn is the truth, by the name of its check."""

from functools import cache

import numpy as np

import glassnet as gn
from glassnet.data.generators import generate

X = np.random.RandomState(0).randn(300, 3)
CHANCE = np.random.RandomState(1).rand(300)
SIGNS = (X[:, 0] * X[:, 1] > 0).astype(int)
PRICES = 2e5 + 5e4 * np.tanh(X[:, 0])
NET = gn.Network((3, 8, 2), hidden="tanh")
VALUES = gn.Network((3, 8, 1), hidden="tanh", output="identity")


def trained(X, y, network=NET, **settings):
    settings = {"random_state": 0, "iterations": 300, **settings}
    return gn.train(network, X, y, **settings), X, y


def raw_inputs():
    return trained(X * [30, 1, 500] + [2000, 0, 1e4], SIGNS)


def raw_target():
    return trained(X, PRICES, VALUES)


def constant_columns():
    return trained(np.column_stack([np.full(300, 7.0), X[:, 2]]), SIGNS, gn.Network((2, 4, 2)))


def duplicate_columns():
    return trained(np.column_stack([X[:, 2], 1 - 2 * X[:, 2]]), SIGNS, gn.Network((2, 4, 2)))


def equal_rows():
    coarse = np.round(X[:, :1] / 2)
    labels = (np.where(coarse[:, 0] > 0, 0.7, 0.3) > CHANCE).astype(int)
    return trained(coarse, labels, gn.Network((1, 4, 2), hidden="tanh"), optimizer=gn.Adam(0.03))


def one_class():
    rare = (1 / (1 + np.exp(4 - 1.5 * X[:, 0])) > CHANCE).astype(int)
    return trained(X, rare, gn.Network((3, 2, 2), hidden="tanh"))


def rate_too_large():
    return trained(X, SIGNS, optimizer=gn.SGD(20.0))


def rate_too_small():
    return trained(X, SIGNS, optimizer=gn.SGD(1e-4))


def saddle():
    points, circle = generate("circles", 42, n_samples=2_000, factor=0.1, noise=0.1)
    network = gn.Network((2, 3, 2))
    start = network.initialize(4, "normal")
    rule = gn.SGD(2.5e-3, 0.5)
    settings = {"optimizer": rule, "reduction": "sum", "parameters": start, "iterations": 400}
    return trained(points, circle, network, **settings)


def saturated_units():
    start = NET.initialize(0)
    start.weights[0][:] *= 300
    return trained(X, SIGNS, parameters=start)


def dead_units():
    network = gn.Network((3, 6, 2), hidden="relu")
    start = network.initialize(0)
    start.biases[0][:] = -100
    return trained(X, SIGNS, network, parameters=start)


def equal_units():
    return trained(X, SIGNS, parameters=np.zeros(NET.n_parameters))


def batch_order():
    order = np.argsort(SIGNS, kind="stable")
    settings = {"batch_size": 10, "shuffle": False, "iterations": 30, "optimizer": gn.SGD(0.1)}
    return trained(X[order], SIGNS[order], **settings)


def narrow_layer():
    points, arm = generate("moons", 0, n_samples=400, noise=0.1)
    return trained(points, arm, gn.Network((2, 1, 2), hidden="tanh"), optimizer="lbfgs")


def strong_penalty():
    return trained(X, SIGNS, l2=0.3)


def overfitting():
    noisy = np.where(CHANCE < 0.25, 1 - SIGNS, SIGNS)
    settings = {"optimizer": gn.Adam(0.03), "iterations": 3_000, "validation": 0.3}
    return trained(X, noisy, gn.Network((3, 30, 2), hidden="tanh"), **settings)


def shifted_rows():
    later = X + np.array([2.0, 0, 0])
    held_out = later[200:], SIGNS[200:]
    run, *rows = trained(X[:200], SIGNS[:200], validation=held_out)
    return run, *rows, held_out


@cache
def run_of(name):
    """The run that is stuck for a reason, the rows that it learned from, and those held out."""
    return globals()[name]()
