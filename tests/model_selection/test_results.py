"""What a sweep's result makes of its networks: curves, the choice, another fit, and predictions."""

import json
import pickle
import sys

import joblib
import numpy as np
import pandas as pd
import pytest

import glassnet as gn

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(90, 3)
Y = X[:, 0] + RANDOM.randn(90)
CLASSES = (Y > 0).astype(int)
LINE = gn.Network((3, 8, 1), hidden="tanh", output="identity")
GRID = {"learning_rate": [0.02, 0.3], "batch_size": [None, 10]}
FOLDS = [(np.arange(30, 90), np.arange(30)), (np.arange(60), np.arange(89, 59, -1))]


def sweep(network=LINE, y=Y, **settings):
    told = {"grid": GRID, "folds": FOLDS, "metric": "r2", "iterations": 20, "evaluate_every": 4}
    told |= {"random_state": 0} | settings
    return gn.sweep(network, X, y, **{k: v for k, v in told.items() if v is not None})


# ---- The metric on the way ------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["r2", "loss"])
@pytest.mark.parametrize("halving", [None, 2])
def test_curves_are_the_metric_of_networks_trained_so_far(metric, halving):
    """In stretches too, and through joblib; a network left behind has the values up to there."""
    result = sweep(metric=metric, halving=halving, seeds=2)
    with joblib.parallel_config("threading", n_jobs=2):
        elsewhere = sweep(metric=metric, halving=halving, seeds=2)
    for iterations in (4, 12, 20):
        shorter = sweep(metric=metric, seeds=2, iterations=iterations, evaluate_every=None)
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


def test_evaluations_change_no_number_of_the_networks():
    plain, evaluated = sweep(evaluate_every=None), sweep(evaluate_every=1)
    for one, other in zip(plain.cells, evaluated.cells, strict=True):
        assert np.array_equal(one.run.losses, other.run.losses)
        assert one.run.parameters == other.run.parameters
        assert one.metric == other.metric


def test_chosen_is_the_best_of_all_settings_and_iterations():
    result = sweep(evaluate_every=1, iterations=30)
    means = np.array([curve["mean"] for curve in result.curves])
    setting, at = np.unravel_index(means.argmax(), means.shape)
    assert result.chosen["setting"] == setting
    assert result.chosen["iterations"] == at + 1 < 30
    assert result.chosen["mean"] == means.max() > result.summary[0]["mean"]
    assert f"best after {at + 1} " in str(result)
    assert json.loads(json.dumps(result.to_dict()))["chosen"]["iterations"] == at + 1


def test_chosen_without_evaluations_is_the_best_of_the_summary():
    result = sweep(evaluate_every=None)
    assert result.chosen["setting"] == result.summary[0]["setting"]
    assert result.chosen["iterations"] == 20
    with pytest.raises(gn.InputError, match="give evaluate_every"):
        result.curves  # noqa: B018


def test_networks_that_end_early_keep_their_value_and_those_that_diverge_have_none():
    settings = [{"optimizer": gn.LBFGS()}, {"optimizer": gn.SGD(1e4)}]
    line = gn.Network((3, 1), output="identity")
    result = sweep(line, grid=None, settings=settings, iterations=90, metric="loss", evaluate_every=1)
    early, diverged = result.curves
    assert all(cell.run.status == "stopped" for cell in result.cells[:2])
    assert early["mean"][-1] == np.mean([cell.metric for cell in result.cells[:2]])
    assert np.isnan(diverged["mean"][-1])
    assert result.chosen["setting"] == 0


def test_a_choice_among_means_that_are_no_numbers_is_none():
    result = sweep(metric=lambda y, found: np.nan, mode="max", evaluate_every=2)
    assert result.chosen is None
    with pytest.raises(gn.InputError, match="No setting of this sweep is the best"):
        result.refit(X, Y)


