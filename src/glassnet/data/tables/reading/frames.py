"""Tables from what is in memory already: frames, structured arrays, dicts of columns."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.index import counting
from glassnet.data.tables.parquet_files import pandas_index
from glassnet.data.tables.reading.header import unique_names
from glassnet.data.tables.reading.understanding import at, understood
from glassnet.data.tables.table import Column, Table, TextColumn, object_array
from glassnet.errors import InputError, InputTypeError

LARGEST = np.iinfo(np.int64).max

Named = tuple[str, list[str], list[Any], tuple[str, ...]]
"""What it is in words, the names and the columns, and which of them are an index."""


def from_frame(source: object) -> Table:
    """A table of a frame's columns; columns of doubles, of int64 and of bool are no copy.

    Raises InputTypeError for what is no table, and InputError for columns of different lengths.
    """
    library = type(source).__module__.partition(".")[0]
    take = _TAKEN.get((library, type(source).__name__))
    if take is None and isinstance(source, Mapping):
        take = _mapping
    if take is None and isinstance(source, np.ndarray) and source.dtype.names:
        take = _structured
    if take is None:
        raise InputTypeError(
            "A table is a file's path or several, a frame of pandas, polars or pyarrow, a structured "
            f"array of NumPy, or a dict of columns; got {type(source).__name__}."
        )
    words, names, columns, index = take(source)
    return frame_table(words, names, columns, index)


def frame_table(
    source: Path | str, names: list[str], columns: list[Any], index: tuple[str, ...] = ()
) -> Table:
    """The table of columns of any kind, of which text is taken for what it means."""
    names, notes = unique_names(names)
    read = {name: column_of(column) for name, column in zip(names, columns, strict=True)}
    counts = {name: len(column) for name, column in read.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"The columns of {source} have different lengths: {counts}.")
    known = understood({name: column for name, column in read.items() if isinstance(column, TextColumn)})
    truths = {
        name
        for name, column in zip(names, columns, strict=True)
        if _holds_truths(column) and getattr(read[name], "dtype", None) == np.float64
    }
    read = {name: known.columns.get(name, column) for name, column in read.items()}
    index = index or (counting(names[0], read[names[0]]) if names else ())
    return Table(read, source, (*notes, *known.notes()), index, frozenset(truths | known.truths))


# ---- Frames ---------------------------------------------------------------------------------------


def _mapping(source: Any) -> Named:
    return "a dict of columns", [str(name) for name in source], [*source.values()], ()


def _structured(source: Any) -> Named:
    return "a structured array", [*source.dtype.names], [source[name] for name in source.dtype.names], ()


def _pandas(source: Any) -> Named:
    names = [
        str(name) if not isinstance(name, tuple) else " ".join(map(str, name)) for name in source.columns
    ]
    return "a pandas DataFrame", names, [source.iloc[:, place] for place in range(len(names))], ()


def _polars(source: Any) -> Named:
    return "a polars DataFrame", source.columns, source.get_columns(), ()


def _lazy(source: Any) -> Named:
    return _polars(source.collect())


def _arrow(source: Any) -> Named:
    index = pandas_index(source.schema)
    return (
        "a pyarrow Table",
        source.schema.names,
        [source.column(i) for i in range(source.num_columns)],
        index,
    )


_TAKEN: dict[tuple[str, str], Callable[[Any], Named]] = {
    ("pandas", "DataFrame"): _pandas,
    ("polars", "DataFrame"): _polars,
    ("polars", "LazyFrame"): _lazy,
    ("pyarrow", "Table"): _arrow,
    ("pyarrow", "RecordBatch"): _arrow,
}


# ---- Columns --------------------------------------------------------------------------------------


def column_of(values: Any) -> Column:
    """Values of any kind as a table's column."""
    library = type(values).__module__.partition(".")[0]
    if library in _SERIES:
        return _SERIES[library](values)
    array = values if isinstance(values, np.ndarray) else object_array(list(values))
    if array.ndim != 1:
        raise InputError(f"A column has one value for each row, (n,); got the shape {array.shape}.")
    if isinstance(values, np.ma.MaskedArray):
        return _of_objects(np.ma.filled(values.astype(object), None))
    kind = array.dtype.kind
    if kind == "b" or array.dtype in (np.int64, np.float64):
        return array
    if kind in "iu":
        return array.astype(np.float64 if array.size and array.max() > LARGEST else np.int64)
    if kind == "f":
        return array.astype(np.float64)
    if kind == "M":
        return array.astype("M8[us]")
    if kind == "m":
        return np.where(np.isnat(array), np.nan, array / np.timedelta64(1, "s"))
    if kind == "O":
        return _of_objects(array)
    if kind == "S":
        return TextColumn.of(text.decode("utf-8", "replace") for text in array.tolist())
    return TextColumn.of(map(str, array.tolist()))


