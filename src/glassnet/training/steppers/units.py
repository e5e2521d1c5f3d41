"""The units that a solver works in: those of the data, where these are far from 1.

A solver compares the lengths of steps and the entries of gradients of all parameters with one another,
which has a meaning only where parameters are numbers of about the same size. With a column of X in a unit
of 1e-6, its weights are about 1e6; with targets in a unit of 1e-6, the last layer's parameters are small;
and next to a column of years, 2000 and more, its weights and the bias undo each other. So a solver sees phi
instead of theta, the parameters of the same network over (X - mean) / deviation and y / deviation, and the
loss over the square of the targets' deviation. A deviation within a factor of 8 of 1 counts as 1, others
are rounded to a power of 2, which leaves all digits as they are; a mean within 4 deviations counts as 0. A
summed loss counts as the mean, times the sum of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.engine.full_batch import Problem
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.training.baselines import best_constant

NEAR = 8.0
"""A deviation counts as 1 up to this factor."""

NEAR_MEAN = 4.0
"""A mean counts as 0 up to so many deviations, or up to this number."""

NO_BETTER = 0.99
"""A start of at least this share of a constant answer's loss knows nothing that could be lost."""

POOR = 0.1
"""Nor does one of this share, where the first layer is saturated, or next to linear."""

FOREIGN = 16.0
"""The inputs of units are small, and outputs in other units than the targets, from this factor on."""

LARGE = 8.0
"""The inputs of units are large from here on."""

SHARES = (1.0, -1.0, 2.0**-3, -(2.0**-3), 2.0**-6, -(2.0**-6), 2.0**-10, -(2.0**-10))
"""Of the start's last layer, tried in this order until one is better than the start."""


class Frame:
    """theta = scale phi, and the first layer's biases less mean W besides; phi has the solver's units.

    `mean` is None where it counts as 0 for all columns.
    """

    def __init__(self, network: Network, scale: Array, mean: NDArray[np.float64] | None) -> None:
        self.scale, self.mean = scale, mean
        # Places in theta, since views of `Parameters` would be checked at each step.
        n_in, n_out = self._shape = network.sizes[0], network.sizes[1]
        self._weights, self._biases = slice(0, n_in * n_out), slice(n_in * n_out, (n_in + 1) * n_out)
        if mean is not None:
            # What a bias's share of a gradient counts at each weight of its unit.
            self._pull = mean[:, None] * scale[self._weights].reshape(n_in, n_out) / scale[self._biases]

    def outside(self, phi: Array) -> Array:
        """theta, in phi's precision; of a direction, which way that leads in theta, as it is linear."""
        theta = (phi * self.scale).astype(phi.dtype, copy=False)
        if self.mean is not None:
            theta[self._biases] -= self._by_mean(theta)
        return theta

    def inside(self, theta: Array) -> Array:
        """phi, which gives theta again but for rounding of the first layer's biases, where means count."""
        phi = theta
        if self.mean is not None:
            phi = theta.copy()
            phi[self._biases] += self._by_mean(theta)
        return (phi / self.scale).astype(theta.dtype, copy=False)

    def _by_mean(self, theta: Array) -> NDArray[np.float64]:
        """The mean's products with weights, summed in the order of columns, which BLAS does not keep."""
        assert self.mean is not None
        return np.asarray((self.mean[:, None] * theta[self._weights].reshape(self._shape)).sum(axis=0))

    def pulled(self, rows: Array) -> Array:
        """Rows that multiply directions of theta as rows that multiply those of phi: gradients, for one."""
        rows = rows * self.scale
        if self.mean is not None:
            by_mean = self._pull * rows[..., None, self._biases]
            rows[..., self._weights] -= by_mean.reshape(*rows.shape[:-1], -1)
        return rows


