"""The loss around a point: its slope, how sharply it curves upward, and where it curves downward."""

from __future__ import annotations

import math
import time
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.curvature import WHOLE, Curvature, Surroundings, extreme_pair
from glassnet.optim import Optimizer

MOST_PARAMETERS = 3_000
"""Beyond, a direction of negative curvature takes too long to find."""

STEPS_BEYOND, DESCENT = 50, 500
"""The steps of the way down beyond a saddle, and the updates of a call on the way out of it."""


class Landscape:
    """The gradient and the curvature at a point. All is of the loss over a few rows, in float64."""

    def __init__(self, surroundings: Surroundings, flat: Array) -> None:
        self._around, self.flat = surroundings, np.asarray(flat, np.float64)

    @cached_property
    def _values(self) -> tuple[float, NDArray[np.float64]]:
        with np.errstate(all="ignore"):
            loss, gradient = self._around.main.loss_and_gradient(self.flat)
        return float(loss), np.asarray(gradient, np.float64)

    @property
    def loss(self) -> float:
        """The loss with its penalties."""
        return self._values[0]

    @property
    def gradient(self) -> NDArray[np.float64]:
        """Its gradient."""
        return self._values[1]

    @property
    def is_finite(self) -> bool:
        """Whether there is a curvature at all."""
        return math.isfinite(self.loss) and bool(np.isfinite(self.gradient).all())

    def _product(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._around.hessian_product(self.flat, rows)

    @cached_property
    def _whole(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """All eigenvalues and vectors of a small Hessian."""
        if self.flat.size > WHOLE:
            return None
        H = self._product(np.eye(self.flat.size))
        if not np.isfinite(H).all():
            return None
        values, vectors = np.linalg.eigh((H + H.T) / 2)
        return values, vectors

    @cached_property
    def lambda_max(self) -> float:
        """The largest eigenvalue of the Hessian, to a percent; NaN where it is not known."""
        if not self.is_finite:
            return math.nan
        if self.flat.size <= WHOLE:
            return math.nan if self._whole is None else float(self._whole[0][-1])
        return extreme_pair(lambda v: self._product(v[None])[0], self.flat.size, 20, 1e-2)[0]

    @cached_property
    def way_out(self) -> tuple[float, NDArray[np.float64]] | None:
        """The smallest eigenvalue and its direction, of length 1; None where that takes too long."""
        n, high = self.flat.size, self.lambda_max
        if not math.isfinite(high) or n > MOST_PARAMETERS:
            return None
        if self._whole is not None:
            return float(self._whole[0][0]), self._whole[1][:, 0]
        width, v = extreme_pair(lambda v: high * v - self._product(v[None])[0], n, 40, 1e-3)
        return (high - width, v) if math.isfinite(width) else None

    def stability_limit(self, momentum: float, nesterov: bool = False) -> float:
        """`Curvature.stability_limit`; NaN where the curvature is not known."""
        high = self.lambda_max
        if not math.isfinite(high):
            return math.nan
        here = Curvature(self.loss, 0.0, high, 0.0, (), ())
        return here.stability_limit(momentum, nesterov)

    def beyond(self, v: NDArray[np.float64]) -> tuple[float, float]:
        """The step along +-v that lowers the loss most, and the loss a short way down from there.

        Steps are up to as long as the parameters are.
        """
        from scipy.optimize import minimize

        main, most = self._around.main, max(1.0, float(np.linalg.norm(self.flat)))
        steps = np.concatenate([sign * most * np.geomspace(1e-3, 1.0, 10) for sign in (1, -1)])
        with np.errstate(all="ignore"):
            losses = np.array([main.loss(self.flat + step * v) for step in steps])
            best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
            start, options = self.flat + steps[best] * v, {"maxiter": STEPS_BEYOND}
            found = minimize(main.loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
        there = min(losses[best], found.fun) if math.isfinite(found.fun) else losses[best]
        return float(steps[best]), float(there)

    def iterations_to(
        self, level: float, optimizer: Optimizer, rate: float, most: int, seconds: float
    ) -> tuple[int, bool]:
        """The updates until the loss over the few rows is below a level, or so many, and whether it is."""
        flat, gradient = self.flat.copy(), self.gradient.copy()
        state, stop = np.zeros((len(optimizer.state_names), flat.size)), np.zeros(1, np.uint8)
        losses, made, end = np.empty(DESCENT), 0, time.monotonic() + seconds
        while made < most and (left := end - time.monotonic()) > 0:
            done = self._around.main.descend(
                flat,
                state,
                gradient,
                losses,
                optimizer=optimizer,
                rates=np.array([rate]),
                first_update=made + 1,
                limit=math.inf,
                stop=stop,
                seconds=left,
            )
            below = np.flatnonzero(losses[: done.updates] < level)
            if len(below):
                return made + int(below[0]) + 1, True
            made += done.updates
            if done.diverged or not done.updates:
                break
        return made, False
