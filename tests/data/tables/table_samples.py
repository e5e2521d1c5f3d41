"""Small tables that tests of `data/tables` make."""

from pathlib import Path

import numpy as np

from glassnet.data.tables import Table, TextColumn
from glassnet.data.tables.raw import RawColumn, raw_column


def table(**columns):
    """A table of columns in memory, as if a file a.csv held them with its first row on line 2."""
    made = {}
    for name, values in columns.items():
        column = np.asarray(values)
        made[name] = column if column.dtype.kind not in "UO" else TextColumn.of(values)
    length = len(next(iter(made.values())))
    return Table(made, Path("a.csv"), lines=lambda: np.arange(2, 2 + length))


def raw(values, name="x") -> RawColumn:
    """A raw column of those values."""
    return raw_column(table(**{name: values}), name)
