"""Newton's step found by conjugate gradients, without a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import check_factor
from glassnet.nn.network import Network
from glassnet.training.steppers.line_search import LineSearch, along
from glassnet.training.steppers.solver import Point, SolverStepper, Start, dot
from glassnet.utils.settings_checks import as_steps, checked


@dataclass(frozen=True, repr=False)
class NewtonCG(LineSearch):
    """theta <- theta + alpha d with G d = -g solved by conjugate gradients, no further than it pays.

    G is the generalized Gauss-Newton matrix, sum J^T H J over the samples, of which only products with
    vectors are formed; each takes about two gradients. The solution ends where what is left of g is
    shorter than min(1/2, sqrt(|g| / |g_0|)) |g|, g_0 the first gradient: far from a minimum a few products
    give a direction, close to one the steps become Newton's. alpha meets the strong Wolfe conditions.

    Parameters
    ----------
    products : at most so many for a step, 1 or more.
    decrease, curvature : of the line search, see `LBFGS`.
    gradient_tolerance, tolerance : when to end, see `Solver`.

    For networks of thousands of parameters, where `LevenbergMarquardt`'s matrix is too large; for the same
    losses, with l2 and sample weights, on the full batch. `train` raises InputError for other
    losses, and with batch_size, dropout, l1, max_norm or average. ``run.evaluations`` counts products too.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> X = np.random.RandomState(0).randn(100, 2)
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> net = gn.Network((2, 10, 2), hidden="tanh")
    >>> run = gn.train(net, X, y, optimizer=gn.NewtonCG(), iterations=30, random_state=0)
    >>> bool((run.predict(X) == y).mean() > 0.98)
    True

    Dembo and Steihaug (1983); Martens, "Deep learning via Hessian-free optimization" (2010), for
    networks; the products: Pearlmutter (1994), Schraudolph (2002). SciPy's minimize(method="Newton-CG")
    takes the Hessian, which has directions of negative curvature here. scikit-learn and PyTorch have
    nothing like it for networks.
    """

    name = "newton_cg"
    n_numbers = 1

    products: int = field(default=100, metadata=checked(as_steps))

    def stepper(self, start: Start) -> SolverStepper:
        return _Stepper(self, start)

    def check(self, network: Network, memory: int | None = None) -> None:
        check_factor(network)


class _Stepper(SolverStepper):
    """Its number is the length of the first gradient."""

    _solver: NewtonCG

    def __init__(self, solver: NewtonCG, start: Start) -> None:
        super().__init__(solver, start)
        if self._in_other_units or not self.numbers:
            self.numbers = (self._length(),)

    def _length(self) -> float:
        gradient = self.point.gradient
        return math.sqrt(dot(gradient, gradient))

    def _brought_in(self) -> Point | None:
        point = super()._brought_in()
        if point is not None:
            self.numbers = (math.sqrt(dot(point.gradient, point.gradient)),)
        return point

    def step(self) -> Point | None:
        gradient = self.point.gradient.astype(np.float64)
        length = math.sqrt(dot(gradient, gradient))
        (first,) = self.numbers
        share = min(0.5, math.sqrt(length / first)) if first else 0.5
        direction = self._solve(gradient, share * length)
        return along(self, self._solver, direction, 1.0)

    def _solve(self, gradient: NDArray[np.float64], enough: float) -> NDArray[np.float64]:
        """d with |G d + gradient| <= enough, or what the products that are allowed come to."""
        d = np.zeros_like(gradient)
        r, p = gradient, -gradient
        square = dot(r, r)
        for number in range(self._solver.products):
            Gp = self.problem.gauss_newton_product(
                self.point.flat, p.astype(self.problem.dtype, copy=False)
            )
            self.count_evaluation()
            bend = dot(p, Gp)
            if not bend > np.finfo(np.float64).eps * dot(p, p) * 1e-3:
                return d if number else -gradient  # G says nothing about this direction
            alpha = square / bend
            d, r = d + alpha * p, r + alpha * Gp
            before, square = square, dot(r, r)
            if math.sqrt(square) <= enough:
                break
            p = (square / before) * p - r
        return d
