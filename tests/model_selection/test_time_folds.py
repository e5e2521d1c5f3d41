"""Folds in time: scikit-learn's where they coincide, nothing of the test in training, errors that help."""

import pickle
import re
from datetime import date, timedelta
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    TimeSeriesSplit,
    check_cv,
    cross_val_predict,
    cross_val_score,
)

import glassnet as gn

SPLITTERS = [gn.WalkForward(3), gn.PurgedKFold(3)]
each_splitter = pytest.mark.parametrize("folds", SPLITTERS, ids=lambda one: type(one).__name__)


def lists(folds):
    return [(train.tolist(), test.tolist()) for train, test in folds]


# ---- Rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "n_splits", "test_size", "max_train_size", "gap"),
    list(product([13, 30], [2, 5], [None, 1, 3], [None, 1, 4], [0, 2])),
)
def test_walk_forward_over_rows_is_time_series_split(n, n_splits, test_size, max_train_size, gap):
    settings = {"test_size": test_size, "max_train_size": max_train_size, "gap": gap}
    theirs = TimeSeriesSplit(n_splits, **settings)
    ours = gn.WalkForward(n_splits, **settings)
    X = np.zeros((n, 1))
    try:
        expected = lists(theirs.split(X))
    except ValueError:
        with pytest.raises(gn.InputError, match="Lower n_splits, test_size or gap"):
            lists(ours.split(X))
        return
    assert lists(ours.split(X)) == expected
    assert ours.get_n_splits(X) == theirs.get_n_splits(X) == len(expected)


@pytest.mark.parametrize(("n", "n_splits"), list(product([5, 13, 30], [2, 3, 5])))
def test_purged_k_fold_without_gap_is_k_fold(n, n_splits):
    X = np.zeros((n, 1))
    assert lists(gn.PurgedKFold(n_splits).split(X)) == lists(KFold(n_splits).split(X))


def test_one_walk_forward_fold_is_the_last_rows():
    [(train, test)] = gn.WalkForward(1, test_size=3, gap=2).split(range(10))
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3, 4], [7, 8, 9])


@pytest.mark.parametrize(("gap", "embargo"), list(product([0, 1, 4], [0, 3])))
def test_purged_k_fold_leaves_out_just_what_overlaps(gap, embargo):
    n = 40
    for train, test in gn.PurgedKFold(4, gap=gap, embargo=embargo).split(range(n)):
        # Row i's target spans the rows i to i + gap.
        spans = {row: set(range(row, row + gap + 1)) for row in range(n)}
        tested = set().union(*(spans[row] for row in test))
        free = [row for row in range(n) if row not in test and not spans[row] & tested]
        barred = range(test[-1] + gap + 1, test[-1] + gap + 1 + embargo)
        assert train.tolist() == [row for row in free if row not in barred]


# ---- Dates --------------------------------------------------------------------------------------

DAYS = np.repeat(np.arange(12), [3, 1, 4, 2, 2, 5, 1, 1, 3, 2, 4, 2])
MONDAY = date(2024, 1, 1)
LABELS = {
    "numbers": DAYS,
    "floats": DAYS / 4,
    "a list": DAYS.tolist(),
    "datetime64": np.datetime64(MONDAY) + DAYS,
    "text": (np.datetime64(MONDAY) + DAYS).astype(str),
    "dates": [MONDAY + timedelta(int(day)) for day in DAYS],
    "pandas index": pd.DatetimeIndex(np.datetime64(MONDAY, "ns") + DAYS * np.timedelta64(1, "D")),
    "pandas in a zone": pd.Series(
        pd.DatetimeIndex(np.datetime64(MONDAY, "ns") + DAYS * np.timedelta64(1, "D"), tz="UTC")
    ),
    "pandas periods": pd.PeriodIndex(np.datetime64(MONDAY, "ns") + DAYS * np.timedelta64(1, "D"), freq="D"),
    "polars": pl.Series([MONDAY + timedelta(int(day)) for day in DAYS]),
}
X = np.zeros((len(DAYS), 1))


