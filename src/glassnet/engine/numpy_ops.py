"""The NumPy engine: the loss, its gradient and an update, by the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.engine.records import Setup, Updates
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters
from glassnet.optim import penalties
from glassnet.optim.loss_conventions import OURS, Conventions, loss_above
from glassnet.optim.penalties import NO_PENALTIES, Penalties

Samples = tuple[Array, Array, Array | None]
"""X, rows of targets, and weights or None."""

_PARAMETERS = 1 << 14
"""The parameters that are penalized or updated at a time, so that they stay in the cache."""


class NumpyLoss(NamedTuple):
    """The loss of a network over samples: their sum over `divisor`, with penalties and conventions."""

    network: Network
    divisor: float = 1.0
    penalties: Penalties = NO_PENALTIES
    conventions: Conventions = OURS

    def value(self, samples: Samples, flat: Array) -> float:
        """The loss that `value_and_gradient` gives, by a pass forward alone."""
        (X, Y, w), network, theta = samples, self.network, Parameters(self.network.sizes, flat)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
            loss = self._reduced(reference.loss(Zs[-1], Y, network.loss, w), Zs[-1], samples)
            if self.penalties.l1 or self.penalties.l2:
                is_weight = penalties.weight_mask(network.sizes)
                loss += penalties.penalty(flat, is_weight, self.penalties.l1, self.penalties.l2)[0]
            return loss

    def value_and_gradient(
        self, samples: Samples, flat: Array, masks: Sequence[Array | None] | None = None
    ) -> tuple[float, Array]:
        """The loss and its gradient; with masks those of a training pass."""
        (X, Y, w), network, theta = samples, self.network, Parameters(self.network.sizes, flat)
        # The loss tells of a diverged network; NumPy's own warnings would only repeat it.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            loss, weights, biases = reference.compute_gradients(
                X, Y, theta.weights, theta.biases, network.hidden, network.loss, w, masks
            )
            layers = [array.ravel() for pair in zip(weights, biases, strict=True) for array in pair]
            gradient = np.concatenate(layers).astype(flat.dtype, copy=False)
            if self.divisor != 1.0:
                gradient /= gradient.dtype.type(self.divisor)
            Z = None
            if self.conventions.min_probability:
                Z = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden, masks)[0][
                    -1
                ]
            loss, (l1, l2) = self._reduced(loss, Z, samples), (self.penalties.l1, self.penalties.l2)
            if l1 or l2:
                is_weight = penalties.weight_mask(network.sizes)
                for start in range(0, flat.size, _PARAMETERS):
                    some = slice(start, start + _PARAMETERS)
                    added, slope = penalties.penalty(flat[some], is_weight[some], l1, l2)
                    loss, gradient[some] = loss + added, gradient[some] + slope
            return loss, gradient

    def _reduced(self, loss: float, Z: Array | None, samples: Samples) -> float:
        """The reported loss of the summed one; `Z` is the output layer's, where there is a floor."""
        if self.conventions.min_probability and Z is not None:
            loss -= loss_above(self.conventions.min_probability, self.network.loss, Z, *samples[1:])
        return self.conventions.loss_scale * loss / self.divisor


def numpy_update(
    setup: Setup, updates: Updates, k: int, flat: Array, state: Array, gradient: Array
) -> tuple[Array, Array]:
    """The new parameters and state after update k of the call.

    Layers that are frozen have no gradient, for the clipped norm either, and keep their bits.
    """
    sizes, optimizer, max_norm = setup.network.sizes, updates.optimizer, setup.penalties.max_norm
    is_weight = penalties.weight_mask(sizes)
    frozen = penalties.frozen_mask(sizes, setup.freeze) if setup.freeze else None
    if frozen is not None:
        gradient = np.where(frozen, 0, gradient)
    t, rate, average = updates.first + k, updates.rate(k), updates.average
    own = state[: len(optimizer.state_names)]
    theta, new = np.empty_like(flat), np.empty_like(own)
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        g = penalties.clip(gradient, optimizer.clip_value, optimizer.clip_norm)
        for start in range(0, flat.size, _PARAMETERS):
            some = slice(start, start + _PARAMETERS)
            theta[some], new[:, some] = optimizer.update(
                flat[some], own[:, some], g[some], t, rate, is_weight[some]
            )
        if max_norm is not None:
            theta = penalties.constrain(theta, sizes, max_norm)
        rows = [theta]
        if average:
            rows.append(average * state[-1] + (1.0 - average) * theta)
    if frozen is not None:
        rows = [np.where(frozen, flat, row) for row in rows]
    theta, *mean = rows
    return theta, np.vstack([new, *mean]) if mean else new
