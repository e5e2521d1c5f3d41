"""Gradient descent itself, with one rate for all parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.optim.base import COMMON, Optimizer
from glassnet.optim.penalties import Mask, decay
from glassnet.optim.schedules import Schedule
from glassnet.utils.settings_checks import as_flag, as_not_negative, as_share


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Gradient descent with momentum: V <- momentum V - learning_rate g, then theta <- theta + V.

    theta, V and g, the loss's gradient, are vectors of one length; V starts at 0. momentum=0 is
    plain gradient descent. With nesterov=True, theta moves one step of momentum ahead:
    theta <- theta + momentum V - learning_rate g, with the new V.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule. Its unit goes with the reduction: a rate r for
        the mean loss of n samples takes the same steps as r / n for their sum.
    momentum : from 0 to below 1, the share of the last step that the next one keeps.
    nesterov : whether to look ahead.
    clip_norm, clip_value : bounds for the gradient, see `Optimizer`.

    Raises InputError for a value outside its range, InputTypeError for one that is not a number.

    Example
    -------
    >>> import glassnet as gn
    >>> gn.SGD(learning_rate=1e-4, momentum=0.5)
    SGD(learning_rate=0.0001, momentum=0.5)

    This is Polyak's heavy ball (1964) as in Rumelhart, Hinton and Williams (1986), and Nesterov's
    (1983) as in Sutskever et al. (2013): what scikit-learn computes, to the last bit; its
    nesterovs_momentum is True by default. PyTorch's buffer is B <- momentum B + g and its step
    theta <- theta - learning_rate B (nesterov: g + momentum B in place of B): the same path while the
    rate is constant (V is -learning_rate B), but there a change of rate also rescales the momentum
    that is already there.
    """

    name = "sgd"
    state_names = ("velocity",)
    coefficients = ("momentum",)
    flag = "nesterov"
    _ranges: ClassVar = {**COMMON, "momentum": as_share, "nesterov": as_flag}

    momentum: float = 0.9
    nesterov: bool = field(default=False, kw_only=True)

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        moved, V = reference.momentum_update(theta, state[0], gradient, rate, self.momentum)
        if self.nesterov:
            moved = theta + (self.momentum * V - rate * gradient)
        return moved, np.stack([V])


@dataclass(frozen=True, repr=False)
class Lion(Optimizer):
    """Steps of one size: theta <- theta - rate (sign(c) + weight_decay W), c = beta1 m + (1 - beta1) g.

    Then m <- beta2 m + (1 - beta2) g. Each parameter moves by the rate up or down, whatever the
    gradient's size, so that rates are 3 to 10 times smaller than Adam's. The decay is taken off
    first, weights only, never biases.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule.
    beta1, beta2 : from 0 to below 1: how much of the mean m the step and the mean itself keep.
    weight_decay : from 0 up, the share of a weight that goes at each update, times the rate.
    clip_norm, clip_value : bounds for the gradient, see `Optimizer`.

    Raises InputError for a value outside its range, InputTypeError for one that is not a number.

    >>> import glassnet as gn
    >>> gn.Lion()
    Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0)

    Chen et al., "Symbolic discovery of optimization algorithms" (2023). Neither PyTorch nor
    scikit-learn has it.
    """

    name = "lion"
    state_names = ("mean",)
    coefficients = ("beta1", "beta2")
    _ranges: ClassVar = {**COMMON, "beta1": as_share, "beta2": as_share, "weight_decay": as_not_negative}

    learning_rate: float | Schedule = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        (m,) = state
        c = self.beta1 * m + (1.0 - self.beta1) * gradient
        kept = decay(theta, rate * self.weight_decay, is_weight)
        return kept - rate * np.sign(c), np.stack([self.beta2 * m + (1.0 - self.beta2) * gradient])
