"""Updates of the parameters: the record that a call takes, and how each engine makes one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network
from glassnet.optim import Optimizer, penalties
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import Penalties

_PARAMETERS = 1 << 14
"""The parameters that the NumPy engine updates at a time, so that they stay in the cache."""


class Updates(NamedTuple):
    """The updates that a call of an engine makes, and when it returns early.

    `rates` holds one learning rate for all updates, or at least one for each; the engines ignore the
    optimizer's own. `first` is the number of the first update, from 1. The call returns after a whole
    update once ``stop[0]`` is set or `seconds` are over. A loss above `limit`, or one that is not finite,
    has diverged. With dropout, `masks` are those of the pass that gives the first update its gradient; each
    pass after it takes the next number. With an `average` d above 0 the state has a last row more, a mean
    of the parameters, which becomes d mean + (1 - d) theta after each update.
    """

    optimizer: Optimizer
    rates: NDArray[np.float64]
    first: int
    stop: NDArray[np.uint8]
    seconds: float
    limit: float = math.inf
    masks: Masks | None = None
    average: float = 0.0

    def rate(self, k: int) -> float:
        """The learning rate of update k of this call, from 0."""
        return float(self.rates[min(k, len(self.rates) - 1)])


def numpy_update(
    network: Network,
    penalized: Penalties,
    updates: Updates,
    k: int,
    arrays: tuple[Array, Array, Array],
    in_place: bool = False,
) -> tuple[Array, Array]:
    """The new parameters and state after update k of the call; `arrays` are flat, state and gradient.

    `in_place` writes them over the old ones.
    """
    flat, state, gradient = arrays
    optimizer, is_weight = updates.optimizer, penalties.weight_mask(network.sizes)
    t, rate, average = updates.first + k, updates.rate(k), updates.average
    own = state[: len(optimizer.state_names)]
    theta, new = (flat, own) if in_place else (np.empty_like(flat), np.empty_like(own))
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        g = penalties.clip(gradient, optimizer.clip_value, optimizer.clip_norm)
        for start in range(0, flat.size, _PARAMETERS):
            some = slice(start, start + _PARAMETERS)
            theta[some], new[:, some] = optimizer.update(
                flat[some], own[:, some], g[some], t, rate, is_weight[some]
            )
        if penalized.max_norm is not None:
            theta = penalties.constrain(theta, network.sizes, penalized.max_norm)
        if average:
            new = np.vstack([new, average * state[-1] + (1.0 - average) * theta])
    return theta, new


def native_rule(
    optimizer: Optimizer, penalized: Penalties, average: float = 0.0, conventions: Conventions = OURS
) -> Any:
    """The optimizer's settings without its rate, the penalties and conventions, for the native engine."""
    assert native.module is not None

    def bound(value: float | None) -> float:
        return math.inf if value is None else value

    return native.module.Rule(
        kind=optimizer.name,
        coefficients=[getattr(optimizer, name) for name in optimizer.coefficients],
        flag=bool(optimizer.flag and getattr(optimizer, optimizer.flag)),
        weight_decay=getattr(optimizer, "weight_decay", 0.0),
        clip_value=bound(optimizer.clip_value),
        clip_norm=bound(optimizer.clip_norm),
        l1=penalized.l1,
        l2=penalized.l2,
        max_norm=bound(penalized.max_norm),
        average=average,
        shared=conventions.shared,
        floor=conventions.floor,
        part=conventions.part,
    )
