"""Parquet files as rows, read a block at a time."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.reduce import Block, Columns
from glassnet.data.source import Dataset, refuse_weight
from glassnet.data.tables import Table, as_option, pandas_index
from glassnet.errors import FileError, InputError, InputTypeError, unknown_name
from glassnet.utils.memory import size_text
from glassnet.utils.paths import as_path, explain

ENDINGS = (".parquet", ".pq")

_ARROW = {"float32": "float", "float64": "double"}

_BUFFER_BYTES = 128 << 10
"""Of a column that is read in one go."""

_PAGE_BYTES = 1 << 20
"""A page, as nearly all writers make them."""


class _File(NamedTuple):
    path: Path
    size: int
    changed: int
    groups: tuple[int, ...]
    """The rows before each row group, within the file; its end is the number of all."""


def parquet_files(path: Paths) -> list[Path]:
    """The file, or a folder's Parquet files in the order of their names; of a list, one after the other.

    Those of subfolders count too. Numbers in names count as numbers: part-10 comes after part-9. Names that
    begin with a point or an underscore are passed over. Raises FileError where there are none, and for
    files of another format.
    """
    return [file for given in each_path(path) for file in _in_folder(given)]


def _in_folder(given: Path) -> list[Path]:
    if given.is_file():
        return [given]
    found = [
        file
        for file in given.rglob("*")
        if file.suffix.lower() in ENDINGS
        and not any(part.startswith((".", "_")) for part in file.relative_to(given).parts)
    ]
    if not found:
        raise FileError(
            f"{given} holds no Parquet file; expected files that end in {' or '.join(ENDINGS)}."
        )
    return sorted(found, key=lambda file: _natural(file.relative_to(given)))


def _natural(path: Path) -> list[list[tuple[int, str]]]:
    parts = [re.findall(r"\d+|\D+", part) for part in path.parts]
    return [[(int(word), word) if word.isdecimal() else (-1, word) for word in part] for part in parts]


def parquet_header(path: Path) -> tuple[Table, int]:
    """The columns of a file, or of a folder's first one, without rows; and what all values would take."""
    found: Table | None = None
    rows = 0
    for file in parquet_files(path):
        with _opened(file) as content:
            rows += content.metadata.num_rows
            if found is None:
                schema = content.schema_arrow
                columns = {name: np.empty(0) for name in schema.names}
                found = Table(columns, file, index=pandas_index(schema))
    assert found is not None  # else `parquet_files` has raised
    return found, 8 * rows * len(found.names)


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
        if isinstance(features, str):
            raise InputTypeError(f"features is a list of column names, not one text: [{features!r}].")
        if isinstance(features, (set, frozenset)):
            raise InputTypeError("features is a set, which has no order; expected a list of column names.")
        files = parquet_files(path)
        self.source, self.memory, self.weighted = paths_in_words(path), memory, weight is not None
        named = [] if target is None else [target] if isinstance(target, str) else target
        targets = list(named) if isinstance(named, (list, tuple)) else []
        self.targeted, self.target = target is not None, target if isinstance(target, str) else None
        if not (targets or target is None) or not all(isinstance(name, str) for name in targets):
            raise InputTypeError(
                "y is the target column's name, or a list of names, where X is a path; got "
                f"{short(target)}."
            )
        self._flat, self._targets, self._weight = isinstance(target, str), targets, weight
        self._files, schemas, largest = [], [], dict[str, int]()
        for file in files:
            with _opened(file) as content:
                metadata = content.metadata
                groups = [0]
                for g in range(metadata.num_row_groups):
                    group = metadata.row_group(g)
                    groups.append(groups[-1] + group.num_rows)
                    for c in range(group.num_columns):
                        chunk = group.column(c)
                        size = max(largest.get(chunk.path_in_schema, 0), chunk.total_uncompressed_size)
                        largest[chunk.path_in_schema] = size
                status = file.stat()
                self._files.append(_File(file, status.st_size, status.st_mtime_ns, tuple(groups)))
                schemas.append(content.schema_arrow)
        first = schemas[0]
        refuse_weight(weight, targets)
        special = [*targets, *([] if weight is None else [weight])]
        lacking = [name for name in [*special, *(features or ())] if name not in first.names]
        refuse_keys(folder_keys(path, files, first.names), lacking, features is None)
        choices = _others(first.names, pandas_index(first))
        for name in special:
            if name not in first.names:
                raise unknown_name(f"column of {self._files[0].path}:", name, choices)
        index = [] if features is not None else pandas_index(first)
        self.names = tuple(features if features is not None else _others(first.names, [*special, *index]))
        for name in self.names:
            if name not in first.names:
                raise unknown_name(f"column of {self._files[0].path}:", name, choices)
            if name in special:
                raise InputError(f"{name!r} is a target or weight; it cannot be a feature too.")
        if not self.names:
            raise InputError(f"{self._files[0].path} has no column but {', '.join(special)}.")
        for read, schema in zip(self._files, schemas, strict=True):
            _check_schema(read.path, schema, [*self.names, *special], targets, self._files[0].path)
            known = [*first.names, *pandas_index(schema)]
            more = [] if features is not None else _others(schema.names, known)
            if more:
                raise InputError(
                    f"{read.path} has the column {more[0]!r}, which {self._files[0].path} lacks; every "
                    f"file needs the same columns. To leave it out, name the features: features=[...]."
                )
        self._before = np.cumsum([0, *(file.groups[-1] for file in self._files)]).tolist()
        self.n_rows, self.n_inputs = self._before[-1], len(self.names)
        if self.n_rows == 0:
            raise InputError(f"{self.source} has columns, but no rows; expected at least one.")
        # A column's reader holds a page as it is in the file, and unpacked.
        pages = [min(_PAGE_BYTES, largest.get(name, _PAGE_BYTES)) for name in [*self.names, *special]]
        self._lane_bytes = sum(2 * page + _BUFFER_BYTES for page in pages)
        if self._lane_bytes > memory // 2:
            raise InputError(
                f"memory is {size_text(memory)}, but to read {len(pages)} columns of {self.source} page by "
                f"page takes about {size_text(self._lane_bytes)}: give {size_text(2 * self._lane_bytes)} "
                f"or more, or name fewer features."
            )
        single = all(str(schema.field(name).type) == "float" for schema in schemas for name in self.names)
        self.dtype = np.dtype(np.float32 if single else np.float64)

    @property
    def row_bytes(self) -> int:
        return 12 * (self.n_inputs + len(self._targets) + 1)  # as numbers, and what says which are missing

    def workers(self, threads: int) -> int:
        return max(1, min(threads, self.memory // 2 // self._lane_bytes))

    def inputs(self) -> Dataset:
        other = copy(self)
        other._targets, other._weight, other._flat = [], None, False
        other.weighted = other.targeted = False
        return other

    def row_groups(self) -> list[int]:
        pairs = zip(self._files, self._before, strict=False)
        starts = [before + begin for file, before in pairs for begin in file.groups[:-1]]
        return sorted({*starts, self.n_rows})

    def where(self, row: int) -> str:
        place = bisect_right(self._before, row) - 1
        return f"row {row - self._before[place] + 1} of {self._files[place].path}"

    def column(self, place: int) -> str:
        return f"Column {self.names[place]!r}"

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        for columns in self.read_columns(start, stop, most, dtype):
            yield columns.block(self.dtype if dtype is None else dtype)

    def read_columns(
        self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None
    ) -> Iterator[Columns]:
        for file, before in zip(self._files, self._before, strict=False):
            low, high = max(start - before, 0), min(stop - before, file.groups[-1])
            if low < high:
                yield from self._read_file(file, before, low, high, most, dtype)

    def _read_file(
        self, file: _File, before: int, low: int, high: int, most: int, dtype: np.dtype[Any] | None
    ) -> Iterator[Columns]:
        import pyarrow as pa

        groups = [
            g
            for g, begin in enumerate(file.groups[:-1])
            if begin < high and file.groups[g + 1] > low and begin < file.groups[g + 1]
        ]
        at = file.groups[groups[0]]
        inputs = () if dtype is None else self.names
        names = [*inputs, *self._targets, *([] if self._weight is None else [self._weight])]
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
                        yield self._columns(batch.slice(begin, end - begin), before + at + begin, dtype)
                    at += batch.num_rows
                    if at >= high:
                        return
            except (pa.ArrowException, OSError) as error:
                raise FileError(_unreadable(file.path, error)) from error

    def _columns(self, batch: Any, first: int, dtype: np.dtype[Any] | None) -> Columns:
        def column(name: str) -> NDArray[Any]:
            values = batch.column(name)
            if values.null_count:
                row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
                raise InputError(
                    f"Column {name!r} has a missing value at {self.where(first + row)}; expected a "
                    f"value in each row. Drop those rows or fill them in."
                )
            return _numbers(values)

        with np.errstate(over="ignore"):  # found by the survey
            X = () if dtype is None else tuple(column(n).astype(dtype, copy=False) for n in self.names)
        y = [column(name) for name in self._targets] or [np.empty((batch.num_rows, 0))]
        weight = None if self._weight is None else column(self._weight)
        return Columns(X, y[0] if self._flat else np.column_stack(y), weight)


def _numbers(values: Any) -> NDArray[Any]:
    import pyarrow as pa

    types = pa.types
    if types.is_string(values.type) or types.is_large_string(values.type):
        values = values.dictionary_encode()
    if types.is_dictionary(values.type):
        # A text is made once for all rows that have it.
        known = values.dictionary.to_numpy(zero_copy_only=False)
        return known[values.indices.to_numpy(zero_copy_only=False)]
    if types.is_decimal(values.type):
        values = values.cast(pa.float64())
    found = values.to_numpy(zero_copy_only=False)
    return found if found.dtype.kind != "O" else np.array(found.tolist(), dtype=object)


def _opened(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            f'Reading {path} needs pyarrow, which is not installed: pip install "glassnet[parquet]".'
        ) from error
    try:
        # Page by page: a file that is mapped, or a row group that is read at once, may be of any size.
        # Pages with a checksum are held against it.
        return pq.ParquetFile(
            path,
            memory_map=False,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
    except pa.ArrowException as error:
        raise FileError(_unreadable(path, error)) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {explain(error)}.") from error


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} cannot be read as Parquet: {str(error).rstrip('.')}."


def _others(names: Sequence[str], special: Sequence[str]) -> list[str]:
    return [name for name in names if name not in special]


def _check_schema(
    path: Path, schema: Any, names: Sequence[str], targets: Sequence[str], first: Path
) -> None:
    import pyarrow as pa

    types = pa.types
    for name in names:
        if schema.names.count(name) != 1:
            what = "no column" if name not in schema.names else "more than one column called"
            raise InputError(
                f"{path} has {what} {name!r}, which {first} has; every file needs the same columns. It "
                f"has: {', '.join(schema.names)}."
            )
        kind = schema.field(name).type
        inner = kind.value_type if types.is_dictionary(kind) else kind
        tests = types.is_boolean, types.is_integer, types.is_floating, types.is_decimal
        text = name in targets and (types.is_string(inner) or types.is_large_string(inner))
        if not text and not any(test(inner) for test in tests):
            raise InputTypeError(
                f"Column {name!r} of {path} holds {kind} values; expected numbers. Leave the column out, "
                f"with features=[...] or --ignore {as_option(name)}, or encode its categories as numbers."
            )


Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_OTHERS = {
    ".npy": "Map the array, X = np.load({!r}, mmap_mode='r'), and give that",
    ".npz": "Load an array of it, X = np.load({!r})[NAME], and give that",
    ".csv": "Only Parquet is read in parts: write the table as such, for instance with "
    "pandas.read_csv({!r}).to_parquet(...), or let glassnet train take it into memory",
}
"""Endings of files that people have, and what to do with them."""


def are_paths(X: object) -> bool:
    """Whether X is a path, or a list of paths."""
    several = X if isinstance(X, (list, tuple)) and X else [X]
    return all(isinstance(one, (str, os.PathLike)) for one in several)


def each_path(paths: Paths) -> Iterator[Path]:
    """One path or several, each of which is there; FileError for what is not, or of another format."""
    for one in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        path = as_path(one, "X")
        other = _OTHERS.get(path.suffix.lower())
        if other is not None and not path.is_dir():
            raise FileError(f"{path} is not a Parquet file. {other.format(str(path))}.")
        if not path.exists():
            hint = ""
            if any(mark in str(path) for mark in "*?["):
                hint = " Patterns are not filled in: give the folder, or a list, sorted(glob.glob(...))."
            raise FileError(f"There is no file or folder {path}, looked for from {Path.cwd()}.{hint}")
        yield path


def paths_in_words(paths: Paths) -> str:
    """What was given, for a sentence."""
    if isinstance(paths, (str, os.PathLike)):
        return os.fspath(paths)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{os.fspath(paths[0])}{more}"


def folder_keys(paths: Paths, files: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """The columns that names of folders alone tell, as year=2024 does, each with such a name.

    `names` are the files' own columns.
    """
    found: dict[str, str] = {}
    for top in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        for file in files:
            for part in file.relative_to(top).parts[:-1] if file.is_relative_to(top) else ():
                key, equals, _ = part.partition("=")
                if key and equals and key not in names:
                    found.setdefault(key, part)
    return found


def refuse_keys(keys: dict[str, str], asked: Sequence[str], all_others: bool) -> None:
    """Raise InputError where one of `keys`, from `folder_keys`, is wanted.

    `asked` are names that the files' columns lack; `all_others`: whatever there is, is wanted.
    """
    for key, folder in keys.items():
        if key in asked or all_others:
            option = as_option(key)
            without = f" To do without, name the features, features=[...], or give --ignore {option}."
            without = "" if key in asked else without
            raise InputError(
                f"The column {key!r} is in the names of folders alone, such as {folder}, and is not read: "
                f"write files that hold it, for instance with pandas.read_parquet(...).to_parquet(...)."
                f"{without}"
            )
