"""What the texts of a column mean: numbers in some notation, dates, true and false, or text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from glassnet.data.tables.words import is_missing, is_number

WHOLE, NUMBER, TRUTH, DATE, TEXT = "whole", "number", "truth", "date", "text"

_BLANKS = "\u00a0\u202f\u2009 "
_APOSTROPHES = "'\u2019"
_CURRENCIES = ("$", "€", "£", "¥", "₹", "₽", "₩", "USD", "EUR", "GBP", "CHF", "JPY")
_UNIT = re.compile("|".join(map(re.escape, ("%", *_CURRENCIES))))
_NUMBER_WITH_UNIT = re.compile(
    rf"[+-]?(?!0[0-9])[0-9.,{_APOSTROPHES}{_BLANKS}]*[0-9.,{_BLANKS}]"
    r"(?![eE][+-]?[0-9])((?:[^\W\d_]|[°%‰$€£¥₹₽₩])[^0-9{}]{0,30}[0-9]?)"
)
_LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})*", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)

_ZONE = r"( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?"
_ISO = re.compile(
    r"\d{4}([-/])\d{1,2}\1\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?" + _ZONE + ")?", re.ASCII
)
_COMPACT = re.compile(r"\d{8}T\d{4}(\d{2})?Z?", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII)
_THREE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})( \d{1,2}:.*)?", re.ASCII)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_NAMED = (
    "%d{0}%b{0}%Y",
    "%d{0}%B{0}%Y",
    "%d{0}%b{0}%y",
    "%b{0}%d,{0}%Y",
    "%B{0}%d,{0}%Y",
    "%b{0}%Y",
    "%B{0}%Y",
)
_NAMED_DATE = re.compile(r"(\d{1,2}[ -])?[A-Za-z]{3,9}[ -](\d{1,2}, )?\d{2,4}", re.ASCII)


@dataclass(frozen=True)
class Meaning:
    """A kind of column, and the DuckDB expression, of the column ``{0}``, that reads a cell of it.

    The expression is NULL for a cell that is missing or means something else. `type` is DuckDB's own that
    reads the same cells faster; `note` says what was guessed.
    """

    kind: str
    expression: str = "{0}"
    note: str = ""
    type: str = ""

    def sql(self, column: str) -> str:
        """The expression of a column."""
        return self.expression.format(column)


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


AS_TEXT = Meaning(TEXT)
_DIGITS = "CAST(TRY_CAST({0} AS BIGINT) AS VARCHAR)"
AS_WHOLE = Meaning(
    WHOLE,
    f"CASE WHEN {_DIGITS} = {{0}} OR {_DIGITS} = ltrim(trim({{0}}), '+') "
    "THEN TRY_CAST({0} AS BIGINT) END",
)
# Text between 00 and 0: begins with a zero and one more digit; DuckDB takes 1_000 for a number.
AS_NUMBER = Meaning(
    NUMBER,
    "CASE WHEN NOT (({0} >= '00' AND {0} < '0:') OR contains({0}, '_')) THEN TRY_CAST({0} AS DOUBLE) END",
    type="DOUBLE",
)
AS_TRUTH = Meaning(
    TRUTH,
    "CASE WHEN {0} = 'True' THEN TRUE WHEN {0} = 'False' THEN FALSE "
    "WHEN lower(trim({0})) = 'true' THEN TRUE WHEN lower(trim({0})) = 'false' THEN FALSE END",
)
AS_DATE = Meaning(DATE, "TRY_CAST({0} AS TIMESTAMP)", type="TIMESTAMP")


# ---- Numbers ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Notation:
    """Numbers with a decimal mark and separators of thousands."""

    decimal: str
    thousands: str = ""

    def body(self) -> str:
        d, many = re.escape(self.decimal), f"[{self.thousands}]"
        plain = rf"(?:\d+{d}?\d*|{d}\d+)(?:[eE][+-]?\d+)?"
        return (
            rf"(?:{plain}|[1-9]\d{{0,2}}(?:{many}\d{{2,3}})*{many}\d{{3}}(?:{d}\d*)?)"
            if self.thousands
            else plain
        )

    def pattern(self, unit: str) -> str:
        u = re.escape(unit)
        body = self.body()
        blanks = rf"[{_BLANKS}]*"

        def around(number: str) -> str:
            if not unit or unit in _CURRENCIES:  # accountants write them in the first row only
                return rf"(?:{u}{blanks})?{number}(?:{blanks}{u})?"
            return rf"(?:{u}{blanks}{number}|{number}{blanks}{u})"

        return rf"{blanks}(?:[+-]?{around('[+-]?' + body)}|\({around(body)}\)){blanks}"

    def meaning(self, unit: str, note: str) -> Meaning:
        text = "{0}"
        gone = [*([unit] if unit else []), *self.thousands, *_BLANKS]
        for old, new in [
            *((mark, "") for mark in gone),
            ("(", "-"),
            (")", ""),
            *([(",", ".")] if self.decimal == "," else []),
        ]:
            text = f"replace({text}, {literal(old)}, {literal(new)})"
        pattern = literal(self.pattern(unit)).replace("{", "{{").replace("}", "}}")
        number = f"CASE WHEN regexp_full_match({{0}}, {pattern}) THEN TRY_CAST({text} AS DOUBLE) END"
        return Meaning(NUMBER, number, note)


_NOTATIONS = [
    Notation(decimal, thousands)
    for decimal in ".,"
    for thousands in ("", "." if decimal == "," else ",", _BLANKS, _APOSTROPHES)
]


def unit_of(texts: Iterable[str]) -> str | None:
    """The only unit of the numbers, such as "m²" of "12 m²", "" for none; None where there are several."""
    found: set[str] = set()
    for text in texts:
        number = _NUMBER_WITH_UNIT.fullmatch(text)
        found.update([number[1]] if number else _UNIT.findall(text))
        if len(found) > 1:
            return None
    return found.pop() if found else ""


def notations_of(texts: Collection[str], unit: str) -> list[Notation]:
    """The notations in which all texts are numbers."""
    return [
        notation
        for notation in _NOTATIONS
        if all(map(re.compile(notation.pattern(unit), re.ASCII).fullmatch, texts))
    ]


def _number(texts: Collection[str], decimal: str, clear: str) -> Meaning | None:
    """Numbers; `decimal` is the file's mark, and `clear` that of columns which leave no doubt."""
    if all(map(is_number, texts)) and not (clear == "," and _may_be_thousands(texts)):
        if all(map(_WHOLE.fullmatch, texts)):
            return AS_TEXT if any(map(_LEADING_ZERO.fullmatch, texts)) else AS_WHOLE
        return AS_NUMBER
    unit = unit_of(texts)
    found = [] if unit is None else notations_of(texts, unit)
    if not found:
        return None
    notation = next((one for one in found if one.decimal == decimal), found[0])
    said = [f"{unit} left out"] if unit else []
    if any("." in text or "," in text for text in texts) and notation.decimal == ",":
        said.append("decimal commas")
    if notation.thousands:
        mark = {".": "points", ",": "commas", _BLANKS: "blanks"}.get(notation.thousands, "apostrophes")
        example = next(
            (text for text in texts if any(one in text.strip() for one in notation.thousands)), ""
        )
        said.append(f"{mark} between thousands, such as {example!r}")
    return notation.meaning(unit or "", ", ".join(said))


