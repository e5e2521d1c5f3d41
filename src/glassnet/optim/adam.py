"""Adam and its relatives: steps along a running mean of the gradients, divided by its typical size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from glassnet._types import Array
from glassnet.optim.base import Line, Optimizer, as_rate
from glassnet.optim.penalties import Mask, decay
from glassnet.optim.schedules import Schedule
from glassnet.utils.settings_checks import as_decay, as_flag, as_not_negative, as_positive, checked

__all__ = ["Adam", "AMSGrad", "AdamW", "Nadam", "Lion"]  # noqa: RUF022 - the order of OPTIMIZERS

_MOMENTS = [Line("m", "beta1 m + (1 - beta1) g"), Line("v", "beta2 v + (1 - beta2) g^2")]
_M_HAT = Line("m_hat", "m / (1 - beta1^t)", lambda x: x["m"] / (1 - x["beta1"] ** x["t"]))
_V_HAT = Line("v_hat", "v / (1 - beta2^t)", lambda x: x["v"] / (1 - x["beta2"] ** x["t"]))
_STEP = "rate m_hat / (sqrt(v_hat) + epsilon)"


def _decay(weight_decay: float, is_weight: bool) -> tuple[list[Line], str]:
    """The decay of a weight, and what the update begins with; a bias stays."""
    if not (is_weight and weight_decay):
        return [], "theta"
    formula = "(1 - rate weight_decay) theta"
    return [Line("decayed", formula, lambda x: (1 - x["rate"] * weight_decay) * x["theta"])], "decayed"


@dataclass(frozen=True, repr=False)
class _Moments(Optimizer):
    """A rule by running means of the gradient and of its square, which are its state's first two rows."""

    state_names: ClassVar[tuple[str, ...]] = ("mean", "square")
    letters: ClassVar[tuple[str, ...]] = ("m", "v")
    coefficients: ClassVar[tuple[str, ...]] = ("beta1", "beta2", "epsilon")

    learning_rate: float | Schedule = field(default=0.001, metadata=checked(as_rate))
    beta1: float = field(default=0.9, metadata=checked(as_decay))
    beta2: float = field(default=0.999, metadata=checked(as_decay))
    epsilon: float = field(default=1e-8, metadata=checked(as_positive))

    def _moments(self, state: Array, g: Array) -> tuple[Array, Array]:
        """m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2."""
        m = self.beta1 * state[0] + (1.0 - self.beta1) * g
        v = self.beta2 * state[1] + (1.0 - self.beta2) * (g * g)
        return m, v

    def _step(self, m: Array, v: Array, t: int, rate: float) -> Array:
        """rate m_hat / (sqrt(v_hat) + epsilon), where m_hat and v_hat correct for the start at 0.

        Multiplying out the correction of v saves a division for each parameter.
        """
        root = math.sqrt(1.0 - self.beta2**t)
        return rate * root / (1.0 - self.beta1**t) * (m / (np.sqrt(v) + self.epsilon * root))


@dataclass(frozen=True, repr=False)
class Adam(_Moments):
    """theta <- theta - rate m_hat / (sqrt(v_hat) + epsilon), by running means of g and g^2.

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2 start at 0; at update t
    m_hat = m / (1 - beta1^t) and v_hat = v / (1 - beta2^t) correct for that.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule: about the size of a step.
    beta1, beta2 : from 0 to below 1: how much of m, the momentum, and of v an update keeps.
    epsilon : above 0, added to the root of v_hat.
    epsilon_hat : True adds epsilon to the root of v instead, the paper's second form:
        theta <- theta - rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon), whose epsilon is
        larger in the first updates.
    clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.Adam(0.01)
    Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)

    Kingma and Ba (2015). As in PyTorch, whose weight_decay is `train`'s l2. epsilon_hat=True is
    scikit-learn's to the last bit: in float32 both compute the step in float64.
    """

    name = "adam"
    flag = "epsilon_hat"

    epsilon_hat: bool = field(default=False, kw_only=True, metadata=checked(as_flag))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        m, v = self._moments(state, gradient)
        if self.epsilon_hat:
            rate = rate * math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
            step = -rate * m.astype(np.float64, copy=False) / (np.sqrt(v) + self.epsilon)
            return (theta + step).astype(theta.dtype, copy=False), np.stack([m, v])
        return theta - self._step(m, v, t, rate), np.stack([m, v])

    def lines(self, is_weight: bool) -> list[Line]:
        if self.epsilon_hat:
            step = "rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)"
            return [*_MOMENTS, Line("theta", f"theta - {step}")]
        return [*_MOMENTS, _M_HAT, _V_HAT, Line("theta", f"theta - {_STEP}")]


