"""Bayesian regularization: Levenberg-Marquardt that chooses its own penalty as it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.gauss_newton import diagonal
from glassnet.nn.network import Network, Parameters
from glassnet.nn.schemes import BOUNDED, shared_out
from glassnet.optim.penalties import Mask, weight_mask
from glassnet.training.steppers.levenberg_marquardt import LevenbergMarquardt, LevenbergStepper, Matrix
from glassnet.training.steppers.solver import Point, SolverStepper, Start, cast, dot

MOVES = 1e-3
"""A step is calm where it changes the penalty by at most this share of it."""

CALM = 5
"""Training does not end before so many calm steps in a row: a single step may be short by chance."""


LEAST = 1e-9
"""The data determine no weights where they determine less than this share of them: that is rounding."""

FREEDOM = 1e-3
"""The least share of the targets that counts as free to show the noise."""

TRIED = 40
"""Steps of each beginning that is tried, before the evidence chooses."""

DATA_FIRST = 20
"""Steps without a penalty, of a beginning by the data."""

HALF_RANGE = 1.5
"""How far standardized inputs reach, about, for the beginning with Nguyen and Widrow's lengths."""

_TINY = float(np.finfo(np.float64).tiny)

FLAT_PRIOR = 1e-6
"""The precision of the biases' prior in the evidence, as a share of the data's."""


class Evidence(NamedTuple):
    """What Bayesian regularization has estimated of the weights and the noise.

    effective_parameters : gamma, how many parameters the data determine, of all that there are.
    alpha : the weights' precision; their prior is normal with the variance 1 / alpha.
    beta : the noise's precision, whose variance is 1 / beta; 1 where a loss has no noise of its own.

    The objective is ``beta E + alpha/2 sum W^2`` with E the summed loss; what is reported is that over
    beta and the reduction's divisor, so that ``l2 = alpha / (beta divisor)``.

    >>> import glassnet as gn
    >>> gn.Evidence(12.5, alpha=0.1, beta=100.0).effective_parameters
    12.5
    """

    effective_parameters: float
    alpha: float
    beta: float


@dataclass(frozen=True, repr=False)
class BayesianRegularization(LevenbergMarquardt):
    """Levenberg-Marquardt on beta E + alpha/2 sum W^2, with alpha and beta estimated anew before each step.

    E is the summed loss. With A = beta G + alpha M the objective's Gauss-Newton matrix, M marking the
    weights, of which there are N, and P parameters in all (MacKay's evidence framework):

        gamma   = beta tr(G A^-1)              how many of the P parameters the data determine
        gamma_W = N - alpha tr(M A^-1)         how many of the weights
        alpha   = gamma_W / sum W^2
        beta    = (n - gamma) / (2 E)          n values of the targets; n - gamma counts as n/1000 at least

    beta is the noise's precision, for squared errors; the other losses have none, and beta is 1. The
    penalty is part of the loss that is reported: ``losses[k]`` is the reduced loss with the l2 that step k
    was made with, l2 = alpha / (beta divisor), the divisor being the reduction's. Each step lowers that;
    from one step to the next it may also rise, by the new penalty. ``run.penalties.l2`` is the last one and
    ``run.evidence`` has gamma, alpha and beta.

    Parameters
    ----------
    damping, gradient_tolerance, tolerance : see `LevenbergMarquardt`; training does not end while the
        penalty still moves by more than a thousandth within the last five steps.

    These equations have many solutions, and which one they lead to depends on where they begin: with the
    weights of an untrained network they take all of the data for noise. So the first step tries four
    beginnings, 40 steps each, and goes on from the one with the largest evidence: the prior first
    (gamma = P) or the data first (20 steps without a penalty), each from the start that is given and
    from one with its weights' directions and Nguyen and Widrow's lengths and biases. ``run.evaluations``
    counts all of them. With an l2 that `train` is given it begins with that, and tries nothing. Everything
    else is as for `LevenbergMarquardt`. Standardize targets too: the prior knows one scale of weights.

    The evidence may favor little or nothing: eight samples of three bits' parity are noise to a network
    of 161 parameters, and it ends at their mean. Where targets have no noise at all, beta rises as long
    as the fit gets closer, and training goes on: end it by `tolerance`, `iterations` or validation data.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> random = np.random.RandomState(0)
    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.sin(np.pi * x) + 0.1 * random.randn(60, 1)
    >>> net = gn.Network((1, 20, 1), hidden="tanh", output="identity")  # 61 parameters
    >>> run = gn.train(net, x, y, optimizer=gn.BayesianRegularization(), iterations=300, random_state=0)
    >>> run.evidence.effective_parameters < 15, 0.08 < run.evidence.beta ** -0.5 < 0.12
    (True, True)

    MacKay, "Bayesian interpolation" (1992); Foresee and Hagan, "Gauss-Newton approximation to Bayesian
    learning" (1997), which is MATLAB's trainbr: there biases are penalized too, and E sums squares without
    the half. scikit-learn's BayesianRidge does it for linear models; PyTorch has nothing like it.
    """

    name = "bayesian_regularization"
    n_numbers = 6
    matrices = 4

    def stepper(self, start: Start) -> SolverStepper:
        return _Stepper(self, start)

    def evidence(self, numbers: Sequence[float]) -> Evidence | None:
        """The evidence among the numbers that a run keeps; None before its first step."""
        return Evidence(*numbers[2:5]) if len(numbers) == self.n_numbers and numbers[2] else None


