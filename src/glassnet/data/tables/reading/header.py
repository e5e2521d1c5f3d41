"""Whether the first row holds names, and names that are each there once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from glassnet.data.tables.reading.meaning import DATE, NUMBER, TRUTH, WHOLE, meanings, unit_of
from glassnet.data.tables.words import is_missing

Row = Sequence[str | None]

_FAMILY = {WHOLE: NUMBER, NUMBER: NUMBER, DATE: DATE, TRUTH: TRUTH}


def has_header(rows: Sequence[Row], delimiter: str = "") -> bool:
    """Whether the first of the rows holds names: where it looks like the others, it is one of them.

    Years such as 1990, 1991, 1992 are names, and so are 0, 1, 2 as pandas writes columns without names.
    """
    first, *body = [[cell or "" for cell in row] for row in rows]
    if not body:
        return not any(_kind(cell, delimiter) for cell in first)
    columns = [{*column} for column in zip(*body, strict=True)]
    by_place = {str(place): column for place, column in enumerate(columns)}
    kinds = [_FAMILY.get(meaning.kind) for meaning in meanings(by_place, delimiter).values()]
    cells = [cell.strip() for cell in first]
    typed = [
        (place, cells[place], kind)
        for place, kind in enumerate(kinds)
        if kind and not is_missing(cells[place])
    ]
    again = [cell in columns[place] for place, cell in enumerate(first) if not is_missing(cell)]
    if not typed:
        return 2 * sum(again) < len(again) or not again
    for place, cell, kind in typed:
        unit = unit_of([cell])  # 5 km is a number among such, and a name above others
        if _kind(cell, delimiter) != kind or (unit and unit != unit_of(map(str.strip, columns[place]))):
            return True
    texts = [place for place, kind in enumerate(kinds) if not kind and not is_missing(cells[place])]
    whole = [int(cell) for _, cell, kind in typed if kind == NUMBER and cell.isdecimal()]
    if len(whole) == len(typed) > 2 and all(b - a == 1 for a, b in pairwise(whole)):
        return whole[0] == 0 if not texts else not any(cells[place] in columns[place] for place in texts)
    return False


def _kind(cell: str, delimiter: str) -> str | None:
    return _FAMILY.get(meanings({"": [cell]}, delimiter)[""].kind)


def unique_names(cells: Row) -> tuple[list[str], list[str]]:
    """Names, each once and none empty, and notes of what was renamed."""
    names: list[str] = []
    repeated = []
    for place, cell in enumerate(cells, 1):
        name = wanted = (cell or "").strip() or f"unnamed {place}"
        number = 1
        while name in names:
            number += 1
            name = f"{wanted} ({number})"
        if number > 1:
            repeated.append(name)
        names.append(name)
    if not repeated:
        return names, []
    shown = ", ".join(map(repr, repeated[:5])) + (" and more" if len(repeated) > 5 else "")
    return names, [f"Names that came twice were changed: {shown}."]
