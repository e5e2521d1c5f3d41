"""Parquet files as a dataset, read a block at a time."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from glassnet.data.reduce import Block, Columns
from glassnet.data.source import Dataset, choose_columns
from glassnet.data.tables import Column, Table
from glassnet.data.tables.parquet_files import ENDINGS, pandas_index, unreadable_parquet
from glassnet.data.tables.words import as_option
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.utils.libraries import require
from glassnet.utils.memory import DEFAULT_MEMORY, size_text
from glassnet.utils.paths import as_path, explain, is_pattern

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_BUFFER_BYTES = 128 << 10
"""Bytes of a column that are read at once."""

_PAGE_BYTES = 1 << 20
"""Bytes of a page, as nearly all writers make them."""

_OTHER_ENDINGS = {
    ".npy": "Map the array, X = np.load({!r}, mmap_mode='r'), and give that",
    ".npz": "Load an array of it, X = np.load({!r})[NAME], and give that",
    ".csv": "Only Parquet is read in parts: write the table as such, for instance with "
    "pandas.read_csv({!r}).to_parquet(...), or let glassnet train take it into memory",
}
"""What to do with files of other formats, by their ending."""


# ---- Paths and folders ----------------------------------------------------------------------------


def are_paths(X: object) -> TypeGuard[Paths]:
    """Whether X is a path, or a list of paths."""
    several = X if isinstance(X, (list, tuple)) and X else [X]
    return all(isinstance(path, (str, os.PathLike)) for path in several)


def _as_list(paths: Paths) -> Sequence[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, (str, os.PathLike)) else paths


def parquet_files(paths: Paths) -> list[Path]:
    """The files, and all Parquet files of the folders and their subfolders, in the order of their names.

    Numbers in names count as numbers: part-10 comes after part-9. Names that begin with a point or an
    underscore are passed over. Raises FileError for a path that does not exist, a folder without Parquet
    files, and files of another format.
    """
    return [file for path in _as_list(paths) for file in _files_in(_existing(as_path(path, "X")))]


def _existing(path: Path) -> Path:
    remedy = _OTHER_ENDINGS.get(path.suffix.lower())
    if remedy is not None and not path.is_dir():
        raise FileError(f"{path} is not a Parquet file. {remedy.format(str(path))}.")
    if not path.exists():
        hint = ""
        if is_pattern(path):
            hint = " Patterns are not filled in: give the folder, or a list, sorted(glob.glob(...))."
        raise FileError(f"There is no file or folder {path}, looked for from {Path.cwd()}.{hint}")
    return path


def _files_in(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in ENDINGS
        and not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
    ]
    if not files:
        raise FileError(f"{path} holds no Parquet file; expected files that end in {' or '.join(ENDINGS)}.")
    return sorted(files, key=lambda file: _natural(file.relative_to(path)))


def _natural(path: Path) -> list[list[tuple[int, str]]]:
    names = [re.findall(r"\d+|\D+", name) for name in path.parts]
    return [[(int(word), word) if word.isdecimal() else (-1, word) for word in name] for name in names]


def folder_keys(paths: Paths, files: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """The columns that only the names of folders hold, such as year=2024, each with such a name.

    `names` are the columns of the files.
    """
    keys: dict[str, str] = {}
    for top in _as_list(paths):
        for file in files:
            for folder in file.relative_to(top).parts[:-1] if file.is_relative_to(top) else ():
                key, equals, _ = folder.partition("=")
                if key and equals and key not in names:
                    keys.setdefault(key, folder)
    return keys


def refuse_keys(keys: dict[str, str], lacking: Sequence[str], all_others: bool) -> None:
    """Raise InputError where one of `keys`, from `folder_keys`, is to be learned from.

    `lacking` are names that the files' columns lack; `all_others` says that every other column is wanted.
    """
    for key, folder in keys.items():
        if key in lacking or all_others:
            option = as_option(key)
            without = f" To do without, name the features, features=[...], or give --ignore {option}."
            raise InputError(
                f"The column {key!r} is in the names of folders alone, such as {folder}, and is not read: "
                f"write files that hold it, for instance with pandas.read_parquet(...).to_parquet(...)."
                f"{'' if key in lacking else without}"
            )


# ---- Files ----------------------------------------------------------------------------------------


def parquet_header(path: Path) -> tuple[Table, int]:
    """The columns of a file, or of a folder's first one, without rows; and the bytes of all values."""
    table: Table | None = None
    rows = 0
    for file in parquet_files(path):
        with _opened(file) as content:
            rows += content.metadata.num_rows
            if table is None:
                schema = content.schema_arrow
                columns: dict[str, Column] = {name: np.empty(0) for name in schema.names}
                table = Table(columns, file, index=pandas_index(schema))
    assert table is not None  # else `parquet_files` has raised
    return table, 8 * rows * len(table.names)


