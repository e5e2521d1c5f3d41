import numpy as np
import pytest
from data.tables.table_samples import table

from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError

DAYS = np.datetime64("2026-01-01") + np.arange(20)
GOOD = {"x": np.arange(20.0) % 7, "y": ["u", "v"] * 10}


def held_out(source, **settings):
    return sorted(prepare_table(source, "y", **settings).split.test.tolist())


def test_split_after_a_date_holds_out_what_comes_after():
    assert held_out(table(**GOOD, day=DAYS), test_after="2026-01-16") == list(range(15, 20))
    years = {"year": np.repeat([2020, 2021], 10)}
    assert held_out(table(**GOOD, **years), time="year", test_after="2021") == list(range(10, 20))
    data = prepare_table(table(**GOOD, day=DAYS), "y", test_after="2026-01-16")
    assert "from 2026-01-16 on by 'day': 5 of 20 rows (25%)" in data.split.note
    assert "day" in data.preprocessing.features


def test_split_by_group_keeps_each_group_on_one_side():
    source = table(**GOOD, who=[f"p{i // 4}" for i in range(20)])
    data = prepare_table(source, "y", group="who", test_fraction=0.4)
    assert len({row // 4 for row in data.split.test}) == 2
    assert not {row // 4 for row in data.split.test} & {row // 4 for row in data.split.train}
    assert data.columns.named("who").role == "group"
    assert data.preprocessing.features == ("x",)


@pytest.mark.parametrize(
    "column",
    [
        ["train"] * 15 + ["test"] * 5,
        [" Train"] * 15 + ["TEST "] * 5,
        [0] * 15 + [1] * 5,
        [False] * 15 + [True] * 5,
    ],
)
def test_split_by_a_column_that_says_so(column):
    assert held_out(table(**GOOD, part=column), split="part") == list(range(15, 20))


def test_split_by_a_column_called_train_takes_its_ones_for_training():
    assert held_out(table(**GOOD, is_train=[1] * 15 + [0] * 5), split="is_train") == list(range(15, 20))


def test_split_counts_rows_among_those_that_have_a_target():
    source = table(x=GOOD["x"], y=["", *GOOD["y"][1:]], part=["train"] * 15 + ["test"] * 5)
    data = prepare_table(source, "y", split="part")
    assert data.rows[data.split.test].tolist() == list(range(15, 20))


@pytest.mark.parametrize(
    ("columns", "settings", "words"),
    [
        ({}, {"split": "part"}, "Unknown column of a.csv: 'part'"),
        (
            {"part": ["train", "maybe"] * 10},
            {"split": "part"},
            "'part' of a.csv says 'maybe'; expected train or test",
        ),
        ({"part": ["train", ""] * 10}, {"split": "part"}, "has no value at line 3 .10 in all."),
        ({"part": ["train"] * 20}, {"split": "part"}, "leaves no row to hold out"),
        ({"part": ["test"] * 20}, {"split": "part"}, "leaves no row to train on"),
        ({"who": ["p"] * 20}, {"group": "who"}, "'who' has one value in all rows"),
        ({}, {"group": "y"}, "'y' is the target; rows cannot be held out by it"),
        ({}, {"test_after": "2026-01-16"}, "no column of dates: say which"),
        ({"a": DAYS, "b": DAYS}, {"test_after": "2026-01-16"}, "the columns of dates 'a', 'b': say which"),
        ({"a": DAYS}, {"test_after": "soon"}, "cells that are no date: 'soon' at --test-after"),
        ({"a": DAYS}, {"test_after": "2030-01-01"}, "leaves no row to hold out"),
        (
            {"a": range(20)},
            {"time": "a", "test_after": "soon"},
            "'a' holds numbers, and test_after is 'soon'",
        ),
        ({"a": DAYS}, {"time": "a"}, "give test_after too"),
        (
            {"a": DAYS, "b": ["p"] * 20},
            {"test_after": "2026", "group": "b"},
            "test_after and group hold rows out",
        ),
    ],
)
def test_split_names_what_is_wrong(columns, settings, words):
    with pytest.raises(InputError, match=words):
        prepare_table(table(**GOOD, **columns), "y", **settings)


def test_prepare_table_says_that_rows_in_order_of_time_were_mixed():
    def said(**settings):
        notes = prepare_table(table(**GOOD, day=DAYS), "y", **settings).notes
        return [note for note in notes if "--test-after 2026-01-16" in note]

    assert len(said()) == 1
    assert said(test_after="2026-01-16") == said(test_fraction=0) == []
    shuffled = table(**GOOD, day=DAYS[::-1][[*range(1, 20), 0]])
    assert not any("--test-after" in note for note in prepare_table(shuffled, "y").notes)
