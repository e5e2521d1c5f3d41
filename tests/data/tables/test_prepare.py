import json
from dataclasses import replace

import numpy as np
import pytest
from data.tables.table_samples import table
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from glassnet.data.holdout import split
from glassnet.data.tables import read_table
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.preprocessing import TASKS, Preprocessing
from glassnet.data.tables.targets import MAX_CLASSES
from glassnet.errors import InputError, InputTypeError


def iris():
    data = load_iris()
    columns = dict(zip("abcd", data.data.T, strict=True))
    return table(**columns, species=data.target_names[data.target])


# ---- prepare_table -------------------------------------------------------------------------------


def test_prepare_table_equals_scikit_learns_way():
    data = prepare_table(iris(), "species", test_fraction=0.3, random_state=5)
    X, labels = load_iris().data, load_iris().target_names[load_iris().target]
    rows = np.arange(150)
    train, test = train_test_split(rows, test_size=0.3, random_state=5, stratify=labels)
    scaler = StandardScaler().fit(X[train])
    assert np.array_equal(data.split.train, train)
    assert np.array_equal(data.split.test, test)
    np.testing.assert_allclose(data.X_train, scaler.transform(X[train]), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(data.X_test, scaler.transform(X[test]), rtol=1e-12, atol=1e-12)
    assert data.preprocessing.labels(data.y_test).tolist() == labels[test].tolist()
    assert data.preprocessing.classes == ("setosa", "versicolor", "virginica")
    assert data.preprocessing.features == tuple("abcd")
    assert data.notes == ()


@pytest.mark.parametrize("task", TASKS)
def test_prepare_table_agrees_with_the_preprocessing_it_made(task):
    source = table(x=np.arange(40.0), z=[True, False] * 20, y=[0, 3, 5, 5] * 10)
    data = prepare_table(source, "y", task=task)
    assert np.array_equal(data.preprocessing.transform(source)[data.split.train], data.X_train)
    assert np.array_equal(data.preprocessing.transform(source)[data.split.test], data.X_test)
    assert np.array_equal(data.preprocessing.encode(source)[data.split.test], data.y_test)
    assert sorted([*data.split.train, *data.split.test]) == list(range(40))


LABELS = {
    "text": (["b", "a", "b", "é"] * 3, ("a", "b", "é")),
    "int": ([7, -1, 7, 100] * 3, (-1, 7, 100)),
    "float": ([1.0, 0.0, 1.0, 2.0] * 3, (0.0, 1.0, 2.0)),
    "half": ([0.5, 0.25, 0.5, 1.0] * 3, (0.25, 0.5, 1.0)),
    "bool": ([True, False, True, True] * 3, (False, True)),
}


@pytest.mark.parametrize("kind", LABELS)
def test_prepare_table_numbers_classes_of_any_type(kind):
    values, classes = LABELS[kind]
    data = prepare_table(table(x=np.arange(12.0), y=values), "y", task="classification", test_fraction=0)
    made = data.preprocessing
    assert made.classes == classes
    assert list(map(type, made.classes)) == list(map(type, classes))
    assert data.y_train.dtype == np.intp
    assert data.y_train.tolist() == [classes.index(value) for value in values]
    assert made.labels(data.y_train).tolist() == values
    again = Preprocessing.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert list(map(type, again.classes)) == list(map(type, classes))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b", "c", "a"] * 10, "classification"),
        ([True, False] * 20, "classification"),
        ([0, 1] * 20, "classification"),
        ([0.0, 1.0] * 20, "classification"),
        (np.arange(40) % MAX_CLASSES, "classification"),
        (np.arange(42) % (MAX_CLASSES + 1), "regression"),
        (np.arange(40), "regression"),
        (np.arange(40) / 7, "regression"),
        ([0.5, 1.5] * 20, "regression"),
    ],
)
def test_prepare_table_infers_the_task_and_says_so(values, task):
    data = prepare_table(table(x=np.arange(len(values)), y=values), "y", test_fraction=0)
    assert data.preprocessing.task == task
    decided = np.asarray(values).dtype.kind in "if"
    assert [task in note for note in data.notes] == [True] * decided


def test_prepare_table_standardizes_a_quantity_and_maps_it_back():
    y = np.linspace(1e6, 2e6, 30)
    data = prepare_table(table(x=np.arange(30.0), y=y), "y")
    assert data.y_train.mean() == pytest.approx(0, abs=1e-12)
    assert data.y_train.std() == pytest.approx(1)
    for outputs in (data.y_test, data.y_test[:, None]):
        np.testing.assert_allclose(data.preprocessing.values(outputs), y[data.split.test])
    again = Preprocessing.from_dict(json.loads(json.dumps(data.preprocessing.to_dict())))
    assert again == data.preprocessing


