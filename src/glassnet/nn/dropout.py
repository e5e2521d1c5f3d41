"""Dropout, whose masks are a function of a seed and of counters.

Both engines compute the same masks by the same generator, Philox4x64-10: neither the engine nor the number
of threads nor the size of a block changes which units are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Philox, RandomState
from numpy.typing import DTypeLike

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.settings_checks import as_real


def as_dropout(value: object, n_hidden: int) -> tuple[float, ...]:
    """Each hidden layer's probability of dropping a unit, from one number for all layers or a list.

    Raises InputError for a probability outside of 0 <= p < 1 or a list of the wrong length, and
    InputTypeError for anything but numbers.

    >>> from glassnet.nn.dropout import as_dropout
    >>> as_dropout(0.5, 2), as_dropout([0, 0.25], 2)
    ((0.5, 0.5), (0.0, 0.25))
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Sequence):
        p = _as_probability(value, "dropout")
        if p and not n_hidden:
            raise InputError(f"dropout is {p}, but the network has no hidden layer with units to drop.")
        return (p,) * n_hidden
    if len(value) != n_hidden:
        raise InputError(
            f"dropout has {len(value)} probabilities, the network {n_hidden} hidden layer(s); expected one "
            f"probability for each layer, or one number for all of them."
        )
    return tuple(_as_probability(p, f"dropout[{layer}]") for layer, p in enumerate(value))


def _as_probability(value: object, name: str) -> float:
    p = as_real(value, name)
    if not 0 <= p < 1:
        raise InputError(
            f"{name} is {p}; expected the probability of dropping a unit, from 0 to below 1, such as 0.5. "
            f"0 drops no unit."
        )
    return p


@dataclass(frozen=True)
class Masks:
    """Which masks a training pass draws: the run's seed, and the number of the pass, from 1.

    Update t follows the gradient of pass t, on the full batch and on batches.
    """

    seed: int
    number: int

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("number", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise InputTypeError(f"{name} is a whole number, not {value!r}.")
            if not least <= value < 2**64:
                raise InputError(f"{name} is {value}; expected a whole number from {least} to 2**64 - 1.")

    def after(self, passes: int) -> Masks:
        """The masks of so many passes later."""
        return Masks(self.seed, self.number + passes)

    def draw(
        self, sizes: Sequence[int], dropout: Sequence[float], n_samples: int, dtype: DTypeLike
    ) -> list[Array | None]:
        """Each hidden layer's `mask`, or None where its p is 0, for `reference.compute_gradients`."""
        return [
            mask(self.seed, self.number, layer, sizes[layer], n_samples, p, dtype) if p else None
            for layer, p in enumerate(dropout, start=1)
        ]


def mask(
    seed: int, number: int, layer: int, n_units: int, n_samples: int, p: float, dtype: DTypeLike
) -> Array:
    """The factors of H, (n_samples, n_units): 0 with probability p, else 1 / (1 - p).

    `layer` counts hidden layers from 1, `number` counts passes from 1, and a row is a sample's place in its
    batch. Unit o of sample s takes the 32-bit word number ``o n_samples + s`` of the Philox stream with
    the key `seed` and the counter (1, layer, number, 0), and stays where the word is at least ``p 2^32``.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014), inverted,
    so that prediction needs no factor. The generator: Salmon et al., "Parallel random numbers: as easy as
    1, 2, 3" (2011). PyTorch's masks depend on the device and on all other draws from its stream;
    scikit-learn has no dropout.

    >>> from glassnet.nn.dropout import mask
    >>> mask(seed=0, number=1, layer=1, n_units=6, n_samples=2, p=0.5, dtype="float64").tolist()
    [[2.0, 0.0, 0.0, 2.0, 0.0, 0.0], [0.0, 2.0, 0.0, 2.0, 2.0, 0.0]]
    """
    count = n_units * n_samples
    # NumPy steps the counter before its first block, to (1, layer, number, 0).
    stream = Philox(key=seed, counter=np.array([0, layer, number, 0], np.uint64))
    raw = stream.random_raw(-(-count // 2))  # two words in each, the lower half first
    words = raw.astype("<u8", copy=False).view("<u4")[:count].reshape(n_units, n_samples)
    stays = np.ascontiguousarray((words >= p * 2.0**32).T)
    return np.multiply(stays, 1 / (1 - p), dtype=dtype)


def draw_seed(random: RandomState) -> int:
    """The seed of a run's masks: the next 32-bit word of the stream."""
    return int(random.randint(2**32, dtype=np.uint32))
