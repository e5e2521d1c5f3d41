"""Tables made ready for a network: columns chosen and encoded, classes numbered, rows held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.arrays import InMemory
from glassnet.data.fixed_order import Floats, Moments, moments
from glassnet.data.holdout import Split, split
from glassnet.data.tables.choice import (
    ColumnSettings,
    choose_columns,
    left_out_notes,
    nameless_note,
    require_features,
)
from glassnet.data.tables.columns import (
    MOST_CATEGORIES,
    ColumnInfo,
    ColumnTable,
    exact_sum,
    sum_text,
)
from glassnet.data.tables.encodings import (
    CategoryEncoding,
    Encoding,
    learn_category,
    learn_date,
    learn_number,
)
from glassnet.data.tables.preprocessing import AS_DATES, AS_NUMBERS, Preprocessing, Reader, without_infinite
from glassnet.data.tables.raw import ColumnRows, RawColumn, date_text
from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.splits import SplitBy, split_rows
from glassnet.data.tables.table import Table
from glassnet.data.tables.targets import RowsInMemory, Target, TargetedTable, target_values
from glassnet.data.tables.words import as_option
from glassnet.errors import InputError
from glassnet.utils.html import Html, cell_output

_ROWS_AT_ONCE = 1 << 16
"""Rows of which numbers are looked at together."""


@dataclass(frozen=True, eq=False)
class PreparedTable:
    """A table as inputs and targets of a network, with what each column was taken for.

    Attributes
    ----------
    X : float64 (n, inputs), the rows that have a target; numbers are standardized by the training rows.
    y : class numbers (n,), standardized values (n,) or (n, targets), or counts (n,).
    columns : `ColumnTable`, what each column was taken for, and why.
    preprocessing : `Preprocessing`, which makes X of other tables and gives predictions their units.
    split : `Split`, the rows of X to train on and those held out, and a note.
    table : the `Table`.
    rows : the row of the table that each row of X was.
    notes : sentences about what was decided.

    >>> import glassnet as gn
    >>> data = gn.prepare_table({"width": [0.2, 1.4, 0.4, 1.6], "kind": ["s", "l", "s", "l"]}, "kind")
    >>> data.X.shape, data.y.tolist(), data.split.train.tolist(), data.columns.named("width").kind
    ((4, 1), [1, 0, 1, 0], [3, 1, 0], 'number')
    """

    X: Floats
    y: NDArray[Any]
    columns: ColumnTable
    preprocessing: Preprocessing
    split: Split
    table: Table
    rows: NDArray[np.intp]
    notes: tuple[str, ...] = ()

    @property
    def X_train(self) -> Floats:  # noqa: N802  # X is a matrix
        """The rows of X to train on."""
        return self.X[self.split.train]

    @property
    def y_train(self) -> NDArray[Any]:
        """Their targets."""
        return self.y[self.split.train]

    @property
    def X_test(self) -> Floats:  # noqa: N802  # X is a matrix
        """The rows of X held out."""
        return self.X[self.split.test]

    @property
    def y_test(self) -> NDArray[Any]:
        """Their targets."""
        return self.y[self.split.test]

    @property
    def n_outputs(self) -> int:
        """How many outputs a network for this target has: one for each class, or for each quantity."""
        classes = self.preprocessing.classes
        return len(classes) if classes is not None else 1 if self.y.ndim == 1 else self.y.shape[1]

    @property
    def output(self) -> str:
        """The output of a network for this target: "softmax", "identity", or "exp" for counts."""
        return {"classification": "softmax", "regression": "identity", "counts": "exp"}[
            self.preprocessing.task
        ]

    def dataset(self) -> InMemory:
        """The rows to train on, as `train` takes them."""
        preprocessing = self.preprocessing
        rows = InMemory(
            self.X_train, self.y_train, names=preprocessing.inputs, described=preprocessing.to_dict()
        )
        rows.source = str(self.table.source)
        return rows

    def __repr__(self) -> str:
        return f"{self._sizes}\n{self.columns!r}"

    def _repr_html_(self) -> str:
        return cell_output(self._sizes, self.notes, Html(self.columns._repr_html_()))

    @property
    def _sizes(self) -> str:
        """The rows, the inputs and the target in words."""
        split = self.split
        held = f" and {len(split.test):,} held out" if len(split.test) else ""
        return (
            f"{len(split.train):,} rows to train on{held}, {self.X.shape[1]} inputs of "
            f"{len(self.preprocessing.features)} columns, target {self.preprocessing.target!r} "
            f"({self.preprocessing.task})"
        )


def prepare_table(
    table: object,
    target: str | Sequence[str],
    *,
    task: str | None = None,
    features: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    numeric: Iterable[str] = (),
    categorical: Iterable[str] = (),
    dates: Iterable[str] = (),
    scaling: str = "standard",
    max_categories: int = MOST_CATEGORIES,
    test_fraction: float = 0.25,
    time: str | None = None,
    test_after: str | None = None,
    group: str | None = None,
    split: str | None = None,
    random_state: int | RandomState | None = 0,
    standardize_target: bool = True,
) -> PreparedTable:
    """Make a table ready for a network: take each column for what it is, encode it, hold rows out.

    Numbers are standardized, and gaps filled by the median of the training rows with an input that says so;
    categories have an input for each of the frequent ones; dates are days and their month, weekday and hour
    on circles. Free text, ids, constant and repeated columns, and columns that give the target away are
    left out: ``columns`` says so and why. All that is learned, means, medians and categories, comes from
    the training rows, so that the rows held out stay unseen.

    Parameters ----------
    table : what `read_table` takes or returns: a path, a frame, a dictionary of columns.
    target : the column to predict, or several columns of numbers. Rows without one are left out and
        counted.
    task : "classification", "regression" or "counts". By default a target is classes when it is text, true
        and false, or whole numbers with two distinct values, or with at most 20 that come twice each on
        average.
    features, ignore : the columns to learn from, all but the target by default, and columns to leave out.
    numeric, categorical, dates : columns that are taken for this, whatever they look like.
    scaling : "standard", or "quantile" for heavy tails: the normal quantile of each value's rank.
    max_categories : the most categories of a column that have inputs of their own; the rest share one.
    test_fraction : the share of the rows to hold out, from 0 to below 1, each class in proportion.
    time, test_after : the column of dates and the first date to hold out, such as "2026-01-01".
    group : a column whose equal values stay on one side of the split.
    split : a column that says "train" or "test" of each row.
    random_state : of the split.
    standardize_target : False leaves a quantity in its own unit.

    Raises InputError for a column that is not there (with the nearest name), for one class only, for a
    target that is no number where one is needed, and where no column is left to learn from.

    >>> import glassnet as gn
    >>> people = {"age": [31, 45, None, 52] * 9, "sex": ["f", "m", "m", "f"] * 9, "paid": [1, 0, 1, 1] * 9}
    >>> data = gn.prepare_table(people, "paid")
    >>> data.preprocessing.inputs
    ('age', 'age is missing', 'sex = m')
    >>> run = gn.train(gn.Network((3, 4, 2)), data, random_state=0)
    >>> run.predict({"age": [31, 45], "sex": ["f", "m"]}).tolist()
    [1, 0]

    scikit-learn's ColumnTransformer of StandardScaler, SimpleImputer(add_indicator=True) and OneHotEncoder
    gives the same numbers, where it is told which column is which.
    """
    if not isinstance(table, TargetedTable):
        table = TargetedTable.of(table if isinstance(table, Table) else read_table(table), target, task)
    table, rows, known = table
    targets = known.names
    settings = ColumnSettings(features, ignore, numeric, categorical, dates, scaling, max_categories)  # type: ignore[arg-type]  # made tuples there
    settings.check(table, targets)
    by = SplitBy(test_fraction, time, test_after, group, split)
    by.check(table, targets)
    values = target_values(known)
    parts = _split(by, rows, known, values, random_state)
    if len(parts.train) < 2:
        raise InputError(
            f"{table.source} has {len(values)} row(s) with a target, {len(parts.train)} to train on; "
            f"expected at least two. Give more rows, or hold none out (test_fraction=0)."
        )

    columns: dict[str, RawColumn] = {}
    infinite = []
    for name in table.names:
        columns[name], note = without_infinite(rows.column(name), rows.where)
        infinite += note

    def training(info: ColumnInfo) -> RawColumn:
        if info.kind in READERS:
            columns[info.name] = READERS[info.kind].read(columns[info.name], rows.where)
        return columns[info.name].take(parts.train)

    def stacked(names: Sequence[str]) -> Iterator[Floats]:
        for start in range(0, len(values), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            yield np.column_stack([*(columns[name].values[some] for name in names), values[some]])

    infos, encodings = learn_columns(columns, training, known, settings, by, table)
    preprocessing, X, y = _standardized(
        encodings, columns, known, values, parts.train, standardize_target, table
    )
    notes = [
        *table.notes,
        *known.notes,
        *infinite,
        *([parts.note] if parts.note else []),
        *left_out_notes(infos),
        *nameless_note(infos, settings),
        *sum_note(infos, known, stacked),
        *time_note(infos, columns, by),
    ]
    return PreparedTable(
        X, y, ColumnTable(infos.values()), preprocessing, parts, table, rows.rows, tuple(notes)
    )


def _split(
    by: SplitBy, rows: RowsInMemory, known: Target, y: NDArray[Any], random_state: int | RandomState | None
) -> Split:
    """The rows to train on and those held out, as places among the rows that have a target."""
    if not by.at_random:
        test, note = split_rows(by, rows, known, random_state)
        return Split(np.flatnonzero(~test), np.flatnonzero(test), note)
    if known.classes is None:
        return split(y, by.fraction, random_state, stratify=False)
    labels = np.array(known.classes, object if isinstance(known.classes[0], str) else None)[y]
    return split(labels, by.fraction, random_state)


def describe_columns(table: Table, target: str | Sequence[str] | None = None) -> ColumnTable:
    """What `prepare_table` would take each column for, without a split; InputError as there."""
    settings, by = ColumnSettings(), SplitBy()
    rows, known = RowsInMemory(table, np.arange(table.n_rows)), Target((), "", None, (), ())
    if target is not None:
        table, rows, known = TargetedTable.of(table, target, None)
    columns = {name: rows.column(name) for name in table.names}
    return ColumnTable(choose_columns(columns, known, settings, by, table.index).values())


def sum_note(
    infos: Mapping[str, ColumnInfo], target: Target, read: Callable[[Sequence[str]], Iterable[Floats]]
) -> list[str]:
    """A sentence where features add up to a quantity in each row: they may be its parts.

    `read` gives blocks (n, columns + 1) of some columns and the target.
    """
    if target.task == "classification" or len(target.columns) > 1:
        return []
    numbers = [name for name, info in infos.items() if (info.role, info.kind) == ("feature", "number")]
    factors = exact_sum(numbers, lambda: read(numbers))
    if not factors:
        return []
    parts = ",".join(as_option(name) for name in factors if name)
    return [
        f"{target.name!r} is {sum_text(factors)} in each row, to the last digits: if these are known only "
        f"with the target, leave them out (--ignore {parts})."
    ]


def time_note(infos: Mapping[str, ColumnInfo], columns: Mapping[str, ColumnRows], by: SplitBy) -> list[str]:
    """A sentence where rows are moments in order and are held out at random."""
    if not (by.at_random and by.fraction):
        return []
    for name, info in infos.items():
        if info.kind != "date" or info.missing or info.distinct < info.n_rows or info.n_rows < 20:
            continue
        if _is_in_order(columns[name]):
            place = np.array([int((1 - by.fraction) * info.n_rows)])
            edge = date_text(columns[name].ranked(place)[0])
            return [
                f"The rows are moments of {name!r}, and those held out lie between those trained on. To be "
                f"scored on what comes after: --test-after {as_option(edge)}."
            ]
    return []


def _is_in_order(column: ColumnRows) -> bool:
    """Whether each value is above the one before, or each below."""
    last, rising, falling = np.empty(0), True, True
    for values in column.blocks():
        steps = np.diff(values, prepend=last)
        rising, falling = rising and bool((steps > 0).all()), falling and bool((steps < 0).all())
        if not (rising or falling):
            return False
        last = values[-1:]
    return True


def _why(info: ColumnInfo, encoding: Encoding) -> str:
    """Why a column is what it is, and how many of its categories have inputs of their own."""
    if not isinstance(encoding, CategoryEncoding) or not encoding.other:
        return info.why
    rest = info.distinct - len(encoding.categories)
    rare = f"{rest:,} rare ones share one" if rest > 1 else "a rare one has another"
    return f"{info.why}; {len(encoding.categories)} have an input each, {rare}"


def learn_columns(
    columns: Mapping[str, ColumnRows],
    training: Callable[[ColumnInfo], ColumnRows],
    target: Target,
    settings: ColumnSettings,
    by: SplitBy,
    table: Table,
) -> tuple[dict[str, ColumnInfo], list[Encoding]]:
    """What each column is taken for, and the encodings of the features.

    `training` gives the rows to train on of a column, as the type of its kind. Raises InputError where no
    feature is left.
    """
    for all_stay in (False, True):  # what looks useless is better than nothing
        infos = choose_columns(columns, target, settings, by, table.index, all_stay)
        if any(info.role == "feature" for info in infos.values()):
            break
    encodings: list[Encoding] = []
    for info in [info for info in infos.values() if info.role == "feature"]:
        rows = training(info)
        encoding = _learn(rows, info.kind, settings)
        if encoding is None:
            why = f"one value in the {rows.n_rows:,} rows to train on"
            infos[info.name] = replace(info, kind="constant", role="left out", why=why)
        else:
            encodings.append(encoding)
            infos[info.name] = replace(info, inputs=len(encoding.inputs), why=_why(info, encoding))
    require_features(table, infos)
    return infos, encodings


def _by_settings(reader: Reader) -> Reader:
    """A reader of text that the settings call numbers or dates."""

    def read(column: RawColumn, where: Callable[[int], str]) -> RawColumn:
        try:
            return reader.read(column, where)
        except InputError as error:
            text = str(error)
            raise InputError(
                f"{text[0].upper()}{text[1:]}. Mend the cells, or leave the setting out."
            ) from error

    return Reader(reader.type, read)


READERS = {"number": _by_settings(AS_NUMBERS), "date": _by_settings(AS_DATES)}
"""What reads columns of text as their kind, where the settings say so."""


def _learn(training: ColumnRows, kind: str, settings: ColumnSettings) -> Encoding | None:
    if kind == "category":
        return learn_category(training, settings.max_categories)
    return learn_date(training) if kind == "date" else learn_number(training, settings.scaling)


def _standardized(
    encodings: Sequence[Encoding],
    columns: dict[str, RawColumn],
    target: Target,
    y: NDArray[Any],
    train: NDArray[np.intp],
    standardize_target: bool,
    table: Table,
) -> tuple[Preprocessing, Floats, NDArray[Any]]:
    """The preprocessing with means and scales of the training rows, all rows' inputs, and targets."""
    first = unscaled(encodings, target)
    X = first.encode_columns([columns[name] for name in first.features])
    known = moments(X[train])
    known.check_finite(lambda place: f"Column {first.inputs[place]!r} of {table.source}")
    of_target = None
    if target.task == "regression" and standardize_target:
        values = y if y.ndim == 2 else y[:, None]
        of_target = moments(values[train])
        of_target.check_finite(lambda place: f"Column {target.names[place]!r} of {table.source}")
        y = ((values - of_target.center) / of_target.scale).reshape(y.shape)
    learned = scaled(first, known, of_target)
    X -= np.array(learned.mean)
    X /= np.array(learned.scale)
    return learned, X, y


def unscaled(encodings: Sequence[Encoding], target: Target) -> Preprocessing:
    """The preprocessing that leaves the inputs of the encodings, and the target, in their units."""
    names = tuple(encoding.name for encoding in encodings)
    width = sum(len(encoding.inputs) for encoding in encodings)
    return Preprocessing(
        target.name,
        target.task,
        names,
        (0.0,) * width,
        (1.0,) * width,
        target.classes,
        columns=tuple(encodings),
        targets=target.names if len(target.names) > 1 else (),
    )


def scaled(first: Preprocessing, known: Moments, of_target: Moments | None) -> Preprocessing:
    """The preprocessing with the moments of the inputs in the rows to train on, and those of a target that
    is standardized."""
    standardized = np.array([scaled for encoding in first.encodings for scaled in encoding.standardizes])
    mean, scale = np.where(standardized, known.center, 0.0), np.where(standardized, known.scale, 1.0)
    unit: list[Any] = [0.0, 1.0]
    if of_target is not None:
        values = (of_target.center.tolist(), of_target.scale.tolist())
        unit = [v[0] if len(v) == 1 else tuple(v) for v in values]
    return replace(
        first,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        target_mean=unit[0],
        target_scale=unit[1],
    )
