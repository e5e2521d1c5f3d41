"""Initial draws by name: each gives a layer's W and b."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import RandomState

from glassnet._types import Array

Layer = tuple[Array, Array]

Ranges = tuple[Array, Array]
"""The least and the largest value of each input."""

Draw = Callable[[Sequence[int], Sequence[str], int, RandomState], Layer]
"""A function of the widths, the names of the hidden activations, the layer's number and the stream."""


def _normal(sizes: Sequence[int], hidden: Sequence[str], layer: int, random: RandomState) -> Layer:
    """The notebook's: standard normal weights, then standard normal biases."""
    n_in, n_out = sizes[layer : layer + 2]
    return random.randn(n_in, n_out), random.randn(n_out)


def _glorot(sizes: Sequence[int], hidden: Sequence[str], layer: int, random: RandomState) -> Layer:
    """Uniform within sqrt(6 / (n_in + n_out)), biases 0 (Glorot and Bengio, 2010)."""
    n_in, n_out = sizes[layer : layer + 2]
    bound = np.sqrt(6 / (n_in + n_out))
    return random.uniform(-bound, bound, (n_in, n_out)), np.zeros(n_out)


def _he(sizes: Sequence[int], hidden: Sequence[str], layer: int, random: RandomState) -> Layer:
    """Normal with standard deviation sqrt(2 / n_in), biases 0 (He et al., 2015)."""
    n_in, n_out = sizes[layer : layer + 2]
    return random.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)


def _sklearn(sizes: Sequence[int], hidden: Sequence[str], layer: int, random: RandomState) -> Layer:
    """scikit-learn's: weights and biases uniform within sqrt(f / (n_in + n_out)), f 2 or 6.

    f is 2 where the layer's activation is logistic; the output layer has the f of the last hidden layer.
    """
    n_in, n_out = sizes[layer : layer + 2]
    factor = 2 if [*hidden[: layer + 1]][-1:] == ["logistic"] else 6
    bound = np.sqrt(factor / (n_in + n_out))
    return random.uniform(-bound, bound, (n_in, n_out)), random.uniform(-bound, bound, n_out)


class Bounds(NamedTuple):
    """A bounded function's values, and how much wider than tanh's its slope is."""

    low: float
    high: float
    slope: float


BOUNDED = {
    "tanh": Bounds(-1.0, 1.0, 1.0),
    "softsign": Bounds(-1.0, 1.0, 1.0),
    "logistic": Bounds(0.0, 1.0, 2.0),
}
"""The activations whose slopes `nguyen_widrow` shares out."""


def _nguyen_widrow(sizes: Sequence[int], hidden: Sequence[str], layer: int, random: RandomState) -> Layer:
    """Nguyen and Widrow's (1990), MATLAB's initnw: the slopes of the units share out the inputs' range.

    Each unit's weights point anywhere and have the length 0.7 n_out^(1 / n_in), twice that for logistic;
    biases lie evenly between minus and plus the length, with the sign of the unit's first weight. Inputs
    lie from -1 to 1, and a layer's between the bounds of the one before. Functions without bounds, and
    the output layer, have Glorot's draw; MATLAB draws these from -1 to 1, whatever the width.
    """
    n_in, n_out = sizes[layer : layer + 2]
    if layer == len(hidden) or hidden[layer] not in BOUNDED:
        return _glorot(sizes, hidden, layer, random)
    W, b = shared_out(random.uniform(-1, 1, (n_in, n_out)), hidden[layer])
    before = BOUNDED.get(hidden[layer - 1]) if layer else None
    if before is not None:
        return fit_to_ranges(W, b, (np.full(n_in, before.low), np.full(n_in, before.high)))
    return W, b


def shared_out(W: Array, activation: str) -> Layer:
    """Weights of these directions, and biases, whose slopes share out inputs from -1 to 1."""
    n_in, n_out = W.shape
    length = 0.7 * n_out ** (1 / n_in) * BOUNDED[activation].slope
    norms = np.sqrt((W * W).sum(axis=0))
    W = W * (length / np.where(norms > 0, norms, 1.0))
    places = np.linspace(-length, length, n_out) if n_out > 1 else np.zeros(1)
    return W, places * np.where(W[0] < 0, -1.0, 1.0)


def fit_to_ranges(W: Array, b: Array, ranges: Ranges) -> Layer:
    """The layer that does to inputs between the bounds what this one does to inputs from -1 to 1.

    >>> W, b = fit_to_ranges(np.array([[3.0]]), np.array([1.0]), (np.array([0.0]), np.array([2.0])))
    >>> W.tolist(), b.tolist()
    ([[3.0]], [-2.0])
    """
    low, high = (np.asarray(bound, np.float64) for bound in ranges)
    half, middle = high / 2 - low / 2, low / 2 + high / 2
    W = W / np.where(half > 0, half, 1.0)[:, None]
    return W, b - middle @ W


SCHEMES: dict[str, Draw] = {
    "normal": _normal,
    "glorot": _glorot,
    "he": _he,
    "sklearn": _sklearn,
    "nguyen_widrow": _nguyen_widrow,
}
"""Every scheme of initial draws by name."""
