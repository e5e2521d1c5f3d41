"""Tables from the sheets of workbooks: Excel's .xlsx, .xlsm, .xlsb and .xls, and .ods."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.tables.reading.end import without_end
from glassnet.data.tables.reading.frames import frame_table
from glassnet.data.tables.reading.header import has_header, unique_names
from glassnet.data.tables.table import Table
from glassnet.errors import FileError, InputError, unknown_name

_LOOKED_AT = 200
"""Rows that the header is guessed from."""


def read_workbook(path: Path, shown: Path | str, sheet: str | int | None, header: bool | None) -> Table:
    """The table of a sheet, by name or by number from 1; by default of the first that holds a table."""
    import python_calamine

    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            name, rows, notes = _sheet(book, shown, sheet)
    except python_calamine.PasswordError as error:
        raise FileError(
            f"{shown} is protected by a password. Save it without one, or its sheet as CSV."
        ) from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise FileError(
            f"{shown} cannot be read as a workbook: {str(error).rstrip('.')}. It may be damaged, or "
            "protected by a password; open it in a spreadsheet program and save the sheet as CSV."
        ) from error
    return _table(rows, shown, name, header, notes)


def _sheet(book: Any, shown: Path | str, sheet: Any) -> tuple[str, list[list[Any]], list[str]]:
    names = list(book.sheet_names)
    if isinstance(sheet, int) or (isinstance(sheet, str) and sheet not in names and sheet.isdecimal()):
        if not 1 <= int(sheet) <= len(names):
            raise InputError(f"{shown} has {len(names)} sheet(s); expected a number from 1, got {sheet}.")
        sheet = names[int(sheet) - 1]
    if sheet is not None:
        if sheet not in names:
            raise unknown_name(f"sheet of {shown}:", sheet, names)
        return sheet, book.get_sheet_by_name(sheet).to_python(), []
    first = None
    for name in names:
        rows = book.get_sheet_by_name(name).to_python()
        first = first or ((name, rows) if any(map(_filled, rows)) else None)
        if _is_table(rows):
            break
    else:
        if first is None:
            raise FileError(f"{shown} has no cells; expected a row of column names, then rows of values.")
        name, rows = first
    others = [other for other in names if other != name]
    note = f"Sheet {name!r} of {len(names)}. Others (--sheet): {', '.join(map(repr, others[:5]))}."
    return name, rows, [note] if others else []


def _filled(row: Sequence[Any]) -> int:
    return sum(cell not in ("", None) for cell in row)


def _is_table(rows: list[list[Any]]) -> bool:
    """Whether two rows or more hold two cells or more each: notes on a sheet do not."""
    return sum(_filled(row) > 1 for row in rows) > 1


def _table(
    rows: list[list[Any]], shown: Path | str, sheet: str, header: bool | None, notes: list[str]
) -> Table:
    filled = [*map(_filled, rows)]
    widest = max(filled[:_LOOKED_AT], default=0)
    first = next((place for place, count in enumerate(filled) if count and 2 * count > widest), 0)
    lines = [place for place, count in enumerate(filled) if place >= first and count]
    if any(filled[:first]):
        notes.append(f"Left out {first} line(s) above the table.")
    grid = [[_text(cell) for cell in rows[line]] for line in lines[:_LOOKED_AT]]
    named = has_header(grid) if header is None else header
    cells = grid[0] if named else [str(place) for place in range(1, len(grid[0]) + 1)]
    if header is None and not named:
        notes.append(
            f"No header: the first row looks like the others, so the columns are called 1 to {len(cells)}."
        )
    names, renamed = unique_names(cells)
    lines = lines[named:]

    def read(limit: int | None) -> Table:
        body = [rows[line] for line in lines[:limit]]
        columns = {place: _cells([row[place] for row in body]) for place in range(len(names))}
        kept = [
            place for place in columns if cells[place] or any(value is not None for value in columns[place])
        ]
        if not kept:
            raise FileError(f"Sheet {sheet!r} of {shown} has no cells.")
        return frame_table(shown, [names[place] for place in kept], [columns[place] for place in kept])

    table, end = without_end(read)
    places = np.array(lines, np.int64) + 1
    return replace(table, notes=(*notes, *renamed, *end, *table.notes), lines=lambda: places)


def _cells(values: Sequence[Any]) -> list[Any]:
    """The cells of a column, None where one is empty: of one kind, or else all of them text."""
    present = [None if value == "" else value for value in values]
    kinds = {
        float if type(value) in (int, float) else type(value) for value in present if value is not None
    }
    if kinds == {float} and all(value is None or float(value).is_integer() for value in present):
        return [None if value is None else int(value) for value in present]  # a workbook knows doubles only
    if (len(kinds) < 2 and datetime.time not in kinds) or kinds == {datetime.date, datetime.datetime}:
        return present
    return [None if value is None else _text(value) for value in present]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
