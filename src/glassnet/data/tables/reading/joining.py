"""Several tables of the same columns as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.errors import InputError


def joined(tables: Sequence[Table]) -> Table:
    """The rows of all tables, one table after the other; InputError where their columns differ."""
    first = tables[0]
    for table in tables[1:]:
        lacking = [name for name in first.names if name not in table.names]
        more = [name for name in table.names if name not in first.names]
        if lacking or more:
            raise InputError(
                f"{first.source} and {table.source} have different columns: {_only(first, lacking)}"
                f"{' and ' if lacking and more else ''}{_only(table, more)}. Files of one table have the "
                "same."
            )
    columns = {name: _joined_column(name, tables) for name in first.names}
    begins = np.cumsum([0, *(table.n_rows for table in tables)])
    source = f"{first.source} and {len(tables) - 1} more"
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    truths = frozenset(
        name
        for name, column in columns.items()
        if any(name in t.truths for t in tables) and getattr(column, "dtype", None) == np.float64
    )

    def where(row: int) -> str:
        place = int(np.searchsorted(begins, row, "right")) - 1
        return f"{tables[place].where(row - int(begins[place]))} of {tables[place].source}"

    return Table(columns, source, notes, (), truths, place_of=where)


def _only(table: Table, names: list[str]) -> str:
    return f"{', '.join(map(repr, names[:5]))} only in {table.source}" if names else ""


def _joined_column(name: str, tables: Sequence[Table]) -> Column:
    parts = [table[name] for table in tables]
    texts = [part for part in parts if isinstance(part, TextColumn)]
    if not texts:
        numbers = [part for part in parts if isinstance(part, np.ndarray)]
        dates = [part.dtype.kind == "M" for part in numbers if not _is_gap(part)]
        if all(dates) or not any(dates):
            kind = "M8[us]" if dates and all(dates) else np.result_type(*numbers)
            return np.concatenate(
                [_gap(len(p), kind) if _is_gap(p) else p for p in numbers], dtype=kind, casting="unsafe"
            )
    places: dict[str, int] = {}
    codes = []
    for table, part in zip(tables, parts, strict=True):
        if isinstance(part, TextColumn):
            new = [places.setdefault(word, len(places)) for word in part.categories.tolist()]
            codes.append(np.array([*new, -1])[part.codes])
        elif _is_gap(part):
            codes.append(np.full(len(part), -1))
        else:
            text = next(
                t
                for t, p in zip(tables, parts, strict=True)
                if isinstance(p, TextColumn) or p.dtype.kind == "M"
            )
            raise InputError(
                f"Column {name!r} holds other values in {table.source} than in {text.source}: numbers in "
                "one, text or dates in the other. Files of one table have the same."
            )
    return TextColumn.coded(np.concatenate(codes), [*places])


def _is_gap(part: NDArray[np.generic]) -> bool:
    """Whether a column of numbers has no value at all."""
    return part.dtype.kind == "f" and bool(np.isnan(part).all())


def _gap(length: int, kind: object) -> NDArray[np.generic]:
    return np.full(length, "NaT" if kind == "M8[us]" else np.nan, kind if kind == "M8[us]" else np.float64)
