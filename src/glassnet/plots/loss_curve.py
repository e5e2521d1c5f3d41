"""The loss during training: its curve thinned and labeled, and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.plots import style
from glassnet.plots.picture_data import check_run
from glassnet.training.run import TrainingRun
from glassnet.utils.libraries import require
from glassnet.utils.words import counted, readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
MOST_POINTS = 20_000  # of a drawn curve
_LONG = 64  # characters of an optimizer beyond which its defaults are left out


@dataclass(frozen=True)
class Mark:
    """A label of a point: the point, the text, and its side of the point, "left" or "right"."""

    at: tuple[float, float]
    text: str
    side: str


@dataclass(frozen=True)
class Cliff:
    """The end of a plateau: two iterations between which the loss falls steeply, and the curve there."""

    start: int
    stop: int
    before: float
    after: float
    iterations: NDArray[np.intp]
    losses: Array

    @property
    def text(self) -> str:
        """The plateau and the fall in words."""
        before, after = readable(self.before), readable(self.after)
        return f"a plateau near {before} until {self.start:,}, then {after} at {self.stop:,}"


@dataclass(frozen=True)
class LossCurve:
    """Iterations and their losses (NaN where not finite), thinned, with labels for the picture."""

    iterations: NDArray[np.intp]
    losses: Array
    span: tuple[int, int]
    log: bool
    name: str
    summary: str
    marks: tuple[Mark, ...]
    cliff: Cliff | None
    diverged_at: int | None
    unit: str
    """"iteration", or "epoch" for a run on batches."""
    validation: tuple[NDArray[np.int64], Array]
    """Iterations and losses of the validation data, thinned; empty where there are none."""
    test: tuple[NDArray[np.int64], Array]
    """Those of the rows held out for a test."""
    best: tuple[int, float] | None
    """The best iteration and its validation loss, if a stopping rule knows it."""

    @property
    def label(self) -> str:
        """The name of the losses and their scale, as far as they have room on an axis."""
        if not self.log:
            return self.name
        return f"{self.name} ({'log scale' if len(self.name) < 28 else 'log'})"

    @property
    def lines(self) -> list[tuple[str, NDArray[Any], Array, str]]:
        """The name, the iterations, the losses and the color of each curve that there is."""
        training = self.iterations, self.losses
        parts = ("training", *training), ("validation", *self.validation), ("test", *self.test)
        return [(*part, color) for part, color in zip(parts, style.OKABE_ITO, strict=False) if len(part[1])]

    @property
    def finite(self) -> Array:
        """The losses in the picture, those of validation and test too."""
        losses = np.concatenate([losses for _, _, losses, _ in self.lines])
        return losses[np.isfinite(losses)]


def make_loss_curve(run: TrainingRun, most: int = MOST_POINTS) -> LossCurve:
    """The losses of a run as a curve; without a point where the run diverged before the first loss."""
    check_run(run, "losses")
    losses = np.array(run.losses, dtype=np.float64)
    if losses.ndim != 1 or (losses.size == 0 and run.diverged_at is None):
        raise InputError(
            f"run.losses has shape {losses.shape}; expected one loss per iteration, at least one."
        )
    if not losses.size:
        losses = np.array([np.nan])
    # losses[k] follows k updates; on batches there is a loss for each epoch, from epoch 1.
    first = 1 if len(losses) == run.iterations else 0
    iterations = np.arange(first, first + len(losses))
    finite = np.isfinite(losses)
    losses[~finite] = np.nan
    evaluated, validation = run.validation_iterations, np.array(run.validation_losses)
    validation[~np.isfinite(validation)] = np.nan
    test = np.where(np.isfinite(run.test_losses), run.test_losses, np.nan)
    held_out = np.concatenate([validation, test])
    log = bool(finite.any() and (losses[finite] > 0).all() and not (held_out <= 0).any())
    cliff = find_cliff(iterations, losses) if log and finite.all() else None
    keep, some, tested = (thinned(values, most) for values in (losses, validation, test))
    best = -1 if run.best_iteration is None or not len(validation) else run.best_iteration
    at = np.flatnonzero(evaluated == best)
    unit = unit_of(run)
    last = run.diverged_at if run.diverged_at is not None else int(iterations[-1])
    return LossCurve(
        iterations[keep],
        losses[keep],
        (first, last),
        log,
        loss_words(run),
        _summary(run, int((~finite).sum())),
        _marks(iterations, losses, unit),
        cliff,
        run.diverged_at,
        unit,
        (evaluated[some], validation[some]),
        (evaluated[tested], test[tested]),
        None if at.size == 0 else (int(evaluated[at[0]]), float(validation[at[0]])),
    )


def thinned(values: Array, most: int) -> NDArray[np.intp]:
    """Indices of at most about `most` values that draw the same curve: the extremes of every interval."""
    n = len(values)
    if n <= most:
        return np.arange(n)
    chosen: set[int] = set()
    for rows in np.array_split(np.arange(n), most // 4):
        chosen.update((int(rows[0]), int(rows[-1])))
        if np.isfinite(values[rows]).any():
            chosen.update((int(rows[np.nanargmin(values[rows])]), int(rows[np.nanargmax(values[rows])])))
    return np.array(sorted(chosen))


def find_cliff(iterations: NDArray[np.intp], losses: Array) -> Cliff | None:
    """The steepest fall after a plateau, or None.

    A cliff is a fall to less than a third within 1/250 of the iterations, after the first 2 %, that follows
    five times as many iterations in which the loss fell by less than a third.
    """
    n = len(losses) - 1
    window = n // 250
    if window < 2:
        return None
    logs = np.log(losses)
    falls = logs[:-window] - logs[window:]
    start = int(np.argmax(falls))
    before = start - 5 * window
    if (
        falls[start] < np.log(3)
        or start < n // 50
        or before < 0
        or logs[before] - logs[start] > np.log(1.5)
    ):
        return None
    stop = start + window
    around = slice(start - window, min(stop + window, n) + 1)
    return Cliff(
        int(iterations[start]),
        int(iterations[stop]),
        float(losses[start - window]),
        float(losses[stop]),
        iterations[around],
        losses[around],
    )


def _marks(iterations: NDArray[np.intp], losses: Array, unit: str) -> tuple[Mark, ...]:
    finite = np.flatnonzero(np.isfinite(losses))
    if finite.size == 0:
        return ()
    first, last = int(finite[0]), int(finite[-1])
    # The loss of an epoch is the mean over its batches: that of the first is not the loss at the start.
    begun = "start" if iterations[first] == 0 else f"{unit} {iterations[first]:,}"
    begun += f": {readable(losses[first], 5)}"
    start = Mark((float(iterations[first]), float(losses[first])), begun, "right")
    if last == first:
        return (start,)
    marks = [start]
    top = int(np.nanargmax(losses))
    if losses[top] > 1.1 * losses[first] and top != last:  # a spike that hides where the curve began
        side = "right" if top - first < 0.6 * (last - first) else "left"
        height = f"{readable(losses[top], 5)} at {iterations[top]:,}"
        spike = (float(iterations[top]), float(losses[top]))
        if top - first < 0.1 * (last - first):  # two labels would overlap
            marks = [Mark(spike, f"{start.text}, then up to {height}", "right")]
        else:
            marks.append(Mark(spike, f"highest: {height}", side))
    at = (float(iterations[last]), float(losses[last]))
    return *marks, Mark(at, f"end: {readable(losses[last], 4)}", "left")


def loss_words(run: TrainingRun) -> str:
    """The name of a run's losses, for an axis."""
    name = str(run.network.loss).replace("cross_", "cross-").replace("_", " ")
    kind = f"{'summed' if run.reduction == 'sum' else 'mean'} {name}"
    if run.network.loss.name != "squared_error":
        return kind
    if run.reduction == "mean" and run.network.sizes[-1] > 1:  # a sum over the outputs, not a mean
        return "half the squared error per sample"
    return f"half the {kind}"


