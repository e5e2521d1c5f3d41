"""Columns of a table as float64, as profiles and encodings read them, in memory and block by block."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.table import Table, TextColumn

NUMBER, TRUTH, DATE, TEXT = "number", "truth", "date", "text"
"""What the cells of a column are."""

DAY = 86_400e6
"""Microseconds of a day."""


class RawColumn(NamedTuple):
    """A column: numbers, true and false as 1 and 0, dates in microseconds since 1970, or numbers of texts.

    `values` (n,) are NaN where a cell is missing. Of text, value k stands for ``texts[k]``. Where a stream
    has too many texts to keep, values are hashes and `words_each` is the mean number of words of a text.
    """

    name: str
    type: str
    values: Floats
    texts: tuple[str, ...] = ()
    words_each: float | None = None

    def take(self, rows: NDArray[np.intp] | slice) -> RawColumn:
        """Some of the rows."""
        return self._replace(values=self.values[rows])

    def words(self, value: float) -> str:
        """A value as a reader of the table knows it."""
        if self.type == TEXT:
            return self.texts[int(value)]
        if self.type == DATE:
            return date_text(value)
        return str(bool(value)).lower() if self.type == TRUTH else number_text(value)


def number_text(value: float) -> str:
    """A number in at most 15 digits: whole numbers without a point."""
    return f"{int(value)}" if value == np.floor(value) and abs(value) < 1e15 else f"{value:.15g}"


def date_text(value: float) -> str:
    """The date, and the time of the day unless it is midnight, of microseconds since 1970."""
    moment = np.datetime64(int(value), "us")
    return str(moment.astype("datetime64[D]" if value % DAY == 0 else "datetime64[s]")).replace("T", " ")


class LazyTable(Table):
    """A table whose columns are read once they are asked for; its own are empty, and tell their types."""

    @abstractmethod
    def raw(self, name: str) -> RawColumn:
        """A column with all of its rows."""


def raw_column(table: Table, name: str) -> RawColumn:
    """A table's column; InputError, with the nearest name, where there is none."""
    column = table[name]
    if isinstance(table, LazyTable):
        return table.raw(name)
    if isinstance(column, TextColumn):
        values = np.where(column.codes < 0, np.nan, column.codes.astype(np.float64))
        return RawColumn(name, TEXT, values, tuple(column.categories.tolist()))
    if column.dtype.kind == "M":
        values = column.astype("datetime64[us]").astype(np.int64).astype(np.float64)
        values[np.isnat(column)] = np.nan
        return RawColumn(name, DATE, values)
    truth = column.dtype.kind == "b" or name in table.truths
    return RawColumn(name, TRUTH if truth else NUMBER, column.astype(np.float64, copy=False))
