"""Successive halving: who is dropped, and what is trained in stretches."""

from functools import partial

import pytest
import sweeps
from same_runs import assert_same_run
from sweeps import RATES, train

import glassnet as gn

sweep = partial(sweeps.sweep, grid={"learning_rate": RATES}, iterations=90, halving=True)


def test_settings_that_do_worse_are_dropped():
    result = sweep()
    whole = sweep(halving=None)
    ended = {row["learning_rate"]: (row["status"], row["iterations"]) for row in result.table}
    shares = {k: [run.losses[k] for run in whole.runs if len(run.losses) > k] for k in (10, 30)}
    assert len([status for status, _ in ended.values() if status == "dropped"]) == 7
    assert ended[1e6] == ("diverged", 0)
    assert sorted(count for _, count in ended.values()) == [0, 10, 10, 10, 10, 10, 30, 30, 90]
    left = next(cell for cell in result.cells if cell.iterations == 90)
    assert left.final_loss in [run.losses[-1] for run in whole.runs]
    assert left.run.losses[10] in sorted(shares[10])[:3]
    assert left.run.losses[30] == min(cell.run.losses[30] for cell in result.cells if cell.iterations >= 30)
    assert "dropped at 10" in str(result)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_what_is_trained_in_stretches_is_what_train_gives(engine, batch_size):
    told = {
        "batch_size": batch_size,
        "engine": engine,
        "validation": 0.25,
        "stopping": gn.EarlyStopping(patience=8, metric="accuracy"),
        "average": 0.9,
        "dropout": 0.1,
    }
    result = sweep(**told, grid={"learning_rate": RATES[2:7]}, halving={"factor": 1.5, "first": 5})
    assert {cell.status for cell in result.cells} >= {"dropped"}
    for cell in result.cells:
        optimizer = gn.SGD(cell.settings["learning_rate"])
        assert_same_run(cell.run, train(optimizer=optimizer, iterations=cell.iterations, **told))


def test_settings_are_compared_over_their_seeds_and_folds_by_the_metric():
    result = sweep(folds=2, seeds=2, metric="accuracy", grid={"learning_rate": RATES[:6]})
    by_setting = {}
    for cell in result.cells:
        by_setting.setdefault(cell.setting, set()).add(cell.iterations)
    assert all(len(counts) == 1 for counts in by_setting.values()), "a setting's networks go together"
    assert result.summary[0]["dropped"] == 0
    assert result.summary[-1]["dropped"] == 4


def test_solvers_that_have_ended_stay_as_they_are():
    result = sweep(grid={"optimizer": [gn.LevenbergMarquardt(), gn.LBFGS(), gn.SGD(1e-4)]}, iterations=300)
    first = result.cells[0]
    assert first.run.status == "stopped"
    assert first.status != "dropped"


def test_progress_knows_of_what_is_left_behind(capsys):
    sweep(progress=True)
    shown = capsys.readouterr().err
    assert "9 of 9 networks" in shown
