"""Seeds, folds and the metric of a sweep."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

import glassnet as gn
from glassnet.model_selection.metrics import METRICS

NET = gn.Network((2, 3, 2), hidden="tanh")
RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
X = RANDOM.randn(60, 2) + Y[:, None]
W = RANDOM.uniform(0.5, 2, 60)
GRID = {"learning_rate": [0.05, 0.5]}
LINE = gn.Network((2, 3, 1), hidden="tanh", output="identity")


def sweep(network=NET, y=Y, **settings):
    told = {"grid": GRID, "iterations": 6, "random_state": 3, **settings}
    return gn.sweep(network, X, y, **told)


def train(rows, network=NET, y=Y, **settings):
    return gn.train(network, X[rows], y[rows], **{"iterations": 6, "random_state": 3, **settings})


def assert_same_path(one, other):
    assert np.array_equal(one.losses, other.losses)
    assert one.parameters == other.parameters
    assert np.array_equal(one.validation_losses, other.validation_losses)


# ---- Seeds --------------------------------------------------------------------------------------


def test_each_setting_is_trained_with_each_seed():
    result = sweep(seeds=[5, 0])
    assert [(c.settings["learning_rate"], c.seed) for c in result.cells] == [
        (0.05, 5),
        (0.05, 0),
        (0.5, 5),
        (0.5, 0),
    ]
    for cell in result.cells:
        optimizer = gn.SGD(cell.settings["learning_rate"])
        assert_same_path(cell.run, train(slice(None), optimizer=optimizer, random_state=cell.seed))
    assert [row["seed"] for row in result.table] == [5, 0, 5, 0]
    assert "seed 5" in result.cells[0].label


def test_a_number_of_seeds_is_drawn_from_the_random_state():
    one, same = sweep(seeds=3), sweep(seeds=3)
    seeds = [cell.seed for cell in one.cells]
    assert seeds[:3] == seeds[3:] == [cell.seed for cell in same.cells][:3]
    assert len(set(seeds)) == 3
    assert seeds != [cell.seed for cell in sweep(seeds=3, random_state=4).cells]


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([], gn.InputError, "seeds is empty"),
        (0, gn.InputError, "seeds is 0"),
        ([1, 1], gn.InputError, "contains a duplicate"),
        ("12", gn.InputTypeError, "seeds is how many"),
        ([None], gn.InputTypeError, "whole numbers"),
        ([0.5], gn.InputTypeError, "whole number"),
        ([-1], gn.InputError, "a seed lies"),
    ],
)
def test_bad_seeds_are_refused(seeds, error, message):
    with pytest.raises(error, match=message):
        sweep(seeds=seeds)


# ---- Folds --------------------------------------------------------------------------------------

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
    result = sweep(folds=SPLITTERS[name], groups=groups, metric="accuracy", sample_weight=w, **told)
    pairs = list(SPLITTERS[name].split(X, Y, groups))
    assert [cell.fold for cell in result.cells] == [0, 1, 2, 0, 1, 2]
    for cell in result.cells:
        rows, test = pairs[cell.fold]
        optimizer = gn.SGD(cell.settings["learning_rate"])
        own = None if w is None else w[rows]
        alone = train(rows, optimizer=optimizer, sample_weight=own, **told)
        assert_same_path(cell.run, alone)
        assert cell.metric == alone.score(X[test], Y[test], sample_weight=None if w is None else w[test])
    assert result.metric == "held_out_accuracy"
    assert [row["held_out_accuracy"] for row in result.table] == [cell.metric for cell in result.cells]


def test_the_metric_of_folds_is_the_mean_loss_without_penalties_by_default():
    result = sweep(folds=3, l2=0.1, reduction="sum", class_weight={0: 1, 1: 5}, optimizer=gn.SGD(0.01))
    for cell in result.cells:
        _, test = list(StratifiedKFold(3).split(X, Y))[cell.fold]
        loss, _ = gn.loss_and_gradient(NET, cell.run.theta, X[test], Y[test])
        assert cell.metric == pytest.approx(loss, rel=1e-12)


def test_folds_may_be_pairs_and_masks():
    pairs = [(np.arange(40), np.arange(40, 60)), (np.arange(60) < 30, np.arange(60) >= 30)]
    result = sweep(folds=iter(pairs))
    assert_same_path(result.runs[1], train(slice(30), optimizer=gn.SGD(0.05)))


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
        sweep(**told)


def test_a_label_that_a_fold_lacks_is_refused():
    network = gn.Network((2, 1), output="logistic")
    with pytest.raises(gn.InputError, match="no sample of class 1"):
        sweep(network, folds=[(np.flatnonzero(Y == 0), np.flatnonzero(Y))])


# ---- The metric ---------------------------------------------------------------------------------


def test_a_function_gets_targets_predictions_and_rows():
    seen = []

    def rank(y, found, rows):
        seen.append((y, found, rows))
        return float(rows[0])

    y = X @ [1.0, 2.0]
    result = sweep(LINE, y, folds=KFold(3), metric=rank, mode="max", seeds=2)
    assert [cell.metric for cell in result.cells] == [0, 20, 40] * 4
    for actual, found, rows in seen:
        assert np.array_equal(actual, y[rows])
        assert found.shape == actual.shape == (20,)


def test_a_function_may_ask_for_probabilities():
    def confident(y, found):
        return found.max(axis=1).mean()

    result = sweep(metric=confident, mode="max", response="predict_proba", validation=(X, Y))
    for cell in result.cells:
        assert cell.metric == cell.run.predict_proba(X).max(axis=1).mean()
    assert result.metric == "held_out_confident"


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"rank_ic"}))  # which test_metrics.py tries
def test_named_metrics_are_those_of_scikit_learn_and_the_loss(name):
    if name == "r2":
        result = sweep(LINE, X @ [1.0, 2.0], metric=name, sample_weight=W)
        expected = [r2_score(X @ [1.0, 2.0], run.predict(X), sample_weight=W) for run in result.runs]
    else:
        result = sweep(metric=name, sample_weight=W)
        expected = [run.score(X, Y, W) if name == "accuracy" else run.losses[-1] for run in result.runs]
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
        sweep(**told)


def test_a_metric_that_returns_no_number_is_refused():
    with pytest.raises(gn.InputTypeError, match="returned None"):
        sweep(metric=lambda y, found: None, mode="max")


# ---- Standardized by what is trained on -------------------------------------------------------------


FAR = 1e3 * X + [1e5, -20]


@pytest.mark.parametrize("told", [{}, {"batch_size": 10, "validation": 0.2}, {"dtype": np.float32}])
def test_each_fold_is_standardized_by_its_training_rows(told):
    folds = [(np.arange(20, 60), np.arange(20)), (np.arange(0, 45), np.arange(45, 60))]
    how = {"metric": "accuracy", "iterations": 6, "random_state": 3, **told}
    result = gn.sweep(NET, FAR, Y, grid=GRID, folds=folds, standardize=True, **how)
    for cell in result.cells:
        train, test = folds[cell.fold]
        mean, deviation = FAR[train].mean(axis=0), FAR[train].std(axis=0)
        made = cell.run.extra["preprocessing"]
        assert made["mean"] == pytest.approx(mean)
        assert made["scale"] == pytest.approx(deviation)
        scaled = (FAR - np.array(made["mean"])) / np.array(made["scale"])
        alone = gn.train(
            NET,
            scaled[train],
            Y[train],
            optimizer=cell.run.optimizer,
            iterations=6,
            random_state=3,
            **told,
        )
        assert_same_path(cell.run, alone)
        found = cell.run.network.predict(cell.run.theta, scaled[test].astype(cell.run.dtype))
        assert cell.metric == np.mean(found == Y[test])
        if cell.run.dtype == np.float64:
            assert np.array_equal(cell.run.predict(FAR[test]), found)


@pytest.mark.parametrize("kind", ["i8", "u1", "?", "f2"])
def test_whole_numbers_are_standardized_as_fractions(kind):
    counts = np.random.RandomState(7).randint(0, 5, FAR.shape).astype(kind)
    how = {"grid": GRID, "folds": 3, "standardize": True, "iterations": 3, "random_state": 3}
    whole, wide = (gn.sweep(NET, rows, Y, **how) for rows in (counts, counts.astype(np.float64)))
    for one, other in zip(whole.runs, wide.runs, strict=True):
        assert_same_path(one, other)


@pytest.mark.parametrize("told", [{}, {"folds": 2, "validation": (X, Y)}])
def test_what_cannot_be_standardized_by_folds_is_refused(told):
    with pytest.raises(gn.InputError, match="standardize"):
        sweep(standardize=True, **told)
    with pytest.raises(gn.InputTypeError, match="standardize"):
        sweep(standardize="yes", folds=2)
    with pytest.raises(
        gn.InputError, match=r"X, column 1, in the training rows of fold \d, has values too large"
    ):
        gn.sweep(NET, [[0, 1e200], [1, -1e200]] * 4, [0, 1] * 4, grid=GRID, folds=2, standardize=True)


# ---- The summary --------------------------------------------------------------------------------


def test_summary_compares_settings_over_seeds_and_folds():
    result = sweep(grid={"learning_rate": [1e-3, 0.5, 1e5]}, seeds=2, folds=3)
    rows = result.summary
    assert [row["setting"] for row in rows] == [1, 0, 2]
    for row in rows:
        values = [cell.metric for cell in result.cells if cell.setting == row["setting"]]
        assert (row["mean"], row["spread"]) == (np.mean(values), np.std(values, ddof=1))
        assert row["networks"] == 6
    assert [row["diverged"] for row in rows] == [0, 0, 6]
    text = str(result).splitlines()
    assert text[3].split() == ["learning_rate", "held_out_loss,", "mean", "of", "6", "+-"]
    assert [line.split()[0] for line in text[4:7]] == ["0.5", "0.001", "100000"]
    assert "6 diverged" in text[6]
    assert result.best.metric == min(c.metric for c in result.cells if c.setting == 1)


UNLIKE = {
    "reduction": ["mean", "sum"],
    "loss": ["cross_entropy", gn.losses.cross_entropy(label_smoothing=0.3)],
    "class_weight": [None, {0: 1, 1: 9}],
}


@pytest.mark.parametrize("name", UNLIKE)
def test_losses_of_unlike_scales_are_compared_as_shares(name):
    result = sweep(grid={"learning_rate": [0.5 / 120, 0.2], name: UNLIKE[name]}, iterations=60)
    assert result.compared_by == "share"
    assert result.compared == [cell.share for cell in result.cells]
    ended = [cell for cell in result.cells if cell.status != "diverged"]
    assert result.best.share == min(cell.share for cell in ended)
    assert [row["mean"] for row in result.summary] == sorted(cell.share for cell in result.cells)
    assert "share" in str(result)
    alone = sweep(grid={"learning_rate": [0.1, 0.2]}, iterations=3)
    assert alone.compared_by == "final_loss"


def test_a_sum_is_no_worse_than_the_mean_that_it_is_of():
    grid = (
        {"learning_rate": [0.5], "reduction": ["mean"]},
        {"learning_rate": [0.5 / 60], "reduction": ["sum"]},
    )
    result = sweep(grid=[dict(one) for one in grid], iterations=40)
    shares = [cell.share for cell in result.cells]
    assert shares == pytest.approx([shares[0]] * 2)
    assert result.cells[1].final_loss > 50 * result.cells[0].final_loss


@pytest.mark.parametrize("told", [{"folds": 2}, {"metric": "loss"}, {"validation": 0.3}])
def test_losses_that_differ_are_no_metric(told):
    with pytest.raises(gn.InputError, match=r"different losses .*give metric='accuracy'"):
        sweep(grid={"loss": UNLIKE["loss"]}, **told)
    sweep(grid={"loss": UNLIKE["loss"]}, iterations=2, **{**told, "metric": "accuracy"})


def test_summary_of_a_metric_that_is_best_at_its_maximum():
    result = sweep(grid={"learning_rate": [1e-6, 0.5]}, folds=3, metric="accuracy", iterations=50)
    assert [row["learning_rate"] for row in result.summary] == [0.5, 1e-6]
    assert result.summary[0]["mean"] > result.summary[1]["mean"]


def test_validation_data_among_the_settings_each_measure_their_own_networks():
    held = [(X[:9], Y[:9]), (X[9:], 1 - Y[9:], np.arange(len(Y) - 9)), 0.25, None]
    result = sweep(grid=None, settings=[{"validation": one} for one in held])
    *found, without = [cell.metric for cell in result.cells]
    assert without is None
    assert found == pytest.approx([cell.run.validation_losses[-1] for cell in result.cells[:3]])
    assert result.best.setting in (0, 1, 2)


def test_best_is_of_the_best_setting_and_not_the_luckiest_network():
    lucky = iter([9.0, 0.0, 5.0, 5.0, 8.0, 5.5])
    result = sweep(
        grid={"learning_rate": [0.1, 0.2, 0.3]},
        seeds=2,
        metric=lambda y, found: next(lucky),
        mode="max",
        threads=1,
    )
    assert [row["setting"] for row in result.summary] == [2, 1, 0]
    assert (result.best.setting, result.best.metric) == (2, 8.0)


def test_best_passes_over_metrics_that_are_no_number():
    found = iter([np.nan, 2.0, np.nan])
    told = {"grid": {"learning_rate": [0.1, 0.2, 0.3]}, "mode": "min", "threads": 1}
    assert sweep(metric=lambda y, _: next(found), **told).best.settings == {"learning_rate": 0.2}
    assert sweep(metric=lambda y, _: np.nan, **told).best is None


def test_summary_of_infinite_metrics_is_silent():
    result = sweep(metric=lambda y, found: np.inf, mode="min", seeds=2)
    assert all(row["mean"] == np.inf and np.isnan(row["spread"]) for row in result.summary)


def test_what_a_network_raises_tells_of_its_settings():
    def broken(y, found):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        sweep(grid={"learning_rate": [0.25]}, metric=broken, mode="min", seeds=[5])
    assert "Raised by the network with learning_rate=0.25, seed 5." in caught.value.__notes__
