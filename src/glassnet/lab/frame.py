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
BLOCK = 128
"""Values of a curve whose least and greatest one are computed once."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values y at even places x, with `extremes`: the least and the greatest of each block, (2, blocks).

    >>> import numpy as np
    >>> from glassnet.lab.frame import Curve
    >>> curve = Curve().followed_by(range(6), np.array([5.0, 1, 9, 2, 3, 4]))
    >>> curve.thinned(columns=2).tolist()
    [[0.0, 3.0], [1.0, 2.0], [9.0, 4.0]]
    """

    x: range = range(0)
    y: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    extremes: NDArray[np.float64] = field(default_factory=lambda: np.empty((2, 0)))

    def followed_by(self, x: range, y: NDArray[np.float64]) -> Curve:
        """The curve once it has grown, or has gone back: blocks that are known are not computed again.

        The last value is in no block: where training changes, its loss is another.
        """
        blocks = max(len(y) - 1, 0) // BLOCK
        known = self.extremes[:, :blocks]
        rest = y[known.shape[1] * BLOCK : blocks * BLOCK].reshape(-1, BLOCK)
        if len(rest):
            known = np.concatenate([known, [np.fmin.reduce(rest, 1), np.fmax.reduce(rest, 1)]], axis=1)
        return Curve(x, y, known)

    def thinned(self, log: bool = False, columns: int = COLUMNS) -> NDArray[np.float64]:
        """The curve for a screen: rows of x, the least and the greatest y there, (3, at most `columns`).

        x is 0 or more. Each column is a range of x, equal in x or in log(1 + x), but for wide ones, which
        begin at a block; no peak is lost whatever the number of points.
        """
        x, y = self.x, self.y
        if len(x) <= columns:
            return np.stack([np.array(x, np.float64), y, y])
        if log:
            edges = np.expm1(np.linspace(np.log1p(x[0]), np.log1p(x[-1]), columns + 1)[:-1])
        else:
            edges = np.linspace(x[0], x[-1], columns + 1)[:-1]
        first = np.unique(np.ceil((edges - x[0]) / x.step).astype(np.intp))
        first[0] = 0  # which exp and log may miss by a bit
        narrow = np.count_nonzero(np.diff(first, append=len(y)) < 2 * BLOCK)
        blocks = np.rint(first[narrow:] / BLOCK).astype(np.intp)
        first[narrow:] = blocks * BLOCK
        fine = y[: first[narrow]] if len(blocks) else y
        rows = [x[0] + x.step * first.astype(np.float64)]
        for ufunc, known in zip((np.fmin, np.fmax), self.extremes, strict=True):
            every = np.append(known, ufunc.reduce(y[len(known) * BLOCK :]))
            rows.append(np.append(ufunc.reduceat(fine, first[:narrow]), ufunc.reduceat(every, blocks)))
        return np.stack(rows)


def as_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values from `low` to `high` as 0 to 255; others are cut, and NaN is 0."""
    with np.errstate(all="ignore"):
        scaled = (values - low) * (255.0 / (high - low)) if high > low else np.full_like(values, 127.5)
        # fmax and fmin leave a NaN out, and take half the time of clip and nan_to_num.
        return np.rint(np.fmin(np.fmax(scaled, 0.0), 255.0)).astype(np.uint8)
