"""The gradient and the curvature along a run, which explain its plateaus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.curvature import Curvature, CurvatureTrace
from glassnet.errors import InputError, InputTypeError
from glassnet.optim import SGD
from glassnet.plots import style
from glassnet.plots.loss_curve import MOST_POINTS, LossCurve, make_loss_curve
from glassnet.training.run import TrainingRun
from glassnet.utils.libraries import require
from glassnet.utils.words import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_BLUE, _RED, _GREEN = style.OKABE_ITO[:3]


def curvature(trace: CurvatureTrace, *, title: str = "What the curve says") -> Figure:
    """Draw loss, gradient, the Hessian's two ends and saturated units along a run.

    `trace` is the `CurvatureTrace` among the callbacks of the run. For gradient descent at one learning
    rate, a line shows the curvature 2 (1 + momentum) / rate beyond which its steps grow. For a loss with a
    plateau the heading says how flat it was, whether the loss curved downward there, and how many
    iterations the rate takes to get away from it.

    Raises InputError for a trace without a run, MissingLibraryError without matplotlib.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> trace = gn.CurvatureTrace(X, y, every=20)
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, iterations=80, random_state=0, callbacks=[trace])
    >>> [paper.get_ylabel() for paper in gn.plots.curvature(trace).axes]
    ['mean cross-entropy', 'gradient norm', 'eigenvalues', 'saturated units']
    """
    scene = curvature_data(trace)
    curve, hidden = scene.curve, bool(scene.saturation)
    figure = style.new_figure(7.6, 7.4 + 1.4 * hidden)
    papers = stacked(figure, list(HEIGHTS[: 3 + hidden]))
    if curve.log:
        draw_on_log(papers[0], curve.iterations, curve.losses, _BLUE)
    else:
        papers[0].plot(curve.iterations, curve.losses, color=_BLUE, linewidth=1.5)
    papers[0].set_ylabel(curve.name)
    draw_on_log(papers[1], scene.iterations, scene.gradient, _BLUE)
    papers[1].set_ylabel("gradient norm")
    entries = _draw_eigenvalues(papers[2], scene)
    if hidden:
        _draw_saturation(papers[3], scene)
    label_stacked(papers, curve.unit)
    style.set_legend(papers[2], entries)
    style.set_title(figure, title, [curve.summary, scene.explanation])
    return figure


HEIGHTS = (1.5, 1.0, 1.5, 1.0)
"""Of the four pictures, against each other: the last one is for networks with a hidden layer."""


class CurvatureData(NamedTuple):
    """The data of the picture of a run.

    curve : the losses. iterations, gradient, largest, negative : (n,) at the points of the trace; the last
    is minus the smallest eigenvalue where that is below 0, else NaN. limit : the largest curvature at which
    the run's learning rate is stable, and that rate; None for other runs. saturation : the name of each
    hidden layer, and its shares (n,). explanation : the plateau in words.
    """

    curve: LossCurve
    iterations: NDArray[np.int64]
    gradient: NDArray[np.float64]
    largest: NDArray[np.float64]
    negative: NDArray[np.float64]
    limit: tuple[float, float] | None
    saturation: list[tuple[str, NDArray[np.float64]]]
    explanation: str


def run_of(trace: CurvatureTrace) -> TrainingRun:
    """The run of a trace, or an error for another type or a trace without a run."""
    if not isinstance(trace, CurvatureTrace):
        raise InputTypeError(f"trace is a glassnet.CurvatureTrace, not {type(trace).__name__}.")
    if trace.run is None or not trace.points:
        raise InputError(
            "The trace has seen no run yet: give it to gn.train among the callbacks, then draw it."
        )
    return trace.run


def curvature_data(trace: CurvatureTrace, loss_points: int = MOST_POINTS) -> CurvatureData:
    """The data to draw of a trace, with the losses of its run thinned to `loss_points`."""
    curve = make_loss_curve(run_of(trace), loss_points)
    columns, layers = trace.columns(), len(trace.points[0].dead)
    largest, smallest, rate = columns["lambda_max"], columns["lambda_min"], _rate(trace)
    limit = math.inf
    if rate is not None:
        limit = Curvature(0.0, 0.0, rate, 0.0, (), ()).stability_limit(*trace.momentum)
    saturation = []
    for layer in range(1, layers + 1):
        dead = columns[f"dead_{layer}"][-1]
        words = [f"hidden layer {layer}" if layers > 1 else "", f"{dead} dead at the end" if dead else ""]
        saturation.append((", ".join(filter(None, words)), columns[f"saturation_{layer}"]))
    return CurvatureData(
        curve,
        columns["iteration"],
        columns["gradient_norm"],
        largest,
        # The sign of an eigenvalue within rounding of 0 means nothing.
        np.where(smallest < -1e-9 * np.abs(largest), -smallest, np.nan),
        None if rate is None or not math.isfinite(limit) else (limit, rate),
        saturation,
        explanation(trace, curve),
    )


def limit_words(limit: tuple[float, float]) -> str:
    """The entry of the legend for the limit of a `CurvatureData`."""
    return f"stability limit of rate {limit[1]:g}: {readable(limit[0])}"


LARGEST, NEGATIVE = "largest eigenvalue of the Hessian", "smallest, where it is negative: its size"
"""The entries of the legend for eigenvalues."""


def explanation(trace: CurvatureTrace, curve: LossCurve) -> str:
    """The plateau of a run in a sentence; "" for a run without one, or without a point on it."""
    cliff = curve.cliff
    if cliff is None:
        return ""
    before = [p for p in trace.points if p.iteration is not None and p.iteration <= cliff.start]
    plateau = [point for point in before if point.loss <= 1.5 * cliff.before]
    if not plateau:
        return ""
    flattest = min(plateau, key=lambda point: point.gradient_norm)
    text = (
        f"plateau until {cliff.start:,}: at {flattest.iteration:,} the gradient is down to "
        f"{readable(flattest.gradient_norm)} from {readable(trace.points[0].gradient_norm)}"
    )
    if flattest.lambda_min >= 0:
        return f"{text}, and no direction bends downward"
    bend = readable(flattest.lambda_min)
    text = f"{text}, and the loss bends downward ({bend}): a saddle"
    if (rate := _rate(trace)) is None:
        return text
    away = readable(flattest.escape_iterations(rate, trace.momentum[0]), 2)
    return f"{text}, from which this rate gets e times as far in {away} iterations"


def _rate(trace: CurvatureTrace) -> float | None:
    """The learning rate of gradient descent on the full batch at one rate, else None."""
    run = run_of(trace)
    rule = run.optimizer
    if isinstance(rule, SGD) and isinstance(rule.learning_rate, float) and run.batch_size is None:
        return rule.learning_rate
    return None


def stacked(figure: Figure, heights: list[float]) -> list[Any]:
    """Axes under one another that share the one of iterations."""
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    papers: list[Any] = []
    for row in range(len(heights)):
        shared = {"sharex": papers[0] if papers else None}
        paper = style.flat_axes(figure, place=[grid[row]], shared=shared, labelsize=8.5)
        paper.tick_params(labelbottom=row == len(heights) - 1)
        paper.yaxis.label.set(color=style.INK, fontsize=9.5)
        papers.append(paper)
    figure.align_ylabels(papers)
    return papers


def label_stacked(papers: Sequence[Any], unit: str) -> None:
    """Label the axes of `stacked`, whose lowest one counts in `unit`."""
    ticker = require("matplotlib.ticker")
    for paper in papers:
        if paper.get_yscale() == "log":
            paper.yaxis.set_major_locator(ticker.FixedLocator(log_ticks(*paper.get_ylim())))
            style.label_ticks(paper.yaxis)
            paper.yaxis.set_minor_locator(ticker.NullLocator())
    papers[-1].set_xlabel(unit, color=style.INK, fontsize=10)
    style.count_ticks(papers[-1].xaxis)


def draw_on_log(paper: Any, x: NDArray[Any], y: Array, color: str, **look: Any) -> Any:
    """Draw the values above 0 on a log scale, with gaps at the others."""
    y = np.where(y > 0, y, np.nan)
    look = {"linewidth": 1.5, "marker": "o" if np.isfinite(y).sum() <= 40 else "", "markersize": 3, **look}
    (line,) = paper.plot(x, y, color=color, **look)
    if np.isfinite(y).any():
        paper.set_yscale("log")
    return line


def log_ticks(low: float, high: float) -> list[float]:
    """Three or more round numbers to label on a logarithmic axis.

    >>> log_ticks(0.01, 2000.0), log_ticks(0.3, 20.0), log_ticks(0.685, 0.693)
    ([0.01, 0.1, 1.0, 10.0, 100.0, 1000.0], [0.5, 1.0, 2.0, 5.0, 10.0, 20.0], [0.686, 0.688, 0.69, 0.692])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            return ticks[:: math.ceil(len(ticks) / 7)]
    even = require("matplotlib.ticker").MaxNLocator(5).tick_values(low, high)
    return [float(f"{tick:.12g}") for tick in even if low <= tick <= high]


