"""Scores with intervals: scikit-learn's numbers, paired draws, and rows that allow none."""

import numpy as np
import pytest
from sklearn import metrics

from glassnet.diagnostics.verdict.measures import Estimate, draws, estimates, measured, wilson

RANDOM = np.random.RandomState(0)


def probabilities(n, classes, seed=0):
    P = np.random.RandomState(seed).rand(n, classes)
    return P / P.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_scikit_learns_with_weights(classes):
    y, P = RANDOM.randint(0, classes, 60), probabilities(60, classes).round(1) + 0.01
    P /= P.sum(axis=1, keepdims=True)
    w = RANDOM.randint(1, 4, 60).astype(float)
    scores = {name: float(value[0]) for name, value in measured(y, P, w[None]).items()}
    predicted = P.argmax(axis=1)
    expected = {
        "accuracy": metrics.accuracy_score(y, predicted, sample_weight=w),
        "balanced accuracy": metrics.balanced_accuracy_score(y, predicted, sample_weight=w),
        "log loss": metrics.log_loss(y, P, sample_weight=w, labels=range(classes)),
    }
    if classes == 2:
        expected["ROC AUC"] = metrics.roc_auc_score(y, P[:, 1], sample_weight=w)
    assert scores == pytest.approx(expected)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9, 1e200])
def test_scores_of_quantities_are_scikit_learns_in_any_unit(unit):
    y = RANDOM.randn(50) + 3
    predicted, w = y + RANDOM.randn(50), RANDOM.rand(50)
    scores = {k: float(v[0]) for k, v in measured(unit * y, unit * predicted, w[None]).items()}
    assert scores == pytest.approx(
        {
            "RMSE": unit * metrics.root_mean_squared_error(y, predicted, sample_weight=w),
            "R²": metrics.r2_score(y, predicted, sample_weight=w),
            "MAE": unit * metrics.mean_absolute_error(y, predicted, sample_weight=w),
        }
    )


def test_draws_are_rows_with_replacement_the_same_for_a_seed():
    first, second = (np.concatenate(list(draws(30, 1))) for _ in range(2))
    assert np.array_equal(first, second)
    assert (first.sum(axis=1) == 30).all()
    assert len(first) == 1000


def test_an_interval_of_an_error_covers_as_often_as_it_says():
    covered = []
    for seed in range(200):
        random = np.random.RandomState(seed)
        y = random.randn(80)
        scores, _ = estimates(y, {"a": np.zeros(80)}, seed)
        covered.append(scores["a"]["RMSE"].low <= 1.0 <= scores["a"]["RMSE"].high)
    assert 0.88 < np.mean(covered) < 0.99


def test_differences_are_paired():
    y = RANDOM.randn(200)
    noise = 3 * RANDOM.randn(200)
    scores, leads = estimates(y, {"a": y + noise, "b": y + 1.02 * noise})
    lead = leads["b"]["RMSE"]
    assert lead.high < 0  # though each one's own interval is twenty times as wide
    assert scores["a"]["RMSE"].high > scores["b"]["RMSE"].value
    assert lead.value == pytest.approx(scores["a"]["RMSE"].value - scores["b"]["RMSE"].value)


def test_few_rows_or_undefined_scores_have_no_interval():
    few, _ = estimates(np.array([1.0, 2.0]), {"a": np.array([1.0, 1.0])})
    assert few["a"]["RMSE"] == Estimate(pytest.approx(np.sqrt(0.5)))
    same, _ = estimates(np.ones(20), {"a": np.ones(20)})
    assert same["a"]["R²"] == Estimate(None)
    one, _ = estimates(np.zeros(20, int), {"a": probabilities(20, 2)})
    assert one["a"]["ROC AUC"] == Estimate(None)
    rare, _ = estimates(np.array([1] + 40 * [0]), {"a": probabilities(41, 2)})
    assert rare["a"]["balanced accuracy"].low is None  # draws without the one row say nothing of its class
    broken, _ = estimates(np.zeros(20, int), {"a": np.full((20, 2), np.nan)})
    assert set(broken["a"].values()) == {Estimate(None)}


def test_nothing_wrong_in_few_rows_is_no_proof():
    assert wilson(1.0, 10)[0] < 0.75
    assert wilson(0.5, 1000) == pytest.approx((0.469, 0.531), abs=5e-4)
