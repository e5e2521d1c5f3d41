"""Geometry of the 3-D pictures: planes cut by boxes, and what hides what."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array


def view_direction(elevation: float, azimuth: float) -> Array:
    """The unit vector toward the viewer, for angles in degrees, in a box with sides of length 1."""
    e, a = np.radians([elevation, azimuth])
    return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def screen_axes(elevation: float, azimuth: float) -> Array:
    """(2, 3): the unit vectors to the right and upwards on the screen."""
    e, a = np.radians([elevation, azimuth])
    return np.array(
        [[-np.sin(a), np.cos(a), 0.0], [-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)]]
    )


def plane_in_box(w: Array, b: float, low: Array, high: Array) -> Array:
    """The corners (n, d), in order, of the plane ``w . h + b = 0`` inside a box; (0, d) where it misses it.

    d is 3 or, for a line in a rectangle, 2. The corners lie where an edge of the box crosses the plane.
    """
    corners = np.array(list(product(*zip(low, high, strict=True))))
    sides = corners @ w + b
    crossings = []
    for i, j in combinations(range(len(corners)), 2):
        one_edge = np.count_nonzero(corners[i] != corners[j]) == 1
        if one_edge and (sides[i] < 0) != (sides[j] < 0):
            x = sides[i] / (sides[i] - sides[j])
            crossings.append(corners[i] + x * (corners[j] - corners[i]))
    if len(crossings) < len(w):
        return np.empty((0, len(w)))
    points = np.array(crossings)
    # Sorted by the angle around their mean, in two directions inside the plane.
    _, _, directions = np.linalg.svd(points - points.mean(axis=0))
    x, y = ((points - points.mean(axis=0)) @ directions[:2].T).T
    return points[np.argsort(np.arctan2(y, x))]


def best_azimuth(points: Array, groups: NDArray[np.intp], normal: Array | None, elevation: float) -> float:
    """The azimuth, of those that show all three axes, that shows groups of points best apart.

    With the normal of a separating plane: the view nearly along the plane. Without: the view with the means
    of the groups farthest apart on the screen, relative to their spread.
    """
    angles = np.array(
        [quarter + a for quarter in (-90, 0, -180, 90) for a in (30, 40, 50, 60)], dtype=float
    )
    if normal is not None and np.linalg.norm(normal) > 0:
        unit = normal / np.linalg.norm(normal)
        lean = [abs(abs(unit @ view_direction(elevation, a)) - 0.3) for a in angles]
        return float(angles[int(np.argmin(lean))])
    present = [group for group in np.unique(groups) if (groups == group).sum() > 1]
    if len(present) < 2:
        return -60.0
    scores = []
    for a in angles:
        screen = points @ screen_axes(elevation, a)[0]
        samples = [screen[groups == group] for group in present]
        between = np.var([x.mean() for x in samples])
        scores.append(between / (np.mean([x.var() for x in samples]) + 1e-3))
    return float(angles[int(np.argmax(scores))])


def between(ticks: tuple[Array, ...], values: Array, points: Array) -> Array:
    """Values at points of a plane: linear between ``values[i, j]``, at ``(ticks[0][j], ticks[1][i])``."""
    column = np.interp(points[:, 0], ticks[0], np.arange(len(ticks[0])))
    row = np.interp(points[:, 1], ticks[1], np.arange(len(ticks[1])))
    j = np.minimum(column.astype(np.intp), len(ticks[0]) - 2)
    i = np.minimum(row.astype(np.intp), len(ticks[1]) - 2)
    s, t = column - j, row - i
    low = (1 - s) * values[i, j] + s * values[i, j + 1]
    high = (1 - s) * values[i + 1, j] + s * values[i + 1, j + 1]
    return np.asarray((1 - t) * low + t * high)


def hidden_by_surface(
    points: Array, ticks: tuple[Array, ...], heights: Array, direction: Array, steps: int = 200
) -> NDArray[np.bool_]:
    """Which points (n, 3) on a surface the surface hides from a far viewer in that direction.

    All in the same units; ``heights[i, j]`` is the height over ``(ticks[0][j], ticks[1][i])``. A point is
    hidden where the ray from it to the viewer goes through the surface. A ray that starts below the surface
    and stays below it shows the point from beneath.
    """
    x, y = ticks
    reach = np.hypot(x[-1] - x[0], y[-1] - y[0]) / max(np.hypot(*direction[:2]), 1e-9)
    tolerance = 0.02 * max(float(np.ptp(heights)), 1e-12)
    hidden = np.zeros(len(points), dtype=bool)
    side = np.zeros(len(points))  # of the ray: 1 above the surface, -1 below it, 0 unknown
    # In its own cell a point in a crease lies below the grid, which is straight between its corners.
    width, depth = (
        np.diff(along)[np.clip(np.searchsorted(along, column) - 1, 0, len(along) - 2)]
        for along, column in zip(ticks, points.T, strict=False)
    )
    for step in np.linspace(0, reach, steps)[1:]:
        at = points + step * direction
        inside = (at[:, 0] >= x[0]) & (at[:, 0] <= x[-1]) & (at[:, 1] >= y[0]) & (at[:, 1] <= y[-1])
        if not inside.any():
            break
        away = np.abs(step * direction)
        beyond = (away[0] > 1.5 * width) | (away[1] > 1.5 * depth)
        gap = at[:, 2] - between(ticks, heights, at)
        here = np.where(inside & beyond & (np.abs(gap) > tolerance), np.sign(gap), 0)
        hidden |= here * side < 0
        side = np.where(side == 0, here, side)
    return hidden