def is_read_in_blocks(X: object) -> TypeGuard[Paths]:
    """Whether a table is read a block at a time by itself: a folder, or a Parquet file above 1 GiB; so is a
    list with such a path."""
    if not are_paths(X):
        return False
    paths = [Path(path) for path in _as_list(X)]
    return any(
        path.is_dir()
        or (path.suffix.lower() in ENDINGS and path.is_file() and parquet_header(path)[1] > DEFAULT_MEMORY)
        for path in paths
    )


class _File(NamedTuple):
    path: Path
    size: int
    changed: int
    groups: tuple[int, ...]
    """The first row of each row group within the file, and the number of all rows."""
    page_bytes: dict[str, int]
    """The bytes of the largest page of each column, at most."""
    schema: Any

    @classmethod
    def of(cls, path: Path) -> _File:
        groups, largest = [0], dict[str, int]()
        with _opened(path) as content:
            metadata = content.metadata
            for g in range(metadata.num_row_groups):
                group = metadata.row_group(g)
                groups.append(groups[-1] + group.num_rows)
                for c in range(group.num_columns):
                    column = group.column(c)
                    name, size = column.path_in_schema, column.total_uncompressed_size
                    largest[name] = max(largest.get(name, 0), size)
            status = path.stat()
            schema = content.schema_arrow
        return cls(path, status.st_size, status.st_mtime_ns, tuple(groups), largest, schema)


