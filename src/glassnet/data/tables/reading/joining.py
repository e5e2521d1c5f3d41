"""Several tables of the same columns as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
        if getattr(column, "dtype", None) == np.float64 and _holds_truths(name, tables)
    )

    def where(row: int) -> str:
        place = int(np.searchsorted(begins, row, "right")) - 1
        return f"{tables[place].where(row - int(begins[place]))} of {tables[place].source}"

    return Table(columns, source, notes, (), truths, place_of=where)


def _only(table: Table, names: list[str]) -> str:
    return f"{', '.join(map(repr, names[:5]))} only in {table.source}" if names else ""


def _joined_column(name: str, tables: Sequence[Table]) -> Column:
    parts = [table[name] for table in tables]
    sources = {_kind(part): table.source for table, part in zip(tables, parts, strict=True)}
    held = [f"{kind} in {source}" for kind, source in sources.items() if kind]
    if len(held) > 1:
        raise InputError(f"Column {name!r} holds {' and '.join(held)}. Files of one table have the same.")
    texts = [part for part in parts if isinstance(part, TextColumn)]
    if "text" not in sources and (held or not texts):
        gap = np.datetime64("NaT", "us") if "dates" in sources else np.nan
        return np.concatenate([part if _kind(part) else np.full(len(part), gap) for part in parts])
    places: dict[str, int] = {}
    codes = []
    for part in parts:
        if not isinstance(part, TextColumn):
            codes.append(np.full(len(part), -1))
            continue
        new = [places.setdefault(word, len(places)) for word in part.categories.tolist()]
        codes.append(np.array([*new, -1])[part.codes])
    return TextColumn.coded(np.concatenate(codes), [*places])


def _holds_truths(name: str, tables: Sequence[Table]) -> bool:
    """Whether all values are true or false, beside gaps."""
    full = [table for table in tables if _kind(table[name])]
    return bool(full) and all(
        name in table.truths or getattr(table[name], "dtype", None) == np.bool_ for table in full
    )


def _kind(part: Column) -> str:
    """What a column holds in words, "" where it has no value."""
    if isinstance(part, TextColumn):
        return "text" if np.any(part.codes >= 0) else ""
    if part.dtype.kind == "M":
        return "dates"
    return "" if part.dtype.kind == "f" and np.isnan(part).all() else "numbers"
