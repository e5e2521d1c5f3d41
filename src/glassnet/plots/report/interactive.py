"""The five pictures as plotly figures, written as the plain dicts that plotly.js reads.

This module does not import plotly's Python classes, which takes longer than writing the page; the tests
check every figure with them.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.plots import style
from glassnet.plots.boundary import crossings
from glassnet.plots.geometry import plane_in_box
from glassnet.plots.loss_curve import LossCurve
from glassnet.plots.picture_data import Cloud, Grid, HiddenScene, Targets, boundary_lines
from glassnet.plots.projection import Projection, spans
from glassnet.plots.report.traces import (
    VIRIDIS,
    Picture,
    Trace,
    class_entries,
    color_bar,
    count_axis,
    hex_color,
    log_step,
    make_axis,
    make_bars,
    make_curve,
    make_layout,
    make_line,
    make_samples,
    make_scene,
    packed,
    plane_axes,
    text,
    upright,
)
from glassnet.plots.surface import make_mesh
from glassnet.utils.words import short_names


def data_picture(cloud: Cloud, projection: Projection) -> Picture:
    """The samples."""
    if projection.dimensions == 1:
        return over_line(cloud, projection, [])
    span = spans(cloud.points, 2)
    return {
        "data": make_samples(cloud.points, cloud.targets, projection.labels, span),
        "layout": make_layout(**plane_axes(projection.labels, span)),
    }


def loss_picture(curve: LossCurve) -> Picture:
    """The loss after every iteration."""
    look: dict[str, Any] = {"hover": f"{curve.unit} %{{x:,d}}<br>loss %{{y:.7g}}"}
    look["markers"] = len(curve.iterations) <= 40
    traces = [
        make_curve(x, y, name, color, line={"width": 2.0 if name == "training" else 1.5}, **look)
        for name, x, y, color in curve.lines
    ]
    layout = make_layout(
        xaxis=count_axis(curve.unit, curve.span),
        yaxis=make_axis(curve.label, type="log" if curve.log else "linear", exponentformat="none"),
        showlegend=len(traces) > 1,
        hovermode="x",
    )
    layout["yaxis"].update(separatethousands=True, dtick=log_step(curve.finite, 8) if curve.log else None)
    notes = [
        _note(*mark.at, html.escape(mark.text, quote=False), mark.side, curve.log) for mark in curve.marks
    ]
    if curve.cliff is not None:
        text = html.escape(curve.cliff.text, quote=False).replace(", then", ",<br>then")
        note = _note(curve.cliff.stop, curve.cliff.after, text, "right", True)
        notes.append({**note, "ax": 36, "ay": -20, "align": "left"})
    if curve.diverged_at is not None:
        color = style.OKABE_ITO[1]
        layout["shapes"] = [upright(curve.diverged_at, color, 2)]
        note = _note(
            curve.diverged_at, 1.0, f"diverged at {curve.unit} {curve.diverged_at:,}", "left", False
        )
        notes.append(
            {**note, "yref": "paper", "yanchor": "top", "showarrow": False, "font": {"color": color}}
        )
    layout["annotations"] = notes
    return {"data": traces, "layout": layout}


def _note(x: float, y: float, text: str, side: str, log: bool) -> dict[str, Any]:
    """Words with an arrow to a point, on the "left" or "right" of it."""
    return {
        "x": x,
        "y": float(np.log10(y)) if log else y,
        "text": text,
        "ax": 40 if side == "right" else -24,
        "ay": -22,
        "arrowhead": 6,
        "bgcolor": "rgba(255,255,255,0.8)",
        "arrowcolor": style.FAINT,
        "xanchor": "left" if side == "right" else "right",
    }


def boundary_picture(cloud: Cloud, grid: Grid) -> Picture:
    """The prediction at every point, with the samples on it."""
    if grid.projection.dimensions == 1:
        return over_line(cloud, grid.projection, curves(grid))
    traces = [
        background(grid, cloud.targets.values),
        *make_samples(cloud.points, cloud.targets, grid.projection.labels, grid.span),
    ]
    for i, line in enumerate(boundary_lines(grid)):
        traces.append(make_line(line, grid.field.border, legend=i == 0))
    if cloud.n_wrong:
        wrong = cloud.points[cloud.wrong]
        traces.append(
            {
                "type": "scattergl",
                "mode": "markers",
                "name": f"misclassified ({cloud.n_wrong:,})",
                "x": packed(wrong[:, 0]),
                "y": packed(wrong[:, 1]),
                "marker": {"symbol": "circle-open", "size": 10, "color": style.INK, "line": {"width": 1.4}},
                "hoverinfo": "skip",
            }
        )
    layout = make_layout(**plane_axes(grid.projection.labels, grid.span))
    for axis in ("xaxis", "yaxis"):
        layout[axis]["showgrid"] = False
    return {"data": traces, "layout": layout}


def background(grid: Grid, values: NDArray[Any]) -> Trace:
    """What the network answers over the plane, as colors."""
    names = grid.field.names
    trace: Trace = {
        "type": "heatmap",
        "x": packed(grid.ticks[0]),
        "y": packed(grid.ticks[1]),
        "showscale": False,
    }
    if grid.field.is_class and len(names) > 2:
        return {**trace, **_winners(grid, 0.3), "hoverinfo": "skip"}
    if grid.field.is_class:
        look = {"zmin": 0, "zmax": 1, "colorscale": _two_class_scale(0.3)}
        words = f"P({text(names[1], 24)}) = %{{z:.4f}}"
    else:
        low, high = style.value_range(values)
        look = {"zmin": low, "zmax": high, "colorscale": VIRIDIS}
        words = f"{text(grid.field.quantity)} %{{z:,.6~g}}"
    return {**trace, "z": packed(grid.scalar), **look, "hovertemplate": f"{words}<extra></extra>"}


def _winners(grid: Grid, strength: float) -> Trace:
    """class + certainty as one number, on a color scale with a ramp for each class."""
    count = len(grid.field.names)
    P = np.nan_to_num(grid.values)
    # plotly's scales have 256 colors: each class keeps clear of the ends of its neighbors' ramps.
    scale: list[list[Any]] = []
    for i, color in enumerate(style.class_colors(count)):
        full = hex_color(style.tint(color, strength))
        scale += [[i / count, "#ffffff"], [(i + 0.1) / count, "#ffffff"], [(i + 0.85) / count, full]]
        scale.append([1 if i == count - 1 else (i + 0.999) / count, full])
    number = P.argmax(axis=-1) + 0.1 + 0.75 * style.certainty(P.max(axis=-1), count)
    return {"z": packed(number), "zmin": 0, "zmax": count, "colorscale": scale}


def _cut_surface(grid: Grid, surface: Trace) -> Trace:
    """The surface of several classes as triangles that end on the borders."""
    mesh = make_mesh(grid)
    # By default plotly gives small triangles no normal, and does not light them.
    lighting = {**surface["lighting"], "facenormalsepsilon": 0, "vertexnormalsepsilon": 0}
    return {
        "type": "mesh3d",
        **{key: surface[key] for key in ("hovertemplate", "showscale")},
        "lighting": lighting,
        **{axis: packed(column) for axis, column in zip("xyz", mesh.points.T, strict=True)},
        **{corner: packed(column, "i4") for corner, column in zip("ijk", mesh.triangles.T, strict=True)},
        "vertexcolor": [hex_color(color) for color in mesh.colors(len(grid.field.names), 0.75)],
    }


def _two_class_scale(strength: float) -> list[list[Any]]:
    zero, one = (hex_color(style.tint(color, strength)) for color in style.OKABE_ITO[:2])
    return [[0, zero], [0.5, "#ffffff"], [1, one]]


def hidden_picture(scene: HiddenScene, most: int) -> Picture:
    """The samples in the coordinates of a hidden layer; in three dimensions at most about `most`."""
    cloud, dimensions, labels = scene.cloud, scene.projection.dimensions, scene.projection.labels
    if dimensions == 1:
        return _histogram(scene)
    if dimensions == 2:
        span = spans(cloud.points, 2)
        traces = make_samples(cloud.points, cloud.targets, labels, span)
        if scene.plane is not None and len(line := plane_in_box(*scene.plane, *span.T)):
            traces.append(make_line(line, "output layer's boundary"))
        axes = {"xaxis": make_axis(labels[0], span[0]), "yaxis": make_axis(labels[1], span[1])}
        return {"data": traces, "layout": make_layout(**axes)}
    step = max(1, -(-len(cloud.points) // most))
    traces = make_samples(cloud.points[::step], cloud.targets.of(np.s_[::step]), labels)
    corners = scene.corners
    if len(corners):
        fan = np.arange(1, len(corners) - 1)
        traces.append(
            {
                "type": "mesh3d",
                "name": "output layer's boundary",
                "showlegend": True,
                **{axis: packed(column) for axis, column in zip("xyz", corners.T, strict=True)},
                "i": [0] * len(fan),
                "j": fan.tolist(),
                "k": (fan + 1).tolist(),
                "color": "#888888",
                "opacity": 0.45,
                "hoverinfo": "skip",
            }
        )
        closed = np.vstack([corners, corners[:1]])
        traces.append(make_line(closed, "edge", legend=False, line={"color": style.INK, "width": 3}))
    numbers, _ = style.number_colors(cloud.targets)
    view = 22.0, scene.azimuth(numbers, 22.0)
    return {"data": traces, "layout": make_layout(**make_scene(labels, scene.box, 1.0, view))}


def _histogram(scene: HiddenScene) -> Picture:
    edges, counts, threshold = scene.histogram()
    targets = scene.cloud.targets
    layout = make_layout(
        xaxis=make_axis(scene.projection.labels[0], edges[[0, -1]]),
        yaxis=make_axis("samples"),
        barmode="overlay",
        bargap=0,
        shapes=[] if threshold is None else [upright(threshold)],
    )
    bars = make_bars(edges, counts, targets.names if targets.is_class else ["samples"], opacity=0.6)
    return {"data": bars, "layout": layout}


def surface_picture(grid: Grid) -> Picture:
    """The output of the network as a surface that turns with the mouse; over one input, a curve."""
    labels, quantity = grid.projection.labels, grid.field.quantity
    if grid.projection.dimensions == 1:
        label = "probability" if grid.field.is_class else quantity
        layout = make_layout(xaxis=make_axis(labels[0], grid.ticks[0][[0, -1]]), yaxis=make_axis(label))
        layout["shapes"] = [upright(place) for place in crossings(grid)] if grid.field.is_class else []
        return {"data": curves(grid), "layout": layout}
    z = grid.scalar
    low, high = (0.0, 1.0) if grid.field.is_class else style.value_range(z)
    surface: Trace = {
        "type": "surface",
        "x": packed(grid.ticks[0]),
        "y": packed(grid.ticks[1]),
        "z": packed(np.where(np.isfinite(z), z, low)),
        "showscale": False,
        "lighting": {"ambient": 0.72, "diffuse": 0.5, "specular": 0.05, "roughness": 0.9},
        "hovertemplate": f"{text(labels[0], 24)} %{{x:,.6~g}}<br>{text(labels[1], 24)} %{{y:,.6~g}}"
        f"<br>{text(quantity)} %{{z:,.6~g}}<extra></extra>",
        "contours": {axis: {"highlight": False} for axis in "xyz"},
    }
    if not grid.field.is_class:
        bar = color_bar(quantity)
        surface.update(colorscale=VIRIDIS, cmin=low, cmax=high, showscale=True, colorbar=bar)
    elif len(grid.field.names) == 2:
        surface.update(colorscale=_two_class_scale(0.9), cmin=0, cmax=1)
    else:
        surface = _cut_surface(grid, surface)
    traces = [surface]
    for i, line in enumerate(boundary_lines(grid)):
        # A little above the surface, which would otherwise hide pixels of the line.
        heights = grid.height_at(line) + 0.004
        traces.append(make_line(np.column_stack([line, heights]), grid.field.border, legend=i == 0))
    if grid.field.is_class and len(grid.field.names) > 2:
        names, colors = short_names(grid.field.names), style.class_colors(len(grid.field.names))
        traces += class_entries(names, colors, {"symbol": "square", "size": 6})
    room = 1e-3 * (high - low)  # what lies in a face of the box, plotly may cut
    box = np.vstack([grid.span, (low - room, high + room)])
    return {
        "data": traces,
        "layout": make_layout(**make_scene([*labels, quantity], box, 0.7), showlegend=True),
    }


def curves(grid: Grid) -> list[Trace]:
    """What the network answers over a line: the value, or the probability of each class."""
    ticks = grid.ticks[0]
    if not grid.field.is_class:
        line = {"color": style.OKABE_ITO[1], "width": 2.5}
        return [make_line(np.column_stack([ticks, grid.values]), text(grid.field.quantity), line=line)]
    colors = style.class_colors(len(grid.field.names))
    return [
        make_line(np.column_stack([ticks, column]), f"P({text(name)})", line={"color": color, "width": 2.5})
        for name, color, column in zip(grid.field.names, colors, grid.values.T, strict=True)
    ]


def over_line(cloud: Cloud, projection: Projection, curves: list[Trace]) -> Picture:
    """Samples over one coordinate: a value at its height, each class in its own strip."""
    points, label = style.over_line(cloud, predicted=bool(curves))
    span = np.vstack([spans(cloud.points, 1), spans(points[:, 1:], 1)])
    layout = make_layout(xaxis=make_axis(projection.labels[0], span[0]), yaxis=make_axis(label))
    targets = cloud.targets
    if not targets.is_class:  # the height already shows the value
        targets = Targets(np.zeros(len(points), dtype=np.intp), ("samples",), is_class=True)
    samples = make_samples(points, targets, [projection.labels[0], label], span)
    return {"data": [*samples, *curves], "layout": layout}
