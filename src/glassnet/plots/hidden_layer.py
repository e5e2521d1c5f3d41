"""The samples in the coordinates of a hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.plots import geometry, style
from glassnet.plots.picture_data import HiddenScene, as_samples, check_run, make_field, make_hidden_scene
from glassnet.plots.projection import Axes, spans
from glassnet.training.run import TrainingRun
from glassnet.utils.libraries import require
from glassnet.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_PLANE = "#9A9A9A"


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
    """Draw the samples in the coordinates of a hidden layer: three units as axes, colored by target.

    Where the layer has three units or fewer and feeds an output layer that separates two classes, the
    picture shows the separating plane (a line, a threshold) too. Two units give a picture in the plane, one
    a histogram.

    Parameters
    ----------
    units : the units on the axes, by index from 0, or "principal"; None is all of up to three, else the
        principal axes of the layer's output.
    layer : the hidden layer, from 0; -1 is the last.
    output : the label, target value, or softmax class against the rest, that the colors show.
    view : elevation and azimuth in degrees; None chooses a view that shows the classes apart.

    The other arguments are those of `decision_boundary`.

    Raises InputError for a network without hidden layers, an unknown layer or unit, and unusable arrays;
    MissingLibraryError where matplotlib is not installed.

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
    entries = style.sample_legend(cloud.targets)
    if dimensions == 3:
        paper, more = _draw_space(figure, scene, view)
    else:
        paper = style.flat_axes(figure)
        more = _draw_histogram(paper, scene) if dimensions == 1 else _draw_plane(paper, scene)
        style.set_labels(paper, [*scene.projection.labels, "samples"][:2])
    boundary = [] if more is None else [(more, "output layer's boundary")]
    style.set_legend(paper, entries + boundary, len(entries))
    if not cloud.targets.is_class and dimensions > 1:
        style.color_bar(figure, paper, style.color_scale(cloud.targets.values), cloud.targets.names[0])
    heading = title or f"The samples in hidden layer {scene.layer + 1}"
    width = run.network.sizes[scene.layer + 1]
    about = counted(width, f"{run.network.hidden[scene.layer].name} unit")
    style.set_title(figure, heading, [about, cloud.note, scene.projection.note])
    return figure


def _draw_histogram(paper: Any, scene: HiddenScene) -> Any:
    edges, counts, threshold = scene.histogram()
    for heights, color in zip(counts, style.class_colors(len(counts)), strict=True):
        paper.stairs(heights, edges, fill=True, color=color, alpha=0.5)
        paper.stairs(heights, edges, color=color, linewidth=1.2)
    paper.set_ylim(bottom=0)
    paper.set_xlim(edges[0], edges[-1])
    return None if threshold is None else paper.axvline(threshold, color=style.INK, linewidth=1.4)


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
    return style.stroke()


def _draw_space(figure: Figure, scene: HiddenScene, view: tuple[float, float] | None) -> tuple[Any, Any]:
    cloud, span = scene.cloud, scene.box
    scale = np.ptp(span, axis=1)
    unit = (cloud.points - span[:, 0]) / scale  # in a box with sides of length 1
    numbers, _ = style.number_colors(cloud.targets)
    elevation, azimuth = view or (22.0, scene.azimuth(numbers, 22.0))
    paper = style.solid_axes(figure, elevation, azimuth)
    paper.set(xlim=span[0], ylim=span[1], zlim=span[2])
    style.set_labels(paper, scene.projection.labels)
    towards = geometry.view_direction(elevation, azimuth)
    far_first = np.argsort(unit @ towards, kind="stable")
    screen = unit @ geometry.screen_axes(elevation, azimuth).T
    seen = screen, spans(screen, 2)
    corners = scene.corners
    if len(corners) == 0:
        style.draw_samples(paper, cloud, *seen, far_first)
        return paper, None
    # Samples on the viewer's side of the plane are in front of it, the others behind.
    w, b = scene.plane  # type: ignore[misc]
    front = (cloud.points @ w + b) * ((w * scale) @ towards) > 0
    style.draw_samples(paper, cloud, *seen, far_first[~front[far_first]], zorder=2)
    art3d, patches = require("mpl_toolkits.mplot3d.art3d"), require("matplotlib.patches")
    look = {"facecolor": _PLANE, "edgecolor": style.INK, "linewidth": 1.0, "alpha": 0.4}
    paper.add_collection3d(art3d.Poly3DCollection([corners], zorder=3, **look), autolim=False)
    style.draw_samples(paper, cloud, *seen, far_first[front[far_first]], zorder=4)
    return paper, patches.Patch(**look)
