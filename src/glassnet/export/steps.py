"""What happens to a feature's number before it enters a network: small functions of one number.

A writer has a text for each of these by its name; the functions here say what the text must compute, NaN
included. NaN stands for a missing value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats


class Step(NamedTuple):
    """One function of `STEPS`, with its numbers."""

    name: str
    numbers: tuple[float, ...] = ()

    def __call__(self, values: Floats) -> Floats:
        return STEPS[self.name](values, *self.numbers)


def _month(days: Floats) -> Floats:
    known = np.where(np.isfinite(days), days, 0)
    months = known.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64).astype(np.float64) % 12
    return np.where(np.isfinite(days), months, np.nan)


def _pick(values: Floats, *table: float) -> Floats:
    known = np.isfinite(values)
    places = np.where(known, values, 0).astype(np.intp)
    return np.where(known, np.array(table)[np.clip(places, 0, len(table) - 1)], np.nan)


def _fill(values: Floats, number: float) -> Floats:
    return np.where(np.isnan(values), number, values)


STEPS: Mapping[str, Callable[..., Floats]] = {
    "add": lambda v, c: v + c,
    "subtract": lambda v, c: v - c,
    "multiply": lambda v, c: v * c,
    "divide": lambda v, c: v / c,
    # NaN passes.
    "clip": lambda v, low, high: np.minimum(np.maximum(v, low), high),
    "floor": np.floor,
    # From 0 to below c, also of numbers below 0.
    "remainder": lambda v, c: v - c * np.floor(v / c),
    # 0 for January to 11 for December, of whole days since 1970-01-01.
    "month": _month,
    # table[v] of a whole number v.
    "pick": _pick,
    "fill": _fill,
    # These answer 1 or 0, NaN too.
    "is_missing": lambda v: np.isnan(v).astype(np.float64),
    "equals": lambda v, c: (v == c).astype(np.float64),
    # Neither missing nor one of 0, 1, ... count - 1.
    "is_other": lambda v, count: (~np.isnan(v) & ~((v >= 0) & (v < count))).astype(np.float64),
}
"""Every step by name, each a function of values (n,) and its numbers."""
