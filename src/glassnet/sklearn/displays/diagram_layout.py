"""The layout of a network diagram: which units and weights it draws, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array


def strongest_units(coefs: Sequence[Array], most: int) -> list[NDArray[np.intp]]:
    """For each layer the units to show, in order: those with the largest ``sum |W|`` towards the next.

    Of the output layer, which has no next layer, those with the largest sum of incoming weights.
    """
    strengths = [np.abs(W).sum(axis=1) for W in coefs]
    strengths.append(np.abs(coefs[-1]).sum(axis=0))
    return [np.sort(np.argsort(-strength, kind="stable")[:most]) for strength in strengths]


def strongest_weights(
    coefs: Sequence[Array], units: Sequence[NDArray[np.intp]], most: int
) -> list[NDArray[np.bool_]]:
    """For each layer which weights (n_in, n_out) to show: the `most` largest between units that are shown.

    A weight of 0 is no connection. Each layer has its own limit, lest one layer's larger weights take all
    the room.
    """
    masks = []
    for W, rows, columns in zip(coefs, units, units[1:], strict=False):
        sizes = np.zeros_like(W)
        part = np.ix_(rows, columns)
        sizes[part] = np.abs(W[part])
        mask = np.zeros(W.size, dtype=bool)
        mask[np.argsort(-sizes, axis=None, kind="stable")[:most]] = True
        masks.append(mask.reshape(W.shape) & (sizes > 0))
    return masks


def unit_heights(counts: Sequence[int]) -> list[Array]:
    """The heights of each layer's units, from the top down, around 0.

    The largest layer goes from 1/2 to -1/2. The units of smaller layers stand further apart, lest they
    crowd in the middle.
    """
    largest = max(counts)
    heights = []
    for count in counts:
        reach = 0.0 if largest == 1 else ((count - 1) / (largest - 1)) ** 0.6
        heights.append(np.linspace(reach / 2, -reach / 2, count) if count > 1 else np.zeros(1))
    return heights


def freest(places: Sequence[Array], size: Array, taken: Sequence[Array]) -> int:
    """The first place where a box covers least of the boxes `taken`, each a middle and a size."""
    covered = []
    for place in places:
        shared = 0.0
        for middle, other in taken:
            sides = (size + other) / 2 - np.abs(place - middle)
            shared += float(np.prod(np.maximum(sides, 0.0)))
        covered.append(shared)
    return int(np.argmin(covered))
