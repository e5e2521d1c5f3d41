"""Tables from CSV and Parquet files, as named columns of NumPy arrays."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import FileError, InputError, unknown_name
from glassnet.utils.paths import as_path, read_bytes

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""The text, in any case, of a cell of a column of numbers whose number is missing."""

DELIMITERS = (",", ";", "\t")

ENDINGS = (".parquet", ".pq")
"""The endings of Parquet files."""

NAMELESS = ("unnamed 1", "Unnamed: 0")
"""The names of a first column without a name: here, and in a file that pandas read and wrote again."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_INDEX_LEVEL = re.compile(r"__index_level_\d+__", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_OTHER_FORMATS = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook: export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: export the sheet as CSV",
    b"\x1f\x8b": "compressed with gzip: unpack it first, with gunzip",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns by name, all of one length, in the file's order.

    A column of numbers is int64 or float64 (a missing value is NaN), a column of true and false is bool,
    and any other column holds text (dtype object; a missing value is the empty string). ``lines`` has the
    line on which each row of a CSV begins, and is None for other files. ``index`` names the columns that
    only number the rows, as pandas writes a frame's index.
    """

    columns: dict[str, NDArray[Any]]
    source: Path
    lines: NDArray[np.int64] | None = None
    index: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns)

    @property
    def n_rows(self) -> int:
        """How many rows there are, the header not counted."""
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column; InputError, with the nearest name, for a name that is not there."""
        if name not in self.columns:
            choices = [known for known in self.names if known not in self.index]
            raise unknown_name(f"column of {self.source}:", name, choices)
        return self.columns[name]

    def where(self, row: int) -> str:
        """The place of a row, counted from 0, for messages: its line in a CSV, else its number from 1."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a CSV or (.parquet, .pq) Parquet file.

    A CSV begins with a row of names and is in UTF-8, with or without a byte-order mark; commas,
    semicolons or tabs separate its values, whichever cut the first two rows into equally many; blank
    lines are skipped. Numbers have decimal points. A column without a name is called "unnamed 1", by
    its place.

    Raises FileError for a file that is missing, unreadable or no table, naming the line of a row
    that is too long or too short, and InputError for names that repeat, for no rows, and where
    Parquet needs a library that is not installed.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from glassnet.data.tables import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.csv")
    ...     _ = path.write_text("width,species\\n0.2,setosa\\n1.4,versicolor\\n")
    ...     table = read_table(path)
    >>> table.names, table["width"].tolist(), table["species"].tolist()
    (('width', 'species'), [0.2, 1.4], ['setosa', 'versicolor'])

    Unlike pandas, this keeps a first column without a name, as ``DataFrame.to_csv`` writes the index; where
    that counts the rows, ``index`` names it. Text in a column of numbers is a missing value only if it is
    one of `MISSING`.
    """
    path = as_path(path)
    table = _read_parquet(path) if path.suffix.lower() in ENDINGS else _read_csv(path)
    if table.n_rows == 0:
        raise InputError(f"{path} has names of columns, but no rows; expected at least one.")
    return table


# ---- CSV -----------------------------------------------------------------------------------------


def _read_csv(path: Path) -> Table:
    text = _decode(read_bytes(path), path)
    records = _records(text, _delimiter(text), path)
    _, header = next(records, (0, []))
    if not header:
        raise FileError(f"{path} is empty; expected a row of column names, then rows of values.")
    names = [name.strip() or f"unnamed {place}" for place, name in enumerate(header, 1)]
    _refuse_repeats(names, path)
    if all(is_number(name) for name in names):
        raise InputError(
            f"The first row of {path} is numbers: {', '.join(names[:5])}. Expected the columns' names; "
            f"put a row of names on top."
        )
    lines, rows = [], []
    for line, row in records:
        if len(row) != len(names):
            raise FileError(
                f"Line {line} of {path} has {len(row)} value(s), but the first row names {len(names)} "
                f"columns. Mend that line; text that holds a separator goes between double quotes."
            )
        lines.append(line)
        rows.append(row)
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    parsed = {name: _parse(cells) for name, cells in zip(names, columns, strict=True)}
    return Table(parsed, path, np.array(lines, np.int64), _counting(names[0], parsed[names[0]]))


def _counting(name: str, column: NDArray[Any]) -> tuple[str, ...]:
    """The name of the first column, where the file has none for it and it counts the rows."""
    counts = name in NAMELESS and column.dtype == np.int64 and bool(np.all(np.diff(column) == 1))
    return (name,) if counts else ()


def _decode(data: bytes, path: Path) -> str:
    for magic, kind in _OTHER_FORMATS.items():
        if data.startswith(magic):
            raise FileError(f"{path} is not a CSV file but {kind}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(
            f"{path} is not text in UTF-8: byte 0x{data[error.start]:02x} on line {line}. Save it as "
            f"UTF-8, for instance with iconv -f latin1 -t utf-8."
        ) from error
    if "\0" in text:  # within double quotes, as `write_csv` writes it, it is a character like any other
        parts = enumerate(text.split('"'))
        bare = "".join("\n" * part.count("\n") if quoted % 2 else part for quoted, part in parts)
        if "\0" in bare:
            line = bare.count("\n", 0, bare.index("\0")) + 1
            raise FileError(f"{path} is not a CSV file: line {line} holds a zero byte.")
    return text


def _records(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the line on which it begins."""
    # Strict: otherwise a quote that is never closed silently swallows the rest of the file.
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(
            f"The row of {path} that begins on line {line} cannot be read: {error}. Look for a double "
            f"quote that is not closed; inside quotes, one is written twice."
        ) from error