class ParquetDataset(Dataset):
    """The rows of a file, of a folder's files in the order of their names, or of a list of either."""

    names: tuple[str, ...]

    def __init__(
        self,
        path: Paths,
        target: str | Sequence[str] | None,
        features: Sequence[str] | None,
        weight: str | None,
        memory: int,
    ) -> None:
        files = parquet_files(path)
        self._targets = _as_targets(target)
        self.flat, self._weight, self.weighted = isinstance(target, str), weight, weight is not None
        self.targeted, self.target = target is not None, target if isinstance(target, str) else None
        first, *others = [os.fspath(name) for name in _as_list(path)]
        self.source = f"{first} and {len(others)} more" if others else first
        self.memory = memory
        self._files = [_File.of(file) for file in files]
        self._largest_pages = {
            name: max(file.page_bytes.get(name, 0) for file in self._files)
            for name in self._files[0].page_bytes
        }
        self.names = self._choose_columns(path, features)
        self._before = np.cumsum([0, *(file.groups[-1] for file in self._files)]).tolist()
        self.n_rows, self.n_inputs = self._before[-1], len(self.names)
        if self.n_rows == 0:
            raise InputError(f"{self.source} has columns, but no rows; expected at least one.")
        self._reserve()
        kinds = {str(file.schema.field(name).type) for file in self._files for name in self.names}
        self.dtype = np.dtype(np.float32 if kinds == {"float"} else np.float64)
        # Dask's workers get a copy of the files' records with each task.
        self._files = [file._replace(page_bytes={}, schema=None) for file in self._files]

    def _reserve(self) -> None:
        """Know the bytes that a reader of the columns takes; InputError where memory is less."""
        # The reader of a column holds a page as it is in the file, and unpacked.
        pages = [self._page_bytes(name) for name in self._columns_read()]
        self.reader_bytes = sum(2 * page + _BUFFER_BYTES for page in pages)
        if self.reader_bytes > self.memory // 2:
            raise InputError(
                f"memory is {size_text(self.memory)}, but to read {len(pages)} columns of {self.source} "
                f"page by page takes about {size_text(self.reader_bytes)}: give "
                f"{size_text(2 * self.reader_bytes)} or more, or name fewer features."
            )

    def _choose_columns(self, path: Paths, features: Sequence[str] | None) -> tuple[str, ...]:
        first, schema = self._files[0].path, self._files[0].schema
        special = [*self._targets, *([] if self._weight is None else [self._weight])]
        lacking = [name for name in [*special, *(features or ())] if name not in schema.names]
        paths = [file.path for file in self._files]
        refuse_keys(folder_keys(path, paths, schema.names), lacking, features is None)
        index = pandas_index(schema)
        names = choose_columns(str(first), schema.names, self._targets, self._weight, features, index)
        for file in self._files:
            _check_schema(file, [*names, *special], self._targets, first)
            known = [*schema.names, *pandas_index(file.schema)]
            more = [name for name in file.schema.names if name not in known]
            if more and features is None:
                raise InputError(
                    f"{file.path} has the column {more[0]!r}, which {first} lacks; every file needs the "
                    f"same columns. To leave it out, name the features: features=[...]."
                )
        return names

    def _columns_read(self) -> list[str]:
        return [*self.names, *self._targets, *([] if self._weight is None else [self._weight])]

    def _page_bytes(self, name: str) -> int:
        return min(_PAGE_BYTES, self._largest_pages.get(name) or _PAGE_BYTES)

    @property
    def row_bytes(self) -> int:
        return 12 * (self.n_inputs + len(self._targets) + 1)  # as numbers, and a mask of missing values

    def workers(self, threads: int) -> int:
        return max(1, min(threads, self.memory // 2 // self.reader_bytes))

    def inputs(self) -> Dataset:
        other = copy(self)
        other._targets, other._weight, other.flat = [], None, False
        other.weighted = other.targeted = False
        return other

    def row_groups(self) -> list[int]:
        pairs = zip(self._files, self._before, strict=False)
        starts = [before + begin for file, before in pairs for begin in file.groups[:-1]]
        return sorted({*starts, self.n_rows})

    def where(self, row: int) -> str:
        place = bisect_right(self._before, row) - 1
        return f"row {row - self._before[place] + 1} of {self._files[place].path}"

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        for columns in self.read_columns(start, stop, most, dtype):
            yield columns.block(self.dtype if dtype is None else dtype)

    def read_columns(
        self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None
    ) -> Iterator[Columns]:
        names = self._columns_read()[0 if dtype is not None else self.n_inputs :]
        for batch, first in self.batches(start, stop, most, names):
            yield self._columns(batch, first, dtype)

    def batches(self, start: int, stop: int, most: int, names: Sequence[str]) -> Iterator[tuple[Any, int]]:
        """Columns of rows `start` to before `stop` as Arrow's record batches, each with its first row."""
        for file, before in zip(self._files, self._before, strict=False):
            low, high = max(start - before, 0), min(stop - before, file.groups[-1])
            if low < high:
                yield from self._read_file(file, before, low, high, most, names)

    def _read_file(
        self, file: _File, before: int, low: int, high: int, most: int, names: Sequence[str]
    ) -> Iterator[tuple[Any, int]]:
        import pyarrow as pa

        groups = [
            g
            for g, begin in enumerate(file.groups[:-1])
            if begin < high and file.groups[g + 1] > low and begin < file.groups[g + 1]
        ]
        at = file.groups[groups[0]]
        status = file.path.stat() if file.path.exists() else None
        if status is None or (status.st_size, status.st_mtime_ns) != (file.size, file.changed):
            raise FileError(f"{file.path} has changed, or is gone, since training began to read it.")
        with _opened(file.path) as content:
            try:
                for batch in content.iter_batches(
                    most, groups, list(dict.fromkeys(names)), use_threads=False
                ):
                    begin, end = max(low - at, 0), min(high - at, batch.num_rows)
                    if begin < end:
                        yield batch.slice(begin, end - begin), before + at + begin
                    at += batch.num_rows
                    if at >= high:
                        return
            except (pa.ArrowException, OSError) as error:
                raise unreadable_parquet(file.path, error) from error

    def _columns(self, batch: Any, first: int, dtype: np.dtype[Any] | None) -> Columns:
        def column(name: str) -> NDArray[Any]:
            values = batch.column(name)
            if values.null_count:
                row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
                raise InputError(
                    f"Column {name!r} has a missing value at {self.where(first + row)}; expected a "
                    f"value in each row. Drop those rows or fill them in."
                )
            return _as_numpy(values)

        with np.errstate(over="ignore"):  # the scan reports what overflows
            X = () if dtype is None else tuple(column(n).astype(dtype, copy=False) for n in self.names)
        y = [column(name) for name in self._targets] or [np.empty((batch.num_rows, 0))]
        weight = None if self._weight is None else column(self._weight)
        return Columns(X, y[0] if self.flat else np.column_stack(y), weight)


def _as_targets(target: object) -> list[str]:
    if target is None:
        return []
    targets = [target] if isinstance(target, str) else target
    if not (isinstance(targets, (list, tuple)) and targets and all(isinstance(n, str) for n in targets)):
        raise InputTypeError(
            f"y is the target column's name, or a list of names, where X is a path; got {short(target)}."
        )
    return list(targets)


def _as_numpy(values: Any) -> NDArray[Any]:
    """A column without missing values. Not by `to_numpy`, which imports pandas: 40 MiB more."""
    import pyarrow as pa

    types = pa.types
    if types.is_string(values.type) or types.is_large_string(values.type):
        values = values.dictionary_encode()
    if types.is_dictionary(values.type):
        # Rows that have the same text share one object.
        known = values.dictionary
        text = types.is_string(known.type) or types.is_large_string(known.type)
        entries = np.array(known.to_pylist(), object) if text or known.null_count else _as_numpy(known)
        return entries[np.from_dlpack(values.indices)]
    if types.is_boolean(values.type):
        return np.from_dlpack(values.cast(pa.uint8())).view(np.bool_)
    return np.from_dlpack(values.cast(pa.float64()) if types.is_decimal(values.type) else values)


def _opened(path: Path) -> Any:
    pa, pq = require("pyarrow"), require("pyarrow.parquet")
    try:
        # Page by page: a mapped file, or a row group that is read at once, may be of any size.
        # Pages with a checksum are compared with it.
        return pq.ParquetFile(
            path,
            memory_map=False,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
    except pa.ArrowException as error:
        raise unreadable_parquet(path, error) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {explain(error)}.") from error


def _check_schema(file: _File, names: Sequence[str], targets: Sequence[str], first: Path) -> None:
    import pyarrow as pa

    types, schema = pa.types, file.schema
    for name in names:
        if schema.names.count(name) != 1:
            count = "no column" if name not in schema.names else "more than one column called"
            raise InputError(
                f"{file.path} has {count} {name!r}, which {first} has; every file needs the same columns. "
                f"It has: {', '.join(schema.names)}."
            )
        kind = schema.field(name).type
        inner = kind.value_type if types.is_dictionary(kind) else kind
        numeric = types.is_boolean, types.is_integer, types.is_floating, types.is_decimal
        text = name in targets and (types.is_string(inner) or types.is_large_string(inner))
        if not text and not any(test(inner) for test in numeric):
            raise InputTypeError(
                f"Column {name!r} of {file.path} holds {kind} values; expected numbers. Leave the column "
                f"out, with features=[...] or --ignore {as_option(name)}, or encode its categories as "
                f"numbers."
            )
