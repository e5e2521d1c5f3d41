"""Data to learn on by name: generated samples and small tables, drawn from a given stream."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.utils.settings_checks import as_random_state

Samples = tuple[NDArray[np.float64], NDArray[Any]]


class Span(NamedTuple):
    """The values of a setting that are worth trying, as a slider offers them; others are allowed."""

    low: float
    high: float


class Setting(NamedTuple):
    """A setting of a generator: its default, and the values worth trying."""

    default: float
    low: float
    high: float

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole numbers only."""
        return isinstance(self.default, int)


Size = Annotated[int, Span(20, 5_000)]
Noise = Annotated[float, Span(0.0, 0.5)]

_MOST_BITS = 16


def _circles(
    random_state: RandomState,
    n_samples: Annotated[int, Span(20, 50_000)] = 50_000,
    factor: Annotated[float, Span(0.05, 0.95)] = 0.1,
    noise: Noise = 0.1,
) -> Samples:
    """Two rings around the origin, of radius 1 (class 0) and `factor` (class 1), with normal noise."""
    from sklearn.datasets import make_circles

    return make_circles(n_samples, shuffle=True, factor=factor, noise=noise, random_state=random_state)


def _moons(random_state: RandomState, n_samples: Size = 1_000, noise: Noise = 0.1) -> Samples:
    """Two half circles that reach into each other, with normal noise."""
    from sklearn.datasets import make_moons

    return make_moons(n_samples, shuffle=True, noise=noise, random_state=random_state)


def _blobs(
    random_state: RandomState,
    n_samples: Size = 1_000,
    centers: Annotated[int, Span(2, 10)] = 3,
    n_features: Annotated[int, Span(1, 10)] = 2,
    spread: Annotated[float, Span(0.1, 5.0)] = 1.0,
) -> Samples:
    """Round normal clouds of standard deviation `spread`, one for each class."""
    from sklearn.datasets import make_blobs

    X, y = make_blobs(n_samples, n_features, centers=centers, cluster_std=spread, random_state=random_state)
    return X, y


def _xor(
    random_state: RandomState, n_samples: Size = 1_000, noise: Annotated[float, Span(0.0, 1.0)] = 0.25
) -> Samples:
    """Normal clouds of deviation `noise` at (1, 1) and (-1, -1), class 0, at (1, -1) and (-1, 1), class 1.

    No line parts the classes (Minsky and Papert, Perceptrons, 1969).
    """
    signs = 2 * random_state.randint(2, size=(n_samples, 2)) - 1
    X = signs + random_state.normal(0, noise, (n_samples, 2))
    return X, (signs[:, 0] != signs[:, 1]).astype(np.int64)


def _spirals(
    random_state: RandomState,
    n_samples: Size = 2_000,
    turns: Annotated[float, Span(0.25, 3.0)] = 1.5,
    noise: Annotated[float, Span(0.0, 0.1)] = 0.02,
) -> Samples:
    """Two spirals of so many turns in the unit circle, one half a turn ahead, with normal noise.

    The radius grows with the angle, as with Lang and Witbrock, Learning to tell two spirals apart, 1988.
    """
    y = random_state.permutation(n_samples) % 2
    radius = np.sqrt(random_state.uniform(0.01, 1, n_samples))  # about as dense everywhere
    angle = 2 * np.pi * turns * radius + np.pi * y
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + random_state.normal(0, noise, (n_samples, 2)), y


def _checkerboard(
    random_state: RandomState,
    n_samples: Size = 2_000,
    squares: Annotated[int, Span(2, 8)] = 4,
    noise: Annotated[float, Span(0.0, 0.2)] = 0.02,
) -> Samples:
    """Points spread evenly over a board of `squares` by `squares` from -1 to 1, white 0 and black 1.

    Normal noise then moves them, some of them onto a neighbor of the other color.
    """
    if squares < 1:
        raise ValueError(f"squares is {squares}; expected 1 or more")
    X = random_state.uniform(-1, 1, (n_samples, 2))
    y = np.floor((X + 1) * squares / 2).astype(np.int64).sum(axis=1) % 2
    return X + random_state.normal(0, noise, (n_samples, 2)), y


def _parity(
    random_state: RandomState,
    n_samples: Size = 1_000,
    bits: Annotated[int, Span(2, 8)] = 4,
    noise: Noise = 0.1,
) -> Samples:
    """Every pattern of -1 and 1, equally often, with normal noise; class 1 has an odd number of ones.

    One bit more or less changes the class, so that no part of the inputs says anything by itself
    (Rumelhart, Hinton and Williams, Learning internal representations by error propagation, 1986).
    """
    if not 1 <= bits <= _MOST_BITS:
        raise ValueError(f"bits is {bits}; expected from 1 to {_MOST_BITS}")
    patterns = random_state.permutation(n_samples) % 2**bits
    ones = patterns[:, None] >> np.arange(bits) & 1
    return 2 * ones - 1 + random_state.normal(0, noise, (n_samples, bits)), ones.sum(axis=1) % 2