each_make = pytest.mark.parametrize(
    "make",
    [
        lambda **more: gn.WalkForward(3, test_size=2, gap=1, max_train_size=4, **more),
        lambda **more: gn.PurgedKFold(4, gap=1, embargo=2, **more),
    ],
)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@each_make
def test_folds_over_dates_are_those_of_the_dates_with_all_their_rows(make, labels):
    expected = [
        (np.flatnonzero(np.isin(DAYS, train)).tolist(), np.flatnonzero(np.isin(DAYS, test)).tolist())
        for train, test in make().split(range(12))
    ]
    assert lists(make(times=labels).split(X)) == expected
    assert lists(make().split(X, groups=labels)) == expected


@pytest.mark.parametrize("labels", LABELS, ids=LABELS)
@each_make
def test_rows_in_any_order_have_the_folds_of_their_dates(make, labels):
    """A panel by symbol and then by date, and rows shuffled, are split as the sorted rows are."""
    values = np.asarray(LABELS[labels])
    ends = np.asarray(values)[np.minimum(np.arange(len(DAYS)) + 3, len(DAYS) - 1)]
    for order in (np.argsort(DAYS % 3, kind="stable"), np.random.RandomState(0).permutation(len(DAYS))):
        for late in ({}, {"ends": ends}):
            expected = list(make(times=values, **late).split(X))
            moved = {name: array[order] for name, array in {"times": values, **late}.items()}
            for (train, test), (sorted_train, sorted_test) in zip(
                make(**moved).split(X), expected, strict=True
            ):
                assert np.sort(order[train]).tolist() == sorted_train.tolist()
                assert np.sort(order[test]).tolist() == sorted_test.tolist()
                assert (np.diff(train) > 0).all()
                assert (np.diff(test) > 0).all()


@each_splitter
def test_an_index_that_goes_back_in_time_is_said_where_there_are_no_times(folds):
    days = pd.date_range("2024-01-01", periods=15)
    index = pd.MultiIndex.from_product([["A", "B"], days], names=["symbol", "date"])
    with pytest.warns(gn.GlassnetWarning, match=r"get_level_values\('date'\)") as seen:
        list(folds.split(pd.DataFrame(X, index=index)))
    assert seen[0].filename == __file__
    by_date = pd.DataFrame(X, index=index).sort_index(level="date")
    for frame in (by_date, by_date.reset_index(drop=True), by_date.to_numpy()):
        list(folds.split(frame))  # a warning is an error here
    dates = index.get_level_values("date")
    list(type(folds)(3, times=dates).split(pd.DataFrame(X, index=index)))


def test_ends_after_a_fixed_number_of_dates_are_a_gap():
    for gap in (0, 1, 3):
        ours = gn.PurgedKFold(3, embargo=1, times=DAYS, ends=DAYS + gap)
        assert lists(ours.split(X)) == lists(gn.PurgedKFold(3, gap=gap, embargo=1, times=DAYS).split(X))
        ours = gn.WalkForward(3, test_size=2, times=DAYS, ends=DAYS + gap)
        assert lists(ours.split(X)) == lists(gn.WalkForward(3, test_size=2, gap=gap, times=DAYS).split(X))


def test_ends_purge_row_by_row():
    times = np.array(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], "M8[D]").repeat(2)
    ends = times.copy()
    ends[0] = np.datetime64("2024-01-03")  # open on the day that is tested
    ends[4] = np.datetime64("2024-02-01")  # of the test, and open to the end
    folds = lists(gn.PurgedKFold(4, times=times, ends=ends).split(times))
    assert folds[1] == ([1, 4, 5, 6, 7], [2, 3])
    assert folds[2] == ([1, 2, 3], [4, 5])
    [(train, _)] = gn.WalkForward(1, test_size=2, times=times, ends=ends).split(times)
    assert train.tolist() == [1, 2, 3]


