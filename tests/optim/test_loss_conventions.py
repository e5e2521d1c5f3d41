"""scikit-learn's conventions: in both engines, on batches and on the full batch."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.dataset import as_dataset
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.engine.records import Updates
from glassnet.optim.loss_conventions import OURS, Conventions, loss_above
from glassnet.optim.penalties import Penalties


def epoch(engine, network, X, y, conventions, weights=None, l2=0.0, batch_size=4, rate=0.1):
    """The loss of an epoch without shuffling, and the parameters after it."""
    settings = ProblemSettings(
        batch_size, engine=engine, penalties=Penalties(l2=l2), conventions=conventions
    )
    batches = prepare_problem(network, as_dataset(X, y, weights), settings)
    theta = network.initialize(0)
    losses = np.empty(1)
    rule, stop = gn.SGD(rate, momentum=0.0), np.zeros(1, np.uint8)
    updates = Updates(rule, np.array([rate]), first=1, stop=stop, seconds=np.inf)
    state, cursor = np.zeros((1, theta.flat.size)), batches.begin(None, np.inf)
    batches.train(theta.flat, state, losses, cursor, updates)
    return losses[0], theta.flat


def by_hand(network, X, y, weights, l2, batch_size, rate):
    """The same by single steps on single batches, each with its own penalty."""
    theta, total = network.initialize(0), 0.0
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        w = None if weights is None else weights[rows]
        share = len(X[rows]) if w is None else w.sum()
        told = {"sample_weight": w, "l2": l2 / share, "engine": "numpy"}
        loss, gradient = gn.loss_and_gradient(network, theta, X[rows], y[rows], **told)
        total += loss * len(X[rows])
        theta = gn.Parameters(network.sizes, theta.flat - rate * gradient.flat)
    return total / len(X), theta.flat


@pytest.mark.parametrize(("weighted", "outputs"), [(False, 2), (True, 3)])
def test_shared_penalties_are_divided_by_each_batchs_weights(engine, make_data, weighted, outputs):
    network = gn.Network((3, 4, outputs))
    X, y = make_data(network, 10, labels=True)  # the last batch of 4 is short
    weights = np.random.RandomState(1).uniform(0.5, 3, 10) if weighted else None
    found = epoch(engine, network, X, y, Conventions(average_penalties=True), weights, l2=0.7)
    expected = by_hand(network, X, y, weights, 0.7, 4, 0.1)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("output", "outputs", "weighted", "dtype"),
    [
        ("logistic", 1, True, "float64"),
        ("logistic", 3, False, "float32"),
        ("softmax", 4, False, "float64"),
        ("softmax", 4, True, "float32"),
    ],
)
def test_reported_loss_takes_probabilities_at_least_at_the_floor(engine, weighted, output, outputs, dtype):
    network = gn.Network((2, outputs), output=output)
    random = np.random.RandomState(0)
    X = random.randn(37, 2)
    X[::5] *= 300.0  # far on the wrong side, and far on the right one
    y = random.randint(0, outputs, 37) if output == "softmax" else random.randint(0, 2, (37, outputs))
    w = random.uniform(0.5, 2, 37) if weighted else None
    theta = network.initialize(3)
    floor = float(np.finfo(dtype).eps)
    problem = gn.prepare(network, X, y, engine=engine, sample_weight=w, dtype=dtype)
    plain, gradient = problem.loss_and_gradient(theta.flat.astype(dtype))
    problem = problem.with_conventions(Conventions(min_probability=floor))
    loss, same = problem.loss_and_gradient(theta.flat.astype(dtype))
    P = network.predict_proba(theta, X)
    if output == "softmax":
        told = -np.log(np.clip(P[np.arange(37), y], floor, 1))
    else:
        right = np.where(y == 1, P, network.predict_proba(theta.flat * -1, X))
        told = -np.log(np.clip(right, floor, 1)).sum(axis=1)
    np.testing.assert_allclose(loss, np.average(told, weights=w), rtol=1e-9 if dtype == "float64" else 1e-4)
    assert loss < plain - 0.1
    assert np.array_equal(gradient, same)
    assert problem.loss(theta.flat.astype(dtype)) == loss


def test_part_scales_the_datas_loss_but_not_its_gradient_or_the_penalty(engine, make_data):
    network = gn.Network((3, 4, 2), output="identity")
    X, y = make_data(network, 9)
    whole = epoch(engine, network, X, y, OURS, l2=0.0)
    part = epoch(engine, network, X, y, Conventions(loss_scale=0.5), l2=0.0)
    np.testing.assert_allclose(part[0], whole[0] / 2, rtol=1e-14)
    assert np.array_equal(part[1], whole[1])
    penalized = epoch(engine, network, X, y, Conventions(loss_scale=0.5), l2=0.3, batch_size=9)
    W = network.initialize(0).weights
    expected = part_of_one_batch(network, X, y) / 2 + 0.15 * sum(float((M**2).sum()) for M in W)
    np.testing.assert_allclose(penalized[0], expected, rtol=1e-12)


def part_of_one_batch(network, X, y):
    return gn.loss_and_gradient(network, network.initialize(0), X, y)[0]


def test_penalties_of_a_batch_without_weight_stay_as_they_are():
    penalties = Penalties(l1=1.0, l2=2.0, max_norm=3.0)
    assert Conventions(average_penalties=True).over(penalties, 0.0) is penalties
    assert Conventions(average_penalties=True).over(penalties, 4.0) == Penalties(0.25, 0.5, 3.0)
    assert OURS.over(penalties, 4.0) is penalties


def test_loss_above_counts_each_label_by_itself():
    Z, Y = np.array([[-50.0, 50.0]]), np.array([[1.0, 0.0]])
    loss = gn.LOSSES["binary_cross_entropy"]
    assert loss_above(np.exp(-40.0), loss, Z, Y, np.array([2.0])) == pytest.approx(40.0)
