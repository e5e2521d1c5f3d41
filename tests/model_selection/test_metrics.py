"""The metrics of a sweep that no other library computes for it."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import glassnet as gn
from glassnet.model_selection.metrics import rank_ic

RANDOM = np.random.RandomState(0)
DATES = np.tile(np.datetime64("2024-01-01") + np.arange(30), 8)  # a panel by symbol and then by date
X = RANDOM.randn(240, 3)
Y = X[:, 0] + RANDOM.randn(240)
LINE = gn.Network((3, 1), output="identity")
FOLDS = gn.WalkForward(3, test_size=5, times=DATES)


def sweep(**settings):
    told = {"grid": {"learning_rate": [0.01, 0.1]}, "folds": FOLDS, "metric": "rank_ic", "iterations": 6}
    return gn.sweep(LINE, X, Y, **{**told, "random_state": 0, **settings})


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
        {"folds": list(FOLDS.split(X)), "times": pd.DatetimeIndex(DATES)},
        {"folds": gn.WalkForward(3, test_size=5), "groups": DATES.astype(str)},
        {"folds": None, "validation": 0.3, "times": DATES},
        {"folds": None, "times": DATES},
    ],
)
def test_sweep_measures_rank_ic_on_the_dates_of_the_rows_tested(told):
    result = sweep(**told)
    for cell in result.cells:
        rows = np.arange(240)
        if cell.fold is not None:
            rows = list(FOLDS.split(X))[cell.fold][1]
        elif cell.run.validation is not None:
            rows = cell.run.validation.rows[-cell.run.validation.n_held_out :]
        expected, left_out = by_scipy(Y[rows], cell.run.predict(X[rows]).ravel(), DATES[rows])
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
        sweep(folds=gn.WalkForward(3, test_size=5, times=alone))
    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"folds": 3}, "the rows have no dates: give times"),
        ({"folds": None, "validation": (X, Y), "times": DATES}, "validation arrays have none"),
        ({"metric": "r2", "times": DATES}, 'times are the dates of the metric "rank_ic"'),
        ({"times": DATES[:-1]}, r"times has shape \(239,\)"),
        ({"mode": "min"}, "its maximum"),
    ],
)
def test_rank_ic_that_lacks_dates_is_refused(told, message):
    with pytest.raises(gn.InputError, match=message):
        sweep(**told)


def test_rank_ic_of_classes_is_refused():
    with pytest.raises(gn.InputError, match="rank_ic does not go with the output 'softmax'"):
        gn.sweep(gn.Network((3, 2)), X, Y > 0, settings=[{}], metric="rank_ic", times=DATES)
