"""Backpropagation with mistakes in it: what a gradient would be, had somebody made them.

The lines are written out here once more: a fault of `nn.reference` must not be in what it is held against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.nn.activations import Activation
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties

Slope = Callable[[Array, Array], Array]
"""sigma'(Z, H)."""


class Point(NamedTuple):
    """What a check has looked at, in float64: the parameters, the samples and the penalties.

    `w` are each sample's weight in the reduced loss; `plain` those that it had without weights of its own.
    """

    network: Network
    theta: Parameters
    X: Array
    Y: Array
    w: Array
    plain: Array
    penalties: Penalties
    mean: bool
    """Whether the loss is a mean, else a sum."""


@dataclass(frozen=True)
class Slips:
    """Mistakes that are made together; layers are numbered from 1, arrays named W1, b1, ..."""

    scale: float = 1.0
    """A factor of every entry."""
    biasless: frozenset[int] = frozenset()
    """Layers whose bias the pass forward leaves out."""
    functions: Mapping[int, Activation] = field(default_factory=dict)
    """Activations of hidden layers, in place of the network's, forward and back."""
    X: Array | None = None
    Y: Array | None = None
    """Other inputs and targets."""
    delta: Callable[[Array, Array], Array] | None = None
    """delta_L of Z and Y, in place of the loss's."""
    slopes: Mapping[int, Slope] = field(default_factory=dict)
    """sigma' of hidden layers."""
    backs: Mapping[int, Array] = field(default_factory=dict)
    """What the delta of a layer is multiplied by on its way down, in place of W^T."""
    delta_factors: Mapping[int, float] = field(default_factory=dict)
    """Factors of a layer's delta."""
    raw_inputs: frozenset[int] = frozenset()
    """Layers whose dJ/dW has Z of the layer below in place of H."""
    w: Array | None = None
    """The samples' weights in the reduced loss."""
    penalty: Array | None = None
    """The penalty's gradient, flat, in place of l2 W + l1 sign(W)."""
    arrays: Mapping[str, Array] = field(default_factory=dict)
    """What an array of the gradient is in the end."""

    def joined(self, other: Slips) -> Slips:
        """These and others; what only one of them can change is as the others have it."""
        both: dict[str, Any] = {}
        for name, value in vars(other).items():
            own = getattr(self, name)
            if isinstance(value, Mapping):
                both[name] = {**own, **value}
            elif isinstance(value, frozenset):
                both[name] = own | value
            else:
                both[name] = own if value is None else value
        return Slips(**{**both, "scale": self.scale * other.scale})


NONE = Slips()


def gradient_with(slips: Slips, point: Point) -> Array:
    """The flat gradient of the reduced loss and its penalties, with mistakes."""
    network, theta, depth = point.network, point.theta, len(point.network.sizes) - 1
    hidden = [slips.functions.get(layer, sigma) for layer, sigma in enumerate(network.hidden, 1)]
    w = point.w if slips.w is None else slips.w
    X, Y = point.X if slips.X is None else slips.X, point.Y if slips.Y is None else slips.Y
    Zs: list[Array] = []
    Hs: list[Array] = [X]
    for layer in range(1, depth + 1):
        product = Hs[-1] @ theta.weights[layer - 1]
        Zs.append(product if layer in slips.biasless else product + theta.biases[layer - 1])
        if layer < depth:
            Hs.append(hidden[layer - 1].value(Zs[-1]))
    delta: Array = w[:, None] * (slips.delta or network.loss.delta)(Zs[-1], Y)
    gradient: dict[str, Array] = {}
    for layer in range(depth, 0, -1):
        delta = delta * slips.delta_factors.get(layer, 1.0)
        before = Zs[layer - 2] if layer in slips.raw_inputs and layer > 1 else Hs[layer - 1]
        gradient[f"W{layer}"], gradient[f"b{layer}"] = before.T @ delta, delta.sum(axis=0)
        if layer > 1:
            W, Z, sigma = theta.weights[layer - 1], Zs[layer - 2], hidden[layer - 2]
            back, slope = slips.backs.get(layer, W.T), slips.slopes.get(layer - 1, sigma.derivative)
            delta = (delta @ back) * slope(Z, Hs[layer - 1])
    names = [f"{kind}{layer}" for layer in range(1, depth + 1) for kind in "Wb"]
    flat: Array = np.concatenate([gradient[name].ravel() for name in names])
    penalty = penalty_of(point) if slips.penalty is None else slips.penalty
    flat = slips.scale * (flat + penalty)
    if slips.arrays:
        ends = Parameters(network.sizes, flat)
        for name, values in slips.arrays.items():
            array = (ends.weights if name[0] == "W" else ends.biases)[int(name[1:]) - 1]
            array[...] = values
    return flat


def penalty_of(
    point: Point, l1: float | None = None, l2: float | None = None, biases: bool = False
) -> Array:
    """l2 W + l1 sign(W), flat; of biases too where they are penalized."""
    l1 = point.penalties.l1 if l1 is None else l1
    l2 = point.penalties.l2 if l2 is None else l2
    slope = point.theta.copy()
    slope.flat[:] = l2 * slope.flat + l1 * np.sign(slope.flat)
    if not biases:
        for b in slope.biases:
            b[:] = 0
    return slope.flat
