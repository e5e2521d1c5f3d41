"""What a pass over rows finds: the values of targets, an excerpt, and columns of one value."""

import dask.array as da
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import glassnet as gn
from glassnet.data import scan
from glassnet.data.checks import excerpt_rows
from glassnet.data.reduce import Block
from glassnet.data.scan import target_values
from glassnet.data.source import MappedDataset
from glassnet.engine.prepare import ProblemSettings, prepare_problem

N = 70_003  # more than one range of rows

KINDS = {
    "text": lambda y: np.array(["fir", "oak", "elm"])[y],
    "objects": lambda y: np.array(["fir", "oak", "elm"], dtype=object)[y],
    "numbers": lambda y: np.array([3, -1, 7], dtype=np.int32)[y],
    "floats": lambda y: np.array([3.0, -1.0, 7.0])[y],
    "flags": lambda y: y == 1,
}


def draw(n=N):
    random = np.random.RandomState(0)
    y = random.randint(0, 2, n)
    y[n * 4 // 7] = 2  # a class that is first far behind the beginning
    return random.randn(n, 2), y


def write(path, y, rows=20_000):
    path.mkdir()
    X, _ = draw(len(y))
    for part, start in enumerate(range(0, len(y), rows)):
        some = slice(start, start + rows)
        table = pa.table({"a": X[some, 0], "b": X[some, 1], "y": y[some]})
        pq.write_table(table, path / f"{part}.parquet", row_group_size=3_000)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["array", "parquet", "dask"])
def test_values_are_all_found_with_their_counts_and_first_rows(kind, source, tmp_path):
    X, numbers = draw()
    y = KINDS[kind](numbers)
    if source == "dask":
        rows = gn.stream(da.from_array(X, chunks=(9_001, 2)), y)
    else:
        rows = gn.stream(X, y) if source == "array" else gn.stream(write(tmp_path / "f", y), "y")
    (found,), flat = target_values(rows, 2)
    expected, first, counts = np.unique(y, return_index=True, return_counts=True)
    assert flat
    assert sorted(found.counts) == expected.tolist()
    assert [found.counts[value] for value in expected.tolist()] == counts.tolist()
    assert [found.first[value] for value in expected.tolist()] == first.tolist()
    assert np.array_equal(np.sort(found.array()), expected)
    if source == "array":
        assert found.array().dtype == y.dtype


def test_columns_have_values_of_their_own():
    X, y = draw()
    columns, flat = target_values(gn.stream(X, np.column_stack([y, y + 5])), 1)
    assert not flat
    assert [sorted(column.counts) for column in columns] == [[0, 1, 2], [5, 6, 7]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, None])
def test_target_that_is_missing_is_named_by_its_row(bad):
    X, y = draw()
    y = y.astype(object if bad is None else float)
    y[68_000] = bad
    with pytest.raises(gn.InputError, match=f"y has {bad} at row 68000"):
        target_values(gn.stream(X, y), 1)


def test_text_among_numbers_is_named_by_row():
    X, y = draw(100)
    y = y.astype(object)
    y[60] = "1"
    with pytest.raises(gn.InputTypeError, match=r"y has '1' at row 60 and .* at row"):
        target_values(gn.stream(X, y), 1)


def test_quantities_are_told_from_classes(monkeypatch):
    monkeypatch.setattr(scan, "MOST_VALUES", 50)
    X, _ = draw(100)
    with pytest.raises(gn.InputError, match=r"more than 50 different values.* expected classes"):
        target_values(gn.stream(X, X[:, 0].copy()), 1)


def test_files_of_other_kinds_of_number_have_values_of_both(tmp_path):
    path = write(tmp_path / "f", np.arange(10) % 2)
    pq.write_table(pa.table({"a": [0.0], "b": [0.0], "y": [2.5]}), path / "1.parquet")
    (found,), _ = target_values(gn.stream(path, "y"), 1)
    assert sorted(found.array().tolist()) == [0, 1, 2.5]


def swapped(block):
    return Block(block.X, 1 - block.y, np.full(len(block.X), 2.0))


