"""L-BFGS, the curvature of the last few steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import NativeProblem
from glassnet.training.steppers.line_search import LineSearch, along
from glassnet.training.steppers.solver import Point, SolverStepper, Start, StopReason, dot
from glassnet.utils.settings_checks import as_steps, checked


@dataclass(frozen=True, repr=False)
class LBFGS(LineSearch):
    """theta <- theta - alpha H g, where H is the inverse Hessian as the last few steps show it.

    With s = theta_new - theta and y = g_new - g of each of the last `memory` steps, and rho = 1 / y^T s,
    H <- (I - rho s y^T) H (I - rho y s^T) + rho s s^T from the oldest on, beginning with
    y^T s / y^T y I of the newest. alpha meets the strong Wolfe conditions: the loss falls by `decrease`
    times what the slope promises, and the slope that is left is `curvature` times the first at most.

    Parameters
    ----------
    memory : pairs that are kept, 1 or more: 2 memory vectors of the parameters' length.
    decrease, curvature : above 0 and below 1, the first one the smaller.
    gradient_tolerance, tolerance : when to end, see `Solver`.

    For any smooth loss, with l2 and sample weights, on the full batch. `train` raises InputError with
    batch_size, dropout, l1, max_norm or average.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 4, 2), hidden="tanh"), X, y, optimizer=gn.LBFGS(), iterations=50,
    ...                random_state=1)
    >>> run.predict(X).tolist(), bool(run.losses[-1] < 1e-3)
    ([0, 1, 1, 0], True)

    Nocedal (1980); Liu and Nocedal (1989); the search along the line: Nocedal and Wright (2006). SciPy's
    L-BFGS-B, scikit-learn's solver="lbfgs", searches after More and Thuente and cannot go on where it
    stopped. PyTorch's LBFGS makes up to 20 such steps in one of its own, and searches no line unless
    told to.
    """

    name = "lbfgs"

    memory: int = field(default=10, metadata=checked(as_steps))

    def stepper(self, start: Start) -> SolverStepper:
        return _Stepper(self, start)

    def fits(self, rows: int, memory: NDArray[np.float64]) -> bool:
        known = tuple(memory[2:]) in ((), IN_UNITS)
        return rows <= 2 * self.memory + 1 and known and super().fits(0, memory[:2])


IN_UNITS = (1.0,)
"""Its numbers, which mark pairs in `Units`: earlier commits kept those of theta, without a mark."""


class _Stepper(SolverStepper):
    """The state's rows are the pairs s, y, the oldest first.

    What `step` does, for NumPy and for data that are streamed, the native engine's `quasi_newton.hpp` does
    many times per call, with the same bits.
    """

    _solver: LBFGS

    def __init__(self, solver: LBFGS, start: Start) -> None:
        super().__init__(solver, start)
        mark = () if self._units.is_plain else IN_UNITS
        self.rows = self.rows[-2 * solver.memory :] if self.numbers == mark else self.rows[:0]
        self.numbers = mark
        self._room = self.rows  # which begins with the pairs

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        if not isinstance(self.problem, NativeProblem) or self.stops:
            return super().advance(losses, stop, seconds)
        if self._at_start or not self.updates:  # the engine takes another length for a first step
            return super().advance(losses[:1], stop, seconds)
        solver, rows = self._solver, len(self.rows)
        if solver.goal is not None or solver.seconds is not None:
            losses = losses[:1]  # the engine looks at neither
        room = self._room  # in which nothing changes where a signal handler raises
        if len(room) < 2 * solver.memory and len(room) < rows + 2 * len(losses):
            room = np.empty(
                (min(2 * solver.memory, 2 * (rows + len(losses))), self.flat.size), self.flat.dtype
            )
            room[:rows] = self.rows
        else:
            room = room.copy()
        flat, gradient = self.point.flat.copy(), self.point.gradient.copy()
        conditions = solver.decrease, solver.curvature, solver.gradient_tolerance, solver.tolerance
        steps, evaluations, rows, reason = self.problem.lbfgs(
            flat, gradient, room, rows, losses, self.point.loss, *conditions, stop, seconds
        )
        point = Point(flat, float(losses[steps - 1]), gradient) if steps else self.point
        pairs, ending = room[:rows], StopReason(reason)
        losses[:steps] *= self._units.loss
        # No call stands between these, in which a signal handler could raise: the steps are taken whole.
        self.point, self._room, self.rows = point, room, pairs
        self.updates += steps
        self.evaluations += evaluations
        self.reason = ending
        try:
            if steps:
                self.keep_step(steps - 1)
            if not reason:
                self.reason = self._reason_here()
        except BaseException as error:
            self.error = error
        return steps, False

    def step(self) -> Point | None:
        pairs = self.rows
        point = self._search(pairs)
        if point is None and len(pairs):
            pairs = pairs[:0]  # what they show is wrong here: once more without
            point = self._search(pairs)
        if point is not None:
            pair = np.stack([point.flat - self.point.flat, point.gradient - self.point.gradient])
            bend, square = dot(pair[0], pair[1]), dot(pair[1], pair[1])
            if bend > np.finfo(np.float64).eps * square > 0:  # else H would not stay positive
                room = 2 * (self._solver.memory - 1)
                pairs = np.concatenate([pairs[max(0, len(pairs) - room) :], pair])
            self.rows = pairs
        return point

    def _search(self, pairs: Array) -> Point | None:
        gradient = self.point.gradient
        length = math.sqrt(dot(gradient, gradient))
        # A first step of length 1, as SciPy's, whatever the loss is multiplied by.
        alpha = 1.0 if len(pairs) or (self.updates and length <= 1) else 1.0 / length
        return along(self, self._solver, -inverse_hessian(pairs, gradient), alpha)


def inverse_hessian(pairs: Array, gradient: Array) -> Array:
    """H g, by the two loops: from the newest pair to the oldest and back."""
    q = gradient.astype(np.float64)
    seen = []
    for s, y in zip(pairs[-2::-2], pairs[-1::-2], strict=True):
        rho = 1.0 / dot(s, y)
        a = rho * dot(s, q)
        q -= a * y.astype(np.float64)
        seen.append((s, y, rho, a))
    if seen:
        _, y, rho, _ = seen[0]
        q *= 1.0 / (rho * dot(y, y))
    for s, y, rho, a in reversed(seen):
        q += (a - rho * dot(y, q)) * s.astype(np.float64)
    return q