@pytest.mark.parametrize(
    "told",
    [
        {"seeds": [7, 8]},
        {"parameters": LINE.initialize(3)},
        {"optimizer": gn.Adam(), "dropout": 0.1, "l2": 0.01},
        {"validation": 0.2, "stopping": gn.EarlyStopping(patience=3)},
    ],
)
def test_refit_trains_the_choice_on_the_rows_it_is_given(told):
    result = sweep(**told)
    run, chosen = result.refit(X, Y), result.chosen
    expected = {"optimizer": told.get("optimizer", gn.SGD()), "random_state": 7 if "seeds" in told else 0}
    expected |= {k: v for k, v in told.items() if k in ("parameters", "dropout", "l2")}
    expected["optimizer"] = (
        gn.SGD(chosen["learning_rate"]) if "optimizer" not in told else gn.Adam(chosen["learning_rate"])
    )
    again = gn.train(
        LINE, X, Y, iterations=chosen["iterations"], batch_size=chosen["batch_size"], **expected
    )
    assert np.array_equal(run.losses, again.losses)
    assert run.parameters == again.parameters
    assert run.iterations == chosen["iterations"]
    assert pickle.loads(pickle.dumps(result)).refit(X, Y).parameters == run.parameters


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"folds": None, "metric": None}, "evaluate_every evaluates the metric, and there is none"),
        ({"evaluate_every": 0}, "evaluate_every"),
        ({"keep_predictions": True, "folds": None}, "keep_predictions keeps those of the folds"),
        ({"keep_predictions": "proba"}, "keep_predictions 'proba'"),
        ({"keep_predictions": "predict_proba"}, "predicts no probabilities"),
    ],
)
def test_what_cannot_be_evaluated_or_kept_is_refused(told, message):
    with pytest.raises(gn.InputError, match=message):
        sweep(**told)


def test_more_evaluations_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["glassnet.model_selection.sweep"], "EVALUATIONS", 16)
    with pytest.raises(gn.InputError, match=r"gives 40 values .* such as evaluate_every=12"):
        sweep()
    assert len(sweep(evaluate_every=12).cells[0].evaluations) == 1


# ---- Predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["predict", "predict_proba"])
def test_predictions_of_all_folds_are_those_of_the_networks(kept):
    network = gn.Network((3, 4, 2))
    result = sweep(network, CLASSES, metric="accuracy", seeds=2, keep_predictions=kept, evaluate_every=None)
    for setting in (None, 1):
        found = result.predictions(setting)
        number = result.summary[0]["setting"] if setting is None else setting
        cells = [cell for cell in result.cells if cell.setting == number]
        assert found["row"].tolist() == [*range(30), *range(60, 90)] * 2
        assert np.array_equal(found["target"], CLASSES[found["row"]])
        for cell in cells:
            mine = (found["seed"] == cell.seed) & (found["fold"] == cell.fold)
            rows = found["row"][mine]
            assert set(rows) == set(FOLDS[cell.fold][1])
            expected = getattr(cell.run, kept)(X[rows])
            names = ["prediction"] if kept == "predict" else ["prediction_0", "prediction_1"]
            assert np.array_equal(
                np.stack([found[name][mine] for name in names], axis=-1).squeeze(), expected
            )


def test_predictions_have_the_index_of_the_frame():
    index = pd.MultiIndex.from_product([["A", "B", "C"], range(30)], names=["symbol", "date"])
    frame, y = pd.DataFrame(X, index=index), pd.Series(Y, index=index)
    dates = index.get_level_values("date")
    folds = gn.PurgedKFold(3, times=dates)
    result = gn.sweep(
        LINE,
        frame,
        y,
        settings=[{"l2": 0.0}],
        folds=folds,
        iterations=3,
        random_state=0,
        keep_predictions=True,
    )
    found = pickle.loads(pickle.dumps(result)).predictions()
    assert found.index.equals(index)  # each row is tested once
    assert found.columns.tolist() == ["row", "fold", "target", "prediction"]
    assert found["target"].equals(y.rename("target"))
    for fold, (_, test) in enumerate(folds.split(frame)):
        assert (found["fold"].to_numpy()[test] == fold).all()
        expected = result.cells[fold].run.predict(X[test]).ravel()
        assert np.array_equal(found["prediction"].to_numpy()[test], expected)


def test_predictions_that_were_not_kept_are_refused():
    with pytest.raises(gn.InputError, match="no predictions of setting"):
        sweep().predictions()
    with pytest.raises(gn.InputError, match="of setting 99"):
        sweep(keep_predictions=True).predictions(99)
