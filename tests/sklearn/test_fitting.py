"""The ways to fit: the updates of `train` on batches, and what a way to fit has no use for."""

import numpy as np
import pytest
from iris import TARGET, Y3, X, pack, small
from sklearn.model_selection import train_test_split

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


@pytest.mark.parametrize("solver", gn.SOLVERS.values())
def test_solvers_stop_early_on_samples_that_they_hold_out(solver):
    y = TARGET + np.random.RandomState(0).randn(150)
    told = {"solver": solver(), "hidden_layer_sizes": (12,), "alpha": 0.0, "max_iter": 60}
    model = small(gn.MLPRegressor, **told, early_stopping=True, n_iter_no_change=5, scoring="r2").fit(X, y)
    # The first parameters are drawn before the samples, as on batches.
    stream = np.random.RandomState(0)
    stream.uniform(size=12 * 4 + 12 + 12 + 1)
    training, held = train_test_split(np.arange(150), random_state=stream, test_size=0.1)
    assert model.score(X[held], y[held]) == pytest.approx(model.best_validation_score_)
    assert model.best_validation_score_ == max(model.validation_scores_) == max(model.history_["score"])
    own = small(gn.MLPRegressor, **told, early_stopping=True, n_iter_no_change=5)
    own.fit(X[training], y[training], validation_data=(X[held], y[held]))
    np.testing.assert_allclose(own.coefs_[0], model.coefs_[0], rtol=1e-6)


def test_scikit_learns_lbfgs_says_that_it_holds_nothing_out():
    told = {"solver": "lbfgs", "early_stopping": True}
    with pytest.warns(UserWarning, match="early_stopping=True is without effect") as seen:
        model = small(**told).fit(X, Y3)
    assert seen[0].filename == __file__
    assert np.array_equal(model.coefs_[0], small(solver="lbfgs").fit(X, Y3).coefs_[0])
    small(**told).fit(X, Y3, validation_data=(X, Y3))
