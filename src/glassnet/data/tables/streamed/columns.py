"""The raw columns of Parquet files, read anew for each question that is asked of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import MaskedDataset
from glassnet.data.reduce import Block
from glassnet.data.source import Dataset, WrappedDataset
from glassnet.data.tables.index import counting
from glassnet.data.tables.preprocessing import Reader, infinite_note
from glassnet.data.tables.raw import TEXT, RawColumn, Run, mean_words, text_number, value_text
from glassnet.data.tables.streamed.ordered import Ordered
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.data.tables.table import Table
from glassnet.data.tables.targets import gap_note
from glassnet.data.tables.words import as_option
from glassnet.errors import InputError

_DOUBLE = np.dtype(np.float64)

_SHARE = 4
"""Values that are kept for many questions, and those that are sorted at once, may each take one part in so
many of the memory."""

_TEXT_SHARE = 16
"""The different texts of a column may take one part in so many of the memory."""

_TEXT_BYTES = 160
"""Bytes that a text takes beside its letters."""

_TEXTS_AT_ONCE = 4
"""Columns of text that are read at once."""


class RawRows(WrappedDataset):
    """Columns of files as numbers, (n, columns), NaN where a cell is missing; text is read by `reader`.

    The same text has the same number in all rows and columns. `texts` are those of each column by their
    numbers, as far as they have been read and memory has room; `complete` says whether it had.
    """

    def __init__(self, files: RawFiles, names: Sequence[str], reader: Reader | None = None) -> None:
        self._files, self._reader = files.of(names), reader
        super().__init__(self._files)
        self.targeted, self.target, self.flat = False, None, False
        self.types = {
            name: reader.type if reader is not None and files.types[name] == TEXT else files.types[name]
            for name in names
        }
        self.texts: dict[str, dict[float, str]] = {name: {} for name in names}
        self.complete = dict.fromkeys(names, True)
        self._sizes = dict.fromkeys(names, 0)
        self._kept: Floats | None = None

    def keep(self) -> RawRows:
        """Read all rows into memory, where reads find them from now on."""
        kept, at = np.empty((len(self.types), self.n_rows)).T, 0
        for block in self.read(0, self.n_rows, self.block_rows(1)):
            kept[at : (at := at + len(block.X))] = block.X
        self._kept = kept
        return self

    def release(self) -> None:
        """Read from the files again."""
        self._kept = None

    def read(
        self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None = _DOUBLE
    ) -> Iterator[Block]:
        if self._kept is not None:
            for first in range(start, stop, most):
                X = self._kept[first : min(first + most, stop)]
                yield Block(X, np.empty((len(X), 0)), None)
            return
        for columns, first in self._files.raw(start, stop, most):
            values = [self._values(column, first) for column in columns]
            yield Block(np.stack(values).T, np.empty((len(values[0]), 0)), None)

    def _values(self, column: RawColumn, first: int) -> Floats:
        if self._reader is not None:
            column = self._reader.read(column, lambda row: self.where(first + row))
        if column.type != TEXT:
            return column.values
        numbers = np.array([*(self._number(column.name, text) for text in column.texts), np.nan])
        return numbers[np.where(np.isnan(column.values), len(column.texts), column.values).astype(np.intp)]

    def _number(self, name: str, text: str) -> float:
        known, number = self.texts[name], text_number(text)
        if self.complete[name]:
            count = len(known)
            while known.setdefault(number, text) != text:
                number += 1  # which stands for another text
            if len(known) > count:
                self._sizes[name] += len(text) + _TEXT_BYTES
                self.complete[name] = self._sizes[name] <= self.memory // _TEXT_SHARE
        return number


@dataclass(eq=False)
class StreamedColumn:
    """A column of `rows` as `ColumnRows` has it; `source` reads them."""

    source: RawRows
    rows: Dataset
    name: str

    @property
    def type(self) -> str:
        """What its cells are."""
        return self.source.types[self.name]

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.rows.n_rows

    @cached_property
    def missing(self) -> int:
        """How many of them have no value."""
        return sum(int(np.count_nonzero(np.isnan(values))) for values in self.blocks())

    @property
    def all_texts(self) -> bool:
        """Whether the text of each number is known."""
        return self.source.complete[self.name]

    def words(self, value: float) -> str:
        """A value as a reader of the table knows it; InputError where memory had no room for its text."""
        if self.type != TEXT:
            return value_text(self.type, value)
        if not self.all_texts:
            raise too_many_values(self.source, self.name)
        return self.source.texts[self.name][value]

    def words_each(self) -> float:
        """The mean number of words of the different texts that are known."""
        return mean_words(self.source.texts[self.name].values())

    def blocks(self) -> Iterator[Floats]:
        """The values, in the order of the rows."""
        place = [*self.source.types].index(self.name)
        for block in self.rows.read(0, self.n_rows, self.rows.block_rows(1), _DOUBLE):
            yield block.X[:, place]

    def comparable(self) -> Iterator[Floats]:
        """The values, where the same text has the same number in all columns."""
        return self.blocks()

    @property
    def _ordered(self) -> Ordered:
        return Ordered(self.blocks, self.n_rows, self.source.memory // _SHARE // 8)

    def runs(self) -> Iterator[Run]:
        """The different values and their counts, ascending, in parts; not the missing ones."""
        return self._ordered.runs()

    def ranked(self, places: NDArray[np.intp]) -> Floats:
        """The values at some places of the sorted ones that are not missing."""
        return self._ordered.ranked(places)

    def of_values(self, values: Floats) -> RawColumn:
        """Some values as a column in memory."""
        if self.type != TEXT:
            return RawColumn(self.name, self.type, values)
        known = np.unique(values[~np.isnan(values)])
        codes = np.where(np.isnan(values), np.nan, np.searchsorted(known, values))
        return RawColumn(self.name, TEXT, codes, tuple(map(self.words, known.tolist())))


class FiniteColumn(StreamedColumn):
    """A column whose infinite values are missing.

    `infinite` are how many there are, and the first one's row, once all rows have been read.
    """

    infinite: tuple[int, int] = (0, 0)

    def blocks(self) -> Iterator[Floats]:
        at = count = first = 0
        for values in super().blocks():
            infinite = np.isinf(values)
            if infinite.any():
                first = first if count else at + int(infinite.argmax())
                count += int(np.count_nonzero(infinite))
                values = np.where(infinite, np.nan, values)
            yield values
            at += len(values)
        self.infinite = count, first


def too_many_values(rows: RawRows, name: str) -> InputError:
    """The error for a column of which memory has no room for all different values."""
    return InputError(
        f"Column {name!r} of {rows.source} has more different values than memory has room for while "
        f"categories are counted. Leave it out (--ignore {as_option(name)}), or give more memory."
    )


def rows_with_gaps(files: RawFiles, names: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows have no value in one of the columns."""
    source = RawRows(files, names)
    blocks = source.read(0, source.n_rows, source.block_rows(1))
    return np.concatenate([np.isnan(block.X).any(axis=1) for block in blocks])


