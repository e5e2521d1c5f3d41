"""The walk-forward search: its made-up table, its metric, what is told, the other libraries' rates."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

import benchmarks as bench
from benchmarks import record
from benchmarks.contest import BenchmarkError
from benchmarks.jobs import twin, walk_forward
from benchmarks.jobs.walk_forward import draw_walk_forward
from glassnet.errors import InputError, InputTypeError
from glassnet.sklearn.ensembles import Ensemble


def run_quick(**settings):
    quick = {"rounds": 1, "seconds": 0.002, "peers": [], "quiet": True, "quick": True, "rows": 2_000}
    return bench.run_suite(["walk-forward"], **{**quick, **settings})


@pytest.fixture(scope="module")
def table():
    return twin.make_twin(300, 100)


# ---- The table ------------------------------------------------------------------------------------


def test_table_is_the_same_each_time_and_of_the_size_that_was_reported(table):
    again = twin.make_twin(300, 100)
    assert np.array_equal(again.X, table.X)
    assert np.array_equal(again.y, table.y)
    assert table.X.dtype == table.y.dtype == np.float32
    assert table.X.shape == (30_000, twin.FEATURES)
    assert (twin.DAYS * twin.STOCKS, twin.FEATURES) == (1_900_000, 31)
    assert walk_forward._shape(1_900_000) == (2_500, 760)
    assert int(np.prod([len(values) for values in walk_forward.GRID.values()])) == 24
    assert (walk_forward.FOLDS, walk_forward.EPOCHS) == (12, 20)


def test_targets_of_a_day_are_standardized_and_nearly_noise(table):
    y = table.y.reshape(-1, table.stocks)
    assert np.allclose(y.mean(axis=1), 0, atol=1e-6)
    assert np.allclose(y.std(axis=1), 1, atol=1e-5)
    weights, *_ = np.linalg.lstsq(table.X.astype(float), table.y, rcond=None)
    inside = twin.rank_correlation(table.y, table.X @ weights, table.stocks)
    assert 0.01 < inside < 0.08


@pytest.mark.parametrize("days_and_rows", [(1_900_000, 760), (400_000, 160), (25_000, 10), (2_000, 10)])
def test_fewer_rows_are_fewer_stocks_then_fewer_days(days_and_rows):
    rows, stocks = days_and_rows
    assert walk_forward._shape(rows) == (rows // stocks, stocks)


def test_metric_is_the_mean_of_scipys_spearman_within_days(table):
    rows = np.arange(500, 2_500)
    found = np.round(table.X[rows, 0], 1)  # with ties
    actual = table.y[rows]
    daily = [
        spearmanr(a, b).statistic
        for a, b in zip(actual.reshape(-1, 100), found.reshape(-1, 100), strict=True)
    ]
    assert table.score(actual, found, rows) == pytest.approx(np.mean(daily), abs=1e-12)
    assert twin.rank_correlation(actual, np.zeros(2_000), 100) == 0


# ---- The search -----------------------------------------------------------------------------------


def test_search_is_told_in_words_json_and_a_chart(tmp_path, capsys):
    found = run_quick(output=tmp_path, quiet=False)["walk_forward"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "quick-walk-forward.json",
        "quick-walk-forward.png",
    ]
    assert json.loads((tmp_path / "quick-walk-forward.json").read_text()) == json.loads(json.dumps(found))
    assert found["fits"] == 24 * 12
    assert found["row_epochs"] == 24 * 2 * sum(fold["train"] for fold in found["folds"])
    means = [row["mean"] for row in found["settings"]]
    assert means == sorted(means, reverse=True)
    assert all(row["mean"] == pytest.approx(np.mean(row["of_folds"])) for row in found["settings"])
    averaged = found["averaged"]
    assert averaged["settings"] == [row["number"] for row in found["settings"][:3]]
    assert (len(averaged["known"]), len(averaged["chosen"])) == (12, 11)
    assert found["reported_hours"] is None  # that was of another number of rows
    table = capsys.readouterr().out
    assert f"{np.mean(averaged['known']):.4f}  averaged prediction of these 3" in table
    assert walk_forward.setting_words(found["settings"][0]) in table


def test_best_of_the_folds_before_are_those(monkeypatch, table):
    settings = [
        {"number": 7, "of_folds": [0.9, 0.0, 0.0]},
        {"number": 5, "of_folds": [0.5, 0.8, 0.0]},
        {"number": 3, "of_folds": [0.1, 0.2, 0.9]},
        {"number": 1, "of_folds": [0.0, 0.4, 0.1]},
    ]
    asked = []

    class Result:
        cells = ()

    class Runs(dict):
        def __getitem__(self, key):
            return key

    def from_runs(runs):
        asked.append([number for number, _ in runs])
        return type("One", (), {"predict": lambda self, X: X[:, 0]})()

    monkeypatch.setattr(walk_forward, "runs_of", lambda result: Runs())
    monkeypatch.setattr(Ensemble, "from_runs", from_runs)
    parts = [(None, np.arange(k * 100, (k + 1) * 100)) for k in range(3)]
    found = walk_forward.averaged(table, parts, Result(), settings)
    assert found["settings"] == [5, 3, 7]
    assert asked == [[5, 3, 7]] * 3 + [[7, 5, 3], [5, 7, 1]] + [[7], [5]]


def test_metric_that_scipy_does_not_confirm_is_refused(monkeypatch):
    right = twin.rank_correlation
    monkeypatch.setattr(twin, "rank_correlation", lambda *all_of: right(*all_of) + 0.001)
    with pytest.raises(BenchmarkError, match=r"rank correlation of fold 0 is .*; SciPy's is"):
        run_quick()


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [(999, InputError, "rows is 999; expected 1,000 or more"), (2e6, InputTypeError, "a whole number")],
)
def test_too_few_rows_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        run_quick(rows=rows)


# ---- Other libraries ------------------------------------------------------------------------------


def row(name, threads, ms):
    return {"name": name, "threads": threads, "ms": ms, "version": "1", "largest_difference": 0.0}


def test_way_that_is_through_with_many_fits_soonest_counts(monkeypatch):
    monkeypatch.setattr(walk_forward, "thread_count", lambda _: 4)
    found = walk_forward.best_ways(
        [
            row("PyTorch, eager, fused", 1, 8.0),
            row("PyTorch, eager, fused, slices", 4, 3.0),
            row("PyTorch, compiled, flat", 4, 1.0),
            row("scikit-learn", 1, 9.0),
        ],
        1000,
    )
    assert set(found) == {"PyTorch, eager", "PyTorch, compiled", "scikit-learn"}
    eager = found["PyTorch, eager"]
    assert (eager["way"], eager["threads"]) == ("PyTorch, eager, fused", 1)  # four of them at a time
    assert eager["seconds_per_row"] == pytest.approx(8e-3 / 1000 / 4)


def test_other_libraries_do_the_same_work_and_are_extrapolated(tmp_path, capsys):
    found = run_quick(peers=["scikit-learn"], quiet=False)["walk_forward"]
    (sample,) = found["peers"]["samples"]
    (estimate,) = found["peers"]["estimates"]
    assert estimate["name"] == "scikit-learn"
    each = sample["best"]["scikit-learn"]["seconds_per_row"]
    assert estimate["seconds"] == pytest.approx(each * found["row_epochs"])
    assert estimate["times_glassnet"] == pytest.approx(estimate["seconds"] / found["seconds"])
    assert sample["best"]["scikit-learn"]["difference_of_losses"] < 1e-3
    assert "scikit-learn" in capsys.readouterr().out
    texts = [
        text.get_text()
        for axes in draw_walk_forward(found | {"machine": found["machine"]}).axes
        for text in axes.get_yticklabels()
    ]
    assert "scikit-learn, at its rate" in texts
    draw_walk_forward({**found, "reported_hours": 7.2})


def test_durations_are_in_units_that_suit_them():
    assert [record.long_duration(s) for s in (0.5, 60, 120, 7_200)] == ["0.5 s", "60 s", "2 min", "2 h"]
