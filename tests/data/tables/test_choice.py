import numpy as np
import pytest
from data.tables.table_samples import table

from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError

N = 40
Y = ["u", "v"] * (N // 2)


def features(columns, **settings):
    return prepare_table(table(**columns, y=Y), "y", **settings).preprocessing.features


def kinds(columns, **settings):
    return {
        column.name: column.kind for column in prepare_table(table(**columns, y=Y), "y", **settings).columns
    }


MANY = {
    "id": range(1, N + 1),
    "name": [f"n{i}" for i in range(N)],
    "flat": [3.0] * N,
    "x": np.arange(N) % 7,
    "again": np.arange(N) % 7,
    "month": np.arange(N) % 12,
    "when": [f"2026-01-{1 + i % 28:02}" for i in range(N)],
}


def test_choose_columns_leaves_out_what_nothing_can_be_learned_from_and_says_why():
    data = prepare_table(table(**MANY, y=Y), "y")
    assert data.preprocessing.features == ("x", "month", "when")
    left_out = {column.name: column.kind for column in data.columns.left_out()}
    assert left_out == {"id": "id", "name": "id", "flat": "constant", "again": "duplicate"}
    notes = " ".join(data.notes)
    for words in (
        "'id' (counts rows from 1 to 40), 'name' (40 of 40 rows differ)",
        "--categorical id,name (or --numeric, --dates)",
        "Constant in the training rows, and left out: 'flat'.",
        "Repeated, and left out: 'again' (the values of 'x').",
    ):
        assert words in notes


def test_settings_overrule_what_columns_look_like():
    taken = kinds(MANY, numeric=["id"], categorical=["month", "again"], dates=["when"])
    expected = {"id": "number", "month": "category", "again": "category", "when": "date"}
    assert {name: taken[name] for name in expected} == expected
    data = prepare_table(table(**MANY, y=Y), "y", categorical=["month"])
    assert data.preprocessing.groups["month"] == [1, *range(2, 13)]
    assert data.columns.named("month").why.startswith("as the settings say; ")


def test_features_that_are_named_stay_and_keep_their_order():
    assert features(MANY, features=["again", "id", "x"]) == ("again", "id", "x")
    assert features(MANY, features=["again", "id", "x"], ignore=["id"]) == ("again", "x")


def test_useless_columns_are_learned_from_where_there_is_nothing_else():
    assert features({"id": range(1, N + 1)}) == ("id",)
    assert features({"id": range(1, N + 1), "name": MANY["name"]}) == ("id", "name")
    with pytest.raises(InputError, match=r"'flat' is left out .constant: 3 in each row.*--features flat"):
        features({"flat": [3.0] * N})


def test_a_column_of_one_training_value_is_left_out():
    rare = [0.0] * (N - 1) + [1.0]
    data = prepare_table(
        table(rare=rare, x=MANY["x"], y=Y, part=["train"] * (N - 1) + ["test"]), "y", split="part"
    )
    assert data.columns.named("rare").why == f"one value in the {N - 1} rows to train on"


def test_wide_tables_take_no_square_of_their_columns_to_say_what_is_wrong():
    wide = {f"x{i}": [float(i), 1.0, 2.0, 3.0] for i in range(3000)}
    made = prepare_table(table(**wide, y=["u", "v"] * 2), "y", test_fraction=0).preprocessing
    with pytest.raises(InputError) as error:
        made.transform(table(x0=[1.0]))
    assert "and 2,979 more" not in str(error.value)
    assert "2,979 more columns are missing" in str(error.value)
    assert len(str(error.value)) < 3000
