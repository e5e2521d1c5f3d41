"""When an estimator's fit ends, the history that it keeps, and the threads that it asks for."""

import pickle
import warnings

import numpy as np
import pytest
from iris import HELD, KEPT, PART, Y3, X, small
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier

import glassnet as gn
from glassnet.sklearn import policy

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


def test_partial_fits_keep_the_curve_of_the_last_calls(monkeypatch):
    monkeypatch.setattr(policy, "MOST_CALLS", 20)
    model, theirs = small(), small(TheirClassifier)
    for call in range(1, 51):
        for one in (model, theirs):
            one.partial_fit(*PART, classes=[0, 1, 2])
        np.testing.assert_allclose(model.loss_curve_, theirs.loss_curve_[-20:], rtol=1e-9)
        if call == 30:
            size = len(pickle.dumps(model))
    assert model.history_["loss"] == model.loss_curve_
    assert len(pickle.dumps(model)) <= size + 8
    assert (model.best_loss_, model.t_) == (pytest.approx(theirs.best_loss_), theirs.t_)
    # The epochs of a fit are all kept.
    assert len(small(max_iter=60, tol=0).fit(*PART).loss_curve_) == 60


FITS = {
    "adam": ({}, ConvergenceWarning, "Maximum iterations"),
    "lbfgs": ({"solver": "lbfgs", "max_iter": 3}, ConvergenceWarning, "lbfgs failed to converge"),
    "lm": ({"solver": "lm", "max_iter": 3}, ConvergenceWarning, "LevenbergMarquardt failed to converge"),
    "batch": ({"batch_size": 500, "tol": 1e9}, UserWarning, "Got `batch_size`"),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", FITS)
def test_scikit_learns_warnings_are_shown_at_the_users_line_and_filtered_as_scikit_learns(name):
    told, kind, text = FITS[name]
    model = gn.Ensemble(small(**told), 3)
    for one in (small(**told), model):
        with pytest.warns(kind, match=text) as seen:
            one.fit(X, Y3)
        assert [warning.filename for warning in seen] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=kind, module="sklearn")
            one.fit(X, Y3)


def test_stopping_comes_at_scikit_learns_epoch():
    for tol, patience in ((1e-2, 2), (1e-3, 5), (0.1, 10)):
        told = {"max_iter": 300, "tol": tol, "n_iter_no_change": patience, "learning_rate_init": 0.01}
        ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
        assert ours.n_iter_ == theirs.n_iter_ < 300
        assert ours._no_improvement_count == patience + 1


def test_early_stopping_ends_with_the_best_parameters():
    told = {"early_stopping": True, "max_iter": 60, "learning_rate_init": 0.05, "solver": "sgd"}
    ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.best_validation_score_ == max(ours.validation_scores_)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)


def test_warm_start_with_early_stopping_keeps_the_best_of_both_fits():
    model = small(early_stopping=True, warm_start=True, max_iter=40, learning_rate_init=0.05).fit(X, Y3)
    best, kept = model.best_validation_score_, [W.copy() for W in model.coefs_]
    model.set_params(learning_rate_init=1e-9, max_iter=3).fit(X, Y3)
    assert model.best_validation_score_ >= best
    if model.best_validation_score_ == best:
        assert all(map(np.array_equal, kept, model.coefs_))


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_fit_that_runs_out_of_epochs_warns():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(12\) reached"):
        small().fit(X, Y3)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3 iteration"):
        small(solver="lbfgs", max_iter=3).fit(X, Y3)


def test_ctrl_c_ends_a_fit_and_keeps_the_work(monkeypatch):
    import _thread

    from glassnet.sklearn import callbacks

    def press(self, number, loss, score=None):
        if number == 3:
            _thread.interrupt_main()

    monkeypatch.setattr(callbacks.Verbosity, "epoch", press)
    monkeypatch.setattr(callbacks.Verbosity, "is_on", True)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = small(max_iter=5000, tol=0.0).fit(X, Y3)
    assert 3 <= model.n_iter_ < 5000
    assert model.predict(X).shape == (150,)


def test_lbfgs_has_a_history_too():
    model = small(solver="lbfgs").fit(*PART, validation_data=KEPT)
    assert len(model.history_["loss"]) == len(model.history_["validation_loss"]) == model.n_iter_
    assert model.history_["loss"][-1] == pytest.approx(model.loss_)


def test_early_stopping_watches_validation_data_and_holds_out_nothing():
    model = small(early_stopping=True, max_iter=200, learning_rate_init=0.05).fit(
        *PART, validation_data=KEPT
    )
    assert model.t_ == model.n_iter_ * len(PART[0])
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)


def test_early_stopping_watches_the_first_scorer():
    told = {"early_stopping": True, "scoring": "neg_log_loss"}
    model = small(**told).fit(*PART, validation_data=KEPT)
    assert model.validation_scores_ == model.history_["validation_neg_log_loss"]
    split = small(**told).fit(X, Y3)
    assert len(split.history_["validation_neg_log_loss"]) == split.n_iter_


def test_best_parameters_are_restored_where_asked_for():
    told = {"learning_rate_init": 0.3, "max_iter": 30, "tol": 0.0, "n_iter_no_change": 30}
    model = small(restore_best=True, **told).fit(*PART, validation_data=KEPT)
    P = model.predict_proba(KEPT[0])
    loss = -np.log(P[np.arange(len(P)), KEPT[1]]).mean()
    assert loss == pytest.approx(min(model.history_["validation_loss"]), rel=1e-9)
    assert np.argmin(model.history_["validation_loss"]) < 29


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_lists_of_the_history_stay_in_step_where_validation_data_come_only_sometimes(solver):
    model = small(solver=solver, warm_start=True, max_iter=3).fit(*PART)
    model.fit(*PART, validation_data=KEPT).fit(*PART)
    lost = np.isnan(model.history_["validation_loss"])
    assert set(model.history_) == {"loss", "validation_loss"}
    assert lost.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert np.isfinite(model.history_["loss"]).all()
    model.set_params(warm_start=False).fit(*PART)
    assert {name: len(values) for name, values in model.history_.items()} == {"loss": 3}


