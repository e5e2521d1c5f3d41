"""The base of both estimators among scikit-learn's own checks, tests and tools."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from iris import Y3, X
from iris import small as untrained
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import glassnet as gn


def small(kind=gn.MLPClassifier, **arguments):
    """An unfitted network that learns the irises."""
    return untrained(kind, **{"max_iter": 40, "learning_rate_init": 0.02, **arguments})


TARGET = X[:, 0] - 2 * X[:, 1]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOME = {"max_iter": 60}


EXTRAS = {
    "activation": "gelu",
    "dropout": 0.1,
    "l1": 1e-5,
    "restore_best": True,
    "learning_rate": gn.Cosine(1e-2, steps=200),
    "n_threads": 1,
}


@parametrize_with_checks(
    [
        gn.MLPClassifier(**SOME),
        gn.MLPRegressor(**SOME),
        gn.MLPClassifier(solver="lbfgs", max_iter=40),
        gn.MLPRegressor(solver="lbfgs", max_iter=100),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # their X is raw
def test_estimator_passes_scikit_learns_checks(estimator, check):
    check(estimator)


PARTIAL = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)


ORDERED = (
    "check_methods_sample_order_invariance",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


@parametrize_with_checks(
    [
        gn.MLPClassifier(**SOME, **EXTRAS, class_weight="balanced"),
        gn.MLPRegressor(**SOME, **EXTRAS, loss="huber", missing="mean"),
    ]
)
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # their X is raw
def test_estimator_with_our_extras_passes_them_too(estimator, check):
    if check.func.__name__ in ORDERED:
        estimator.set_params(dropout=0.0)
    if check.func.__name__ in PARTIAL and "class_weight" in estimator.get_params():
        estimator.set_params(class_weight=None)
    check(estimator)


def test_scikit_learns_own_tests_pass_on_our_classes():
    here = Path(__file__).parents[1] / "drop_in"
    paths = [str(here), *(path for path in (os.environ.get("PYTHONPATH"),) if path)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "glassnet_in_sklearn", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--pyargs", "sklearn.neural_network.tests.test_mlp"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed, 3 deselected" in done.stdout


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_finds_what_it_finds_with_scikit_learns(n_jobs):
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(4,), (8,)]}
    with joblib.parallel_config("threading"):
        found = [
            GridSearchCV(one, grid, cv=3, n_jobs=n_jobs).fit(X, Y3)
            for one in (small(), small(MLPClassifier))
        ]
    scores = [one.cv_results_["mean_test_score"] for one in found]
    assert np.array_equal(*scores)
    assert found[0].best_params_ == found[1].best_params_


def test_pipeline_and_cross_validation_give_scikit_learns_scores():
    inputs, y = load_breast_cancer(return_X_y=True)
    ours, other = (make_pipeline(StandardScaler(), one) for one in (small(), small(MLPClassifier)))
    assert np.array_equal(cross_val_score(ours, inputs, y, cv=3), cross_val_score(other, inputs, y, cv=3))
    P = cross_val_predict(ours, inputs, y, cv=3, method="predict_proba")
    np.testing.assert_allclose(
        P, cross_val_predict(other, inputs, y, cv=3, method="predict_proba"), rtol=1e-6, atol=1e-9
    )


def test_calibration_bagging_voting_and_stacking_work():
    calibrated = CalibratedClassifierCV(small(), cv=3).fit(X, Y3)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    with joblib.parallel_config("threading"):
        bagged = BaggingClassifier(small(), n_estimators=4, random_state=0, n_jobs=2).fit(X, Y3)
    same = BaggingClassifier(small(MLPClassifier), n_estimators=4, random_state=0).fit(X, Y3)
    np.testing.assert_allclose(bagged.predict_proba(X), same.predict_proba(X), rtol=1e-6, atol=1e-9)
    voting = VotingClassifier([("net", small()), ("line", LogisticRegression())], voting="soft").fit(X, Y3)
    assert voting.score(X, Y3) > 0.9
    stack = StackingRegressor([("net", small(gn.MLPRegressor)), ("line", LinearRegression())]).fit(
        X, TARGET
    )
    assert stack.score(X, TARGET) > 0.9


def test_regressors_work_inside_others():
    rows = np.column_stack([TARGET, -TARGET])
    assert MultiOutputRegressor(small(gn.MLPRegressor)).fit(X, rows).predict(X).shape == (150, 2)
    logs = TransformedTargetRegressor(
        small(gn.MLPRegressor, solver="lbfgs", max_iter=300), func=np.log1p, inverse_func=np.expm1
    )
    assert logs.fit(X, TARGET - TARGET.min()).score(X, TARGET - TARGET.min()) > 0.5


def test_permutation_importance_and_learning_curve_work():
    model = small().fit(X, Y3)
    found = permutation_importance(model, X, Y3, random_state=0, n_repeats=3)
    assert found.importances_mean.argmax() in (2, 3)
    sizes, _, scores = learning_curve(small(), X, Y3, cv=3, shuffle=True, random_state=0)
    assert scores.shape == (len(sizes), 3)


def test_decision_boundary_display_draws_it():
    import matplotlib

    matplotlib.use("Agg")
    model = small().fit(X[:, :2], Y3)
    for response in ("predict", "predict_proba"):
        display = DecisionBoundaryDisplay.from_estimator(
            model, X[:, :2], response_method=response, grid_resolution=10
        )
        assert np.isfinite(display.response).all()
        matplotlib.pyplot.close(display.figure_)


def test_weights_and_validation_data_are_routed():
    w = np.linspace(0.5, 2, 150)
    kept = (X[::3], Y3[::3])
    with sklearn.config_context(enable_metadata_routing=True):
        model = small(early_stopping=True).set_fit_request(sample_weight=True, validation_data=True)
        model.set_score_request(sample_weight=False)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        routed.fit(X, Y3, sample_weight=w, validation_data=kept)
        assert len(routed[-1].history_["validation_loss"]) == routed[-1].n_iter_
        scores = cross_validate(model, X, Y3, params={"sample_weight": w, "validation_data": kept}, cv=3)
        assert np.isfinite(scores["test_score"]).all()
    direct = small(early_stopping=True).fit(scale(X), Y3, sample_weight=w, validation_data=kept)
    np.testing.assert_allclose(routed[-1].coefs_[0], direct.coefs_[0], rtol=1e-9)
