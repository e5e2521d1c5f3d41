"""What each column of a table is taken for, and why: a number, a category, a date, or nothing to learn
from."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain, islice
from typing import NamedTuple, overload

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.raw import DATE, DAY, NUMBER, TEXT, TRUTH, ColumnRows, side_by_side
from glassnet.errors import unknown_name
from glassnet.utils.html import cell_table, join, tag
from glassnet.utils.words import aligned, tidy

KINDS = ("number", "true/false", "category", "date", "text", "id", "constant", "duplicate", "twin")
"""What a column may be taken for. From the last five nothing is learned, unless the user says so."""

LEARNED = KINDS[:4]

MOST_CATEGORIES = 30
"""The most categories of a column that have inputs of their own; the rest share one."""

_AFTER_A_WORD = r"(?i:^|.*[\s_.\-#])"
_ID_NAME = re.compile(
    rf"{_AFTER_A_WORD}(?i:id|idx|uuid|guid|rowid|row ?names?)\.?|.*[a-z](Id|ID)"
    r"|(?i:user|customer|client|member|person|patient|passenger|employee|student|subject|account|order"
    r"|product|item|device|house|store|loan|transaction|session|sample)(?i:id)"
)
_MOST_SHOWN = 30  # columns in a notebook's cell
_NUMBER_NAME = re.compile(
    rf"{_AFTER_A_WORD}(?i:index|nr|no|num|number|row|key|serial|record|phone)\.?"
    r"|.*[a-z](Index|Nr|No|Number|Key)"
)
_CODE_NAME = re.compile(rf"{_AFTER_A_WORD}(?i:code|zip|plz)|(?i:.*(zip|post|postal)code)|.*[a-z]Code")
_LEAST_COUNTED = 20
"""Fewer rows that are numbered 1, 2, 3 and so on may be so by chance."""

_LEAST_TWIN = 10
"""In fewer rows a column may go with the target by chance."""


class Facts(NamedTuple):
    """What all rows of a column say of it.

    `low` and `high` are the smallest and largest value, and `whole` tells whether all are whole numbers. Of
    text, `words` is the mean number of words of a different one, and `frequent` are the three most frequent
    ones, where all are known.
    """

    n_rows: int
    missing: int
    distinct: int
    low: float = np.nan
    high: float = np.nan
    whole: bool = False
    words: float = 1.0
    frequent: tuple[str, ...] = ()

    @property
    def present(self) -> int:
        """The rows that have a value."""
        return self.n_rows - self.missing


def facts_of(column: ColumnRows) -> Facts:
    """The facts of a column."""
    low, high, whole = np.nan, np.nan, True
    distinct = present = words = 0
    frequent: list[tuple[int, str]] = []
    for values, counts in column.runs():
        if column.type == TEXT and column.all_texts:
            texts = [*map(column.words, values.tolist())]
            words += sum(len(text.split()) for text in texts)
            # Of equally frequent ones the first by text: readers number texts in orders of their own.
            frequent = nsmallest(3, chain(frequent, zip((-counts).tolist(), texts, strict=True)))
        elif column.type != TEXT and len(values):
            low, high = low if distinct else float(values[0]), float(values[-1])
            with np.errstate(invalid="ignore"):
                whole = whole and bool(np.all(values == np.floor(values)))
        distinct, present = distinct + len(values), present + int(counts.sum())
    missing, shown = column.n_rows - present, tuple(text for _, text in frequent)
    if column.type == TEXT:
        each = words / max(1, distinct) if column.all_texts else column.words_each()
        return Facts(column.n_rows, missing, distinct, words=each, frequent=shown)
    return Facts(column.n_rows, missing, distinct, low, high, whole and distinct > 0)


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

    def short_row(self) -> tuple[str, ...]:
        """The cells of a table for a terminal, under `ColumnTable.SHORT_HEADER`."""
        _, role, kind, missing, distinct, values, inputs, why = self.row()
        taken = kind if role == "feature" else f"{role}: {kind}"
        taken += f": {inputs} inputs" if self.inputs > 1 else ""
        return tidy(self.name, 25), taken, missing, distinct, why if role == "left out" else values


class ColumnTable(Sequence[ColumnInfo]):
    """What each column is taken for, in the order of the table; its text is an aligned table.

    `str` shows all of it, `repr` what fits into a terminal of 100 columns and 40 lines.

    >>> from glassnet.data.tables.columns import ColumnInfo, ColumnTable
    >>> print(ColumnTable([ColumnInfo("age", "number", "numbers", "feature", 0, 9, 5, "1 to 9", 1)]))
    column  role     kind    distinct  values  inputs  why
    age     feature  number  5         1 to 9  1       numbers
    """

    HEADER = ("column", "role", "kind", "missing", "distinct", "values", "inputs", "why")
    SHORT_HEADER = ("column", "taken for", "missing", "distinct", "values, or why left out")

    def __init__(self, columns: Iterable[ColumnInfo]) -> None:
        self._columns = tuple(columns)
        self._places = {column.name: place for place, column in enumerate(self._columns)}

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
        if name not in self._places:
            raise unknown_name("column:", name, self._places)
        return self._columns[self._places[name]]

    def left_out(self) -> list[ColumnInfo]:
        """The columns from which nothing is learned though nobody asked for that."""
        return [column for column in self if column.kind in KINDS and column.kind not in LEARNED]

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, most: int | None = None, width: int | None = None) -> str:
        """An aligned table of the columns, of at most so many, in lines of at most `width` characters.

        With a width the role stands beside the kind, and why beside what is left out alone. What is empty
        for all of them is not shown.
        """
        shown = self._columns[:most]
        if width is None:
            rows = [self.HEADER, *(tuple(map(_one_line, column.row())) for column in shown)]
        else:
            rows = [self.SHORT_HEADER, *(tuple(map(_one_line, column.short_row())) for column in shown)]
        filled = [cells for cells in zip(*rows, strict=True) if any(cells[1:]) or not shown]
        lines = aligned([*zip(*filled, strict=True)])
        if width is not None:
            lines = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]
        more = len(self) - len(shown)
        return "\n".join([*lines, *([f"and {more:,} more column{'s' * (more > 1)}"] if more else [])])

    def __repr__(self) -> str:
        return self.to_text(40, 100)

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
    return tidy(text, most)


# ---- The kind of a column -------------------------------------------------------------------------


def kind_of(column: ColumnRows, facts: Facts, alone: bool, most: int = MOST_CATEGORIES) -> tuple[str, str]:
    """The kind of a feature and why, of its facts alone.

    `alone` says that it is the only one, which stays whatever it is. A column of whole numbers is an id
    where it counts the rows from 0 or 1, in any order, or where its name says so and nearly each row has
    another one, and a category where its name says that it is a code; text is an id where nearly each row
    has another one. One value and gaps, as a form leaves of a box to tick, are two categories.
    """
    n, present, distinct = facts.n_rows, facts.present, facts.distinct
    if distinct == 0:
        return "constant", "no row has a value"
    if distinct == 1:
        value = next(iter(facts.frequent), "one text") if column.type == TEXT else column.words(facts.low)
        if facts.missing:
            return "category", f"{value}, or no value"
        return "constant", f"{value} in each row"
    if column.type == DATE:
        return "date", "dates" if facts.low % DAY == facts.high % DAY == 0 else "dates and times"
    if column.type == TRUTH:
        return "true/false", "true and false"
    if column.type == TEXT:
        return _kind_of_text(facts, alone, most)
    if facts.whole and not alone:
        counts = facts.high - facts.low == n - 1 and facts.low in (0, 1) and n >= _LEAST_COUNTED
        if distinct == n and counts:
            return "id", f"counts rows from {facts.low:.0f} to {facts.high:.0f}"
        name = column.name.strip()
        most_differ = distinct > max(present // 2, min(present - 1, MOST_CATEGORIES))
        code = _CODE_NAME.fullmatch(name) is not None
        if (code or _ID_NAME.fullmatch(name)) and most_differ:
            return "id", f"by its name; {distinct:,} of {present:,} rows differ"
        # A price index and a number of rooms are numbers: those that name rows never repeat.
        if _NUMBER_NAME.fullmatch(name) and distinct == present >= _LEAST_COUNTED:
            return "id", f"by its name; all {present:,} rows differ"
        if code:
            return "category", "a code, by its name"
    return "number", "whole numbers" if facts.whole else "numbers"


def _kind_of_text(facts: Facts, alone: bool, most: int) -> tuple[str, str]:
    present, distinct = facts.present, facts.distinct
    mostly = distinct > most and 2 * distinct > present
    if (mostly or (distinct == present and present > 10)) and not alone:
        differ = f"{distinct:,} of {present:,} rows differ"
        if facts.words >= 3:
            return "text", f"{facts.words:.1f} words in a cell; {differ}"
        return "id", differ
    return "category", "text"


def duplicates_of(columns: Iterable[ColumnRows]) -> dict[str, str]:
    """The name of an earlier column with the same values, by the name of each column that repeats one."""
    first: dict[tuple[str, bytes], str] = {}
    again = {}
    for column in columns:
        seen = hashlib.blake2b()
        for values in column.comparable():
            seen.update(np.ascontiguousarray(values).data)
        same = first.setdefault((column.type, seen.digest()), column.name)
        if same != column.name:
            again[column.name] = same
    return again


def gives_away(column: ColumnRows, target: ColumnRows, classes: bool) -> str:
    """Why a column gives the target away, "" where it does not.

    Of classes: each value of the column goes with one class, and each class with one value; or the column
    is missing in all rows of some classes and in no others, as a date of leaving is. Of a quantity: the
    column is the target, or the target in another unit, to twelve digits.
    """
    if classes and (gone := _classes_missing(column, target)):
        return f"missing where the target is {' or '.join(gone[:3])}, and only there"

    def pairs() -> Iterator[tuple[Floats, Floats]]:
        for x, y in side_by_side(column, target):
            both = ~(np.isnan(x) | np.isnan(y))
            if both.any():
                yield x[both], y[both]

    if sum(len(x) for x, _ in islice(pairs(), _LEAST_TWIN)) < _LEAST_TWIN:
        return ""
    if classes:
        one_to_one = _is_one_to_one(pairs())
        return "each value goes with one class, and each class with one value" if one_to_one else ""
    if TEXT in (column.type, target.type):
        return ""
    if all(np.array_equal(x, y) for x, y in pairs()):
        return "the same values as the target"
    return "the target in another unit" if _is_line(pairs) else ""


def _classes_missing(column: ColumnRows, target: ColumnRows) -> list[str]:
    """The classes in all of whose rows the column is missing, where it is in no other row; else none."""
    missing, present = Counter[float](), Counter[float]()
    for x, y in side_by_side(column, target) if column.missing else ():
        for counts, rows in ((missing, np.isnan(x)), (present, ~np.isnan(x))):
            values, times = np.unique(y[rows & ~np.isnan(y)], return_counts=True)
            counts.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
        if missing.keys() & present.keys():
            return []
    enough = min(missing.total(), present.total()) >= _LEAST_TWIN
    return [target.words(value) for value in sorted(missing)] if enough else []


def _is_one_to_one(pairs: Iterator[tuple[Floats, Floats]]) -> bool:
    """Whether two values or more go with one of the other side each."""
    known: dict[float, float] = {}
    for x, y in pairs:
        values, firsts, places = np.unique(x, return_index=True, return_inverse=True)
        if (y[firsts][places] != y).any():
            return False
        for value, other in zip(values.tolist(), y[firsts].tolist(), strict=True):
            if known.setdefault(value, other) != other:
                return False
    return 1 < len(known) == len({*known.values()})


def _is_line(pairs: Callable[[], Iterator[tuple[Floats, Floats]]]) -> bool:
    """Whether y is a line of x; sums of blocks are added as `Moments` adds them."""
    n, mx, my, xx, yy, xy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    with np.errstate(all="ignore"):
        for x, y in pairs():
            share = len(x) / (n + len(x))
            to_x, to_y = x.mean() - mx, y.mean() - my
            beside_x, beside_y = x - x.mean(), y - y.mean()
            xx += beside_x @ beside_x + n * share * to_x * to_x
            yy += beside_y @ beside_y + n * share * to_y * to_y
            xy += beside_x @ beside_y + n * share * to_x * to_y
            n, mx, my = n + len(x), mx + share * to_x, my + share * to_y
        if not (np.isfinite(xx * yy) and xx * yy > 0) or xy * xy < 0.9 * xx * yy:
            return False
        residuals = ((y - my) - (xy / xx) * (x - mx) for x, y in pairs())
        return bool(sum(residual @ residual for residual in residuals) <= 1e-24 * yy)


_MOST_ADDED = 100
"""Of more columns none is looked for that add up to the target: chance finds some."""


def exact_sum(names: Sequence[str], rows: Callable[[], Iterable[Floats]]) -> dict[str, float]:
    """The factors, by name, of columns whose weighted sum is the target in every row; {} where none is.

    `rows` reads blocks (n, columns + 1), the target last; those with a gap are passed over. A constant
    beside the columns has the name "". Columns of a rounded sum are not found.
    """
    if not 1 < len(names) <= _MOST_ADDED:
        return {}

    def known() -> Iterator[Floats]:
        return (block[~np.isnan(block).any(axis=1)] for block in rows())

    sizes = [
        (len(block), block[:, -1].min(initial=np.inf), block[:, -1].max(initial=-np.inf))
        for block in known()
    ]
    ends = np.cumsum([size for size, _, _ in sizes])
    n = int(ends[-1])
    few = np.linspace(0, n - 1, min(n, 10 * len(names))).astype(np.intp)
    if len(few) < 5 * len(names):
        return {}
    parts = zip(known(), np.split(few, np.searchsorted(few, ends))[:-1], ends, strict=True)
    some = np.concatenate([block[places - end + len(block)] for block, places, end in parts])
    A, y = some[:, :-1], some[:, -1]
    with np.errstate(all="ignore"):
        center, scale, middle = A.mean(axis=0), np.ptp(A, axis=0), y.mean()
        allowed = 1e-11 * (max(high for _, _, high in sizes) - min(low for _, low, _ in sizes))
        if not (np.isfinite([*center, *scale, middle, allowed]).all() and allowed > 0):
            return {}
        scale[scale == 0] = 1.0
        weights, *_ = np.linalg.lstsq((A - center) / scale, y - middle, rcond=1e-12)
        weights[np.abs(weights) < 1e-9 * np.abs(weights).max()] = 0.0
        for block in known():
            off = np.abs((block[:, :-1] - center) / scale @ weights + middle - block[:, -1])
            if off.max(initial=0.0) > allowed:
                return {}
    factors = {
        name: float(f"{weight:.9g}") for name, weight in zip(names, weights / scale, strict=True) if weight
    }
    rest = float(f"{middle - center @ (weights / scale):.9g}")
    return factors | ({"": rest} if abs(rest) > 1e3 * allowed else {})


def sum_text(factors: Mapping[str, float]) -> str:
    """A weighted sum as a formula: 'casual' + 'registered'."""
    parts = []
    for name, factor in factors.items():
        size = (
            f"{abs(factor):g}"
            if not name
            else repr(name)
            if abs(factor) == 1
            else f"{abs(factor):g} {name!r}"
        )
        parts += ["-" if factor < 0 else "+", size]
    return " ".join(parts[1:] if parts[0] == "+" else parts)


def value_range(column: ColumnRows, facts: Facts) -> str:
    """The smallest and largest value, or the most frequent texts, for the table of columns."""
    if column.type == TEXT:
        more = ", …" if len(facts.frequent) < facts.distinct and facts.frequent else ""
        return ", ".join(_one_line(text, 20) for text in facts.frequent) + more
    if not facts.distinct:
        return ""
    if column.type == TRUTH:
        return "false, true" if facts.distinct == 2 else column.words(facts.low)
    low, high = (_short(column, value) for value in (facts.low, facts.high))
    return low if low == high else f"{low} to {high}"


def _short(column: ColumnRows, value: float) -> str:
    whole = column.type != NUMBER or (value == np.floor(value) and abs(value) < 1e15)
    return column.words(value) if whole else f"{value:.6g}"
