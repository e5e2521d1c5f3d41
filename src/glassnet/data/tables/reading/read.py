"""One door for tables: files of any kind, several of them, frames, and columns in memory."""

from __future__ import annotations

import glob
import io
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from glassnet.data.tables.parquet_files import ENDINGS
from glassnet.data.tables.reading.frames import from_frame
from glassnet.data.tables.reading.joining import joined
from glassnet.data.tables.reading.text_files import TextOptions, read_text
from glassnet.data.tables.reading.typed_files import read_json, read_parquet
from glassnet.data.tables.reading.workbooks import read_workbook
from glassnet.data.tables.table import Table
from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.utils.libraries import require
from glassnet.utils.paths import as_path, is_pattern, opened

STDIN = "standard input"

_DELIMITERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "blank": " ",
    "space": " ",
}


def read_table(
    source: object,
    *,
    header: bool | None = None,
    sheet: str | int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Table:
    """Read a table of any kind of file or frame; what nothing says is guessed, and said in `Table.notes`.

    Text (.csv, .tsv, .txt, .data, any ending) in any encoding, packed (.gz, .bz2, .xz, .zst, .zip of one
    file) or not; workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods); .parquet; .json, a list of records, and
    .jsonl; .feather and .arrow with pyarrow. Numbers are correctly rounded doubles, or int64 where all
    are whole and none is missing; decimal commas, separators of thousands, currency signs and %, and a
    unit that all numbers of a column have, such as m², are understood; text with leading zeros stays
    text. Dates come in many orders. Text loses blanks at its ends, and words such as NA, null, ? or - are
    missing values. Remarks below a table of text or a workbook are left out, and totals that add up.

    Parameters
    ----------
    source : a path, a pattern such as "data/*.csv", a list of paths, "-" or a binary file, a frame of
        pandas, polars or pyarrow, a structured array of NumPy, or a dict of columns. Doubles of a frame
        are no copy. Several files are one table, in the order of the list; they must have the same columns.
    header : whether the first row holds names; None looks. Without names columns are called 1, 2, ...
    sheet : a workbook's sheet, by name or by number from 1; the first that holds a table by default.
    encoding : of a text, such as "utf-8" or "cp1252".
    delimiter : between a text's values, such as ";"; " " is any number of blanks.
    decimal : the decimal mark of a text's numbers, "." or ",".

    Raises FileError for a file that is missing, unreadable or no table, with the line where one is at
    fault, InputError for no rows and settings that make no sense, InputTypeError for what is no table.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import glassnet as gn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.csv")
    ...     _ = path.write_text("width;species\\n0,2;setosa\\n1,4;NA\\n")
    ...     table = gn.read_table(path)
    >>> table.names, table["width"].tolist(), table["species"].texts().tolist()
    (('width', 'species'), [0.2, 1.4], ['setosa', ''])
    >>> print(*table.notes, sep="\\n")
    Values are separated by semicolons.
    Read 'width' with decimal commas.
    Taken for missing: 'NA' (1).

    Unlike pandas, text that looks like a number in another notation becomes one, whatever the column's
    name and place; "007" does not. The first column of ``DataFrame.to_csv``, which has no name, is kept,
    and ``index`` names it where it counts the rows.
    """
    if isinstance(source, Table):
        return source
    if delimiter is not None:
        delimiter = _DELIMITERS.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise InputError(f"delimiter is {delimiter!r}; expected one character, such as ';', or tab.")
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal is {decimal!r}; expected '.' or ','.")
    if isinstance(source, os.PathLike) and os.fspath(source) == "-":
        source = "-"
    text = TextOptions(header, encoding, delimiter, decimal)
    if (
        isinstance(source, (list, tuple))
        and source
        and all(isinstance(one, (str, os.PathLike)) for one in source)
    ):
        paths = [path for one in source for path in _paths(one)]
    elif source == "-" if isinstance(source, str) else hasattr(source, "read"):
        stream = sys.stdin.buffer if source == "-" else source
        return _checked(_spooled(stream, text, sheet))
    elif isinstance(source, (str, os.PathLike)):
        paths = _paths(source)
    else:
        return _checked(from_frame(source))
    tables = [_checked(_read(path, path, text, sheet)) for path in paths]
    return tables[0] if len(tables) == 1 else joined(tables)


def _checked(table: Table) -> Table:
    if table.n_rows == 0:
        raise InputError(f"{table.source} has names of columns, but no rows; expected at least one.")
    return table


def _paths(source: str | os.PathLike[str]) -> list[Path]:
    """The files of a path, or of a pattern that is no file's name."""
    path = as_path(source)
    if not is_pattern(path):
        return [path]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (it takes absolute patterns)
    if not found:
        raise FileError(f"There is no file that {path} fits, looked for from {Path.cwd()}.")
    return [Path(one) for one in found]


def _spooled(stream: Any, text: TextOptions, sheet: str | int | None) -> Table:
    """A stream's table, by way of a temporary file."""
    if isinstance(stream, io.TextIOBase):
        raise InputTypeError(
            "A file of text is open already; open it in binary, open(path, 'rb'), or give its path."
        )
    with tempfile.TemporaryDirectory(prefix="glassnet-") as folder:
        path = Path(folder, "table")
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
        return replace(_read(path, STDIN, text, sheet), lines=None)


def _read(path: Path, shown: Path | str, text: TextOptions, sheet: str | int | None) -> Table:
    """The table of one file, by what it begins with; the ending decides where that says nothing."""
    ending = path.suffix.lower()
    with opened(path) as file:
        start = file.read(64) if path.is_file() else b""
    if start.startswith(b"PAR1") or ending in ENDINGS:
        return read_parquet(path, shown)
    if start.startswith((b"ARROW1", b"FEA1")) or ending in (".feather", ".arrow"):
        return _read_arrow(path, shown)
    if start.startswith(b"\xd0\xcf\x11\xe0") or (
        start.startswith(b"PK") and ending != ".zip" and _is_workbook(path)
    ):
        return read_workbook(path, shown, sheet, text.header)
    if sheet is not None:
        raise InputError(f"{shown} is no workbook, so it has no sheet {sheet!r}. Leave it out (--sheet).")
    inner = Path(path.stem).suffix.lower() if ending in (".gz", ".bz2", ".xz", ".zst", ".zip") else ending
    begins = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if inner in (".json", ".jsonl", ".ndjson") or begins.startswith((b'{"', b"[{", b"[\n{")):
        return read_json(path, shown, text.encoding)
    return read_text(path, shown, text)


def _is_workbook(path: Path) -> bool:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods")
    return any(name in ("[Content_Types].xml", "content.xml") for name in names)


def _read_arrow(path: Path, shown: Path | str) -> Table:
    pa, feather = require("pyarrow"), require("pyarrow.feather")
    try:
        content = feather.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{shown} cannot be read as an Arrow file: {str(error).rstrip('.')}.") from error
    return replace(from_frame(content), source=shown)
