"""Several softmaxes side by side, one for each column of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassnet._types import Array
from glassnet.nn.losses import Loss, softmax


@dataclass(frozen=True)
class Groups:
    """The outputs of each column: `widths` of them, in order."""

    widths: tuple[int, ...]

    def split(self, Z: Array) -> list[Array]:
        """The columns' own parts of (n, outputs)."""
        return np.split(Z, np.cumsum(self.widths)[:-1], axis=1)

    def softmax(self, Z: Array) -> Array:
        """A softmax over each part."""
        return np.hstack([softmax(z) for z in self.split(Z)])

    def jacobian(self, P: Array) -> Array:
        """dp/dz, (n, outputs, outputs), from the probabilities."""
        same = np.repeat(np.arange(len(self.widths)), self.widths)
        eye = np.eye(P.shape[1], dtype=P.dtype)
        return P[:, :, None] * (eye - P[:, None, :] * (same[:, None] == same))


@dataclass(frozen=True)
class _Value:
    groups: Groups

    def __call__(self, Z: Array, Y: Array) -> Array:
        total = np.zeros(len(Z), Z.dtype)
        for z, y in zip(self.groups.split(Z), self.groups.split(Y), strict=True):
            shifted = z - z.max(axis=1, keepdims=True)
            total = total + np.log(np.exp(shifted).sum(axis=1)) - (y * shifted).sum(axis=1)
        return total


@dataclass(frozen=True)
class _Delta:
    groups: Groups

    def __call__(self, Z: Array, Y: Array) -> Array:
        return self.groups.softmax(Z) - Y


def grouped_cross_entropy(widths: Sequence[int]) -> Loss:
    """The sum over groups g of -sum_c y_gc log p_gc, p_g being the softmax of the group's Z.

    Its targets are rows of one-hot parts. It runs on the NumPy engine.

    >>> import numpy as np
    >>> from glassnet.sklearn.grouped import grouped_cross_entropy
    >>> loss = grouped_cross_entropy([2, 3])
    >>> loss.value(np.zeros((1, 5)), np.array([[1.0, 0, 0, 1, 0]])).round(4).tolist()  # log 2 + log 3
    [1.7918]
    """
    groups = Groups(tuple(widths))
    return Loss(
        "grouped_cross_entropy",
        output="identity",
        target="real",
        value=_Value(groups),
        delta=_Delta(groups),
        formula="-sum_g sum_c y_gc log y_hat_gc",
        delta_formula="y_hat - y",
    )
