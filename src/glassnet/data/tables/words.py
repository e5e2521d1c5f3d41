"""What single words of a table mean: numbers, marks for missing values, names in a shell."""

from __future__ import annotations

import re
import shlex

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""The text, in any case, of a cell of a column of numbers whose number is missing."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether a cell is a number as CSV files write them; Python's float() also takes 1_000."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Whether a cell of a column of numbers marks a missing value."""
    return text.strip().lower() in MISSING


def as_option(name: str) -> str:
    """A column's name as an option takes it in a shell; a name with a comma, say, is in double quotes."""
    if any(character in name for character in ',"\r\n'):
        name = '"' + name.replace('"', '""') + '"'
    return shlex.quote(name)
