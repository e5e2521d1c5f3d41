"""The second derivatives of the loss, in plain NumPy: the judge of the native engine's.

J is a sample's dZ/dtheta, (outputs, P), and H the second derivative of its loss with respect to Z. The
second derivative of the loss with respect to theta is J^T H J plus a term that vanishes where the residuals
do. J^T H J alone, the Gauss-Newton matrix, is never negative along any direction. H = sum_k f_k f_k^T (see
`loss_hessians`), so J^T H J is the sum over k of b b^T with b = J^T f_k, which backpropagation computes
with f_k in place of the error. `hessian_product` computes with both terms, which tells a saddle from a
minimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network, Parameters

BLOCK = 1 << 20
"""Entries of the rows b, or of a layer's output, that are computed at a time."""


def gauss_newton(
    network: Network, theta: Parameters, X: Array, w: Array | None = None
) -> NDArray[np.float64]:
    """G = sum_i w_i J_i^T H_i J_i, (P, P), over the parameters in the flat order; without w, w_i is 1.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> gauss_newton(net, net.initialize(0), np.array([[2.0], [1.0]])).tolist()  # of (W x + b - y)^2 / 2
    [[5.0, 3.0], [3.0, 2.0]]
    """
    G = np.zeros((theta.flat.size, theta.flat.size))
    step = max(1, BLOCK // theta.flat.size)
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        Zs, Hs = reference.forward_propagation(X[rows], theta.weights, theta.biases, network.hidden)
        for f in _factors(network.loss, Zs[-1]):
            root = 1.0 if w is None else np.sqrt(w[rows])[:, None]
            b = _rows_of_jacobian(network, theta, root * f, Zs, Hs).astype(np.float64, copy=False)
            G += b.T @ b
    return G


def _rows_of_jacobian(
    network: Network, theta: Parameters, delta: Array, Zs: list[Array], Hs: list[Array]
) -> Array:
    """J^T delta for each sample, (n, P): the terms of the gradient before they are summed."""
    columns: list[Array] = []
    for layer in reversed(range(len(Zs))):
        H = Hs[layer]
        columns = [(H[:, :, None] * delta[:, None, :]).reshape(len(H), -1), delta, *columns]
        if layer:
            delta = _error_below(network, theta, layer, delta, Zs, Hs)
    return np.concatenate(columns, axis=1)


def gauss_newton_product(
    network: Network, theta: Parameters, X: Array, v: Parameters, w: Array | None = None
) -> Array:
    """G v, (P,), without G: forward along v = (V, c), then back.

    R_l = R_(l-1) W_l + H_(l-1) V_l + c_l is the derivative of Z_l along v, and sigma' R_l that of H_l. At
    the output delta = H R, which then goes back like the delta of a loss. Pearlmutter (1994); Schraudolph
    (2002).

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> v = gn.Parameters(net.sizes, np.array([1.0, 10.0]))
    >>> gauss_newton_product(net, net.initialize(0), np.array([[2.0], [1.0]]), v).tolist()
    [35.0, 23.0]
    """
    Zs, Hs = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
    R: Array | None = None
    for layer, (V, c) in enumerate(zip(v.weights, v.biases, strict=True)):
        change = Hs[layer] @ V + c
        R = change if R is None else R @ theta.weights[layer] + change
        if layer < len(network.hidden):
            R = R * network.hidden[layer].derivative(Zs[layer], Hs[layer + 1])
    assert R is not None
    delta = np.zeros_like(R)
    for f in _factors(network.loss, Zs[-1]):
        delta += f * (f * R).sum(axis=1, keepdims=True)
    if w is not None:
        delta *= w[:, None]
    product: list[Array] = []
    for layer in reversed(range(len(Zs))):
        by_weight = reference.weight_gradient(Hs[layer], delta)
        product = [by_weight.ravel(), reference.bias_gradient(delta), *product]
        if layer:
            delta = _error_below(network, theta, layer, delta, Zs, Hs)
    return np.concatenate(product)


def _error_below(
    network: Network, theta: Parameters, layer: int, delta: Array, Zs: list[Array], Hs: list[Array]
) -> Array:
    """The error of the layer below `layer`, whose error is delta."""
    sigma = network.hidden[layer - 1]
    return reference.hidden_error(delta, theta.weights[layer], Zs[layer - 1], Hs[layer], sigma)


def hessian_product(
    network: Network, theta: Parameters, X: Array, Y: Array, v: Parameters, w: Array | None = None
) -> Array:
    """The second derivative of J by all parameters, times v, (P,): Pearlmutter's R operator.

    R{x} is the derivative of x along v = (V, c). It goes through each formula of the two passes by the
    rules of differentiation: R{Z} = R{H} W + H V + c and R{H} = sigma' R{Z} forward; R{delta} back, and
    R{dJ/dW} = R{H}^T delta + H^T R{delta}. sigma'' is a central difference of sigma', entry by entry, which
    never crosses a kink: for piecewise linear functions it is 0, as it is almost everywhere.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> v = gn.Parameters(net.sizes, np.array([1.0, 10.0]))
    >>> hessian_product(net, net.initialize(0), np.array([[2.0], [1.0]]), np.zeros((2, 1)), v).tolist()
    [35.0, 23.0]

    Pearlmutter, "Fast exact multiplication by the Hessian" (1994).
    """
    total = np.zeros(())
    step = max(1, BLOCK // max(network.sizes))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        total = total + _hessian_product(
            network, theta, X[rows], Y[rows], v, None if w is None else w[rows]
        )
    return total


def _hessian_product(
    network: Network, theta: Parameters, X: Array, Y: Array, v: Parameters, w: Array | None
) -> Array:
    hidden, loss, weights = network.hidden, network.loss, theta.weights
    Zs, Hs = reference.forward_propagation(X, weights, theta.biases, hidden)
    slopes = [record.derivative(Z, H) for record, Z, H in zip(hidden, Zs, Hs[1:], strict=False)]
    R_Zs: list[Array] = []
    R_Hs: list[Array | None] = [None]
    for layer, (V, c) in enumerate(zip(v.weights, v.biases, strict=True)):
        R = Hs[layer] @ V + c
        before = R_Hs[layer]
        R_Zs.append(R if before is None else R + before @ weights[layer])
        if layer < len(hidden):
            R_Hs.append(slopes[layer] * R_Zs[layer])
    delta = loss.delta(Zs[-1], Y)
    R_delta = _slope_of_delta(loss, Zs[-1], Y, R_Zs[-1])
    if w is not None:
        delta, R_delta = w[:, None] * delta, w[:, None] * R_delta
    product: list[Array] = []
    for layer in reversed(range(len(weights))):
        before = R_Hs[layer]
        by_weight = reference.weight_gradient(Hs[layer], R_delta)
        if before is not None:
            by_weight = by_weight + reference.weight_gradient(before, delta)
        product = [by_weight.ravel(), reference.bias_gradient(R_delta), *product]
        if layer:
            error = delta @ weights[layer].T
            R_error = R_delta @ weights[layer].T + delta @ v.weights[layer].T
            bend = _second_derivative(hidden[layer - 1], Zs[layer - 1])
            R_delta = R_error * slopes[layer - 1] + error * bend * R_Zs[layer - 1]
            delta = error * slopes[layer - 1]
    return np.concatenate(product)


STEP = 1e-5
"""The step of a difference of two slopes: rounding and truncation contribute about 1e-11 each."""


def _second_derivative(sigma: Activation, Z: Array) -> Array:
    """sigma''(Z), from sigma' on both sides of Z, or of the nearest point that keeps clear of a kink."""
    for kink in sigma.kinks:
        Z = _away_from(kink, Z, STEP)
    low, high = Z - STEP, Z + STEP
    rise = sigma.derivative(high, sigma.value(high)) - sigma.derivative(low, sigma.value(low))
    slope: Array = rise / (high - low)
    return slope


def _slope_of_delta(loss: Loss, Z: Array, Y: Array, R: Array) -> Array:
    """The derivative of the loss's delta along R, (n, outputs)."""
    if loss.factor is not None:
        f = loss.factor(Z)
        slope: Array = (f * (f * R).sum(axis=2, keepdims=True)).sum(axis=0)
        return slope
    length = np.abs(R).max(axis=1, keepdims=True)
    scale = STEP * np.maximum(1, np.abs(Z).max(axis=1, keepdims=True)) / np.where(length == 0, 1, length)
    step = scale * R
    for kink in loss.kinks:
        Z = Y + _away_from(kink, Z - Y, np.abs(step))
    return (loss.delta(Z + step, Y) - loss.delta(Z - step, Y)) / (2 * scale)


def _away_from(kink: float, values: Array, step: Array | float) -> Array:
    """The values; those nearer to the kink than twice the step are moved away from it."""
    side = np.where(values < kink, -1.0, 1.0)
    near = np.abs(values - kink) < 2 * step
    return np.where(near, kink + 2 * side * step, values)


def _factors(loss: Loss, Z: Array) -> Array:
    assert loss.factor is not None
    return loss.factor(Z)
