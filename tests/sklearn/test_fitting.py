"""The ways to fit: the updates of `train` on batches, and what a way to fit has no use for."""

import numpy as np
import pytest
from iris import Y3, X, pack, small

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


def test_optimizer_and_penalties_are_those_of_train():
    told = {"optimizer": gn.AdamW(gn.Step(0.02, every=5), weight_decay=0.1), "l1": 0.3, "alpha": 0.7}
    model = small(**told, batch_size=50, tol=0.0).fit(X, Y3)
    network, random = gn.Network((4, 6, 3), hidden="relu"), np.random.RandomState(0)
    theta = network.initialize(random, "sklearn")
    how = {"optimizer": told["optimizer"], "iterations": 12, "batch_size": 50, "parameters": theta}
    run = gn.train(network, X, Y3, **how, l1=0.3 / 50, l2=0.7 / 50, random_state=random)
    np.testing.assert_allclose(pack(model).flat, run.parameters.flat, rtol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, run.losses, rtol=1e-10)


def test_dropout_is_that_of_train():
    model = small(dropout=0.4, batch_size=50, alpha=0.0, tol=0.0).fit(X, Y3)
    network, random = gn.Network((4, 6, 3), hidden="relu"), np.random.RandomState(0)
    theta = network.initialize(random, "sklearn")
    adam = gn.Adam(0.001, epsilon_hat=True)
    how = {"optimizer": adam, "iterations": 12, "batch_size": 50, "parameters": theta, "dropout": 0.4}
    run = gn.train(network, X, Y3, **how, random_state=random)
    np.testing.assert_allclose(pack(model).flat, run.parameters.flat, rtol=1e-12)
    with pytest.raises(gn.InputError, match="dropout is for solvers that take batches"):
        small(dropout=0.4, solver="lbfgs").fit(X, Y3)


def test_what_lbfgs_or_an_optimizer_would_ignore_is_refused():
    schedule = gn.Cosine(0.01, steps=99)
    for arguments, words in (
        ({"solver": "lbfgs", "learning_rate": schedule}, "lbfgs chooses the length of each step"),
        ({"solver": "lbfgs", "scoring": "accuracy", "early_stopping": True}, "lbfgs holds none out"),
        ({"optimizer": gn.Adam(0.01), "learning_rate": schedule}, "would be ignored"),
        ({"optimizer": "adamw", "learning_rate": "adaptive"}, "is of solver='sgd'"),
    ):
        with pytest.raises(gn.InputError, match=words):
            small(**arguments).fit(X, Y3)
