"""The section of the report on the gradient and the curvature along a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.plots import style
from glassnet.plots.curvature_trace import (
    HEIGHTS,
    LARGEST,
    NEGATIVE,
    CurvatureData,
    curvature_data,
    limit_words,
    run_of,
)
from glassnet.plots.report.page import figure, sentence
from glassnet.plots.report.traces import (
    Picture,
    Trace,
    count_axis,
    log_step,
    make_axis,
    make_curve,
    make_layout,
)
from glassnet.utils.html import Html, tag
from glassnet.utils.words import readable

_BLUE, _RED = style.OKABE_ITO[:2]
_GAP = 0.045  # between two pictures, of the height of all

_LEAD = (
    "Above, the loss; under it the length of its gradient, the ends of its exact Hessian's spectrum, and "
    "the share of hidden units whose slope is less than a twentieth of their function's largest. Drag "
    "over an interval to enlarge it in all of them; double-click to see all."
)


def curvature_section(trace: CurvatureTrace, loss_points: int) -> Html:
    """The picture of the section, with a summary in words."""
    scene = curvature_data(trace, loss_points)
    words = [tag("p", sentence(scene.explanation))] if scene.explanation else []
    picture = figure("landscape", "", curvature_picture(scene), _LEAD, shape="wide tall")
    return tag("div", *words, tag("p", _ending(trace)), picture)


def _ending(trace: CurvatureTrace) -> str:
    end, (momentum, nesterov) = trace.points[-1], trace.momentum
    limit, most = end.stability_limit(momentum, nesterov), readable(end.lambda_max)
    clauses = [f"At the end, after {end.iteration:,}, the gradient is {readable(end.gradient_norm)} long"]
    if math.isfinite(limit):
        clauses[0] += (
            f" and the largest eigenvalue is {most}: steps of gradient descent with momentum {momentum:g} "
            f"grow there at learning rates above {readable(limit)}"
        )
    dead, units = sum(end.dead), sum(run_of(trace).network.sizes[1:-1])
    if units:
        clauses.append(f"{dead or 'none'} of the {units:,} hidden units {'are' if dead > 1 else 'is'} dead")
    return f"{'; '.join(clauses)}."


def curvature_picture(scene: CurvatureData) -> Picture:
    """Four pictures over one axis of iterations, three without a hidden layer."""
    curve, x = scene.curve, scene.iterations
    panels: list[tuple[str, bool, list[Trace]]] = [
        (curve.name, curve.log, [_line(curve.iterations, curve.losses, "loss", _BLUE, curve.log)]),
        ("gradient norm", True, [_line(x, scene.gradient, "gradient norm", _BLUE)]),
        ("eigenvalues", True, _eigenvalues(scene)),
    ]
    if scene.saturation:
        colors = style.class_colors(len(scene.saturation))
        lines = [
            _line(x, shares, name or "saturated units", color, False, "%{y:.1%}", showlegend=bool(name))
            for (name, shares), color in zip(scene.saturation, colors, strict=True)
        ]
        panels.append(("saturated units", False, lines))
    layout = make_layout(hovermode="x", showlegend=True)
    layout["xaxis"] = {**count_axis(curve.unit, curve.span), "anchor": f"y{len(panels)}"}
    for number, (top, bottom) in enumerate(_domains(len(panels)), 1):
        label, log, lines = panels[number - 1]
        for line in lines:
            line["yaxis"] = f"y{number}" if number > 1 else "y"
        known = np.array([value for line in lines for value in line["y"] if value is not None])
        axis = make_axis(label, type="log" if log and len(known) else "linear")
        axis |= {"domain": [bottom, top], "nticks": 5, "exponentformat": "none", "separatethousands": True}
        axis["dtick"] = log_step(known, 5) if log else None
        if label == "saturated units":
            axis |= {"range": [-0.03, 1.03], "tickformat": ".0%"}
        layout[f"yaxis{number if number > 1 else ''}"] = axis
    return {"data": [line for _, _, lines in panels for line in lines], "layout": layout}


def _domains(count: int) -> list[tuple[float, float]]:
    """Top and bottom of each picture; the first is the uppermost."""
    heights = np.array(HEIGHTS[:count])
    heights *= (1 - _GAP * (count - 1)) / heights.sum()
    tops = 1 - np.concatenate([[0.0], np.cumsum(heights + _GAP)[:-1]])
    return [(float(top), float(max(top - height, 0.0))) for top, height in zip(tops, heights, strict=True)]


def _eigenvalues(scene: CurvatureData) -> list[Trace]:
    lines = [_line(scene.iterations, scene.largest, LARGEST, _BLUE, showlegend=True)]
    if np.isfinite(scene.negative).any():
        lines.append(_line(scene.iterations, scene.negative, NEGATIVE, _RED, showlegend=True))
    if scene.limit is not None:
        ends, level = np.array(scene.curve.span), np.full(2, scene.limit[0])
        look: dict[str, Any] = {"line": {"width": 1.5, "dash": "dash"}, "showlegend": True}
        lines.append(make_curve(ends, level, limit_words(scene.limit), style.FAINT, "", **look))
    return lines


def _line(
    x: NDArray[Any],
    y: NDArray[Any],
    name: str,
    color: str,
    log: bool = True,
    hover: str = "%{y:.4g}",
    showlegend: bool = False,
) -> Trace:
    """A curve with gaps, on a log scale also where it is not above 0."""
    y = np.where((y > 0) | (not log), y, np.nan)
    look = {"showlegend": showlegend, "markers": np.isfinite(y).sum() <= 40}
    return make_curve(x, y, name, color, f"{name} {hover}", **look)
