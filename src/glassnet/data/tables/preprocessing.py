"""How a table becomes inputs and targets of a network, learned once and kept with the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.data.tables.encodings import (
    CategoryEncoding,
    DateEncoding,
    Encoding,
    NumberEncoding,
    encoding_from_dict,
    encoding_to_dict,
)
from glassnet.data.tables.raw import DATE, NUMBER, TEXT, TRUTH, RawColumn, date_text, raw_column
from glassnet.data.tables.table import Table
from glassnet.data.tables.words import is_missing
from glassnet.errors import InputError, nearest_name

TASKS = ("classification", "regression", "counts")

_BLOCK = 1 << 16
_SHOWN_ROWS = 5
_SHOWN_COLUMNS = 20
_MOST_WORDS = 1_000
"""So many categories that training never saw are counted as different ones, about."""
_TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Preprocessing:
    """How a table becomes inputs and targets, learned once and kept with the model.

    Each feature has the inputs of its encoding, in this order; input i is (x - mean[i]) / scale[i]. Of
    numbers these are the training rows' mean and standard deviation (over n, not n - 1), of other inputs 0
    and 1. Classes are numbered in sorted order; ``classes`` is None for a regression, whose target is
    standardized too, so that a learning rate suits it whatever its unit, and for counts, which keep their
    unit. Of several quantities ``target_mean`` and ``target_scale`` have a number for each. Without
    ``columns``, as in models of earlier versions, every feature is a number. Where there are several
    targets ``targets`` names them. All values are plain Python, so that equality compares them.
    """

    target: str
    task: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    classes: tuple[Any, ...] | None = None
    target_mean: float | tuple[float, ...] = 0.0
    target_scale: float | tuple[float, ...] = 1.0
    columns: tuple[Encoding, ...] | None = None
    targets: tuple[str, ...] = ()

    @cached_property
    def encodings(self) -> tuple[Encoding, ...]:
        """The encoding of each feature."""
        if self.columns is not None:
            return self.columns
        return tuple(
            NumberEncoding(name, mean) for name, mean in zip(self.features, self.mean, strict=True)
        )

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns of the target."""
        return self.targets or (self.target,)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs."""
        return tuple(name for encoding in self.encodings for name in encoding.inputs)

    @cached_property
    def groups(self) -> dict[str, list[int]]:
        """The places of each feature's inputs, by the feature's name."""
        groups, at = {}, 0
        for encoding in self.encodings:
            groups[encoding.name] = list(range(at, at := at + len(encoding.inputs)))
        return groups

    def transform(self, table: Table) -> Floats:
        """The inputs (n, inputs) of a table's rows: columns are found by name, others ignored.

        Raises InputError, which names all of them, for columns that are not there or hold other things than
        in training, and for cells that are no numbers or dates.
        """
        return self.transform_and_note(table)[0]

    def transform_and_note(self, table: Table) -> tuple[Floats, list[str]]:
        """`transform`, and sentences about what differs from training: new categories, other units,
        gaps."""
        columns, notes = [], []
        for encoding, found in zip(self.encodings, self.raw_columns(table), strict=True):
            differences = Differences(encoding)
            columns.append(differences.add(found))
            notes += differences.notes(table.where)
        return self.encode_columns(columns), notes

    def encode_columns(self, columns: Sequence[RawColumn]) -> Floats:
        """The inputs of the features' raw columns."""
        n = len(columns[0].values) if columns else 0
        X = np.empty((n, len(self.mean)))
        places = [
            encoding.places(column) if isinstance(encoding, CategoryEncoding) else None
            for encoding, column in zip(self.encodings, columns, strict=True)
        ]
        mean, scale = np.array(self.mean), np.array(self.scale)
        rows = max(64, _BLOCK // max(1, len(mean)))  # a block of X stays in a core's cache
        for start in range(0, n, rows):
            block = slice(start, start + rows)
            at = 0
            for encoding, column, numbers in zip(self.encodings, columns, places, strict=True):
                if isinstance(encoding, CategoryEncoding) and numbers is not None:
                    inputs = encoding.of_places(numbers[block])
                else:
                    inputs = encoding.encode(column.take(block))
                for values in inputs:
                    X[block, at] = values
                    at += 1
            X[block] -= mean
            X[block] /= scale
        return X

    def raw_columns(self, table: Table) -> list[RawColumn]:
        """The features' columns, with the types that the encodings take; InputError as `transform` says."""
        problems = []
        lacking = [name for name in self.features if name not in table.columns]
        others = [name for name in table.columns if name not in {*self.features}] if lacking else []
        for name in lacking[:_SHOWN_COLUMNS]:
            near = nearest_name(name, others)
            problems.append(f"column {name!r} is missing" + (f" (is it {near!r}?)" if near else ""))
        if len(lacking) > _SHOWN_COLUMNS:
            problems.append(f"{len(lacking) - _SHOWN_COLUMNS:,} more columns are missing")
        columns = []
        for encoding in self.encodings:
            if encoding.name not in table.columns:
                continue
            try:
                columns.append(as_type_of(encoding, raw_column(table, encoding.name), table.where))
            except InputError as error:
                problems.append(str(error))
        if problems:
            mend = "" if len(lacking) == len(problems) else " Mend the cells, or leave those rows out."
            raise InputError(
                f"{table.source} does not fit the model, which learned from {listed(self.features)}: "
                f"{'; '.join(problems)}.{mend}"
            )
        return columns

    def encode(self, table: Table) -> NDArray[Any]:
        """The table's target as a network learns it: class numbers (n,), or standardized values.

        Raises InputError for a missing column or value, and for a class that training never saw.
        """
        columns = [raw_column(table, name) for name in self.target_names]
        for column in columns:
            absent = np.flatnonzero(np.isnan(column.values))
            if len(absent):
                raise InputError(
                    f"Column {column.name!r} of {table.source} has a missing value at "
                    f"{table.where(int(absent[0]))} ({len(absent)} in all); expected a value in every row."
                )
        if len(columns) == 1:
            return self.encode_target(columns[0], table.where)
        values = np.column_stack([as_numbers(column, table.where).values for column in columns])
        return (values - np.array(self.target_mean)) / np.array(self.target_scale)

    def encode_target(self, column: RawColumn, where: Callable[[int], str]) -> NDArray[Any]:
        """Class numbers, -1 where the cell is missing, or standardized values, NaN there."""
        if self.classes is None:
            values = as_numbers(column, where).values
            return (values - np.array(self.target_mean)) / np.array(self.target_scale)
        numbers = class_numbers(column, self.classes)
        unknown = np.flatnonzero((numbers < 0) & ~np.isnan(column.values))
        if len(unknown):
            raise InputError(
                f"Column {self.target!r} is {column.words(column.values[unknown[0]])!r} at "
                f"{where(unknown[0])}; the model knows the classes {listed(self.classes)}."
            )
        return numbers

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
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        del values["columns"], values["targets"]
        if self.columns is not None:
            values["columns"] = [encoding_to_dict(encoding) for encoding in self.columns]
        if self.targets:
            values["targets"] = list(self.targets)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that `to_dict` described; InputError for anything else."""
        try:
            settings: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
            }
            if settings.get("columns") is not None:
                settings["columns"] = tuple(map(encoding_from_dict, settings["columns"]))
            preprocessing = cls(**settings)
            consistent = (
                preprocessing.task in TASKS
                and preprocessing.features == tuple(encoding.name for encoding in preprocessing.encodings)
                and len(preprocessing.inputs) == len(preprocessing.mean) == len(preprocessing.scale)
                and (preprocessing.classes is not None) == (preprocessing.task == "classification")
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"This does not describe a preprocessing: {error}.") from error
        if not consistent:
            raise InputError(f"This does not describe a preprocessing: its entries disagree, {values!r}.")
        return preprocessing


# ---- Columns of other tables than the training's ---------------------------------------------------


def without_infinite(column: RawColumn, where: Callable[[int], str]) -> tuple[RawColumn, list[str]]:
    """The column with its infinite values missing, and a sentence about them where there are some."""
    infinite = np.isinf(column.values)
    if not infinite.any():
        return column, []
    column = column._replace(values=np.where(infinite, np.nan, column.values))
    return column, [infinite_note(column.name, int(infinite.sum()), where(int(infinite.argmax())))]


def infinite_note(name: str, count: int, first: str) -> str:
    """A sentence about infinite values, of which the place of the first one is given."""
    return f"Column {name!r} has {count:,} infinite value(s), the first at {first}: taken for missing."


def as_type_of(encoding: Encoding, column: RawColumn, where: Callable[[int], str]) -> RawColumn:
    """The column as the encoding takes it; InputError, which names cells and their places, where it cannot
    be."""
    if column.type in encoding.types or np.isnan(column.values).all():
        return column._replace(type=column.type if column.type in encoding.types else encoding.types[0])
    if isinstance(encoding, NumberEncoding):
        return as_numbers(column, where)
    if isinstance(encoding, DateEncoding):
        return as_dates(column, where)
    return column._replace(  # a category that reads like a date
        type=TEXT,
        texts=tuple(date_text(value) for value in np.unique(column.values[~np.isnan(column.values)])),
        values=_ranks(column.values),
    )


def _ranks(values: Floats) -> Floats:
    known = np.unique(values[~np.isnan(values)])
    ranks = np.searchsorted(known, values).astype(np.float64)
    return np.where(np.isnan(values), np.nan, ranks)


def as_numbers(column: RawColumn, where: Callable[[int], str]) -> RawColumn:
    """Texts as the numbers that they write; InputError where one writes none, and for dates."""
    if column.type in (NUMBER, TRUTH):
        return column
    if column.type == DATE:
        raise InputError(f"column {column.name!r} holds dates, and numbers are expected")
    numbers = np.array([_number(text) for text in column.texts] + [np.nan])
    return _parsed(column, numbers, NUMBER, "number", where)


def as_dates(column: RawColumn, where: Callable[[int], str]) -> RawColumn:
    """Texts as the dates that they write, as 2026-11-30 or 2026-11-30 18:30; InputError where one writes
    none."""
    if column.type == DATE:
        return column
    if column.type != TEXT:
        raise InputError(f"column {column.name!r} holds numbers, and dates are expected")
    dates = np.array([_date(text) for text in column.texts] + [np.nan])
    return _parsed(column, dates, DATE, "date", where)


class Reader(NamedTuple):
    """What reads columns of text as another type; `read` takes a column, and what gives a row's place."""

    type: str
    read: Callable[[RawColumn, Callable[[int], str]], RawColumn]


AS_NUMBERS, AS_DATES = Reader(NUMBER, as_numbers), Reader(DATE, as_dates)


def _parsed(
    column: RawColumn, of_texts: Floats, of_type: str, kind: str, where: Callable[[int], str]
) -> RawColumn:
    codes = np.where(np.isnan(column.values), len(column.texts), column.values).astype(np.intp)
    values = of_texts[codes]
    gaps = np.array([is_missing(text) for text in column.texts] + [True])
    bad = np.flatnonzero(np.isnan(values) & ~gaps[codes])
    if len(bad):
        cells = [f"{column.words(column.values[row])!r} at {where(int(row))}" for row in bad[:_SHOWN_ROWS]]
        more = f" and {len(bad) - _SHOWN_ROWS:,} more" if len(bad) > _SHOWN_ROWS else ""
        raise InputError(f"column {column.name!r} holds cells that are no {kind}: {', '.join(cells)}{more}")
    return RawColumn(column.name, of_type, values)


def _number(text: str) -> float:
    if (truth := _TRUTHS.get(text.lower())) is not None:
        return truth
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan


def _date(text: str) -> float:
    if not re.match(r"\d{4}-\d\d", text):
        return np.nan
    try:
        return float(np.datetime64(text.replace(" ", "T"), "us").astype(np.int64))
    except ValueError:
        return np.nan


def class_numbers(column: RawColumn, classes: tuple[Any, ...]) -> NDArray[np.intp]:
    """The number of each cell's class; -1 where it is none of them or missing."""
    if column.type == TEXT:
        known = {str(label): number for number, label in enumerate(classes)}
        if not isinstance(classes[0], str):  # one odd cell makes text of a column of numbers
            known |= {text: known.get(str(_like(classes, text)), -1) for text in column.texts}
        table = np.array([known.get(text, -1) for text in column.texts] + [-1], np.intp)
        codes = np.where(np.isnan(column.values), len(column.texts), column.values)
        return table[codes.astype(np.intp)]
    values, numbers = np.unique(column.values, return_inverse=True)
    if isinstance(classes[0], str):  # and its absence numbers of a column of text
        texts = {label: number for number, label in enumerate(classes)}
        found = [-1 if np.isnan(value) else texts.get(column.words(value), -1) for value in values]
    else:
        labels = {float(label): number for number, label in enumerate(classes)}
        found = [labels.get(float(value), -1) for value in values]
    return np.array(found, np.intp)[numbers]


def _like(classes: tuple[Any, ...], text: str) -> Any:
    """The class that a text writes as a number; None where it is none."""
    number = _number(text)
    return next((label for label in classes if float(label) == number), None)


@dataclass
class _Count:
    """How many rows are so, and which is the first."""

    n: int = 0
    first: int = 0

    def add(self, rows: NDArray[np.bool_], at: int) -> None:
        """Count rows of a mask, whose first row is number `at`."""
        if rows.any():
            self.first = self.first if self.n else at + int(rows.argmax())
            self.n += int(np.count_nonzero(rows))


class Differences:
    """What a column has that the training's had not, block by block."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding, self.n_rows = encoding, 0
        self.infinite, self.gaps, self.new, self.far = (_Count() for _ in range(4))
        self.words: dict[str, None] = {}
        self.first_far = np.nan

    def add(self, found: RawColumn) -> RawColumn:
        """The next rows without infinite values, which are missing."""
        encoding, at = self.encoding, self.n_rows
        self.n_rows += found.n_rows
        column, _ = without_infinite(found, str)
        if column is not found:
            self.infinite.add(np.isinf(found.values), at)
        self.gaps.add(np.isnan(found.values), at)
        if isinstance(encoding, CategoryEncoding):
            if not encoding.other:
                new = (encoding.places(column) == len(encoding.categories)) & ~np.isnan(column.values)
                self.new.add(new, at)
                if len(self.words) < _MOST_WORDS:
                    self.words |= dict.fromkeys(map(column.words, np.unique(column.values[new])))
        elif isinstance(encoding, NumberEncoding) and encoding.low < encoding.high:
            width = encoding.high - encoding.low
            with np.errstate(invalid="ignore"):
                far = (column.values > encoding.high + width) | (column.values < encoding.low - width)
            if far.any() and not self.far.n:
                self.first_far = column.values[far.argmax()]
            self.far.add(far, at)
        return column

    def notes(self, where: Callable[[int], str]) -> list[str]:
        """The differences in sentences."""
        encoding, name, n = self.encoding, self.encoding.name, self.n_rows
        instead = "for the median of training"
        if isinstance(encoding, CategoryEncoding):
            instead = f"for {encoding.categories[0]!r}" if encoding.single else "for no category"
        notes = []
        if self.infinite.n:
            notes.append(infinite_note(name, self.infinite.n, where(self.infinite.first)))
        if self.gaps.n and not encoding.missing:
            notes.append(
                f"Column {name!r} lacks a value in {self.gaps.n:,} of {n:,} rows (the first at "
                f"{where(self.gaps.first)}), and never did in training: taken {instead}."
            )
        if self.new.n:
            notes.append(
                f"Column {name!r} has values that training never saw, {listed(self.words)}, in "
                f"{self.new.n:,} of {n:,} rows (the first at {where(self.new.first)}): taken {instead}."
            )
        if self.far.n and isinstance(encoding, NumberEncoding):
            unit = " Is the unit another one?" if 2 * self.far.n > n else ""
            notes.append(
                f"Column {name!r} lies far outside of training's {encoding.low:g} to {encoding.high:g} in "
                f"{self.far.n:,} of {n:,} rows, first {self.first_far:g} at {where(self.far.first)}.{unit}"
            )
        return notes
