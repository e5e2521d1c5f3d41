"""The warning where a solver has ended at a constant answer."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

import glassnet as gn
from glassnet.training.steppers import SOLVERS

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(60, 3)
y = X @ [1.0, -2.0, 0.5] + 0.1 * RANDOM.randn(60)
DEAD = gn.Network((3, 4, 1), hidden="relu", output="identity")


def dead_start(network=DEAD):
    """All units of the hidden layer off at every sample."""
    theta = network.initialize(0)
    theta.biases[0][:] = -100
    return theta


def told(**settings):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run = gn.train(DEAD, X, y, **{"iterations": 50, "parameters": dead_start(), **settings})
    return run, [w for w in found if w.category is gn.StalledTrainingWarning]


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_a_solver_that_ends_with_dead_units_says_so(solver):
    run, found = told(optimizer=solver())
    assert run.status == "stopped"
    (warning,) = found
    assert "4 of 4 units of hidden layer 1 are dead" in str(warning.message)
    assert "Standardize X" in str(warning.message)
    assert warning.filename == __file__


def test_rows_held_out_have_no_say():
    _, found = told(optimizer=gn.LevenbergMarquardt(), validation=0.2, sample_weight=np.ones(60))
    assert len(found) == 1


def test_layers_that_are_saturated_are_told_of():
    network = gn.Network((3, 4, 2), hidden="logistic", output="softmax")
    theta = network.initialize(0)
    theta.biases[0][:] = 40
    with pytest.warns(gn.StalledTrainingWarning, match="hidden layer 1"):
        gn.train(network, X, y > 0, optimizer=gn.LBFGS(), iterations=50, parameters=theta)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": gn.LevenbergMarquardt(), "parameters": None, "random_state": 0},
        {"optimizer": gn.SGD(1e-9)},  # which asks for more iterations instead
        {"optimizer": gn.LevenbergMarquardt(), "iterations": 0},
    ],
)
def test_what_learns_or_goes_on_is_not_warned_of(settings):
    assert told(**settings)[1] == []


def test_noise_alone_is_no_stall():
    _, found = told(optimizer=gn.LBFGS(), parameters=None, random_state=0)
    assert found == []
    noise = RANDOM.randn(60)
    with warnings.catch_warnings():
        warnings.simplefilter("error", gn.StalledTrainingWarning)
        gn.train(gn.Network((3, 1), output="identity"), X, noise, optimizer=gn.LBFGS(), iterations=50)


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_an_estimator_that_ends_so_says_so(form):
    model = gn.MLPRegressor(
        "squared_error", (2,), solver="lm", random_state=0, warm_start=True, max_iter=50
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(form(X), y)
    model.intercepts_[0][:] = -100  # all units off at every sample
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(form(X), y)
    (warning,) = [w for w in found if w.category is gn.StalledTrainingWarning]
    assert warning.filename == __file__
