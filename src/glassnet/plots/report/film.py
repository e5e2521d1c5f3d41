"""The report's film: what the network answered along the run, under a slider."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.film import Film, Frame, make_film, moments
from glassnet.plots.picture_data import Cloud, Grid, boundary_lines
from glassnet.plots.projection import Axes
from glassnet.plots.report.interactive import background, curves, over_line
from glassnet.plots.report.page import figure
from glassnet.plots.report.traces import (
    Picture,
    Trace,
    count_axis,
    log_step,
    make_axis,
    make_curve,
    make_layout,
    make_line,
    make_samples,
    plane_axes,
)
from glassnet.training.run import TrainingRun
from glassnet.training.tape.replay import Replay
from glassnet.training.tape.tape import Tape
from glassnet.utils.html import Html, tag
from glassnet.utils.words import readable

_STEPS, _POINTS = 16, 90
"""The moments under the slider, beside those of the strip, and their grid points along each axis."""

_DECADES = 2.5
"""Powers of 10 on a logarithmic axis, beyond which these are enough ticks."""

_NARROW = {
    "xaxis": {"domain": [0, 1]},
    "yaxis": {"domain": [0.4, 1]},
    "xaxis2": {"domain": [0, 1]},
    "yaxis2": {"domain": [0, 0.26], "title": {"text": "loss"}},
}
"""On a narrow page the loss goes below the map."""


def film_section(
    states: Tape | Replay,
    X: object,
    y: object,
    axes: Axes,
    class_names: object,
    feature_names: object,
    output: int | None,
) -> Html | None:
    """The film of a run; None where the run has a single state."""
    reel = make_film(states, X, y, axes, class_names, feature_names, output)
    shown = moments(reel, _STEPS)
    if len(shown) < 2:
        return None
    picture = film_picture(reel, shown)
    labels = [step["label"] for step in picture["steps"]]
    where = f" Of the inputs: {reel.projection.note}." if reel.projection.note else ""
    words = (
        f"Move the slider, also by the arrow keys: the picture shows what the network answered then, and "
        f"the dot where on the loss that was.{where}"
    )
    unit = reel.curve.unit.capitalize()
    content = figure("film", "", picture, words, shape="wide film", slider=(unit, labels))
    return tag("div", content, class_="pictures")


def film_picture(reel: Film, shown: list[Frame]) -> Picture:
    """The last moment as a figure, and in "steps" what changes in its traces at each of them."""
    looks = [reel.look(frame.iteration, _POINTS) for frame in shown]
    _, grid, cloud = looks[-1]
    traces, layout = _scene(reel, grid, cloud)
    changing = [_changes(reel, look, first=len(traces)) for _, look, _ in looks]
    traces += _answers(reel, grid)
    curve = reel.curve
    aside: dict[str, Any] = {"xaxis": "x2", "yaxis": "y2", "showlegend": False}
    for name, x, losses, color in curve.lines[:2]:
        hover = f"{curve.unit} %{{x:,d}}<br>{name} loss %{{y:.7g}}"
        traces.append({**make_curve(x, losses, name, color, hover, line={"width": 1.6}), **aside})
    layout["xaxis2"] = {**count_axis(curve.unit, curve.span), "domain": [0.6, 1], "anchor": "y2"}
    layout["yaxis2"] = make_axis(curve.label, type="log" if curve.log else "linear", anchor="x2")
    if curve.log:
        layout["yaxis2"].update(_log_ticks(curve.finite))
    layout["meta"] = {"narrow": _NARROW}
    steps: list[dict[str, Any]] = []
    for frame, (run, _, _), changes in zip(shown, looks, changing, strict=True):
        place: Trace = {"x": [run.iterations], "y": [_loss(run)]}
        steps.append({"label": _label(reel, frame, run), "traces": {**changes, len(traces): place}})
    dot = {"color": style.OKABE_ITO[0], "size": 11}
    last = steps[-1]["traces"][len(traces)]
    traces.append(
        {"type": "scatter", "mode": "markers", "marker": dot, "hoverinfo": "skip", **last, **aside}
    )
    return {"data": traces, "layout": layout, "steps": steps}


def _log_ticks(values: Array) -> dict[str, Any]:
    """The ticks of a logarithmic axis: powers of 10 or, over few of them, 1, 2 and 5 times these."""
    logs = np.log10(values[np.isfinite(values) & (values > 0)])
    if np.ptp(logs) > _DECADES:
        return {"dtick": log_step(values, 6)}
    low, high = np.floor(logs.min()), np.ceil(logs.max())
    ticks = [mark * 10.0**power for power in np.arange(low, high + 1) for mark in (1, 2, 5)]
    return {"tickvals": ticks, "ticktext": [readable(tick) for tick in ticks]}


def _scene(reel: Film, grid: Grid, cloud: Cloud) -> tuple[list[Trace], dict[str, Any]]:
    """The traces that stay, which begin the figure but for the answers, and the layout."""
    if reel.projection.dimensions == 1:
        picture = over_line(cloud, reel.projection, curves(grid))
        samples, layout = picture["data"][: -len(curves(grid))], picture["layout"]
        if not reel.targets.is_class:
            low, high = reel.value_range
            layout["yaxis"]["range"] = [low - 0.25 * (high - low), high + 0.25 * (high - low)]
    else:
        samples = make_samples(cloud.points, cloud.targets, reel.projection.labels, grid.span)
        layout = make_layout(**plane_axes(reel.projection.labels, grid.span))
        for axis in ("xaxis", "yaxis"):
            layout[axis]["showgrid"] = False
        layout["xaxis"]["constraintoward"] = "left"
    layout["xaxis"]["domain"] = [0, 0.5]
    layout["uirevision"] = "film"  # a view that was enlarged stays so
    return samples, layout


def _answers(reel: Film, grid: Grid) -> list[Trace]:
    """The traces that show the answers, the same number of them at each moment."""
    if reel.projection.dimensions == 1:
        return curves(grid)
    traces = [background(grid, reel.targets.values)]
    if grid.field.is_class:
        traces.append(make_line(_joined(boundary_lines(grid)), grid.field.border))
    return traces


def _changes(reel: Film, grid: Grid, first: int) -> dict[int, Trace]:
    """What is new in those traces, by their places in the figure."""
    keys = ("y",) if reel.projection.dimensions == 1 else ("x", "y", "z")
    places = enumerate(_answers(reel, grid), first)
    return {
        place: {key: trace[key] for key in keys if key in trace and (key == "z" or "z" not in trace)}
        for place, trace in places
    }


def _joined(lines: list[Array]) -> NDArray[np.float64]:
    """Several lines as one with gaps, which a figure with a fixed number of traces can hold."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([gap, *(part for line in lines for part in (line, gap))])


def _loss(run: TrainingRun) -> float | None:
    last = float(run.losses[-1]) if len(run.losses) else np.nan
    return last if np.isfinite(last) else None


def _label(reel: Film, frame: Frame, run: TrainingRun) -> str:
    loss = _loss(run)
    words = [frame.name, f"{reel.curve.unit} {run.iterations:,}"]
    return " · ".join([*filter(None, words), *([] if loss is None else [f"loss {readable(loss, 4)}"])])