@dataclass(frozen=True, repr=False)
class AMSGrad(_Moments):
    """Adam by the largest v so far: theta <- theta - rate m_hat / (sqrt(max v / (1 - beta2^t)) + epsilon).

    Apart from the correction for the start, no parameter's divisor ever shrinks, which mends a case where
    Adam does not converge.

    Parameters
    ----------
    beta1, beta2 : as for `Adam`.
    epsilon : above 0, added outside of the root.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.AMSGrad()
    AMSGrad(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)

    Reddi, Kale and Kumar (2018), who leave out the correction for the start. PyTorch's Adam(amsgrad=True).
    scikit-learn does not have it.
    """

    name = "amsgrad"
    state_names = ("mean", "square", "largest")
    letters = ("m", "v", "max v")

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        m, v = self._moments(state, gradient)
        largest = np.maximum(state[2], v)
        return theta - self._step(m, largest, t, rate), np.stack([m, v, largest])

    def lines(self, is_weight: bool) -> list[Line]:
        v_hat = Line("v_hat", "max v / (1 - beta2^t)", lambda x: x["max v"] / (1 - x["beta2"] ** x["t"]))
        return [*_MOMENTS, Line("max v", "max(max v, v)"), _M_HAT, v_hat, Line("theta", f"theta - {_STEP}")]


@dataclass(frozen=True, repr=False)
class AdamW(_Moments):
    """Adam after a decay of the weights: W <- (1 - rate weight_decay) W, then Adam's update.

    The decay is not part of the loss: it shrinks all weights by the same factor, where Adam divides the
    gradient of a penalty like any other. It acts on weights, never on biases.

    Parameters
    ----------
    beta1, beta2 : as for `Adam`.
    epsilon : above 0, added to the root of v_hat.
    weight_decay : from 0 up.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.AdamW(weight_decay=0.1)
    AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.1)

    Loshchilov and Hutter (2019). PyTorch's decays biases too, unless the user puts them into a parameter
    group of their own. scikit-learn does not have it.
    """

    name = "adamw"

    weight_decay: float = field(default=0.01, metadata=checked(as_not_negative))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        m, v = self._moments(state, gradient)
        decayed = decay(theta, rate * self.weight_decay, is_weight)
        return decayed - self._step(m, v, t, rate), np.stack([m, v])

    def lines(self, is_weight: bool) -> list[Line]:
        decayed, start = _decay(self.weight_decay, is_weight)
        return [*_MOMENTS, _M_HAT, _V_HAT, *decayed, Line("theta", f"{start} - {_STEP}")]