@dataclass(frozen=True, eq=False)
class StreamedTable(Table):
    """The table of files: its columns are empty, and tell their types."""

    files: RawFiles = field(kw_only=True)

    @classmethod
    def of(cls, files: RawFiles) -> StreamedTable:
        """The table of some files."""
        empty = files.empty_columns()
        table = cls(empty, files.source, index=files.index, files=files)
        first = next(iter(empty))
        if files.index or not counting(first, empty[first]):
            return table
        before = np.empty(0)
        for values in FileRows(table).column(first).blocks():
            if not (np.diff(values, prepend=before) == 1).all():
                return table
            before = values[-1:]
        return replace(table, index=(first,))

    @property
    def n_rows(self) -> int:
        return self.files.n_rows

    def where(self, row: int) -> str:
        return self.files.where(row)


@dataclass(frozen=True, eq=False)
class FileRows:
    """The rows of files that have a target: a mask, None where all have one. See `TargetedRows`."""

    table: StreamedTable
    present: NDArray[np.bool_] | None = None
    gaps: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: StreamedTable, names: Sequence[str]) -> FileRows:
        """The rows that have a value in each of the target's columns."""
        absent = rows_with_gaps(table.files, names)
        gaps = gap_note(table, names, int(np.count_nonzero(absent)), int(absent.argmax()))
        return cls(table, ~absent if gaps else None, gaps)

    def select(self, dataset: Dataset) -> Dataset:
        """These rows of a dataset of all rows."""
        return dataset if self.present is None else MaskedDataset(dataset, self.present)

    def where(self, row: int) -> str:
        """The place of one of these rows, for messages."""
        return self.select(self.table.files).where(row)

    def column(self, name: str, reader: Reader | None = None) -> StreamedColumn:
        """A column in these rows, read by `reader`; InputError for cells that it cannot read."""
        source = RawRows(self.table.files, [name], reader)
        column = StreamedColumn(source, self.select(source), name)
        if reader is not None and reader.type != self.table.files.types[name]:
            deque(column.blocks(), maxlen=0)  # the first read finds the cells
        return column


class ColumnsOfFiles(Mapping[str, FiniteColumn]):
    """The columns of files in some rows.

    The next few are kept in memory as long as they are asked for, where it has room.
    """

    def __init__(self, rows: FileRows) -> None:
        self._rows = rows
        self._loaded: dict[str, FiniteColumn] = {}
        self._readers: dict[str, Reader] = {}
        self._notes: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._rows.table.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows.table.names)

    def __getitem__(self, name: str) -> FiniteColumn:
        if name not in self._loaded:
            self._release()
            names, reader = self._next(name), self._readers.get(name)
            source = RawRows(self._rows.table.files, names or [name], reader)
            rows = self._rows.select(source.keep() if names else source)
            self._loaded = {other: FiniteColumn(source, rows, other) for other in source.types}
        return self._loaded[name]

    def _next(self, name: str) -> list[str]:
        """The columns to keep in memory from `name` on; none where it has room for none."""
        table = self._rows.table
        at_once = table.files.memory // _SHARE // (8 * table.n_rows)
        if name in self._readers:
            return [name][:at_once]
        chosen: list[str] = []
        texts = 0
        for other in table.names[table.names.index(name) :][:at_once]:
            texts += table.files.types[other] == TEXT
            if texts > _TEXTS_AT_ONCE or other in self._readers:
                break
            chosen.append(other)
        return chosen

    def _release(self) -> None:
        for name, column in self._loaded.items():
            count, first = column.infinite
            if count:
                self._notes[name] = infinite_note(name, count, column.rows.where(first))
            column.source.release()  # whoever still holds the column
        self._loaded = {}

    def read_by(self, reader: Reader, name: str) -> None:
        """Read a column of text by `reader` from now on."""
        if self._rows.table.files.types[name] == TEXT:
            self._release()
            self._readers[name] = reader

    def notes(self) -> list[str]:
        """Sentences about infinite values, in the order of the table."""
        self._release()
        return [self._notes[name] for name in self if name in self._notes]
