"""Parquet files of any columns, read as the raw columns of a table, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.parquet import ParquetDataset, Paths
from glassnet.data.tables.parquet_files import pandas_index
from glassnet.data.tables.raw import DATE, NUMBER, TEXT, TRUTH, RawColumn
from glassnet.data.tables.table import Column, TextColumn
from glassnet.errors import InputError


class RawFiles(ParquetDataset):
    """The columns of Parquet files, of numbers, truth values, dates and text, gaps among them.

    `names` are those to read, and `types` says what each is. Where `wanted` are named, others that the
    files have in different types, or not in all, are passed over.
    """

    def __init__(self, path: Paths, memory: int, wanted: Iterable[str] | None = None) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self.types: dict[str, str] = {}
        self.index: tuple[str, ...] = ()
        super().__init__(path, None, None, None, memory)

    def _choose_columns(self, path: Paths, features: Sequence[str] | None) -> tuple[str, ...]:
        first, schema = self._files[0].path, self._files[0].schema
        self.index = pandas_index(schema)
        for name in dict.fromkeys(schema.names):
            types: dict[str, Path] = {}
            for file in self._files:
                count = file.schema.names.count(name)
                if count != 1:
                    if self._spares(name):
                        break
                    words = "no column" if not count else "more than one column called"
                    raise InputError(
                        f"{file.path} has {words} {name!r}, which {first} has; every file needs the same "
                        f"columns, each once. It has: {', '.join(file.schema.names)}."
                    )
                types.setdefault(raw_type(file.schema.field(name).type), file.path)
            else:
                types.pop("", None)
                if set(types) == {NUMBER, TRUTH}:
                    del types[TRUTH]
                if len(types) <= 1:
                    self.types[name] = next(iter(types), NUMBER)
                elif not self._spares(name):
                    words = ", ".join(f"{kind} in {path}" for kind, path in types.items())
                    raise InputError(
                        f"Column {name!r} is {words}; expected one type in all files. Write it alike, or "
                        f"leave it out: --ignore {name}."
                    )
        self._whole = {
            name: all(_is_whole(file.schema.field(name).type) for file in self._files)
            for name in self.types
        }
        return tuple(self.types)

    def _spares(self, name: str) -> bool:
        return self._wanted is not None and name not in self._wanted

    def _reserve(self) -> None:
        """Nothing here: a few columns are read at once."""

    def of(self, names: Sequence[str]) -> RawFiles:
        """The files with these columns alone."""
        other = copy(self)
        other.names, other.n_inputs = tuple(names), len(names)
        ParquetDataset._reserve(other)
        return other

    @property
    def row_bytes(self) -> int:
        return 32 * self.n_inputs + 16  # codes, numbers, and a mask of missing values

    def raw(self, start: int, stop: int, most: int) -> Iterator[tuple[list[RawColumn], int]]:
        """The columns of rows in blocks, each with its first row; of text, each block has texts of its own.

        Infinite numbers are there as they are in the files.
        """
        for batch, first in self.batches(start, stop, most, self.names):
            yield (
                [raw_values(name, self.types[name], batch.column(name)) for name in self.names],
                first,
            )

    def empty_columns(self) -> dict[str, Column]:
        """The columns without rows, which tell their types."""
        return {name: _empty(kind, self._whole[name]) for name, kind in self.types.items()}


def raw_type(kind: Any) -> str:
    """What the cells of an Arrow type are; "" where none has a value."""
    import pyarrow as pa

    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_null(kind):
        return ""
    if types.is_boolean(kind):
        return TRUTH
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return NUMBER
    return DATE if types.is_timestamp(kind) or types.is_date(kind) else TEXT


def _is_whole(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind.value_type if pa.types.is_dictionary(kind) else kind))


def raw_values(name: str, type_: str, values: Any) -> RawColumn:
    """An Arrow array as a raw column of a type, as `raw_column` has it of a table that is read whole."""
    import pyarrow as pa

    types = pa.types
    if type_ == TEXT:
        return _raw_text(name, values)
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if types.is_null(values.type):
        return RawColumn(name, type_, np.full(len(values), np.nan))
    absent = _mask(values) if values.null_count else None
    if type_ == DATE:
        zone = getattr(values.type, "tz", None)
        values = values.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    elif types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if types.is_decimal(values.type) or types.is_float16(values.type):
        values = values.cast(pa.float64(), safe=False)
    if absent is not None:
        values = values.fill_null(0)
    numbers = np.from_dlpack(values).astype(np.float64)
    if absent is not None:
        numbers[absent] = np.nan
    return RawColumn(name, type_, numbers)


def _mask(values: Any) -> NDArray[np.bool_]:
    import pyarrow as pa

    return np.from_dlpack(values.is_null().cast(pa.uint8())).view(np.bool_)


def _raw_text(name: str, values: Any) -> RawColumn:
    import pyarrow as pa

    types = pa.types
    if types.is_null(values.type):
        return RawColumn(name, TEXT, np.full(len(values), np.nan))
    kind = values.type.value_type if types.is_dictionary(values.type) else values.type
    if not (types.is_string(kind) or types.is_large_string(kind)):
        cells = [None if value is None else str(value) for value in values.to_pylist()]
        values = pa.array(cells, pa.large_string())
    if not types.is_dictionary(values.type):
        values = values.dictionary_encode()
    codes = np.from_dlpack(values.indices.fill_null(0)).astype(np.intp)
    if values.indices.null_count:
        codes[_mask(values.indices)] = -1
    texts = values.dictionary.to_pylist()
    # A dictionary may hold null, blanks, a text twice, and texts that are in none of the rows.
    used, firsts = np.unique(codes[codes >= 0], return_index=True)
    known: dict[str, int] = {}
    table = np.full(len(texts) + 1, np.nan)
    for place in used[np.argsort(firsts)].tolist():
        word = (texts[place] or "").strip()
        if word:
            table[place] = known.setdefault(word, len(known))
    return RawColumn(name, TEXT, table[codes], tuple(known))


def _empty(kind: str, whole: bool) -> Column:
    if kind == TEXT:
        return TextColumn.of([])
    if kind == NUMBER and whole:
        return np.empty(0, np.int64)
    return np.empty(0, {NUMBER: "f8", TRUTH: "?", DATE: "M8[us]"}[kind])