# ---- scikit-learn -------------------------------------------------------------------------------


@each_splitter
def test_splitter_goes_where_scikit_learns_go(folds):
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(len(DAYS), 2)), rng.normal(size=len(DAYS))
    assert check_cv(folds) is folds
    assert len(cross_val_score(LinearRegression(), Z, y, cv=folds, groups=DAYS)) == 3
    search = GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=folds)
    search.fit(Z, y, groups=DAYS)
    assert search.n_splits_ == 3
    with sklearn.config_context(enable_metadata_routing=True):
        search.fit(Z, y, groups=DAYS)
    assert sklearn.clone(search).cv.n_splits == 3
    assert lists(pickle.loads(pickle.dumps(folds)).split(Z)) == lists(folds.split(Z))
    assert lists(folds.split(sparse.csr_array(Z))) == lists(folds.split(pd.DataFrame(Z)))


def test_purged_k_fold_predicts_every_row():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(len(DAYS), 2)), rng.normal(size=len(DAYS))
    found = cross_val_predict(LinearRegression(), Z, y, cv=gn.PurgedKFold(3, gap=1, times=DAYS))
    assert np.isfinite(found).all()


def test_repr_names_the_settings_and_not_the_dates():
    assert repr(gn.WalkForward(3, test_size=2, gap=1, times=DAYS)) == (
        "WalkForward(n_splits=3, test_size=2, gap=1, times=...)"
    )
    assert repr(gn.PurgedKFold(4, embargo=2)) == "PurgedKFold(n_splits=4, gap=0, embargo=2)"


# ---- Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: gn.WalkForward(0), gn.InputError, "n_splits is 0; expected 1 or more"),
        (lambda: gn.PurgedKFold(1), gn.InputError, "n_splits is 1; expected 2 or more"),
        (lambda: gn.WalkForward(2.0), gn.InputTypeError, "n_splits is a whole number, not 2.0"),
        (lambda: gn.WalkForward(gap=-1), gn.InputError, "gap is -1; expected 0 or more"),
        (lambda: gn.WalkForward(test_size=0), gn.InputError, "test_size is 0; expected 1 or more"),
        (lambda: gn.WalkForward(max_train_size=0), gn.InputError, "max_train_size is 0"),
        (lambda: gn.PurgedKFold(embargo=0.01), gn.InputTypeError, "embargo is a whole number, not 0.01"),
    ],
)
def test_settings_out_of_range_are_refused_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


def with_one(values, at, value):
    changed = list(values)
    changed[at] = value
    return changed


@pytest.mark.parametrize(
    ("times", "error", "words"),
    [
        (DAYS[:-1], gn.InputError, r"times has shape \(29,\); expected \(30,\), a date for each row"),
        (with_one(DAYS / 1, 5, np.nan), gn.InputError, "times has nan at row 5; expected a date for every"),
        (
            with_one(LABELS["datetime64"], 5, np.datetime64("NaT")),
            gn.InputError,
            "times has NaT at row 5; expected a date for every row",
        ),
        (with_one(LABELS["dates"], 5, None), gn.InputTypeError, "cannot be put in order"),
        (with_one(LABELS["dates"], 5, pd.NA), gn.InputTypeError, "cannot be put in order"),
        (DAYS + 0j, gn.InputTypeError, "times holds complex128 values"),
        ([[0], [1, 2]], gn.InputError, "times cannot be made into an array"),
    ],
)
@each_splitter
def test_dates_that_are_none_are_refused(folds, times, error, words):
    with pytest.raises(error, match=words):
        list(type(folds)(3, times=times).split(X))
    with pytest.raises(error, match=words.replace("times", "groups")):
        list(folds.split(X, groups=times))


