"""Levenberg-Marquardt: Newton's step by Gauss's curvature, held back by a damping."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import check_factor
from glassnet.engine.full_batch import Problem
from glassnet.engine.gauss_newton import diagonal
from glassnet.errors import InputError
from glassnet.nn.network import Network
from glassnet.training.steppers.solver import (
    Point,
    Solver,
    SolverStepper,
    Start,
    StopReason,
    cast,
    dot,
)
from glassnet.utils.settings_checks import as_bound, as_positive, checked

Matrix = NDArray[np.float64]

LARGEST = 4 << 30
"""Bytes that the matrix and its copies may take."""

MOST = 60
"""Dampings tried for a step at most: by then they have grown by more than any step could shrink."""


@dataclass(frozen=True, repr=False)
class LevenbergMarquardt(Solver):
    """theta <- theta + h with (G + mu I) h = -g, where the loss falls; else mu grows and it is tried again.

    G is the generalized Gauss-Newton matrix, sum J^T H J over the samples, with J = dZ/dtheta and H the
    loss's second derivative by Z; for squared errors it is J^T J. A large mu makes short steps along
    the gradient, a small one Newton's. After Nielsen, a step that gives the share rho of the fall that G
    promised makes mu <- mu max(1/3, 1 - (2 rho - 1)^3); one that is refused makes mu <- nu mu and
    nu <- 2 nu, from nu = 2 on.

    Parameters
    ----------
    damping : above 0: mu begins as this times the largest entry of G's diagonal.
    largest_damping : training ends where no mu up to this times the largest entry of G's diagonal lowers
        the loss; None tries until steps no longer move. MATLAB's mu_max, which is a mu itself.
    gradient_tolerance, tolerance, goal, seconds : when to end, see `Solver`.

    For cross_entropy, binary_cross_entropy, squared_error and poisson, with l2 and sample weights, on
    the full batch; memory grows with the square of the parameters and not with the samples. `train`
    raises InputError for other losses, for so many parameters that it would take more than 4 GiB, or of
    streamed rows more than half of their memory, and with batch_size, dropout, l1, max_norm or average.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> net = gn.Network((1, 5, 1), hidden="tanh", output="identity")
    >>> run = gn.train(net, x, np.sin(np.pi * x), optimizer=gn.LevenbergMarquardt(), iterations=50,
    ...                random_state=0)
    >>> bool(run.losses[-1] < 1e-4)
    True

    Levenberg (1944); Marquardt (1963); Hagan and Menhaj (1994) for networks; the damping: Nielsen,
    "Damping parameter in Marquardt's method" (1999). MATLAB's trainlm multiplies mu by 0.1 and 10, and
    takes squared errors alone. SciPy's least_squares(method="lm") keeps J, which grows with the samples.
    scikit-learn and PyTorch do not have it.
    """

    name = "levenberg_marquardt"
    n_numbers = 2

    damping: float = field(default=1e-3, metadata=checked(as_positive))
    largest_damping: float | None = field(
        default=None, kw_only=True, metadata=checked(as_bound, added=True)
    )

    matrices: ClassVar[int] = 3
    """How many matrices as large as G exist at a time, while it is summed and while it is factorized."""

    def stepper(self, start: Start) -> SolverStepper:
        return LevenbergStepper(self, start)

    def check(self, network: Network, memory: int | None = None) -> None:
        check_factor(network)
        needed = self.matrices * 8 * network.n_parameters**2
        name, matrix = f"gn.{type(self).__name__}", f"the matrix of {network.n_parameters:,} parameters"
        if needed > LARGEST:
            raise InputError(
                f"{name} would take {needed / 2**30:,.0f} GiB for {matrix}; it works up to "
                f"{LARGEST >> 30} GiB. Use gn.NewtonCG(), which takes the same curvature without the "
                f"matrix, or gn.LBFGS()."
            )
        if memory is not None and needed > memory // 2:  # reading may take half, see `Dataset.block_rows`
            raise InputError(
                f"{name} would take {needed / 2**20:,.0f} MiB for {matrix}, and of the memory for these "
                f"rows, {memory >> 20:,} MiB, half is for reading. Give gn.stream(..., "
                f'memory="{-(-2 * needed >> 20)} MiB") or more, or use gn.NewtonCG() or gn.LBFGS(), which '
                f"take no matrix."
            )


class LevenbergStepper(SolverStepper):
    """Its numbers are mu, 0 before the first step, and nu."""

    _solver: LevenbergMarquardt

    def __init__(self, solver: LevenbergMarquardt, start: Start) -> None:
        super().__init__(solver, start)
        if self._in_other_units or not self.numbers:
            self.numbers = (0.0, 2.0, *self.numbers[2:])
        self._matrix: Matrix | None = None

    @property
    def damping(self) -> float:
        return (self.numbers and self.numbers[0]) or math.nan

    def step(self) -> Point | None:
        if self._matrix is None:
            self._matrix = self.problem.gauss_newton(self.point.flat)
        result = self.search(self.problem, self.point, self._matrix, *self.numbers[:2])
        if result is None:
            return None
        point, mu = result
        self.numbers, self._matrix = (mu, 2.0, *self.numbers[2:]), None
        return point

    def search(
        self, problem: Problem, at: Point, G: Matrix, mu: float, nu: float
    ) -> tuple[Point, float] | None:
        """A point with a lower loss, and the damping to go on with."""
        flat, gradient = at.flat.astype(np.float64), at.gradient.astype(np.float64)
        largest = float(diagonal(G).max())
        if mu == 0.0:
            mu = self._solver.damping * (largest or 1.0)
        most = self._solver.largest_damping
        for _ in range(MOST):
            if most is not None and mu > most * (largest or 1.0):
                self.stuck = StopReason.DAMPED
                return None
            h = damped_step(G, mu, gradient)
            if h is not None:
                there = cast(flat + h, problem.dtype)
                if (there == at.flat).all():
                    return None  # shorter ones would not move at all
                loss = problem.loss(there)
                self.count_evaluation()
                if loss < at.loss:
                    rho = (at.loss - loss) / (0.5 * (mu * dot(h, h) - dot(h, gradient)))
                    point = Point(there, *problem.loss_and_gradient(there))
                    mu *= max(1 / 3, 1 - (2 * rho - 1) ** 3)
                    return point, max(mu, float(np.finfo(np.float64).eps) * largest)
            mu, nu = mu * nu, 2 * nu
        return None


def damped_step(G: Matrix, mu: float, gradient: Matrix) -> Matrix | None:
    """h with (G + mu I) h = -gradient, or None where rounding leaves no Cholesky factor of that matrix."""
    from scipy.linalg.lapack import dpotrf, dpotrs

    damped = G.copy()
    diagonal(damped)[:] += mu
    # The transpose is the same matrix, and in LAPACK's order: nothing is copied.
    factor, failed = dpotrf(damped.T, lower=True, clean=False, overwrite_a=True)
    if failed:
        return None
    h: Matrix = -dpotrs(factor, gradient, lower=True)[0]
    return h if math.isfinite(dot(h, h)) else None
