"""The second derivative of a loss with respect to the output layer's Z, as a sum of products f f^T.

Each function returns (K, n, outputs): for each sample the rows f_1 ... f_K, with sum_k f_k f_k^T the second
derivative of its loss. No formula subtracts, so that small entries stay exact.
"""

import numpy as np

from glassnet._types import Array
from glassnet.nn.loss_values import softmax


def multinomial(z: Array) -> Array:
    """diag(p) - p p^T of the cross-entropy over the softmax p of z (n, C), from C - 1 rows.

    With q_k = p_(k+1) + ... + p_C, f_k is sqrt(p_k q_k / (p_k + q_k)) times 1 at k and -p_j / q_k at
    each j > k: the Cholesky factor of a multinomial's covariance (Tanabe and Sagae, 1992).

    >>> import numpy as np
    >>> f = multinomial(np.log([[0.5, 0.25, 0.25]]))[:, 0]
    >>> (f.T @ f).round(6).tolist()
    [[0.25, -0.125, -0.125], [-0.125, 0.1875, -0.0625], [-0.125, -0.0625, 0.1875]]
    """
    p = softmax(z)
    rest = np.cumsum(p[:, :0:-1], axis=1)[:, ::-1]  # q_1 ... q_(C-1)
    factors = np.zeros((p.shape[1] - 1, *p.shape), p.dtype)
    for k, f in enumerate(factors):
        q = np.maximum(rest[:, k], np.finfo(p.dtype).tiny)
        f[:, k] = 1
        f[:, k + 1 :] = -p[:, k + 1 :] / q[:, None]
        f *= np.sqrt(p[:, k] * (q / (p[:, k] + q)))[:, None]
    return factors


def bernoulli(z: Array) -> Array:
    """p (1 - p) of binary cross-entropy, for each output: the root is t / (1 + t^2) with t = e^(-|z|/2)."""
    t = np.exp(-np.abs(z) / 2)
    return _diagonal(t / (1 + t * t))


def rates(z: Array) -> Array:
    """e^z of the Poisson loss, for each output."""
    with np.errstate(over="ignore"):
        return _diagonal(np.exp(z / 2))


def ones(z: Array) -> Array:
    """1 of the squared error, for each output."""
    return _diagonal(np.ones_like(z))


def _diagonal(roots: Array) -> Array:
    """f_k with the k-th root at k and 0 elsewhere, for a loss that is a sum over the outputs."""
    return roots.T[:, :, None] * np.eye(roots.shape[1], dtype=roots.dtype)[:, None, :]