def test_prepare_table_leaves_a_constant_feature_out_and_says_so():
    # The mean of many times 0.1 is not 0.1: by its deviation alone it would not look constant.
    source = table(x=np.arange(30.0), same=np.full(30, 0.1), y=["a", "b"] * 15)
    data = prepare_table(source, "y")
    assert data.preprocessing.features == ("x",)
    assert data.X_train.shape[1] == data.X_test.shape[1] == 1
    assert data.notes == ("Constant in the training rows, and left out: 'same'.",)


def test_prepare_table_survives_a_deviation_too_small_for_a_float():
    data = prepare_table(table(x=[0.0, 5e-324] * 4, y=["a", "b"] * 4), "y", test_fraction=0)
    assert np.isfinite(data.X_train).all()


def test_prepare_table_chooses_columns():
    source = table(a=[1.0, 2, 3, 4], b=["t"] * 4, c=[4.0, 3, 2, 1], y=["u", "v"] * 2)
    for chosen in ({"features": ["c", "a"]}, {"features": iter(["c", "a"])}):
        assert prepare_table(source, "y", **chosen, test_fraction=0).preprocessing.features == ("c", "a")
    assert prepare_table(source, "y", ignore=["b"], test_fraction=0).preprocessing.features == ("a", "c")
    one = prepare_table(source, "y", features=["c", "a"], ignore=["c", "b"], test_fraction=0)
    assert one.preprocessing.features == ("a",)


def test_prepare_table_leaves_an_index_out_unless_it_is_named_and_says_so():
    numbered = replace(table(n=[0, 1, 2, 3], a=[1.0, 2, 3, 4], y=["u", "v"] * 2), index=("n",))
    data = prepare_table(numbered, "y", test_fraction=0)
    assert data.preprocessing.features == ("a",)
    assert [note for note in data.notes if "'n'" in note and "index" in note]
    named = prepare_table(numbered, "y", features=["n", "a"], test_fraction=0)
    assert (named.preprocessing.features, named.notes) == (("n", "a"), ())
    assert prepare_table(numbered, "y", ignore=["n"], test_fraction=0).notes == ()


def test_prepare_table_speaks_up_where_a_column_without_a_name_may_be_an_index():
    source = table(**{"unnamed 1": [3, 1, 2, 7], "a": [1.0, 2, 3, 4], "y": ["u", "v"] * 2})
    data = prepare_table(source, "y", test_fraction=0)
    assert data.preprocessing.features == ("unnamed 1", "a")
    assert any("--ignore 'unnamed 1'" in note for note in data.notes)
    assert prepare_table(source, "y", features=["unnamed 1"], test_fraction=0).notes == ()


GOOD = {"a": [1.0, 2.0, 3.0, 4.0], "y": ["u", "v", "u", "v"]}


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({}, {"target": "yy"}, r"column of a\.csv: 'yy'. Did you mean 'y'"),
        ({}, {"features": ["aa"]}, "Did you mean 'a'"),
        ({}, {"ignore": ["aa"]}, "Did you mean 'a'"),
        ({}, {"features": ["y"]}, "'y' is the target"),
        ({}, {"features": ["a", "a"]}, "twice"),
        ({}, {"features": []}, "No column of a.csv is left"),
        ({}, {"ignore": ["a"]}, "No column of a.csv is left"),
        ({}, {"task": "clasification"}, "Did you mean 'classification'"),
        (
            {},
            {"task": "regression"},
            "'y' holds cells that are no number: 'u' at line 2.*--task classification",
        ),
        (
            {"b": ["1", "x", "2", "y"]},
            {"numeric": ["b"]},
            "'b' holds cells that are no number: 'x' at line 3",
        ),
        ({"b": ["1", "x", "2", "y"]}, {"dates": ["b"]}, "'b' holds cells that are no date: '1' at line 2"),
        ({}, {"numeric": ["a"], "dates": ["a"]}, "'a' is in numeric and in dates"),
        ({}, {"ignore": ["a"], "numeric": ["a"]}, "'a' is in ignore and in numeric"),
        ({"y": ["", ""] * 2}, {}, "No row of a.csv has a value in 'y'"),
        ({"y": ["u"] * 4}, {}, "'u' in every row; a classification needs two"),
        ({"y": ["p", "q", "r", "s"]}, {}, "another value in each of its 4 rows.*names rows"),
        ({"b": [1e308, 1e308, -1e308, -1e308]}, {}, "'b' of a.csv has values too large"),
        ({}, {"test_fraction": 1.0}, "test_fraction is 1.0; expected"),
        ({}, {"test_fraction": 0.9}, "leaves none to train on"),
    ],
)
def test_prepare_table_names_what_is_wrong_and_where(changes, settings, words):
    with pytest.raises(InputError, match=words):
        prepare_table(table(**GOOD | changes), settings.pop("target", "y"), **settings)


