"""Gradient descent with momentum: one rate for all parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.optim.base import Line, Optimizer
from glassnet.optim.penalties import Mask
from glassnet.utils.settings_checks import as_decay, as_flag, checked

__all__ = ["SGD"]


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Gradient descent with momentum: V <- momentum V - learning_rate g, then theta <- theta + V.

    theta, V and g, the loss's gradient, are vectors of one length; V starts at 0. momentum=0 is
    plain gradient descent. With nesterov=True, theta moves one step of momentum ahead:
    theta <- theta + momentum V - learning_rate g, with the new V.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule. Its unit depends on the reduction: a rate r for the
        mean loss of n samples takes the same steps as r / n for the sum.
    momentum : from 0 to below 1, the fraction of the last step that the next one repeats.
    nesterov : whether to look ahead.
    clip_norm, clip_value : see `Optimizer`.

    Example
    -------
    >>> import glassnet as gn
    >>> gn.SGD(learning_rate=1e-4, momentum=0.5)
    SGD(learning_rate=0.0001, momentum=0.5)

    This is Polyak's heavy ball (1964) as in Rumelhart, Hinton and Williams (1986), and Nesterov's
    (1983) as in Sutskever et al. (2013): what scikit-learn computes, to the last bit; its
    nesterovs_momentum is True by default. PyTorch's buffer is B <- momentum B + g and its step
    theta <- theta - learning_rate B (nesterov: g + momentum B in place of B): the same path while the
    rate is constant (V is -learning_rate B), but a change of PyTorch's rate also rescales the momentum
    that has built up.
    """

    name = "sgd"
    state_names = ("velocity",)
    letters = ("V",)
    coefficients = ("momentum",)
    flag = "nesterov"

    momentum: float = field(default=0.9, metadata=checked(as_decay))
    nesterov: bool = field(default=False, kw_only=True, metadata=checked(as_flag))

    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        moved, V = reference.momentum_update(theta, state[0], gradient, rate, self.momentum)
        if self.nesterov:
            moved = theta + (self.momentum * V - rate * gradient)
        return moved, np.stack([V])

    def lines(self, is_weight: bool) -> list[Line]:
        step = "momentum V - learning_rate g"
        return [Line("V", step), Line("theta", f"theta + {step if self.nesterov else 'V'}")]
