"""How a network's outputs change with its inputs."""

from __future__ import annotations

import numpy as np

from glassnet._types import Array
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters


def link_jacobian(name: str, Y_hat: Array) -> Array:
    """dy_hat/dz of the output layer, (n, outputs, outputs), from its values (n, outputs).

    Softmax: ``y_j (1[j = k] - y_k)``; logistic: ``y (1 - y)``, exp: ``y`` and identity: 1 on the diagonal.
    """
    eye = np.eye(Y_hat.shape[1], dtype=Y_hat.dtype)
    if name == "softmax":
        return Y_hat[:, :, None] * (eye - Y_hat[:, None, :])
    slope = {"logistic": Y_hat * (1 - Y_hat), "exp": Y_hat}.get(name, np.ones_like(Y_hat))
    return slope[:, :, None] * eye


def input_gradients(network: Network, theta: Parameters, X: Array, jacobian: Array) -> Array:
    """dy_hat/dx, (n, outputs, inputs), from the output layer's dy_hat/dz.

    One pass forward, and then per layer, from the last: times W^T, times the activation's derivative.
    """
    Zs, Hs = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
    G = jacobian @ theta.weights[-1].T
    for layer in reversed(range(len(network.hidden))):
        slope = network.hidden[layer].derivative(Zs[layer], Hs[layer + 1])
        G = (G * slope[:, None, :]) @ theta.weights[layer].T
    return G
