"""The loss's second derivatives, in plain NumPy: the judge of the native engine's.

With J a sample's dZ/dtheta, (outputs, P), and H the second derivative of its loss by Z, the loss's own
second derivative is J^T H J and a part that vanishes where the residuals do. J^T H J alone is never
negative along any direction. H = sum_k f_k f_k^T (see `factors`), so that it is the sum over k of b b^T
with b = J^T f_k: what backpropagation makes of f_k in the place of an error. The whole of it, which tells a
saddle from a minimum, is `hessian_product`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss

BLOCK = 1 << 20
"""Entries of the rows b that there are at a time."""


def gauss_newton(
    X: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    loss: Loss,
    w: Array | None = None,
) -> NDArray[np.float64]:
    """G = sum_i w_i J_i^T H_i J_i, (P, P), over the parameters in the flat order; w_i = 1 where none.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> theta = net.initialize(0)
    >>> G = gauss_newton(np.array([[2.0], [1.0]]), theta.weights, theta.biases, net.hidden, net.loss)
    >>> G.tolist()  # of (W x + b - y)^2 / 2
    [[5.0, 3.0], [3.0, 2.0]]
    """
    n_parameters = sum(part.size for part in (*weights, *biases))
    G = np.zeros((n_parameters, n_parameters))
    step = max(1, BLOCK // n_parameters)
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        Zs, Hs = reference.forward_propagation(X[rows], weights, biases, hidden)
        for f in _factors(loss, Zs[-1]):
            root = 1.0 if w is None else np.sqrt(w[rows])[:, None]
            b = _rows_of_jacobian(root * f, weights, hidden, Zs, Hs).astype(np.float64, copy=False)
            G += b.T @ b
    return G


def _rows_of_jacobian(
    delta: Array, weights: Sequence[Array], hidden: Sequence[Activation], Zs: list[Array], Hs: list[Array]
) -> Array:
    """J^T delta for each sample, (n, P): the gradient's terms before they are summed."""
    parts: list[Array] = []
    for layer in reversed(range(len(weights))):
        H = Hs[layer]
        parts = [(H[:, :, None] * delta[:, None, :]).reshape(len(H), -1), delta, *parts]
        if layer:
            delta = reference.hidden_error(delta, weights[layer], Zs[layer - 1], H, hidden[layer - 1])
    return np.concatenate(parts, axis=1)


def gauss_newton_product(
    X: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    loss: Loss,
    along: tuple[Sequence[Array], Sequence[Array]],
    w: Array | None = None,
) -> Array:
    """G v for v = (V, c), weights and biases, without G: forward along v, then back.

    R_l = R_(l-1) W_l + H_(l-1) V_l + c_l is Z_l's derivative along v, times sigma' that of H_l; delta = H R
    at the output then goes back as a loss's would. Pearlmutter (1994); Schraudolph (2002).

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> at, v = net.initialize(0), gn.Parameters((1, 1), np.array([1.0, 10.0]))
    >>> X, along = np.array([[2.0], [1.0]]), (v.weights, v.biases)
    >>> gauss_newton_product(X, at.weights, at.biases, net.hidden, net.loss, along).tolist()
    [35.0, 23.0]
    """
    Zs, Hs = reference.forward_propagation(X, weights, biases, hidden)
    R: Array | None = None
    for layer, (V, c) in enumerate(zip(*along, strict=True)):
        now = Hs[layer] @ V + c
        R = now if R is None else R @ weights[layer] + now
        if layer < len(hidden):
            R = R * hidden[layer].derivative(Zs[layer], Hs[layer + 1])
    assert R is not None
    delta = np.zeros_like(R)
    for f in _factors(loss, Zs[-1]):
        delta += f * (f * R).sum(axis=1, keepdims=True)
    if w is not None:
        delta *= w[:, None]
    parts: list[Any] = []
    for layer in reversed(range(len(weights))):
        parts = [
            reference.weight_gradient(Hs[layer], delta).ravel(),
            reference.bias_gradient(delta),
            *parts,
        ]
        if layer:
            H = Hs[layer]
            delta = reference.hidden_error(delta, weights[layer], Zs[layer - 1], H, hidden[layer - 1])
    return np.concatenate(parts)


