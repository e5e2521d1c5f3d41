"""The film of a run: what the network answers at a few iterations, above the curve of its loss."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.plots import style
from glassnet.plots.boundary import draw_background, draw_curves, draw_over_line, set_view
from glassnet.plots.loss_curve import LossCurve, make_loss_curve, set_log_scale
from glassnet.plots.picture_data import (
    Cloud,
    Grid,
    Targets,
    as_samples,
    boundary_lines,
    check_run,
    chosen_samples,
    input_projection,
    make_cloud,
    make_field,
    make_grid,
)
from glassnet.plots.projection import Axes, Projection, spans
from glassnet.training.run import TrainingRun
from glassnet.training.tape.replay import Replay
from glassnet.training.tape.tape import Tape
from glassnet.utils.libraries import require
from glassnet.utils.settings_checks import as_count
from glassnet.utils.storage import atomic_write
from glassnet.utils.words import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

States = Tape | Replay | Sequence[TrainingRun]
"""What can be asked for the states of a run."""

FRAMES, MOVES = 5, 48
"""The frames of a strip, and those of an animation."""

_SAMPLES, _POINTS = 3_000, 120
"""The samples of a frame, and its grid points along each axis."""

_PER_SECOND = 12


class Frame(NamedTuple):
    """A moment of a run, with its name in the strip."""

    iteration: int
    name: str


@dataclass(frozen=True)
class Film:
    """The states of a run, the samples, and where to draw them."""

    states: States
    curve: LossCurve
    projection: Projection
    samples: NDArray[Any]
    targets: Targets
    span: Array
    class_names: object
    output: int | None

    @property
    def last(self) -> TrainingRun:
        """The run at its end."""
        return self.states.run if isinstance(self.states, Tape | Replay) else self.states[-1]

    @property
    def first(self) -> int:
        """The first iteration that can be drawn."""
        return self.states.first if isinstance(self.states, Replay) else self.curve.span[0]

    @property
    def value_range(self) -> tuple[float, float]:
        """The smallest and the largest target."""
        return style.value_range(self.targets.values)

    def share_scale(self, figure: Figure, papers: Sequence[Any]) -> None:
        """Give frames of values one scale: of heights over one input, of colors over two."""
        if self.targets.is_class:
            return
        if self.projection.dimensions == 2:
            scale = style.color_scale(self.targets.values)
            style.color_bar(figure, list(papers), scale, self.targets.names[0])
            return
        low, high = self.value_range
        for paper in papers:
            paper.set_ylim(low - 0.25 * (high - low), high + 0.25 * (high - low))

    def at(self, iteration: int) -> TrainingRun:
        """The state after an iteration, of runs the nearest one."""
        if isinstance(self.states, Tape | Replay):
            return self.states.at(iteration)
        return min(self.states, key=lambda run: abs(run.iterations - iteration))

    def look(self, iteration: int, points: int = _POINTS) -> tuple[TrainingRun, Grid, Cloud]:
        """The run after an iteration, what it answers everywhere, and the samples."""
        run = self.at(iteration)
        field = make_field(run, self.class_names, self.output)
        cloud = make_cloud(self.samples, self.targets, self.projection, field)
        return run, make_grid(field, self.projection, self.span, points), cloud


def make_film(
    states: States,
    X: object,
    y: object,
    axes: Axes,
    class_names: object,
    feature_names: object,
    output: int | None,
) -> Film:
    """The film of a tape, or of runs in the order of their iterations."""
    if not isinstance(states, Tape | Replay):
        if isinstance(states, TrainingRun) or not isinstance(states, Sequence) or not states:
            raise InputTypeError(
                f"film takes a Tape, or runs at several iterations, not {type(states).__name__}: "
                f"tape = gn.Tape(network, X, y, ...); tape.advance(1000); gn.plots.film(tape)."
            )
        for run in states:
            check_run(run)
    elif X is None and isinstance(states, Tape):
        X, y = states.samples
    run = states.run if isinstance(states, Tape | Replay) else states[-1]
    samples = as_samples(X, width=run.network.sizes[0])
    rows = chosen_samples(len(samples), _SAMPLES)
    projection = input_projection(run.network.sizes[0], samples, axes, feature_names)
    targets = make_field(run, class_names, output).targets(y, len(samples))
    span = spans(make_cloud(samples, targets, projection).points, projection.dimensions, None)
    curve = make_loss_curve(run)
    return Film(states, curve, projection, samples[rows], targets.of(rows), span, class_names, output)


def frames_of(run: TrainingRun, curve: LossCurve, count: int = FRAMES) -> list[Frame]:
    """The moments of a strip: start, plateau, edge, foot and end, or places by the fall of the loss.

    Parts of the fall are those of the logarithm of the loss, where it is positive.
    """
    first, last = curve.span[0], run.iterations
    cliff = curve.cliff
    if cliff is not None and count == FRAMES:
        middle = (first + cliff.start) // 2
        frames = [(first, "start"), (middle, "plateau"), (cliff.start, "edge"), (cliff.stop, "foot")]
        return [Frame(*frame) for frame in [*frames, (last, "end")]]
    places = _places(run, first, last, count)
    names = {0: "start", last: "end"}
    return [Frame(place, names.get(place, "")) for place in places]


def moments(reel: Film, count: int) -> list[Frame]:
    """The moments of a strip, and up to `count` more between which the run goes on by like parts."""
    named = {frame.iteration: frame for frame in frames_of(reel.last, reel.curve)}
    places = _places(reel.last, reel.curve.span[0], reel.last.iterations, count)
    every = {**{place: Frame(place, "") for place in places}, **named}
    return _from_first(reel, [every[place] for place in sorted(every)])


def _from_first(reel: Film, frames: list[Frame]) -> list[Frame]:
    """The frames of which there is a state, from the one that training went on from."""
    there = [frame for frame in frames if frame.iteration >= reel.first]
    if not there or there[0].iteration > reel.first:
        there.insert(0, Frame(reel.first, ""))
    return there


def _places(run: TrainingRun, first: int, last: int, count: int) -> list[int]:
    """Up to `count` iterations, between which the loss falls by equal parts, and time passes."""
    losses = np.asarray(run.losses, np.float64)
    iterations = np.arange(len(losses)) + first
    falls = np.minimum.accumulate(np.where(np.isfinite(losses), losses, np.inf))
    known = np.isfinite(falls)
    if known.sum() < 2:
        return sorted({first, last})
    falls, iterations = falls[known], iterations[known]
    falls = np.log(falls) if (falls > 0).all() else falls
    fallen = (falls[0] - falls) / max(falls[0] - falls[-1], 1e-300)
    passed = np.log1p(np.arange(len(falls))) / np.log(len(falls))
    progress = fallen + passed  # both grow from 0 to 1
    wanted = np.linspace(0, progress[-1], count)
    places = iterations[np.minimum(np.searchsorted(progress, wanted), len(progress) - 1)]
    return sorted({first, last, *map(int, places)})


def film(
    tape: States,
    X: object = None,
    y: object = None,
    *,
    iterations: Sequence[int] | None = None,
    title: str = "How it learned",
    class_names: object = None,
    feature_names: object = None,
    axes: Axes = None,
    output: int | None = None,
) -> Figure:
    """Draw what the network answered at a few iterations, and the curve of the loss under them.

    Where the loss has a plateau and a fall, the frames are its start, the middle of the plateau, the edge,
    the foot and the end; else the iterations between which the loss fell by like parts.

    Parameters
    ----------
    tape : a `Tape`, or runs of one training at several iterations; it draws the nearest ones.
    X, y : the samples in the frames, at most 3,000 of them; None takes those of the tape.
    iterations : the frames, up to 8; None chooses them.
    class_names, feature_names, axes, output : those of `decision_boundary`.

    Raises InputError for a tape without data, for iterations that it has not come to and for unusable
    arrays, MissingLibraryError where matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> tape = gn.Tape(gn.Network((2, 4, 2), hidden="tanh"), X, y, random_state=0)
    >>> run = tape.advance(200)
    >>> len(gn.plots.film(tape).axes)  # five frames and the curve
    6
    """
    reel = make_film(tape, X, y, axes, class_names, feature_names, output)
    frames = _from_first(reel, frames_of(reel.last, reel.curve))
    if iterations is not None:
        places = sorted({as_count(k, "iterations") for k in iterations})
        if not 1 <= len(places) <= 8 or places[-1] > reel.last.iterations:
            raise InputError(
                f"iterations are {list(iterations)}; expected 1 to 8 of those that training has come to, "
                f"up to {reel.last.iterations:,}."
            )
        frames = [Frame(place, "") for place in places]
    figure = style.new_figure(max(2.15 * len(frames), 6.4), 4.9)
    grid = figure.add_gridspec(2, len(frames), height_ratios=(1.0, 0.75))
    entries: style.Entries = []
    papers = []
    for number, frame in enumerate(frames):
        paper = style.flat_axes(figure, place=[grid[0, number]], grid=reel.projection.dimensions == 1)
        run, look, cloud = reel.look(frame.iteration)
        entries = _draw_frame(paper, reel, look, cloud)
        paper.set_title(_heading(frame, run, reel), loc="left", fontsize=9, color=style.INK)
        papers.append(paper)
        if number:
            paper.set_ylabel("")
            paper.tick_params(labelleft=False)
    reel.share_scale(figure, papers)
    _draw_loss(style.flat_axes(figure, place=[grid[1, :]]), reel, [frame.iteration for frame in frames])
    style.set_legend(figure.axes[0], entries)
    style.set_title(figure, title, [reel.curve.summary, reel.projection.note])
    return figure


def animation(
    tape: States,
    path: str | os.PathLike[str],
    X: object = None,
    y: object = None,
    *,
    frames: int = MOVES,
    title: str = "How it learned",
    class_names: object = None,
    feature_names: object = None,
    axes: Axes = None,
    output: int | None = None,
) -> None:
    """Write a GIF of the run: what the network answers, beside a dot that moves along the loss.

    `frames` is how many there are, at 12 a second; the other arguments are those of `film`. Raises as
    `film`, and FileError where the file cannot be written.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> tape = gn.Tape(gn.Network((2, 4, 2), hidden="tanh"), X, y, random_state=0)
    >>> run = tape.advance(100)
    >>> gn.plots.animation(tape, "xor.gif", frames=3)
    """
    reel = make_film(tape, X, y, axes, class_names, feature_names, output)
    places = _places(reel.last, reel.curve.span[0], reel.last.iterations, as_count(frames, "frames", 2))
    places = sorted({max(place, reel.first) for place in places})
    images = [_image(_moment(reel, iteration, title)) for iteration in places]
    times = [1_000 // _PER_SECOND] * len(images)
    times[0] = times[-1] = 1_000  # a second at both ends
    with atomic_write(path) as temporary:
        look: Any = {"append_images": images[1:], "duration": times, "loop": 0}
        images[0].save(temporary, format="GIF", save_all=True, **look)


def _image(figure: Figure) -> Any:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=style.DPI / 2)
    return require("PIL.Image").open(buffer).convert("RGB")


def _moment(reel: Film, iteration: int, title: str) -> Figure:
    """One frame of an animation."""
    figure = style.new_figure(8.4, 4.2)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.0, 1.1))
    paper = style.flat_axes(figure, place=[grid[0, 0]], grid=reel.projection.dimensions == 1)
    run, look, cloud = reel.look(iteration)
    entries = _draw_frame(paper, reel, look, cloud)
    paper.set_title(_heading(Frame(iteration, ""), run, reel), loc="left", fontsize=9, color=style.INK)
    reel.share_scale(figure, [paper])
    _draw_loss(style.flat_axes(figure, place=[grid[0, 1]]), reel, [iteration], named=False)
    style.set_legend(paper, entries)
    style.set_title(figure, title, [reel.curve.summary, reel.projection.note])
    return figure


def _heading(frame: Frame, run: TrainingRun, reel: Film) -> str:
    start = 0 if reel.curve.unit == "iteration" else 1
    losses = run.losses
    loss = f"\nloss {readable(losses[-1], 4)}" if len(losses) and run.iterations >= start else "\n"
    name = f"{frame.name} · " if frame.name else f"{reel.curve.unit} "
    return f"{name}{run.iterations:,}{loss}"


def _draw_frame(paper: Any, reel: Film, grid: Grid, cloud: Cloud) -> style.Entries:
    """Draw the answers and the samples; the entries of a legend."""
    entries = style.sample_legend(cloud.targets)
    if reel.projection.dimensions == 1:
        curves = draw_curves(paper, grid)
        draw_over_line(paper, cloud, grid.span, predicted=True)
        entries = entries or curves
    else:
        draw_background(paper, grid, cloud.targets.values, np.linspace(*reel.value_range, 10)[1:-1])
        style.draw_samples(paper, cloud, cloud.points, grid.span)
        for points in boundary_lines(grid):
            paper.plot(*points.T, color=style.INK, linewidth=1.4, zorder=6)
    set_view(paper, reel.projection, grid.span)
    paper.locator_params(nbins=4)
    paper.tick_params(labelsize=8)
    return [(handle, name.rpartition(" (")[0] or name) for handle, name in entries]


def _draw_loss(paper: Any, reel: Film, places: Sequence[int], named: bool = True) -> None:
    """Draw the curve of the loss with a dot at each frame."""
    curve = reel.curve
    for name, iterations, losses, color in curve.lines[:2]:
        paper.plot(iterations, losses, color=color, linewidth=1.3, label=name)
    at = np.interp(places, curve.iterations, curve.losses)
    color = style.OKABE_ITO[0]
    paper.plot(places, at, linestyle="", marker="o", markersize=6, color=color, zorder=5)
    if named:
        for number, (place, height) in enumerate(zip(places, at, strict=True), 1):
            style.write(
                paper, (place, height), str(number), (6, 5), (0.5, 0.7), fontweight="bold", zorder=6
            )
    low, high = curve.span
    paper.set_xlim(low - 0.02 * (high - low + 1), high + 0.03 * (high - low + 1))
    style.count_ticks(paper.xaxis)
    if curve.log:
        set_log_scale(paper, curve.finite)
    style.set_labels(paper, [curve.unit])
    paper.set_title(curve.label, loc="left", fontsize=9, color=style.INK)
