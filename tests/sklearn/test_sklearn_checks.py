"""scikit-learn's opinion of the estimators: its checks of any estimator, and its tests of these two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import glassnet as gn

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
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_estimator_passes_scikit_learns_checks(estimator, check):
    check(estimator)


# "balanced" is refused by partial_fit, which these call, as scikit-learn's SGDClassifier refuses it.
PARTIAL = (
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_estimators_partial_fit_n_features",
)
# Dropout's masks belong to a sample's place in its batch: what is repeated or reordered draws others.
ORDERED = ("check_sample_weight_equivalence_on_dense_data", "check_methods_sample_order_invariance")


@parametrize_with_checks(
    [
        gn.MLPClassifier(**SOME, **EXTRAS, class_weight="balanced"),
        gn.MLPRegressor(**SOME, **EXTRAS, loss="huber", missing="mean"),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
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
