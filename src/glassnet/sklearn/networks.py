"""An estimator's network: its layers, its first parameters, and `coefs_` as one flat vector."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.nn.activations import Activation
from glassnet.nn.network import Network, Parameters


def hidden_sizes(value: Any) -> list[int]:
    """`hidden_layer_sizes` as a list of widths; raises TypeError for one that is no whole number."""
    sizes = list(value) if hasattr(value, "__iter__") else [value]
    if any(np.asarray(sizes) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [operator.index(size) for size in sizes]


def hidden_functions(activation: Any, n_hidden: int) -> Sequence[str | Activation]:
    """`activation` for each hidden layer, from one for all or a list of them."""
    if isinstance(activation, (str, Activation)):
        return [activation] * n_hidden
    if len(activation) != n_hidden:
        raise InputError(
            f"activation has {len(activation)} entries, hidden_layer_sizes {n_hidden}: give one for each "
            f"hidden layer, or one name for all."
        )
    return list(activation)


def draw_parameters(network: Network, activation: Any, random: RandomState, dtype: Any) -> Parameters:
    """Weights and biases uniform within sqrt(f / (n_in + n_out)), f 2 below a logistic layer, else 6.

    scikit-learn's numbers from the same stream. Without a hidden layer it goes by the activation all
    the same.
    """
    if len(network.sizes) > 2 or activation != "logistic":
        return network.initialize(random, "sklearn", dtype)
    bound = np.sqrt(2 / sum(network.sizes))
    parts = [random.uniform(-bound, bound, size) for size in (np.prod(network.sizes), network.sizes[1])]
    return Parameters(network.sizes, np.concatenate(parts).astype(dtype))


def sizes_of(coefs: Sequence[Array]) -> tuple[int, ...]:
    """The widths from input to output that weights have."""
    return (np.shape(coefs[0])[0], *(np.shape(W)[1] for W in coefs))


def pack(coefs: Sequence[Array], intercepts: Sequence[Array]) -> Parameters:
    """Weights and biases, however they were set, as one flat vector of a copy's own."""
    sizes = sizes_of(coefs)
    shapes = [(n_in, n_out) for n_in, n_out in pairwise(sizes)]
    found = [np.shape(W) for W in coefs]
    if found != shapes or [np.shape(b) for b in intercepts] != [(n_out,) for _, n_out in shapes]:
        raise InputError(
            f"coefs_ have shapes {found}, intercepts_ {[np.shape(b) for b in intercepts]}; expected layers "
            f"that follow one another, and one intercept for each unit."
        )
    pairs = zip(coefs, intercepts, strict=True)
    flat = np.concatenate([np.asarray(part).ravel() for pair in pairs for part in pair])
    return Parameters(sizes, flat if flat.dtype == np.float32 else flat.astype(np.float64, copy=False))
