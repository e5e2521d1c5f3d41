"""The target of a table: which rows have one, whether it is classes, a quantity or counts, and its
numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.holdout import listed
from glassnet.data.tables.preprocessing import TASKS, as_numbers, class_numbers
from glassnet.data.tables.raw import NUMBER, TEXT, TRUTH, RawColumn, raw_column
from glassnet.data.tables.table import Table
from glassnet.errors import InputError, InputTypeError, unknown_name

MAX_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""


class Target(NamedTuple):
    """A table's target in the rows that have one.

    `y` has class numbers (n,), or values in the table's unit, (n,) or (n, columns).
    """

    names: tuple[str, ...]
    task: str
    classes: tuple[Any, ...] | None
    y: NDArray[Any]
    columns: tuple[RawColumn, ...]
    rows: NDArray[np.intp]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The target in words."""
        return ", ".join(self.names)

    @property
    def kind(self) -> str:
        """What the table of columns calls it."""
        return {"classification": "classes", "regression": "quantity", "counts": "counts"}[self.task]

    def labels(self) -> NDArray[Any]:
        """The class of each row as the table has it, or the target's values."""
        if self.classes is None:
            return self.y
        return np.array(self.classes, object if isinstance(self.classes[0], str) else None)[self.y]


def as_target_names(target: object, table: Table) -> tuple[str, ...]:
    """The target's columns; InputError for one that is not there, with the nearest name, and for
    repeats."""
    several = [target] if isinstance(target, str) else target
    names = tuple(several) if isinstance(several, (list, tuple)) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise InputTypeError(f"target is a column's name, or a list of names, not {target!r}.")
    for name in names:
        table[name]
    if len(set(names)) < len(names):
        raise InputError(f"target names a column twice: {listed(names)}.")
    return names


def learn_target(table: Table, names: tuple[str, ...], task: str | None) -> Target:
    """The target of the rows that have one; InputError where it cannot be learned.

    Several columns are quantities, or counts where `task` says so.
    """
    columns = [raw_column(table, name) for name in names]
    absent = np.logical_or.reduce([np.isnan(column.values) for column in columns])
    rows = np.flatnonzero(~absent)
    notes = []
    if len(rows) < len(absent):
        first = table.where(int(absent.argmax()))
        notes.append(
            f"{len(absent) - len(rows):,} of {len(absent):,} rows have no {listed(names)} (the first at "
            f"{first}), and are left out."
        )
        columns = [column.take(rows) for column in columns]
    if not len(rows):
        raise InputError(
            f"No row of {table.source} has a value in {listed(names)}: there is nothing to learn."
        )
    if len(names) > 1:
        if task == "classification":
            raise InputError(
                f"Several targets are quantities or counts, not classes: train a network for each of "
                f"{listed(names)}."
            )
        chosen = task or "regression"
    else:
        chosen, more = choose_task(names[0], distinct_values(columns[0]), len(rows), task)
        notes += more
    if chosen == "classification":
        classes = labels_of(table, columns[0], len(rows) < len(absent))
        check_classes(table.source, names[0], classes, len(rows))
        numbers = class_numbers(columns[0], classes)
        return Target(names, chosen, classes, numbers, tuple(columns), rows, tuple(notes))
    where = lambda row: table.where(int(rows[row]))  # noqa: E731  # two words long
    try:
        values = [as_numbers(column, where).values for column in columns]
    except InputError as error:
        raise InputError(
            f"The target: {error}. A {chosen} expects numbers; for classes, give --task classification."
        ) from error
    y = values[0] if len(names) == 1 else np.column_stack(values)
    if chosen == "counts" and (odd := (y < 0) | (y != np.floor(y))).any():
        raise InputError(
            f"{listed(names)} has values that are no counts, such as {y[odd][0]:g}; "
            f"expected 0, 1, 2 and so on. For a quantity, give --task regression."
        )
    return Target(names, chosen, None, y, tuple(columns), rows, tuple(notes))


def distinct_values(column: RawColumn) -> NDArray[Any]:
    """The different values of a column, as `choose_task` takes them."""
    values = np.unique(column.values)
    if column.type == TEXT:
        return np.array([column.words(value) for value in values], object)
    return values.astype(bool) if column.type == TRUTH else values


def labels_of(table: Table, column: RawColumn, gaps: bool) -> tuple[Any, ...]:
    """The classes in sorted order: texts, truth values, or numbers, whole ones where the column's are."""
    values = np.unique(column.values)
    if column.type == TEXT:
        return tuple(sorted(column.words(value) for value in values))
    if column.type == TRUTH:
        return tuple(bool(value) for value in values)
    whole = np.asarray(table[column.name]).dtype.kind == "i" or (
        gaps and bool((values == np.floor(values)).all())
    )
    return (
        tuple(int(value) for value in values) if whole and column.type == NUMBER else tuple(values.tolist())
    )


def choose_task(
    target: str, values: NDArray[Any], n: int, task: str | None = None, most: int | None = None
) -> tuple[str, list[str]]:
    """The `task`, or the one that the target's different values, of n rows, suggest; and notes.

    Each number comes once among the values; where there are more than `most` values, others may miss.
    """
    if task is not None:
        if task not in TASKS:
            raise unknown_name("task", task, TASKS)
        return task, []
    if values.dtype.kind in "OUTb":
        return "classification", []
    distinct = len(values)
    whole = bool(np.all(values == np.floor(values)))
    if whole and (distinct <= 2 or (distinct <= MAX_CLASSES and 2 * distinct <= n)):
        chosen, other = "classification", "regression"
    else:
        chosen, other = "regression", "classification"
    kind = "whole numbers" if whole else "numbers"
    count = f"{distinct}" if most is None or distinct <= most else f"more than {most:,}"
    note = f"{target!r} holds {kind}, {count} of them distinct: taken for {chosen}, not {other}."
    return chosen, [note]


def check_classes(source: object, target: str, classes: tuple[Any, ...], n: int) -> None:
    """Raise InputError for a target with a single class, or with another class in each of n rows."""
    if len(classes) < 2:
        raise InputError(
            f"Column {target!r} of {source} is {classes[0]!r} in every row; a classification "
            f"needs two classes or more."
        )
    if len(classes) == n > 2:
        # Text is no quantity.
        quantity = "" if isinstance(classes[0], str) else ", or for a quantity --task regression"
        raise InputError(
            f"Column {target!r} of {source} has another value in each of its {n} rows, "
            f"such as {listed(classes[:3])}: that names rows, it does not class them. Choose another "
            f"target{quantity}."
        )
