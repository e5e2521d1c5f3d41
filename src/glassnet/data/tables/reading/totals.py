"""The row of totals that a sheet ends with, which is no row like the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassnet.data.tables.reading.understanding import understood
from glassnet.data.tables.table import Column, Table, TextColumn

_WORDS = frozenset(
    [
        *("total", "totals", "grand total", "sum", "sums", "overall", "average", "mean"),
        *("summe", "gesamt", "gesamtsumme", "insgesamt", "mittelwert", "durchschnitt"),
        *("somme", "total général", "moyenne", "totale", "media", "suma", "promedio", "totaal"),
    ]
)


def without_totals(table: Table) -> Table:
    """The table without a last row of totals: it holds such a word, as no other row, and a gap or a sum.

    The columns are then what the other rows make of them.
    """
    last, columns = table.n_rows - 1, table.columns
    if last < 2:
        return table
    labels = {name: word for name, column in columns.items() if (word := _label(column, last))}
    if not labels or not any(_is_missing(one, last) or _adds_up(one) for one in columns.values()):
        return table
    rest = table.take(slice(last))
    known = understood({name: TextColumn.of(np.asarray(rest[name])) for name in labels})
    columns = {name: known.columns.get(name, column) for name, column in rest.columns.items()}
    truths = {name for name in table.truths if np.isnan(columns[name]).any()} | known.truths
    columns = {name: _narrowed(column, name in table.truths) for name, column in columns.items()}
    label = next(iter(labels.values()))
    note = f"Left out the last row, {table.where(last)}, which holds totals ({label!r})."
    notes = (*table.notes, note, *known.notes())
    return without_totals(replace(rest, columns=columns, notes=notes, truths=frozenset(truths)))


def _label(column: Column, last: int) -> str:
    """The word for totals in the last row, where no other row has it; else ""."""
    if not isinstance(column, TextColumn) or column.codes[last] < 0:
        return ""
    word = str(column.categories[column.codes[last]])
    known = word.strip(" :").lower() in _WORDS
    return word if known and np.count_nonzero(column.codes == column.codes[last]) == 1 else ""


def _is_missing(column: Column, row: int) -> bool:
    if isinstance(column, TextColumn):
        return bool(column.codes[row] < 0)
    return bool(column.dtype.kind in "fM" and column[row] != column[row])


def _adds_up(column: Column) -> bool:
    """Whether the last number is the sum of the others."""
    if isinstance(column, TextColumn) or column.dtype.kind not in "if":
        return False
    return bool(np.isclose(np.nansum(column[:-1], dtype=np.float64), column[-1], rtol=1e-6, atol=0))


def _narrowed(column: Column, truth: bool) -> Column:
    """Numbers without gaps as whole numbers, or as true and false, where that is what they are."""
    if not isinstance(column, np.ndarray) or column.dtype.kind != "f" or np.isnan(column).any():
        return column
    whole = np.array_equal(column, np.rint(column)) and bool(np.all(np.abs(column) < 2**53))
    return column.astype(bool) if truth else column.astype(np.int64) if whole else column
