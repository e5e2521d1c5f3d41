import numpy as np
import pytest
from data.tables.table_samples import table

from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError, InputTypeError

X = np.arange(40.0) % 11


def prepare(y, target="y", **settings):
    return prepare_table(table(x=X, y=y), target, **settings)


@pytest.mark.parametrize("y", [["", "a", "b", "a"] * 10, [np.nan, 1.0, 2.0, 1.0] * 10])
def test_target_leaves_rows_without_one_out_and_counts_them(y):
    data = prepare(y)
    assert len(data.X) == len(data.y) == 30
    assert data.rows.tolist() == [row for row in range(40) if row % 4]
    assert "10 of 40 rows have no 'y' (the first at line 2), and are left out." in data.notes
    assert np.array_equal(data.preprocessing.transform(data.table)[data.rows], data.X)


def test_target_with_gaps_keeps_whole_labels_whole():
    classes = prepare([np.nan, 2.0, 5.0, 2.0] * 10).preprocessing.classes
    assert classes == (2, 5)
    assert list(map(type, classes)) == [int, int]
    assert prepare([np.nan, 0.5, 2.0, 0.5] * 10, task="classification").preprocessing.classes == (0.5, 2.0)


def test_target_takes_hundreds_of_classes():
    source = table(x=np.arange(600.0), y=[f"c{i % 200:03}" for i in range(600)])
    data = prepare_table(source, "y")
    assert data.n_outputs == 200
    assert data.preprocessing.labels(data.y).tolist() == [f"c{i % 200:03}" for i in range(600)]


def test_target_with_a_class_of_one_row_trains_on_it():
    data = prepare(["a", "b"] * 19 + ["a", "only"])
    assert 39 in data.split.train
    assert any("no test row of the class(es) 'only'" in note for note in data.notes)


def test_several_targets_are_standardized_each():
    source = table(x=X, a=np.arange(40.0), b=1e6 * np.arange(40.0) ** 2)
    data = prepare_table(source, ["a", "b"])
    assert data.n_outputs == 2
    np.testing.assert_allclose(data.y_train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.y_train.std(axis=0), 1)
    np.testing.assert_allclose(
        data.preprocessing.values(data.y), np.column_stack([source["a"], source["b"]])
    )
    assert [column.role for column in data.columns] == ["feature", "target", "target"]


def test_counts_keep_their_unit():
    data = prepare([0, 3, 1, 0] * 10, task="counts")
    assert (data.output, data.preprocessing.target_mean, data.preprocessing.target_scale) == ("exp", 0, 1)
    assert data.y.tolist() == [0, 3, 1, 0] * 10


@pytest.mark.parametrize(
    ("y", "settings", "words"),
    [
        ([0, -1] * 20, {"task": "counts"}, "values that are no counts, such as -1"),
        ([0.5, 1] * 20, {"task": "counts"}, "values that are no counts, such as 0.5"),
        ([""] * 40, {}, "No row of a.csv has a value in 'y'"),
        ([1.0] * 40, {"task": "classification"}, "is 1.0 in every row"),
        (range(40), {"task": "classification"}, "another value in each of its 40 rows.*--task regression"),
        (["a", "b"] * 20, {"target": ["y", "y"]}, "target names a column twice"),
        ([1, 2] * 20, {"target": ["x", "y"], "task": "classification"}, "train a network for each"),
        (["a", "b"] * 20, {"target": ["x", "y"]}, "no number: 'a' at line 2"),
    ],
)
def test_target_names_what_is_wrong(y, settings, words):
    with pytest.raises(InputError, match=words):
        prepare(y, **settings)


@pytest.mark.parametrize("target", [3, [], None, ["y", 3]])
def test_target_refuses_what_is_no_name(target):
    with pytest.raises(InputTypeError, match="a column's name, or a list of names"):
        prepare([0, 1] * 20, target)
