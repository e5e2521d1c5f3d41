"""The losses of the best constant answer and of the perfect one."""

import numpy as np
import pytest

import glassnet as gn
from glassnet import model_selection as sweeps
from glassnet.engine.prepare import prepare
from glassnet.nn.losses import ALL_LOSSES
from glassnet.training.baselines import least_constant_loss
from glassnet.utils.array_checks import as_target

NET = gn.Network((2, 3, 2), hidden="tanh")
RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
X = RANDOM.randn(60, 2) + 2 * Y[:, None]


@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # X is 0: nothing else is right
@pytest.mark.parametrize("loss", ALL_LOSSES)
@pytest.mark.parametrize(("weighted", "reduction"), [(False, "mean"), (True, "sum")])
def test_constant_loss_is_the_least_of_all_constant_answers(
    make_network, make_data, loss, weighted, reduction
):
    network = make_network((2, 3), "tanh", loss)
    _, y = make_data(network, 50)
    w = np.random.RandomState(3).uniform(0, 2, 50) if weighted else None
    # A network whose inputs are all 0 has nothing but its biases to answer with.
    settings = {"sample_weight": w, "reduction": reduction}
    problem = prepare(network, np.zeros((50, 2)), y, **settings)
    rate = 1.0 if reduction == "mean" else 1 / (50 if w is None else w.sum())
    run = gn.train(network, np.zeros((50, 2)), y, optimizer=gn.SGD(rate, 0.5), iterations=2000, **settings)
    # Descent rattles about a kink.
    close = pytest.approx(run.losses[-1], rel=1e-2 if network.loss.kinks else 1e-9)
    assert sweeps.constant_loss(problem, y, w) == close
    assert sweeps.constant_loss(problem, y, w) <= run.losses.min() * (1 + 1e-12)
    assert sweeps.constant_loss(problem, y, w) < problem.baseline
    least = least_constant_loss(network.loss, as_target(y, 50, 3, network.loss.target), w, 3)
    assert least <= sweeps.constant_loss(prepare(network, X[:50], y, sample_weight=w), y, w) * (1 + 1e-12)


def test_constant_loss_takes_class_numbers(make_data):
    problem = prepare(NET, X, [0] * 45 + [1] * 15)
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert sweeps.constant_loss(problem, [0] * 45 + [1] * 15) == pytest.approx(expected, rel=1e-12)
