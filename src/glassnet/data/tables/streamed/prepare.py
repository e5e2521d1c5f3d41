"""Tables in Parquet files, made ready for a network within the memory that reading may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.dask_cluster import ClusterDataset
from glassnet.data.fixed_order import Moments
from glassnet.data.holdout import (
    MaskedDataset,
    SomeRows,
    lacking_classes,
    split_dataset,
    split_note,
)
from glassnet.data.source import Dataset
from glassnet.data.standardization import measured
from glassnet.data.tables.choice import ColumnSettings, left_out_notes, nameless_note
from glassnet.data.tables.columns import ColumnInfo, ColumnTable
from glassnet.data.tables.prepare import (
    as_kind,
    learn_columns,
    scaled,
    sum_note,
    time_note,
    unscaled,
)
from glassnet.data.tables.preprocessing import Preprocessing, without_infinite
from glassnet.data.tables.raw import TEXT, RawColumn
from glassnet.data.tables.splits import SplitBy, split_rows
from glassnet.data.tables.streamed.encoded import EncodedFiles
from glassnet.data.tables.streamed.raw_files import TEXTS_AT_ONCE, RawFiles, StreamedTable
from glassnet.data.tables.targets import Target, as_target_names, learn_target
from glassnet.data.tables.words import as_option
from glassnet.errors import InputError


@dataclass(frozen=True, eq=False)
class PreparedFiles:
    """What `prepare_table` gives of a table in memory, of files: rows that are encoded as they are read.

    `training` and `held_out` have inputs that are not standardized yet, whose `moments` are those of the
    rows to train on, and targets as a network learns them.
    """

    training: Dataset
    held_out: Dataset | None
    columns: ColumnTable
    preprocessing: Preprocessing
    moments: Moments
    notes: tuple[str, ...]


def prepare_files(
    files: RawFiles,
    target: str | Sequence[str],
    settings: ColumnSettings,
    by: SplitBy,
    *,
    task: str | None = None,
    standardize_target: bool = True,
    random: RandomState,
    seed: int,
    client: Any = None,
    threads: int = 1,
) -> PreparedFiles:
    """Make the table of files ready as `prepare_table` does, with the bits of the same rows in memory.

    The target is in memory meanwhile, and beside it a few columns at a time. A fraction to hold out is
    drawn of each 4,096 rows by `seed`; groups by `random`. Raises what `prepare_table` raises, and
    InputError where the memory has no room for a column.
    """
    table = StreamedTable.of(files)
    settings = replace(settings, ignore=tuple(name for name in settings.ignore if name in table.names))
    targets = as_target_names(target, table)
    settings.check(table, targets)
    by.check(table, targets)
    known = learn_target(table, targets, task)
    sides = _Sides.of(by, table, known, random, seed)
    train = sides.train(files)
    columns = _ColumnsOfFiles(table, known.rows)
    infos, encodings = learn_columns(columns, columns.typed, known, settings, by, table, train)
    first = unscaled(encodings, known)
    rows = sides.of_rows(EncodedFiles(files, first, False))[0]
    moments = measured(rows if client is None else ClusterDataset(rows, client), threads)
    preprocessing, _ = scaled(first, moments, known, train, standardize_target, table)
    training, held_out = sides.of_rows(EncodedFiles(files, preprocessing, True))
    notes = [
        *table.notes,
        *known.notes,
        *columns.notes(),
        *sides.notes(known, train),
        *left_out_notes(infos),
        *nameless_note(infos, settings),
        *columns.sum_note(infos, known),
        *time_note(infos, columns, by),
    ]
    return PreparedFiles(
        training, held_out, ColumnTable(infos.values()), preprocessing, moments, tuple(notes)
    )


@dataclass(frozen=True, eq=False)
class _Sides:
    """Which of the files' rows have a target, which of these are trained on, and which held out."""

    fraction: float
    seed: int
    present: NDArray[np.bool_] | None
    """The rows that have a target; None where all have one."""
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    note: str = ""

    @classmethod
    def of(cls, by: SplitBy, table: StreamedTable, known: Target, random: RandomState, seed: int) -> _Sides:
        present = None
        if len(known.rows) < table.n_rows:
            present = np.zeros(table.n_rows, bool)
            present[known.rows] = True
        if by.test_after is None and by.group is None and by.split is None:
            return cls(by.fraction, seed, present)
        parts = split_rows(by, table, known, random)
        test = np.zeros(len(known.rows), bool)
        test[parts.test] = True
        return cls(by.fraction, seed, present, (~test, test), parts.note)

    def of_rows(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        """The rows to train on of all rows, and those held out."""
        rows = dataset if self.present is None else MaskedDataset(dataset, self.present)
        if self.masks is not None:
            training, held_out = (MaskedDataset(rows, mask) for mask in self.masks)
            return training, held_out
        return split_dataset(rows, self.fraction, self.seed) if self.fraction > 0 else (rows, None)

    def train(self, files: RawFiles) -> NDArray[np.bool_]:
        """Which of the rows that have a target are trained on."""
        if self.masks is not None:
            return self.masks[0]
        rows, held_out = self.of_rows(files)
        if held_out is None:
            return np.ones(rows.n_rows, bool)
        assert isinstance(rows, SomeRows)
        return rows.mask()

    def notes(self, known: Target, train: NDArray[np.bool_]) -> list[str]:
        """A sentence about the split, where there is something to say."""
        if self.masks is not None or known.classes is None or train.all():
            return [self.note] if self.note else []
        classes = known.classes
        sides = {"training": known.y[train], "test": known.y[~train]}
        labels = {side: [classes[number] for number in np.unique(y)] for side, y in sides.items()}
        note = split_note(lacking_classes(classes, labels))
        return [note] if note else []


class _ColumnsOfFiles(Mapping[str, RawColumn]):
    """The columns of the rows that have a target, read as they are asked for, with the next few."""

    def __init__(self, table: StreamedTable, rows: NDArray[np.intp]) -> None:
        self._table, self._rows = table, rows
        self._loaded: dict[str, RawColumn] = {}
        self._infinite: dict[str, list[str]] = {}
        self._at_once = table.files.columns_at_once()

    def __len__(self) -> int:
        return len(self._table.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.names)

    def __getitem__(self, name: str) -> RawColumn:
        if name not in self._loaded:
            self._loaded = {}  # before others take its place
            files = self._table.files
            columns = files.of(self._next(name)).load()
            for column in columns:
                self._loaded[column.name] = self._cleaned(column)
        return self._loaded[name]

    def _next(self, name: str) -> list[str]:
        names, types = self._table.names, self._table.files.types
        chosen: list[str] = []
        texts = 0
        for other in names[names.index(name) :][: self._at_once]:
            texts += types[other] == TEXT
            if texts > TEXTS_AT_ONCE:
                break
            chosen.append(other)
        return chosen

    def _cleaned(self, column: RawColumn) -> RawColumn:
        """The column's rows that have a target, with gaps for infinite values."""
        if len(self._rows) < self._table.n_rows:
            column = column.take(self._rows)
        column, self._infinite[column.name] = without_infinite(column, self.where)
        return column

    def where(self, row: int) -> str:
        """The place of a row that has a target."""
        return self._table.where(int(self._rows[row]))

    def typed(self, name: str, kind: str) -> RawColumn:
        """A column as the type of its kind."""
        files = self._table.files
        if files.types[name] != TEXT:
            return self[name]
        if kind in ("number", "date"):  # each block by itself, so that no texts need be kept
            self._loaded = {}
            values = np.full(files.n_rows, np.nan)
            one = files.of([name])
            for (column,), first in one.raw(0, files.n_rows, one.block_rows(1)):
                read = as_kind(column, kind, lambda row, first=first: files.where(first + row))  # type: ignore[misc]
                values[first : first + len(read.values)] = read.values
                type_ = read.type
            return self._cleaned(RawColumn(name, type_, values))
        column = self[name]
        if column.words_each is not None:
            raise InputError(
                f"Column {name!r} of {files.source} has more different texts than memory has room for "
                f"while categories are counted. Leave it out (--ignore {as_option(name)}), or give more "
                f"memory."
            )
        return column

    def sum_note(self, infos: Mapping[str, ColumnInfo], target: Target) -> list[str]:
        """`prepare.sum_note`, where the memory has room for all numbers at once."""
        names = [name for name, info in infos.items() if (info.role, info.kind) == ("feature", "number")]
        files = self._table.files
        if 32 * files.n_rows * len(names) > files.memory or target.task == "classification":
            return []
        columns = {name: self.typed(name, "number") for name in names}
        return sum_note(infos, columns | dict(zip(target.names, target.columns, strict=True)), target)

    def notes(self) -> list[str]:
        """Sentences about infinite values, in the order of the table."""
        return [note for name in self for note in self._infinite.get(name, [])]