def _may_be_thousands(texts: Collection[str]) -> bool:
    """Whether points may part thousands: 1.200 is 1200 where other columns have decimal commas."""
    return all(map(_POINTS.fullmatch, texts)) and any("." in text for text in texts)


def _decimal_marks(columns: Mapping[str, Collection[str]]) -> str:
    """The decimal marks of columns that leave no doubt, "", ".", "," or both."""
    marks = set()
    for texts in columns.values():
        if not any("," in text or "." in text for text in texts):
            continue
        if all(map(is_number, texts)):
            marks |= set() if _may_be_thousands(texts) else {"."}
        elif (unit := unit_of(texts)) is not None:
            found = {one.decimal for one in notations_of(texts, unit)}
            marks |= found if len(found) == 1 else set()
    return "".join(sorted(marks))


# ---- Dates --------------------------------------------------------------------------------------------


def _date(texts: Collection[str], decimal: str) -> Meaning | None:
    if all(map(_ISO.fullmatch, texts)):
        return AS_DATE
    if all(map(_COMPACT.fullmatch, texts)):
        return _strptime([f"%Y%m%dT%H%M{end}" for end in ("%S", "%SZ", "", "Z")], "")
    if all(map(_MONTH.fullmatch, texts)):
        return Meaning(DATE, "TRY_CAST({0} || '-01' AS TIMESTAMP)", "months")
    if all(map(_CLOCK.fullmatch, texts)):
        return Meaning(DATE, "TRY_CAST('1970-01-01 ' || {0} AS TIMESTAMP)", "times of day")
    if all(map(_NAMED_DATE.fullmatch, texts)):
        return _named_date(texts)
    parts = [_THREE.fullmatch(text) for text in texts]
    if not all(parts):
        return None
    first, second = (max(int(part[place]) for part in parts if part) for place in (1, 3))
    if first > 31 or second > 31 or min(first, second) > 12:
        return None
    separators, years = ({part[place] for part in parts if part} for place in (2, 4))
    if len(separators) > 1 or len({*map(len, years)}) > 1:
        return None
    (mark,) = separators
    sure = max(first, second) > 12
    day_first = first > 12 if sure else mark != "/" or decimal == ","
    order = ("%d", "%m") if day_first else ("%m", "%d")
    written = mark.join([*order, "%Y" if len(next(iter(years))) == 4 else "%y"])
    note = (
        f"dates written {'day' if day_first else 'month'}{mark}{'month' if day_first else 'day'}{mark}year"
    )
    return _strptime([written + time for time in _TIMES], note if sure else f"{note}, which is a guess")


def _named_date(texts: Collection[str]) -> Meaning | None:
    for pattern in _NAMED:
        for mark in " -":
            written = pattern.format(mark)
            try:
                for text in texts:
                    datetime.strptime(text, written)
            except ValueError:
                continue
            return _strptime([written], "")
    return None


def _strptime(formats: list[str], note: str) -> Meaning:
    return Meaning(DATE, f"TRY_STRPTIME({{0}}, [{', '.join(map(literal, formats))}])", note)


# ---- Columns ------------------------------------------------------------------------------------------


def meanings(
    columns: Mapping[str, Collection[str]], delimiter: str = "", decimal: str | None = None
) -> dict[str, Meaning]:
    """What each column is, by a sample of its different texts."""
    present = {
        name: [text.strip() for text in texts if not is_missing(text)] for name, texts in columns.items()
    }
    clear = _decimal_marks(present) if decimal is None else decimal
    if decimal is None:
        decimal = clear if len(clear) == 1 else "," if delimiter == ";" and not clear else "."
    return {name: _meaning(texts, decimal, clear) for name, texts in present.items()}


def _meaning(texts: Collection[str], decimal: str, clear: str) -> Meaning:
    if not texts:
        return AS_TEXT
    if all(text.lower() in ("true", "false") for text in texts):
        return AS_TRUTH
    if not any(character.isdigit() for character in next(iter(texts))) and not any(map(is_number, texts)):
        return _date(texts, decimal) or AS_TEXT
    return _number(texts, decimal, clear) or _date(texts, decimal) or AS_TEXT
