"""What compares the networks of a sweep: means over seeds and folds, curves, the choice."""

import json
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sweeps import NEAR, Y, sweep_folds, sweep_near

import glassnet as gn
from glassnet.model_selection import SweepCell

UNLIKE = {
    "reduction": ["mean", "sum"],
    "loss": ["cross_entropy", gn.losses.cross_entropy(label_smoothing=0.3)],
    "class_weight": [None, {0: 1, 1: 9}],
}


def test_summary_compares_settings_over_seeds_and_folds():
    result = sweep_near(grid={"learning_rate": [1e-3, 0.5, 1e5]}, seeds=2, folds=3)
    rows = result.summary
    assert [row["setting"] for row in rows] == [1, 0, 2]
    for row in rows:
        values = [cell.metric for cell in result.cells if cell.setting == row["setting"]]
        assert (row["mean"], row["spread"]) == (np.mean(values), np.std(values, ddof=1))
        assert row["networks"] == 6
    assert [row["diverged"] for row in rows] == [0, 0, 6]
    text = str(result).splitlines()
    assert text[3].split() == ["learning_rate", "held_out_loss,", "mean", "of", "6", "+-"]
    assert [line.split()[:2] for line in text[4:5]] == [["*", "0.5"]]  # the best
    assert [line.split()[0] for line in text[5:7]] == ["0.001", "100000"]
    assert "6 diverged" in text[6]
    assert result.best.metric == min(c.metric for c in result.cells if c.setting == 1)


@pytest.mark.parametrize("name", UNLIKE)
def test_losses_of_unlike_scales_are_compared_as_shares(name):
    result = sweep_near(grid={"learning_rate": [0.5 / 120, 0.2], name: UNLIKE[name]}, iterations=60)
    assert result.compared_by == "share"
    assert result.compared == [cell.share for cell in result.cells]
    ended = [cell for cell in result.cells if cell.status != "diverged"]
    assert result.best.share == min(cell.share for cell in ended)
    assert [row["mean"] for row in result.summary] == sorted(cell.share for cell in result.cells)
    assert "share" in str(result)
    alone = sweep_near(grid={"learning_rate": [0.1, 0.2]}, iterations=3)
    assert alone.compared_by == "final_loss"


def test_a_sum_is_no_worse_than_the_mean_that_it_is_of():
    grid = (
        {"learning_rate": [0.5], "reduction": ["mean"]},
        {"learning_rate": [0.5 / 60], "reduction": ["sum"]},
    )
    result = sweep_near(grid=[dict(one) for one in grid], iterations=40)
    shares = [cell.share for cell in result.cells]
    assert shares == pytest.approx([shares[0]] * 2)
    assert result.cells[1].final_loss > 50 * result.cells[0].final_loss


@pytest.mark.parametrize("told", [{"folds": 2}, {"metric": "loss"}, {"validation": 0.3}])
def test_losses_that_differ_are_no_metric(told):
    with pytest.raises(gn.InputError, match=r"different losses .*give metric='accuracy'"):
        sweep_near(grid={"loss": UNLIKE["loss"]}, **told)
    sweep_near(grid={"loss": UNLIKE["loss"]}, iterations=2, **{**told, "metric": "accuracy"})


def test_summary_of_a_metric_that_is_best_at_its_maximum():
    result = sweep_near(grid={"learning_rate": [1e-6, 0.5]}, folds=3, metric="accuracy", iterations=50)
    assert [row["learning_rate"] for row in result.summary] == [0.5, 1e-6]
    assert result.summary[0]["mean"] > result.summary[1]["mean"]


def test_validation_data_among_the_settings_each_measure_their_own_networks():
    held = [(NEAR[:9], Y[:9]), (NEAR[9:], 1 - Y[9:], np.arange(len(Y) - 9)), 0.25, None]
    result = sweep_near(grid=None, settings=[{"validation": one} for one in held])
    *found, without = [cell.metric for cell in result.cells]
    assert without is None
    assert found == pytest.approx([cell.run.validation_losses[-1] for cell in result.cells[:3]])
    assert result.best.setting in (0, 1, 2)


