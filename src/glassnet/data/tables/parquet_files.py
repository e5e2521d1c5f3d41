"""Tables from Parquet files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.tables.index import counting, refuse_repeats
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.errors import FileError, InputError
from glassnet.utils.paths import read_bytes

ENDINGS = (".parquet", ".pq")
"""The endings of Parquet files."""

_INDEX_LEVEL = re.compile(r"__index_level_\d+__", re.ASCII)


def read_parquet(path: Path) -> Table:
    """The table of a Parquet file."""
    pa, pq = import_pyarrow(path)
    data = read_bytes(path)
    try:
        # From memory: from a path, pyarrow would read folders called a=1 as columns.
        content = pq.ParquetFile(pa.BufferReader(data)).read()
        refuse_repeats(content.column_names, path)
        parsed = {name: from_arrow(content.column(i), pa) for i, name in enumerate(content.column_names)}
    except (pa.ArrowException, OSError) as error:
        raise unreadable_parquet(path, error) from error
    if not parsed:
        raise FileError(f"{path} has no columns.")
    index = pandas_index(content.schema) or counting(content.column_names[0], next(iter(parsed.values())))
    return Table(parsed, path, index=index)


def import_pyarrow(path: Path) -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet; InputError, with what to install, where they are missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            f'Reading {path} needs pyarrow, which is not installed: pip install "glassnet[parquet]". CSV '
            f"files need nothing more."
        ) from error
    return pa, pq


def unreadable_parquet(path: Path, error: Exception) -> FileError:
    """The error for a file that pyarrow cannot read."""
    return FileError(f"{path} cannot be read as Parquet: {str(error).rstrip('.')}.")


def pandas_index(schema: Any) -> tuple[str, ...]:
    """The columns of a Parquet file that hold a frame's index, as pandas writes it."""
    try:
        described = list(json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"])
    except (ValueError, KeyError, TypeError):
        described = []  # another writer's file: the names of its columns still tell
    return tuple(name for name in schema.names if name in described or _INDEX_LEVEL.fullmatch(name))


def from_arrow(column: Any, pa: Any) -> Column:
    """An Arrow column as a table's."""
    types = pa.types
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if column.null_count == 0 and types.is_boolean(kind):
        return np.array(column.to_numpy(), dtype=bool)
    if column.null_count == 0 and types.is_integer(kind):
        whole = np.array(column.to_numpy())
        if not len(whole) or whole.max() <= np.iinfo(np.int64).max:
            return whole.astype(np.int64)
    if types.is_boolean(kind):
        column = column.cast(pa.int8())
    if types.is_null(kind) or any(
        test(kind) for test in (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    ):
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    if types.is_timestamp(kind) or types.is_date(kind):
        return np.array(column.cast(pa.timestamp("us", getattr(kind, "tz", None))).to_numpy(), "M8[us]")
    return TextColumn.of(None if value is None else str(value) for value in column.to_pylist())
