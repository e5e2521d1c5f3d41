"""What a sweep's result makes of its networks: curves, the choice, another fit, and predictions."""

import json
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from same_runs import assert_same_run
from sweeps import FOLDS, RETURNS, SIGNAL_LINE, SIGNALS, Y, sweep_folds, sweep_grid

import glassnet as gn
from glassnet.model_selection import rules

CLASSES = (RETURNS > 0).astype(int)


# ---- The metric on the way ------------------------------------------------------------------------


def test_evaluations_change_no_number_of_the_networks():
    plain, evaluated = sweep_folds(evaluate_every=None), sweep_folds(evaluate_every=1)
    for one, other in zip(plain.cells, evaluated.cells, strict=True):
        assert np.array_equal(one.run.losses, other.run.losses)
        assert one.run.parameters == other.run.parameters
        assert one.metric == other.metric


def test_a_choice_among_means_that_are_no_numbers_is_none():
    result = sweep_folds(metric=lambda y, found: np.nan, mode="max", evaluate_every=2)
    assert result.chosen is None
    with pytest.raises(gn.InputError, match="No setting of this sweep is the best"):
        result.refit(SIGNALS, RETURNS)


@pytest.mark.parametrize(
    "told",
    [
        {"seeds": [7, 8]},
        {"parameters": SIGNAL_LINE.initialize(3)},
        {"optimizer": gn.Adam(), "dropout": 0.1, "l2": 0.01},
        {"validation": 0.2, "stopping": gn.EarlyStopping(patience=3)},
    ],
)
def test_refit_trains_the_choice_on_the_rows_it_is_given(told):
    result = sweep_folds(**told)
    run, chosen = result.refit(SIGNALS, RETURNS), result.chosen
    expected = {"optimizer": told.get("optimizer", gn.SGD()), "random_state": 7 if "seeds" in told else 0}
    expected |= {k: v for k, v in told.items() if k in ("parameters", "dropout", "l2")}
    expected["optimizer"] = (
        gn.SGD(chosen["learning_rate"]) if "optimizer" not in told else gn.Adam(chosen["learning_rate"])
    )
    again = gn.train(
        SIGNAL_LINE,
        SIGNALS,
        RETURNS,
        iterations=chosen["iterations"],
        batch_size=chosen["batch_size"],
        **expected,
    )
    assert np.array_equal(run.losses, again.losses)
    assert run.parameters == again.parameters
    assert run.iterations == chosen["iterations"]
    assert pickle.loads(pickle.dumps(result)).refit(SIGNALS, RETURNS).parameters == run.parameters


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
        sweep_folds(**told)


def test_more_evaluations_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["glassnet.model_selection.sweep"], "EVALUATIONS", 16)
    with pytest.raises(gn.InputError, match=r"gives 40 values .* such as evaluate_every=12"):
        sweep_folds()
    assert len(sweep_folds(evaluate_every=12).cells[0].evaluations) == 1


# ---- Predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["predict", "predict_proba"])
def test_predictions_of_all_folds_are_those_of_the_networks(kept):
    network = gn.Network((3, 4, 2))
    result = sweep_folds(
        network, CLASSES, metric="accuracy", seeds=2, keep_predictions=kept, evaluate_every=None
    )
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
            expected = getattr(cell.run, kept)(SIGNALS[rows])
            names = ["prediction"] if kept == "predict" else ["prediction_0", "prediction_1"]
            assert np.array_equal(
                np.stack([found[name][mine] for name in names], axis=-1).squeeze(), expected
            )