def unit_of(run: TrainingRun) -> str:
    """What an iteration of a run is called, for an axis."""
    return "iteration" if run.batch_size is None else "epoch"


def length(run: TrainingRun) -> str:
    """The number of iterations in words, which on batches are epochs."""
    return counted(run.iterations, unit_of(run))


def _summary(run: TrainingRun, left_out: int) -> str:
    count = length(run)
    count += "" if run.batch_size is None else f" of batches of {run.batch_size:,}"
    rule = str(run.optimizer)
    text = f"{count} by {rule if len(rule) <= _LONG else run.optimizer.brief()}"
    if left_out:
        text += f" · {left_out:,} losses that are not finite left out"
    return text if run.status == "completed" else f"{run.status} · {text}"


# ---- Drawing ------------------------------------------------------------------------------------


def loss(run: TrainingRun, *, title: str = "Loss during training") -> Figure:
    """Draw the loss after every iteration, on a log scale where it is positive.

    The picture marks the steepest fall after a plateau, and where a run diverged. It leaves out values that
    are not finite. A curve of many iterations keeps the smallest and largest loss of every interval. With
    validation data there are two curves, and a mark at the best iteration of the stopping rule; rows held
    out for a test have a curve too.

    Raises InputError for a run without losses, MissingLibraryError where matplotlib is missing.

    >>> import glassnet as gn
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, iterations=9)
    >>> gn.plots.loss(run).axes[0].get_yscale()
    'log'
    """
    curve = make_loss_curve(run)
    figure = style.new_figure(7.6, 4.6)
    paper = style.flat_axes(figure)
    _draw_loss(paper, curve)
    style.set_labels(paper, [curve.unit, curve.label])
    style.set_title(figure, title, [curve.summary])
    return figure