@dataclass(frozen=True, repr=False)
class Nadam(_Moments):
    """Adam with Nesterov's step ahead: a step along the gradient and along the next update's momentum.

    With mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 ... mu_t and Adam's m, v and v_hat,
    theta <- theta - rate [(1 - mu_t) / (1 - P_t) g + mu_(t+1) / (1 - P_(t+1)) m] / (sqrt(v_hat) + epsilon).

    Parameters
    ----------
    beta1, beta2 : as for `Adam`.
    epsilon : above 0, added to the root of v_hat.
    momentum_decay : from 0 up: how fast mu rises from about beta1 / 2 to beta1.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.Nadam()
    Nadam(learning_rate=0.002, beta1=0.9, beta2=0.999, epsilon=1e-08, momentum_decay=0.004)

    Dozat (2016). PyTorch's NAdam, which keeps P in the default precision, float32; here it is float64.
    scikit-learn does not have it.
    """

    name = "nadam"
    coefficients = ("beta1", "beta2", "epsilon", "momentum_decay")

    learning_rate: float | Schedule = field(default=0.002, metadata=checked(as_rate))
    momentum_decay: float = field(default=4e-3, metadata=checked(as_not_negative))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        m, v = self._moments(state, gradient)
        now, ahead, product = self._mu(t), self._mu(t + 1), self._product(t)
        r = np.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon
        theta = theta - rate * (1.0 - now) / (1.0 - product) * (gradient / r)
        return theta - rate * ahead / (1.0 - product * ahead) * (m / r), np.stack([m, v])

    def _mu(self, t: float) -> float:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def _product(self, t: int) -> float:
        """P_t."""
        product = 1.0
        for i in range(1, t + 1):
            product *= self._mu(i)
            if product < 2.0**-60:  # from here on 1 - P is 1, to the last bit
                break
        return product

    def lines(self, is_weight: bool) -> list[Line]:
        def r(x: Mapping[str, float]) -> float:
            return math.sqrt(x["v"] / (1 - self.beta2 ** x["t"])) + self.epsilon

        return [
            *_MOMENTS,
            Line("r", "sqrt(v / (1 - beta2^t)) + epsilon", r),
            Line("mu_t", "beta1 (1 - 0.96^(t momentum_decay) / 2)", lambda x: self._mu(x["t"])),
            Line(
                "mu_(t+1)", "beta1 (1 - 0.96^((t + 1) momentum_decay) / 2)", lambda x: self._mu(x["t"] + 1)
            ),
            Line("P_t", "mu_1 ... mu_t", lambda x: self._product(int(x["t"]))),
            Line("theta", "theta - rate ((1 - mu_t) / (1 - P_t) g + mu_(t+1) / (1 - P_t mu_(t+1)) m) / r"),
        ]


@dataclass(frozen=True, repr=False)
class Lion(Optimizer):
    """Steps of one size: theta <- theta - rate (sign(c) + weight_decay W), c = beta1 m + (1 - beta1) g.

    Then m <- beta2 m + (1 - beta2) g. Each parameter moves up or down by the rate, whatever the size of the
    gradient, so that good rates are 3 to 10 times smaller than Adam's. The decay comes first and acts on
    weights, never on biases.

    Parameters
    ----------
    beta1, beta2 : from 0 to below 1: how much of the mean m the step and the mean itself keep.
    weight_decay : from 0 up, the factor, times the rate, by which each update shrinks a weight.
    learning_rate, clip_norm, clip_value : see `Optimizer`.

    >>> import glassnet as gn
    >>> gn.Lion()
    Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0)

    Chen et al., "Symbolic discovery of optimization algorithms" (2023). Neither PyTorch nor
    scikit-learn has it.
    """

    name = "lion"
    state_names = ("mean",)
    letters = ("m",)
    coefficients = ("beta1", "beta2")

    learning_rate: float | Schedule = field(default=1e-4, metadata=checked(as_rate))
    beta1: float = field(default=0.9, metadata=checked(as_decay))
    beta2: float = field(default=0.99, metadata=checked(as_decay))
    weight_decay: float = field(default=0.0, metadata=checked(as_not_negative))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        (m,) = state
        c = self.beta1 * m + (1.0 - self.beta1) * gradient
        decayed = decay(theta, rate * self.weight_decay, is_weight)
        return decayed - rate * np.sign(c), np.stack([self.beta2 * m + (1.0 - self.beta2) * gradient])

    def lines(self, is_weight: bool) -> list[Line]:
        def c(x: Mapping[str, float]) -> float:
            return self.beta1 * x["m"] + (1.0 - self.beta1) * x["g"]

        decayed, start = _decay(self.weight_decay, is_weight)
        return [
            Line("c", "beta1 m + (1 - beta1) g", c),
            Line("m", "beta2 m + (1 - beta2) g, for the next update"),
            *decayed,
            Line("theta", f"{start} - rate sign(c)"),
        ]
