"""Names and numbers for reading."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from glassnet.errors import InputError

_LONGEST = 40  # characters of a label
NAME = 24
"""Characters of the name of a class in a legend."""


def tidy(text: object, longest: int = _LONGEST) -> str:
    """A user's name as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def short_names(names: Sequence[str]) -> list[str]:
    """Names of classes for a legend; long names that would be cut to the same text keep both ends."""
    cut = [tidy(name, NAME) for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    whole = [tidy(name, 10_000) for name in names]
    half = NAME // 2
    return [name if len(name) <= NAME else f"{name[:half]}…{name[1 - half :]}" for name in whole]


def plain(text: object, longest: int = _LONGEST) -> str:
    """A user's name for matplotlib, without mathematics, and without a "_" that hides it in a legend."""
    line = tidy(text, longest).replace("$", r"\$")
    return f" {line}" if line.startswith("_") else line


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, its cells under those of the others.

    >>> from glassnet.utils.words import aligned
    >>> aligned([["a", "bc"], ["def", "g"]])
    ['a    bc', 'def  g']
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def readable(value: float, digits: int = 3) -> str:
    """A number to `digits` digits, with an exponent only if very large or small: 12,900 or 0.00153."""
    if value != 0 and not 1e-4 <= abs(value) < max(1e9, 10.0**digits):
        return f"{value:.{digits}g}"
    return f"{float(f'{value:.{digits}g}'):,.{max(digits, 10)}g}"


def counted(count: int, thing: str) -> str:
    """A number of things in words: 1 sample, 3,000 samples."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """A share as a percentage: 100 % only where nothing is wrong, and 0 % only where nothing is right.

    >>> from glassnet.utils.words import percent
    >>> percent(49_998 / 50_000), percent(1.0), percent(0.5)
    ('99.996 %', '100 %', '50 %')
    """
    if not np.isfinite(share):
        return "undefined"
    for digits in range(1, 8):
        text = f"{100 * share:.{digits}f}"
        if float(text) not in (0.0, 100.0) or share in (0.0, 1.0):
            break
    return f"{text.rstrip('0').rstrip('.')} %"


def below_one(value: float) -> str:
    """A correlation or an area to four digits, and 1 only where it is 1.

    >>> from glassnet.utils.words import below_one
    >>> below_one(0.512), below_one(0.999996), below_one(1.0)
    ('0.5120', '0.999996', '1')
    """
    if abs(value) > 1 - 1e-12:
        return f"{value:.0f}"
    return next(text for digits in range(4, 14) if abs(float(text := f"{value:.{digits}f}")) < 1)


def split_at_commas(text: str) -> list[str]:
    """The names in a line; a name with a comma is between double quotes, as in CSV.

    >>> from glassnet.utils.words import split_at_commas
    >>> split_at_commas('age, "height, cm"'), split_at_commas("")
    (['age', 'height, cm'], [])
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"{text!r} is not names between commas: {error}.") from error
    return [part.strip() for row in rows for part in row if part.strip()]
