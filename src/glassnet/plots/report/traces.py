"""The elements of the report's plotly figures: arrays, axes, samples, lines."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.geometry import view_direction
from glassnet.plots.picture_data import Targets
from glassnet.plots.projection import is_even
from glassnet.utils.words import short_names, tidy

Trace = dict[str, Any]
Picture = dict[str, Any]

VIRIDIS = "Viridis"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_NO_TAGS = str.maketrans("<>{}", "\u2039\u203a()")
_EXACT = {"color": style.INK, "width": 2, "simplify": False}


def text(name: object, longest: int = 40) -> str:
    """A user's name for plotly, which interprets some HTML, and braces in hover texts.

    It decodes few names of characters; that of a quotation mark, which needs none, it shows as it is.
    """
    escaped = html.escape(tidy(name, longest), quote=False)
    return escaped.replace("{", "&#123;").replace("}", "&#125;")


def packed(values: NDArray[Any], kind: str = "f4") -> dict[str, Any]:
    """An array as plotly's base64 block, a third of the size of written numbers; a matrix keeps its shape.

    Numbers are in single precision where it resolves a thousandth of their range, else in double.
    """
    if kind == "f4":
        finite = np.asarray(values, np.float64)[np.isfinite(values)]
        with np.errstate(over="ignore"):
            lost = np.abs(finite - finite.astype(np.float32)).max(initial=0.0)
        kind = "f8" if finite.size and lost > 1e-3 * np.ptp(finite) else "f4"
    data = np.ascontiguousarray(values, dtype=f"<{kind}")
    block = {"dtype": kind, "bdata": base64.b64encode(data.tobytes()).decode("ascii")}
    return block if data.ndim == 1 else {**block, "shape": ", ".join(map(str, data.shape))}


def hex_color(color: Array) -> str:
    """Three numbers from 0 to 1 as "#rrggbb"."""
    return "#" + "".join(f"{round(255 * float(c)):02x}" for c in color)


NUMBERS = {"exponentformat": "e", "minexponent": 8}
"""How the ticks of an axis are written: 27,240 and not 27.24k, with exponents from 1e9 on."""


def color_bar(name: object) -> dict[str, Any]:
    """The scale of a quantity beside a picture."""
    return {"title": {"text": text(name, 24), "side": "right"}, "thickness": 12, **NUMBERS}


def make_layout(**extra: Any) -> dict[str, Any]:
    """The layout of a figure: the font of the page, white paper, the legend above."""
    return {
        "font": {"family": _FONT, "size": 13, "color": style.INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 58, "r": 12, "t": 34, "b": 48},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.01,
            "xanchor": "left",
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        "hoverlabel": {"font": {"family": _FONT}},
        **extra,
    }


def make_axis(label: object, span: Sequence[float] | Array | None = None, **extra: Any) -> dict[str, Any]:
    """An axis of a flat figure over `span` (low, high)."""
    axis: dict[str, Any] = {
        "title": {"text": text(label), "standoff": 8},
        "gridcolor": style.GRID,
        "linecolor": style.FAINT,
        "zeroline": False,
        "automargin": True,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": style.FAINT,
        **NUMBERS,
        **extra,
    }
    if span is not None:
        axis["range"] = [float(span[0]), float(span[1])]
    return axis


def plane_axes(labels: Sequence[object], span: Array) -> dict[str, Any]:
    """Both axes of a plane, in equal units where their lengths are alike."""
    x, y = (make_axis(label, limits) for label, limits in zip(labels, span, strict=True))
    if is_even(span):
        y.update(scaleanchor="x", constrain="domain")
        x.update(constrain="domain")
    return {"xaxis": x, "yaxis": y}


def make_samples(
    points: Array, targets: Targets, labels: Sequence[object], span: Array | None = None
) -> list[Trace]:
    """Dots in two or three dimensions, a trace for each class or one with a color scale.

    In the plane, where `span` holds the limits of both axes, their opacity falls with their density.
    """
    size, kind, point = style.dot_size(len(points)), "scatter3d", "scatter3d"
    fade = None
    if span is not None:
        size, point, lengths = 1.6 * size, "scatter", np.ptp(span, axis=1)
        # WebGL computes in single precision.
        kind = "scattergl" if lengths.min() > 1e-30 and lengths.max() < 1e30 else "scatter"
        fade = style.opacities(points, span, size)
    size = max(1.8 if fade is None else 2.4, size)
    where = "<br>".join(
        f"{text(label, 24)} %{{{axis}:,.6~g}}" for axis, label in zip("xyz", labels, strict=False)
    )
    kinds: list[tuple[NDArray[np.intp], str, dict[str, Any]]] = []
    traces: list[Trace] = []
    if targets.is_class:
        names, colors = short_names(targets.names), style.class_colors(len(targets.names))
        for number, color in enumerate(colors):
            rows = np.flatnonzero(targets.values == number)
            if rows.size:
                kinds.append((rows, names[number], {"color": color, "opacity": 0.75}))
        # In entries of their own, whose dots do not depend on the samples' looks.
        look = {"size": 8, "symbol": "circle"}
        shown = [marker["color"] for _, _, marker in kinds]
        traces = class_entries([name for _, name, _ in kinds], shown, look, point)
    else:
        low, high = style.value_range(targets.values)
        scale = {
            "color": packed(targets.values),
            "colorscale": VIRIDIS,
            "cmin": low,
            "cmax": high,
            "colorbar": color_bar(targets.names[0]),
            "opacity": 0.7,
        }
        kinds.append((np.arange(len(points)), targets.names[0], scale))
    for rows, name, marker in kinds:
        if fade is not None:
            marker["opacity"] = packed(fade[rows])
        traces.append(
            {
                "type": kind,
                "mode": "markers",
                "name": text(name),
                "legendgroup": text(name),
                "showlegend": False,
                **{axis: packed(column) for axis, column in zip("xyz", points[rows].T, strict=False)},
                "marker": {"size": size, "line": {"width": 0}, **marker},
                "hovertemplate": f"{where}<extra>{text(name)}</extra>",
            }
        )
    return traces


def make_line(points: Array, name: str, legend: bool = True, **extra: Any) -> Trace:
    """A line in two or three dimensions."""
    return {
        "type": "scatter3d" if points.shape[1] == 3 else "scatter",
        "mode": "lines",
        "name": name,
        "showlegend": legend,
        "legendgroup": name,
        **{axis: packed(column) for axis, column in zip("xyz", points.T, strict=False)},
        "line": {"color": style.INK, "width": 5} if points.shape[1] == 3 else _EXACT,
        "hoverinfo": "skip",
        **extra,
    }


def make_curve(x: NDArray[Any], y: NDArray[Any], name: str, color: str, hover: str, **look: Any) -> Trace:
    """A curve with a text where the mouse is, "" for none, and with gaps where y is not finite.

    `look` has keys of plotly's, and `markers` for dots on the line.
    """
    line = {"color": color, "width": 2, **look.pop("line", {})}
    return {
        "type": "scatter",
        "mode": "lines+markers" if look.pop("markers", False) else "lines",
        "name": name,
        "x": packed(x, "i4"),
        "y": [float(value) if np.isfinite(value) else None for value in y],
        "line": line,
        **({"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}),
        **look,
    }


def make_bars(
    edges: Array, counts: Sequence[NDArray[Any]], names: Sequence[object], **marker: Any
) -> list[Trace]:
    """The bars of a histogram, in the color of each name."""
    return [
        {
            "type": "bar",
            "name": text(name),
            "x": packed((edges[:-1] + edges[1:]) / 2),
            "y": heights.tolist(),
            "width": float(edges[1] - edges[0]),
            "marker": {"color": color, **marker},
            "hovertemplate": f"%{{y:,d}} near %{{x:,.6~g}}<extra>{text(name)}</extra>",
        }
        for name, heights, color in zip(names, counts, style.class_colors(len(names)), strict=True)
    ]


def legend_entry(name: str, marker: dict[str, Any], kind: str = "scatter3d") -> Trace:
    """An entry of the legend: a click on it hides and shows the traces of that name."""
    nowhere = {axis: [None] for axis in ("xyz" if kind == "scatter3d" else "xy")}
    return {
        "type": kind,
        "mode": "markers",
        "name": text(name),
        "legendgroup": text(name),
        "marker": marker,
        "hoverinfo": "skip",
        **nowhere,
    }


def make_scene(
    labels: Sequence[object], box: Array, height: float, view: tuple[float, float] = (30.0, -55.0)
) -> dict[str, Any]:
    """A 3-D scene over the box (3, 2), its height against a base of 1 by 1, seen from `view`."""
    axes = {
        f"{axis}axis": {
            # plotly draws entities as they stand here; other brackets prevent tags.
            # The empty lines keep the title clear of the numbers of the ticks.
            "title": {"text": 2 * "<br>" + tidy(label, 28).translate(_NO_TAGS), "font": {"size": 13}},
            "tickfont": {"size": 11},
            "nticks": 6,
            "range": [float(span[0]), float(span[1])],
            "backgroundcolor": "#f6f6f6",
            "showbackground": True,
            "gridcolor": "#d9d9d9",
            "zerolinecolor": "#d9d9d9",
            "showspikes": False,
            **NUMBERS,
        }
        for axis, label, span in zip("xyz", labels, box, strict=True)
    }
    side = 1.15 if height < 1 else 1.0  # fills the picture but leaves room to turn
    x, y, z = (2 * view_direction(*view)).tolist()
    scene = {
        **axes,
        "aspectmode": "manual",
        "aspectratio": {"x": side, "y": side, "z": side * height},
        "camera": {"eye": {"x": x, "y": y, "z": z}, "projection": {"type": "orthographic"}},
        "dragmode": "turntable",
    }
    return {"scene": scene, "margin": {"l": 0, "r": 0, "t": 34, "b": 0}}


def class_entries(
    names: Sequence[str], colors: Sequence[str], look: dict[str, Any], kind: str = "scatter3d"
) -> list[Trace]:
    """Entries of the legend for classes: twelve, and one that counts the others."""
    pairs = zip(names, colors, strict=True)
    entries = [legend_entry(name, {"color": color, **look}, kind) for name, color in pairs]
    more = len(entries) - style.MOST_CLASSES
    if more > 0:
        entries[-more:] = [legend_entry(f"+{more} classes", {"color": "rgba(0,0,0,0)"}, kind)]
    return entries


def count_axis(unit: str, span: tuple[int, int]) -> dict[str, Any]:
    """The axis of the iterations or epochs of a run."""
    first, last = span
    margin = 0.03 * (last - first + 1)
    few = {"dtick": 1} if last - first < 7 else {"nticks": 7}
    return make_axis(unit, (first - margin, last + margin), tickformat=",d", **few)


def log_step(values: Array, most: int) -> int | None:
    """The powers of 10 between `most` ticks of a logarithmic axis; None leaves a short one to plotly."""
    logs = np.log10(values[np.isfinite(values) & (values > 0)])
    powers = np.ptp(logs) if logs.size else 0.0
    return math.ceil(powers / most) if powers > 1.5 else None


def upright(x: float, color: str = style.INK, width: float = 1.6) -> dict[str, Any]:
    """A dashed vertical line."""
    line = {"color": color, "width": width, "dash": "dash"}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}
