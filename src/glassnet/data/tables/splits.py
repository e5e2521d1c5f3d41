"""Which rows of a table are held out: at random, after a date, by groups, or as a column says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.holdout import Split, lacking_classes, listed, split, split_note
from glassnet.data.tables.preprocessing import as_dates
from glassnet.data.tables.raw import NUMBER, TEXT, TRUTH, RawColumn, raw_column
from glassnet.data.tables.table import Table
from glassnet.data.tables.targets import Target
from glassnet.errors import InputError
from glassnet.utils.settings_checks import as_random_state

TRAINING_WORDS = ("train", "training", "tr", "fit", "valid", "validation", "val", "dev")
TEST_WORDS = ("test", "testing", "te", "holdout", "held out", "held-out", "eval", "evaluation", "score")


@dataclass(frozen=True)
class SplitBy:
    """How rows are held out; `fraction` counts where nothing else is said, and for groups."""

    fraction: float = 0.25
    time: str | None = None
    test_after: str | None = None
    group: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        ways = {"test_after": self.test_after, "group": self.group, "split": self.split}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} hold rows out in different ways; give one of them.")
        if self.time is not None and self.test_after is None:
            raise InputError(
                f"time names the column {self.time!r} whose rows from test_after on are held out; give "
                f'test_after too, such as "2026-01-01".'
            )

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are no features, by name, with what they are for."""
        roles = {"group": self.group, "split": self.split}
        return {name: role for role, name in roles.items() if name is not None}

    def check(self, table: Table, target: tuple[str, ...]) -> None:
        """Raise InputError for columns that the table lacks, and where one is the target."""
        for name in filter(None, (self.time, self.group, self.split)):
            table[name]
            if name in target:
                raise InputError(f"{name!r} is the target; rows cannot be held out by it.")


def split_rows(by: SplitBy, table: Table, target: Target, random_state: int | RandomState | None) -> Split:
    """The rows to train on and those held out, as places among the rows that have a target."""
    classes = target.classes
    if by.test_after is None and by.group is None and by.split is None:
        return split(target.labels(), by.fraction, random_state, stratify=classes is not None)
    if by.split is not None:
        test = _test_by_column(raw_column(table, by.split).take(target.rows), table, target)
        way = f"by {by.split!r}"
    elif by.test_after is not None:
        test, way = _test_after(by, table, target)
    else:
        test = _test_by_group(raw_column(table, str(by.group)).take(target.rows), by.fraction, random_state)
        way = f"by {by.group!r}, whose values stay on one side"
    train_rows, test_rows = np.flatnonzero(~test), np.flatnonzero(test)
    if not len(train_rows) or not len(test_rows):
        side = "train on" if not len(train_rows) else "hold out"
        raise InputError(f"The split of {table.source} {way} leaves no row to {side}.")
    notes = []
    if classes is not None:
        sides = {"training": train_rows, "test": test_rows}
        labels = target.labels()
        present = {side: np.unique(labels[rows]).tolist() for side, rows in sides.items()}
        lacking = lacking_classes(classes, present)
        notes += [split_note(lacking)] if lacking else []
    share = len(test_rows) / len(test)
    words = f"Held out {way}: {len(test_rows):,} of {len(test):,} rows ({share:.0%})."
    return Split(train_rows, test_rows, " ".join([words, *notes]))


def _test_by_column(column: RawColumn, table: Table, target: Target) -> NDArray[np.bool_]:
    absent = np.isnan(column.values)
    if absent.any():
        raise InputError(
            f"Column {column.name!r} of {table.source}, which says train or test, has no value at "
            f"{table.where(int(target.rows[absent.argmax()]))} ({absent.sum():,} in all); fill it in."
        )
    if column.type in (TRUTH, NUMBER) and set(np.unique(column.values)) <= {0.0, 1.0}:
        ones_train = any(word in column.name.lower() for word in ("train", "fit"))
        return column.values == (0.0 if ones_train else 1.0)
    words = [column.words(value).strip().lower() for value in np.unique(column.values)]
    unknown = [word for word in words if word not in (*TRAINING_WORDS, *TEST_WORDS)]
    if unknown or column.type != TEXT:
        raise InputError(
            f"Column {column.name!r} of {table.source} says {listed(unknown or words)}; expected train or "
            f"test in each row (or 1 and 0, 1 for test)."
        )
    tests = np.array([text.strip().lower() in TEST_WORDS for text in column.texts])
    return tests[column.values.astype(np.intp)]


def _test_after(by: SplitBy, table: Table, target: Target) -> tuple[NDArray[np.bool_], str]:
    name = by.time
    if name is None:
        columns = {known: table[known] for known in table.names}
        dates = [k for k, c in columns.items() if isinstance(c, np.ndarray) and c.dtype.kind == "M"]
        if len(dates) != 1:
            count = f"the columns of dates {listed(dates)}" if dates else "no column of dates"
            raise InputError(
                f"{table.source} has {count}: say which one test_after is about (--time COLUMN)."
            )
        name = dates[0]
    column = raw_column(table, name).take(target.rows)
    edge = str(by.test_after)
    if column.type == NUMBER:  # years, or a count of days
        try:
            limit = float(edge)
        except ValueError as error:
            raise InputError(
                f"Column {name!r} holds numbers, and test_after is {edge!r}; expected a number."
            ) from error
    else:
        column = as_dates(column, lambda row: table.where(int(target.rows[row])))
        limit = as_dates(
            RawColumn("test_after", TEXT, np.zeros(1), (edge,)), lambda _: "--test-after"
        ).values[0]
    with np.errstate(invalid="ignore"):
        return column.values >= limit, f"from {edge} on by {name!r}"


def _test_by_group(
    column: RawColumn, fraction: float, random_state: int | RandomState | None
) -> NDArray[np.bool_]:
    from sklearn.model_selection import GroupShuffleSplit

    groups = column.values.copy()
    absent = np.isnan(groups)
    groups[absent] = -1.0 - np.arange(absent.sum())  # rows without a group stay by themselves
    if len(np.unique(groups)) < 2:
        raise InputError(
            f"Column {column.name!r} has one value in all rows: there are no groups to hold out."
        )
    splitter = GroupShuffleSplit(1, test_size=fraction, random_state=as_random_state(random_state))
    _, test = next(splitter.split(groups, groups=groups))
    held = np.zeros(len(groups), bool)
    held[test] = True
    return held
