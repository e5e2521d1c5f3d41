"""Paths as people give them, and which of the files' columns are learned from."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import glassnet as gn

FRAME = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0) % 3, "label": [0, 1] * 4})


def test_frames_index_is_no_feature_unless_it_is_named(tmp_path):
    path = tmp_path / "filtered.parquet"
    FRAME[FRAME["b"] != 1].to_parquet(path)
    assert gn.stream(path, "label").names == ("a", "b")
    assert gn.stream(path, "label", features=["__index_level_0__", "b"]).names[0] == "__index_level_0__"
    FRAME.set_index("a").to_parquet(path)
    assert gn.stream(path, "label").names == ("b",)
    assert gn.stream(path, "a").n_inputs == 2  # a target, whatever pandas takes it for


def test_files_may_differ_by_the_index_alone(tmp_path):
    FRAME.to_parquet(tmp_path / "1.parquet")
    FRAME[FRAME["b"] != 1].to_parquet(tmp_path / "2.parquet")
    assert len(gn.stream(tmp_path, "label")) == 13


@pytest.mark.parametrize("wider", ["1", "2"])
def test_column_that_some_files_lack_is_refused_whichever_comes_first(tmp_path, wider):
    for name in "12":
        frame = FRAME.assign(c=1.0) if name == wider else FRAME
        frame.to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(gn.InputError, match=r"'c'.*every file needs the same columns"):
        gn.stream(tmp_path, "label")
    assert gn.stream(tmp_path, "label", features=["a", "b"]).n_inputs == 2


def test_column_in_the_names_of_folders_is_refused_and_can_be_done_without(tmp_path):
    pq.write_to_dataset(pa.Table.from_pandas(FRAME), tmp_path, partition_cols=["b"])
    with pytest.raises(
        gn.InputError, match=r"'b' is in the names of folders alone, such as b=0, .*do without"
    ):
        gn.stream(tmp_path, "label")
    with pytest.raises(
        gn.InputError, match=r"'b' is in the names of folders alone.*to_parquet\(\.\.\.\)\.$"
    ):
        gn.stream(tmp_path, "label", features=["a", "b"])
    assert gn.stream(tmp_path, "label", features=["a"]).n_inputs == 1
    assert gn.stream(tmp_path / "b=0", "label").n_inputs == 1  # all rows of one: nothing is lost


def test_list_of_files_is_read_in_its_own_order(tmp_path):
    for name, rows in [("late", slice(4, 8)), ("early", slice(0, 4))]:
        FRAME[rows].to_parquet(tmp_path / f"{name}.parquet", index=False)
    files = [tmp_path / "early.parquet", str(tmp_path / "late.parquet")]
    how = {"random_state": 0, "iterations": 3}
    net = gn.Network((2, 3, 2))
    run = gn.train(net, files, "label", **how)
    known = gn.train(net, FRAME[["a", "b"]], FRAME["label"], **how)
    assert np.array_equal(run.losses, known.losses)
    assert str(tmp_path / "early.parquet") + " and 1 more" in repr(gn.stream(files, "label"))


@pytest.mark.parametrize(
    ("X", "y", "error", "words"),
    [
        ("data/*.parquet", "label", gn.FileError, r"Patterns are not filled in: give the folder"),
        ("X.npy", np.zeros(3), gn.FileError, r"np\.load\('X\.npy', mmap_mode='r'\)"),
        ("X.npz", "label", gn.FileError, r"np\.load\('X\.npz'\)"),
        ("X.csv", "label", gn.FileError, r"to_parquet.*glassnet train"),
        (FRAME, "label", gn.InputTypeError, r"y is 'label', but X lies in memory.*y = X\['label'\]"),
        (FRAME.to_numpy(), "label", gn.InputTypeError, r"y is 'label', but X lies in memory.*an array"),
    ],
)
def test_what_is_given_for_rows_by_mistake_is_told_what_to_give(X, y, error, words):
    with pytest.raises(error, match=words):
        gn.stream(X, y)


def test_array_of_targets_beside_a_path_is_refused_in_a_line(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(gn.InputTypeError, match=r"the target column's name.*where X is a path") as caught:
        gn.stream(tmp_path, np.zeros(5_000))
    assert len(str(caught.value)) < 200


def test_reading_leaves_pandas_out_which_takes_more_memory_than_reading(tmp_path):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys, glassnet as gn\n"
        "gn.stream(sys.argv[1], 'label', standardize=True).read_all()\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "rows.parquet"], check=True)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([True, False, True] * 4),
        pa.array([1, 2, 1] * 4, pa.uint8()),
        pa.array([0.5, -1.0, 0.5] * 4, pa.float16()),
        pa.array([Decimal("1.5"), Decimal("-2.25"), Decimal("1.5")] * 4),
        pa.array([3, 4, 3] * 4).dictionary_encode(),
        pa.array([True, False, True] * 4).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_of_numbers_have_the_values_of_the_file_wherever_a_block_begins(tmp_path, column):
    pq.write_table(pa.table({"x": column, "y": column}), tmp_path / "rows.parquet")
    expected = [float(value) for value in column.to_pylist()]
    rows = gn.stream(tmp_path / "rows.parquet", "y")
    blocks = [*rows.read(1, 11, 3, rows.dtype)]
    assert [float(x) for block in blocks for x in block.X[:, 0]] == expected[1:11]
    assert [float(y) for block in blocks for y in block.y] == expected[1:11]


@pytest.mark.parametrize("encoded", [False, True])
def test_text_is_a_target_and_equal_texts_are_one_object(tmp_path, encoded):
    y = pa.array(["b", "a", "b"])
    pq.write_table(
        pa.table({"x": [1.0, 2.0, 3.0], "y": y.dictionary_encode() if encoded else y}),
        tmp_path / "rows.parquet",
    )
    labels = gn.stream(tmp_path / "rows.parquet", "y").read_all().y
    assert labels.tolist() == ["b", "a", "b"]
    assert labels[0] is labels[2]


def test_blocks_leave_room_for_what_readers_take(tmp_path):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    rows = gn.stream(tmp_path / "rows.parquet", "label", memory="96 MiB")
    most = rows.block_rows(2)
    rows.reader_bytes = rows.memory // 2 - rows.memory // 1000
    assert rows.block_rows(2) < most // 10
