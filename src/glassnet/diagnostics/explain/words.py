"""Numbers, products and sums as a book writes them, and formulas with numbers in the place of letters."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence

import numpy as np

from glassnet._types import Array

MOST_TERMS = 8
"""Terms of a sum that are written out; of a longer one the first ones and the last."""

_WHERE = re.compile(r"([^,;]+) where (\S+) (>|<|>=|<=) ([^\s,;]+), (?:else )?(.+?)(?: where .+)?")
_COMPARISONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def num(value: float) -> str:
    """A number within a formula, to six digits; one below 0 in parentheses.

    One just below 1 has as many as its distance from 1 needs, on which 1 - h and log y_hat depend.
    """
    text = f"{plain(value)}"
    return f"({text})" if text.startswith("-") else text


def plain(value: float) -> str:
    """The same without parentheses."""
    value = float(value)
    rest = 1 - abs(value)
    return f"{value:.{min(17, 5 - math.floor(math.log10(rest)))}g}" if 0 < rest < 1e-3 else f"{value:.6g}"


def added(terms: Sequence[str], total: int) -> str:
    """Terms joined by plus signs, where `total` are more, with dots for those left out before the last."""
    if total <= len(terms):
        return " + ".join(terms)
    return " + ".join([*terms[:-1], "...", terms[-1]])


def counted(text: str, total: int) -> str:
    """The text of a sum, with the number of its terms where not all are written out."""
    return text if total <= MOST_TERMS else f"{text}   [{total:,} terms]"


def shown(n: int) -> list[int]:
    """The places of n terms that are written out."""
    return [*range(n)] if n <= MOST_TERMS else [*range(MOST_TERMS - 3), n - 1]


def products(first: Array, second: Array) -> str:
    """The sum of products, written out: a_0 * b_0 + a_1 * b_1 + ..."""
    n = len(first)
    return added([f"{num(first[i])} * {num(second[i])}" for i in shown(n)], n)


def with_numbers(formula: str, values: Mapping[str, float | str]) -> str:
    """A formula with numbers in the place of names; products that a book writes without a sign get one.

    >>> from glassnet.diagnostics.explain.words import with_numbers
    >>> with_numbers("h (1 - h)", {"h": 0.25})
    '0.25 * (1 - 0.25)'
    """
    texts = {name: value if isinstance(value, str) else num(value) for name, value in values.items()}
    names = sorted(texts, key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w.]){re.escape(name)}(?![\w'])" for name in names)
    # Two factors side by side: a name or a bracket before a bracket, a function or a name.
    formula = re.sub(rf"({pattern}|\)) (?=\w*\(|{pattern})", r"\1 * ", formula)
    formula = re.sub(pattern, lambda match: texts[match.group()], formula)
    return re.sub(r"\(\((-[\w.+-]+)\)\)", r"(\1)", formula)


def bracketed(text: str) -> str:
    """A factor of a product: a sum in parentheses, and a number or a function's value as they are."""
    return text if re.fullmatch(r"\w*\([^()]*\)|[\w.]+", text) else f"({text})"


def branch(formula: str, values: Mapping[str, float]) -> str:
    """The branch of "a where z > 0, else b" that holds at the values; any other formula as it is.

    >>> from glassnet.diagnostics.explain.words import branch
    >>> branch("r where abs(r) <= limit, else limit", {"r": -2.0, "limit": 1.0})
    'limit'
    """
    match = _WHERE.fullmatch(formula)
    if match is None:
        return formula
    value, left, sign, right, other = match.groups()
    try:
        one, two = (_side(text, values) for text in (left, right))
    except ValueError:  # a letter of a user's own
        return formula
    return value if _COMPARISONS[sign](one, two) else other


def _side(text: str, values: Mapping[str, float]) -> float:
    """A number, a name or abs(name) in a condition."""
    name = text.removeprefix("abs(").removesuffix(")")
    number = values[name] if name in values else float(name)
    return number if name == text else abs(number)


def row_of(array: Array, row: int) -> Array:
    """One row in float64."""
    return np.asarray(array[row], np.float64)
