"""What a page is shown of a session at one moment: a JSON document, and arrays beside it as bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNED = 8  # bytes: a page can look at a float64 array where it lies


@dataclass(frozen=True, eq=False)
class Frame:
    """The newest state of a session: `document` is plain, `arrays` are by name.

    ``header()`` is the document with the place of every array in ``payload()``. `number` grows
    with each change.
    """

    number: int
    document: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def header(self) -> dict[str, Any]:
        """The frame as JSON: ``frame``, the document, and ``arrays``: name, dtype, shape, offset."""
        places, offset = [], 0
        for name, array in self.arrays.items():
            places.append({"name": name, "dtype": array.dtype.name, "shape": array.shape, "offset": offset})
            offset += _room(array)
        return {"frame": {"number": self.number, **self.document}, "arrays": places}

    def payload(self) -> bytes:
        """The bytes of all arrays, in C order and little-endian, each at a multiple of 8."""
        parts = []
        for array in self.arrays.values():
            plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            parts.append(plain.tobytes().ljust(_room(array), b"\0"))
        return b"".join(parts)


def _room(array: NDArray[Any]) -> int:
    return -(-array.nbytes // _ALIGNED) * _ALIGNED


def finite(value: float | None) -> float | None:
    """A number for JSON, which has no NaN and no infinity: None."""
    return float(value) if value is not None and math.isfinite(value) else None


def finites(values: NDArray[Any]) -> list[float | None]:
    """Numbers (n,) for JSON."""
    return [finite(value) for value in values.tolist()]


COLUMNS = 320
"""Columns of a thinned curve."""


def thinned(
    x: NDArray[Any], y: NDArray[np.float64], log: bool = False, columns: int = COLUMNS
) -> NDArray[np.float64]:
    """A curve for a screen: rows of x, the least and the greatest y there, (3, at most `columns`).

    `x` grows and is 0 or more. Each column is a range of x, equal in x or in log(1 + x); no peak is lost
    whatever the number of points.

    >>> import numpy as np
    >>> from glassnet.lab.frame import thinned
    >>> thinned(np.arange(6), np.array([5.0, 1, 9, 2, 3, 4]), columns=2).tolist()
    [[0.0, 3.0], [1.0, 2.0], [9.0, 4.0]]
    """
    if len(x) <= columns:
        return np.stack([x.astype(np.float64), y, y])
    low, high = float(x[0]), float(x[-1])
    if log:
        edges = np.expm1(np.linspace(np.log1p(low), np.log1p(high), columns + 1)[:-1])
    else:
        edges = np.linspace(low, high, columns + 1)[:-1]
    first = np.unique(np.searchsorted(x, edges))
    least, greatest = np.fmin.reduceat(y, first), np.fmax.reduceat(y, first)
    return np.stack([x[first].astype(np.float64), least, greatest])


def as_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values from `low` to `high` as 0 to 255; others are cut, and NaN is 0."""
    with np.errstate(all="ignore"):
        scaled = (values - low) * (255.0 / (high - low)) if high > low else np.full_like(values, 127.5)
        # fmax and fmin leave a NaN out, and take half the time of clip and nan_to_num.
        return np.rint(np.fmin(np.fmax(scaled, 0.0), 255.0)).astype(np.uint8)