def _delimiter(text: str) -> str:
    def score(delimiter: str) -> tuple[bool, int]:
        records = _records(text, delimiter, Path())
        try:
            first = next(records, (0, []))[1]
            second = next(records, (0, first))[1]
        except FileError:
            return False, 0
        # A delimiter that does not occur in a row makes one column of it.
        return 1 < len(first) == len(second), len(first)

    return max(DELIMITERS, key=score)  # the first of equals


def is_number(text: str) -> bool:
    """Whether a cell is a number as CSV files write them; Python's float() also takes 1_000."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Whether a cell of a column of numbers marks a missing value."""
    return text.strip().lower() in MISSING


def as_option(name: str) -> str:
    """A column's name as an option takes it in a shell; a name with a comma, say, is in double quotes."""
    if any(character in name for character in ',"\r\n'):
        name = '"' + name.replace('"', '""') + '"'
    return shlex.quote(name)


def without_index(table: Table, names: list[str]) -> tuple[list[str], list[str]]:
    """The names without those of an index, and notes about columns that are, or may be, an index."""
    index = [name for name in names if name in table.index]
    if index:
        return [name for name in names if name not in index], [
            f"Left out, since an index only numbers the rows: {', '.join(map(repr, index))}. To learn from "
            f"it, name the features that you want (--features)."
        ]
    if names and names[0] in NAMELESS and names[0] == table.names[0]:
        return names, [
            f"The first column has no name, and is taken for a feature: {names[0]!r}. Where it is an "
            f"index, which tells nothing of new rows, leave it out (--ignore {as_option(names[0])})."
        ]
    return names, []


def _parse(cells: Sequence[str]) -> NDArray[Any]:
    values = [cell.strip() for cell in cells]
    present = [value for value in values if value.lower() not in MISSING]
    whole = len(present) == len(values)
    if {value.lower() for value in present} <= {"true", "false"}:
        truths = {"true": 1.0, "false": 0.0}
        numbers = np.array([truths.get(value.lower(), np.nan) for value in values])
        return numbers.astype(bool) if whole else numbers
    if not all(_NUMBER.fullmatch(value) for value in present):
        return np.array([str(cell) for cell in cells], dtype=object)
    if whole and all(_INTEGER.fullmatch(value) for value in present):
        try:
            return np.array([int(value) for value in values], dtype=np.int64)
        except (OverflowError, ValueError):
            pass  # more than 64 bits: a float comes near
    return np.array([np.nan if value.lower() in MISSING else float(value) for value in values])


def _refuse_repeats(names: Sequence[str], path: Path) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(
                f"{path} has more than one column called {name!r}; expected every name once. Rename them."
            )


# ---- Parquet -------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> Table:
    pa, pq = import_pyarrow(path)
    data = read_bytes(path)
    try:
        # From memory: from a path, pyarrow would read folders called a=1 as columns.
        content = pq.ParquetFile(pa.BufferReader(data)).read()
        _refuse_repeats(content.column_names, path)
        parsed = {name: _from_arrow(content.column(i), pa) for i, name in enumerate(content.column_names)}
    except (pa.ArrowException, OSError) as error:
        raise unreadable_parquet(path, error) from error
    if not parsed:
        raise FileError(f"{path} has no columns.")
    index = pandas_index(content.schema) or _counting(content.column_names[0], next(iter(parsed.values())))
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


def _from_arrow(column: Any, pa: Any) -> NDArray[Any]:
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
    return np.array(["" if v is None else str(v) for v in column.to_pylist()], dtype=object)
