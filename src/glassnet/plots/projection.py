"""The projection from many coordinates to the one, two or three of a picture, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.holdout import listed
from glassnet.errors import InputError, InputTypeError, unknown_name

Axes = str | int | Sequence[str | int] | None
"""The coordinates in a picture: names, indices from 0, "principal", or None for the default."""

PRINCIPAL = "principal"

_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def numbered(letter: str, count: int) -> tuple[str, ...]:
    """x₁, x₂, ...: default names of coordinates."""
    return tuple(f"{letter}{str(i).translate(_DIGITS)}" for i in range(1, count + 1))


@dataclass(frozen=True)
class Projection:
    """An origin and k orthonormal directions from it, in d coordinates.

    ``project`` takes (n, d) to (n, k) and ``lift`` takes (m, k) back to (m, d), into the line, plane
    or space through the origin. `note` says how the picture treats the other coordinates.
    """

    origin: Array
    directions: Array
    labels: tuple[str, ...]
    note: str

    @property
    def dimensions(self) -> int:
        """k."""
        return len(self.labels)

    @property
    def slice_note(self) -> str:
        """A note about samples on a slice plane; "" where the picture shows every coordinate."""
        if self.whole or self.dimensions != 2:
            return ""
        return (
            "samples are projected on the slice; a ring means that the sample itself is misclassified, "
            "on whichever side of the line it appears"
        )

    @property
    def whole(self) -> bool:
        """Whether the picture shows every coordinate."""
        return self.dimensions == len(self.origin)

    def project(self, X: NDArray[Any]) -> Array:
        """(n, d) to (n, k)."""
        return (X - self.origin) @ self.directions.T

    def lift(self, U: Array) -> Array:
        """(m, k) to (m, d)."""
        return self.origin + U @ self.directions


def as_names(names: object, count: int, what: str, defaults: Sequence[str]) -> tuple[str, ...]:
    """`count` names, converted to text; the defaults where `names` is None."""
    if names is None:
        return tuple(defaults)
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InputTypeError(f"{what} is a sequence of {count} names, not {names!r}.")
    texts = tuple(str(name) for name in names)
    if len(texts) != count:
        raise InputError(f"{what} has {len(texts)} name(s), {listed(texts)}; expected {count}.")
    return texts


def make_projection(
    X: NDArray[Any] | None,
    width: int,
    dimensions: int,
    axes: Axes,
    names: Sequence[str],
    what: str = "axes",
) -> Projection:
    """The projection to at most `dimensions` of `width` coordinates.

    `axes` picks coordinates by index or name, and the others stay at the mean of X; "principal" takes the
    directions in which X varies most (principal component analysis). None shows all coordinates where they
    fit, else the principal axes.

    Raises InputError for an unknown or repeated coordinate, for too many, or for a missing X whose mean is
    needed.
    """
    if axes is None:
        axes = tuple(range(width)) if width <= dimensions else PRINCIPAL
    if isinstance(axes, str) and axes == PRINCIPAL:
        return _principal(_needed(X, width, what), min(width, dimensions))
    chosen = (axes,) if isinstance(axes, (str, int, np.integer)) else tuple(axes)
    if not 1 <= len(chosen) <= dimensions:
        raise InputError(
            f"{what} names {len(chosen)} coordinate(s), {chosen!r}; expected 1 to {dimensions} of them, "
            f"or {PRINCIPAL!r}."
        )
    index = [_index(axis, names, what) for axis in chosen]
    if len(set(index)) < len(index):
        raise InputError(f"{what} names a coordinate twice: {chosen!r}.")
    hidden = width - len(index)
    origin = _needed(X, width, what).mean(axis=0) if hidden else np.zeros(width)
    origin[index] = 0
    others = [names[i] for i in range(width) if i not in index]
    note = f"the other {hidden} inputs at their mean"
    if hidden == 1:
        note = f"{others[0][:30]} at its mean"
    elif hidden == 2:
        note = f"{others[0][:30]} and {others[1][:30]} at their means"
    return Projection(origin, np.eye(width)[index], tuple(names[i] for i in index), note if hidden else "")


def _needed(X: NDArray[Any] | None, width: int, what: str) -> Array:
    if X is None:
        raise InputError(
            f"There are {width} inputs, more than this picture shows: give X=, whose mean and directions "
            f"place the picture among them."
        )
    return X.astype(np.float64, copy=False)


def _index(axis: object, names: Sequence[str], what: str) -> int:
    if isinstance(axis, str):
        if axis not in names:
            raise unknown_name(f"coordinate in {what}:", axis, [*names, PRINCIPAL])
        return list(names).index(axis)
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise InputTypeError(f"{what} holds indices or names, not {axis!r}.")
    if not -len(names) <= axis < len(names):
        raise InputError(f"{what} has {axis}; expected an index from 0 to {len(names) - 1}.")
    return int(axis) % len(names)


def _principal(X: Array, dimensions: int) -> Projection:
    mean = X.mean(axis=0)
    # The covariance is (d, d) for any number of samples; its singular vectors are those of X.
    centered = X - mean
    _, variances, directions = np.linalg.svd(centered.T @ centered)
    directions = directions[:dimensions]
    # The sign of a direction is arbitrary: a positive largest entry makes pictures repeatable.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(dimensions), largest])[:, None]
    total = variances.sum()
    shares = variances[:dimensions] / total if total > 0 else np.zeros(dimensions)
    labels = tuple(f"principal axis {i} ({share:.0%})" for i, share in enumerate(shares, 1))
    note = "principal axes with their shares of the variance"
    if dimensions < X.shape[1]:
        note += ", through the samples' mean"
    return Projection(mean, directions, labels, note)


def is_even(span: Array) -> bool:
    """Whether the sides of a plane are similar enough for equal units."""
    return len(span) == 2 and bool(0.5 <= np.ptp(span[0]) / np.ptp(span[1]) <= 2)


def spans(U: Array | None, dimensions: int, limits: object = None) -> Array:
    """The limits of each axis, (dimensions, 2).

    `limits` is one pair for all axes or a pair for each; None takes the range of the samples and 5 % more,
    or -1.5 to 1.5 without samples.
    """
    if limits is not None:
        try:
            pairs = np.broadcast_to(np.asarray(limits, dtype=np.float64), (dimensions, 2))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"limits is a pair (low, high), or one pair for each of {dimensions} axes, not {limits!r}."
            ) from error
        if not (np.isfinite(pairs).all() and (pairs[:, 0] < pairs[:, 1]).all()):
            raise InputError(f"limits is {limits!r}; expected finite pairs, low below high.")
        return pairs
    if U is None:
        return np.tile([-1.5, 1.5], (dimensions, 1))
    low, high = U.min(axis=0), U.max(axis=0)
    # A constant coordinate still gets a width.
    margin = np.where(high > low, 0.05 * (high - low), np.maximum(0.5, 0.05 * np.abs(low)))
    return np.stack([low - margin, high + margin], axis=1)
