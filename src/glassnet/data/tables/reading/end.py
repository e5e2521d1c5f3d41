"""Remarks and totals that a sheet ends with, which are no rows like the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.reading.understanding import Understood
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.utils.words import counted

Read = TypeVar("Read", bound=Understood | Table)

_WORDS = frozenset(
    [
        *("total", "totals", "grand total", "sum", "sums", "overall", "average", "mean"),
        *("summe", "gesamt", "gesamtsumme", "insgesamt", "mittelwert", "durchschnitt"),
        *("somme", "total général", "moyenne", "totale", "media", "suma", "promedio", "totaal"),
    ]
)
_ROUNDED = 1e-3
"""How far, relative to it, a total may be from the sum or the mean: sheets show both rounded."""


def without_end(read: Callable[[int | None], Read]) -> tuple[Read, list[str]]:
    """What `read` makes of all rows, or of that many first ones, and notes of what it leaves out below.

    A remark is a row of a single cell, of two words or more. A row of totals has a text that is a word for
    them, which no other row has in that column, and its other cells are numbers or missing. Where there
    are numbers, one is what the rows above add up to.
    """
    known, notes = read(None), []
    if remarks := _remarks([*known.columns.values()]):
        known = read(len(next(iter(known.columns.values()))) - len(remarks))
        notes = [f"Left out {counted(len(remarks), 'remark')} below the table, such as {remarks[0]!r}."]
    columns = [*known.columns.values()]
    length = above = len(columns[0])
    words: list[str] = []
    while above > 2 and (word := next(filter(None, [_word(one, above - 1) for one in columns]), "")):
        above -= 1
        words.insert(0, word)
    totals = [_is_total(columns, row, above) for row in range(above, length)]
    if not words or None in totals:
        return known, notes
    count = "row" if len(words) == 1 else f"{len(words)} rows"
    rows = f"last {count} ({', '.join(map(repr, words))})"
    if not all(totals):
        doubt = f"The {rows} may hold totals, but nothing adds up; delete what is none of the table."
        return known, [*notes, doubt]
    return read(above), [
        *notes,
        f"Left out the {rows}, of totals. To keep it, write another word there.",
    ]


def _remarks(columns: Sequence[Column]) -> list[str]:
    """The words of the last rows that have no other cell, in a table of three columns or more."""
    remarks: list[str] = []
    for row in range(len(columns[0]) - 1, 1, -1):
        cells = [column for column in columns if not _is_missing(column, row)]
        if len(columns) < 3 or len(cells) != 1 or not isinstance(cells[0], TextColumn):
            break
        words = str(cells[0].categories[cells[0].codes[row]])
        if len(words.split()) < 2:
            break
        remarks.insert(0, words)
    return remarks


def _word(column: Column, row: int) -> str:
    """The word for totals in a row, where no other row has it; else ""."""
    if not isinstance(column, TextColumn) or _is_missing(column, row):
        return ""
    code = column.codes[row]
    word = str(column.categories[code])
    return (
        word if word.strip(" :").lower() in _WORDS and np.count_nonzero(column.codes == code) == 1 else ""
    )


def _is_missing(column: Column, row: int) -> bool:
    return bool(column.codes[row] < 0 if isinstance(column, TextColumn) else column[row] != column[row])


def _is_total(columns: Sequence[Column], row: int, above: int) -> bool | None:
    """Whether a row with such a word has no numbers or one that adds up; None where it has other values."""
    numbers = []
    for column in columns:
        if _word(column, row) or _is_missing(column, row):
            continue
        if isinstance(column, TextColumn) or column.dtype.kind not in "if":
            return None
        numbers.append(column)
    return not numbers or any(_adds_up(column[:above], column[row]) for column in numbers)


def _adds_up(column: NDArray[Any], total: float) -> bool:
    """Whether a number is the sum, the mean or the count of a column's, which are not all the same."""
    values = column[~np.isnan(column)].astype(np.float64)
    totals = [values.sum(), values.mean(), len(values)] if len(np.unique(values)) > 1 else []
    return bool(np.any(np.isclose(total, totals, rtol=_ROUNDED, atol=0)))
