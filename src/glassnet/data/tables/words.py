"""What single words of a table mean: marks for missing values, plain numbers, names in a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

MISSING = frozenset(
    [
        *("", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "?", "-", "--", ".", "<na>"),
        *("#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "#name?", "#null!"),
    ]
)
"""The text, in any case, of a cell whose value is missing."""

MISSING_NUMBERS = MISSING | {
    *("missing", "unknown", "not available", "n/k", "nd", "n.d."),
    *("k.a.", "k. a.", "keine angabe", "unbekannt", "s.d.", "inconnu", "desconocido"),
}
"""The same of a cell in a column of numbers, dates, or true and false."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a cell is a number as CSV files write them; Python's float() also takes 1_000."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Whether a cell of a column of numbers marks a missing value."""
    return text.strip().lower() in MISSING_NUMBERS


def marks_missing(word: str, others: Collection[str], elsewhere: bool) -> bool:
    """Whether a text of `MISSING` is a missing value, beside the other texts of its column.

    "NA" among codes of two capital letters is one of them, such as Namibia. "None" is a category, such
    as of a disorder, unless the column marks missing values in another way, too: `elsewhere`.
    """
    if word == "NA":
        return not (len(others) > 1 and all(len(text) == 2 and text.isupper() for text in others))
    return word.lower() != "none" or elsewhere


def as_option(name: str) -> str:
    """A column's name as an option takes it in a shell; a name with a comma, say, is in double quotes."""
    if any(character in name for character in ',"\r\n'):
        name = '"' + name.replace('"', '""') + '"'
    return shlex.quote(name)