def _sine(
    random_state: RandomState,
    n_samples: Size = 200,
    periods: Annotated[float, Span(0.5, 5.0)] = 2.0,
    noise: Noise = 0.1,
) -> Samples:
    """y = sin(pi periods x), so many periods for x spread evenly from -1 to 1, with normal noise on y."""
    x = random_state.uniform(-1, 1, n_samples)
    return x[:, None], np.sin(np.pi * periods * x) + random_state.normal(0, noise, n_samples)


def _iris(
    random_state: RandomState,
    n_samples: Annotated[int, Span(20, 150)] = 150,
    noise: Annotated[float, Span(0.0, 1.0)] = 0.0,
) -> Samples:
    """Four lengths in cm of 150 flowers of three species, in random order, with normal noise where asked.

    Fisher, The use of multiple measurements in taxonomic problems, 1936; scikit-learn's copy.
    """
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    return _rows_of(X, y, random_state, n_samples, noise)


def _digits(
    random_state: RandomState,
    n_samples: Annotated[int, Span(100, 1_797)] = 1_797,
    noise: Noise = 0.0,
) -> Samples:
    """1,797 handwritten digits of 8 by 8 pixels, 0 to 1, in random order, with normal noise where asked.

    Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI, 1998; scikit-learn's copy.
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _rows_of(X / 16, y, random_state, n_samples, noise)


def _rows_of(
    X: NDArray[np.float64], y: NDArray[Any], random_state: RandomState, n_samples: int, noise: float
) -> Samples:
    """So many rows of a table, drawn at random, each at most once."""
    if not 1 <= n_samples <= len(X):
        raise ValueError(f"n_samples is {n_samples}; the table has {len(X):,} rows")
    rows = random_state.permutation(len(X))[:n_samples]
    return X[rows] + random_state.normal(0, noise, (n_samples, X.shape[1])), y[rows].astype(np.int64)


@dataclass(frozen=True)
class Generator:
    """A kind of data: (random_state, settings) -> X, y, drawn from the stream that is passed.

    `inputs` and `outputs` are the number of X's columns, and of classes or quantities, or the setting that
    says it. `features` and `classes` name them where they have names. What is `measured` has units of its
    own, and is standardized before a network learns it.
    """

    draw: Callable[..., Samples]
    inputs: int | str = 2
    outputs: int | str = 2
    task: str = "classification"
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    measured: bool = False

    def __call__(self, random_state: RandomState, **settings: Any) -> Samples:
        return self.draw(random_state, **settings)

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """The settings by name."""
        hints = typing.get_type_hints(self.draw, include_extras=True)
        parameters = list(inspect.signature(self.draw).parameters.values())[1:]
        return {one.name: Setting(one.default, *hints[one.name].__metadata__[0]) for one in parameters}

    def width(self, settings: Mapping[str, Any]) -> tuple[int, int]:
        """The number of inputs, and of classes or quantities, with these settings or the defaults."""
        defaults = {name: setting.default for name, setting in self.settings.items()}
        known = {**defaults, **settings}
        inputs, outputs = (
            int(known[of]) if isinstance(of, str) else of for of in (self.inputs, self.outputs)
        )
        return inputs, outputs


GENERATORS: dict[str, Generator] = {
    "circles": Generator(_circles),
    "moons": Generator(_moons),
    "blobs": Generator(_blobs, inputs="n_features", outputs="centers"),
    "xor": Generator(_xor),
    "spirals": Generator(_spirals),
    "checkerboard": Generator(_checkerboard),
    "parity": Generator(_parity, inputs="bits"),
    "sine": Generator(_sine, inputs=1, outputs=1, task="regression", features=("x",)),
    "iris": Generator(
        _iris,
        inputs=4,
        outputs=3,
        features=("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        classes=("setosa", "versicolor", "virginica"),
        measured=True,
    ),
    "digits": Generator(
        _digits,
        inputs=64,
        outputs=10,
        features=tuple(f"row {row} column {column}" for row in range(1, 9) for column in range(1, 9)),
        classes=tuple("0123456789"),
    ),
}
"""Every kind of data by name."""


def generate(name: str, random_state: int | RandomState | None = None, **settings: Any) -> Samples:
    """X (n_samples, features) and y (n_samples,), class numbers or a quantity, of a name in `GENERATORS`.

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
    known = list(GENERATORS[name].settings)
    for setting in settings:
        if setting not in known:
            raise unknown_name(f"setting of the generator {name!r}:", setting, known)
    try:
        return GENERATORS[name](as_random_state(random_state), **settings)
    except (InputError, InputTypeError):
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"The generator {name!r} cannot use its settings: {error}") from error
