"""Tables from text files: commas, semicolons or tabs between values."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from glassnet.data.tables.index import counting, refuse_repeats
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.data.tables.words import MISSING, is_number
from glassnet.errors import FileError, InputError
from glassnet.utils.paths import read_bytes

DELIMITERS = (",", ";", "\t")

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_OTHER_FORMATS = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook: export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: export the sheet as CSV",
    b"\x1f\x8b": "compressed with gzip: unpack it first, with gunzip",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}


def read_text(path: Path) -> Table:
    """The table of a text file."""
    text = _decode(read_bytes(path), path)
    records = _records(text, _delimiter(text), path)
    _, header = next(records, (0, []))
    if not header:
        raise FileError(f"{path} is empty; expected a row of column names, then rows of values.")
    names = [name.strip() or f"unnamed {place}" for place, name in enumerate(header, 1)]
    refuse_repeats(names, path)
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
    index = counting(names[0], parsed[names[0]])
    return Table(parsed, path, index=index, lines=lambda: np.array(lines, np.int64))


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


def _parse(cells: Sequence[str]) -> Column:
    values = [cell.strip() for cell in cells]
    present = [value for value in values if value.lower() not in MISSING]
    whole = len(present) == len(values)
    if {value.lower() for value in present} <= {"true", "false"}:
        truths = {"true": 1.0, "false": 0.0}
        numbers = np.array([truths.get(value.lower(), np.nan) for value in values])
        return numbers.astype(bool) if whole else numbers
    if not all(map(is_number, present)):
        return TextColumn.of(cells)
    if whole and all(_INTEGER.fullmatch(value) for value in present):
        try:
            return np.array([int(value) for value in values], dtype=np.int64)
        except (OverflowError, ValueError):
            pass  # more than 64 bits: a float comes near
    return np.array([np.nan if value.lower() in MISSING else float(value) for value in values])