class _Stepper(LevenbergStepper):
    """Its numbers are mu, nu, gamma (0 before the first step), alpha, beta and the calm steps in a row."""

    def __init__(self, solver: BayesianRegularization, start: Start) -> None:
        super().__init__(solver, start)
        if len(self.numbers) < solver.n_numbers:
            self.numbers = (*self.numbers[:2], 0.0, 0.0, 1.0, 0.0)
        self._is_weight = weight_mask(start.problem.network.sizes)
        # The prior is of theta's weights, the matrices are those of the solver's units.
        frame = self._units.frame
        self._squares = None if frame is None else frame.scale.astype(np.float64) ** 2
        self._prior = self._is_weight * (1.0 if self._squares is None else self._squares)
        self._unit = self._units.unit

    @property
    def settled(self) -> bool:
        return len(self.numbers) == BayesianRegularization.n_numbers and self.numbers[5] >= CALM

    def step(self) -> Point | None:
        if self.numbers[2] or self.problem.penalties.l2:
            return self._estimated_step()
        best: tuple[float, _Stepper] | None = None
        spread = spread_out(self.problem.network, self.point.flat)
        for flat in (self.point.flat, spread):
            for data_first in (0, DATA_FIRST):
                tried = self._tried(flat, data_first)
                score = tried.log_evidence() if tried.numbers[2] else -math.inf
                if tried.numbers[2] and (best is None or score > best[0]):
                    best = score, tried
        if best is None:
            return None
        _, tried = best
        self.problem, self.numbers = tried.problem, tried.numbers
        return tried.point

    def _tried(self, flat: Array, data_first: int) -> _Stepper:
        """A stepper some steps after it began there, the first of them without a penalty."""
        other = copy(self)  # which has made no step
        other.point, other.updates = Point(flat, *self.problem.loss_and_gradient(flat)), 0
        other._since_step = 0
        for number in range(TRIED):
            point = LevenbergStepper.step(other) if number < data_first else other._estimated_step()
            if point is not None:
                before, other.point = other.point.loss, point
                if number >= data_first and other._reason_here(before):
                    break
            elif number >= data_first:
                break
            other.updates += 1
        self._since_step += other._since_step
        return other

    def log_evidence(self) -> float:
        """The logarithm of the evidence, but for what is the same everywhere; the biases' prior is flat."""
        problem, (alpha, beta) = self.problem, self.numbers[3:5]
        flat, scale = self.point.flat, beta * problem.divisor
        free, scale = FLAT_PRIOR * scale, scale * self._unit
        A = scale * problem.with_penalties(replace(problem.penalties, l2=0.0)).gauss_newton(flat)
        prior = np.where(self._is_weight, alpha, free)
        diagonal(A)[:] += prior if self._squares is None else prior * self._squares
        # A diagonal of 1 keeps parameters of very different units from making it singular. Eigenvalues
        # below the rounding of the passes are rounding.
        lengths = np.sqrt(np.maximum(diagonal(A), _TINY)).astype(np.float64)
        least = float(np.finfo(problem.dtype).eps)
        log_det = np.log(np.maximum(np.linalg.eigvalsh(A / (lengths[:, None] * lengths)), least)).sum()
        n, weights = self._n_values(), int(self._is_weight.sum())
        priors = weights * math.log(max(alpha, _TINY)) + (flat.size - weights) * math.log(free)
        noise = n * math.log(beta)
        log_det += 2 * np.log(lengths).sum()
        return float((priors + noise - log_det) / 2 - scale * self.point.loss)

    def _n_values(self) -> float:
        return self.problem.weight_sum * self.problem.network.sizes[-1]

    def _estimated_step(self) -> Point | None:
        problem, at, mu_nu = self.problem, self.point, self.numbers[:2]
        G = problem.with_penalties(replace(problem.penalties, l2=0.0)).gauss_newton(at.flat)
        evidence = self._evidence(problem, at, G)
        before, l2 = problem.penalties.l2, evidence.alpha / (evidence.beta * problem.divisor)
        problem = problem.with_penalties(replace(problem.penalties, l2=l2))
        at = Point(at.flat, *problem.loss_and_gradient(at.flat))
        self.count_evaluation()
        diagonal(G)[:] += l2 / self._unit * self._prior
        result = self.search(problem, at, G, *mu_nu)
        if result is None:
            return None
        point, mu = result
        calm = self.numbers[5] + 1.0 if abs(l2 - before) <= MOVES * l2 else 0.0
        self.problem, self.point, self.numbers = problem, at, (mu, 2.0, *evidence, calm)
        return point

    def _evidence(self, problem: Problem, at: Point, G: Matrix) -> Evidence:
        """gamma, alpha and beta at a point whose data have the Gauss-Newton matrix G."""
        l2, theta = problem.penalties.l2, self._units.outside(at.flat)
        weights = theta[self._is_weight].astype(np.float64)
        square = dot(weights, weights)
        gamma, of_weights = float(at.flat.size), float(len(weights))
        if l2 > 0 or self.updates:
            gamma, of_weights = determined(G, l2 / self._unit, self._is_weight, self._squares)
        beta, n = 1.0, self._n_values()
        if problem.network.loss.name == "squared_error":
            misfit = 2 * problem.divisor * (at.loss * self._unit - 0.5 * l2 * square)
            # Before anything is known, all of the data may be noise.
            freedom = n if n <= gamma == at.flat.size else max(n - gamma, FREEDOM * n)
            beta = freedom / misfit if misfit > 0 else 1.0
        alpha = self.numbers[3]  # stays, where the data say nothing of the weights and these have vanished
        if square > 0 and of_weights > LEAST * len(weights):
            alpha = of_weights / square
        return Evidence(gamma, alpha, beta)