def _draw_eigenvalues(paper: Any, scene: CurvatureData) -> style.Entries:
    entries = [(draw_on_log(paper, scene.iterations, scene.largest, _BLUE), LARGEST)]
    if np.isfinite(scene.negative).any():
        entries.append((draw_on_log(paper, scene.iterations, scene.negative, _RED), NEGATIVE))
    if scene.limit is not None:
        line = paper.axhline(scene.limit[0], color=style.FAINT, linewidth=1.2, linestyle=(0, (5, 3)))
        entries.append((line, limit_words(scene.limit)))
    paper.set_ylabel("eigenvalues")
    return entries


def _draw_saturation(paper: Any, scene: CurvatureData) -> None:
    ticker = require("matplotlib.ticker")
    colors = style.class_colors(len(scene.saturation))
    for (name, shares), color in zip(scene.saturation, colors, strict=True):
        paper.plot(scene.iterations, shares, color=color, linewidth=1.5, label=name)
    if any(paper.get_legend_handles_labels()[1]):
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.97), "ncols": len(scene.saturation)}
        paper.legend(frameon=False, fontsize=8.5, labelcolor=style.INK, borderaxespad=0.2, **place)
    paper.set_ylim(-0.03, 1.03)
    paper.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
    paper.set_ylabel("saturated units")
