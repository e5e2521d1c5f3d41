"""The values (n,) and deltas (n, outputs) of losses, as functions of the output layer's Z and the target.

`losses` has their formulas; those of one line stand there.
"""

import numpy as np

from glassnet._types import Array
from glassnet.nn.activations import logistic


def softmax(z: Array) -> Array:
    """exp(z) / sum exp(z) along the row, after subtracting the row's maximum: no exp overflows."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def exp(z: Array) -> Array:
    """e^z; infinite where that is too large for a number."""
    with np.errstate(over="ignore"):
        return np.exp(z)


def smoothed(y: Array, label_smoothing: float) -> Array:
    """(1 - e) y + e / C, with e the smoothing."""
    if label_smoothing == 0:
        return y
    return (1 - label_smoothing) * y + label_smoothing / y.shape[1]


def cross_entropy(z: Array, y: Array, label_smoothing: float) -> Array:
    """-sum_c y'_c log y_hat_c = log sum_c exp(z_c) - sum_c y'_c z_c, with y' the smoothed y."""
    shifted = z - z.max(axis=1, keepdims=True)
    picked = (smoothed(y, label_smoothing) * shifted).sum(axis=1)
    return np.log(np.exp(shifted).sum(axis=1)) - picked


def cross_entropy_delta(z: Array, y: Array, label_smoothing: float) -> Array:
    """y_hat - y'."""
    return softmax(z) - smoothed(y, label_smoothing)


def binary_cross_entropy(z: Array, y: Array) -> Array:
    """-sum_k [y_k log y_hat_k + (1 - y_k) log(1 - y_hat_k)], finite for any z."""
    return (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).sum(axis=1)


def huber(z: Array, y: Array, delta: float) -> Array:
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2); r = z - y."""
    error = z - y
    clipped = np.clip(error, -delta, delta)
    return (clipped * (error - clipped / 2)).sum(axis=1)


def huber_delta(z: Array, y: Array, delta: float) -> Array:
    """r within +-delta."""
    return np.clip(z - y, -delta, delta)


def quantile(z: Array, y: Array, level: float) -> Array:
    """max((1 - level) r, -level r); r = z - y."""
    error = z - y
    return np.maximum((1 - level) * error, -level * error).sum(axis=1)


def quantile_delta(z: Array, y: Array, level: float) -> Array:
    """1 - level above y, -level below; at the kink 0, which lies between the two."""
    error = z - y
    return np.where(error > 0, 1 - level, np.where(error < 0, -level, 0)).astype(error.dtype)


def brier(z: Array, y: Array) -> Array:
    """sum_k (y_hat_k - y_k)^2 / 2 of a logistic y_hat."""
    residual = logistic(z) - y
    return (residual * residual).sum(axis=1) / 2


def brier_delta(z: Array, y: Array) -> Array:
    """(y_hat - y) y_hat (1 - y_hat)."""
    y_hat = logistic(z)
    return (y_hat - y) * y_hat * (1 - y_hat)


def tanh_error(z: Array, y: Array) -> Array:
    """sum_k (y_hat_k - y_k)^2 / 2 of y_hat = tanh(z)."""
    residual: Array = np.tanh(z) - y
    return (residual * residual).sum(axis=1) / 2


def tanh_error_delta(z: Array, y: Array) -> Array:
    """(y_hat - y) (1 - y_hat^2)."""
    y_hat: Array = np.tanh(z)
    return (y_hat - y) * (1 - y_hat * y_hat)