def hessian_product(
    X: Array,
    Y: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    loss: Loss,
    along: tuple[Sequence[Array], Sequence[Array]],
    w: Array | None = None,
) -> Array:
    """H v for v = (V, c) with H the second derivative of J by all parameters: Pearlmutter's R operator.

    R{x} is x's derivative along v. It goes through each formula of the two passes by the rules of
    differentiation: R{Z} = R{H} W + H V + c and R{H} = sigma' R{Z} forward; R{delta} back, and
    R{dJ/dW} = R{H}^T delta + H^T R{delta}. sigma'' is taken as a central difference of sigma', entry by
    entry, and never across a kink: for piecewise linear functions it is 0, as almost everywhere.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((1, 1), output="identity")
    >>> at, v = net.initialize(0), gn.Parameters((1, 1), np.array([1.0, 10.0]))
    >>> X, Y, along = np.array([[2.0], [1.0]]), np.zeros((2, 1)), (v.weights, v.biases)
    >>> hessian_product(X, Y, at.weights, at.biases, net.hidden, net.loss, along).tolist()
    [35.0, 23.0]

    Pearlmutter, "Fast exact multiplication by the Hessian" (1994).
    """
    total: Any = 0.0
    step = max(1, BLOCK // max(len(b) for b in (X[:1].T, *biases)))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        block = X[rows], Y[rows], None if w is None else w[rows]
        total = total + _hessian_product(block, weights, biases, hidden, loss, along)
    product: Array = total
    return product


def _hessian_product(
    block: tuple[Array, Array, Array | None],
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    loss: Loss,
    along: tuple[Sequence[Array], Sequence[Array]],
) -> Array:
    X, Y, w = block
    Zs, Hs = reference.forward_propagation(X, weights, biases, hidden)
    slopes = [record.derivative(Z, H) for record, Z, H in zip(hidden, Zs, Hs[1:], strict=False)]
    R_Zs: list[Array] = []
    R_Hs: list[Array | None] = [None]
    for layer, (V, c) in enumerate(zip(*along, strict=True)):
        R = Hs[layer] @ V + c
        before = R_Hs[layer]
        R_Zs.append(R if before is None else R + before @ weights[layer])
        if layer < len(hidden):
            R_Hs.append(slopes[layer] * R_Zs[layer])
    delta = loss.delta(Zs[-1], Y)
    R_delta = _slope_of_delta(loss, Zs[-1], Y, R_Zs[-1])
    if w is not None:
        delta, R_delta = w[:, None] * delta, w[:, None] * R_delta
    parts: list[Array] = []
    for layer in reversed(range(len(weights))):
        before = R_Hs[layer]
        by_weight = reference.weight_gradient(Hs[layer], R_delta)
        if before is not None:
            by_weight = by_weight + reference.weight_gradient(before, delta)
        parts = [by_weight.ravel(), reference.bias_gradient(R_delta), *parts]
        if layer:
            error = delta @ weights[layer].T
            R_error = R_delta @ weights[layer].T + delta @ along[0][layer].T
            bend = _second(hidden[layer - 1], Zs[layer - 1])
            R_delta = R_error * slopes[layer - 1] + error * bend * R_Zs[layer - 1]
            delta = error * slopes[layer - 1]
    return np.concatenate(parts)


NEAR = 1e-5
"""The step of a difference of two slopes; what rounding and the step leave out are about 1e-11 each."""


def _second(sigma: Activation, Z: Array) -> Array:
    """sigma''(Z), from sigma' on both sides of Z, or of the next point that has no kink between them."""
    for kink in sigma.kinks:
        Z = _away(Z, kink, NEAR)
    low, high = Z - NEAR, Z + NEAR
    rise = sigma.derivative(high, sigma.value(high)) - sigma.derivative(low, sigma.value(low))
    slope: Array = rise / (high - low)
    return slope


def _slope_of_delta(loss: Loss, Z: Array, Y: Array, R: Array) -> Array:
    """The derivative of the loss's delta along R, (n, outputs)."""
    if loss.factor is not None:
        f = loss.factor(Z)
        found: Array = (f * (f * R).sum(axis=2, keepdims=True)).sum(axis=0)
        return found
    size = np.abs(R).max(axis=1, keepdims=True)
    share = NEAR * np.maximum(1, np.abs(Z).max(axis=1, keepdims=True)) / np.where(size == 0, 1, size)
    step = share * R
    for kink in loss.kinks:
        Z = Y + _away(Z - Y, kink, np.abs(step))
    return (loss.delta(Z + step, Y) - loss.delta(Z - step, Y)) / (2 * share)


def _away(values: Array, kink: float, step: Any) -> Array:
    """The values, those nearer to the kink than twice the step moved away from it."""
    side = np.where(values < kink, -1.0, 1.0)
    near = np.abs(values - kink) < 2 * step
    return np.where(near, kink + 2 * side * step, values)


def _factors(loss: Loss, Z: Array) -> Array:
    assert loss.factor is not None
    return loss.factor(Z)
