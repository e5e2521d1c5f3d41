"""How far an exported file is from what was exported: in units in the last place, and in labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.utils.words import counted, readable


@dataclass(frozen=True)
class Distance:
    """How far outputs are from those expected, over rows.

    rows : how many were compared.
    ulps : the largest distance of an output, in units in the last place of what was exported.
    error : the largest distance of an output, relative to the largest one of its row, or to 1 if that is
        below 1.
    labels : how many labels disagree.
    row : the row of the largest distance, and of the first label that disagrees, where one does.
    """

    rows: int
    ulps: float
    error: float
    labels: int
    row: int

    @property
    def is_zero(self) -> bool:
        """Whether all bits and labels agree."""
        return self.ulps == 0 and self.labels == 0


@dataclass(frozen=True)
class Verification:
    """What `verify_export` found.

    path, language : the file, and its language in words.
    data : the `Distance` on the rows of X.
    hard : the `Distance` on rows of NaN, infinities, huge, tiny and subnormal numbers and unknown
        categories, from what the engine's own arithmetic gives for them.
    gradient : the largest relative distance of the gradient dy/dx, where the file has one; else None.
    promised : the largest ``error`` that the file promises: 0 for bits, None where it promises none.
    """

    path: str
    language: str
    data: Distance
    hard: Distance
    gradient: float | None
    promised: float | None

    @property
    def passed(self) -> bool:
        """Whether the file keeps what it promises, on the data and on the hard rows."""
        if self.promised is None:
            return True
        if self.promised == 0:
            return self.data.is_zero and self.hard.is_zero and (self.gradient or 0) <= _GRADIENT
        far = max(self.data.error, self.hard.error, self.gradient or 0) > self.promised
        return not far and not self.data.labels and not self.hard.labels

    def __str__(self) -> str:
        if self.promised:
            promise = f"promises {self.promised:g}"
        else:
            promise = "promises no distance" if self.promised is None else "promises the same bits"
        verdict = "FAILED" if not self.passed else "measured" if self.promised is None else "verified"
        lines = [f"{self.path} ({self.language}; {promise}): {verdict}"]
        for name, distance in (("rows of data", self.data), ("hard rows", self.hard)):
            lines.append(
                f"  {distance.rows:,} {name}: largest distance {readable(distance.ulps)} units in the "
                f"last place, {distance.error:.2g} relative; {counted(distance.labels, 'label')} disagree"
                + ("" if distance.is_zero else f" (row {distance.row})")
            )
        if self.gradient is not None:
            lines.append(f"  gradient: largest distance {self.gradient:.2g} relative")
        return "\n".join(lines)


_GRADIENT = 1e-4  # of a file in float32


def distance(
    expected: Array,
    found: Array,
    expected_numbers: NDArray[Any],
    found_numbers: NDArray[Any] | None,
    near: float,
    refused: NDArray[np.bool_] | None = None,
) -> Distance:
    """The `Distance` of outputs (n, outputs) and of the labels' numbers (n, answers) from those expected.

    NaN equals NaN, and an infinity itself. A label counts as another one where the outputs differ by more
    than `near`: closer outputs that tie may fall either way. For rows that are not finite, which the engine
    has `refused`, NumPy stands in, which sums in another order: what is near counts as equal.
    """
    if found.shape != expected.shape:
        raise InputError(f"The file gave outputs of shape {found.shape}; expected {expected.shape}.")
    if not len(expected):
        return Distance(0, 0.0, 0.0, 0, 0)
    with np.errstate(all="ignore"):
        found = found.astype(expected.dtype)
        apart = np.abs(found.astype(np.float64) - expected)
        equal = (found == expected) & (np.signbit(found) == np.signbit(expected))
        same = equal | (np.isnan(found) & np.isnan(expected))
        if refused is not None:
            same |= refused[:, None] & (apart <= 1e-4 * np.maximum(1, np.abs(expected)))
        finite = np.where(np.isfinite(expected), np.abs(expected), 0.0)
        scale = np.maximum(finite.max(axis=1, keepdims=True), 1.0)
        error = np.where(same, 0.0, apart / scale)
    error[np.isnan(error)] = np.inf
    ulps = np.where(same, 0.0, _ulps(expected, found))
    labels = np.zeros(len(expected), np.intp)
    if found_numbers is not None:
        other = (found_numbers != expected_numbers).any(axis=1)
        labels = (other & ~np.isnan(expected).any(axis=1) & ~_ties(expected, near)).astype(np.intp)
    row = int(labels.argmax() if labels.any() else ulps.max(axis=1).argmax())
    return Distance(len(expected), float(ulps.max()), float(error.max()), int(labels.sum()), row)


def furthest(expected: Array, found: Array) -> float:
    """The largest distance of derivatives (n, outputs, features), relative to the largest of a row or 1,
    of the rows whose derivatives are finite."""
    finite = np.isfinite(expected).all(axis=(1, 2))
    expected, found = expected[finite], found[finite]
    scale = np.maximum(1.0, np.abs(expected).max(axis=(1, 2), keepdims=True))
    return float((np.abs(found - expected) / scale).max(initial=0.0))


def _ties(outputs: Array, near: float) -> NDArray[np.bool_]:
    """Rows whose two largest outputs, or any output and 0.5, are closer than `near`."""
    if near == 0:
        return np.zeros(len(outputs), bool)
    tie = (np.abs(outputs - 0.5) <= near).any(axis=1)
    if outputs.shape[1] > 1:
        top = np.sort(outputs, axis=1)[:, -2:]
        tie |= top[:, 1] - top[:, 0] <= near
    return tie


def _ulps(a: Array, b: Array) -> Floats:
    """How many numbers of their precision lie between a and b; infinite where one alone is NaN."""
    first, second = _in_order(a), _in_order(b)
    apart = np.maximum(first, second) - np.minimum(first, second)  # which may need the sign's bit
    return np.where(np.isnan(a) | np.isnan(b), np.inf, apart.view(f"u{a.itemsize}"))


def _in_order(values: Array) -> NDArray[Any]:
    """Whole numbers in the order of the values, -1 for -0 and 0 for 0."""
    bits = values.view(f"i{values.itemsize}")
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)