def _draw_loss(paper: Any, curve: LossCurve) -> None:
    few = len(curve.iterations) <= 40
    for name, iterations, losses, color in curve.lines:
        look: Any = {"color": color, "marker": "o" if few else "", "markersize": 3.5}
        paper.plot(iterations, losses, linewidth=1.5 if name == "training" else 1.3, label=name, **look)
        if name == "validation" and curve.best is not None:
            look |= {"marker": "o", "markersize": 8, "markerfacecolor": "none", "linestyle": ""}
            paper.plot(*curve.best, zorder=6, label=f"best, at {curve.best[0]:,}", **look)
    if len(curve.lines) > 1:
        style.set_legend(paper, list(zip(*paper.get_legend_handles_labels(), strict=True)))
    first, last = curve.span
    room = (0.02 * (last - first + 1), 0.03 * (last - first + 1)) if last > first else (0.5, 0.5)
    paper.set_xlim(first - room[0], last + room[1])
    style.count_ticks(paper.xaxis)
    if curve.log:
        set_log_scale(paper, curve.finite)
    lines = [(iterations, losses) for _, iterations, losses, _ in curve.lines]
    for mark in curve.marks:
        paper.plot(*mark.at, marker="o", color=style.OKABE_ITO[0], markersize=5, zorder=5)
        offset = style.free_place(paper, mark.at, mark.text, mark.side, lines)
        arrow = {"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.8, "shrinkB": 3}
        place: Any = {"ha": "left" if mark.side == "right" else "right", "va": "center", "back": (1.0, 0.7)}
        style.write(paper, mark.at, mark.text, offset, arrowprops=arrow, **place)
    if curve.cliff is not None:
        _draw_cliff(paper, curve, curve.cliff)
    if curve.diverged_at is not None:
        paper.axvline(curve.diverged_at, color=style.OKABE_ITO[1], linewidth=1.3, linestyle=style.DASHES)
        text, at = f"diverged at {curve.unit} {curve.diverged_at:,}", (curve.diverged_at, 0.96)
        place = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top"}
        style.write(paper, at, text, (-6, 0), (1.5, 0.85), color=style.OKABE_ITO[1], **place)
    if not len(curve.finite):
        paper.text(0.5, 0.5, "no finite loss", transform=paper.transAxes, ha="center", color=style.FAINT)


def set_log_scale(paper: Any, losses: Array) -> None:
    """Set a log scale for losses above 0, with labels between the decades where these are few."""
    ticker = require("matplotlib.ticker")
    low, high = np.log10([losses.min(), losses.max()])
    margin = max(0.06 * (high - low), 0.05)
    # Before the scale, and within the numbers that matplotlib can handle: a run may end at 1e300.
    paper.set_ylim(*10 ** np.clip([low - margin, high + 2 * margin], -220, 220))
    paper.set_yscale("log")
    paper.grid(which="minor", axis="y", color=style.GRID, linewidth=0.3)
    style.label_ticks(paper.yaxis)
    if high - low > 1.5:
        paper.yaxis.set_minor_formatter(ticker.NullFormatter())
    else:
        few = "25" if high - low > 0.7 else "123456789"  # first digits of the labels between decades
        paper.yaxis.set_minor_formatter(
            ticker.FuncFormatter(lambda value, _: readable(value) if f"{value:e}"[0] in few else "")
        )
        paper.tick_params(axis="y", which="minor", labelsize=8, labelcolor=style.INK, colors=style.FAINT)


def _draw_cliff(paper: Any, curve: LossCurve, cliff: Cliff) -> None:
    """Draw the fall after a plateau, enlarged, in the empty corner above the curve."""
    ticker = require("matplotlib.ticker")
    color = style.OKABE_ITO[0]
    backing = require("matplotlib.patches").Rectangle
    paper.add_patch(backing((0.4, 0.35), 0.65, 0.7, transform=paper.transAxes, color="white", zorder=2.2))
    inset = paper.inset_axes((0.47, 0.43, 0.5, 0.42))
    inset.set_facecolor("white")
    inset.plot(cliff.iterations, cliff.losses, color=color, linewidth=1.5)
    inset.set_yscale("log")
    inset.set_xlim(cliff.iterations[0], cliff.iterations[-1])
    style.count_ticks(inset.xaxis, most=5, least=2)
    style.label_ticks(inset.yaxis)
    inset.yaxis.set_minor_locator(ticker.NullLocator())
    inset.tick_params(colors=style.FAINT, labelcolor=style.INK, labelsize=8, width=0.6, length=2.5)
    inset.grid(color=style.GRID, linewidth=0.6)
    for spine in inset.spines.values():
        spine.set_color(style.FAINT)
        spine.set_linewidth(0.7)
    inset.set_title(cliff.text, loc="left", fontsize=9, color=style.INK, pad=5)
    frame = paper.indicate_inset_zoom(inset, edgecolor=style.FAINT, linewidth=0.8, alpha=0.9)
    for connector, left in zip(frame.connectors, (True, True, False, False), strict=True):
        connector.set_visible(left)
        connector.set_zorder(2.1)
