"""Raw rows of a table for a run that learned from one: made inputs, and answered in the table's own
terms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dask_cluster import is_collection
from glassnet.data.fixed_order import Floats
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.raw import raw_column
from glassnet.data.tables.read import read_table
from glassnet.data.tables.table import Table
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.utils.warn import warn


class TableRows(NamedTuple):
    """A table's rows as inputs (n, inputs), and how outputs become answers."""

    table: Table
    X: Floats
    preprocessing: Preprocessing

    def answers(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """What `Network.predict` gives, as labels or in the unit of the table's target."""
        if self.preprocessing.classes is not None:
            return self.preprocessing.labels(predicted.astype(np.intp).reshape(-1))
        return self.preprocessing.values(predicted)

    def targets(self) -> NDArray[Any]:
        """The table's own target as the network learned it; InputError where there is none."""
        missing = [name for name in self.preprocessing.target_names if name not in self.table.names]
        if missing:
            raise InputError(
                f"{self.table.source} has no column {missing[0]!r} to score against. Give the targets as y."
            )
        return self.preprocessing.encode(self.table)

    def encoded(self, y: object) -> NDArray[Any]:
        """A user's labels or values, (n,), as the network learned them."""
        name = self.preprocessing.target
        table = read_table({name: y})
        return self.preprocessing.encode_target(raw_column(table, name), table.where)


def rows_of(X: object, extra: Mapping[str, Any]) -> TableRows | None:
    """A raw table's rows for a run that learned from a table; None for arrays of inputs, and for other
    runs.

    A PreprocessingWarning says where the table differs from training's.
    """
    known = extra.get("preprocessing")
    # `glassnet train` writes a name beside it, and did so before columns were encoded.
    of_table = isinstance(known, Mapping) and (known.get("columns") is not None or "name" in extra)
    if not of_table or not is_table(X):
        return None
    preprocessing = Preprocessing.from_dict(known)  # type: ignore[arg-type]  # a Mapping
    table = X if isinstance(X, Table) else read_table(X)
    inputs, notes = preprocessing.transform_and_note(table)
    if notes:
        warn(" ".join(notes), PreprocessingWarning)
    return TableRows(table, inputs, preprocessing)


def is_table(X: object) -> bool:
    """Whether X has named columns: a `Table`, a path, a frame, a structured array, a dictionary of
    columns."""
    if isinstance(X, (Table, str, os.PathLike, Mapping)):
        return True
    if is_collection(X):
        return False
    return (
        hasattr(X, "columns")
        or hasattr(X, "column_names")
        or (
            getattr(X, "dtype", None) is not None
            and (
                getattr(X.dtype, "names", None) is not None  # type: ignore[attr-defined]  # looked for above
            )
        )
    )
