"""How far rounding may move a loss and its gradient: an error analysis.

The gradient checker must know which differences rounding explains. A fixed tolerance cannot tell: near a
minimum a gradient is a small sum of large terms that cancel, and rounds as coarsely as the terms. So this
module repeats the passes of the reference and carries a bound on the error beside every quantity (a running
error analysis: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3). The error of
a sum of n terms is sqrt(n) u sum |terms|, as independent roundings add up (Higham and Mary, A new approach
to probabilistic rounding error analysis, 2019), not the n u of the worst case.
"""

from collections.abc import Callable, Sequence

import numpy as np

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters

CONFIDENCE = 2.0
"""How many times the estimated error is allowed; errors in practice are a tenth of the estimate."""


def unit_roundoff(dtype: np.dtype[np.floating]) -> float:
    """Half the distance from 1 to the next number: 1.1e-16 in float64, 6.0e-8 in float32."""
    return float(np.finfo(dtype).eps) / 2


def rounding_errors(
    network: Network,
    theta: Parameters,
    X: Array,
    Y: Array,
    w: Array,
    u: float,
    masks: Sequence[Array | None] | None = None,
) -> tuple[float, Array]:
    """Bounds on the rounding of the loss sum_i w_i xi_i and of each entry of its gradient.

    The arguments are float64 and count as exact, w included; `u` is the unit roundoff of the judged
    arithmetic. Where rounding can carry a relu's Z over the kink, the bound includes the whole jump.
    `masks` are those of a training pass with dropout.
    """
    Zs, Hs = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden, masks)
    drawn = masks or [None] * len(network.hidden)

    # Forward: e_Z and e_H are bounds on the errors of Z and H.
    e_Zs, e_Hs = [], [np.zeros_like(X)]
    for layer, (W, b, H) in enumerate(zip(theta.weights, theta.biases, Hs, strict=True)):
        terms = np.abs(H) @ np.abs(W) + np.abs(b)
        e_Zs.append(u * np.sqrt(len(W) + 1) * terms + e_Hs[-1] @ np.abs(W))
        if layer < len(network.hidden):
            value = network.hidden[layer].value
            e_H, M = _spread(value, Zs[layer], e_Zs[-1]), drawn[layer]
            e_Hs.append((e_H if M is None else e_H * M) + u * np.abs(Hs[layer + 1]))

    Z, e_Z = Zs[-1], e_Zs[-1]
    delta = network.loss.delta(Z, Y)
    loss_terms = np.abs(delta * e_Z).sum(axis=1) + u * (1 + np.abs(network.loss.value(Z, Y)))
    loss_error = float(w @ loss_terms)

    # One column of Z moves at a time: a softmax does not change when all of them move together.
    e_delta = u * (np.abs(network.output.link(Z)) + np.abs(delta))
    for column in range(Z.shape[1]):
        steps = []
        for sign in (1, -1):
            moved = Z.copy()
            moved[:, column] += sign * e_Z[:, column]
            steps.append(np.abs(network.loss.delta(moved, Y) - delta))
        e_delta += np.maximum(*steps)
    delta, e_delta = w[:, None] * delta, w[:, None] * e_delta

    # Backward: the lines of the reference, where e_delta bounds the error of delta.
    summing = u * np.sqrt(len(X))
    bounds: list[Array] = []
    for layer in reversed(range(len(theta.weights))):
        H, e_H = np.abs(Hs[layer]), e_Hs[layer]
        for_weights = (H + e_H).T @ e_delta + e_H.T @ np.abs(delta) + summing * (H.T @ np.abs(delta))
        for_bias = (e_delta + summing * np.abs(delta)).sum(axis=0)
        bounds = [for_weights.ravel(), for_bias, *bounds]
        if layer:
            W, Z, e_Z, M = theta.weights[layer], Zs[layer - 1], e_Zs[layer - 1], drawn[layer - 1]
            # The derivative as a function of Z alone: H moves with Z.
            slope_at = _slope_of(network, layer - 1)
            slope = slope_at(Z)
            e_slope = u * np.abs(slope) + _spread(slope_at, Z, e_Z)
            if M is not None:
                slope, e_slope = slope * M, e_slope * M
            back = delta @ W.T
            e_back = e_delta @ np.abs(W).T + u * np.sqrt(W.shape[1]) * (np.abs(delta) @ np.abs(W).T)
            delta, e_delta = back * slope, e_back * (np.abs(slope) + e_slope) + np.abs(back) * e_slope
    return CONFIDENCE * loss_error, CONFIDENCE * np.concatenate(bounds)


def _slope_of(network: Network, layer: int) -> Callable[[Array], Array]:
    record = network.hidden[layer]
    return lambda Z: record.derivative(Z, record.value(Z))


def _spread(function: Callable[[Array], Array], Z: Array, e_Z: Array) -> Array:
    """How far a function of each entry may lie from its value at Z where Z is off by e_Z."""
    middle = function(Z)
    return np.maximum(np.abs(function(Z + e_Z) - middle), np.abs(function(Z - e_Z) - middle))
