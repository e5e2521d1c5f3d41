"""Tables made ready for a network: columns chosen, classes numbered, rows held out, inputs standardized."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from glassnet.data.fixed_order import Floats, Moments, moments
from glassnet.data.holdout import listed, split
from glassnet.data.tables import Table, TextColumn
from glassnet.data.tables.index import without_index
from glassnet.data.tables.words import as_option, is_missing, is_number
from glassnet.errors import InputError, InputTypeError, unknown_name

TASKS = ("classification", "regression")

MAX_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""


@dataclass(frozen=True)
class Preprocessing:
    """How a table becomes inputs and targets, learned once and kept with the model.

    Each feature is standardized, (x - mean) / scale, with the training rows' mean and standard
    deviation (over n, not n - 1). Classes are numbered in sorted
    order; ``classes`` is None for regression, whose target is standardized too, so that a learning
    rate suits it whatever its unit. Of several quantities ``target_mean`` and ``target_scale`` have a
    number for each. All values are plain Python, so that equality compares them.
    """

    target: str
    task: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    classes: tuple[Any, ...] | None = None
    target_mean: float | tuple[float, ...] = 0.0
    target_scale: float | tuple[float, ...] = 1.0

    def transform(self, table: Table) -> Floats:
        """The table's features, standardized, (n, features): found by name, other columns ignored.

        Raises InputError for a feature that is not there, or that holds text or a missing value.
        """
        return (_feature_matrix(table, self.features) - np.array(self.mean)) / np.array(self.scale)

    def encode(self, table: Table) -> NDArray[Any]:
        """The table's target as a network learns it: class numbers, or standardized values, (n,).

        Raises InputError for a missing column or value, and for a class that training never saw.
        """
        if self.classes is None:
            return (_numbers(table, self.target) - np.array(self.target_mean)) / np.array(self.target_scale)
        labels = _labels(table, self.target).tolist()
        # One odd row makes text of a column of numbers, and its absence numbers of a column of text.
        if isinstance(self.classes[0], str):
            labels = [str(label) for label in labels]
        else:
            labels = [float(x) if isinstance(x, str) and is_number(x) else x for x in labels]
        numbers = {label: number for number, label in enumerate(self.classes)}
        for row, label in enumerate(labels):
            if label not in numbers:
                raise InputError(
                    f"Column {self.target!r} of {table.source} is {label!r} at {table.where(row)}; the "
                    f"model knows the classes {listed(self.classes)}."
                )
        return np.array([numbers[label] for label in labels], dtype=np.intp)

    def labels(self, class_numbers: ArrayLike) -> NDArray[Any]:
        """The classes that the numbers stand for, in the type that the table had.

        Raises InputError for a regression, and for a number that stands for no class.
        """
        if self.classes is None:
            raise InputError(f"The target {self.target!r} is a quantity without classes: use values().")
        numbers = np.asarray(class_numbers)
        whole = numbers.dtype.kind in "iu"
        if not whole or (numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self.classes)):
            raise InputError(
                f"class_numbers are whole numbers from 0 to {len(self.classes) - 1}; got {class_numbers!r}."
            )
        return np.array(self.classes, object if isinstance(self.classes[0], str) else None)[numbers]

    def values(self, outputs: ArrayLike) -> Floats:
        """A regression network's outputs in the target's own unit, (n,), or (n, outputs) of several."""
        if self.classes is not None:
            raise InputError(f"The target {self.target!r} has classes: use labels().")
        values = np.asarray(outputs, dtype=float) * np.array(self.target_scale) + np.array(self.target_mean)
        return values if values.ndim == 2 and values.shape[1] > 1 else values.reshape(-1)

    def to_dict(self) -> dict[str, Any]:
        """The preprocessing as JSON can hold it; `from_dict` makes an equal one of it, to the last bit."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` described; InputError for anything else."""
        try:
            settings: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
            }
            preprocessing = cls(**settings)
            consistent = (
                preprocessing.task in TASKS
                and len(preprocessing.features) == len(preprocessing.mean) == len(preprocessing.scale)
                and (preprocessing.classes is not None) == (preprocessing.task == "classification")
            )
        except (AttributeError, TypeError) as error:
            raise InputError(f"This does not describe a preprocessing: {error}.") from error
        if not consistent:
            raise InputError(f"This does not describe a preprocessing: its entries disagree, {values!r}.")
        return preprocessing