def test_lists_of_the_history_stay_in_step_over_partial_fits():
    model = small()
    for validation_data in (None, KEPT, None):
        model.partial_fit(*PART, classes=[0, 1, 2], validation_data=validation_data)
    assert np.isnan(model.history_["validation_loss"]).tolist() == [True, False, True]


def test_best_is_not_judged_by_a_training_loss_beside_validation_losses():
    told = {"restore_best": True, "warm_start": True, "learning_rate_init": 0.05, "max_iter": 20}
    model = small(**told).fit(*PART)
    model.fit(*PART, validation_data=KEPT)
    best = model.history_["validation_loss"]
    P = model.predict_proba(KEPT[0])
    assert -np.log(P[np.arange(50), KEPT[1]]).mean() == pytest.approx(np.nanmin(best), rel=1e-9)
    kept = model.coefs_[0].copy()
    model.fit(*PART)  # has lower training losses than any validation loss
    assert np.array_equal(model.coefs_[0], kept)


NOISY = Y3.copy()


def test_lbfgs_restores_the_best_parameters_too():
    model = small(solver="lbfgs", hidden_layer_sizes=(40,), restore_best=True, max_iter=80)
    model.fit(X[~HELD], NOISY[~HELD], validation_data=KEPT)
    losses = model.history_["validation_loss"]
    P = model.predict_proba(KEPT[0])
    assert -np.log(P[np.arange(50), KEPT[1]]).mean() == pytest.approx(min(losses), rel=1e-9)
    assert np.argmin(losses) < len(losses) - 1


def test_lbfgs_stops_early_where_it_is_given_validation_data_to_watch():
    told = {"solver": "lbfgs", "hidden_layer_sizes": (40,), "early_stopping": True, "max_iter": 200}
    model = small(**told, n_iter_no_change=4).fit(X[~HELD], NOISY[~HELD], validation_data=KEPT)
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == model.n_iter_
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)
    assert model._no_improvement_count == 5


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scorer_that_gives_no_number_leaves_the_last_parameters(solver):
    told = {"early_stopping": True, "scoring": {"share": lambda m, X, y: np.nan}, "solver": solver}
    with pytest.warns(UserWarning, match="scoring gave no number in any epoch"):
        model = small(**told).fit(*PART, validation_data=KEPT)
    plain = small(solver=solver).fit(*PART)
    if solver == "adam":
        assert np.array_equal(model.coefs_[0], plain.coefs_[0])
    assert model.best_validation_score_ == -np.inf


def test_early_stopping_ends_partial_fits_at_the_best_parameters():
    model = small(early_stopping=True, n_iter_no_change=3, learning_rate_init=0.05)
    calls = 0
    while not getattr(model, "stopped_", False):
        model.partial_fit(*PART, classes=[0, 1, 2], validation_data=KEPT)
        calls += 1
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)
    kept = model.coefs_[0].copy()
    model.partial_fit(*PART, validation_data=KEPT)
    assert np.array_equal(model.coefs_[0], kept)
    assert len(model.validation_scores_) == calls
    model.fit(*PART, validation_data=KEPT)
    assert not hasattr(model, "stopped_")
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True without"):
        small(early_stopping=True).partial_fit(X, Y3, classes=[0, 1, 2])


def threads_of_calls(monkeypatch, **arguments):
    """What each call to the engine was allowed."""
    from glassnet.engine.minibatch import NativeBatches

    allowed, train = [], NativeBatches.train

    def listen(self, flat, state, losses, cursor, updates):
        allowed.append(updates.threads)
        return train(self, flat, state, losses, cursor, updates)

    monkeypatch.setattr(NativeBatches, "train", listen)
    wide = np.random.RandomState(0).randn(400, 60)
    small(hidden_layer_sizes=(200,), tol=0.0, max_iter=60, **arguments).fit(wide, wide[:, 0] > 0)
    return allowed


def test_other_cores_are_asked_once_training_has_lasted(monkeypatch):
    monkeypatch.setenv("GLASSNET_THREADS", "2")
    monkeypatch.setattr(policy, "WAKING", 1e-4)
    monkeypatch.setattr(policy, "WORTHWHILE", 0)  # a busy machine has few epochs in a call
    allowed = threads_of_calls(monkeypatch)
    assert allowed[0] == 1
    assert set(allowed[1:]) == {2}
    monkeypatch.setattr(policy, "WAKING", 1e9)
    assert set(threads_of_calls(monkeypatch)) == {1}


def test_threads_that_are_named_are_taken_from_the_start_where_they_are_worth_it(monkeypatch):
    monkeypatch.setenv("GLASSNET_THREADS", "1")
    assert threads_of_calls(monkeypatch, n_threads=2)[0] == 2
    monkeypatch.setattr(policy, "WORTHWHILE", 1e99)
    assert set(threads_of_calls(monkeypatch, n_threads=2)) == {1}


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # of the same fits
def test_lbfgs_warns_where_the_targets_are_small_next_to_its_tol():
    x = np.linspace(-1, 1, 60)[:, None]
    y = np.sin(np.pi * x).ravel()
    small = gn.MLPRegressor("squared_error", (5,), activation="tanh", solver="lbfgs", random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"tol=0\.0001, and the targets deviate by 7e-06"):
        small.fit(x, 1e-5 * y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        small.set_params(max_iter=2000).fit(x, y)
