"""The Gauss-Newton matrix of a problem, and its products with vectors, by either engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.engine.numpy_ops import Samples
from glassnet.errors import EngineError
from glassnet.nn import reference_curvature
from glassnet.nn.network import Network, Parameters


def diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A contiguous square matrix's diagonal, as a view that can be written to."""
    return matrix.reshape(-1)[:: len(matrix) + 1]


def numpy_curvature(
    network: Network, samples: Samples, flat: Array, vector: Array | None
) -> NDArray[np.float64]:
    """The summed Gauss-Newton matrix, or its product with a vector, by `reference_curvature`."""
    (X, _, w), theta = samples, Parameters(network.sizes, flat)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if vector is None:
            return reference_curvature.gauss_newton(network, theta, X, w)
        v = Parameters(network.sizes, vector)
        return reference_curvature.gauss_newton_product(network, theta, X, v, w).astype(np.float64)


def native_curvature(problem: Any, threads: int, flat: Array, vector: Array | None) -> NDArray[np.float64]:
    """The same by the native engine."""
    sums = np.empty((problem.curvature_parameters,) * (1 if vector is not None else 2))
    if vector is not None:
        problem.gauss_newton_product(flat, vector, sums, threads)
    else:
        problem.gauss_newton(flat, sums, threads)
        assert native.module is not None
        native.module.mirror(sums)
    return of_network(sums, flat.size)


def of_network(sums: NDArray[np.float64], n_parameters: int) -> NDArray[np.float64]:
    """A matrix or a vector over the engine's parameters as one over the network's.

    They differ where there are two classes: the engine's one output is the second one's Z less the
    first one's.
    """
    n = len(sums)
    if n == n_parameters:
        return sums
    units = n_parameters - n
    place, sign = np.arange(n_parameters), np.ones(n_parameters)
    place[-2 * units :] = np.repeat(np.arange(n - units, n), 2)
    sign[-2 * units :: 2] = -1
    if sums.ndim == 1:
        return sums[place] * sign
    return sign[:, None] * sums[np.ix_(place, place)] * sign


def numpy_hessian(
    network: Network, samples: Samples, flat: Array, vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The summed Hessian times each row, by `reference_curvature`."""
    (X, Y, w), theta = samples, Parameters(network.sizes, flat)
    products = np.empty_like(vectors)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for product, vector in zip(products, vectors, strict=True):
            v = Parameters(network.sizes, vector)
            product[:] = reference_curvature.hessian_product(network, theta, X, Y, v, w)
    return products


DISTANCES = (3e-4, 3e-5)
"""How far the gradients of a difference lie from the point, along a vector of length 1, first to last."""

SETTLED = 1e-6
"""How much the differences of two distances may differ, relative to the largest entry: the error of the two
combined is about the square of it."""


def differenced_hessian(
    gradients: Callable[[NDArray[Any]], NDArray[Any]], flat: Array, vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The Hessian times each row, by central differences at h and 2 h, and Richardson's step to h = 0.

    `gradients` gives that at each row. The differences of a smooth function at h and 2 h are alike but for
    h^2; those across a jump of the gradient are not, which is an EngineError.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    lengths[lengths == 0] = 1.0
    for h in DISTANCES:
        steps = h * vectors / lengths[:, None]
        points = [flat + times * steps for times in (1, -1, 2, -2)]
        one, other, third, fourth = np.split(gradients(np.concatenate(points)), 4)
        scale = (lengths / h)[:, None]
        near, far = (one - other) * (scale / 2), (third - fourth) * (scale / 4)
        if np.abs(near - far).max() <= SETTLED * np.abs(near).max():
            return (4 * near - far) / 3
    raise EngineError(
        "The gradient jumps or bends too sharply near these parameters for differences to show the "
        'Hessian: use engine="numpy", which needs no differences.'
    )
