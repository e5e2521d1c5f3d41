"""Standardized streams: the means, deviations and runs of rows in memory, wherever they lie."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streams import same, write

import glassnet as gn
from glassnet.data.standardization import StandardizedDataset, measured
from glassnet.data.tables import read_table
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.preprocessing import Preprocessing

N, INPUTS = 70_003, 3
NAMES = [f"x{i}" for i in range(INPUTS)]
NET = gn.Network((INPUTS, 4, 2), hidden="tanh")
ADAM = {"optimizer": gn.Adam(0.05), "iterations": 3, "random_state": 0}


@pytest.fixture(scope="module", name="samples")
def draw():
    random = np.random.RandomState(0)
    X = random.randn(N, INPUTS) * [1, 100, 0.01] + [0, 1e5, 3]
    return X, (X[:, 0] > 0.3).astype(int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, samples):
    return write(tmp_path_factory.mktemp("rows"), *samples, edges=[0, 1_300, 1_301, 40_000, N], group=9_000)


def test_table_and_streams_have_the_same_moments(folder, samples, tmp_path):
    X, y = samples
    whole = write(tmp_path / "whole", X, y, edges=[0, N], group=N)
    data = prepare_table(read_table(whole / "part-0.parquet"), "class", test_fraction=0)
    for rows, threads in (
        (gn.stream(folder, "class"), 1),
        (gn.stream(whole, "class"), 3),
        (gn.stream(X, y), 2),
        (gn.stream(np.asfortranarray(X), y, memory="96 MiB"), 1),
    ):
        found = measured(rows, threads)
        assert tuple(found.center.tolist()) == data.preprocessing.mean
        assert tuple(found.scale.tolist()) == data.preprocessing.scale


@pytest.mark.parametrize(
    ("dtype", "how"),
    [("float32", {}), ("float32", {"batch_size": 500}), ("float64", {"optimizer": gn.LBFGS()})],
)
def test_run_has_the_bits_of_standardized_rows_in_memory(folder, samples, dtype, how):
    X, y = samples
    rows = gn.stream(folder, "class", standardize=True)
    run = gn.train(NET, rows, dtype=dtype, threads=3, **{**ADAM, **how})
    Z = (X - rows.mean) / rows.scale
    expected = gn.train(NET, Z, y, dtype=dtype, **{**ADAM, **how})
    assert same(run, expected)
    assert same(run.resume(2), expected.resume(2))
    assert np.array_equal(
        run.predict(gn.stream(X, standardize=(rows.mean, rows.scale))), expected.predict(Z)
    )
    assert run.score(rows) == expected.score(Z, y)


def test_windows_of_standardized_rows_are_those_of_rows_in_memory_from_files_and_arrays(tmp_path):
    X = np.random.RandomState(0).randn(40_000, 30) + 7
    y = (X[:, 0] > 7).astype(int)
    table = pa.table({f"x{i}": X[:, i] for i in range(30)} | {"class": y})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=8_192)
    how = {"batch_size": 250, "iterations": 1, "random_state": 0, "shuffle": False}
    net = gn.Network((30, 2))
    for rows in (
        gn.stream(tmp_path, "class", standardize=True, memory="96 MiB"),
        gn.stream(X, y, standardize=True, memory="96 MiB"),
    ):
        run = gn.train(net, rows, **how)
        assert 0 < run.cursor.layout[0] < len(X)  # the rows of a window
        assert run.parameters == gn.train(net, (X - rows.mean) / rows.scale, y, **how).parameters


def test_model_keeps_means_and_scales_and_warns_of_raw_rows(folder, samples, tmp_path):
    X, _ = samples
    rows = gn.stream(folder, "class", standardize=True)
    run = gn.train(NET, rows, **ADAM)
    gn.save(run.resume(1), tmp_path / "model.safetensors")
    loaded = gn.load(tmp_path / "model.safetensors")
    made = Preprocessing.from_dict(loaded.extra["preprocessing"])
    assert (made.target, made.features, made.classes) == ("class", tuple(NAMES), (0, 1))
    assert (made.mean, made.scale) == (tuple(rows.mean), tuple(rows.scale))
    for raw in (X[:5], gn.stream(folder, "class"), gn.stream(X, standardize=(rows.mean + 1, rows.scale))):
        with pytest.warns(gn.PreprocessingWarning, match=r"standardize=\(mean, scale\)"):
            loaded.predict(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = gn.stream(X[:5], standardize=(made.mean, made.scale))
        assert np.array_equal(loaded.predict(new), loaded.predict(rows)[:5])


def test_single_precision_rows_are_scaled_in_double(samples):
    X, y = samples
    rows = gn.stream(X.astype(np.float32), y, standardize=True)
    run = gn.train(NET, rows, **ADAM)
    assert run.dtype == np.float32
    wide = X.astype(np.float32).astype(np.float64)
    Z = ((wide - rows.mean) / rows.scale).astype(np.float32)
    assert same(run, gn.train(NET, Z, y, **ADAM))


def test_constant_column_comes_as_zeros(samples):
    X, y = samples
    X = X.copy()
    X[:, 1] = 0.1
    rows = gn.stream(X, y, standardize=True)
    assert (rows.mean[1], rows.scale[1]) == (0.1, 1.0)
    (block,) = rows.read(0, 5, 64, np.dtype(np.float64))
    assert not block.X[:, 1].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: np.where(np.arange(N)[:, None] == 66_000, np.nan, X), "column 0 has nan.* at row 66000"),
        (lambda X: X * [1, 1e200, 1], "X, column 1 has values too large to be averaged"),
    ],
)
def test_values_that_cannot_be_averaged_are_named(samples, change, message):
    X, y = samples
    with pytest.raises(gn.InputError, match=message):
        gn.stream(change(X), y, standardize=True)


def test_settings_that_cannot_be_are_refused_in_words(samples):
    X, y = samples
    rows = gn.stream(X, y, standardize=True)
    assert isinstance(rows, StandardizedDataset)
    for how, error, message in (
        ("yes", gn.InputTypeError, "standardize is True, .*not 'yes'"),
        (([0.0], [1.0]), gn.InputError, r"mean has shape \(1,\); expected \(3,\), one per input"),
        ((rows.mean, 0 * rows.scale), gn.InputError, "scale has 0; expected numbers above 0"),
    ):
        with pytest.raises(error, match=message):
            gn.stream(X, y, standardize=how)
    with pytest.raises(gn.InputError, match="standardized already"):
        gn.stream(rows, standardize=True)


def test_validation_samples_beside_standardized_rows_are_spoken_of(samples):
    X, y = samples
    rows = gn.stream(X, y, standardize=True)
    Z = (X[:50] - rows.mean) / rows.scale
    with pytest.warns(gn.PreprocessingWarning, match=r"\(X_validation - rows\.mean\) / rows\.scale"):
        run = gn.train(NET, rows, validation=(Z, y[:50]), **ADAM)
    expected = gn.train(NET, (X - rows.mean) / rows.scale, y, validation=(Z, y[:50]), **ADAM)
    assert np.array_equal(run.validation_losses, expected.validation_losses)
    as_it_came = gn.stream(X, y, standardize=(np.zeros(INPUTS), np.ones(INPUTS)))
    gn.train(NET, as_it_came, validation=(X[:50], y[:50]), **{**ADAM, "iterations": 1})


def test_warning_of_a_streamed_run_says_the_remedy_for_streams(samples):
    X, y = samples
    for net, target in (NET, y), (gn.Network((INPUTS, 1), output="identity"), y.astype(float)):
        run = gn.train(net, gn.stream(X, target, standardize=True), **ADAM)
        with pytest.warns(gn.PreprocessingWarning) as told:
            run.predict(X[:5])
        (words,) = (str(one.message) for one in told)
        assert "gn.stream(X, standardize=(mean, scale)), or" in words
        assert "(X - mean) / scale" in words
        assert "answers with" not in words  # these are as the target came