def spread_out(network: Network, flat: Array) -> Array:
    """A start with the directions of this one's weights, and the lengths and biases of `nguyen_widrow`.

    Standardized inputs are taken to reach from -1.5 to 1.5.
    """
    theta = Parameters(network.sizes, flat.astype(np.float64))
    for layer, record in enumerate(network.hidden):
        if record.name in BOUNDED:
            W, b = theta.weights[layer], theta.biases[layer]
            W[:], b[:] = shared_out(W, record.name)
            if layer == 0:
                W /= HALF_RANGE
    return cast(theta.flat, flat.dtype)


def determined(
    G: Matrix, l2: float, is_weight: Mask, squares: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """How many parameters the data determine, tr G A^-1 with A = G + l2 M, and how many of the weights.

    `squares` are M's diagonal at the weights, where it is not 1.

    Directions that change nothing, such as a shift of all of a softmax's biases, are in neither: A is
    regular but for them, and has a trillionth of its largest entry added to its diagonal.

    >>> found = determined(np.diag([2.0, 0.5, 3.0, 0.0]), 0.5, np.array([True, True, False, False]))
    >>> [round(one, 6) for one in found]
    [2.3, 1.3]
    """
    from scipy.linalg.lapack import dpotrf, dtrtri

    A = G.copy()
    prior = l2 * (is_weight if squares is None else is_weight * squares)
    diagonal(A)[:] += prior
    least = max(1e-12 * float(diagonal(A).max()), float(np.finfo(np.float64).tiny))
    added, failed, factor = 0.0, True, A
    while failed and added < np.inf:  # which it comes to where G is not finite
        step = least if not added else 9 * added
        diagonal(A)[:] += step
        added += step
        factor, failed = dpotrf(A, lower=True)
    root = dtrtri(factor, lower=True)[0]  # A^-1 = root^T root
    inverse = np.einsum("ki,ki->i", root, root)
    left = (l2 + added) * inverse[is_weight].sum()
    if squares is not None:
        left = ((prior + added) * inverse)[is_weight].sum()
    of_weights = float(is_weight.sum() - left)
    of_biases = float((~is_weight).sum() - added * inverse[~is_weight].sum())
    # Rounding may leave a little less than nothing.
    of_weights, of_biases = max(of_weights, 0.0), max(of_biases, 0.0)
    return of_weights + of_biases, of_weights
