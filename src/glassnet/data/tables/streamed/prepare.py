"""Tables in Parquet files, made ready for a network within the memory that reading may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.dask_cluster import ClusterDataset
from glassnet.data.fixed_order import Floats, Moments
from glassnet.data.holdout import MaskedDataset, SomeRows, split_dataset
from glassnet.data.source import Dataset
from glassnet.data.standardization import measured
from glassnet.data.tables.choice import ColumnSettings, left_out_notes, nameless_note
from glassnet.data.tables.columns import ColumnInfo, ColumnTable
from glassnet.data.tables.prepare import (
    READERS,
    learn_columns,
    scaled,
    sum_note,
    time_note,
    unscaled,
)
from glassnet.data.tables.preprocessing import AS_NUMBERS, Preprocessing
from glassnet.data.tables.splits import SplitBy, lacking_note, split_rows
from glassnet.data.tables.streamed.columns import (
    ColumnsOfFiles,
    FileRows,
    FiniteColumn,
    RawRows,
    StreamedColumn,
    StreamedTable,
    too_many_values,
)
from glassnet.data.tables.streamed.encoded import EncodedFiles
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.data.tables.targets import Target, as_target_names, learn_target, require_more

_DOUBLE = np.dtype(np.float64)


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

    Columns are read anew for each question, a few of them in memory at a time where it has room. A fraction
    to hold out is drawn of each 4,096 rows by `seed`; groups by `random`. Raises what `prepare_table`
    raises, and InputError where the memory has no room for the categories of a column.
    """
    table = StreamedTable.of(files)
    settings = replace(settings, ignore=tuple(name for name in settings.ignore if name in table.names))
    targets = as_target_names(target, table)
    settings.check(table, targets)
    by.check(table, targets)
    rows = FileRows.of(table, targets)
    known = learn_target(rows, targets, task)
    require_more(table, targets)
    sides = _Sides.of(by, rows, known, random, seed)
    columns = ColumnsOfFiles(rows)

    def training(info: ColumnInfo) -> StreamedColumn:
        if info.kind in READERS:
            columns.read_by(READERS[info.kind], info.name)
        column = columns[info.name]
        if info.kind == "category" and _CATEGORY_BYTES * info.distinct > files.memory:
            raise too_many_values(column.source, info.name)
        return FiniteColumn(column.source, sides.of_rows(column.source)[0], info.name)

    def stacked(names: Sequence[str]) -> Iterator[Floats]:
        numbers = rows.select(RawRows(files, [*names, *targets], AS_NUMBERS))
        return (block.X for block in numbers.read(0, numbers.n_rows, numbers.block_rows(1), _DOUBLE))

    infos, encodings = learn_columns(columns, training, known, settings, by, table)
    first = unscaled(encodings, known)
    inputs = sides.of_rows(EncodedFiles(files, first, False))[0]
    moments = measured(inputs if client is None else ClusterDataset(inputs, client), threads)
    of_target = None
    if known.task == "regression" and standardize_target:
        of_target = measured(sides.of_rows(RawRows(files, targets, AS_NUMBERS))[0], threads)
    preprocessing = scaled(first, moments, of_target)
    training_rows, held_out = sides.of_rows(EncodedFiles(files, preprocessing, True))
    notes = [
        *table.notes,
        *known.notes,
        *columns.notes(),
        *([sides.note] if sides.note else []),
        *left_out_notes(infos),
        *nameless_note(infos, settings),
        *sum_note(infos, known, stacked),
        *time_note(infos, columns, by),
    ]
    return PreparedFiles(
        training_rows, held_out, ColumnTable(infos.values()), preprocessing, moments, tuple(notes)
    )


_CATEGORY_BYTES = 16 * 160
"""Memory has room for the categories of a column where it has so many bytes for each."""


@dataclass(frozen=True, eq=False)
class _Sides:
    """Which of the rows that have a target are trained on, and which held out: a fraction by `seed`, or the
    rows of the mask `test`; `note` says what there is to say."""

    rows: FileRows
    fraction: float
    seed: int
    test: NDArray[np.bool_] | None = None
    note: str = ""

    @classmethod
    def of(cls, by: SplitBy, rows: FileRows, known: Target, random: RandomState, seed: int) -> _Sides:
        if not by.at_random:
            return cls(rows, 0.0, seed, *split_rows(by, rows, known, random))
        sides = cls(rows, by.fraction, seed)
        held_out = sides.of_rows(rows.table.files)[1]
        if not isinstance(held_out, SomeRows) or known.classes is None:
            return sides
        return replace(sides, note=lacking_note(known, held_out.mask()))

    def of_rows(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        """The rows to train on of all rows, and those held out."""
        rows = self.rows.select(dataset)
        if self.test is not None:
            return MaskedDataset(rows, ~self.test), MaskedDataset(rows, self.test)
        return split_dataset(rows, self.fraction, self.seed) if self.fraction > 0 else (rows, None)
