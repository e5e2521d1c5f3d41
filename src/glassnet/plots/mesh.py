"""The surface over a plane as triangles that end where one class follows another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.scenes import Grid

Corner = tuple[float, ...]


@dataclass(frozen=True)
class Mesh:
    """Triangles (t, 3) into `points` (p, 3), each point with its class, and the grid's cell of each one.

    A triangle has one class. On a border each class has points of its own, in the same places, so
    that colors change there and nowhere else.
    """

    points: Array
    classes: NDArray[np.intp]
    triangles: NDArray[np.intp]
    cells: NDArray[np.intp]

    def colors(self, count: int, strength: float) -> Array:
        """(p, 3): the tint of each point's class, paler where the network is less sure."""
        tints = np.stack([style.tint(color, strength) for color in style.class_colors(count)])
        lead = np.clip((self.points[:, 2:] - 1 / count) / (1 - 1 / count), 0, 1)
        return 1 - lead * (1 - tints[self.classes])


def make_mesh(grid: Grid) -> Mesh:
    """The largest probability of three or more classes over a plane, cut along the borders.

    A square grid cannot show the crease where two classes meet: it steps along it. Here each cell is
    two triangles, and one with several classes at its corners is cut where they are equally
    probable, logarithms running straight between the corners.
    """
    n_rows, n_columns, count = grid.values.shape
    x, y = np.meshgrid(*grid.ticks)
    P = np.nan_to_num(grid.values).reshape(-1, count)
    logs = np.log(np.clip(P, np.finfo(grid.field.parameters.dtype).tiny, 1))
    places = np.column_stack([x.ravel(), y.ravel()])
    leaders = P.argmax(axis=1)
    first = (np.arange(n_rows - 1)[:, None] * n_columns + np.arange(n_columns - 1)).ravel()
    squares = first[:, None] + np.array([0, 1, n_columns + 1, n_columns])
    triangles = np.concatenate([squares[:, [0, 1, 2]], squares[:, [0, 2, 3]]])
    cells = np.tile(np.arange(len(first)), 2)
    mixed = np.ptp(leaders[triangles], axis=1) > 0
    corners: list[Corner] = []
    numbers: list[int] = []
    pieces: list[tuple[int, int, int]] = []
    owners: list[int] = []
    for cell, triangle in zip(cells[mixed], triangles[mixed], strict=True):
        present = np.unique(leaders[triangle]).tolist()
        whole = [(*places[k], *logs[k, present]) for k in triangle]
        for own, number in enumerate(present):
            part = whole
            for other in range(len(present)):
                if other != own:
                    part = _where_ahead(part, 2 + own, 2 + other)
            base = len(places) + len(corners)
            corners += part
            numbers += [number] * len(part)
            fan = [(base, base + k, base + k + 1) for k in range(1, len(part) - 1)]
            pieces += fan
            owners += [int(cell)] * len(fan)
    heights, classes = P.max(axis=1), leaders
    if corners:
        added = np.array([corner[:2] for corner in corners])
        places = np.concatenate([places, added])
        heights = np.concatenate([heights, grid.height_at(added)])
        classes = np.concatenate([classes, np.array(numbers, dtype=np.intp)])
        triangles = np.concatenate([triangles[~mixed], np.array(pieces, dtype=np.intp)])
        cells = np.concatenate([cells[~mixed], np.array(owners, dtype=np.intp)])
    return Mesh(np.column_stack([places, heights]), classes, triangles, cells)


def _where_ahead(polygon: list[Corner], own: int, other: int) -> list[Corner]:
    """The part of a polygon where entry `own` of its corners is not below entry `other`."""
    kept: list[Corner] = []
    for a, b in pairwise([*polygon, *polygon[:1]]):
        before, after = a[own] - a[other], b[own] - b[other]
        if before >= 0:
            kept.append(a)
        if before * after < 0:
            share = before / (before - after)
            kept.append(tuple(p + share * (q - p) for p, q in zip(a, b, strict=True)))
    return kept
