"""Tables from what is in memory already: frames, structured arrays, dicts of columns."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.errors import InputError, InputTypeError

LARGEST = np.iinfo(np.int64).max


def from_frame(source: object) -> Table:
    """A table of a frame's columns, without a copy where its numbers are doubles already."""
    if isinstance(source, Mapping):
        words, columns = (
            "a dict of columns",
            {str(name): column_of(values) for name, values in source.items()},
        )
    else:
        raise InputTypeError(f"A table is a file's path or a dict of columns; got {type(source).__name__}.")
    counts = {name: len(column) for name, column in columns.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"The columns of {words} have different lengths: {counts}.")
    return Table(columns, words)


def column_of(values: Any) -> Column:
    """Values of any kind as a table's column."""
    array = values if isinstance(values, np.ndarray) else _as_array(list(values))
    if array.ndim != 1:
        raise InputError(f"A column has one value for each row, (n,); got the shape {array.shape}.")
    kind = array.dtype.kind
    if kind == "b" or array.dtype in (np.int64, np.float64):
        return array
    if kind in "iu":
        return array.astype(np.float64 if array.size and array.max() > LARGEST else np.int64)
    if kind == "f":
        return array.astype(np.float64)
    if kind == "M":
        return array.astype("M8[us]")
    if kind == "O":
        return _of_objects(array)
    return TextColumn.of(map(str, array.tolist()))


def _as_array(values: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _of_objects(array: NDArray[np.object_]) -> Column:
    """Python's objects: true and false, numbers, dates, or else text."""
    values = array.tolist()
    missing = [value is None or value != value for value in values]
    present = [value for value, gone in zip(values, missing, strict=True) if not gone]
    if present and all(isinstance(value, bool) for value in present):
        return np.array(values, float) if any(missing) else np.array(values, bool)
    if all(isinstance(value, (Real, Decimal)) for value in present):
        numbers = [np.nan if gone else value for value, gone in zip(values, missing, strict=True)]
        whole = not any(missing) and all(isinstance(value, (int, np.integer)) for value in present)
        if whole and all(-LARGEST <= value <= LARGEST for value in present):
            return np.array(numbers, np.int64)
        return np.array(numbers, np.float64)
    if all(isinstance(value, datetime.date) for value in present):
        return np.array([None if gone else v for v, gone in zip(values, missing, strict=True)], "M8[us]")
    return TextColumn.of(None if gone else str(v) for v, gone in zip(values, missing, strict=True))
