"""Floor 2: the Gauss-Newton matrix of the loss, in plain NumPy: the judge of the native engine's.

With J a sample's dZ/dtheta, (outputs, P), and H the second derivative of its loss by Z, the loss's own
second derivative is J^T H J and a part that vanishes where the residuals do. J^T H J alone is never
negative along any direction. H = sum_k f_k f_k^T (see `factors`), so that it is the sum over k of b b^T
with b = J^T f_k: what backpropagation makes of f_k in the place of an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import reference
from glassnet.activations import Activation, Array
from glassnet.losses import Loss

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


def _factors(loss: Loss, Z: Array) -> Array:
    assert loss.factor is not None
    return loss.factor(Z)
