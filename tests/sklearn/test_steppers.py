"""The estimators by the package's own solvers, by name and as a record."""

import copy
import pickle
import signal

import iris
import numpy as np
import pytest
from numpy.random import RandomState
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import glassnet as gn
from glassnet.sklearn.steppers import SOLVERS_BY_NAME

X = RandomState(0).randn(120, 4)
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] * X[:, 2] > 0)]
TARGET = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]
BAYES = gn.BayesianRegularization
WAYS = [*SOLVERS_BY_NAME, *(kind() for kind in gn.SOLVERS.values() if kind is not BAYES)]
every_way = pytest.mark.parametrize("way", WAYS, ids=str)


SMALL = {
    "hidden_layer_sizes": (5,),
    "activation": "tanh",
    "max_iter": 2000,
    "alpha": 0.01,
    "random_state": 0,
}


def classifier(**settings):
    return gn.MLPClassifier(**{**SMALL, **settings})


def regressor(**settings):
    return gn.MLPRegressor(**{"loss": "squared_error", **SMALL, **settings})


@every_way
def test_solver_fits_classes_and_numbers(way):
    model = classifier(solver=way).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.8
    assert regressor(solver=way).fit(X, TARGET).score(X, TARGET) > 0.9


@every_way
def test_solver_leaves_the_attributes_of_the_others(way):
    model, other = (classifier(solver=one, max_iter=20) for one in (way, "adam"))
    with pytest.warns(ConvergenceWarning):
        other.fit(X, LABELS)
    try:
        model.fit(X, LABELS)
    except ConvergenceWarning:  # an error here
        model.set_params(max_iter=2000).fit(X, LABELS)
    assert set(vars(other)) - set(vars(model)) <= {"_optimizer_state", "_no_improvement_count"}
    assert len(model.loss_curve_) == model.n_iter_ == len(model.history_["loss"])
    assert model.loss_ == model.loss_curve_[-1] == model.best_loss_
    assert (np.diff(model.loss_curve_) < 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bayesian_regularization_needs_no_alpha():
    model = regressor(solver=BAYES(), alpha=0.0, max_iter=100).fit(X, TARGET)
    assert model.score(X, TARGET) > 0.9
    assert len(model.loss_curve_) == model.n_iter_


def test_lm_is_the_solver_itself_on_the_same_loss():
    model = regressor(solver="lm", tol=1e-6).fit(X, TARGET)
    n = len(X)
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    run = gn.train(
        net,
        X,
        TARGET,
        optimizer=gn.LevenbergMarquardt(gradient_tolerance=1e-6),
        iterations=400,
        l2=0.01 / n,
        parameters=start_of(model),
    )
    assert run.iterations == model.n_iter_
    assert run.losses[-1] == pytest.approx(model.loss_, rel=1e-12)
    assert np.allclose(run.parameters.weights[0], model.coefs_[0])
    assert np.abs(gradient_at(net, run.parameters, n)).max() < 1e-6 or "lowered" in run.reason


def start_of(model):
    from glassnet.sklearn.network import draw_parameters

    return draw_parameters(model._network, "tanh", RandomState(0), np.float64)


def gradient_at(net, theta, n):
    return gn.loss_and_gradient(net, theta, X, TARGET, l2=0.01 / n)[1].flat


def test_a_record_is_the_name_with_its_settings():
    by_name = regressor(solver="lm", tol=1e-5).fit(X, TARGET)
    by_record = regressor(solver=gn.LevenbergMarquardt(gradient_tolerance=1e-5)).fit(X, TARGET)
    assert by_name.loss_curve_ == by_record.loss_curve_
    assert clone(by_record).solver == by_record.solver
    assert np.array_equal(pickle.loads(pickle.dumps(by_record)).predict(X), by_record.predict(X))
    assert copy.deepcopy(by_record).n_iter_ == by_name.n_iter_


def test_float32_is_computed_in_float64():
    model = regressor(solver="lm").fit(X.astype(np.float32), TARGET)
    assert model.coefs_[0].dtype == np.float64


def test_warm_start_goes_on():
    model = regressor(solver="lm", warm_start=True, max_iter=3)
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match=r"LevenbergMarquardt failed .* after 3 .*max_iter=3"):
            model.fit(X, TARGET)
    assert len(model.loss_curve_) == 6
    assert (np.diff(model.loss_curve_) < 0).all()


def test_evaluations_have_a_limit():
    with pytest.warns(ConvergenceWarning, match="max_fun=4"):
        model = regressor(solver="lm", max_fun=4).fit(X, TARGET)
    assert model.n_iter_ <= 4


def test_validation_data_stop_it_and_bring_the_best_back():
    noisy = np.where(RandomState(1).uniform(size=120) < 0.3, "a", LABELS)
    model = classifier(
        solver="lm", hidden_layer_sizes=(8,), alpha=0, early_stopping=True, n_iter_no_change=3
    )
    model.fit(X[:60], noisy[:60], validation_data=(X[60:], noisy[60:]))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X[60:], noisy[60:]) == model.best_validation_score_
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dropout": 0.5}, "dropout is for solvers that take batches"),
        ({"l1": 0.1}, "LevenbergMarquardt needs a smooth loss"),
        ({"learning_rate": gn.Cosine(0.1, steps=3)}, "LevenbergMarquardt chooses"),
        ({"scoring": "r2"}, "scoring is measured on samples held out: give validation_data"),
        ({"loss": "huber"}, "second derivative|LBFGS"),
        ({"hidden_layer_sizes": (20_000,)}, r"GiB for the matrix of 120,001 parameters"),
    ],
)
def test_what_does_not_go_with_lm_is_refused(settings, words):
    with pytest.raises(gn.InputError, match=words):
        regressor(solver="lm", **settings).fit(X, TARGET)


