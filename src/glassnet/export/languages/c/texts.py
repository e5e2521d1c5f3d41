"""Names, texts and numbers as C has them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from glassnet.export.languages import program


def quoted(text: str) -> str:
    """A string literal; it ends a comment or a line nowhere, whatever the text."""
    data = text.encode("utf-8", "surrogatepass").decode("latin-1")
    return program.quoted(data, "\\{:03o}".format).replace("?", "\\077")  # no trigraph


def identifiers(names: Iterable[object]) -> list[str]:
    """A part of a C name for each name, no two alike."""
    taken: set[str] = set()
    chosen = []
    for name in names:
        stem = re.sub(r"\W+", "_", str(name), flags=re.ASCII).strip("_") or "_"
        unique, number = stem, 2
        while unique in taken:
            unique, number = f"{stem}_{number}", number + 1
        taken.add(unique)
        chosen.append(unique)
    return chosen


def behind(first: str, places: int) -> str:
    """An index or an address some places behind the first."""
    return f"{first} + {places}" if places else first


def number(value: float, precision: str = "float64") -> str:
    """A literal that reads back with the same bits."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = repr(float(value)) if precision == "float64" else f"{np.float32(value):.9g}"
    if not re.search(r"[.e]", text):
        text += ".0"
    return text if precision == "float64" else f"{text}f"


def rows(items: Sequence[str], indent: str = "  ") -> str:
    """Items with commas, in lines of about 100 characters."""
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) > 100 and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{item}, "
    return "\n".join([*lines, line.rstrip().rstrip(",")])
