"""Rows of Parquet files that are encoded as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.holdout import MaskedDataset
from glassnet.data.parquet import Paths
from glassnet.data.reduce import Block
from glassnet.data.source import Dataset, WrappedDataset
from glassnet.data.standardization import StandardizedDataset
from glassnet.data.tables.preprocessing import (
    Differences,
    Preprocessing,
    as_numbers,
    as_type_of,
    without_infinite,
)
from glassnet.data.tables.raw import RawColumn
from glassnet.data.tables.streamed.columns import rows_with_gaps
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.data.tables.table import Table

_DOUBLE = np.dtype(np.float64)


class EncodedFiles(WrappedDataset):
    """The inputs of a preprocessing, not standardized, and its target where `targeted`, block by block.

    Of rows without a target y is -1 or NaN: whoever trains or scores leaves them out.
    """

    def __init__(self, files: RawFiles, preprocessing: Preprocessing, targeted: bool) -> None:
        self._known, self._all = preprocessing, files
        targets = preprocessing.target_names if targeted else ()
        names = [*dict.fromkeys((*preprocessing.features, *targets))]
        self._files = files.of(names)
        super().__init__(self._files)
        self._targets = files.of(targets) if targeted else None
        self.names = preprocessing.inputs
        self.n_inputs, self.dtype = len(preprocessing.inputs), _DOUBLE
        self.targeted = targeted
        self.flat, self.target = len(targets) == 1, preprocessing.target if len(targets) == 1 else None

    @property
    def row_bytes(self) -> int:
        return int(self._dataset.row_bytes) + 8 * (2 * self.n_inputs + 2)

    def block_rows(self, workers: int) -> int:
        self.reader_bytes = self._dataset.reader_bytes
        return Dataset.block_rows(self, workers)

    def column(self, place: int) -> str:
        return Dataset.column(self, place)

    def inputs(self) -> Dataset:
        return EncodedFiles(self._all, self._known, False)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        files = self._files if dtype is not None else self._targets
        if files is None:
            for first in range(start, stop, most):
                yield Block(
                    np.empty((min(most, stop - first), 0)), np.empty((min(most, stop - first), 0)), None
                )
            return
        for columns, first in files.raw(start, stop, most):
            by_name = {column.name: column for column in columns}
            y = self._y(by_name, first) if self.targeted else np.empty((len(columns[0].values), 0))
            X = (
                np.empty((len(y), 0))
                if dtype is None
                else self._x(by_name, first).astype(dtype, copy=False)
            )
            yield Block(X, y, None)

    def _x(self, columns: dict[str, RawColumn], first: int) -> NDArray[np.float64]:
        X = np.empty((self.n_inputs, len(next(iter(columns.values())).values)))
        place = 0
        for encoding in self._known.encodings:
            column, _ = without_infinite(columns[encoding.name], str)
            column = as_type_of(encoding, column, lambda row: self.where(first + row))
            for values in encoding.encode(column):
                X[place] = values
                place += 1
        return X.T

    def _y(self, columns: dict[str, RawColumn], first: int) -> NDArray[Any]:
        known = self._known

        def where(row: int) -> str:
            return str(self.where(first + row))

        several = [columns[name] for name in known.target_names]
        if len(several) == 1:
            return known.encode_target(several[0], where)
        values = np.column_stack([as_numbers(column, where).values for column in several])
        return (values - np.array(known.target_mean)) / np.array(known.target_scale)


def files_of(preprocessing: Preprocessing, path: Paths, memory: int) -> RawFiles:
    """The files of a table that a model is to answer; InputError, as `Preprocessing.transform` has it, for
    columns that are not there."""
    files = RawFiles(path, memory, (*preprocessing.features, *preprocessing.target_names))
    preprocessing.raw_columns(Table(files.empty_columns(), files.source))
    return files


def encoded_files(files: RawFiles, preprocessing: Preprocessing, targeted: bool = False) -> Dataset:
    """The rows of files as a model takes them, with their target where `targeted`."""
    return _standardized(EncodedFiles(files, preprocessing, targeted), preprocessing)


def differences_of(files: RawFiles, preprocessing: Preprocessing) -> list[str]:
    """What differs from training, by a pass, in the sentences of `Preprocessing.transform_and_note`."""
    rows = files.of(preprocessing.features)
    known = [Differences(encoding) for encoding in preprocessing.encodings]
    for columns, first in rows.raw(0, rows.n_rows, rows.block_rows(1)):
        for differences, column in zip(known, columns, strict=True):
            where = lambda row, first=first: files.where(first + row)  # noqa: E731
            differences.add(as_type_of(differences.encoding, column, where))
    return [note for differences in known for note in differences.notes(files.where)]


def scored_files(files: RawFiles, preprocessing: Preprocessing) -> Dataset | None:
    """The rows that have a target, as a model takes them; None where the files, or all rows, have none."""
    if not {*preprocessing.target_names} <= {*files.types}:
        return None
    absent = rows_with_gaps(files, preprocessing.target_names)
    if absent.all():
        return None
    rows: Dataset = EncodedFiles(files, preprocessing, True)
    return _standardized(MaskedDataset(rows, ~absent) if absent.any() else rows, preprocessing)


def _standardized(rows: Dataset, preprocessing: Preprocessing) -> Dataset:
    return StandardizedDataset(rows, np.array(preprocessing.mean), np.array(preprocessing.scale))
