"""Successive halving: settings that do worse than others early on are trained no further."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.utils.settings_checks import as_real, as_steps


@dataclass(frozen=True)
class Halving:
    """All settings are trained for a few iterations, one in `factor` for `factor` times as many, ...

    `first` is the first number of iterations; None takes what leaves one setting at the end.
    """

    factor: float = 3.0
    first: int | None = None

    def rungs(self, n_settings: int, iterations: int) -> tuple[int, ...]:
        """The iterations after which settings are compared, fewest first; fewer than `iterations`."""
        if self.first is not None:
            found, at = [], float(self.first)
            while round(at) < iterations:
                found.append(round(at))
                at = max(at * self.factor, round(at) + 1.0)  # never twice after as many
            return tuple(found)
        count = 0
        while n_settings > 1:
            n_settings, count = self.survivors(n_settings), count + 1
        rungs = {max(1, round(iterations / self.factor ** (i + 1))) for i in range(count)}
        return tuple(sorted(one for one in rungs if one < iterations))

    def survivors(self, n_settings: int) -> int:
        """How many of so many settings go on: at least one, and one less than there are."""
        return max(1, min(math.ceil(n_settings / self.factor - 1e-9), n_settings - 1))


def as_halving(value: object) -> Halving | None:
    """The `halving` of `sweep`: None, True, a factor, or a mapping with "factor" and "first"."""
    if value is None or value is False:
        return None
    if value is True:
        return Halving()
    told: Mapping[str, Any]
    if isinstance(value, Mapping):
        for name in value:
            if name not in ("factor", "first"):
                raise unknown_name("key of halving:", name, ("factor", "first"))
        told = value
    elif isinstance(value, (int, float)):
        told = {"factor": value}
    else:
        raise InputTypeError(
            f'halving is True, a factor such as 3 or a mapping such as {{"factor": 3, "first": 100}}, not '
            f"{value!r}."
        )
    factor = as_real(told.get("factor", Halving.factor), "halving's factor")
    if not 1 < factor < math.inf:
        raise InputError(f"halving's factor is {factor:g}; expected a number above 1, such as 3.")
    first = told.get("first")
    return Halving(factor, None if first is None else as_steps(first, "halving's first"))


def best_of(costs: Mapping[int, Sequence[float]], count: int) -> set[int]:
    """The settings with the least mean cost over their networks; a cost that is not finite is the worst.

    Of equal ones the first stay.
    """

    def mean(setting: int) -> float:
        values = costs[setting]
        total = sum(values) / len(values)
        return total if math.isfinite(total) else math.inf

    return set(sorted(costs, key=lambda setting: (mean(setting), setting))[:count])
