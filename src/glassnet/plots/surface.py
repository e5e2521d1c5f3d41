"""The output of the network as a surface over the plane of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots import geometry, style
from glassnet.plots.boundary import draw_curves
from glassnet.plots.picture_data import (
    Grid,
    as_samples,
    boundary_lines,
    check_run,
    input_projection,
    make_field,
    make_grid,
)
from glassnet.plots.projection import Axes, spans
from glassnet.training.run import TrainingRun
from glassnet.utils.libraries import require
from glassnet.utils.words import readable, short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_HEIGHT = 0.62  # of the box of the surface, over a base of 1 by 1


def output_surface(
    run: TrainingRun,
    *,
    X: object = None,
    title: str | None = None,
    class_names: object = None,
    feature_names: object = None,
    axes: Axes = None,
    output: int | None = None,
    limits: object = None,
    resolution: int = 200,
    view: tuple[float, float] | None = None,
) -> Figure:
    """Draw the output of the network as a surface over the plane of its inputs.

    The height is P(class 1) of two classes, the largest probability of more (colored by class), or the
    prediction of a regression. The contour where P = 1/2 runs on the surface, dotted where the surface
    hides it. For one input the picture shows a curve.

    Parameters
    ----------
    X : (n, inputs), the samples whose range the picture covers; without X, each axis goes from -1.5 to 1.5,
        of a run with ``standardize=True`` in deviations from the mean. A network with more inputs than axes
        needs X: the plane goes through the mean of the samples.
    axes, limits, class_names, feature_names, output : as for `decision_boundary`.
    resolution : grid points along each axis.
    view : elevation and azimuth in degrees.

    Raises InputError for unusable arguments, MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=20)
    >>> gn.plots.output_surface(run).axes[0].get_zlabel()
    'P(class 1)'
    """
    check_run(run)
    samples = None if X is None else as_samples(X, width=run.network.sizes[0])
    field = make_field(run, class_names, output)
    projection = input_projection(run.network.sizes[0], samples, axes, feature_names)
    span = spans(None if samples is None else projection.project(samples), projection.dimensions, limits)
    if (scaling := run.encoding.scaling) is not None and samples is None and limits is None:
        mean, scale = (projection.project(row[None]).T for row in (scaling.mean, scaling.scale))
        span = mean + span * scale
    grid = make_grid(field, projection, span, resolution, adaptive=True)
    heading = title or ("Output surface" if field.is_class else f"Prediction of {field.names[0]}")
    if projection.dimensions == 1:
        figure = style.new_figure(7.2, 4.8)
        paper = style.flat_axes(figure)
        style.set_legend(paper, draw_curves(paper, grid))
        style.set_labels(paper, [*projection.labels, "probability" if field.is_class else field.quantity])
        paper.set_xlim(grid.ticks[0][0], grid.ticks[0][-1])
        style.label_ticks(paper.xaxis)
        style.label_ticks(paper.yaxis)
    else:
        figure = style.new_figure(7.2, 5.4, None)
        _draw_surface(figure, grid, view or (32.0, -60.0))
    style.set_title(figure, heading, [str(run.network), projection.note])
    return figure


def _draw_surface(figure: Figure, grid: Grid, view: tuple[float, float]) -> None:
    paper = style.solid_axes(figure, *view, height=_HEIGHT)
    low, high = (0.0, 1.0) if grid.field.is_class else style.value_range(grid.scalar)
    heights = np.where(np.isfinite(grid.scalar), grid.scalar, low)
    light = _light(grid, heights / (high - low))
    if grid.field.is_class and len(grid.field.names) > 2:
        mesh = make_mesh(grid)
        # The first points of the mesh are those of the grid, the others lie between them.
        light = np.append(light.ravel(), geometry.between(grid.ticks, light, mesh.points[light.size :]))
        colors = mesh.colors(len(grid.field.names), 0.75) * light[:, None]
        paper.add_collection(smooth_triangles()(mesh, colors, grid, zorder=2), autolim=False)
    else:
        x, y = np.meshgrid(*grid.ticks)
        corners = np.stack([x, y, heights], axis=-1)
        colors = _colors(grid, low, high) * light[..., None]
        paper.add_collection(smooth_surface()(corners, colors, zorder=2), autolim=False)
    paper.set(xlim=grid.span[0], ylim=grid.span[1], zlim=(low, high))
    style.set_labels(paper, [*grid.projection.labels, grid.field.quantity])
    for axis, ends in zip((paper.xaxis, paper.yaxis, paper.zaxis), [*grid.span, (low, high)], strict=True):
        style.label_ticks(axis)
        longest = max(len(readable(end)) for end in ends)
        if longest > 5 and axis is not paper.zaxis:
            axis.set_major_locator(require("matplotlib.ticker").MaxNLocator(4))
        away = 2.5 * max(longest - 4, 0)
        axis.set_tick_params(pad=1 + away)
        axis.labelpad += 3 + 2 * away
    if not grid.field.is_class:  # the height is the scale
        return
    paper.set_zticks([0, 0.25, 0.5, 0.75, 1])
    entries: style.Entries = []
    if len(grid.field.names) > 2:
        dots = [style.dot(color, marker="s") for color in style.class_colors(len(grid.field.names))]
        entries = list(zip(dots, short_names(grid.field.names), strict=True))
    style.set_legend(paper, entries + _draw_contours(paper, grid, heights, view), len(entries))


@cache
def smooth_surface() -> Any:
    """The class of a surface whose colors run smoothly from corner to corner.

    matplotlib's own 3-D surfaces give each face one color, which makes bands on a steep wall; its flat
    meshes blend colors. This one is such a mesh, whose corners follow the 3-D view. (The function defines
    the class because it imports the base.)
    """
    mesh: Any = require("matplotlib.collections").QuadMesh
    proj3d = require("mpl_toolkits.mplot3d.proj3d")

    class SmoothSurface(mesh):  # type: ignore[misc]
        def __init__(self, corners: Array, colors: Array, **extra: Any) -> None:
            super().__init__(corners[..., :2], shading="gouraud", antialiased=True, **extra)
            self._corners, self._corner_colors = corners, colors

        def do_3d_projection(self) -> float:
            # Far faces first: over a grid that is an order of rows and columns.
            towards = geometry.view_direction(self.axes.elev, self.axes.azim)
            order = np.s_[:: 1 if towards[1] > 0 else -1, :: 1 if towards[0] > 0 else -1]
            corners = self._corners[order]
            x, y, z = proj3d.proj_transform(*corners.reshape(-1, 3).T, self.axes.M)
            self._coordinates = np.stack([x, y], axis=-1).reshape(*corners.shape[:2], 2)
            self.set_facecolor(self._corner_colors[order].reshape(-1, 3))
            return float(np.min(z))

    return SmoothSurface


@cache
def smooth_triangles() -> Any:
    """The class of a surface of triangles in the 3-D view, whose colors blend from corner to corner."""
    base: Any = require("matplotlib.collections").TriMesh
    triangulation = require("matplotlib.tri").Triangulation
    proj3d = require("mpl_toolkits.mplot3d.proj3d")

    class SmoothTriangles(base):  # type: ignore[misc]
        def __init__(self, mesh: Mesh, colors: Array, grid: Grid, **extra: Any) -> None:
            self._mesh, self._columns = mesh, len(grid.ticks[0]) - 1
            x, y, _ = mesh.points.T
            super().__init__(triangulation(x, y, mesh.triangles), **extra)
            self.set_facecolor(colors)

        def do_3d_projection(self) -> float:
            # Far cells first, by rows and columns, and in a cell its far triangles.
            mesh, towards = self._mesh, geometry.view_direction(self.axes.elev, self.axes.azim)
            rows, columns = np.divmod(mesh.cells, self._columns)
            turn = [1 if component > 0 else -1 for component in towards[:2]]
            near = mesh.points[mesh.triangles, :2].mean(axis=1) @ towards[:2]
            order = np.lexsort([near, turn[0] * columns, turn[1] * rows])
            x, y, z = proj3d.proj_transform(*mesh.points.T, self.axes.M)
            self._triangulation = triangulation(x, y, mesh.triangles[order])
            return float(np.min(z))

    return SmoothTriangles


def _light(grid: Grid, relief: Array) -> Array:
    """The brightness of each point of the surface, 0.7 to 1, lit from the upper left."""
    slopes = np.gradient(relief, *(ticks / np.ptp(ticks) for ticks in reversed(grid.ticks)))
    normal = np.stack([-_HEIGHT * slopes[1], -_HEIGHT * slopes[0], np.ones_like(relief)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.35, -0.75, 0.56])
    return 0.7 + 0.3 * np.clip(0.45 + 0.75 * normal @ lamp, 0, 1)


def _colors(grid: Grid, low: float, high: float) -> Array:
    """The colors of the surface (rows, columns, 3): between those of two classes, or a scale of values."""
    cmap = require("matplotlib").colormaps[style.VALUES]
    if grid.field.is_class:  # from class 0's color over near-white to class 1's
        zero, one = (style.tint(color, 0.9) for color in style.OKABE_ITO[:2])
        maps = require("matplotlib.colors").LinearSegmentedColormap
        cmap = maps.from_list("glassnet", [zero, np.full(3, 0.97), one])
    return np.asarray(cmap((np.nan_to_num(grid.scalar, nan=low) - low) / (high - low)))[..., :3]


def _draw_contours(paper: Any, grid: Grid, heights: Array, view: tuple[float, float]) -> style.Entries:
    """Draw the boundary on the surface, dotted where the surface hides it."""
    low = np.array([*grid.span[:, 0], 0.0])
    scale = np.array([*np.ptp(grid.span, axis=1), 1 / _HEIGHT])
    ticks = tuple((axis - axis[0]) / np.ptp(axis) for axis in grid.ticks)
    towards = geometry.view_direction(*view)
    lines = boundary_lines(grid)
    for line in lines:
        z = np.full(len(line), 0.5) if len(grid.field.names) == 2 else grid.height_at(line)
        curve = np.column_stack([line, z])
        hidden = geometry.hidden_by_surface((curve - low) / scale, ticks, heights * _HEIGHT, towards)
        shown = np.where(hidden[:, None], np.nan, curve)
        behind = np.where(hidden[:, None], curve, np.nan)
        paper.plot(*shown.T, color=style.INK, linewidth=1.8, zorder=4)
        paper.plot(*behind.T, color=style.INK, linewidth=1.0, linestyle=(0, (1, 1.8)), zorder=4)
    return [(style.stroke(width=1.8), grid.field.border)] if lines else []


# ---- Triangles ----------------------------------------------------------------------------------

Corner = tuple[float, ...]


@dataclass(frozen=True)
class Mesh:
    """Triangles (t, 3) of indices into `points` (p, 3), the class of each point, the cell of each triangle.

    A triangle has one class. On a border each class has its own points, in the same places, so that colors
    change there and nowhere else.
    """

    points: Array
    classes: NDArray[np.intp]
    triangles: NDArray[np.intp]
    cells: NDArray[np.intp]

    def colors(self, count: int, strength: float) -> Array:
        """(p, 3): the tint of each point's class, paler where the network is less sure."""
        tints = np.stack([style.tint(color, strength) for color in style.class_colors(count)])
        return 1 - style.certainty(self.points[:, 2:], count) * (1 - tints[self.classes])