def _pandas_series(series: Any) -> Column:
    dtype = series.dtype
    if str(dtype) == "category":
        words = column_of(series.cat.categories)
        codes = series.cat.codes.to_numpy()
        if isinstance(words, TextColumn):
            return TextColumn(np.append(words.codes, np.int32(-1))[codes], words.categories)
        return at(words, codes)
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return column_of(series.to_numpy())
    if getattr(dtype, "tz", None) is not None:
        return column_of(series.dt.tz_localize(None).to_numpy())
    if getattr(dtype, "kind", "O") in "biuf":
        gone = series.isna().to_numpy()
        if not gone.any():
            return column_of(series.to_numpy(dtype.numpy_dtype))
        return column_of(series.to_numpy(np.float64, na_value=np.nan))
    if str(dtype).startswith(("string", "str", "large_string")):
        import pandas as pd

        codes, words = pd.factorize(series)
        return TextColumn.coded(codes, list(words))
    return _of_objects(series.to_numpy(object))


def _polars_series(series: Any) -> Column:
    kind = str(series.dtype)
    if kind.startswith(("Categorical", "Enum", "String")):
        import polars as pl

        texts = series.cast(pl.String)
        codes = texts.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        return TextColumn.coded(codes, texts.drop_nulls().unique().sort().to_list())
    if series.null_count() == 0 and series.dtype.is_numeric() and not kind.startswith("Decimal"):
        return column_of(series.to_numpy())
    if series.dtype.is_numeric():
        import polars as pl

        return column_of(series.cast(pl.Float64).to_numpy())
    if kind.startswith("Datetime"):
        return column_of(series.dt.replace_time_zone(None).to_numpy())
    return (
        _of_objects(object_array(series.to_list()))
        if not kind.startswith("Date")
        else column_of(series.to_numpy())
    )


def _arrow_column(column: Any) -> Column:
    import pyarrow as pa

    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
        if not (types.is_string(kind) or types.is_large_string(kind)):
            column = column.cast(kind)
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        array = array if types.is_dictionary(array.type) else array.dictionary_encode()
        if isinstance(array, pa.ChunkedArray):
            array = array.unify_dictionaries().combine_chunks()
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return TextColumn.coded(codes, array.dictionary.to_pylist())
    if types.is_timestamp(kind) or types.is_date(kind):
        times = column.cast(pa.timestamp("us", getattr(kind, "tz", None)))
        return np.asarray(times.to_numpy(zero_copy_only=False), "M8[us]")
    if types.is_integer(kind) and column.null_count == 0:
        return column_of(column.to_numpy(zero_copy_only=False))
    if types.is_boolean(kind):
        return _of_objects(object_array(column.to_pylist()))
    if types.is_null(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        doubles = column.cast(pa.float64(), safe=False)
        return np.asarray(doubles.to_numpy(zero_copy_only=False), np.float64)
    return _of_objects(object_array(column.to_pylist()))


_SERIES: dict[str, Callable[[Any], Column]] = {
    "pandas": lambda values: (
        _pandas_series(values) if hasattr(values, "iloc") else column_of(np.asarray(values))
    ),
    "polars": _polars_series,
    "pyarrow": _arrow_column,
}


def _holds_truths(values: Any) -> bool:
    """Whether the values are true and false, with gaps."""
    dtype = str(getattr(values, "dtype", getattr(values, "type", "object"))).lower()
    if dtype.startswith("bool"):
        return True
    if dtype != "object":
        return False
    first = next((value for value in values if value is not None and value == value), None)
    return isinstance(first, (bool, np.bool_))


def _of_objects(array: NDArray[np.object_]) -> Column:
    """Python's objects: true and false, numbers, dates, or else text."""
    values = array.tolist()
    missing = [value is None or value != value or str(value) == "<NA>" for value in values]
    present = [value for value, gone in zip(values, missing, strict=True) if not gone]
    if present and all(isinstance(value, str) for value in present):
        return TextColumn.of(None if gone else v for v, gone in zip(values, missing, strict=True))
    numbers = [np.nan if gone else value for value, gone in zip(values, missing, strict=True)]
    if present and all(isinstance(value, (bool, np.bool_)) for value in present):
        return np.array(numbers, float if any(missing) else bool)
    if all(isinstance(value, (Real, Decimal)) for value in present):
        whole = not any(missing) and all(isinstance(value, (int, np.integer)) for value in present)
        small = whole and all(-LARGEST <= value <= LARGEST for value in present)
        return np.array(numbers, np.int64 if small else np.float64)
    if all(isinstance(value, datetime.date) for value in present):
        days = [None if gone else _naive(v) for v, gone in zip(values, missing, strict=True)]
        return np.array(days, "M8[us]")
    return TextColumn.of(None if gone else str(v) for v, gone in zip(values, missing, strict=True))


def _naive(day: datetime.date) -> datetime.date:
    return day.replace(tzinfo=None) if isinstance(day, datetime.datetime) else day