@pytest.mark.parametrize("batch_size", [None, 64])
def test_changed_rows_are_trained_on_as_if_they_were_there(batch_size, tmp_path):
    y = np.arange(4_000) % 2
    path = write(tmp_path / "f", y, rows=1_500)
    how = {"iterations": 3, "random_state": 0, "batch_size": batch_size, "engine": "native"}
    net = gn.Network((2, 3, 2))
    rows = MappedDataset(gn.stream(path, "y"), swapped, weighted=True)
    run = gn.train(net, rows, **how)
    expected = gn.train(net, draw(4_000)[0], 1 - y, sample_weight=np.full(4_000, 2.0), **how)
    assert np.array_equal(run.losses, expected.losses)
    assert run.parameters == expected.parameters
    assert rows.names == ("a", "b")


def test_changed_rows_are_changed_where_dask_computes():
    X, y = draw(4_000)
    y %= 2
    net, how = gn.Network((2, 3, 2)), {"iterations": 3, "random_state": 0, "engine": "native"}
    rows = MappedDataset(gn.stream(da.from_array(X, chunks=(701, 2)), y), swapped, weighted=True)
    expected = gn.train(net, X, 1 - y, sample_weight=np.full(4_000, 2.0), **how)
    assert np.array_equal(gn.train(net, rows, **how).losses, expected.losses)


def test_rows_cannot_be_taken_one_by_one():
    with pytest.raises(gn.InputTypeError, match=r"is streamed\. Only gn\.train"):
        gn.stream(*draw(100))[:10]


# ---- The excerpt, and columns of one value ----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 900, 1_100, N])
def test_excerpt_of_streamed_rows_has_the_bits_of_rows_in_memory(n, dtype, tmp_path):
    (X, _), network = draw(n + 2), gn.Network((2, 3, 1), output="identity")
    X, w = X[:n], np.linspace(1, 2, n)
    files = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"a": X[:, 0], "b": X[:, 1], "y": X[:, 0], "w": w}), files, row_group_size=7_000
    )
    memory = gn.prepare(network, X, X[:, 0], sample_weight=w, dtype=dtype).summary.excerpt
    rows = excerpt_rows(n, 2)
    assert len(rows) == min(n, 1000)
    assert np.array_equal(memory.X, X[rows].astype(dtype))
    for stream in (gn.stream(X, X[:, 0], sample_weight=w), gn.stream(files, "y", sample_weight="w")):
        read = prepare_problem(network, stream, ProblemSettings(dtype=dtype)).summary.excerpt
        for one, other in zip(read[:3], memory[:3], strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


def test_excerpt_has_a_thousand_rows_of_any_number_above():
    for n in (*range(1, 3_000), 10**6, 10**9 + 7):
        rows = excerpt_rows(n, 3)
        assert len(rows) == min(n, 1000)
        assert rows[0] >= 0
        assert rows[-1] < n
        assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("period", [2, 3, 7, 12])
def test_excerpt_of_few_more_rows_sees_all_of_a_period(period):
    for n in range(1_001, 2_000, 7):
        counts = np.bincount(excerpt_rows(n, 3) % period, minlength=period)
        assert counts.min() > 0.5 * counts.mean()


@pytest.mark.parametrize("period", [7, 12, 24, 168])
def test_excerpt_sees_all_of_a_period(period):
    for n in (1000 * period, 999 * period + 1):
        counts = np.bincount(excerpt_rows(n, 3) % period, minlength=period)
        assert counts.min() > 0.5 * counts.mean()


def test_excerpt_of_wide_rows_is_short():
    assert len(excerpt_rows(10**6, 2_000)) == 262
    assert len(excerpt_rows(10**6, 10**6)) == 64


@pytest.mark.parametrize("source", ["array", "dask"])
def test_columns_of_one_value_are_found_in_streams(source):
    X, y = draw()
    X[:, 1] = 3.0

    def constant(X, y):
        X = da.from_array(X, chunks=(9_001, 2)) if source == "dask" else X
        return prepare_problem(gn.Network((2, 3)), gn.stream(X, y), ProblemSettings()).summary.constant

    assert constant(X, y) == {1: 3.0}
    assert constant(X[:1], y[:1]) == {}
    X[-1, 1] = 4.0
    assert constant(X, y) == {}
