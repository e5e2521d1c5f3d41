"""Rules that scale the rate of each parameter by the squares of its past gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from glassnet._types import Array
from glassnet.optim.base import Line, Optimizer, as_rate
from glassnet.optim.penalties import Mask
from glassnet.optim.schedules import Schedule
from glassnet.utils.settings_checks import as_decay, as_flag, as_positive, checked

__all__ = ["RMSprop", "Adagrad", "Adadelta"]  # noqa: RUF022 - the order of OPTIMIZERS

_MEAN_SQUARE = Line("v", "rho v + (1 - rho) g^2")


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    """Steps divided by a running root mean square: theta <- theta - rate B, B <- momentum B + g / r.

    r = sqrt(v) + epsilon with v <- rho v + (1 - rho) g^2. With centered=True, r = sqrt(v - m^2) +
    epsilon with the running mean m <- rho m + (1 - rho) g: the spread of the gradients.

    Parameters
    ----------
    rho : from 0 to below 1, how much of the running means an update keeps.
    epsilon : above 0, added outside of the root.
    momentum : from 0 to below 1; the rate multiplies all of B, so that a change of rate also rescales the
        momentum that has built up.
    centered : whether to subtract the squared mean.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.RMSprop(centered=True)
    RMSprop(learning_rate=0.01, rho=0.99, epsilon=1e-08, momentum=0.0, centered=True)

    Tieleman and Hinton (2012); centered: Graves (2013). As in PyTorch, where rho is alpha; a v - m^2 that
    rounding takes below 0 counts as 0. scikit-learn does not have it.
    """

    name = "rmsprop"
    state_names = ("square", "buffer", "mean")
    letters = ("v", "B", "m")
    coefficients = ("rho", "epsilon", "momentum")
    flag = "centered"

    learning_rate: float | Schedule = field(default=0.01, metadata=checked(as_rate))
    rho: float = field(default=0.99, metadata=checked(as_decay))
    epsilon: float = field(default=1e-8, metadata=checked(as_positive))
    momentum: float = field(default=0.0, metadata=checked(as_decay))
    centered: bool = field(default=False, kw_only=True, metadata=checked(as_flag))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        v, B, m = state
        v = self.rho * v + (1.0 - self.rho) * (gradient * gradient)
        spread = v
        if self.centered:
            m = self.rho * m + (1.0 - self.rho) * gradient
            spread = np.maximum(v - m * m, 0)
        B = self.momentum * B + gradient / (np.sqrt(spread) + self.epsilon)
        return theta - rate * B, np.stack([v, B, m])

    def lines(self, is_weight: bool) -> list[Line]:
        def root(x: Mapping[str, float]) -> float:
            spread = max(x["v"] - x["m"] * x["m"], 0.0) if self.centered else x["v"]
            return math.sqrt(spread) + self.epsilon

        mean = [Line("m", "rho m + (1 - rho) g")] if self.centered else []
        formula = f"sqrt({'max(v - m^2, 0)' if self.centered else 'v'}) + epsilon"
        end = [Line("B", "momentum B + g / r"), Line("theta", "theta - rate B")]
        return [_MEAN_SQUARE, *mean, Line("r", formula, root), *end]


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    """Steps divided by the root of all squares so far: theta <- theta - rate g / (sqrt(v) + epsilon).

    v <- v + g^2 grows without end, so that the steps of every parameter shrink.

    Parameters
    ----------
    epsilon : above 0, added outside of the root.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.Adagrad()
    Adagrad(learning_rate=0.01, epsilon=1e-10)

    Duchi, Hazan and Singer (2011). PyTorch's; its lr_decay is
    ``gn.InverseScaling(rate, power=1, decay=lr_decay)``. scikit-learn does not have it.
    """

    name = "adagrad"
    state_names = ("squares",)
    letters = ("v",)
    coefficients = ("epsilon",)

    learning_rate: float | Schedule = field(default=0.01, metadata=checked(as_rate))
    epsilon: float = field(default=1e-10, metadata=checked(as_positive))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        v = state[0] + gradient * gradient
        return theta - rate * (gradient / (np.sqrt(v) + self.epsilon)), np.stack([v])

    def lines(self, is_weight: bool) -> list[Line]:
        return [Line("v", "v + g^2"), Line("theta", "theta - rate g / (sqrt(v) + epsilon)")]


@dataclass(frozen=True, repr=False)
class Adadelta(Optimizer):
    """Steps in the unit of the parameters: theta <- theta - rate d, d = sqrt(u + e) / sqrt(v + e) g.

    v <- rho v + (1 - rho) g^2 is the running mean square of the gradients, u <- rho u + (1 - rho) d^2 that
    of the steps; e is epsilon.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule; the paper has no rate, which is a rate of 1.
    rho : from 0 to below 1, how much of the running means an update keeps.
    epsilon : above 0, added inside of both roots; the first steps are about its root long.
    clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.Adadelta()
    Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-06)

    Zeiler (2012). PyTorch's. scikit-learn does not have it.
    """

    name = "adadelta"
    state_names = ("square", "steps")
    letters = ("v", "u")
    coefficients = ("rho", "epsilon")

    learning_rate: float | Schedule = field(default=1.0, metadata=checked(as_rate))
    rho: float = field(default=0.9, metadata=checked(as_decay))
    epsilon: float = field(default=1e-6, metadata=checked(as_positive))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        v, u = state
        v = self.rho * v + (1.0 - self.rho) * (gradient * gradient)
        d = np.sqrt(u + self.epsilon) / np.sqrt(v + self.epsilon) * gradient
        u = self.rho * u + (1.0 - self.rho) * (d * d)
        return theta - rate * d, np.stack([v, u])

    def lines(self, is_weight: bool) -> list[Line]:
        def d(x: Mapping[str, float]) -> float:
            return math.sqrt(x["u"] + self.epsilon) / math.sqrt(x["v"] + self.epsilon) * x["g"]

        return [
            _MEAN_SQUARE,
            Line("d", "sqrt(u + epsilon) / sqrt(v + epsilon) g", d),
            Line("u", "rho u + (1 - rho) d^2, for the next update"),
            Line("theta", "theta - rate d"),
        ]