def test_predictions_have_the_index_of_the_frame():
    index = pd.MultiIndex.from_product([["A", "B", "C"], range(30)], names=["symbol", "date"])
    frame, y = pd.DataFrame(SIGNALS, index=index), pd.Series(RETURNS, index=index)
    dates = index.get_level_values("date")
    folds = gn.PurgedKFold(3, times=dates)
    result = gn.sweep(
        SIGNAL_LINE,
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
        expected = result.cells[fold].run.predict(SIGNALS[test]).ravel()
        assert np.array_equal(found["prediction"].to_numpy()[test], expected)


def test_labels_of_text_are_those_of_the_runs_and_of_the_predictions():
    labels = np.array(["down", "up"])[CLASSES]
    told = {"metric": "accuracy", "keep_predictions": True, "evaluate_every": None}
    by_label, by_number = (sweep_folds(gn.Network((3, 4, 2)), y, **told) for y in (labels, CLASSES))
    for one, other in zip(by_label.cells, by_number.cells, strict=True):
        assert one.metric == other.metric
        assert one.run.predict(SIGNALS).tolist() == [["down", "up"][k] for k in other.run.predict(SIGNALS)]
    found = by_label.predictions()
    assert found["target"].tolist() == labels[found["row"]].tolist()
    assert set(found["prediction"]) <= {"down", "up"}
    assert set(by_label.refit(SIGNALS, labels).predict(SIGNALS)) <= {"down", "up"}
    with pytest.raises(gn.InputError, match="y has 2 labels"):
        sweep_folds(gn.Network((3, 4, 3)), labels, **told)


def test_predictions_that_were_not_kept_are_refused():
    with pytest.raises(gn.InputError, match="no predictions of setting"):
        sweep_folds().predictions()
    with pytest.raises(gn.InputError, match="of setting 99"):
        sweep_folds(keep_predictions=True).predictions(99)


def test_table_has_a_row_for_each_network():
    result, shares = sweep_grid(), np.bincount(Y) / 60
    entropy = -shares @ np.log(shares)
    for row, run, cell in zip(result.table, result.runs, result.cells, strict=True):
        assert list(row)[:3] == ["learning_rate", "momentum", "status"]
        assert (row["learning_rate"], row["momentum"]) == (
            run.optimizer.learning_rate,
            run.optimizer.momentum,
        )
        assert row["status"] == cell.status
        assert (row["diverged_at"], row["iterations"]) == (run.diverged_at, run.iterations)
        assert (row["final_loss"], row["lowest_loss"]) == (run.losses[-1], run.losses.min())
        assert row["share"] == pytest.approx(run.losses[-1] / entropy, rel=1e-12)
        assert row["seconds"] == run.seconds


def test_to_pandas_is_the_table():
    result = sweep_grid()
    frame = result.to_pandas()
    assert list(frame.columns) == list(result.table[0])
    assert frame["diverged_at"].dtype == "Int64"
    assert frame["diverged_at"].isna().tolist() == [run.diverged_at is None for run in result.runs]
    assert frame["final_loss"].tolist() == [run.losses[-1] for run in result.runs]


def test_to_dict_is_json_and_holds_every_curve():
    result = sweep_grid()
    document = result.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["grid"] == {"learning_rate": [0.01, 0.5, 1e4], "momentum": [0.0, 0.9]}
    for row, run in zip(document["cells"], result.runs, strict=True):
        assert row["curve"]["losses"] == run.losses.tolist()
        assert row["curve"]["iterations"] == list(range(len(run.losses)))
    assert (
        len(
            sweep_grid(iterations=5000, grid={"momentum": [0]}).to_dict(most=100)["cells"][0]["curve"][
                "losses"
            ]
        )
        <= 110
    )


def test_result_is_readable():
    text = str(sweep_grid())
    assert "6 networks 2-3-2 (tanh, softmax; cross_entropy), 40 iterations each" in text
    assert "2 diverged" in text
    assert "diverged at 1" in text
    assert len(text.splitlines()) == 4 + 6 + 3  # with the best, and the rule of falling and of plateau
    many = str(sweep_grid(grid={"learning_rate": np.linspace(0.1, 0.2, 100)}, iterations=1))
    assert "\n*" in many
    assert "\n  and 39 more\n* the best by final_loss\n" in many  # the best is shown wherever it is
    cell = sweep_grid().cells[4]
    start = f"loss {cell.run.losses[0]:.6g}"
    assert repr(cell) == f"SweepCell(learning_rate 10000, momentum 0: diverged at 1, {start})"


def test_what_is_printed_has_columns_for_what_varies():
    lines = str(sweep_grid(grid={"l2": [0.25], "learning_rate": [0.1, 0.2]}, iterations=2)).splitlines()
    assert "  all with l2 0.25" in lines
    heading = next(line for line in lines if "learning_rate" in line)
    assert "l2" not in heading
    assert "l2" in str(sweep_grid(grid={"l2": [0.25]}, iterations=2))


@pytest.mark.parametrize("settings", [{}, {"seeds": 2}])
def test_what_is_printed_marks_the_best(settings):
    lines = repr(sweep_grid(grid={"learning_rate": [1e-6, 0.5, 1e-5]}, **settings)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["0.5", "the"]
    one = repr(sweep_grid(grid={"learning_rate": [0.5]}, iterations=2))
    assert "*" not in one


def test_a_sweep_prints_the_rule_of_each_status_under_its_table():
    result = sweep_grid(converged_below=0.4)
    lines = str(result).splitlines()
    found = {cell.status for cell in result.cells}
    stated = [line.strip() for line in lines[5 + len(result.cells) :]]
    assert stated == [f"{status}: {rule}" for status, rule in rules(0.4).items() if status in found]
    assert stated


def test_settings_that_are_no_numbers_are_shown_as_they_are_written():
    grid = {"learning_rate": [0.1, gn.Step(0.1, every=3)], "clip_norm": [None, 1.0], "nesterov": [True]}
    result = sweep_grid(grid=grid, iterations=3)
    label = "learning_rate Step(rate=0.1, every=3, factor=0.1), clip_norm None, nesterov True"
    assert result.cells[2].label == label
    assert label.split(", clip")[0].split(" ", 1)[1] in str(result)
    document = json.loads(json.dumps(result.to_dict()))
    assert document["grid"]["learning_rate"][1] == gn.Step(0.1, every=3).to_dict()
    assert document["cells"][2]["learning_rate"] == gn.Step(0.1, every=3).to_dict()
    gn.plots.sweep_heatmap(result)
    gn.plots.sweep_losses(result)


def test_result_travels_by_pickle():
    result = sweep_grid()
    copy = pickle.loads(pickle.dumps(result))
    assert copy.table == result.table
    for one, other in zip(copy.runs, result.runs, strict=True):
        assert_same_run(one, other)


def test_settings_of_any_kind_are_shown_drawn_and_written(tmp_path):
    settings = [
        {"optimizer": gn.LBFGS(), "stopping": gn.EarlyStopping(patience=2)},
        {"hidden_layer_sizes": (4, 2), "dropout": [0.1, 0.2], "activation": ["relu", "tanh"]},
        {"class_weight": {0: 1.0, 1: 2.0}, "network": gn.Network((2, 2, 2))},
    ]
    result = sweep_grid(grid=None, settings=settings)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert "(4, 2)" in str(result)
    assert len(result.to_pandas()) == len(result.to_polars()) == 3


def test_numbers_and_truths_stay_so_in_frames_where_some_are_missing():
    settings = [{"batch_size": 10, "shuffle": False}, {"batch_size": None, "l2": 0.5}]
    result = sweep_grid(grid=None, settings=settings, iterations=2)
    kinds = result.to_pandas().dtypes.astype(str)
    assert [kinds[name] for name in ("batch_size", "shuffle", "l2")] == ["Int64", "boolean", "float64"]
    kinds = result.to_polars().schema
    assert [str(kinds[name]) for name in ("batch_size", "shuffle", "l2")] == ["Int64", "Boolean", "Float64"]
    gn.plots.sweep_losses(result)
    gn.plots.sweep_heatmap(result)


def test_to_polars_holds_numbers_as_numbers():
    frame = sweep_grid(grid={"learning_rate": [0.1, 1e4], "batch_size": [None, 10]}).to_polars()
    assert [str(kind) for kind in frame.dtypes[:4]] == ["Float64", "Int64", "String", "Int64"]
    assert frame["batch_size"].to_list() == [None, 10, None, 10]


def test_batches_are_told_by_their_epochs():
    result = sweep_grid(grid={"learning_rate": [0.05, 1e9]}, batch_size=10, iterations=6)
    text = str(result)
    assert "6 epochs each" in text
    lost = result.cells[1]
    assert lost.status == "diverged"
    assert len(lost.run.losses) == 0
    assert np.isnan(lost.final_loss)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["cells"][1]["final_loss"] is None
    assert result.cells[0].curve()[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert result.best is result.cells[0]
    gn.plots.sweep_losses(result)
