import numpy as np
import pytest
from data.tables.table_samples import raw, table

from glassnet.data.tables.columns import (
    MOST_CATEGORIES,
    ColumnInfo,
    ColumnTable,
    duplicates_of,
    exact_sum,
    facts_of,
    gives_away,
    kind_of,
    sum_text,
    value_range,
)
from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError

N = 40
SPREAD = [7 * i % 41 + 3 for i in range(N)]  # all differ, and count nothing


def kind(values, name="x", alone=False):
    column = raw(values, name)
    return kind_of(column, facts_of(column), alone)


KINDS = {
    "numbers": ([0.5 * i for i in range(N)], "x", "number"),
    "whole": ([i % 7 for i in range(N)], "x", "number"),
    "differ": (SPREAD, "x", "number"),
    "counted from 0": (range(N), "x", "id"),
    "counted from 1, shuffled": (np.random.RandomState(0).permutation(N) + 1, "x", "id"),
    "counted from 2": (range(2, N + 2), "x", "number"),
    "few that count": (range(19), "x", "number"),
    "by name": (SPREAD, "PassengerId", "id"),
    "by a name in small letters": (SPREAD, "customerid", "id"),
    "by a name that ends like it": (SPREAD, "paid", "number"),
    "id that comes again": ([i // 4 for i in range(N)], "customer_id", "number"),
    "by a weak name": (SPREAD, "order no", "id"),
    "weak name, one comes again": ([*SPREAD[1:], SPREAD[1]], "price index", "number"),
    "numbers with decimals": ([i + 0.5 for i in SPREAD], "id", "number"),
    "code": ([10115 + i % 9 for i in range(N)], "zipcode", "category"),
    "code in camel case": ([10115 + i % 9 for i in range(N)], "areaCode", "category"),
    "code of each row": (SPREAD, "code", "id"),
    "true": ([True, False] * 20, "x", "true/false"),
    "dates": (np.datetime64("2026-01-01") + np.arange(N), "x", "date"),
    "text": (["a", "b"] * 20, "x", "category"),
    "text that differs": ([f"t{i}" for i in range(N)], "x", "id"),
    "ten that differ": ([f"t{i}" for i in range(10)], "x", "category"),
    "prose": ([f"this is cell {i}" for i in range(N)], "x", "text"),
    "many categories": ([f"t{i // 2}" for i in range(2 * MOST_CATEGORIES + 2)], "x", "category"),
    "many that mostly differ": ([f"t{i}" for i in range(50)] + ["t0"] * 9, "x", "id"),
    "one": ([3.5] * N, "x", "constant"),
    "none": ([np.nan] * N, "x", "constant"),
    "a box to tick": (["x"] * 5 + [None] * 35, "x", "category"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind_of_takes_a_column_for_what_an_expert_does(case):
    values, name, expected = KINDS[case]
    assert kind(values, name)[0] == expected


@pytest.mark.parametrize(
    "case", ["counted from 0", "by name", "text that differs", "prose", "code of each row"]
)
def test_kind_of_keeps_the_only_feature_whatever_it_is(case):
    values, name, _ = KINDS[case]
    assert kind(values, name, alone=True)[0] in ("number", "category")


def test_facts_count_missing_and_distinct_values():
    numbers = facts_of(raw([2.0, np.nan, 2.0, 5.5]))
    assert (numbers.n_rows, numbers.missing, numbers.distinct, numbers.present) == (4, 1, 2, 3)
    assert (numbers.low, numbers.high, numbers.whole) == (2.0, 5.5, False)
    text = facts_of(raw(["a b", None, "c", "a b"]))
    assert (text.missing, text.distinct, text.words) == (1, 2, 1.5)
    assert facts_of(raw([np.nan, np.nan]))[:3] == (2, 2, 0)


def test_value_range_writes_whole_numbers_as_the_table_does():
    for values, expected in (
        ([1999, 2024], "1999 to 2024"),
        ([-2994, 98001], "-2994 to 98001"),
        ([0.1234567, 2.0], "0.123457 to 2"),
        (["b", "a", "b"], "b, a"),
        ([True, False], "false, true"),
        (np.array(["2026-01-01", "2026-02-01"], "M8[us]"), "2026-01-01 to 2026-02-01"),
        ([np.nan], ""),
    ):
        column = raw(values)
        assert value_range(column, facts_of(column)) == expected


def test_duplicates_are_found_whatever_the_order_of_the_texts():
    one, other = raw(["a", "b", "a"], "one"), raw(["b", "a", "b"], "other")
    same = other._replace(name="same", texts=("b", "a"), values=np.array([1.0, 0.0, 1.0]))
    assert duplicates_of([one, other, same]) == {"same": "one"}
    numbers = [raw([1.0, np.nan], name) for name in "abc"]
    assert duplicates_of(numbers) == {"b": "a", "c": "a"}
    assert duplicates_of([raw([0, 1]), raw([False, True], "t")]) == {}


def test_gives_away_finds_the_target_in_other_words_and_units():
    y, x = np.arange(12.0) ** 2, np.arange(12.0)
    assert gives_away(raw(y), raw(y), classes=False) == "the same values as the target"
    assert gives_away(raw(1.8 * y + 32), raw(y), classes=False) == "the target in another unit"
    assert gives_away(raw(x), raw(y), classes=False) == ""
    labels = raw(["no", "yes", "no"] * 4)
    assert gives_away(raw([0, 1, 0] * 4), labels, classes=True)
    assert not gives_away(raw([0, 1, 2] * 4), labels, classes=True)
    assert not gives_away(raw([0, 1, 0] * 3 + [0, 1, 1]), labels, classes=True)
    assert not gives_away(raw([0, 1, 0]), raw(["no", "yes", "no"]), classes=True)  # three rows are chance


def test_gives_away_finds_columns_that_have_values_for_some_classes_alone():
    labels = raw(["stays", "leaves"] * 12)
    left = [np.nan, 3.0] * 12
    left[1::2] = range(12)
    assert (
        gives_away(raw(left), labels, classes=True) == "missing where the target is stays, and only there"
    )
    assert not gives_away(raw([*left[:-2], 5.0, 6.0]), labels, classes=True)  # a value of another class
    assert not gives_away(raw([*left[:-2], np.nan, np.nan]), labels, classes=True)
    few = raw(["stays", "leaves"] * 4)
    assert not gives_away(raw(left[:8]), few, classes=True)


def test_prepare_table_leaves_out_what_gives_the_target_away_unless_it_is_named():
    source = table(alive=["no", "yes"] * 20, x=np.arange(40) % 7, y=[0, 1] * 20)
    data = prepare_table(source, "y")
    assert data.columns.named("alive").kind == "twin"
    assert data.preprocessing.features == ("x",)
    assert any("'alive' (each value goes with one class" in note for note in data.notes)
    for named in ({"features": ["alive", "x"]}, {"categorical": ["alive"]}):
        assert "alive" in prepare_table(source, "y", **named).preprocessing.features


def test_exact_sum_finds_the_parts_of_a_total():
    a, b, c = np.random.RandomState(0).randint(0, 1000, (3, 60)) / 100

    def factors(target, n=60, gap=np.nan):
        A = np.column_stack([a, b, c, target])[:n]
        return exact_sum("abc", lambda: np.array_split(np.insert(A, 5, [gap, 1, 1, 1], axis=0), 4))

    assert sum_text(factors(a + b)) == "'a' + 'b'"
    assert sum_text(factors(2 * a - b - 7)) == "2 'a' - 'b' - 7"
    assert factors(c) == {"c": 1.0}
    assert factors(np.round(1.07 * (a + b), 1)) == factors(c, n=14) == factors(a + b, gap=5) == {}


def test_prepare_table_says_that_features_add_up_to_the_target():
    random = np.random.RandomState(0)
    casual, registered = random.randint(0, 900, 80), random.randint(0, 900, 80)
    source = table(casual=casual, registered=registered, temp=random.rand(80), cnt=casual + registered)
    notes = prepare_table(source, "cnt").notes
    assert any("'cnt' is 'casual' + 'registered' in each row" in note for note in notes)
    assert not any("in each row" in note for note in prepare_table(source, "cnt", ignore=["casual"]).notes)


def test_column_table_fits_into_a_terminal():
    names = [f"column {i} of many with a long name" for i in range(300)]
    info = ColumnInfo(names[0], "id", "rows differ: " + "many " * 30, "left out", 3, 900, 800, "a, b", 0)
    columns = ColumnTable(
        [info, *(ColumnInfo(n, "number", "numbers", "feature", 0, 9, 5) for n in names[1:])]
    )
    lines = repr(columns).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) == 42
    assert lines[-1] == "and 260 more columns"
    assert lines[1].split("  ")[1].strip() == "left out: id"
    assert len(str(columns).splitlines()) == 301
    assert columns.named(names[7]) is columns[7]
    with pytest.raises(InputError, match="Did you mean 'column 8 of many with a long name'"):
        columns.named("colum 8 of many with a long name")


def test_text_of_columns_leaves_out_what_is_empty_for_all():
    infos = [ColumnInfo(name, "number", "numbers", "feature", 0, 9, 5, "1 to 9", 0) for name in "ab"]
    shown = ["column", "role", "kind", "distinct", "values", "why"]
    assert str(ColumnTable(infos)).split("\n")[0].split() == shown
    assert str(ColumnTable([])).split() == [*ColumnTable.HEADER]