def test_there_is_no_partial_fit():
    assert not hasattr(classifier(solver="lm"), "partial_fit")
    assert not hasattr(classifier(solver=gn.LBFGS()), "partial_fit")


def test_an_optimizer_that_is_a_solver_is_shown_its_place():
    with pytest.raises(gn.InputTypeError, match=r"solver=LBFGS\(.*or by name, as in solver='lm'"):
        classifier(optimizer=gn.LBFGS()).fit(X, LABELS)
    with pytest.raises(ValueError, match="'solver' parameter"):
        classifier(solver="lmm").fit(X, LABELS)


def test_ctrl_c_ends_the_fit_with_what_was_done(monkeypatch):
    from glassnet.sklearn import policy

    real = policy.History.add

    def press(self, *told):
        real(self, *told)
        if self.epochs == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(policy.History, "add", press)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = regressor(solver="lm").fit(X, TARGET)
    assert model.n_iter_ == 3


@parametrize_with_checks(
    [
        kind(hidden_layer_sizes=(4,), solver="lm", max_iter=20)
        for kind in (gn.MLPClassifier, gn.MLPRegressor)
    ]
)
@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # of noise
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lm_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def test_estimator_tells_the_evidence_and_why_training_ended():
    X = np.random.RandomState(0).randn(60, 2)
    y = X[:, 0] + 0.1 * np.random.RandomState(1).randn(60)
    model = gn.MLPRegressor("squared_error", (4,), solver=gn.BayesianRegularization(), random_state=0)
    assert 0 < model.fit(X, y).evidence_.effective_parameters < 17
    assert model.reason_
    model.set_params(solver="adam", max_iter=300, tol=1e-2).fit(X, y)
    assert not hasattr(model, "evidence_")
    assert not hasattr(model, "reason_")


@pytest.mark.parametrize("name", [name for name in gn.SOLVERS if name != "lbfgs"])
def test_solvers_name_stands_for_it_with_the_estimators_tol(name):
    X = np.random.RandomState(0).randn(40, 2)
    how = {"hidden_layer_sizes": (3,), "max_iter": 500, "random_state": 0, "tol": 1e-3}
    named = gn.MLPRegressor(solver=name, **how).fit(X, X[:, 0])
    same = gn.MLPRegressor(solver=gn.SOLVERS[name](gradient_tolerance=1e-3), **how).fit(X, X[:, 0])
    assert named.loss_curve_ == same.loss_curve_


# ---- Batches -------------------------------------------------------------------------------------

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@quiet
def test_many_epochs_with_a_rate_for_each_update_are_planned_in_parts(monkeypatch):
    from glassnet.sklearn import steppers

    told = {"solver": "sgd", "learning_rate": "invscaling", "tol": 0.0, "n_iter_no_change": np.inf}
    whole = iris.small(max_iter=30, batch_size=7, **told).fit(iris.X, iris.Y3)
    monkeypatch.setattr(steppers, "MAX_RATES", 50)
    parts = iris.small(max_iter=30, batch_size=7, **told).fit(iris.X, iris.Y3)
    assert np.array_equal(whole.coefs_[0], parts.coefs_[0])


@quiet
@pytest.mark.parametrize("name", gn.OPTIMIZERS)
def test_optimizer_may_be_named_and_takes_the_estimators_rate(name):
    rate = gn.Cosine(0.02, steps=50)
    for told, given in (({"learning_rate": rate}, rate), ({"learning_rate_init": 0.02}, 0.02)):
        named = iris.small(optimizer=name, **told).fit(iris.X, iris.Y3)
        same = iris.small(optimizer=gn.OPTIMIZERS[name](given)).fit(iris.X, iris.Y3)
        assert np.array_equal(named.coefs_[0], same.coefs_[0])


@quiet
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedule_takes_the_place_of_the_rate(solver):
    constant = iris.small(solver=solver, learning_rate_init=0.03).fit(iris.X, iris.Y3)
    scheduled = iris.small(solver=solver, learning_rate=gn.Constant(0.03)).fit(iris.X, iris.Y3)
    assert np.array_equal(constant.coefs_[0], scheduled.coefs_[0])
    falling = iris.small(solver=solver, learning_rate=gn.Exponential(0.03, factor=0.9)).fit(iris.X, iris.Y3)
    assert not np.array_equal(constant.coefs_[0], falling.coefs_[0])


def test_schedule_that_listens_to_losses_may_end_training():
    rule = gn.Adaptive(0.5, tolerance=10.0, patience=1, divisor=1e3)
    model = iris.small(learning_rate=rule, solver="sgd", max_iter=100).fit(iris.X, iris.Y3)
    assert model.n_iter_ < 10


@quiet
def test_partial_fits_follow_a_schedule():
    told = {"learning_rate": gn.Step(0.05, every=3), "batch_size": 150, "shuffle": False, "tol": 0.0}
    whole, parts = iris.small(**told).fit(iris.X, iris.Y3), iris.small(**told)
    for _ in range(12):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(iris.X, iris.Y3, classes=[0, 1, 2])))
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-12)
