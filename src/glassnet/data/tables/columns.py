"""What each column of a table is taken for, and why: a number, a category, a date, or nothing to learn
from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np

from glassnet.data.tables.raw import DATE, NUMBER, TEXT, TRUTH, RawColumn
from glassnet.errors import InputError
from glassnet.utils.html import cell_table, join, tag
from glassnet.utils.words import tidy

KINDS = ("number", "true/false", "category", "date", "text", "id", "constant", "duplicate", "twin")
"""What a column may be taken for. From the last five nothing is learned, unless the user says so."""

LEARNED = KINDS[:4]

MOST_CATEGORIES = 30
"""The most categories of a column that have inputs of their own; the rest share one."""

_ID_NAME = re.compile(
    r"(^|.*[\s_.\-#])(id|idx|index|nr|no|num|number|row|rownames?|key|uuid|guid|serial|record)\.?",
    re.IGNORECASE,
)
_ID_SUFFIX = re.compile(r".*[a-z](Id|ID|Key|Index|Number|No|Nr)")
_MOST_SHOWN = 30  # columns in a notebook's cell
_LEAST_COUNTED = 20
"""Fewer rows that are numbered 1, 2, 3 and so on may be so by chance."""


class Facts(NamedTuple):
    """What all rows of a column say of it.

    `low` and `high` are the smallest and largest value, `whole` tells whether all are whole numbers, and
    `words` is the mean number of words of a different text.
    """

    n_rows: int
    missing: int
    distinct: int
    low: float = np.nan
    high: float = np.nan
    whole: bool = False
    words: float = 1.0

    @property
    def present(self) -> int:
        """The rows that have a value."""
        return self.n_rows - self.missing


def facts_of(column: RawColumn) -> Facts:
    """The facts of a column in memory."""
    known = column.values[~np.isnan(column.values)]
    n, missing = len(column.values), len(column.values) - len(known)
    if not len(known):
        return Facts(n, missing, 0)
    if column.type == TEXT:
        used = np.flatnonzero(np.bincount(known.astype(np.intp), minlength=len(column.texts)))
        return Facts(n, missing, len(used), words=mean_words(column.texts[place] for place in used))
    ordered = np.sort(known)
    distinct = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    with np.errstate(invalid="ignore"):
        whole = bool(np.all(ordered == np.floor(ordered)))
    return Facts(n, missing, distinct, float(ordered[0]), float(ordered[-1]), whole)


def mean_words(texts: Iterable[str]) -> float:
    """The mean number of words of some texts."""
    counts = [len(text.split()) for text in texts]
    return sum(counts) / max(1, len(counts))


@dataclass(frozen=True)
class ColumnInfo:
    """What a column of a table is taken for.

    Attributes
    ----------
    name : the column's name.
    kind : one of `KINDS`; of the target "classes", "quantity" or "counts".
    why : what in the column, or which setting, says so.
    role : "feature", "target", "left out", or what a split takes it for: "time", "group" or "split".
    missing, n_rows : how many of the rows have no value.
    distinct : how many different values there are.
    range : the smallest and largest value, or the most frequent texts.
    inputs : how many inputs of the network the column has.
    """

    name: str
    kind: str
    why: str
    role: str
    missing: int
    n_rows: int
    distinct: int
    range: str = ""
    inputs: int = 0

    @property
    def missing_share(self) -> float:
        """The share of the rows without a value, from 0 to 1."""
        return self.missing / max(1, self.n_rows)

    def row(self) -> tuple[str, ...]:
        """The cells of a printed table, under `ColumnTable.HEADER`."""
        share = self.missing_share
        missing = "" if not self.missing else f"{share:.1%}" if share >= 0.001 else f"{self.missing:,} rows"
        inputs = str(self.inputs) if self.inputs else ""
        return (
            self.name,
            self.role,
            self.kind,
            missing,
            f"{self.distinct:,}",
            self.range,
            inputs,
            self.why,
        )


class ColumnTable(Sequence[ColumnInfo]):
    """What each column is taken for, in the order of the table; its text is an aligned table.

    >>> from glassnet.data.tables.columns import ColumnInfo, ColumnTable
    >>> print(ColumnTable([ColumnInfo("age", "number", "numbers", "feature", 0, 9, 5, "1 to 9", 1)]))
    column  role     kind    missing  distinct  values  inputs  why
    age     feature  number           5         1 to 9  1       numbers
    """

    HEADER = ("column", "role", "kind", "missing", "distinct", "values", "inputs", "why")

    def __init__(self, columns: Iterable[ColumnInfo]) -> None:
        self._columns = tuple(columns)

    @overload
    def __getitem__(self, place: int) -> ColumnInfo: ...
    @overload
    def __getitem__(self, place: slice) -> ColumnTable: ...
    def __getitem__(self, place: int | slice) -> ColumnInfo | ColumnTable:
        if isinstance(place, slice):
            return ColumnTable(self._columns[place])
        return self._columns[place]

    def __len__(self) -> int:
        return len(self._columns)

    def named(self, name: str) -> ColumnInfo:
        """The column of a name; InputError where there is none."""
        for column in self:
            if column.name == name:
                return column
        raise InputError(f"There is no column {name!r}; there are {', '.join(c.name for c in self)}.")

    def left_out(self) -> list[ColumnInfo]:
        """The columns from which nothing is learned though nobody asked for that."""
        return [column for column in self if column.kind in KINDS and column.kind not in LEARNED]

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, most: int | None = None) -> str:
        """An aligned table of the columns, of at most so many."""
        rows = [self.HEADER, *(tuple(map(_one_line, column.row())) for column in self[:most])]
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        more = len(self) - len(rows) + 1
        return "\n".join([*lines, *([f"and {more:,} more columns"] if more else [])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        target, faint = ({"style": style} for style in ("font-weight:bold", "opacity:0.6"))
        rows = []
        for column in self[:_MOST_SHOWN]:
            look = {"target": target, "left out": faint}.get(column.role, {})
            rows.append([tag("span", _one_line(cell), **look) for cell in column.row()])
        more = len(self) - len(rows)
        return join(
            [
                cell_table(self.HEADER, rows, left=(0, 1, 2, 5, 7)),
                tag("div", f"and {more:,} more columns") if more else "",
            ]
        )


def _one_line(text: str, most: int = 60) -> str:
    text = tidy(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


# ---- The kind of a column -------------------------------------------------------------------------


def kind_of(column: RawColumn, facts: Facts, alone: bool, most: int = MOST_CATEGORIES) -> tuple[str, str]:
    """The kind of a feature and why, of its facts alone.

    `alone` says that it is the only one, which stays whatever it is. A column of whole numbers is an id
    where it counts the rows from 0 or 1, in any order, or where its name says so and nearly each row has
    another one; text is where nearly each row has another one.
    """
    n, present, distinct = facts.n_rows, facts.present, facts.distinct
    if distinct == 0:
        return "constant", "no row has a value"
    if distinct == 1:
        value = column.words(column.values[~np.isnan(column.values)][0])
        return "constant", f"{value} in each row" + (" that has a value" if facts.missing else "")
    if column.type == DATE:
        return "date", "dates" if facts.low % 86_400e6 == facts.high % 86_400e6 == 0 else "dates and times"
    if column.type == TRUTH:
        return "true/false", "true and false"
    if column.type == TEXT:
        return _kind_of_text(facts, alone, most)
    if facts.whole and not alone:
        counts = facts.high - facts.low == n - 1 and facts.low in (0, 1) and n >= _LEAST_COUNTED
        if distinct == n and counts:
            return "id", f"numbers the rows from {facts.low:.0f} to {facts.high:.0f}"
        if is_id_name(column.name) and distinct > max(present // 2, min(present - 1, MOST_CATEGORIES)):
            return "id", f"by its name; {distinct:,} of {present:,} rows differ"
    return "number", "whole numbers" if facts.whole else "numbers"


def is_id_name(name: str) -> bool:
    """Whether a name says that the column names rows: "id", "PassengerId", "row number"."""
    return _ID_NAME.fullmatch(name.strip()) is not None or _ID_SUFFIX.fullmatch(name.strip()) is not None


def _kind_of_text(facts: Facts, alone: bool, most: int) -> tuple[str, str]:
    present, distinct = facts.present, facts.distinct
    mostly = distinct > most and 2 * distinct > present
    if (mostly or (distinct == present and present > 10)) and not alone:
        differ = f"{distinct:,} of {present:,} rows differ"
        if facts.words >= 3:
            return "text", f"{facts.words:.1f} words in a cell; {differ}"
        return "id", f"names rows: {differ}"
    if distinct > most:
        return "category", f"text; the {most} most frequent have inputs, {distinct - most:,} share one"
    return "category", "text"


def duplicates_of(columns: Sequence[RawColumn]) -> dict[str, str]:
    """The name of an earlier column with the same values, by the name of each column that repeats one."""
    first: dict[tuple[str, tuple[str, ...], bytes], str] = {}
    again = {}
    for column in columns:
        key = column.type, column.texts, column.values.tobytes()
        if key in first:
            again[column.name] = first[key]
        else:
            first[key] = column.name
    return again


def gives_away(column: RawColumn, target: RawColumn, classes: bool) -> str:
    """Why a column gives the target away, "" where it does not.

    Of classes: each value of the column goes with one class, and each class with one value. Of a quantity:
    the column is the target, or the target in another unit, to twelve digits.
    """
    both = ~(np.isnan(column.values) | np.isnan(target.values))
    x, y = column.values[both], target.values[both]
    if len(x) < 2:
        return ""
    if classes:
        known, numbers = np.unique(x, return_inverse=True)
        labels, places = np.unique(y, return_inverse=True)
        if len(known) != len(labels) or len(known) < 2:
            return ""
        pairs = np.unique(numbers * len(labels) + places)
        return (
            "each value goes with one class, and each class with one value"
            if len(pairs) == len(known)
            else ""
        )
    if column.type == TEXT or target.type == TEXT:
        return ""
    if np.array_equal(x, y):
        return "the same values as the target"
    return "the target in another unit" if _is_line(x, y) else ""


def _is_line(x: np.ndarray, y: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        x, y = x - x.mean(), y - y.mean()
        xx, yy, xy = x @ x, y @ y, x @ y
        if not (np.isfinite(xx * yy) and xx * yy > 0):
            return False
        residual = y - (xy / xx) * x
        return bool(residual @ residual <= 1e-24 * yy)


def value_range(column: RawColumn, facts: Facts) -> str:
    """The smallest and largest value, or the most frequent texts, for the table of columns."""
    if not facts.distinct:
        return ""
    if column.type == TEXT:
        known = column.values[~np.isnan(column.values)].astype(np.intp)
        counts = np.bincount(known, minlength=len(column.texts))
        order = np.argsort(-counts, kind="stable")[: min(3, facts.distinct)]
        more = ", …" if facts.distinct > 3 else ""
        return ", ".join(_one_line(column.texts[place], 20) for place in order) + more
    if column.type == TRUTH:
        return "false, true" if facts.distinct == 2 else column.words(facts.low)
    low, high = (_short(column, value) for value in (facts.low, facts.high))
    return low if low == high else f"{low} to {high}"


def _short(column: RawColumn, value: float) -> str:
    return (
        f"{value:,.6g}"
        if column.type == NUMBER and not column.words(value).isdigit()
        else column.words(value)
    )


def check_overrules(overrules: Mapping[str, Iterable[str]], known: Iterable[str]) -> None:
    """Raise InputError where a column is taken for two kinds at once, or is left out and taken for one."""
    seen: dict[str, str] = {}
    clashes = []
    for setting, names in overrules.items():
        for name in names:
            if name in seen and seen[name] != setting:
                clashes.append(f"{name!r} is in {seen[name]} and in {setting}")
            seen[name] = setting
    if clashes:
        raise InputError(f"{'; '.join(clashes)}. Name each column in one of them.")