NOT_IN_ORDER = {
    "%d.%m.%Y": "pd.to_datetime",
    "%m/%d/%Y": "pd.to_datetime",
    "%d-%b-%y": "pd.to_datetime",
    "%d %B %Y": "pd.to_datetime",
    "%b %d, %Y": "pd.to_datetime",
    "%d.%m.%Y %H:%M": "pd.to_datetime",
    "%Y-%-m-%-d": "pd.to_datetime",
    "%-j": "dtype=float",
}


@pytest.mark.parametrize("kind", ["object", "str", "bytes"])
@pytest.mark.parametrize("form", NOT_IN_ORDER)
def test_text_that_does_not_sort_as_time_is_refused_sorted_or_not(form, kind):
    days = pd.date_range("2024-01-05", periods=30)
    for labels in (days.strftime(form), sorted(days.strftime(form))):
        times = np.asarray(labels, dtype=object if kind == "object" else str)
        times = times.astype(bytes) if kind == "bytes" else times
        with pytest.raises(gn.InputError, match=re.escape(NOT_IN_ORDER[form])):
            list(gn.WalkForward(3, times=times).split(X))
    with pytest.raises(gn.InputError, match="ends is text"):
        list(gn.WalkForward(3, times=days.strftime("%Y-%m-%d"), ends=days.strftime(form)).split(X))


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y%m%d", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d", "%G-W%V-%u", "%j"])
def test_text_that_sorts_as_time_is_taken(form):
    days = pd.date_range("2024-01-05", periods=30)
    found = [train.tolist() for train, _ in gn.WalkForward(3, times=days.strftime(form)).split(X)]
    assert found == [train.tolist() for train, _ in gn.WalkForward(3, times=days).split(X)]


def test_text_out_of_order_is_told_to_be_made_dates_before_it_is_sorted():
    for kind in (str, bytes, object):
        times = np.array([f"day {day}" for day in range(30)], dtype=kind)
        with pytest.raises(gn.InputError, match=r"day 9'? back to b?'?day 10.*letter.*pd\.to_datetime"):
            list(gn.WalkForward(3, times=times).split(X))


@each_splitter
def test_data_that_do_not_go_together_are_refused(folds):
    kind = type(folds)
    with pytest.raises(gn.InputError, match="There are 2 rows"):
        list(folds.split([1, 2]))
    with pytest.raises(gn.InputError, match="There are 2 dates"):
        list(folds.split(range(9), groups=[0] * 5 + [1] * 4))
    with pytest.raises(gn.InputError, match="There are 0 dates"):
        list(folds.split([], groups=[]))
    with pytest.raises(gn.InputTypeError, match="X has no rows to split: int"):
        list(folds.split(3))
    with pytest.raises(gn.InputError, match="Both times and groups are given"):
        list(kind(3, times=DAYS).split(X, groups=DAYS))
    with pytest.raises(gn.InputError, match="give times too"):
        list(kind(3, ends=DAYS).split(X))
    with pytest.raises(gn.InputError, match="ends has 2 at row 8, before the row's own date 3"):
        list(kind(3, times=DAYS, ends=with_one(DAYS, 8, 2)).split(X))
    for ends in (DAYS + 99, (DAYS + 99).astype(str), LABELS["dates"]):
        with pytest.raises(gn.InputTypeError, match=r"ends .* cannot be compared with times"):
            list(kind(3, times=LABELS["datetime64"], ends=ends).split(X))
    with pytest.raises(gn.InputTypeError, match=r"ends .* cannot be compared with times"):
        list(kind(3, times=LABELS["dates"], ends=LABELS["pandas periods"]).split(X))


def test_fold_without_training_rows_is_named():
    with pytest.raises(gn.InputError, match=r"Fold 2 of 3 keeps no rows to train on .* 4 of 12 rows"):
        list(gn.PurgedKFold(3, gap=4, embargo=2).split(range(12)))
    with pytest.raises(gn.InputError, match="Fold 1 of 2 keeps no rows to train on"):
        list(gn.WalkForward(2, times=range(12), ends=[11] * 12).split(range(12)))
