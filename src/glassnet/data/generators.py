"""Generated samples to learn on, drawn from a given random stream."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.utils.settings_checks import as_random_state

Samples = tuple[NDArray[np.float64], NDArray[np.int64]]


def _circles(
    random_state: RandomState, n_samples: int = 50_000, factor: float = 0.1, noise: float = 0.1
) -> Samples:
    """Two rings around the origin, of radius 1 (class 0) and `factor` (class 1), with normal noise."""
    from sklearn.datasets import make_circles

    return make_circles(n_samples, shuffle=True, factor=factor, noise=noise, random_state=random_state)


def _moons(random_state: RandomState, n_samples: int = 1_000, noise: float = 0.1) -> Samples:
    """Two half circles that reach into each other, with normal noise."""
    from sklearn.datasets import make_moons

    return make_moons(n_samples, shuffle=True, noise=noise, random_state=random_state)


def _blobs(
    random_state: RandomState,
    n_samples: int = 1_000,
    centers: int = 3,
    n_features: int = 2,
    spread: float = 1.0,
) -> Samples:
    """Round normal clouds of standard deviation `spread`, one for each class."""
    from sklearn.datasets import make_blobs

    X, y = make_blobs(n_samples, n_features, centers=centers, cluster_std=spread, random_state=random_state)
    return X, y


def _xor(random_state: RandomState, n_samples: int = 1_000, noise: float = 0.25) -> Samples:
    """Normal clouds of deviation `noise` at (1, 1) and (-1, -1), class 0, at (1, -1) and (-1, 1), class 1.

    No line parts the classes (Minsky and Papert, Perceptrons, 1969).
    """
    signs = 2 * random_state.randint(2, size=(n_samples, 2)) - 1
    X = signs + random_state.normal(0, noise, (n_samples, 2))
    return X, (signs[:, 0] != signs[:, 1]).astype(np.int64)


def _spirals(
    random_state: RandomState, n_samples: int = 2_000, turns: float = 1.5, noise: float = 0.02
) -> Samples:
    """Two spirals of so many turns in the unit circle, one half a turn ahead, with normal noise.

    The radius grows with the angle, as with Lang and Witbrock, Learning to tell two spirals apart, 1988.
    """
    y = random_state.permutation(n_samples) % 2
    radius = np.sqrt(random_state.uniform(0.01, 1, n_samples))  # about as dense everywhere
    angle = 2 * np.pi * turns * radius + np.pi * y
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + random_state.normal(0, noise, (n_samples, 2)), y


GENERATORS: dict[str, Callable[..., Samples]] = {
    "circles": _circles,
    "moons": _moons,
    "blobs": _blobs,
    "xor": _xor,
    "spirals": _spirals,
}
"""Every kind of generated data: (random_state, settings) -> X, y, drawn from the stream that is passed."""


def generate(name: str, random_state: int | RandomState | None = None, **settings: Any) -> Samples:
    """X (n_samples, features) and class numbers y (n_samples,) of a generator in `GENERATORS`.

    circles, moons and blobs are scikit-learn's samples for the same seed. A RandomState is advanced by the
    draws, so that later draws follow in the same stream, as in the notebook.

    Raises InputError for an unknown generator or setting, or a setting outside its range.

    >>> from glassnet.data.generators import generate
    >>> X, y = generate("circles", random_state=42, n_samples=100, factor=0.1, noise=0.1)
    >>> X.shape, y[:5].tolist()
    ((100, 2), [1, 1, 1, 0, 0])
    """
    if name not in GENERATORS:
        raise unknown_name("generator", name, GENERATORS)
    known = list(inspect.signature(GENERATORS[name]).parameters)[1:]
    for setting in settings:
        if setting not in known:
            raise unknown_name(f"setting of the generator {name!r}:", setting, known)
    try:
        return GENERATORS[name](as_random_state(random_state), **settings)
    except (InputError, InputTypeError):
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"The generator {name!r} cannot use its settings: {error}") from error
