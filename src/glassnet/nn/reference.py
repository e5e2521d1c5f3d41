"""Backpropagation as a book would print it, in plain NumPy.

This file is the judge of the native engine: clarity comes before speed here. Read it from top to bottom; it
needs only the records of activations and losses.

Notation
--------
A row is a sample, N samples in all. The network has layers 1 to L, of which the last is the output.

=========  ==============  ==========================================================
X          (N, d)          the input
W, b       (m, k), (k,)    a layer's weights and biases, from m inputs to k outputs
Z          (N, k)          a layer's pre-activation,  Z = H_before @ W + b
H          (N, k)          a hidden layer's output,   H = sigma(Z); the first H_before is X
M          (N, k)          with dropout: 0 or 1/(1 - p), and H = sigma(Z) * M
Y_hat, Y   (N, C)          the output layer's output, Y_hat = link(Z), and its target
J          a number        the loss, summed over the samples
delta      (N, k)          dJ/dZ, a layer's error
V, g       (P,)            the momentum and the gradient dJ/d(W, b), as one flat vector
=========  ==============  ==========================================================
"""

from collections.abc import Sequence

import numpy as np

from glassnet._types import Array
from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss, Output

# ---- Forward propagation ------------------------------------------------------------------------


def pre_activation(H_before: Array, W: Array, b: Array) -> Array:
    """Z = H_before W + b."""
    Z: Array = H_before @ W + b
    return Z


def hidden_activations(Z: Array, sigma: Activation, M: Array | None = None) -> Array:
    """H = sigma(Z); with dropout, H = sigma(Z) * M."""
    H = sigma.value(Z)
    return H if M is None else H * M


def output_activations(Z: Array, output: Output) -> Array:
    """Y_hat = link(Z), for instance the softmax exp(Z) / sum_c exp(Z_c)."""
    return output.link(Z)


def forward_propagation(
    X: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    masks: Sequence[Array | None] | None = None,
) -> tuple[list[Array], list[Array]]:
    """Every layer's Z, and the input of every layer: [X, H_1, ..., H_(L-1)].

    `masks` holds each hidden layer's M, or None for a layer without dropout.
    """
    Zs, Hs = [], [X]
    for layer, sigma in enumerate(hidden):
        Zs.append(pre_activation(Hs[-1], weights[layer], biases[layer]))
        Hs.append(hidden_activations(Zs[-1], sigma, masks[layer] if masks else None))
    Zs.append(pre_activation(Hs[-1], weights[-1], biases[-1]))
    return Zs, Hs


# ---- Loss ---------------------------------------------------------------------------------------


def loss(Z: Array, Y: Array, loss: Loss, w: Array | None = None) -> float:
    """J = sum_i w_i xi(y_i, y_hat_i), from the output layer's Z; without w, w_i = 1."""
    xi = loss.value(Z, Y)
    return float(np.sum(xi if w is None else w * xi, dtype=np.float64))


def loss_gradient(Z: Array, Y: Array, loss: Loss, w: Array | None = None) -> Array:
    """delta_L = dJ/dZ_L; for each link with its own loss, this is Y_hat - Y."""
    delta = loss.delta(Z, Y)
    return delta if w is None else w[:, None] * delta


# ---- Backpropagation ----------------------------------------------------------------------------


def weight_gradient(H_before: Array, delta: Array) -> Array:
    """dJ/dW = H_before^T delta, for the output layer and every hidden layer; the first H_before is X."""
    gradient: Array = H_before.T @ delta
    return gradient


def bias_gradient(delta: Array) -> Array:
    """dJ/db = sum_i delta_i."""
    gradient: Array = delta.sum(axis=0)
    return gradient


def hidden_error(
    delta_next: Array, W_next: Array, Z: Array, H: Array, sigma: Activation, M: Array | None = None
) -> Array:
    """delta = dJ/dZ = (delta_next W_next^T) * sigma'(Z), one layer down from delta_next.

    H is sigma(Z), without dropout; with dropout the result is multiplied by M.
    """
    error: Array = (delta_next @ W_next.T) * sigma.derivative(Z, H)
    return error if M is None else error * M


def compute_gradients(
    X: Array,
    Y: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    loss_record: Loss,
    w: Array | None = None,
    masks: Sequence[Array | None] | None = None,
) -> tuple[float, list[Array], list[Array]]:
    """J, and dJ/dW and dJ/db for every layer, from one pass forward and one pass back."""
    Zs, Hs = forward_propagation(X, weights, biases, hidden, masks)
    delta = loss_gradient(Zs[-1], Y, loss_record, w)
    weight_gradients = [weight_gradient(Hs[-1], delta)]
    bias_gradients = [bias_gradient(delta)]
    for layer in reversed(range(len(hidden))):
        Z, sigma, M = Zs[layer], hidden[layer], masks[layer] if masks else None
        H = Hs[layer + 1] if M is None else hidden_activations(Z, sigma)
        delta = hidden_error(delta, weights[layer + 1], Z, H, sigma, M)
        weight_gradients.insert(0, weight_gradient(Hs[layer], delta))
        bias_gradients.insert(0, bias_gradient(delta))
    return loss(Zs[-1], Y, loss_record, w), weight_gradients, bias_gradients


# ---- The derivative of the outputs by the inputs --------------------------------------------------


def link_jacobian(name: str, Y_hat: Array) -> Array:
    """dy_hat/dz of the output layer, (n, outputs, outputs), from its values (n, outputs).

    Softmax: ``y_j (1[j = k] - y_k)``; logistic: ``y (1 - y)``, tanh: ``1 - y^2``, exp: ``y`` and identity:
    1 on the diagonal.
    """
    eye = np.eye(Y_hat.shape[1], dtype=Y_hat.dtype)
    if name == "softmax":
        return Y_hat[:, :, None] * (eye - Y_hat[:, None, :])
    slope = np.ones_like(Y_hat)
    if name == "logistic":
        slope = Y_hat * (1 - Y_hat)
    elif name == "tanh":
        slope = 1 - Y_hat * Y_hat
    elif name == "exp":
        slope = Y_hat
    return slope[:, :, None] * eye


def input_gradients(
    X: Array,
    weights: Sequence[Array],
    biases: Sequence[Array],
    hidden: Sequence[Activation],
    jacobian: Array,
) -> Array:
    """dy_hat/dx, (n, outputs, inputs), from the output layer's dy_hat/dz.

    A forward pass; then for each layer, from the last: times W^T, times the activation's derivative.
    """
    Zs, Hs = forward_propagation(X, weights, biases, hidden)
    G = jacobian @ weights[-1].T
    for layer in reversed(range(len(hidden))):
        slope = hidden[layer].derivative(Zs[layer], Hs[layer + 1])
        G = (G * slope[:, None, :]) @ weights[layer].T
    return G


# ---- The update ---------------------------------------------------------------------------------


def momentum_update(
    theta: Array, V: Array, g: Array, learning_rate: float, momentum: float
) -> tuple[Array, Array]:
    """V <- momentum V - learning_rate g, then theta <- theta + V."""
    V = momentum * V - learning_rate * g
    return theta + V, V