class ScaledProblem(Problem):
    """A problem over phi, its losses over `unit`."""

    def __init__(self, base: Problem, frame: Frame, unit: float) -> None:
        self.base, self.frame, self.unit = base, frame, unit
        self.weight_sum, self.n_samples, self.memory_limit = (
            base.weight_sum,
            base.n_samples,
            base.memory_limit,
        )
        self._take(base.setup)
        self.summary, self.baseline = base.summary, base.baseline / unit

    def with_stop(self, stop: NDArray[np.uint8]) -> ScaledProblem:
        base = self.base.with_stop(stop)
        return self if base is self.base else ScaledProblem(base, self.frame, self.unit)

    def with_penalties(self, penalties: Penalties) -> ScaledProblem:
        return ScaledProblem(self.base.with_penalties(penalties), self.frame, self.unit)

    def loss_and_gradient(self, flat: Array, masks: object = None) -> tuple[float, Array]:
        loss, gradient = self.base.loss_and_gradient(self.frame.outside(flat))
        return loss / self.unit, self._over_unit(gradient)

    def loss(self, flat: Array) -> float:
        return self.base.loss(self.frame.outside(flat)) / self.unit

    def gauss_newton(self, flat: Array) -> NDArray[np.float64]:
        G = self.base.gauss_newton(self.frame.outside(flat)) / self.unit
        return np.ascontiguousarray(self.frame.pulled(self.frame.pulled(G).T), np.float64)

    def gauss_newton_product(self, flat: Array, vector: Array) -> NDArray[np.float64]:
        outside = self.frame.outside
        product = self.base.gauss_newton_product(outside(flat), outside(vector))
        return np.asarray(self.frame.pulled(product) / self.unit, np.float64)

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        raise AssertionError("gauss_newton and gauss_newton_product ask the base")

    def _over_unit(self, gradient: Array) -> Array:
        return (self.frame.pulled(gradient) / self.unit).astype(self.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Units:
    """A problem's units: see this module.

    problem : the problem as the solver sees it.
    unit : a loss of the solver is so much in the mean loss, the square of the targets' unit.
    total : and the reported loss is so many times the mean loss.
    frame : where phi is not theta.
    constant : the last layer's Z of the best constant answer, where data are far from 0 and 1; else None.
    """

    problem: Problem
    unit: float
    total: float
    frame: Frame | None = None
    constant: NDArray[np.float64] | None = None

    @property
    def loss(self) -> float:
        """The reported loss is so many times the solver's."""
        return self.total * self.unit

    def with_penalties(self, penalties: Penalties) -> Units:
        """The units of the same data with other penalties, of the loss as it is reported."""
        inner = replace(penalties, l2=penalties.l2 / self.total)
        return replace(self, problem=self.problem.with_penalties(inner))

    @property
    def is_plain(self) -> bool:
        """Whether the solver sees theta and the reported loss."""
        return self.frame is None and self.total == 1

    @property
    def shifted(self) -> bool:
        """Whether theta has not all of phi's digits, so that a run has to keep phi too."""
        return self.frame is not None and self.frame.mean is not None

    def inside(self, theta: Array) -> Array:
        """phi of theta."""
        return theta if self.frame is None else self.frame.inside(theta)

    def outside(self, phi: Array) -> Array:
        """theta of phi."""
        return phi if self.frame is None else self.frame.outside(phi)

    def brought_in(self, phi: Array, loss: float) -> Array | None:
        """A start in the data's units, where the one at phi is in others and no better than a constant.

        Its weights are theta's numbers, taken as those of phi, as if X and y had been standardized, and the
        first share of its last layer that is better than the start. None where the start is good or in
        these units, or where no share is better.
        """
        if self.constant is None:
            return None
        lost, foreign = self._looked_at(phi)
        if not foreign:
            return None
        network, theta = self.problem.network, self.outside(phi)
        start = Parameters(network.sizes, theta.astype(np.float64))
        weights = start.weights[-1].copy()
        start.biases[-1][:] = self.constant / self._last()

        def of_share(share: float) -> tuple[float, Array]:
            start.weights[-1][:] = share * weights
            flat = start.flat.astype(phi.dtype)
            return self.problem.loss(flat), flat

        constant, _ = of_share(0.0)
        if loss >= NO_BETTER * constant:
            return next((flat for there, flat in map(of_share, SHARES) if there < loss), None)
        if loss >= POOR * constant and lost:
            return min(map(of_share, SHARES), key=lambda one: one[0])[1]
        return None

    def _looked_at(self, phi: Array) -> tuple[bool, bool]:
        """Whether the first layer's inputs are in other units at some rows, and whether anything is."""
        assert self.constant is not None
        network, theta = self.problem.network, Parameters(self.problem.network.sizes, self.outside(phi))
        X = self.problem.summary.excerpt.inputs()
        with np.errstate(over="ignore", invalid="ignore"):
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
        last = self._last()
        inputs = float(np.median(np.abs(Zs[0]).max(axis=0))) if len(Zs) > 1 else 1.0
        lost = not 1 / FOREIGN < inputs < LARGE
        spread = float((Zs[-1].std(axis=0) / last).max())
        offset = float((np.abs(Zs[-1].mean(axis=0) - self.constant) / last).max())
        return lost, lost or not (1 / FOREIGN < spread < FOREIGN and offset < FOREIGN)

    def _last(self) -> NDArray[np.float64]:
        """The unit of each output."""
        network = self.problem.network
        if self.frame is None:
            return np.ones(network.sizes[-1])
        layers = Parameters(network.sizes, self.frame.scale)
        return np.asarray(layers.biases[-1], np.float64)


def units_of(problem: Problem) -> Units:
    """The units of a problem's data."""
    total, excerpt = problem.weight_sum / problem.divisor, problem.summary.excerpt
    if problem.reduction == "sum":
        l2 = problem.penalties.l2 / total
        problem = problem._with(reduction="mean", penalties=replace(problem.penalties, l2=l2))
    network, outputs = problem.network, problem.network.sizes[-1]
    X, Y = excerpt.inputs(), target_rows(excerpt.y, outputs, np.dtype(np.float64))
    mean, columns = X.mean(axis=0), _power(X.std(axis=0))
    mean = np.where(np.abs(mean) > NEAR_MEAN * np.maximum(X.std(axis=0), columns != 1), mean, 0.0)
    targets, shifted = np.ones(outputs), False
    if network.output.name == "identity":
        targets = _power(Y.std(axis=0))
        shifted = bool((np.abs(Y.mean(axis=0)) > NEAR * np.maximum(Y.std(axis=0), 1.0)).any())
    framed = bool((columns != 1).any() or (targets != 1).any() or mean.any())
    if not (framed or shifted):
        return Units(problem, 1.0, total)
    constant = np.asarray(best_constant(network.loss, Y, np.ones(len(Y))), np.float64)
    if not framed:
        return Units(problem, 1.0, total, None, constant)
    scale = Parameters(network.sizes, np.ones(network.n_parameters))
    scale.weights[-1][:] *= targets
    scale.biases[-1][:] *= targets
    scale.weights[0][:] /= columns[:, None]
    unit = float(targets.max() ** (2 if network.loss.name == "squared_error" else 1))
    frame = Frame(network, scale.flat.astype(problem.dtype), mean if mean.any() else None)
    return Units(ScaledProblem(problem, frame, unit), unit, total, frame, constant)


def _power(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power of 2 next to each deviation, or 1 where that is near or there is none."""
    known = np.where((deviation > 0) & np.isfinite(deviation), deviation, 1.0)
    power = np.exp2(np.round(np.log2(known)))
    return np.where((power <= NEAR) & (power >= 1 / NEAR), 1.0, power)
