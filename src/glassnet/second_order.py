"""Floor 4: the Gauss-Newton matrix of a problem, and its products with vectors, by either engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import curvature, penalties
from glassnet.activations import Array
from glassnet.data import check_factor
from glassnet.network import Network, Parameters
from glassnet.penalties import Penalties


class SecondOrder(ABC):
    """What a `Problem` knows of its loss's curvature."""

    network: Network
    divisor: float
    penalties: Penalties

    @abstractmethod
    def _as_flat(self, flat: object) -> Array:
        """Flat parameters as the engines take them."""

    def gauss_newton(self, flat: Array) -> NDArray[np.float64]:
        """The Gauss-Newton matrix G at flat parameters, (n_parameters, n_parameters), of the reduced loss.

        The samples' J^T H J (see `glassnet.curvature`), and l2 on the diagonal for each weight; l1 has no
        part. What it takes of memory is G, whatever the samples. InputError for a loss without ``factor``.
        """
        check_factor(self.network)
        G = self._curvature(self._as_flat(flat), None) / self.divisor
        return G + np.diag(self.penalties.l2 * penalties.weight_mask(self.network.sizes))

    def gauss_newton_product(self, flat: Array, vector: Array) -> NDArray[np.float64]:
        """G vector, (n_parameters,), without G: about two gradients' work."""
        check_factor(self.network)
        flat, vector = self._as_flat(flat), self._as_flat(vector)
        product = self._curvature(flat, vector) / self.divisor
        return product + self.penalties.l2 * penalties.weight_mask(self.network.sizes) * vector

    @abstractmethod
    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        """The samples' part of `gauss_newton`, summed, or of its product with a vector."""


def numpy_curvature(
    network: Network, X: Array, w: Array | None, flat: Array, vector: Array | None
) -> NDArray[np.float64]:
    """The summed Gauss-Newton matrix, or its product with a vector, by `curvature.py`."""
    theta = Parameters(network.sizes, flat)
    model = X, theta.weights, theta.biases, network.hidden, network.loss
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if vector is None:
            return curvature.gauss_newton(*model, w)
        v = Parameters(network.sizes, vector)
        product = curvature.gauss_newton_product(*model, (v.weights, v.biases), w)
        return product.astype(np.float64)


def native_curvature(problem: Any, threads: int, flat: Array, vector: Array | None) -> NDArray[np.float64]:
    """The same by the native engine."""
    if vector is not None:
        product = np.empty(flat.size)
        problem.gauss_newton_product(flat, vector, product, threads)
        return product
    n = problem.curvature_parameters
    G = np.empty((n, n))
    problem.gauss_newton(flat, G, threads)
    above = np.triu_indices(n, 1)
    G[above] = G.T[above]
    if n == flat.size:
        return G
    # A pair of classes: the engine's one output is the second one's Z less the first one's.
    units = flat.size - n
    place, sign = np.arange(flat.size), np.ones(flat.size)
    place[-2 * units :] = np.repeat(np.arange(n - units, n), 2)
    sign[-2 * units :: 2] = -1
    return sign[:, None] * G[np.ix_(place, place)] * sign
