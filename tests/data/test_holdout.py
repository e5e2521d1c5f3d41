"""Rows held out of a stream: each row in one part, the same ones however the rows come."""

import pickle
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import glassnet as gn
from glassnet.data.holdout import _DRAW_ROWS, split_dataset

N = 10_003
X = np.column_stack([np.arange(N), np.arange(N) % 7]).astype(float)
Y = (X[:, 0] > N // 2).astype(int)


def source(kind, tmp_path, edges=(0, 1, 5_000, N), group=999):
    if kind == "array":
        return gn.stream(X, Y, sample_weight=X[:, 1])
    for part, (start, stop) in enumerate(pairwise(edges)):
        columns = {"a": X[start:stop, 0], "b": X[start:stop, 1], "y": Y[start:stop], "w": X[start:stop, 1]}
        pq.write_table(pa.table(columns), tmp_path / f"part-{part}.parquet", row_group_size=group)
    return gn.stream(tmp_path, "y", sample_weight="w")


@pytest.mark.parametrize("fraction", [0.25, 1e-4, 0.999])
@pytest.mark.parametrize("kind", ["array", "files"])
def test_each_row_is_on_one_side_in_its_order(kind, fraction, tmp_path):
    rows = source(kind, tmp_path)
    parts = split_dataset(rows, fraction, 5)
    assert [part.n_rows for part in parts] == [N - np.ceil(fraction * N), np.ceil(fraction * N)]
    found = [part.read_all() for part in parts]
    ids = [block.X[:, 0].astype(int) for block in found]
    assert np.array_equal(np.sort(np.concatenate(ids)), np.arange(N))
    for own, block, part in zip(ids, found, parts, strict=True):
        assert np.all(np.diff(own) > 0)
        assert np.array_equal(block.X, X[own])
        assert np.array_equal(block.y, Y[own])
        assert np.array_equal(block.w, X[own, 1])
        for row in (0, len(own) // 2, len(own) - 1):
            assert part.where(row) == rows.where(own[row])


def test_files_and_blocks_have_no_say_in_who_is_held_out(tmp_path):
    array = source("array", tmp_path)
    expected = split_dataset(array, 0.3, 1)[1].read_all().X
    rows = split_dataset(source("files", tmp_path), 0.3, 1)[1]
    assert np.array_equal(rows.read_all().X, expected)
    for start, stop, most in ((0, 1, 64), (700, 2_999, 100), (2_999, rows.n_rows, 5_000)):
        blocks = list(rows.read(start, stop, most, np.dtype(np.float64)))
        assert np.array_equal(np.concatenate([block.X for block in blocks]), expected[start:stop])
    assert not np.array_equal(split_dataset(array, 0.3, 2)[1].read_all().X, expected)


def test_fraction_is_held_out_of_every_draw():
    """So that rows sorted by class or time are no trap."""
    held = split_dataset(gn.stream(X, Y), 0.25, 0)[1].read_all().X[:, 0]
    assert np.bincount((held // _DRAW_ROWS).astype(int)).tolist() == [1_024, 1_024, 453]


def test_row_groups_are_those_of_the_source():
    rows = gn.stream(np.zeros((400_000, 4)), np.zeros(400_000, int))
    part = split_dataset(rows, 0.25, 0)[0]
    edges = part.row_groups()
    assert len(edges) == len(rows.row_groups())
    for edge, before in zip(edges[:-1], rows.row_groups()[:-1], strict=True):
        assert part._row_of_source(edge) >= before
        assert edge == 0 or part._row_of_source(edge - 1) < before
    assert edges[-1] == part.n_rows


def test_parts_are_trained_on_with_the_bits_of_their_rows_in_memory(tmp_path):
    train, held = (
        pickle.loads(pickle.dumps(part)) for part in split_dataset(source("files", tmp_path), 0.2, 3)
    )
    net, how = gn.Network((2, 3, 2)), {"iterations": 3, "random_state": 0, "optimizer": gn.Adam(0.01)}
    block = train.read_all()
    run = gn.train(net, train, threads=3, **how)
    expected = gn.train(net, block.X, block.y, sample_weight=block.w, **how)
    assert np.array_equal(run.losses, expected.losses)
    assert run.parameters == expected.parameters
    block = held.read_all()
    assert run.score(held) == run.score(block.X, block.y, block.w)
    assert np.array_equal(run.predict(held), run.predict(block.X))


def test_part_without_rows_is_refused():
    with pytest.raises(gn.InputError, match="leaves none to train on"):
        split_dataset(gn.stream(X[:3], Y[:3]), 0.9, 0)