@pytest.mark.parametrize("argument", ["features", "ignore"])
def test_prepare_table_refuses_one_text_for_a_list_of_names(argument):
    with pytest.raises(InputTypeError, match=rf"{argument} is a list of column names.*\['a'\]"):
        prepare_table(table(**GOOD), "y", **{argument: "a"})


# ---- split ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(
    y=st.lists(st.integers(0, 3), min_size=2, max_size=40),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 5),
)
def test_split_gives_every_row_once_whatever_the_classes(y, fraction, seed):
    n_test = int(np.ceil(fraction * len(y)))
    if n_test >= len(y):
        with pytest.raises(InputError, match="none to train on"):
            split(y, fraction, seed)
        return
    train, test, note = split(y, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(y)))
    assert len(test) == n_test
    again = split(y, fraction, seed)
    assert np.array_equal(train, again.train)
    assert np.array_equal(test, again.test)
    for rows, part in ((train, "training"), (test, "test")):
        missing = set(y) - {y[row] for row in rows} if n_test else set()
        assert (f"no {part} row of the class(es) " in note) == bool(missing)
        assert all(str(label) in note for label in missing)
    if n_test and "in proportion" not in note:
        often = [label for label in y if y.count(label) > 1]
        for label in set(often):
            found = [y[row] for row in test].count(label)
            assert abs(found - often.count(label) * n_test / len(often)) <= 1 + 1e-9


def test_split_draws_the_rows_that_scikit_learn_draws():
    y = np.repeat([0, 1, 2], 20)
    for stratify in (True, False):
        train, test = train_test_split(
            np.arange(60), test_size=0.2, random_state=3, stratify=y if stratify else None
        )
        found = split(y, 0.2, 3, stratify)
        assert np.array_equal(found.train, train)
        assert np.array_equal(found.test, test)
        assert not found.note


def test_split_trains_on_the_row_of_a_class_that_has_no_other():
    y = ["a"] * 10 + ["b"] * 10 + ["only"]
    for seed in range(5):
        train, test, note = split(y, 0.25, seed)
        assert 20 in train
        assert note == "The split has no test row of the class(es) 'only'."
        assert {y[row] for row in test} == {"a", "b"}


def test_split_says_where_proportions_are_left_to_chance():
    for y in ([0, 1, 2, 3] * 5, list(range(20))):
        note = split(y, 0.1).note
        assert "too few rows to hold out every class in proportion" in note
        assert "no test row of the class(es)" in note
    assert split([0.5, 1.5, 2.5] * 5, 0.1, stratify=False).note == ""


def test_split_of_nothing_trains_on_everything():
    train, test, note = split([1, 0, 1], 0)
    assert (train.tolist(), test.tolist(), note) == ([0, 1, 2], [], "")


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_split_refuses_a_fraction_out_of_range(fraction):
    with pytest.raises(InputError, match="expected from 0 to below 1"):
        split([0, 1], fraction)


@pytest.mark.parametrize("fraction", ["0.2", None, True])
def test_split_refuses_what_is_no_fraction(fraction):
    with pytest.raises(InputTypeError, match="test_fraction is a number"):
        split([0, 1], fraction)


def test_prepare_table_names_the_labels_that_a_part_lacks(tmp_path):
    path = tmp_path / "trees.csv"
    rows = [f"{i},{('oak', 'elm')[i % 2]}" for i in range(12)]
    path.write_text("\n".join(["height,kind", *rows, "30,fir"]))
    data = prepare_table(read_table(path), "kind")
    assert "The split has no test row of the class(es) 'fir'." in data.notes


@pytest.mark.parametrize(
    ("y", "settings"), [([1.5], {"test_fraction": 0}), ([1.5, 2.5], {}), (["a", "b"], {})]
)
def test_prepare_table_says_that_rows_are_too_few(y, settings):
    with pytest.raises(InputError, match=rf"{len(y)} row\(s\) with a target, 1 to train on; expected at"):
        prepare_table(table(x=np.arange(len(y)), y=y), "y", **settings)