@dataclass(frozen=True, eq=False)
class TableData:
    """A table split into training and test samples: inputs, targets, row numbers, and the preprocessing.

    ``notes`` are sentences for the user about automatic decisions.
    """

    X_train: Floats
    y_train: NDArray[Any]
    X_test: Floats
    y_test: NDArray[Any]
    train_rows: NDArray[np.intp]
    test_rows: NDArray[np.intp]
    preprocessing: Preprocessing
    notes: tuple[str, ...]


def prepare_table(
    table: Table,
    target: str,
    *,
    task: str | None = None,
    features: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    test_fraction: float = 0.25,
    random_state: int | RandomState | None = 0,
    standardize_target: bool = True,
) -> TableData:
    """Make a table ready for a network: choose columns, number classes, hold rows out, standardize.

    Features that are constant in the training rows are left out. Mean and scale come from the training rows
    alone, so that the test rows stay unseen. `features` are all columns but the target, those in `ignore`
    and an index that pandas wrote (see `Table`), unless they are named; they must be numbers (or true and
    false, taken as 1 and 0). `task` is "classification" or "regression"; by default a target is classes
    when it is text, true and false, or whole numbers with two distinct values, or with at most 20 that come
    twice each on average; a quantity otherwise. `test_fraction` of the rows, from 0 to below 1, are held
    out (see `holdout.split`). `standardize_target` false leaves a quantity in its own unit, for a network
    that predicts counts.

    Raises InputError for a column that is not there (with the nearest name), a feature that holds
    text, a missing or infinite value (with column and line), one class only, or a target of text
    where a regression was asked for.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from glassnet.data.preprocessing import prepare_table
    >>> from glassnet.data.tables import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "leaves.csv")
    ...     _ = path.write_text("width,species\\n0.2,small\\n1.4,large\\n0.4,small\\n1.6,large\\n")
    ...     data = prepare_table(read_table(path), "species", test_fraction=0)
    >>> data.preprocessing.classes, data.y_train.tolist(), data.X_train[:, 0].round(2).tolist()
    (('large', 'small'), [1, 0, 1, 0], [-1.15, 0.82, -0.82, 1.15])
    """
    names, notes = choose_features(table, target, features, ignore)
    raw = _feature_matrix(table, names, to_choose=True)
    column = _plain(table, target)
    if task is None and column.dtype.kind not in "Ob":
        column = np.unique(_numbers(table, target))
    chosen, task_notes = choose_task(target, column, table.n_rows, task)
    notes += task_notes
    classes: tuple[Any, ...] | None = None
    if chosen == "classification":
        labels, numbers = np.unique(_labels(table, target), return_inverse=True)
        classes = tuple(labels.tolist())
        check_classes(table.source, target, classes, table.n_rows)
        train, test, note = split(_labels(table, target), test_fraction, random_state)
        notes += [note] if note else []
        y: NDArray[Any] = numbers.astype(np.intp)
        target_mean, target_scale = 0.0, 1.0
    else:
        values = _numbers(table, target)
        train, test, _ = split(values, test_fraction, random_state, stratify=False)
        target_mean, target_scale = 0.0, 1.0
        if standardize_target:
            known = _moments(values[train, None], (target,), table)
            target_mean, target_scale = float(known.center[0]), float(known.scale[0])
        y = (values - target_mean) / target_scale
    known = _moments(raw[train], names, table)
    if known.constant.any():
        kept, note = without_constants(names, known.constant)
        notes.append(note)
        names, raw = tuple(names[place] for place in kept), raw[:, kept]
        known = known.of_columns(kept)
    mean, scale = tuple(known.center.tolist()), tuple(known.scale.tolist())
    preprocessing = Preprocessing(target, chosen, names, mean, scale, classes, target_mean, target_scale)
    X = (raw - known.center) / known.scale
    return TableData(X[train], y[train], X[test], y[test], train, test, preprocessing, tuple(notes))


def without_constants(names: tuple[str, ...], constant: NDArray[np.bool_]) -> tuple[NDArray[np.intp], str]:
    """The places of the features that vary, and a note about the others; InputError where none varies.

    A weight of a constant feature would stay at its random start, and move predictions for rows where the
    feature is another value. MATLAB's ``removeconstantrows`` leaves it out, too.
    """
    gone = [name for name, same in zip(names, constant, strict=True) if same]
    if len(gone) == len(names):
        raise InputError(
            f"Every feature has one value in all training rows, {listed(gone)}: there is nothing to learn "
            f"from. Give rows that differ."
        )
    return np.flatnonzero(~constant), f"Constant in the training rows, and left out: {listed(gone)}."


