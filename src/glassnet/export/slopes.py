"""How fast a network's inputs change with the features' numbers: the derivatives of steps.

A `Dual` is a number and its derivative. The functions of `STEPS` compute with duals as with numbers, by
`Duals` in place of NumPy or of what stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glassnet.export.steps import STEPS, Step


@dataclass(frozen=True, eq=False)
class Dual:
    """A value and its derivative, which is a float where it is the same everywhere."""

    value: Any
    slope: Any

    def __add__(self, other: Any) -> Dual:
        other = _dual(other)
        return Dual(self.value + other.value, _sum(self.slope, other.slope))

    def __sub__(self, other: Any) -> Dual:
        other = _dual(other)
        return Dual(self.value - other.value, _sum(self.slope, _product(other.slope, -1.0)))

    def __mul__(self, factor: Any) -> Dual:
        return Dual(self.value * factor, _product(self.slope, factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Dual:
        slope = self.slope if _is(self.slope, 0.0) else self.slope / divisor
        return Dual(self.value / divisor, slope)

    def __lt__(self, other: Any) -> Any:
        return self.value < other

    def __ge__(self, other: Any) -> Any:
        return self.value >= other

    def __eq__(self, other: object) -> Any:
        return self.value == other

    __hash__ = None  # type: ignore[assignment]  # == compares values


class Duals:
    """What stands for `np`, NumPy or its own stand-in, in functions of duals."""

    def __init__(self, np: Any) -> None:
        self.np = np

    def floor(self, v: Dual) -> Dual:
        return Dual(self.np.floor(v.value), 0.0)

    def isnan(self, v: Dual) -> Any:
        return self.np.isnan(v.value)

    def maximum(self, v: Dual, least: Any) -> Dual:
        return Dual(self.np.maximum(v.value, least), self.np.where(v.value < least, 0.0, v.slope))

    def minimum(self, v: Dual, most: Any) -> Dual:
        return Dual(self.np.minimum(v.value, most), self.np.where(most < v.value, 0.0, v.slope))

    def where(self, condition: Any, chosen: Any, other: Any) -> Dual:
        chosen, other = _dual(chosen), _dual(other)
        slope = chosen.slope
        if not _is(chosen.slope, other.slope):
            slope = self.np.where(condition, chosen.slope, other.slope)
        return Dual(self.np.where(condition, chosen.value, other.value), slope)


def slope_of(steps: Sequence[Step], values: Any, np: Any) -> Any:
    """The derivative of what steps make of a feature's number: a float where it is the same everywhere."""
    dual, duals = Dual(values, 1.0), Duals(np)
    for step in steps:
        dual = STEPS[step.name](duals, dual, *step.numbers)
    return dual.slope


def _dual(value: Any) -> Dual:
    return value if isinstance(value, Dual) else Dual(value, 0.0)


def _is(slope: Any, number: Any) -> bool:
    return isinstance(slope, float) and isinstance(number, float) and slope == number


def _sum(a: Any, b: Any) -> Any:
    if _is(a, 0.0):
        return b
    return a if _is(b, 0.0) else a + b


def _product(slope: Any, factor: Any) -> Any:
    return slope if _is(slope, 0.0) else slope * factor
