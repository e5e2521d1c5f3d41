"""The least time that an iteration can take: instructions counted, over rates just measured.

The count is of vector instructions for one vector of samples, of the formulas that the engine uses
(``native/kernels/shallow.hpp``), a two-class softmax being one output: whoever
wants the same accuracy from the same polynomials needs them all. Nothing else is counted: no load or
store, no loop, none of the work that is done once per block or once per iteration (logarithms of
products, folding of lanes, the update, waiting for the other thread), and no multiplication by -1,
since a sign can go into the weights. A table of powers in place of a polynomial would be another
formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from glassnet import native

COEFFICIENTS = {"float64": 5, "float32": 2}
"""Behind the first, of R = r coth(r ln(2) / 2), a polynomial in r^2: 2^r = (R + r) / (R - r)."""

HIDDEN, INPUTS = 3, 2


@dataclass(frozen=True)
class Count:
    """Vector instructions: fma with its kind and multiplications; additions and subtractions; minima and
    maxima; shifts, logic, comparisons and blends; divisions."""

    fma: int = 0
    add: int = 0
    min_max: int = 0
    bits: int = 0
    divide: int = 0

    def __add__(self, other: Count) -> Count:
        names = (field.name for field in fields(Count))
        return Count(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def __mul__(self, times: int) -> Count:
        return Count(**{field.name: getattr(self, field.name) * times for field in fields(Count)})


@dataclass(frozen=True)
class Phase:
    """A step of the pass and what it takes for one vector of samples."""

    name: str
    count: Count
    why: str


def exponential(coefficients: int) -> Count:
    """2^x as 2^n (R + r) / (R - r), not yet divided, with n = round(x) and r = x - n."""
    reduction = Count(add=3, bits=1)  # n by adding and taking off a number; a shift makes 2^n
    polynomial = Count(fma=1 + coefficients)  # r^2, then one fma for each coefficient
    return reduction + polynomial + Count(add=2)


def phases(precision: str) -> tuple[Phase, ...]:
    """The pass over a 2-3-2 network, phase by phase."""
    e = exponential(COEFFICIENTS[precision])
    return (
        Phase("hidden Z", Count(fma=INPUTS) * HIDDEN, "an fma per weight; the bias starts the sum"),
        Phase(
            "hidden activations",
            (Count(min_max=2) + e + Count(fma=1, divide=1)) * HIDDEN,
            "clip, 2^-z as a ratio, 1 / (1 + 2^-z) by one division, per unit",
        ),
        Phase("output Z", Count(fma=HIDDEN), "one output for two classes"),
        Phase(
            "2^-abs(z) = b / a",
            Count(bits=1, min_max=1) + e + Count(fma=1),
            "sign, clip, exponential, its scale",
        ),
        Phase(
            "error and loss",
            Count(fma=3, add=4, min_max=1, bits=2, divide=1),
            "a + b, compare, blend, divide, - y; max(z, 0), - y z, sum; two products; sum of errors",
        ),
        Phase(
            "hidden error and output gradient",
            Count(fma=2, add=2) * HIDDEN,
            "h delta, less h of that, sums of both, per unit",
        ),
        Phase("input gradient", Count(fma=INPUTS) * HIDDEN, "an fma per weight"),
    )


def total(precision: str) -> Count:
    """All phases together."""
    return sum((phase.count for phase in phases(precision)), Count())


def dense(sizes: Sequence[int], precision: str) -> Count:
    """The pass over a relu network for two classes, which are one output: gradient and loss, no update.

    Per weight an fma forward, one for its gradient and, behind the first layer, one for the error it
    hands back; per unit a maximum, a blend and the sum of its errors.
    """
    widths = [*sizes[:-1], 1]
    pairs = list(pairwise(widths))
    weights = sum(a * b for a, b in pairs)
    back = weights - widths[0] * widths[1]
    units = sum(widths[1:-1])
    count = Count(fma=2 * weights + back, min_max=units, bits=units, add=units)
    ends = [
        phase.count for phase in phases(precision) if phase.name in ("2^-abs(z) = b / a", "error and loss")
    ]
    return sum(ends, count)


def count_table() -> str:
    """The count as a Markdown table, both precisions side by side: "float64 / float32"."""
    kinds = {
        "fma": "fma, mul",
        "add": "add, sub",
        "min_max": "min, max",
        "bits": "bits",
        "divide": "divide",
    }
    lines = [f"| per vector of samples | {' | '.join(kinds.values())} | what for |"]
    lines.append("|---|" + "---:|" * len(kinds) + "---|")

    def cells(double: Count, single: Count) -> str:
        pairs = [(getattr(double, kind), getattr(single, kind)) for kind in kinds]
        return " | ".join(f"{a} / {b}" if a != b else f"{a}" if a else "" for a, b in pairs)

    for double, single in zip(phases("float64"), phases("float32"), strict=True):
        lines.append(f"| {double.name} | {cells(double.count, single.count)} | {double.why} |")
    lines.append(f"| **all** | {cells(total('float64'), total('float32'))} | float64 / float32 |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Bound:
    """The least seconds of an iteration on one thread, and what sets them."""

    seconds: float
    limit: str
    terms: Mapping[str, float]

    def on(self, threads: int) -> float:
        """Seconds on so many threads, each with a core of its own."""
        return self.seconds / threads


def bound(precision: str, n_samples: int, rates: Mapping[str, float]) -> Bound:
    """The bound of the notebook's iteration; see `bound_of`."""
    return bound_of(total(precision), n_samples, rates)


def bound_of(count: Count, n_samples: int, rates: Mapping[str, float]) -> Bound:
    """The bound of a pass from `rates`: samples per vector ("lanes") and seconds per instruction.

    Three things can be short, and the pass takes at least the longest of them: the units for fma, the
    divider, and room to issue all arithmetic, at the rate of a mix that keeps every unit busy. "bits"
    are left out, since other units may take them.
    """
    vectors = math.ceil(n_samples / rates["lanes"])
    arithmetic = count.fma + count.add + count.min_max + count.divide
    terms = {
        "fma": vectors * count.fma * rates["fma"],
        "divide": vectors * count.divide * rates["divide"],
        "all arithmetic": vectors * arithmetic * min(rates["mixed"], rates["fma"], rates["add"]),
    }
    limit = max(terms, key=lambda name: terms[name])
    return Bound(terms[limit], limit, terms)


def measure_rates(isa: str, precision: str, seconds: float = 0.04) -> dict[str, Any]:
    """What one core of this machine issues now: "lanes" in a vector, and seconds per vector instruction."""
    assert native.module is not None  # whoever asks has run the native engine
    rates: dict[str, Any] = native.module.issue_rates(isa, 64 if precision == "float64" else 32, seconds)
    return rates