def make_mesh(grid: Grid) -> Mesh:
    """The largest probability of three or more classes over a plane, cut along the borders.

    A square grid shows steps along the crease where two classes meet. Here each cell is two triangles, and
    a triangle with several classes at its corners is cut where they are equally probable; logarithms of
    probabilities are linear between the corners.
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
    added: list[tuple[int, int, int]] = []
    added_cells: list[int] = []
    for cell, triangle in zip(cells[mixed], triangles[mixed], strict=True):
        present = np.unique(leaders[triangle]).tolist()
        whole = [(*places[k], *logs[k, present]) for k in triangle]
        for leader, number in enumerate(present):
            polygon = whole
            for other in range(len(present)):
                if other != leader:
                    polygon = _where_ahead(polygon, 2 + leader, 2 + other)
            base = len(places) + len(corners)
            corners += polygon
            numbers += [number] * len(polygon)
            fan = [(base, base + k, base + k + 1) for k in range(1, len(polygon) - 1)]
            added += fan
            added_cells += [int(cell)] * len(fan)
    heights, classes = P.max(axis=1), leaders
    if corners:
        points = np.array([corner[:2] for corner in corners])
        places = np.concatenate([places, points])
        heights = np.concatenate([heights, grid.height_at(points)])
        classes = np.concatenate([classes, np.array(numbers, dtype=np.intp)])
        triangles = np.concatenate([triangles[~mixed], np.array(added, dtype=np.intp)])
        cells = np.concatenate([cells[~mixed], np.array(added_cells, dtype=np.intp)])
    return Mesh(np.column_stack([places, heights]), classes, triangles, cells)


def _where_ahead(polygon: list[Corner], leader: int, other: int) -> list[Corner]:
    """The polygon where entry `leader` of its corners is not below entry `other`."""
    corners: list[Corner] = []
    for a, b in pairwise([*polygon, *polygon[:1]]):
        before, after = a[leader] - a[other], b[leader] - b[other]
        if before >= 0:
            corners.append(a)
        if before * after < 0:
            x = before / (before - after)
            corners.append(tuple(p + x * (q - p) for p, q in zip(a, b, strict=True)))
    return corners
