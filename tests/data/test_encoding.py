"""What stands between a user's X and y and a network: the scaling, labels, shapes, constant columns."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import glassnet as gn
from glassnet.data.arrays import InMemory
from glassnet.data.checks import columns_of_one_value
from glassnet.data.encoding import PLAIN
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.nn.losses import LOSSES

RANDOM = np.random.RandomState(0)
SCALES, CENTERS = np.array([1.0, 50, 1e4]), np.array([0.0, 200, 1e6])
X = RANDOM.randn(120, 3) * SCALES + CENTERS
y = 3e5 + 1e5 * np.tanh((X[:, 0] + (X[:, 1] - 200) / 50) / 2)
NET = gn.Network((3, 6, 1), hidden="tanh", output="identity")
HOW = {"optimizer": gn.Adam(0.05), "iterations": 60, "random_state": 0}


def train(X=X, y=y, net=NET, **settings):
    return gn.train(net, X, y, **{**HOW, "standardize": True, **settings})


# ---- The scaling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if loss.output == "identity"])
def test_scaled_quantities_are_predicted_in_their_own_unit(loss):
    net = gn.Network((3, 6, 1), hidden="tanh", output="identity", loss=loss)
    run = train(net=net, iterations=300)
    assert np.abs(run.predict(X) - y).mean() < 0.2 * np.abs(y - np.median(y)).mean()
    assert abs(run.losses[0]) < 10  # of the scaled y
    np.testing.assert_allclose(run.forward(X)[-1][:, 0], run.predict(X))


def test_run_that_scales_is_the_run_of_rows_scaled_by_hand():
    Z, z = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    run, by_hand = train(), gn.train(NET, Z, z, **HOW)
    np.testing.assert_allclose(run.losses, by_hand.losses, rtol=1e-9)
    np.testing.assert_allclose(run.predict(X), by_hand.predict(Z) * y.std() + y.mean(), rtol=1e-9)
    assert run.score(X, y) == pytest.approx(by_hand.score(Z, z))


@pytest.mark.parametrize("settings", [{}, {"batch_size": 16}, {"optimizer": gn.LBFGS()}])
def test_streamed_rows_have_the_bits_of_scaled_rows_in_memory(settings):
    run, streamed = train(**settings), train(gn.stream(X, y), None, **settings)
    assert np.array_equal(run.losses, streamed.losses)
    assert np.array_equal(run.predict(X), streamed.predict(gn.stream(X)))
    assert run.score(X, y) == streamed.score(gn.stream(X, y))


def test_rows_that_were_standardized_otherwise_are_refused():
    rows = gn.stream(X, y, standardize=True)
    run = train(rows, None)
    assert np.array_equal(run.predict(gn.stream(X, standardize=(rows.mean, rows.scale))), run.predict(X))
    with pytest.raises(gn.InputError, match="by other means"):
        run.predict(gn.stream(X, standardize=(rows.mean + 1, rows.scale)))


@pytest.mark.parametrize(
    "settings", [{}, {"validation": 0.2}, {"validation": (X[:30], y[:30])}, {"batch_size": 20}]
)
def test_files_and_resumption_keep_the_scaling(tmp_path, settings):
    whole, run = train(**settings), train(**{**settings, "iterations": 40})
    gn.save(run, tmp_path / "run", extra={"a": "note"})
    given = {} if "validation" not in settings else {"validation": settings["validation"]}
    given = given if isinstance(given.get("validation"), tuple) else {}
    for again in (gn.load(tmp_path / "run"), pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):
        assert np.array_equal(again.predict(X), run.predict(X))
        more = again.resume(20, X=X, y=y, **given)
        assert np.array_equal(more.losses, whole.losses)
        assert np.array_equal(more.validation_losses, whole.validation_losses)
        assert np.array_equal(more.predict(X), whole.predict(X))


def test_tables_are_read_by_what_the_encoding_says(tmp_path):
    frame = pd.DataFrame(X[:, :2], columns=["age", "height"])
    labels = np.where(X[:, 0] > X[:, 0].mean(), "old", "young")
    run = gn.train(gn.Network((2, 2)), frame, labels, standardize=True, iterations=5, random_state=0)
    gn.save(run, tmp_path / "run", extra={"mine": 1})
    loaded = gn.load(tmp_path / "run")
    assert (run.extra, loaded.extra) == ({"preprocessing": run.preprocessing}, {"mine": 1})
    assert loaded.preprocessing == run.preprocessing
    known = Preprocessing.from_dict(loaded.preprocessing)
    assert (known.features, known.classes) == (("age", "height"), ("old", "young"))
    assert (known.mean, known.scale) == tuple(tuple(a.tolist()) for a in run.encoding.scaling[:2])
    # Files of earlier commits have it in extra alone.
    old = replace(run, encoding=PLAIN, extra={"preprocessing": run.preprocessing})
    assert old.preprocessing == run.preprocessing


def test_targets_stay_where_only_inputs_are_scaled():
    scaling = train().encoding.scaling
    for rows in (InMemory.validated(X, y), gn.stream(X, y)):
        _, kept, _ = scaling.applied(rows, targets=False).whole(NET)
        assert np.array_equal(np.ravel(kept), y)


def test_scaling_is_measured_on_the_rows_trained_on_alone():
    run = train(validation=0.25)
    rows = run.validation.rows[: -run.validation.n_held_out]
    np.testing.assert_allclose(run.encoding.scaling.mean, X[rows].mean(axis=0))
    np.testing.assert_allclose(run.encoding.scaling.target_scale, [y[rows].std()])


def test_metric_of_a_function_is_in_the_unit_of_y():
    seen = []

    def error(actual, predicted):
        seen.append(actual)
        return np.abs(actual - predicted).mean()

    run = train(validation=(X, y), stopping=gn.EarlyStopping(None, metric=error, mode="min"))
    np.testing.assert_allclose(seen[0].ravel(), y)
    assert run.validation_scores[0] > 1e4


def test_several_quantities_have_a_scale_each_and_counts_none():
    Y = np.c_[y, y / 1e9 - 7]
    run = train(y=Y, net=gn.Network((3, 8, 2), hidden="tanh", output="identity"), iterations=400)
    assert run.predict(X).shape == (120, 2)
    assert run.score(X, Y) > 0.98
    counts = RANDOM.poisson(3, 120)
    run = train(y=counts, net=gn.Network((3, 1), output="exp"))
    assert not run.encoding.scaling.moves_targets


def test_scheme_for_ranges_is_drawn_for_scaled_ranges_where_rows_are_held_out():
    how = {"scheme": "nguyen_widrow", "iterations": 0}
    whole, split = (train(validation=validation, **how).parameters for validation in (None, 0.2))
    np.testing.assert_allclose(whole.weights[0], split.weights[0], rtol=0.5)  # by other rows
    assert np.abs(split.weights[0]).max() < 10


def test_x_alone_is_scaled_where_asked_for():
    run = train(y=y / 1e5, standardize="X")
    assert not run.encoding.scaling.moves_targets
    assert np.array_equal(
        run.predict(X), run.network.predict(run.theta, run.encoding.scaling.inputs(X))[:, 0]
    )
    for wrong in ("y", 1):
        with pytest.raises(gn.InputTypeError, match='True, False or "X"'):
            train(standardize=wrong)


def test_float32_stays_float32():
    run = train(X.astype(np.float32), y.astype(np.float32))
    assert run.dtype == np.float32
    assert run.predict(X.astype(np.float32)).dtype == np.float32
    assert run.score(X, y) > 0.9


# ---- Columns that never vary ------------------------------------------------------------------------

WITH_YEAR = np.insert(X, 1, 2023, axis=1)
LATER = np.insert(X, 1, 2024, axis=1)
RULES = [rule() for rule in gn.OPTIMIZERS.values()]
SOLVERS = [rule() for rule in gn.SOLVERS.values()]


@pytest.mark.parametrize("rule", RULES + SOLVERS, ids=lambda rule: rule.name)
def test_constant_column_moves_no_prediction_of_a_run_that_scales(rule):
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    run = train(WITH_YEAR, net=net, optimizer=rule, iterations=20)
    divided = train(WITH_YEAR, net=net, optimizer=rule, iterations=2, validation=0.2)
    assert not np.r_[run.parameters.weights[0][1], divided.parameters.weights[0][1]].any()
    assert np.array_equal(run.predict(WITH_YEAR), run.predict(LATER))
    assert "never vary are left out: 1" in repr(run)


def test_constant_column_of_a_standardized_stream_moves_no_prediction():
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    rows = gn.stream(WITH_YEAR, y / 1e5, standardize=True)
    run = gn.train(net, rows, **HOW)
    before, after = (gn.stream(Z, standardize=(rows.mean, rows.scale)) for Z in (WITH_YEAR, LATER))
    assert np.array_equal(run.predict(before), run.predict(after))


def test_constant_column_of_a_fold_moves_no_prediction():
    years = np.insert(X, 1, np.r_[np.full(90, 2023), np.full(30, 2024)], axis=1)
    result = gn.sweep(
        gn.Network((4, 5, 1), hidden="tanh", output="identity"),
        years,
        y / 1e5,
        settings=[{}],
        folds=[(np.arange(90), np.arange(90, 120))],
        standardize=True,
        random_state=0,
        iterations=10,
    )
    run = result.runs[0]
    assert np.array_equal(run.predict(WITH_YEAR), run.predict(LATER))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", [{}, {"batch_size": 30}, {"dtype": "float32"}])
def test_raw_run_says_where_a_constant_column_moves_predictions(stream, how, tmp_path):
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    Z = (WITH_YEAR - [0, 0, 200, 1e6]) / [1, 20230, 50, 1e4]  # 0.1, which float32 has not
    rows = (gn.stream(Z, y / 1e5),) if stream else (Z, y / 1e5)
    run = gn.train(net, *rows, **HOW, **how)
    gn.save(run, tmp_path / "run")
    other = Z.copy()
    other[:7, 1] = 2
    for known in (run, gn.load(tmp_path / "run")):
        known.predict(Z)  # in silence
        with pytest.warns(gn.PreprocessingWarning, match=r"Column 1 .* was 0.1 in every row.* 7 of 120"):
            known.predict(other)


def test_a_constant_in_another_precision_is_no_other_value():
    Z = np.c_[X[:, 0], np.full(len(X), 0.1)].astype(np.float32)
    run = gn.train(gn.Network((2, 3, 1), output="identity"), Z, y / 1e5, iterations=5, random_state=0)
    run.predict(np.c_[X[:, 0], np.full(len(X), 0.1)])  # in silence


def test_constant_columns_are_found_with_their_values():
    Z = np.array([[1.0, 2, 3], [1, 5, 3], [1, 2, 3]])
    assert columns_of_one_value(Z) == {0: 1.0, 2: 3.0}
    assert columns_of_one_value(Z, [1, 2]) == {2: 3.0}
    assert columns_of_one_value(Z, []) == columns_of_one_value(X) == {}


# ---- Shapes and labels ----------------------------------------------------------------------------


def test_predictions_have_the_shape_of_y(tmp_path):
    flat, rows = train(), train(y=y[:, None])
    assert flat.predict(X).shape == y.shape == ((flat.predict(X) - y) ** 2).shape
    assert rows.predict(X).shape == flat.predict(X, ndim=2).shape == (120, 1)
    assert flat.predict(gn.stream(X)).shape == (120,)
    gn.save(flat, tmp_path / "run")
    assert gn.load(tmp_path / "run").predict(X).shape == (120,)
    two = gn.train(gn.Network((3, 1), output="logistic"), X / 1e6, y > 3e5, iterations=2, random_state=0)
    assert two.predict(X).shape == (120,)
    assert two.predict_proba(X).shape == (120, 1)
    assert NET.predict(flat.theta, X).shape == (120, 1)
    with pytest.raises(gn.InputError, match="ndim is 3"):
        flat.predict(X, ndim=3)


@pytest.mark.parametrize("outputs", [1, 2])
def test_labels_of_text_come_back(tmp_path, outputs):
    labels = np.where(y > 3e5, "up", "down")
    net = gn.Network((3, outputs), output="logistic" if outputs == 1 else "softmax")
    run = train(y=labels.tolist(), net=net, validation=(X, labels), iterations=200)
    numbers = train(y=(y > 3e5).astype(int), net=net, iterations=200)
    assert np.array_equal(run.losses, numbers.losses)
    gn.save(run, tmp_path / "run")
    again = gn.load(tmp_path / "run")
    assert run.encoding.classes == again.encoding.classes == ("down", "up")
    assert np.array_equal(again.predict(X), np.where(numbers.predict(X), "up", "down"))
    assert again.score(X, labels) == numbers.score(X, y > 3e5) > 0.9
    more = again.resume(5, X=X, y=labels, validation=(X, labels))
    assert more.iterations == 205
    with pytest.raises(gn.InputError, match="'sideways' at row 1; the run knows the classes 'down', 'up'"):
        again.score(X[:2], ["up", "sideways"])


def test_labels_that_are_not_one_for_each_output_are_refused():
    with pytest.raises(gn.InputError, match=r"y has 3 labels, 'a', 'b', 'c', and .* 2 outputs; .* 8, 3\)"):
        gn.train(gn.Network((1, 2)), [[0.0], [1], [2]], ["a", "b", "c"])
    with pytest.raises(gn.InputTypeError, match="object"):
        gn.train(gn.Network((1, 2)), [[0.0], [1], [2]], np.array(["a", 1, None], object))
