"""What happens to a feature's number before it enters a network: small functions of one number.

NaN stands for a missing value, and passes where nothing else is said. As in `formulas`, `np` stands for
NumPy or for what a writer gives in its place, here with floor, isnan, maximum, minimum and where; a writer
takes functions of its own language where it has better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy

from glassnet.data.fixed_order import Floats


class Step(NamedTuple):
    """One function of `STEPS`, with its numbers."""

    name: str
    numbers: tuple[float, ...] = ()

    def __call__(self, values: Floats) -> Floats:
        result: Floats = STEPS[self.name](numpy, values, *self.numbers)
        return result


def _remainder(np: Any, v: Any, c: float) -> Any:
    return v - c * np.floor(v / c)


def _month(np: Any, days: Any) -> Any:
    """By years that begin in March, so that the leap day is the last one."""
    day = _remainder(np, days + 719468, 146097)  # 400 years, from 0000-03-01
    leaps = np.floor(day / 1460) - np.floor(day / 36524) + np.floor(day / 146096)
    year = np.floor((day - leaps) / 365)
    of_year = day - (365 * year + np.floor(year / 4) - np.floor(year / 100))
    return _remainder(np, np.floor((5 * of_year + 2) / 153) + 2, 12)


def _pick(np: Any, v: Any, *table: float) -> Any:
    """By halves, because compilers bound how deep choices nest."""

    def among(start: int, stop: int) -> Any:
        if stop - start > 16:
            middle = (start + stop) // 2
            return np.where(v < middle, among(start, middle), among(middle, stop))
        picked = v * numpy.nan
        for place in range(start, stop):
            picked = np.where(v == place, table[place], picked)
        return picked

    return among(0, len(table))


STEPS: Mapping[str, Callable[..., Any]] = {
    "add": lambda np, v, c: v + c,
    "subtract": lambda np, v, c: v - c,
    "multiply": lambda np, v, c: v * c,
    "divide": lambda np, v, c: v / c,
    "clip": lambda np, v, low, high: np.minimum(np.maximum(v, low), high),
    "floor": lambda np, v: np.floor(v),
    # From 0 to below c, also of numbers below 0.
    "remainder": _remainder,
    # 0 for January to 11 for December, of whole days since 1970-01-01.
    "month": _month,
    # table[v] of a whole number v; NaN of any other.
    "pick": _pick,
    "fill": lambda np, v, c: np.where(np.isnan(v), c, v),
    # These answer 1 or 0, NaN too.
    "is_missing": lambda np, v: np.where(np.isnan(v), 1.0, 0.0),
    "equals": lambda np, v, c: np.where(v == c, 1.0, 0.0),
    # Neither missing nor one of 0, 1, ... count - 1.
    "is_other": lambda np, v, count: np.where(v >= count, 1.0, np.where(v < 0, 1.0, 0.0)),
}
"""Every step by name, each a function of NumPy or its stand-in, a value and the step's numbers."""
