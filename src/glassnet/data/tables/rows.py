"""Raw rows of a table for a run that learned from one: made inputs, and answered in the table's own
terms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dask_cluster import is_collection
from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.data.parquet import are_paths, is_read_in_blocks
from glassnet.data.source import Dataset
from glassnet.data.tables.prepare import PreparedTable
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.raw import raw_column
from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.streamed.columns import rows_with_gaps
from glassnet.data.tables.streamed.encoded import differences_of, encoded_files, files_of
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.data.tables.table import Table
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.utils.memory import DEFAULT_MEMORY
from glassnet.utils.warn import warn


class TableRows(NamedTuple):
    """A table's rows as inputs (n, inputs), those of files as they are read, and how outputs become
    answers."""

    table: Table | RawFiles
    X: Floats | Dataset
    preprocessing: Preprocessing

    def answers(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """What `Network.predict` gives, as labels or in the unit of the table's target."""
        if self.preprocessing.classes is not None:
            return self.preprocessing.labels(predicted.astype(np.intp).reshape(-1))
        return self.preprocessing.values(predicted)

    def scored(self, y: object) -> tuple[Floats | Dataset, NDArray[Any] | None]:
        """X and y as the network learned them, of files X with its targets; y are a user's labels or
        values, or None for the table's own. InputError where there is none."""
        known, table = self.preprocessing, self.table
        if y is not None and isinstance(table, RawFiles):
            raise InputError(
                f"{table.source} is read block by block, and scored against its own column "
                f"{known.target!r}: leave y out, or read the table into memory."
            )
        if y is not None:
            given = read_table({known.target: y})
            return self.X, known.encode_target(raw_column(given, known.target), given.where)
        missing = [name for name in known.target_names if name not in table.names]
        if missing:
            raise InputError(
                f"{table.source} has no column {missing[0]!r} to score against. Give the targets as y."
            )
        if isinstance(table, RawFiles):
            absent = rows_with_gaps(table, known.target_names)
            if absent.any():
                count, first = int(absent.sum()), table.where(int(absent.argmax()))
                raise InputError(
                    f"{count:,} of {len(absent):,} rows have no {listed(known.target_names)} (the first at "
                    f"{first}); expected a value in every row."
                )
            return encoded_files(table, known, targeted=True), None
        return self.X, known.encode(table)


def rows_of(X: object, extra: Mapping[str, Any]) -> TableRows | None:
    """A raw table's rows for a run that learned from a table; None for arrays of inputs, and for other
    runs.

    Folders and large files of Parquet are read block by block. A PreprocessingWarning says where the table
    differs from training's.
    """
    known = extra.get("preprocessing")
    # `glassnet train` writes a name beside it, and did so before columns were encoded.
    if not isinstance(known, Mapping) or (known.get("columns") is None and "name" not in extra):
        return None
    if not is_table(X):
        if known.get("columns") is not None:
            _refuse_raw_rows(X, known)
        return None
    if isinstance(X, PreparedTable):
        raise InputError(
            "A prepared table has rows to train on and rows held out: give data.X_test and data.y_test, "
            "say, or the table itself, data.table."
        )
    preprocessing = Preprocessing.from_dict(known)
    if is_read_in_blocks(X):
        files = files_of(preprocessing, X, DEFAULT_MEMORY)
        rows = TableRows(files, encoded_files(files, preprocessing), preprocessing)
        notes = differences_of(files, preprocessing)
    else:
        table = as_table(X)
        inputs, notes = preprocessing.transform_and_note(table)
        rows = TableRows(table, inputs, preprocessing)
    if notes:
        warn(" ".join(notes), PreprocessingWarning)
    return rows


def _refuse_raw_rows(X: object, known: Mapping[str, Any]) -> None:
    """Raise InputError for rows that need names: those of a table, as values, and Dask's."""
    names = listed(known["features"])
    if is_collection(X) and hasattr(X, "columns"):
        raise InputError(
            f"This run learned from a table in memory, and X is a Dask DataFrame: give X.compute(), or "
            f"X.map_partitions(run.predict). It needs the columns {names}."
        )
    if isinstance(X, (list, tuple, np.ndarray)):
        array = np.asarray(X) if isinstance(X, np.ndarray) or _is_even(X) else np.empty(0, object)
        width = len(known["mean"])
        if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != width:
            raise InputError(
                f"This run learned from a table with the columns {names}, which become {width} inputs; got "
                f"values without these names, shape {array.shape}. Give a DataFrame, a path or a "
                f"dictionary such as {{{known['features'][0]!r}: [...], ...}}."
            )


def _is_even(rows: list[Any] | tuple[Any, ...]) -> bool:
    """Whether all rows have one length, so that NumPy takes them."""
    return len({len(row) if hasattr(row, "__len__") else -1 for row in rows}) < 2


def as_table(X: object) -> Table:
    """The table of anything that names its values, see `is_table`."""
    return X if isinstance(X, Table) else read_table(_columns_of(X))


def _columns_of(X: object) -> object:
    """Columns of what names its values row by row: a dictionary of one row, a list of them, a row of
    pandas; all else as it came."""
    if hasattr(X, "to_frame") and hasattr(X, "to_dict"):
        X = X.to_dict()
    if isinstance(X, Mapping) and X and not any(map(_is_column, X.values())):
        X = [X]
    if isinstance(X, (list, tuple)) and not are_paths(X):
        return {name: [row.get(name) for row in X] for name in dict.fromkeys(chain.from_iterable(X))}
    return X


def _is_column(values: object) -> bool:
    return not isinstance(values, (str, bytes)) and hasattr(values, "__len__")


def is_table(X: object) -> bool:
    """Whether X names its values: a `Table`, a path or a list of them, a frame, a structured array, a
    dictionary of columns or of one row, a list of such rows, a row of pandas."""
    if isinstance(X, (Table, str, os.PathLike, Mapping)):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and (all(isinstance(row, Mapping) for row in X) or are_paths(X))
    if is_collection(X):
        return False
    return (
        hasattr(X, "columns")
        or (hasattr(X, "to_frame") and hasattr(X, "to_dict"))
        or hasattr(X, "column_names")
        or (
            getattr(X, "dtype", None) is not None
            and (
                getattr(X.dtype, "names", None) is not None  # type: ignore[attr-defined]  # looked for above
            )
        )
    )
