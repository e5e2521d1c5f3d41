"""The door for data: arrays, and what is streamed, become one kind of dataset."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

import glassnet as gn
from glassnet.data.arrays import InMemory, RowSubset
from glassnet.data.dataset import as_dataset
from glassnet.data.fixed_order import moments
from glassnet.data.standardization import measured

NET = gn.Network((3, 4, 2))


@pytest.fixture(name="samples")
def draw():
    random = np.random.RandomState(0)
    return random.randn(400, 3), random.randint(0, 2, 400), random.uniform(0.5, 2, 400)


def test_arrays_are_kept_without_a_copy(samples):
    X, y, w = samples
    data = as_dataset(X, y, w)
    assert data.X is X
    assert data.y is y
    assert data.weights is w
    assert (data.n_rows, data.n_inputs, data.weighted, data.targeted) == (400, 3, True, True)
    assert data.in_memory
    assert data.memory_limit is None
    assert data.preprocessing(NET) is None
    assert as_dataset(data) is data


def test_frames_and_lists_become_arrays_and_frames_keep_their_names():
    frame = pd.DataFrame({"a": [0.0, 1.0], "b": [2.0, 3.0]})
    assert as_dataset(frame).names == ("a", "b")
    assert as_dataset(frame.rename(columns={"a": 0})).names is None
    data = as_dataset([[0.0, 1.0]], [1])
    assert (data.X.dtype, data.y.tolist()) == (np.float64, [1])
    assert as_dataset(np.zeros((1, 2), np.float32)).dtype == np.float32


def test_what_stream_takes_is_streamed(samples, tmp_path, monkeypatch):
    X, y, w = samples
    rows = gn.stream(X, y, standardize=True)
    assert as_dataset(rows) is rows
    assert rows.is_standardized_by(rows.mean, rows.scale)
    assert not rows.is_standardized_by(rows.mean + 1, rows.scale)
    assert rows.preprocessing(NET)["mean"] == rows.mean.tolist()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert as_dataset(mapped, y, w).in_memory
    monkeypatch.setattr("glassnet.data.dataset.DEFAULT_MEMORY", mapped.nbytes - 1)
    data = as_dataset(mapped, y, w)
    assert (data.in_memory, data.weighted, data.memory_limit) == (False, True, 1 << 30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[np.nan]], [0]), "X has nan at row 0, column 0"),
        ((np.empty((0, 3)), []), r"X is empty, shape \(0, 3\)"),
        (([[0.0]], [0], [-1.0]), "sample_weight has -1.0 at row 0"),
        (([[0.0]], [0], [0.0]), "sample_weight is 0 everywhere"),
    ],
)
def test_arrays_that_no_network_can_use_are_refused(arguments, message):
    with pytest.raises(gn.InputError, match=message):
        as_dataset(*arguments)


def test_what_a_network_needs_is_asked_of_the_dataset(samples):
    X, y, _ = samples
    with pytest.raises(gn.InputError, match="y is missing: the targets, one for each row of X"):
        as_dataset(X).require_targets()
    with pytest.raises(gn.InputError, match="y is missing: training on and scoring an array"):
        gn.stream(X).require_targets()
    for data in (as_dataset(X, y), gn.stream(X, y)):
        data.require_targets()
        data.require_width(3)
        with pytest.raises(gn.InputError, match=r"the network takes 4 inputs"):
            data.require_width(4)


def test_rows_held_out_are_scikit_learns_and_no_copy(samples):
    X, y, w = samples
    data = as_dataset(X, y, w)
    split = data.hold_out(NET, 0.25, np.random.RandomState(3))
    train, test = train_test_split(
        np.arange(400), test_size=0.25, random_state=np.random.RandomState(3), stratify=y
    )
    assert split.rows.tolist() == [*train, *test]
    assert split.n_held_out == len(test)
    for side, rows in ((split.training, train), (split.held_out, test)):
        assert isinstance(side.X, RowSubset)
        assert side.X.whole is X
        assert np.array_equal(side.X[:], X[rows])
        assert np.array_equal(side.y, y[rows])
        assert np.array_equal(side.weights, w[rows])
    again = data.hold_out_again(NET, split.rows, split.n_held_out)
    assert np.array_equal(again.held_out.X[:], X[test])
    within = split.training.hold_out(NET, 0.5, np.random.RandomState(0)).held_out
    assert within.X.whole is X  # rows of rows
    with pytest.raises(gn.InputError, match="400 samples, but the run was made with 3"):
        data.hold_out_again(NET, np.arange(3), 1)
    with pytest.raises(gn.InputError, match="A fraction for validation is drawn from data in memory"):
        gn.stream(X, y).hold_out(NET, 0.25, np.random.RandomState(0))


def test_rows_in_memory_are_read_and_reduced_as_streamed_ones(samples):
    X, y, w = samples
    data = as_dataset(X, y, w)
    for block, start in zip(data.read(7, 300, 100, np.dtype(np.float32)), (7, 107, 207), strict=True):
        assert block.X.dtype == np.float32
        assert np.array_equal(block.y, y[start : start + len(block.y)])
        assert np.array_equal(block.X, X[start : start + len(block.y)].astype(np.float32))
        assert np.array_equal(block.w, w[start : start + len(block.y)])
    assert np.array_equal(data.read_all().X, X)
    assert np.array_equal(measured(data).spread, moments(X).spread)


def test_sparse_rows_are_read_as_arrays():
    from scipy.sparse import csr_array

    data = InMemory(csr_array(np.eye(3)), np.arange(3))
    assert np.array_equal(data.read_all().X, np.eye(3))
