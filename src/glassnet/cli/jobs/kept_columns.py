"""Columns of the input beside the predictions of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.data.parquet import parquet_files, parquet_header
from glassnet.data.tables import Table, TextColumn
from glassnet.errors import FileError, InputError, unknown_name
from glassnet.utils.paths import explain

ALL = "ALL"
"""Stands for all columns."""

_ROWS = 8192  # of a Parquet file that are decoded at once


class Kept(Protocol):
    """The columns of an input, some rows after the other."""

    @property
    def source(self) -> object:
        """Where they come from, for messages."""

    def names(self) -> Sequence[str]:
        """The columns that there are."""

    def blocks(self, names: Sequence[str], counts: Iterator[int]) -> Iterator[dict[str, Any]]:
        """Those columns of as many rows as each count says."""


def beside(kept: Kept, keep: Sequence[str], answers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each block of answers behind the columns to keep of its rows.

    Raises InputError, before the first block, for a column that is not there, and for one that is called
    as an answer is.
    """
    known = kept.names()
    for name in () if [*keep] == [ALL] else keep:
        if name not in known:
            raise unknown_name(f"column of {kept.source} in --keep:", name, [*known, ALL])
    return _beside(kept, known if [*keep] == [ALL] else [*dict.fromkeys(keep)], answers)


def _beside(
    kept: Kept, names: Sequence[str], answers: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    waiting: list[int] = []  # the length of the block that is next
    rows = kept.blocks(names, iter(waiting.pop, None))
    for block in answers:
        if taken := [name for name in names if name in block]:
            others = ",".join(name for name in names if name not in block)
            raise InputError(
                f"{kept.source} has a column {taken[0]!r} already, as answers are called. Keep others: "
                f"--keep '{others}'."
            )
        waiting.append(len(next(iter(block.values()))))
        yield next(rows) | block


@dataclass(frozen=True)
class KeptOfTable:
    """The columns of a table in memory."""

    table: Table

    @property
    def source(self) -> object:
        return self.table.source

    def names(self) -> Sequence[str]:
        return self.table.names

    def blocks(self, names: Sequence[str], counts: Iterator[int]) -> Iterator[dict[str, Any]]:
        columns = {name: _with_none(self.table[name], name in self.table.truths) for name in names}
        start = 0
        for count in counts:
            yield {name: column[start : start + count] for name, column in columns.items()}
            start += count


def _with_none(column: NDArray[Any] | TextColumn, truth: bool) -> NDArray[Any]:
    """The cells; those without a value are None, and whole numbers and truths beside them stay so."""
    if isinstance(column, TextColumn):
        return np.append(column.categories, np.array([None], object))[column.codes]
    if column.dtype.kind not in "fM":
        return column
    missing = np.isnat(column) if column.dtype.kind == "M" else np.isnan(column)
    if not missing.any():
        return column
    cells = column.astype(object)
    known = column[~missing]
    if column.dtype.kind == "f" and (known == np.rint(known)).all():
        cells[~missing] = [bool(value) if truth else int(value) for value in known.tolist()]
    cells[missing] = None
    return cells


@dataclass(frozen=True)
class KeptOfFiles:
    """The columns of Parquet files, as pyarrow has them, read as far as is asked for."""

    path: Path

    @property
    def source(self) -> object:
        return self.path

    def names(self) -> Sequence[str]:
        return parquet_header(self.path)[0].names

    def blocks(self, names: Sequence[str], counts: Iterator[int]) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        ahead: list[Any] = []
        batches = self._batches(names)
        try:
            for count in counts:
                while sum(map(len, ahead)) < count:
                    ahead.append(next(batches))
                rows = pa.concat_tables(ahead)
                ahead = [rows.slice(count)]
                yield {name: rows.column(name).slice(0, count) for name in names}
        except pa.ArrowInvalid as error:
            raise FileError(
                f"The columns to keep differ between the files of {self.path}: {error}."
            ) from error

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for file in parquet_files(self.path):
            try:
                with pq.ParquetFile(file) as content:
                    for batch in content.iter_batches(_ROWS, columns=[*names]):
                        yield pa.Table.from_batches([batch]).select([*names])
            except OSError as error:
                raise FileError(f"{file} cannot be read: {explain(error)}.") from error


def cells_of(column: Any) -> NDArray[Any]:
    """A column as the cells of a CSV file: dates without a time of the day where that is midnight."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind not in "MO":
            return column
        values = column.astype(object).tolist()
    else:
        values = column.to_pylist()
    cells = np.empty(len(values), object)
    cells[:] = [_date(value) if isinstance(value, datetime) else value for value in values]
    return cells


def _date(moment: datetime) -> str:
    return str(moment.date() if moment.time() == time() and moment.tzinfo is None else moment)
