"""An estimator's network: its layers, its first parameters, and `coefs_` as one vector."""

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
from glassnet.nn.losses import OUTPUTS
from glassnet.nn.network import Network, Parameters

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


def operations(network: Network, n_samples: int) -> float:
    """Roughly how many operations a pass forward and back over the samples takes."""
    units = sum(network.sizes[1:])
    return n_samples * (6.0 * network.n_parameters + 60.0 * units)


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

    scikit-learn's numbers from the same stream; it takes f from `activation` also where no layer is hidden.
    """
    if len(network.sizes) > 2 or activation != "logistic":
        return network.initialize(random, "sklearn", dtype)
    bound = np.sqrt(2 / sum(network.sizes))
    draws = [random.uniform(-bound, bound, size) for size in (np.prod(network.sizes), network.sizes[1])]
    return Parameters(network.sizes, np.concatenate(draws).astype(dtype))


def pack(coefs: Sequence[Array], intercepts: Sequence[Array]) -> Parameters:
    """Weights and biases, which may be set by hand, copied into one flat vector."""
    if not len(coefs):
        raise InputError("coefs is empty; expected the weights of at least one layer.")
    sizes = (np.shape(coefs[0])[0], *(np.shape(W)[1] for W in coefs))
    shapes = [np.shape(W) for W in coefs]
    if shapes != [*pairwise(sizes)] or [np.shape(b) for b in intercepts] != [(n,) for n in sizes[1:]]:
        raise InputError(
            f"coefs_ have shapes {shapes}, intercepts_ {[np.shape(b) for b in intercepts]}; expected "
            f"layers that follow one another, and one intercept for each unit."
        )
    layers = zip(coefs, intercepts, strict=True)
    flat = np.concatenate([np.asarray(array).ravel() for layer in layers for array in layer])
    return Parameters(sizes, flat if flat.dtype == np.float32 else flat.astype(np.float64, copy=False))


def with_output(network: Network, output: str) -> Network:
    """A network that predicts by another output; InputError for an `out_activation_` that is none here."""
    if output not in OUTPUTS:
        raise InputError(
            f"out_activation_ is {output!r}; the output layer has one of {', '.join(OUTPUTS)} here."
        )
    return Network(network.sizes, network.hidden, output)
