"""Penalties on the weights, bounds for the gradient and for the weights, and layers that stay.

A mask over the flat parameters is True for weights: biases are never penalized.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.settings_checks import as_bound, as_count, as_not_negative

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Penalties:
    """Penalties and a bound on the weights; they never act on biases.

    l1 and l2 add ``l2/2 sum W^2 + l1 sum |W|`` to the reduced loss. After each update, max_norm scales the
    incoming weights of every unit down to that length where they are longer; None leaves them.

    Raises InputError for a number below 0 or that is not finite, and for a max_norm of 0.

    >>> import glassnet as gn
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], l2=0.01, max_norm=2, iterations=1)
    >>> run.penalties
    Penalties(l1=0.0, l2=0.01, max_norm=2.0)

    scikit-learn's alpha is l2 times the number of samples, by which it divides; PyTorch's weight_decay is
    an l2 that acts on biases too.
    """

    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None

    def __post_init__(self) -> None:
        for name, check in (("l1", as_not_negative), ("l2", as_not_negative), ("max_norm", as_bound)):
            object.__setattr__(self, name, check(getattr(self, name), name))


NO_PENALTIES = Penalties()


@lru_cache(maxsize=16)
def weight_mask(sizes: tuple[int, ...]) -> Mask:
    """True for each weight of the flat parameters W1, b1, W2, b2, ..., False for each bias.

    >>> from glassnet.optim.penalties import weight_mask
    >>> weight_mask((2, 1)).tolist()
    [True, True, False]
    """
    layers = [np.repeat([True, False], [n_in * n_out, n_out]) for n_in, n_out in pairwise(sizes)]
    mask = np.concatenate(layers)
    mask.flags.writeable = False  # all callers share it
    return mask


def as_layers(value: object, name: str) -> tuple[int, ...]:
    """Layers by their numbers, from 1, in order and each once; errors for anything else.

    >>> from glassnet.optim.penalties import as_layers
    >>> as_layers([2, 1], "freeze")
    (1, 2)
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InputTypeError(f"{name} is a list of layers by their numbers, such as [1], not {value!r}.")
    layers = [as_count(layer, f"{name}[{place}]", -sys.maxsize) for place, layer in enumerate(value)]
    if wrong := [layer for layer in layers if layer < 1]:
        raise InputError(
            f"{name} has {wrong[0]}; layers count from 1, the one after the inputs, to the number of "
            f"layers, len(network.sizes) - 1, which is the output layer."
        )
    return tuple(sorted({*layers}))


@lru_cache(maxsize=16)
def frozen_mask(sizes: tuple[int, ...], layers: tuple[int, ...]) -> Mask:
    """True for each weight and bias of these layers, which training leaves as they are.

    Raises InputError for a layer that the network lacks, and where no other layer is left to train.

    >>> from glassnet.optim.penalties import frozen_mask
    >>> frozen_mask((2, 1, 1), (1,)).tolist()
    [True, True, True, False, False]
    """
    numbers = range(1, len(sizes))
    if not {*layers} < {*numbers}:
        raise InputError(
            f"freeze is {list(layers)}; the network {sizes} has the layers 1 to {len(numbers)}, and at "
            f"least one of them must be left to train."
        )
    counts = [(n_in + 1) * n_out for n_in, n_out in pairwise(sizes)]
    mask = np.repeat([number in layers for number in numbers], counts)
    mask.flags.writeable = False  # all callers share it
    return mask


def penalty(theta: Array, is_weight: Mask, l1: float, l2: float) -> tuple[float, Array]:
    """l2/2 sum W^2 + l1 sum |W| over the weights, and its gradient l2 W + l1 sign(W).

    sign(0) is 0.

    >>> import numpy as np
    >>> from glassnet.optim.penalties import penalty
    >>> penalty(np.array([3.0, -1.0, 5.0]), np.array([True, True, False]), l1=0.5, l2=1.0)
    (7.0, array([ 3.5, -1.5,  0. ]))
    """
    W = np.where(is_weight, theta, 0).astype(np.float64, copy=False)
    value = 0.5 * l2 * float(W @ W)
    if l1 == 0.0:  # with many parameters the terms of l1 take longer than all the rest
        return value, is_weight * (l2 * theta)
    return value + l1 * float(np.abs(W).sum()), is_weight * (l2 * theta + l1 * np.sign(theta))


def clip(gradient: Array, clip_value: float | None, clip_norm: float | None) -> Array:
    """The gradient with each entry within +-clip_value, then scaled to a length of at most clip_norm.

    The factor min(1, clip_norm / length) leaves the direction; None leaves the gradient. Pascanu, Mikolov
    and Bengio (2013). PyTorch's clip_grad_norm_ adds 1e-6 to the length, which shortens a gradient that is
    just within the bound.

    >>> import numpy as np
    >>> from glassnet.optim.penalties import clip
    >>> clip(np.array([3.0, -40.0]), clip_value=4.0, clip_norm=1.0).tolist()
    [0.6000000000000001, -0.8]
    """
    if clip_value is not None:
        gradient = np.clip(gradient, -clip_value, clip_value)
    if clip_norm is not None:
        length = float(np.sqrt(np.sum(np.square(gradient, dtype=np.float64))))
        scale = clip_norm / length if length > clip_norm else 1.0
        gradient = gradient * gradient.dtype.type(scale)
    return gradient


def constrain(theta: Array, sizes: Sequence[int], max_norm: float) -> Array:
    """The incoming weights of every unit, a column of its W, scaled down to a length of max_norm if longer.

    Srebro and Shraibman (2005); with dropout, Srivastava et al. (2014). Keras's MaxNorm adds 1e-7 to
    the length.

    >>> import numpy as np
    >>> from glassnet.optim.penalties import constrain
    >>> constrain(np.array([3.0, 0.1, 4.0, 0.1, 9.0, 9.0]), (2, 2), max_norm=1.0).round(6).tolist()
    [0.6, 0.1, 0.8, 0.1, 9.0, 9.0]
    """
    theta, start = theta.copy(), 0
    for n_in, n_out in pairwise(sizes):
        W = theta[start : start + n_in * n_out].reshape(n_in, n_out)
        lengths = np.sqrt(np.sum(np.square(W, dtype=np.float64), axis=0))
        scale = max_norm / np.maximum(lengths, max_norm)
        W *= scale.astype(theta.dtype)
        start += (n_in + 1) * n_out
    return theta


def decay(theta: Array, amount: float, is_weight: Mask) -> Array:
    """The weights times (1 - amount); biases stay.

    Loshchilov and Hutter's decoupled weight decay (2019): it is not part of the loss or its gradient.
    """
    return theta * np.where(is_weight, theta.dtype.type(1.0 - amount), theta.dtype.type(1))
