"""The target of a table: which rows have one, whether it is classes, a quantity or counts, and its
numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.data.tables.columns import facts_of
from glassnet.data.tables.preprocessing import AS_NUMBERS, TASKS, Reader, class_numbers
from glassnet.data.tables.raw import NUMBER, TEXT, TRUTH, ColumnRows, RawColumn, all_runs, raw_column
from glassnet.data.tables.table import Table
from glassnet.errors import InputError, InputTypeError, unknown_name

MAX_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is learned of a table's target: what it is, its classes in sorted order, and its columns in the
    rows that have one."""

    names: tuple[str, ...]
    task: str
    classes: tuple[Any, ...] | None
    columns: tuple[ColumnRows, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The target in words."""
        return ", ".join(self.names)

    @property
    def kind(self) -> str:
        """What the table of columns calls it."""
        return {"classification": "classes", "regression": "quantity", "counts": "counts"}[self.task]


class TargetedRows(Protocol):
    """The rows of a table that have a target, in memory or in files; `gaps` says how many have none."""

    @property
    def table(self) -> Table: ...
    @property
    def gaps(self) -> tuple[str, ...]: ...

    def where(self, row: int) -> str:
        """The place of one of these rows, for messages."""

    def column(self, name: str, reader: Reader | None = None) -> ColumnRows:
        """A column in these rows, read by `reader`; InputError for cells that it cannot read."""


@dataclass(frozen=True, eq=False)
class RowsInMemory:
    """The rows of a table in memory that have a target, by number."""

    table: Table
    rows: NDArray[np.intp]
    gaps: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table, names: Sequence[str]) -> RowsInMemory:
        """The rows that have a value in each of the target's columns."""
        absent = np.logical_or.reduce([np.isnan(raw_column(table, name).values) for name in names])
        rows = np.flatnonzero(~absent)
        return cls(table, rows, gap_note(table, names, len(absent) - len(rows), int(absent.argmax())))

    def where(self, row: int) -> str:
        """The place of one of these rows, for messages."""
        return self.table.where(int(self.rows[row]))

    def column(self, name: str, reader: Reader | None = None) -> RawColumn:
        """A column in these rows, read by `reader`; no copy where they are all."""
        column = raw_column(self.table, name)
        column = column.take(self.rows) if self.gaps else column
        return column if reader is None else reader.read(column, self.where)


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


def gap_note(table: Table, names: Sequence[str], absent: int, first: int) -> tuple[str, ...]:
    """A sentence about the rows without a target, `absent` in all; InputError where no row has one."""
    if absent == table.n_rows:
        raise InputError(
            f"No row of {table.source} has a value in {listed(names)}: there is nothing to learn."
        )
    if not absent:
        return ()
    return (
        f"{absent:,} of {table.n_rows:,} rows have no {listed(names)} (the first at {table.where(first)}), "
        f"and are left out.",
    )


def learn_target(rows: TargetedRows, names: tuple[str, ...], task: str | None) -> Target:
    """The target of the rows that have one; InputError where it cannot be learned.

    Several columns are quantities, or counts where `task` says so.
    """
    columns = tuple(rows.column(name) for name in names)
    notes = [*rows.gaps]
    if len(names) > 1:
        if task == "classification":
            raise InputError(
                f"Several targets are quantities or counts, not classes: train a network for each of "
                f"{listed(names)}."
            )
        chosen = task or "regression"
    else:
        chosen, more = choose_task(columns[0], task)
        notes += more
    if chosen == "classification":
        classes = labels_of(rows.table, columns[0], bool(rows.gaps))
        check_classes(rows.table.source, names[0], classes, columns[0].n_rows)
        return Target(names, chosen, classes, columns, tuple(notes))
    try:
        columns = tuple(rows.column(name, AS_NUMBERS) for name in names)
    except InputError as error:
        raise InputError(
            f"The target: {error}. A {chosen} expects numbers; for classes, give --task classification."
        ) from error
    if chosen == "counts":
        _check_counts(columns)
    return Target(names, chosen, None, columns, tuple(notes))


def require_more(table: Table, target: Sequence[str]) -> None:
    """Raise InputError for a table without another column than the target."""
    if set(target) >= set(table.names):
        raise InputError(
            f"{table.source} has no column but the target, {listed(target)}: at least one more is needed. "
            f"If the file has more, give --delimiter."
        )


class TargetedTable(NamedTuple):
    """A table whose target can be learned, which is known before scikit-learn divides the rows."""

    table: Table
    rows: RowsInMemory
    target: Target

    @classmethod
    def of(cls, table: Table, target: object, task: str | None) -> TargetedTable:
        """The table with its target; raises what `prepare_table` says of it, and for no other column."""
        names = as_target_names(target, table)
        rows = RowsInMemory.of(table, names)
        known = learn_target(rows, names, task)
        require_more(table, names)
        return cls(table, rows, known)


def target_values(target: Target) -> NDArray[Any]:
    """Class numbers (n,), or values in the table's unit, (n,) or (n, columns), of a target in memory."""
    if target.classes is not None:
        return class_numbers(target.columns[0].of_values(_all_values(target.columns[0])), target.classes)
    values = [_all_values(column) for column in target.columns]
    return values[0] if len(values) == 1 else np.column_stack(values)


def _all_values(column: ColumnRows) -> Floats:
    return np.concatenate([*column.blocks()])


def _check_counts(columns: Sequence[ColumnRows]) -> None:
    for column in columns:
        for y in column.blocks():
            if (odd := (y < 0) | (y != np.floor(y))).any():
                raise InputError(
                    f"{column.name!r} has values that are no counts, such as {y[odd][0]:g}; "
                    f"expected 0, 1, 2 and so on. For a quantity, give --task regression."
                )


def labels_of(table: Table, column: ColumnRows, gaps: bool) -> tuple[Any, ...]:
    """The classes in sorted order: texts, truth values, or numbers, whole ones where the column's are."""
    values = all_runs(column)[0].tolist()
    if column.type == TEXT:
        return tuple(sorted(column.words(value) for value in values))
    if column.type == TRUTH:
        return tuple(map(bool, values))
    whole = np.asarray(table[column.name]).dtype.kind == "i"
    whole = whole or (gaps and all(value == np.floor(value) for value in values))
    return tuple(map(int, values)) if whole and column.type == NUMBER else tuple(values)


def choose_task(column: ColumnRows, task: str | None = None) -> tuple[str, list[str]]:
    """The `task`, or the one that a target's different values suggest; and notes."""
    if task is not None:
        if task not in TASKS:
            raise unknown_name("task", task, TASKS)
        return task, []
    if column.type in (TEXT, TRUTH):
        return "classification", []
    facts = facts_of(column)
    if facts.whole and (
        facts.distinct <= 2 or (facts.distinct <= MAX_CLASSES and 2 * facts.distinct <= facts.n_rows)
    ):
        chosen, other = "classification", "regression"
    else:
        chosen, other = "regression", "classification"
    kind = "whole numbers" if facts.whole else "numbers"
    note = (
        f"{column.name!r} holds {kind}, {facts.distinct} of them distinct: taken for {chosen}, not {other}."
    )
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
