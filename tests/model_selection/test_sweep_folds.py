"""The folds of a sweep: what splitters get, and each fold as train and score give it."""

import numpy as np
import pandas as pd
import pytest
from same_runs import assert_same_run
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit
from sweeps import NEAR, NET, W, Y, sweep_near, train

import glassnet as gn

SPLITTERS = {
    "KFold": KFold(3),
    "StratifiedKFold": StratifiedKFold(3),
    "ShuffleSplit": ShuffleSplit(3, random_state=0),
    "TimeSeriesSplit": TimeSeriesSplit(3),
    "GroupKFold": GroupKFold(3),
}


@pytest.mark.parametrize(
    ("name", "engine", "weighted"),
    [("KFold", "numpy", True), *((name, "native", len(name) % 2 == 0) for name in SPLITTERS)],
)
def test_each_fold_is_what_train_and_score_give(name, engine, weighted):
    groups = np.arange(60) % 7 if name == "GroupKFold" else None
    w = W if weighted else None
    told = {"engine": engine, "batch_size": 8, "validation": 0.25}
    result = sweep_near(folds=SPLITTERS[name], groups=groups, metric="accuracy", sample_weight=w, **told)
    pairs = list(SPLITTERS[name].split(NEAR, Y, groups))
    assert [cell.fold for cell in result.cells] == [0, 1, 2, 0, 1, 2]
    for cell in result.cells:
        rows, test = pairs[cell.fold]
        optimizer = gn.SGD(cell.settings["learning_rate"])
        own = None if w is None else w[rows]
        alone = train(X=NEAR, rows=rows, optimizer=optimizer, sample_weight=own, **told)
        assert_same_run(cell.run, alone)
        assert cell.metric == alone.score(NEAR[test], Y[test], sample_weight=None if w is None else w[test])
    assert result.metric == "held_out_accuracy"
    assert [row["held_out_accuracy"] for row in result.table] == [cell.metric for cell in result.cells]


def test_the_metric_of_folds_is_the_mean_loss_without_penalties_by_default():
    result = sweep_near(folds=3, l2=0.1, reduction="sum", class_weight={0: 1, 1: 5}, optimizer=gn.SGD(0.01))
    for cell in result.cells:
        _, test = list(StratifiedKFold(3).split(NEAR, Y))[cell.fold]
        loss, _ = gn.loss_and_gradient(NET, cell.run.theta, NEAR[test], Y[test])
        assert cell.metric == pytest.approx(loss, rel=1e-12)


def test_folds_may_be_pairs_and_masks():
    pairs = [(np.arange(40), np.arange(40, 60)), (np.arange(60) < 30, np.arange(60) >= 30)]
    result = sweep_near(folds=iter(pairs))
    assert_same_run(result.runs[1], train(X=NEAR, rows=slice(30), optimizer=gn.SGD(0.05)))


class ByDate:
    """A splitter of a trading notebook: it reads the date from the index of the frame."""

    def split(self, X, y=None, groups=None):
        self.seen = X, y, groups
        dates = X.index.get_level_values("date")
        first = dates.unique().sort_values()[7]
        yield np.flatnonzero(dates < first), np.flatnonzero(dates >= first)


@pytest.mark.parametrize("classes", [False, True])
def test_a_splitter_gets_what_was_passed(classes):
    index = pd.MultiIndex.from_product([["A", "B"], range(10)], names=["symbol", "date"])
    frame = pd.DataFrame(np.random.RandomState(0).randn(20, 2), index=index)
    y = (frame[0] > 0).astype(int) if classes else frame[0]
    network = gn.Network((2, 2)) if classes else gn.Network((2, 1), output="identity")
    folds, told = ByDate(), {"settings": [{"l2": 0.0}], "iterations": 2, "random_state": 0}
    cell = gn.sweep(network, frame, y, folds=folds, groups=index, **told).cells[0]
    assert all(one is other for one, other in zip(folds.seen, (frame, y, index), strict=True))
    assert cell.metric == gn.sweep(network, frame, y, folds=folds.split(frame), **told).cells[0].metric


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({"folds": 1}, gn.InputError, "folds is 1"),
        ({"folds": []}, gn.InputError, "folds is empty"),
        ({"folds": "five"}, gn.InputTypeError, "folds is a splitter"),
        ({"folds": [3]}, gn.InputTypeError, r"folds\[0\] is 3"),
        ({"folds": [([0, 1], [])]}, gn.InputError, "test rows of fold 0 are none"),
        ({"folds": [(np.arange(40), [60])]}, gn.InputError, "number 60; X has the rows 0 to 59"),
        ({"folds": [(np.arange(40), [-1])]}, gn.InputError, "number -1"),
        ({"folds": [(np.arange(40), [39])]}, gn.InputError, "Fold 0 has row 39 among both"),
        ({"folds": [(np.arange(40), [0.5])]}, gn.InputTypeError, "dtype float64"),
        ({"folds": [(np.flatnonzero(Y), [0])]}, gn.InputError, "fold 0 have no sample of class 0"),
        ({"folds": KFold(100)}, gn.InputError, "folds cannot be made of these data"),
        ({"groups": np.arange(60)}, gn.InputError, "groups goes with folds"),
    ],
)
def test_bad_folds_are_refused(told, error, message):
    with pytest.raises(error, match=message):
        sweep_near(**told)


def test_a_label_that_a_fold_lacks_is_refused():
    network = gn.Network((2, 1), output="logistic")
    with pytest.raises(gn.InputError, match="no sample of class 1"):
        sweep_near(network, folds=[(np.flatnonzero(Y == 0), np.flatnonzero(Y))])
