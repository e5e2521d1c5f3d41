"""Paths as people give them, and which of the files' columns are learned from."""

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
