"""Which rows of a table are held out: at random, after a date, by groups, or as a column says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.holdout import lacking_classes, listed, split_note
from glassnet.data.tables.preprocessing import AS_DATES, as_dates, class_numbers
from glassnet.data.tables.raw import NUMBER, TEXT, TRUTH, ColumnRows, RawColumn, all_runs
from glassnet.data.tables.table import Table
from glassnet.data.tables.targets import Target, TargetedRows
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
    def at_random(self) -> bool:
        """Whether no column says which rows are held out."""
        return self.test_after is None and self.group is None and self.split is None

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


def split_rows(
    by: SplitBy, rows: TargetedRows, target: Target, random_state: int | RandomState | None
) -> tuple[NDArray[np.bool_], str]:
    """Which of the rows that have a target are held out by a column, and a sentence about it."""
    if by.split is not None:
        test = _test_by_column(rows.column(by.split), rows)
        way = f"by {by.split!r}"
    elif by.test_after is not None:
        test, way = _test_after(by.test_after, by.time, rows)
    else:
        test = _test_by_group(rows.column(str(by.group)), by.fraction, random_state)
        way = f"by {by.group!r}, whose values stay on one side"
    if test.all() or not test.any():
        side = "train on" if test.any() else "hold out"
        raise InputError(f"The split of {rows.table.source} {way} leaves no row to {side}.")
    words = f"Held out {way}: {test.sum():,} of {len(test):,} rows ({test.mean():.0%})."
    return test, f"{words} {lacking_note(target, test)}".rstrip()


def lacking_note(target: Target, test: NDArray[np.bool_]) -> str:
    """A sentence about the classes that are not among the rows to train on, or those held out; else ""."""
    if target.classes is None:
        return ""
    (column,) = target.columns
    sides: dict[str, set[float]] = {"training": set(), "test": set()}
    at = 0
    for values in column.blocks():
        held = test[at : (at := at + len(values))]
        for side, here in (("training", values[~held]), ("test", values[held])):
            sides[side].update(np.unique(here).tolist())
    numbers = {
        side: class_numbers(column.of_values(np.array([*values])), target.classes)
        for side, values in sides.items()
    }
    labels = {side: [target.classes[number] for number in some] for side, some in numbers.items()}
    return split_note(lacking_classes(target.classes, labels))


def _test_by_column(column: ColumnRows, rows: TargetedRows) -> NDArray[np.bool_]:
    source = rows.table.source
    if column.missing:
        absent = np.concatenate([np.isnan(values) for values in column.blocks()])
        raise InputError(
            f"Column {column.name!r} of {source}, which says train or test, has no value at "
            f"{rows.where(int(absent.argmax()))} ({column.missing:,} in all); fill it in."
        )
    ones_train = any(word in column.name.lower() for word in ("train", "fit"))
    tests = [0.0 if ones_train else 1.0]
    for values, _ in column.runs():
        if column.type in (TRUTH, NUMBER) and {*values.tolist()} <= {0.0, 1.0}:
            continue
        words = {value: column.words(value).strip().lower() for value in values.tolist()}
        unknown = [word for word in words.values() if word not in (*TRAINING_WORDS, *TEST_WORDS)]
        if unknown or column.type != TEXT:
            raise InputError(
                f"Column {column.name!r} of {source} says {listed(unknown or words.values())}; expected "
                f"train or test in each row (or 1 and 0, 1 for test)."
            )
        tests = [value for value, word in words.items() if word in TEST_WORDS]
    return np.concatenate([np.isin(values, tests) for values in column.blocks()])


def _test_after(edge: str, name: str | None, rows: TargetedRows) -> tuple[NDArray[np.bool_], str]:
    table = rows.table
    if name is None:
        columns = {known: table[known] for known in table.names}
        dates = [k for k, c in columns.items() if isinstance(c, np.ndarray) and c.dtype.kind == "M"]
        if len(dates) != 1:
            count = f"the columns of dates {listed(dates)}" if dates else "no column of dates"
            raise InputError(
                f"{table.source} has {count}: say which one test_after is about (--time COLUMN)."
            )
        name = dates[0]
    column = rows.column(name)
    if column.type == NUMBER:  # years, or a count of days
        try:
            limit = float(edge)
        except ValueError as error:
            raise InputError(
                f"Column {name!r} holds numbers, and test_after is {edge!r}; expected a number."
            ) from error
    else:
        column = rows.column(name, AS_DATES)
        written = RawColumn("test_after", TEXT, np.zeros(1), (edge,))
        limit = as_dates(written, lambda _: "--test-after").values[0]
    with np.errstate(invalid="ignore"):
        test = np.concatenate([values >= limit for values in column.blocks()])
    return test, f"from {edge} on by {name!r}"


def _test_by_group(
    column: ColumnRows, fraction: float, random_state: int | RandomState | None
) -> NDArray[np.bool_]:
    from sklearn.model_selection import ShuffleSplit

    groups = all_runs(column)[0]
    if column.type == TEXT:  # readers number texts in orders of their own
        groups = np.array(sorted(groups.tolist(), key=column.words))
    alone = column.missing  # rows without a group, each by itself
    if len(groups) + alone < 2:
        raise InputError(
            f"Column {column.name!r} has one value in all rows: there are no groups to hold out."
        )
    draw = ShuffleSplit(1, test_size=fraction, random_state=as_random_state(random_state))
    held = np.zeros(alone + len(groups), bool)
    held[next(draw.split(held))[1]] = True
    test = np.concatenate([np.isin(values, groups[held[alone:]]) for values in column.blocks()])
    test[np.concatenate([np.isnan(values) for values in column.blocks()])] = held[:alone]
    return test