def choose_features(
    table: Table, target: str, features: Iterable[str] | None, ignore: Iterable[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The names of the features, and notes about an index among the columns, from the names alone."""
    for argument, columns in (("features", features), ("ignore", ignore)):
        if isinstance(columns, str):
            raise InputTypeError(f"{argument} is a list of column names, not one text: [{columns!r}].")
    named, left_out = list(features or ()), set(ignore)
    for name in [target, *named, *sorted(left_out)]:
        table[name]  # or an error with the nearest name
    if target in named:
        raise InputError(f"{target!r} is the target; it cannot be a feature too. Leave it out of features.")
    if len(set(named)) < len(named):
        raise InputError(f"features names a column twice: {listed(named)}.")
    chosen = named if features is not None else [name for name in table.names if name != target]
    chosen = [name for name in chosen if name not in left_out]
    chosen, notes = (chosen, []) if features is not None else without_index(table, chosen)
    if not chosen:
        raise InputError(
            f"No features are left: {table.source} has the columns {listed(table.names)}, of which "
            f"{target!r} is the target. At least one more is needed."
        )
    return tuple(chosen), notes


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


def _plain(table: Table, name: str) -> NDArray[Any]:
    """A column of numbers, or of text as objects, dates among it."""
    column = table[name]
    if isinstance(column, TextColumn):
        return column.texts()
    return column.astype(str).astype(object) if column.dtype.kind == "M" else column


def _feature_matrix(table: Table, names: tuple[str, ...], to_choose: bool = False) -> Floats:
    return np.column_stack([_numbers(table, name, to_choose) for name in names])


def _numbers(table: Table, name: str, to_choose: bool = False) -> Floats:
    """A column as finite float64; InputError that names column, row, value and remedy.

    `to_choose` says that the column may be left out, as a feature may before a model has learned from it.
    """
    column = _plain(table, name)
    if column.dtype.kind == "O":
        column = _text_as_numbers(table, name, column, to_choose)
    numbers = column.astype(np.float64)
    _refuse_missing(table, name, ~np.isfinite(numbers), np.isinf(numbers), to_choose)
    return numbers


def _text_as_numbers(table: Table, name: str, column: NDArray[Any], to_choose: bool) -> Floats:
    """Numbers that a Parquet file, or text in another row, turned into text; else InputError."""
    bad = np.array([not (is_number(cell) or is_missing(cell)) for cell in column])
    if not bad.any():
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in column])
    row = int(bad.argmax())
    value = column[row].strip()
    if re.fullmatch(r"[+-]?\d+,\d+", value):
        mend = f"Write decimal points: {value.replace(',', '.')}."
    elif not to_choose:
        mend = "Write numbers there, or leave those rows out."
    else:
        mend = (
            f"Leave the column out (--ignore {as_option(name)}, or ignore=[{name!r}]), name the features "
            f"that you want (--features), or encode its categories as numbers."
        )
    raise InputError(
        f"Column {name!r} of {table.source} holds text: {value!r} at {table.where(row)} "
        f"({bad.sum()} of {len(bad)} values are not numbers); expected numbers. {mend}"
    )


def _labels(table: Table, name: str) -> NDArray[Any]:
    column = _plain(table, name)
    if column.dtype.kind == "O":
        _refuse_missing(table, name, np.array([not cell.strip() for cell in column]))
    elif column.dtype.kind == "f":
        _refuse_missing(table, name, ~np.isfinite(column), np.isinf(column))
    return column


def _refuse_missing(
    table: Table,
    name: str,
    bad: NDArray[np.bool_],
    infinite: NDArray[np.bool_] | None = None,
    to_choose: bool = False,
) -> None:
    if not bad.any():
        return
    row = int(bad.argmax())
    kind = "an infinite" if infinite is not None and infinite[row] else "a missing"
    more = f" ({bad.sum()} such values)" if bad.sum() > 1 else ""
    choice = f"; a feature can also be left out (--ignore {as_option(name)})" if to_choose else ""
    raise InputError(
        f"Column {name!r} of {table.source} has {kind} value at {table.where(row)}{more}; expected a value "
        f"in every row. Drop those rows or fill them in{choice}."
    )


def _moments(X: Floats, names: tuple[str, ...], table: Table) -> Moments:
    known = moments(X)
    known.check_finite(lambda place: f"Column {names[place]!r} of {table.source}")
    return known