def test_best_is_of_the_best_setting_and_not_the_luckiest_network():
    lucky = iter([9.0, 0.0, 5.0, 5.0, 8.0, 5.5])
    result = sweep_near(
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
    assert sweep_near(metric=lambda y, _: next(found), **told).best.settings == {"learning_rate": 0.2}
    assert sweep_near(metric=lambda y, _: np.nan, **told).best is None


def test_summary_of_infinite_metrics_is_silent():
    result = sweep_near(metric=lambda y, found: np.inf, mode="min", seeds=2)
    assert all(row["mean"] == np.inf and np.isnan(row["spread"]) for row in result.summary)


@pytest.mark.parametrize("metric", ["r2", "loss"])
@pytest.mark.parametrize("halving", [None, 2])
def test_curves_are_the_metric_of_networks_trained_so_far(metric, halving):
    """In stretches too, and through joblib; a network left behind has the values up to there."""
    result = sweep_folds(metric=metric, halving=halving, seeds=2)
    with joblib.parallel_config("threading", n_jobs=2):
        elsewhere = sweep_folds(metric=metric, halving=halving, seeds=2)
    for iterations in (4, 12, 20):
        shorter = sweep_folds(metric=metric, seeds=2, iterations=iterations, evaluate_every=None)
        at = iterations // 4 - 1
        for cell, other, short in zip(result.cells, elsewhere.cells, shorter.cells, strict=True):
            assert np.array_equal(cell.evaluations, other.evaluations)
            assert len(cell.evaluations) == cell.iterations // 4
            if at < len(cell.evaluations):
                assert cell.evaluations[at] == short.metric
        for curve in result.curves:
            values = [cell.metric for cell in shorter.cells if cell.setting == curve["setting"]]
            assert curve["iterations"].tolist() == [4, 8, 12, 16, 20]
            if not np.isnan(curve["mean"][at]):
                assert curve["mean"][at] == pytest.approx(np.mean(values), rel=1e-12)
                assert curve["spread"][at] == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    assert any(np.isnan(curve["mean"]).any() for curve in result.curves) == (halving is not None)


def test_chosen_is_the_best_of_all_settings_and_iterations():
    result = sweep_folds(evaluate_every=1, iterations=30)
    means = np.array([curve["mean"] for curve in result.curves])
    setting, at = np.unravel_index(means.argmax(), means.shape)
    assert result.chosen["setting"] == setting
    assert result.chosen["iterations"] == at + 1 < 30
    assert result.chosen["mean"] == means.max() > result.summary[0]["mean"]
    assert f"best after {at + 1} " in str(result)
    assert json.loads(json.dumps(result.to_dict()))["chosen"]["iterations"] == at + 1


def test_chosen_without_evaluations_is_the_best_of_the_summary():
    result = sweep_folds(evaluate_every=None)
    assert result.chosen["setting"] == result.summary[0]["setting"]
    assert result.chosen["iterations"] == 20
    with pytest.raises(gn.InputError, match="give evaluate_every"):
        result.curves  # noqa: B018


def test_networks_that_end_early_keep_their_value_and_those_that_diverge_have_none():
    settings = [{"optimizer": gn.LBFGS()}, {"optimizer": gn.SGD(1e4)}]
    line = gn.Network((3, 1), output="identity")
    result = sweep_folds(line, grid=None, settings=settings, iterations=90, metric="loss", evaluate_every=1)
    early, diverged = result.curves
    assert all(cell.run.status == "stopped" for cell in result.cells[:2])
    assert early["mean"][-1] == np.mean([cell.metric for cell in result.cells[:2]])
    assert np.isnan(diverged["mean"][-1])
    assert result.chosen["setting"] == 0


def test_best_is_the_lowest_final_loss_among_those_that_did_not_diverge():
    rates = [0.01, 0.02, 0.1, 0.2, 0.5, 1e4]
    result = sweep_near(grid={"learning_rate": rates}, iterations=40)
    ended = [cell for cell in result.cells if cell.status != "diverged"]
    assert result.best.final_loss == min(cell.final_loss for cell in ended)
    assert result.best in ended
    # What blows up late may have been lower before than anything else.
    low, high = sorted(result.runs, key=lambda run: run.losses[-1])[::5]
    cells = SweepCell({}, "diverged", low), SweepCell({}, "unstable", high)
    assert replace(result, cells=cells).best is cells[1]
    runs = (replace(low, losses=np.array(losses)) for losses in ([1, 0.1, 0.9], [1, 0.5, 0.5]))
    cells = tuple(SweepCell({}, "unstable", run) for run in runs)
    assert replace(result, cells=cells).best is cells[1]
    assert sweep_near(grid={"learning_rate": [1e5, 1e6]}).best is None
