import json

import numpy as np
import pytest
from data.tables.table_samples import table
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glassnet.data.tables import read_table
from glassnet.data.tables.encodings import SCALINGS
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.errors import InputError

GOOD = {"a": [1.0, 2.0, 3.0, 4.0], "y": ["u", "v", "u", "v"]}


def test_preprocessing_learns_nothing_from_rows_held_out():
    random = np.random.RandomState(0)
    n = 60
    part = np.array(["train"] * 40 + ["test"] * 20)
    columns = {
        "size": random.randn(n),
        "color": random.choice(["red", "green", "blue"], n),
        "day": np.datetime64("2026-01-01", "us") + random.randint(0, 300, n) * np.timedelta64(36, "h"),
        "y": random.randn(n),
    }
    columns["size"][::7] = np.nan
    other = {name: values.copy() for name, values in columns.items()}
    other["size"][40:] = random.randn(20) * 1e6
    other["color"][40:] = ["red", "grey"] * 10
    other["day"][40:] += np.timedelta64(9999, "D")
    other["y"][40:] *= -1e6
    for scaling in SCALINGS:
        one, two = (
            prepare_table(table(**values, part=part), "y", split="part", scaling=scaling)
            for values in (columns, other)
        )
        assert one.preprocessing == two.preprocessing
        assert np.array_equal(one.X_train, two.X_train)
        assert not np.array_equal(one.X_test, two.X_test)


def test_preprocessing_encodes_blocks_as_it_encodes_all_rows():
    random = np.random.RandomState(0)
    n = 2000
    source = table(x=random.randn(n), c=random.choice([f"c{i}" for i in range(40)], n), y=[0, 1] * (n // 2))
    data = prepare_table(source, "y", max_categories=40, test_fraction=0)
    assert data.X.flags.c_contiguous
    rows = random.permutation(n)[:50]
    assert len(data.X) > (1 << 16) // data.X.shape[1]  # more than one block
    assert np.array_equal(data.preprocessing.transform(source.take(rows)), data.X[rows])
    assert np.array_equal(data.preprocessing.transform(source), data.X)


def test_preprocessing_finds_columns_by_name(tmp_path):
    made = prepare_table(
        table(a=[1.0, 2, 3], b=[3.0, 5, 4], y=[0, 1, 1]), "y", test_fraction=0
    ).preprocessing
    (tmp_path / "new.csv").write_text("more,b,a\nx,5,1\ny,4,3\n")
    X = made.transform(read_table(tmp_path / "new.csv"))
    expected = (np.array([[1, 5], [3, 4]]) - made.mean) / np.array(made.scale)
    assert np.array_equal(X, expected)


def test_preprocessing_names_what_a_new_table_lacks():
    made = prepare_table(table(**GOOD), "y", test_fraction=0).preprocessing
    with pytest.raises(InputError, match="column 'a' is missing"):
        made.transform(table(b=[1.0], y=["u"]))
    X, notes = made.transform_and_note(table(a=[2.5, np.nan]))
    assert X[0] == X[1]  # the median of 1, 2, 3, 4
    assert "'a' lacks a value in 1 of 2 rows (the first at line 3)" in notes[0]
    with pytest.raises(InputError, match="'w' at line 3; the model knows the classes 'u', 'v'"):
        made.encode(table(a=[1.0, 2.0], y=["u", "w"]))


def test_preprocessing_takes_numbers_that_a_file_holds_as_text():
    made = prepare_table(table(**GOOD), "y", test_fraction=0).preprocessing
    assert np.array_equal(made.transform(table(a=["1", "2.0"])), made.transform(table(a=[1, 2])))
    assert np.array_equal(made.transform(table(a=["1", "NA"])), made.transform(table(a=[1, np.nan])))


def test_preprocessing_encodes_labels_whose_type_another_file_changed():
    text = prepare_table(table(a=[1, 2, 3, 4], y=["1", "x", "1", "2"]), "y", test_fraction=0).preprocessing
    assert text.encode(table(y=[2, 1])).tolist() == [1, 0]
    whole = prepare_table(table(a=[1, 2, 3, 4], y=[3, 4, 3, 4]), "y", test_fraction=0).preprocessing
    assert whole.encode(table(y=[4.0, 3.0])).tolist() == [1, 0]
    with pytest.raises(InputError, match="'x' at line 3; the model knows the classes 3, 4"):
        whole.encode(table(y=["3", "x"]))


def test_preprocessing_refuses_what_belongs_to_the_other_task():
    classes = prepare_table(table(**GOOD), "y", test_fraction=0).preprocessing
    quantity = prepare_table(table(a=[1, 2, 3], y=[0.5, 1.5, 3]), "y", test_fraction=0).preprocessing
    with pytest.raises(InputError, match="has classes"):
        classes.values([0.0])
    with pytest.raises(InputError, match="without classes"):
        quantity.labels([0])


@pytest.mark.parametrize("numbers", [[2], [-1], [0.0], ["u"]])
def test_preprocessing_refuses_numbers_of_no_class(numbers):
    made = prepare_table(table(**GOOD), "y", test_fraction=0).preprocessing
    with pytest.raises(InputError, match="from 0 to 1"):
        made.labels(numbers)


@settings(deadline=None, max_examples=40)
@given(
    X=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 8), st.integers(1, 4)), elements=st.floats(-1e150, 1e150)
    )
)
def test_preprocessing_survives_json_to_the_last_bit(X):
    assume(np.ptp(X, axis=0).any())
    source = table(**{f"x{i}": column for i, column in enumerate(X.T)}, y=np.arange(len(X)))
    made = prepare_table(source, "y", task="regression", test_fraction=0).preprocessing
    again = Preprocessing.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert again.transform(source).tobytes() == made.transform(source).tobytes()
    assert np.isfinite(made.transform(source)).all()
    np.testing.assert_allclose(made.values(made.encode(source)), np.arange(len(X)), atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"task": "guessing"}, {"mean": []}, {"classes": None}, {"more": 1}, {"features": 3}],
)
def test_preprocessing_from_dict_refuses_what_is_inconsistent(change):
    values = prepare_table(table(**GOOD), "y", test_fraction=0).preprocessing.to_dict()
    assert Preprocessing.from_dict(values).to_dict() == values
    with pytest.raises(InputError, match="does not describe a preprocessing"):
        Preprocessing.from_dict(values | change)
    with pytest.raises(InputError, match="does not describe a preprocessing"):
        Preprocessing.from_dict([1])
