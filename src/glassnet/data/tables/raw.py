"""Columns of a table as float64, as profiles and encodings read them, in memory and block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.table import Table, TextColumn

NUMBER, TRUTH, DATE, TEXT = "number", "truth", "date", "text"
"""What the cells of a column are."""

DAY = 86_400e6
"""Microseconds of a day."""

Run = tuple[Floats, NDArray[np.int64]]
"""Different values, ascending, and how often each comes."""

_RUN_ROWS = 1 << 16
"""About so many rows of sorted values are counted at once."""


class ColumnRows(Protocol):
    """A column in some rows, in memory or read anew for each question about it.

    Values are numbers, true and false as 1 and 0, dates in microseconds since 1970, or numbers that stand
    for texts; NaN where a cell is missing. `all_texts` says whether the text of each number is known.
    """

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def missing(self) -> int: ...
    @property
    def all_texts(self) -> bool: ...

    def words(self, value: float) -> str:
        """A value as a reader of the table knows it."""

    def words_each(self) -> float:
        """The mean number of words of the different texts that are known."""

    def blocks(self) -> Iterator[Floats]:
        """The values, in the order of the rows."""

    def comparable(self) -> Iterator[Floats]:
        """The values, where the same text has the same number in all columns."""

    def runs(self) -> Iterator[Run]:
        """The different values and their counts, ascending, in parts; not the missing ones."""

    def ranked(self, places: NDArray[np.intp]) -> Floats:
        """The values at some places of the sorted ones that are not missing."""

    def of_values(self, values: Floats) -> RawColumn:
        """Some values as a column in memory."""


class RawColumn(NamedTuple):
    """A column in memory, as `ColumnRows` has it: `values` (n,); of text, value k stands for
    ``texts[k]``."""

    name: str
    type: str
    values: Floats
    texts: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def missing(self) -> int:
        """How many of them have no value."""
        return int(np.count_nonzero(np.isnan(self.values)))

    @property
    def all_texts(self) -> bool:
        """Whether the text of each number is known: always."""
        return True

    def take(self, rows: NDArray[np.intp] | slice) -> RawColumn:
        """Some of the rows."""
        return self._replace(values=self.values[rows])

    def words(self, value: float) -> str:
        """A value as a reader of the table knows it."""
        return self.texts[int(value)] if self.type == TEXT else value_text(self.type, value)

    def words_each(self) -> float:
        """The mean number of words of the different texts that are known."""
        return mean_words(self.texts)

    def blocks(self) -> Iterator[Floats]:
        """The values, as one block."""
        yield self.values

    def comparable(self) -> Iterator[Floats]:
        """The values, where the same text has the same number in all columns."""
        if self.type != TEXT:
            yield self.values
            return
        numbers = np.array([*map(text_number, self.texts), np.nan])
        yield numbers[np.where(np.isnan(self.values), len(self.texts), self.values).astype(np.intp)]

    def runs(self) -> Iterator[Run]:
        """The different values and their counts, ascending, in parts; not the missing ones."""
        known = self.values[~np.isnan(self.values)]
        if self.type == TEXT:
            counts = np.bincount(known.astype(np.intp))
            used = np.flatnonzero(counts)
            yield used.astype(np.float64), counts[used]
        else:
            known.sort()
            yield from runs_of(known)

    def ranked(self, places: NDArray[np.intp]) -> Floats:
        """The values at some places of the sorted ones that are not missing."""
        known = self.values[~np.isnan(self.values)]
        known.partition(np.unique(places))
        return known[places]

    def of_values(self, values: Floats) -> RawColumn:
        """Some values as a column in memory."""
        return self._replace(values=values)


def runs_of(ordered: Floats) -> Iterator[Run]:
    """The different values of sorted ones with their counts, in parts that share no value."""
    start = 0
    while start < len(ordered):
        last = ordered[min(start + _RUN_ROWS, len(ordered)) - 1]
        stop = int(np.searchsorted(ordered, last, side="right"))
        part = ordered[start:stop]
        firsts = np.flatnonzero(np.concatenate([[True], part[1:] != part[:-1]]))
        yield part[firsts], np.diff(firsts, append=len(part))
        start = stop


def all_runs(column: ColumnRows) -> Run:
    """The runs of a column as one."""
    runs = [*column.runs()] or [(np.empty(0), np.empty(0, np.int64))]
    return np.concatenate([values for values, _ in runs]), np.concatenate([counts for _, counts in runs])


def side_by_side(*columns: ColumnRows) -> Iterator[list[Floats]]:
    """Blocks of several columns of the same rows, of one length each."""
    readers = [column.blocks() for column in columns]
    left = [np.empty(0) for _ in columns]
    while True:
        for place, reader in enumerate(readers):
            while not len(left[place]):
                if (block := next(reader, None)) is None:
                    return
                left[place] = block
        n = min(map(len, left))
        yield [values[:n] for values in left]
        left = [values[n:] for values in left]


def mean_words(texts: Iterable[str]) -> float:
    """The mean number of words of some texts."""
    counts = [len(text.split()) for text in texts]
    return sum(counts) / max(1, len(counts))


def text_number(text: str) -> float:
    """A number that stands for a text while the program runs: of its hash, as many bits as a float64
    holds."""
    return float(hash(text) & (1 << 53) - 1)


def value_text(type_: str, value: float) -> str:
    """A value of a type but text as a reader of the table knows it."""
    if type_ == DATE:
        return date_text(value)
    return str(bool(value)).lower() if type_ == TRUTH else number_text(value)


def number_text(value: float) -> str:
    """A number in at most 15 digits: whole numbers without a point."""
    return f"{int(value)}" if value == np.floor(value) and abs(value) < 1e15 else f"{value:.15g}"


def date_text(value: float) -> str:
    """The date, and the time of the day unless it is midnight, of microseconds since 1970."""
    moment = np.datetime64(int(value), "us")
    return str(moment.astype("datetime64[D]" if value % DAY == 0 else "datetime64[s]")).replace("T", " ")


def raw_column(table: Table, name: str) -> RawColumn:
    """A table's column; InputError, with the nearest name, where there is none."""
    column = table[name]
    if isinstance(column, TextColumn):
        values = np.where(column.codes < 0, np.nan, column.codes.astype(np.float64))
        return RawColumn(name, TEXT, values, tuple(column.categories.tolist()))
    if column.dtype.kind == "M":
        values = column.astype("datetime64[us]").astype(np.int64).astype(np.float64)
        values[np.isnat(column)] = np.nan
        return RawColumn(name, DATE, values)
    truth = column.dtype.kind == "b" or name in table.truths
    return RawColumn(name, TRUTH if truth else NUMBER, column.astype(np.float64, copy=False))
