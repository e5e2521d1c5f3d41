"""The pictures in space: the samples as the hidden layer sees them, the output as a landscape."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet._types import Array
from glassnet.plots import space, style
from glassnet.plots.flat import draw_curves
from glassnet.plots.libraries import require
from glassnet.plots.mesh import Mesh, make_mesh
from glassnet.plots.projection import Axes, spans
from glassnet.plots.scenes import (
    Grid,
    HiddenScene,
    as_samples,
    boundary_lines,
    check_run,
    input_projection,
    make_field,
    make_grid,
    make_hidden_scene,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassnet.training.run import TrainingRun

_PLANE = "#9A9A9A"
_HEIGHT = 0.62  # of the surface's box, where its base measures 1 by 1


def hidden_projection(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    title: str | None = None,
    class_names: object = None,
    units: Axes = None,
    layer: int = -1,
    output: int | None = None,
    view: tuple[float, float] | None = None,
) -> Figure:
    """Draw the samples where a hidden layer puts them: three units as axes, colored by target.

    Where the layer has three units or fewer, feeds the output layer and two classes are told apart,
    the plane (a line, a threshold) at which the output layer separates them is drawn too. Two units
    give a picture in the plane, one a histogram.

    Parameters
    ----------
    units : which units are the axes, by index from 0, or "principal"; None is all of up to three,
        else the principal axes of the layer's output.
    layer : which hidden layer, from 0; -1 is the last.
    output : which label, target value, or softmax class against the rest, the colors show.
    view : elevation and azimuth in degrees; None looks from where the classes are seen apart.

    The other arguments are those of `decision_boundary`.

    Raises InputError for a network without hidden layers, an unknown layer or unit, and arrays that
    cannot be used; MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=20)
    >>> gn.plots.hidden_projection(run, X, y).axes[0].get_zlabel()
    'h₃'
    """
    check_run(run)
    samples = as_samples(X, width=run.network.sizes[0])
    field = make_field(run, class_names, output)
    scene = make_hidden_scene(field, samples, y, units, layer)
    cloud, dimensions = scene.cloud, scene.projection.dimensions
    figure = style.new_figure(7.2, 5.6, "constrained" if dimensions < 3 else None)
    handles, names = style.sample_legend(cloud.targets)
    if dimensions == 3:
        paper, more = _draw_space(figure, scene, view)
    else:
        paper = style.flat_axes(figure)
        more = _draw_histogram(paper, scene) if dimensions == 1 else _draw_plane(paper, scene)
        style.set_labels(paper, [*scene.projection.labels, "samples"][:2])
    if more is not None:
        handles, names = [*handles, more], [*names, "output layer's boundary"]
    style.set_legend(paper, handles, names, len(names) - (more is not None))
    if not cloud.targets.is_class and dimensions > 1:
        style.color_bar(
            figure, paper, *style.value_range(cloud.targets.values), style.tidy(cloud.targets.names[0])
        )
    heading = title or f"The samples in hidden layer {scene.layer + 1}"
    width = run.network.sizes[scene.layer + 1]
    about = f"{width} {run.network.hidden[scene.layer].name} unit{'s' if width > 1 else ''}"
    style.set_title(figure, heading, [about, cloud.note, scene.projection.note])
    return figure


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
    """Draw the network's output as a surface over the plane of its inputs.

    The height is P(class 1) of two classes, the largest probability of more (colored by class),
    the prediction of a regression. The contour where P = 1/2 runs on the surface, dotted where the
    surface hides it, and on the floor. One input gives a curve.

    Parameters
    ----------
    X : (n, inputs), the samples whose range the picture covers; without, each axis goes from -1.5
        to 1.5. Needed where the network has more inputs than are shown: the plane goes through
        their mean.
    axes, limits, class_names, feature_names, output : as for `decision_boundary`.
    resolution : grid points along each axis.
    view : elevation and azimuth in degrees.

    Raises InputError for arguments that cannot be used, MissingLibraryError where matplotlib is not
    installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=20)
    >>> gn.plots.output_surface(run).axes[0].get_zlabel()
    'P(class 1)'
    """
    check_run(run)
    samples = None if X is None else as_samples(X, width=run.network.sizes[0])
    field = make_field(run, class_names, output)
    projection = input_projection(run.network, samples, axes, feature_names)
    U = None if samples is None else projection.project(samples)
    grid = make_grid(field, projection, spans(U, projection.dimensions, limits), resolution, adaptive=True)
    heading = title or ("Output surface" if field.is_class else f"Prediction of {field.names[0]}")
    if projection.dimensions == 1:
        figure = style.new_figure(7.2, 4.8)
        paper = style.flat_axes(figure)
        style.set_legend(paper, *draw_curves(paper, grid))
        style.set_labels(paper, [*projection.labels, "probability" if field.is_class else field.quantity])
        paper.set_xlim(grid.ticks[0][0], grid.ticks[0][-1])
    else:
        figure = style.new_figure(7.2, 5.4, None)
        _draw_surface(figure, grid, view or (32.0, -60.0))
    style.set_title(figure, heading, [str(run.network), projection.note])
    return figure


# ---- The hidden layer ---------------------------------------------------------------------------


def _draw_histogram(paper: Any, scene: HiddenScene) -> Any:
    h, targets = scene.cloud.points[:, 0], scene.cloud.targets
    low, high = spans(h[:, None], 1)[0]
    edges = np.linspace(low, high, 61)
    groups = targets.values if targets.is_class else np.zeros(len(h), dtype=np.intp)
    for group, color in enumerate(style.class_colors(len(targets.names))):
        counts, _ = np.histogram(h[groups == group], edges)
        paper.stairs(counts, edges, fill=True, color=color, alpha=0.5)
        paper.stairs(counts, edges, color=color, linewidth=1.2)
    paper.set_ylim(bottom=0)
    paper.set_xlim(low, high)
    if scene.plane is None or scene.plane[0][0] == 0:
        return None
    place = -scene.plane[1] / scene.plane[0][0]
    if not low < place < high:
        return None
    return paper.axvline(place, color=style.INK, linewidth=1.4)


def _draw_plane(paper: Any, scene: HiddenScene) -> Any:
    span = spans(scene.cloud.points, 2)
    style.draw_samples(paper, scene.cloud, scene.cloud.points, span)
    paper.set_xlim(*span[0])
    paper.set_ylim(*span[1])
    if scene.plane is None:
        return None
    w, b = scene.plane
    ticks = [np.linspace(low, high, 3) for low, high in span]
    margin = w[0] * ticks[0][None, :] + w[1] * ticks[1][:, None] + b
    if not margin.min() < 0 < margin.max():
        return None
    paper.contour(*ticks, margin, levels=[0], colors=style.INK, linewidths=1.6, zorder=6)
    return require("matplotlib.lines").Line2D([], [], color=style.INK, linewidth=1.6)


def _draw_space(figure: Figure, scene: HiddenScene, view: tuple[float, float] | None) -> tuple[Any, Any]:
    cloud = scene.cloud
    span = scene.box
    scale = np.ptp(span, axis=1)
    unit = (cloud.points - span[:, 0]) / scale  # in the box that is drawn
    groups, _ = style.color_groups(cloud.targets)
    elevation, azimuth = view or (22.0, scene.azimuth(groups, 22.0))
    paper = style.solid_axes(figure, elevation, azimuth)
    paper.set(xlim=span[0], ylim=span[1], zlim=span[2])
    style.set_labels(paper, scene.projection.labels)
    towards = space.view_direction(elevation, azimuth)
    far_first = np.argsort(unit @ towards, kind="stable")
    screen = unit @ space.screen_axes(elevation, azimuth).T
    seen = screen, spans(screen, 2)
    corners = scene.corners
    if len(corners) == 0:
        style.draw_samples(paper, cloud, *seen, far_first)
        return paper, None
    # Samples on the viewer's side of the plane can only be in front of it, the others behind.
    w, b = scene.plane  # type: ignore[misc]
    front = (cloud.points @ w + b) * ((w * scale) @ towards) > 0
    style.draw_samples(paper, cloud, *seen, far_first[~front[far_first]], zorder=2)
    art3d, patches = require("mpl_toolkits.mplot3d.art3d"), require("matplotlib.patches")
    look = {"facecolor": _PLANE, "edgecolor": style.INK, "linewidth": 1.0, "alpha": 0.4}
    paper.add_collection3d(art3d.Poly3DCollection([corners], zorder=3, **look), autolim=False)
    style.draw_samples(paper, cloud, *seen, far_first[front[far_first]], zorder=4)
    return paper, patches.Patch(**look)


# ---- The output ---------------------------------------------------------------------------------


def _draw_surface(figure: Figure, grid: Grid, view: tuple[float, float]) -> None:
    paper = style.solid_axes(figure, *view, height=_HEIGHT)
    low, high = (0.0, 1.0) if grid.field.is_class else style.value_range(grid.scalar)
    heights = np.where(np.isfinite(grid.scalar), grid.scalar, low)
    light = _light(grid, heights / (high - low))
    if grid.field.is_class and len(grid.field.names) > 2:
        mesh = make_mesh(grid)
        colors = mesh.colors(len(grid.field.names), 0.75) * _light_on(mesh, grid, light)[:, None]
        paper.add_collection(smooth_triangles()(mesh, colors, grid, zorder=2), autolim=False)
    else:
        x, y = np.meshgrid(*grid.ticks)
        corners = np.stack([x, y, heights], axis=-1)
        colors = surface_colors(grid, low, high) * light[..., None]
        paper.add_collection(smooth_surface()(corners, colors, zorder=2), autolim=False)
    span = np.array([(ticks[0], ticks[-1]) for ticks in grid.ticks])
    paper.set(xlim=span[0], ylim=span[1], zlim=(low, high))
    style.set_labels(paper, [*grid.projection.labels, grid.field.quantity])
    if not grid.field.is_class:
        return  # the height is the scale
    paper.set_zticks([0, 0.25, 0.5, 0.75, 1])
    handles, names = [], []
    if len(grid.field.names) > 2:
        names = style.short_names(grid.field.names)
        handles = [style.dot(color, marker="s") for color in style.class_colors(len(names))]
    classes = len(names)
    line = _draw_contours(paper, grid, heights, view)
    if line is not None:
        handles, names = [*handles, line], [*names, "P = 1/2" if not names else "equally probable"]
    style.set_legend(paper, handles, names, classes)


@cache
def smooth_surface() -> Any:
    """The class of a surface whose colors run smoothly from corner to corner.

    matplotlib's own 3-D surfaces give each face one color, which makes bands of a steep wall; its
    flat meshes can run colors. This is one of those, whose corners follow the 3-D view. (A class
    made in a function, because its base is imported only here.)
    """
    mesh: Any = require("matplotlib.collections").QuadMesh
    proj3d = require("mpl_toolkits.mplot3d.proj3d")

    class SmoothSurface(mesh):  # type: ignore[misc]
        def __init__(self, corners: Array, colors: Array, **extra: Any) -> None:
            super().__init__(corners[..., :2], shading="gouraud", antialiased=True, **extra)
            self._corners, self._corner_colors = corners, colors

        def do_3d_projection(self) -> float:
            # Far faces first: in a landscape that is an order of rows and columns.
            towards = space.view_direction(self.axes.elev, self.axes.azim)
            order = np.s_[:: 1 if towards[1] > 0 else -1, :: 1 if towards[0] > 0 else -1]
            corners = self._corners[order]
            x, y, z = proj3d.proj_transform(*corners.reshape(-1, 3).T, self.axes.M)
            self._coordinates = np.stack([x, y], axis=-1).reshape(*corners.shape[:2], 2)
            self.set_facecolor(self._corner_colors[order].reshape(-1, 3))
            return float(np.min(z))

    return SmoothSurface


@cache
def smooth_triangles() -> Any:
    """The class of a surface of triangles in the 3-D view, its colors running from corner to corner."""
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
            # Far cells first, by rows and columns, and of a cell its far pieces.
            mesh, towards = self._mesh, space.view_direction(self.axes.elev, self.axes.azim)
            rows, columns = np.divmod(mesh.cells, self._columns)
            turn = [1 if one > 0 else -1 for one in towards[:2]]
            near = mesh.points[mesh.triangles, :2].mean(axis=1) @ towards[:2]
            order = np.lexsort([near, turn[0] * columns, turn[1] * rows])
            x, y, z = proj3d.proj_transform(*mesh.points.T, self.axes.M)
            self._triangulation = triangulation(x, y, mesh.triangles[order])
            return float(np.min(z))

    return SmoothTriangles


def _light(grid: Grid, relief: Array) -> Array:
    """How bright each point of the surface is, 0.7 to 1, lit from the upper left."""
    slopes = np.gradient(relief, *(ticks / np.ptp(ticks) for ticks in reversed(grid.ticks)))
    normal = np.stack([-_HEIGHT * slopes[1], -_HEIGHT * slopes[0], np.ones_like(relief)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.35, -0.75, 0.56])
    return 0.7 + 0.3 * np.clip(0.45 + 0.75 * normal @ lamp, 0, 1)


def _light_on(mesh: Mesh, grid: Grid, light: Array) -> Array:
    """The light at a mesh's points: its first ones are the grid's, the others lie between those."""
    x, y = mesh.points[light.size :, :2].T
    row = np.interp(y, grid.ticks[1], np.arange(len(grid.ticks[1])))
    column = np.interp(x, grid.ticks[0], np.arange(len(grid.ticks[0])))
    i, j = (np.minimum(at.astype(np.intp), n - 2) for at, n in zip((row, column), light.shape, strict=True))
    s, t = row - i, column - j
    between = (1 - s) * ((1 - t) * light[i, j] + t * light[i, j + 1])
    between += s * ((1 - t) * light[i + 1, j] + t * light[i + 1, j + 1])
    return np.concatenate([light.ravel(), between])


def surface_colors(grid: Grid, low: float, high: float) -> Array:
    """The surface's colors (rows, columns, 3): between two classes', or a scale of values."""
    cmap = style.two_class_map() if grid.field.is_class else require("matplotlib").colormaps[style.VALUES]
    share = (np.nan_to_num(grid.scalar, nan=low) - low) / (high - low)
    return np.asarray(cmap(share))[..., :3]


def _draw_contours(paper: Any, grid: Grid, heights: Array, view: tuple[float, float]) -> Any:
    """The boundary on the surface, dotted where the surface hides it; a legend's handle, or None."""
    low = np.array([grid.ticks[0][0], grid.ticks[1][0], 0.0])
    scale = np.array([np.ptp(grid.ticks[0]), np.ptp(grid.ticks[1]), 1 / _HEIGHT])
    ticks = tuple((one - one[0]) / np.ptp(one) for one in grid.ticks)
    towards = space.view_direction(*view)
    lines = boundary_lines(grid)
    for line in lines:
        z = np.full(len(line), 0.5) if len(grid.field.names) == 2 else grid.height_at(line)
        curve = np.column_stack([line, z])
        hidden = space.hidden_by_surface((curve - low) / scale, ticks, heights * _HEIGHT, towards)
        shown = np.where(hidden[:, None], np.nan, curve)
        behind = np.where(hidden[:, None], curve, np.nan)
        paper.plot(*shown.T, color=style.INK, linewidth=1.8, zorder=4)
        paper.plot(*behind.T, color=style.INK, linewidth=1.0, linestyle=(0, (1, 1.8)), zorder=4)
    line2d = require("matplotlib.lines").Line2D
    return line2d([], [], color=style.INK, linewidth=1.8) if lines else None
