"""How far to go along a direction: the strong Wolfe conditions.

Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.training.steppers.solver import Point, Solver, SolverStepper, dot
from glassnet.utils.settings_checks import as_fraction, checked

MOST = 25
"""Trials, after which the search gives up."""


@dataclass(frozen=True, repr=False)
class LineSearch(Solver):
    """A solver whose steps meet the strong Wolfe conditions; ``decrease`` is the smaller of its two."""

    decrease: float = field(default=1e-4, kw_only=True, metadata=checked(as_fraction))
    curvature: float = field(default=0.9, kw_only=True, metadata=checked(as_fraction))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decrease < self.curvature:
            raise InputError(
                f"decrease is {self.decrease} and curvature {self.curvature}; expected the first to be "
                f"smaller, or no step might meet both."
            )


class Trial(NamedTuple):
    """A point at the distance `alpha` along the direction, with the loss and its slope there."""

    alpha: float
    loss: float
    slope: float
    point: Point | None = None


def wolfe_step(
    try_at: Callable[[float], Trial], start: Trial, alpha: float, c1: float, c2: float
) -> Trial | None:
    """A trial whose loss is low enough and whose slope is flat enough, or None.

    loss <= start.loss + c1 alpha start.slope and |slope| <= c2 |start.slope|. Where rounding leaves no
    such point, the lowest trial that lowers the loss at all. `alpha` is the first one tried.

    >>> def f(alpha):
    ...     return Trial(alpha, (alpha - 3) ** 2, 2 * (alpha - 3))
    >>> round(wolfe_step(f, f(0.0), 1.0, 1e-4, 0.1).alpha, 6)
    3.0

    SciPy's line_search and PyTorch's strong_wolfe try as often, and take a point that misses the second
    condition where they run out.
    """
    best = start
    low = before = start
    high: Trial | None = None
    for number in range(MOST):
        now = try_at(alpha)
        if now.loss < best.loss:
            best = now
        enough = now.loss <= start.loss + c1 * alpha * start.slope
        if enough and abs(now.slope) <= -c2 * start.slope:
            return now
        if high is None:  # still on the way out
            if not enough or (number > 0 and now.loss >= before.loss):
                low, high = before, now
            elif now.slope >= 0:
                low, high = now, before
            else:
                before = now
        elif not enough or now.loss >= low.loss:
            high = now
        else:
            if now.slope * (high.alpha - low.alpha) >= 0:
                high = low
            low = now
        after = _further(before, start) if high is None else _between(low, high)
        used_up = high is not None and after in (low.alpha, high.alpha)  # no number lies between them
        if used_up or not math.isfinite(after):
            break
        alpha = after
    return best if best.loss < start.loss else None


def _further(now: Trial, start: Trial) -> float:
    """Outward, by the parabola through both slopes, at least twice and at most ten times as far."""
    slope, bend = now.slope, (now.slope - start.slope) / now.alpha
    guess = now.alpha - slope / bend if bend > 0 else math.inf
    return min(max(guess, 2 * now.alpha), 10 * now.alpha)


def _between(low: Trial, high: Trial) -> float:
    """The minimum of the cubic through both, kept off the ends by a tenth of what lies between."""
    width = high.alpha - low.alpha
    if not (math.isfinite(high.loss) and math.isfinite(high.slope)):
        return low.alpha + 0.1 * width
    d1 = low.slope + high.slope - 3 * (high.loss - low.loss) / width
    inside = d1 * d1 - low.slope * high.slope
    share = 0.5
    if inside >= 0:
        d2 = math.copysign(math.sqrt(inside), width)
        below = high.slope - low.slope + 2 * d2
        if below != 0:
            share = 1 - (high.slope + d2 - d1) / below
    return low.alpha + min(max(share, 0.1), 0.9) * width


def along(stepper: SolverStepper, solver: LineSearch, direction: Array, alpha: float) -> Point | None:
    """The point of a `wolfe_step` from where the stepper stands; None where the direction leads nowhere."""
    at = stepper.point
    flat, slope = at.flat.astype(np.float64), dot(direction, at.gradient)
    if not slope < 0:
        return None

    def try_at(distance: float) -> Trial:
        point = stepper.evaluate(flat + distance * direction)
        return Trial(distance, point.loss, dot(direction, point.gradient), point)

    conditions = solver.decrease, solver.curvature
    found = wolfe_step(try_at, Trial(0.0, at.loss, slope), alpha, *conditions)
    return None if found is None else found.point
