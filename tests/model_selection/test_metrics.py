"""The metrics of a sweep, by name and of the caller's own."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import KFold
from sweeps import LINE, NEAR, W, Y, sweep_near

import glassnet as gn
from glassnet.model_selection.metrics import METRICS, rank_ic


def test_a_function_gets_targets_predictions_and_rows():
    seen = []

    def rank(y, found, rows):
        seen.append((y, found, rows))
        return float(rows[0])

    y = NEAR @ [1.0, 2.0]
    result = sweep_near(LINE, y, folds=KFold(3), metric=rank, mode="max", seeds=2)
    assert [cell.metric for cell in result.cells] == [0, 20, 40] * 4
    for actual, found, rows in seen:
        assert np.array_equal(actual, y[rows])
        assert found.shape == actual.shape == (20,)


def test_a_function_may_ask_for_probabilities():
    def confident(y, found):
        return found.max(axis=1).mean()

    result = sweep_near(metric=confident, mode="max", response="predict_proba", validation=(NEAR, Y))
    for cell in result.cells:
        assert cell.metric == cell.run.predict_proba(NEAR).max(axis=1).mean()
    assert result.metric == "held_out_confident"


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"rank_ic"}))  # which test_metrics.py tries
def test_named_metrics_are_those_of_scikit_learn_and_the_loss(name):
    if name == "r2":
        result = sweep_near(LINE, NEAR @ [1.0, 2.0], metric=name, sample_weight=W)
        expected = [r2_score(NEAR @ [1.0, 2.0], run.predict(NEAR), sample_weight=W) for run in result.runs]
    else:
        result = sweep_near(metric=name, sample_weight=W)
        expected = [run.score(NEAR, Y, W) if name == "accuracy" else run.losses[-1] for run in result.runs]
    assert [cell.metric for cell in result.cells] == pytest.approx(expected, rel=1e-12)
    assert result.metric == f"training_{name}"
    assert result.best.metric == (min if METRICS[name] == "min" else max)(expected)


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({"metric": "acuracy"}, gn.InputError, "Did you mean 'accuracy'"),
        ({"metric": "r2"}, gn.InputError, "r2 does not go with the output 'softmax'"),
        ({"metric": 3}, gn.InputTypeError, "metric is a name or a function"),
        ({"metric": f1_score}, gn.InputError, 'f1_score needs mode="min" or mode="max"'),
        ({"metric": f1_score, "mode": "best"}, gn.InputError, "mode 'best'"),
        ({"metric": "loss", "mode": "max"}, gn.InputError, "its minimum"),
        ({"mode": "max"}, gn.InputError, "no effect without a metric"),
        ({"metric": f1_score, "mode": "max", "response": "proba"}, gn.InputError, "response 'proba'"),
    ],
)
def test_bad_metrics_are_refused(told, error, message):
    with pytest.raises(error, match=message):
        sweep_near(**told)


def test_a_metric_that_returns_no_number_is_refused():
    with pytest.raises(gn.InputTypeError, match="returned None"):
        sweep_near(metric=lambda y, found: None, mode="max")


# ---- The rank correlation within dates --------------------------------------------------------------

DATES = np.tile(np.datetime64("2024-01-01") + np.arange(30), 8)  # a panel by symbol and then by date
PANEL = np.random.RandomState(0).randn(240, 3)
RETURNS = PANEL[:, 0] + np.random.RandomState(1).randn(240)
SIGNAL = gn.Network((3, 1), output="identity")
WALK = gn.WalkForward(3, test_size=5, times=DATES)


def ranked(**settings):
    told = {"grid": {"learning_rate": [0.01, 0.1]}, "folds": WALK, "metric": "rank_ic", "iterations": 6}
    return gn.sweep(SIGNAL, PANEL, RETURNS, **{**told, "random_state": 0, **settings})


def by_scipy(y, predicted, dates):
    """The mean over the dates that have a rank correlation, and the number of the others."""
    values = [
        spearmanr(y[dates == date], predicted[dates == date]).statistic
        for date in np.unique(dates)
        if min(len(np.unique(values[dates == date])) for values in (y, predicted)) > 1
    ]
    return np.mean(values), len(np.unique(dates)) - len(values)


@pytest.mark.parametrize("digits", [15, 0])
def test_rank_ic_is_the_mean_of_spearmans_over_the_dates(digits):
    """With ties too, which one digit makes many of, and with dates that cannot be ranked."""
    random = np.random.RandomState(digits)
    dates = random.randint(0, 60, 200)  # some of one row
    y, predicted = random.randn(200).round(digits), random.randn(200).round(digits)
    predicted[dates == 7] = 1.0
    y[dates == 8] = 1.0
    expected, left_out = by_scipy(y, predicted, dates)
    found = rank_ic(y, predicted, dates)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.left_out == left_out > 2
    assert rank_ic(np.c_[y, -y], np.c_[predicted, predicted], dates).value == pytest.approx(0, abs=1e-15)


def test_rank_ic_without_a_date_to_rank_or_with_a_nan_is_nan():
    assert np.isnan(rank_ic(np.arange(4.0), np.ones(4), np.zeros(4)).value)
    assert np.isnan(rank_ic(np.arange(4.0), np.array([1, 2, 3, np.nan]), np.zeros(4)).value)
    assert rank_ic(np.arange(3.0), np.arange(3.0), np.arange(3)).left_out == 3


@pytest.mark.filterwarnings("ignore:rank_ic left out")  # dates of which a fraction has one row
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"folds": list(WALK.split(PANEL)), "times": pd.DatetimeIndex(DATES)},
        {"folds": gn.WalkForward(3, test_size=5), "groups": DATES.astype(str)},
        {"folds": None, "validation": 0.3, "times": DATES},
        {"folds": None, "times": DATES},
    ],
)
def test_sweep_measures_rank_ic_on_the_dates_of_the_rows_tested(told):
    result = ranked(**told)
    for cell in result.cells:
        rows = np.arange(240)
        if cell.fold is not None:
            rows = list(WALK.split(PANEL))[cell.fold][1]
        elif cell.run.validation is not None:
            rows = cell.run.validation.rows[-cell.run.validation.n_held_out :]
        expected, left_out = by_scipy(RETURNS[rows], cell.run.predict(PANEL[rows]).ravel(), DATES[rows])
        assert cell.metric == pytest.approx(expected, rel=1e-12)
        assert cell.left_out == left_out
    assert result.best.metric == max(cell.metric for cell in result.cells if cell.setting == 1)
    assert [row["dates_left_out"] for row in result.table] == [cell.left_out for cell in result.cells]


def test_dates_that_rank_ic_leaves_out_are_said_once():
    alone = DATES.copy()
    alone[:8] = np.datetime64("2030-01-01") + np.arange(8)
    with pytest.warns(
        gn.GlassnetWarning, match="rank_ic left out up to 5 dates .* 4 of 6 networks"
    ) as seen:
        ranked(folds=gn.WalkForward(3, test_size=5, times=alone))
    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"folds": 3}, "the rows have no dates: give times"),
        ({"folds": None, "validation": (PANEL, RETURNS), "times": DATES}, "validation arrays have none"),
        ({"metric": "r2", "times": DATES}, 'times are the dates of the metric "rank_ic"'),
        ({"times": DATES[:-1]}, r"times has shape \(239,\)"),
        ({"mode": "min"}, "its maximum"),
    ],
)
def test_rank_ic_that_lacks_dates_is_refused(told, message):
    with pytest.raises(gn.InputError, match=message):
        ranked(**told)


@pytest.mark.filterwarnings("ignore:rank_ic left out")
@pytest.mark.parametrize("network", [gn.Network((3, 2)), gn.Network((3, 1), output="logistic")])
def test_rank_ic_of_two_classes_is_that_of_the_seconds_probability(network):
    up, (_, test) = (RETURNS > 0).astype(int), list(WALK.split(PANEL))[-1]
    told = {"settings": [{}], "folds": WALK, "iterations": 5, "random_state": 0}
    cell = gn.sweep(network, PANEL, up, metric="rank_ic", **told).cells[-1]
    expected, _ = by_scipy(up[test], cell.run.predict_proba(PANEL[test])[:, -1], DATES[test])
    assert cell.metric == pytest.approx(expected, rel=1e-12)


def test_rank_ic_of_three_classes_is_refused():
    with pytest.raises(gn.InputError, match="rank_ic does not go with the output 'softmax'"):
        gn.sweep(gn.Network((3, 3)), PANEL, RETURNS > 0, settings=[{}], metric="rank_ic", times=DATES)
