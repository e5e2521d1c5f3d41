"""How the pictures look: colors, axes, labels, and samples that stay visible where they are dense."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots.picture_data import Cloud, Targets
from glassnet.utils.libraries import require
from glassnet.utils.words import NAME, plain, readable, short_names, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Entries = list[tuple[Any, str]]
"""Handles and names of a legend."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#4D4D4D")
"""The colors of Okabe and Ito (2008), which any color vision tells apart; strongest first.

The yellow is darker and the black lighter than theirs, to be visible on white and beside the boundary.
"""

INK, FAINT, GRID = "#222222", "#666666", "#E3E3E3"
DASHES = (0, (4, 3))
REFERENCE: dict[str, Any] = {"color": FAINT, "linewidth": 1.0, "linestyle": DASHES}
"""The look of a line to compare with, such as chance, or predicted = actual."""
VALUES = "viridis"  # perceptually uniform, safe for the color-blind, legible in gray
DPI = 200

_BESIDE = "beside the heading"  # the gid of a legend there
MOST_CLASSES = 12  # in a legend


# ---- Colors ---------------------------------------------------------------------------


def class_colors(count: int) -> list[str]:
    """`count` colors as "#rrggbb"; more than eight are steps of one color map."""
    if count <= len(OKABE_ITO):
        return list(OKABE_ITO[:count])
    colors = require("matplotlib.colors")
    steps = require("matplotlib").colormaps["turbo"](np.linspace(0.05, 0.95, count))
    return [colors.to_hex(color) for color in steps]


def rgb(color: str) -> Array:
    """ "#rrggbb" as three numbers from 0 to 1."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def tint(color: str, strength: float) -> Array:
    """A color mixed with white; strength 1 is the color itself."""
    return 1 - strength * (1 - rgb(color))


def certainty(largest: Array, count: int) -> Array:
    """How sure a network is of the leading of `count` classes: 0 where all are alike, 1 where P = 1."""
    return np.clip((largest - 1 / count) / (1 - 1 / count), 0, 1)


def shades(P: Array, colors: Sequence[str], strength: float = 0.3) -> Array:
    """Probabilities (..., C) as colors (..., 3): the tint of the leading class, white where none leads."""
    P = np.nan_to_num(P)
    tints = np.stack([tint(color, strength) for color in colors])
    lead = certainty(P.max(axis=-1), P.shape[-1])[..., None]
    return 1 - lead * (1 - tints[P.argmax(axis=-1)])


# ---- Figures and axes ---------------------------------------------------------------------------


def new_figure(width: float, height: float, layout: str | None = "constrained") -> Figure:
    """A white figure without pyplot and its global state.

    Jupyter shows matplotlib figures only after an import of pyplot, but always calls ``_repr_png_``. The
    picture has 200 dots per inch, and Jupyter shows it at half its size, sharp on any screen.
    """
    require("matplotlib.backends.backend_agg")
    figure = require("matplotlib.figure").Figure(
        figsize=(width, height), dpi=DPI, facecolor="white", layout=layout
    )
    if layout == "constrained":
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    figure._repr_png_ = partial(_repr_png, figure)
    return figure


def _repr_png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    width, height = figure.get_size_inches() * DPI / 2
    return buffer.getvalue(), {"width": int(width), "height": int(height)}


def flat_axes(
    figure: Figure, grid: bool = True, place: Sequence[Any] = (), shared: Any = None, **ticks: Any
) -> Any:
    """Axes with two spines, quiet ticks and a faint grid, whatever the user's rcParams say.

    `place` goes to ``add_subplot``, with `shared` as ``sharex`` and ``sharey``; `ticks` change the ticks.
    """
    axes: Any = figure.add_subplot(*place, **(shared or {}))
    axes.set_facecolor("white")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
        spine.set_linewidth(0.8)
    look = {"colors": FAINT, "labelcolor": INK, "labelsize": 9, "width": 0.8, "length": 3.5}
    axes.tick_params(**{**look, **ticks})
    if grid:
        axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes


def label_ticks(axis: Any, write: Callable[[float], str] | None = None) -> None:
    """Label the major ticks of a matplotlib axis by `write`, or by as many digits as tell them apart."""
    # Parts of a figure must be pickled with it, which a function inside this one cannot be.
    axis.set_major_formatter(require("matplotlib.ticker").FuncFormatter(partial(_tick, axis, write)))


def _tick(axis: Any, write: Callable[[float], str] | None, value: float, _: object) -> str:
    """The label of a tick; of an even axis all have exponents, or none."""
    if write is not None:
        return write(value)
    low, high = np.sort(axis.get_view_interval())
    largest = max(abs(low), abs(high))
    digits = 3 + int(np.clip(np.log10(largest / max(high - low, 1e-300)), 0, 12))
    words = readable(value, digits)
    even = axis.get_scale() == "linear"
    if even and "e" in readable(largest, digits):
        return f"{value:.{digits}g}"
    if even and "e" in words:
        return np.format_float_positional(value, digits, fractional=False, trim="-")
    return words.replace(",", "") if abs(value) < 1e4 else words  # it may be a year


def count_ticks(axis: Any, most: int = 6, least: int = 1) -> None:
    """Put the ticks of an axis of iterations at a few whole numbers."""
    ticker = require("matplotlib.ticker")
    label_ticks(axis, "{:,.10g}".format)
    steps = [1, 2, 5, 10]
    axis.set_major_locator(ticker.MaxNLocator(most, steps=steps, integer=True, min_n_ticks=least))


def solid_axes(figure: Figure, elevation: float, azimuth: float, height: float = 0.9) -> Any:
    """3-D axes on white, without perspective, so that one direction decides what hides what.

    `height` is that of the box over a base of 1 by 1.
    """
    require("mpl_toolkits.mplot3d")
    axes: Any = figure.add_axes(
        (0.0, 0.02, 0.86, 0.88), projection="3d", proj_type="ortho", computed_zorder=False
    )
    axes.set_facecolor("none")
    axes.view_init(elev=elevation, azim=azimuth)
    axes.set_box_aspect((1, 1, height), zoom=0.97)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.965, 0.965, 0.965, 1.0))
        axis.line.set_color(FAINT)
        axis._axinfo["grid"].update(color="#D9D9D9", linewidth=0.6)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=8, pad=1)
    # The horizontal axes meet in the corner next to the viewer: the labels are aligned away from it.
    a = np.radians(azimuth)
    for axis, right in ((axes.xaxis, np.sin(a) * np.cos(a)), (axes.yaxis, -np.sin(a) * np.cos(a))):
        for tick in axis.get_major_ticks(20):
            tick.label1.set_horizontalalignment("left" if right > 0 else "right")
    return axes


def set_labels(axes: Any, labels: Sequence[str]) -> None:
    """Set the labels of the axes; long ones are cut."""
    for name, label in zip("xyz", labels, strict=False):
        getattr(axes, f"set_{name}label")(plain(label), color=INK, fontsize=10)


def set_title(figure: Figure, title: str, notes: Sequence[str] = ()) -> None:
    """Write a heading at the top left, and under it up to four lines of notes.

    An ellipsis marks where longer ones are cut.
    """
    beside = any(legend.get_gid() == _BESIDE for legend in figure.legends)
    scale = figure.get_figwidth() / 7.2
    widths = (38, 54) if beside else (int(64 * scale), int(92 * scale))
    cut: Any = {"placeholder": " …"}
    heads = textwrap.wrap(tidy(title, 84), widths[0], max_lines=2, **cut)
    lines = textwrap.wrap(" · ".join(note for note in notes if note), widths[1], max_lines=4, **cut)
    blocks: list[tuple[list[str], dict[str, Any]]] = [
        (heads, {"fontsize": 12.5, "color": INK, "fontweight": "bold"}),
        (lines, {"fontsize": 9, "color": FAINT}),
    ]
    down, height = 9, 72 * figure.get_figheight()
    for block, look in blocks:
        words = "\n".join(plain(line, 200) for line in block)
        figure.text(0.03, 1 - down / height, words, verticalalignment="top", linespacing=1.25, **look)
        down += (18 if block is heads else 13) * len(block)
    if any(axes.get_title(loc="left") for axes in figure.axes):
        down += 6  # the titles of panels keep clear of the notes
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - down / height))


def set_legend(axes: Any, entries: Entries, classes: int | None = None) -> None:
    """Add a legend in columns under the picture, which grows by it; in 3-D beside the heading if short.

    The first `classes` entries (None: all) are classes: the legend shows twelve and counts the others in
    one entry; the entries after them, a boundary or rings, always stay. Call this before `set_title`.
    """
    if not entries:
        return
    count = len(entries) if classes is None else classes
    entries = [(handle, plain(name)) for handle, name in entries]
    if count > MOST_CLASSES:
        rest = (dot("none"), f"+{count - MOST_CLASSES} classes")
        entries = [*entries[:MOST_CLASSES], rest, *entries[count:]]
    look: dict[str, Any] = {"frameon": False, "fontsize": 9, "labelcolor": INK, "handletextpad": 0.5}
    figure, longest = axes.figure, max(len(label) for _, label in entries)
    handles, names = map(list, zip(*entries, strict=True))
    solid = figure.get_layout_engine() is None
    if solid and len(entries) <= 5 and longest <= NAME:
        figure.legend(handles, names, loc="upper right", bbox_to_anchor=(0.985, 0.985), **look).set_gid(
            _BESIDE
        )
        return
    width, height = figure.get_size_inches()
    columns = int(np.clip((width - 0.3) / (0.55 + 0.066 * longest), 1, len(entries)))
    rows = -(-len(entries) // columns)
    grown = 0.2 * rows + 0.1
    figure.set_size_inches(width, height + grown)
    look |= {"ncols": columns, "columnspacing": 1.2}
    if solid:
        left, bottom, right, top = axes.get_position(original=True).extents
        low = (bottom * height + grown) / (height + grown)
        axes.set_position((left, low, right - left, (top - bottom) * height / (height + grown)))
        figure.legend(handles, names, loc="lower left", bbox_to_anchor=(0.02, 0.01), **look)
    else:  # the layout ignores a legend of the axes where their units are equal
        figure.legend(handles, names, loc="outside lower left", **look)


def stroke(color: str = INK, width: float = 1.6, **extra: Any) -> Any:
    """A handle for a line in a legend."""
    return require("matplotlib.lines").Line2D([], [], **{"color": color, "linewidth": width, **extra})


def dot(color: str, **extra: Any) -> Any:
    """A handle for samples in a legend."""
    return stroke(color, **{"marker": "o", "markersize": 6, "linestyle": "", **extra})


def write(axes: Any, at: Any, text: str, offset: Any = (0, 0), back: Any = None, **look: Any) -> Any:
    """Write a text `offset` points from a place, on white of the padding and opacity `back`."""
    if back is not None:
        look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": back[0], "alpha": back[1]}
    look = {"fontsize": 9, "color": INK, "xytext": offset, "textcoords": "offset points", **look}
    return axes.annotate(text, at, **look)


def free_place(
    axes: Any, at: tuple[float, float], text: str, side: str, lines: Sequence[tuple[Any, Array]]
) -> tuple[float, float]:
    """The place of `text` near a point where it covers the least of the lines, in points from it.

    `side` is "left" or "right" of the point; lines are (x, y), NaN in gaps.
    """
    scale = 72 / axes.figure.dpi
    point = axes.transData.transform(at) * scale
    low, high = (axes.transAxes.transform(corner)[1] * scale for corner in ((0, 0), (0, 1)))
    along = np.arange(14.0, 15.0 + 5.3 * len(text), 2.0)  # the text: 5.3 points a letter
    spans = []
    for x, y in lines:
        drawn = np.flatnonzero(np.isfinite(y))
        if drawn.size:
            x, y = scale * axes.transData.transform(np.column_stack([x[drawn], y[drawn]])).T
            across = point[0] + along * (1 if side == "right" else -1)
            heights = np.interp(across, x, y, np.nan, np.nan) - point[1]
            spans.append((np.fmin(heights[:-1], heights[1:]), np.fmax(heights[:-1], heights[1:])))
    best, least = 24.0, np.inf
    for up in (12.0, 24.0, -14.0, -26.0, 40.0, -42.0, 60.0):
        if low + 7 <= point[1] + up <= high - 7:
            covered = sum(int(((bottom < up + 9) & (up - 9 < top)).sum()) for bottom, top in spans)
            if covered < least:
                best, least = up, covered
    return (22.0 if side == "right" else -14.0), best


# ---- Samples ------------------------------------------------------------------------------------


def dot_size(n: int) -> float:
    """A dot's diameter in points: 5.5 up to 100 samples, 1.1 from 50,000 on, evenly in log n between."""
    x = np.clip(np.log(max(n, 1) / 100) / np.log(500), 0, 1)
    return float(5.5 * (1.1 / 5.5) ** x)


def over_line(cloud: Cloud, predicted: bool = False) -> tuple[Array, str]:
    """Samples of one coordinate as points (n, 2), a value at its height, each class in its own strip.

    With them the name of the height, beside a prediction or without one.
    """
    heights = cloud.targets.values.astype(np.float64)
    if cloud.targets.is_class:
        # Two classes lie at 0 and 1, the limits of their probabilities; scatter shows their density.
        scatter = RandomState(0).uniform(-0.05, 0.05, len(heights))
        heights = heights / max(len(cloud.targets.names) - 1, 1) + scatter
    label = "probability; samples in a strip per class" if predicted else "class"
    label = label if cloud.targets.is_class else cloud.targets.names[0]
    return np.column_stack([cloud.points[:, 0], heights]), label


def name_strips(axes: Any, names: Sequence[str]) -> None:
    """Name the strips of the classes, which `over_line` puts at heights from 0 to 1."""
    heights = np.arange(len(names)) / max(len(names) - 1, 1)
    axes.set_yticks(heights, [plain(name, NAME) for name in names])


def opacities(U: Array, span: Array, size: float) -> Array:
    """An opacity for each dot at U (n, 2) that keeps dense places shaded and sparse dots visible.

    Where k dots overlap on average, dots of opacity a cover ``1 - exp(-k a)`` of the area. The opacities
    make this grow with a power of log k, up to 0.9 where k is largest, like the tone curve of a photograph.
    """
    cells, inches = 90, 4.3  # along a side of the picture
    at = ((U - span[:, 0]) / np.ptp(span, axis=1) * cells).astype(np.intp)
    at = np.clip(at, 0, cells - 1)
    counts = np.zeros((cells + 2, cells + 2))
    np.add.at(counts, (at[:, 0] + 1, at[:, 1] + 1), 1.0)
    # Averages over a cell and its neighbors, so that the cells do not show.
    for axis in (0, 1):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    dot, cell = np.pi / 4 * size**2, (inches * 72 / cells) ** 2
    k = np.maximum(counts[at[:, 0] + 1, at[:, 1] + 1] * dot / cell, 1e-3)
    few = 0.3
    covered = 0.9 * (np.log1p(k / few) / np.log1p(k.max() / few)) ** 0.6
    return np.clip(-np.log(1 - covered) / k, 0.03, 0.7)


def draw_samples(
    axes: Any,
    cloud: Cloud,
    screen: Array,
    span: Array,
    order: NDArray[Any] | None = None,
    zorder: float = 3,
) -> None:
    """Draw samples as dots whose size falls with their number and whose opacity falls with their density.

    `screen` (n, 2) is the place of the dots in the picture, which shows `span`. Each color and opacity is
    one plot of markers, which matplotlib stamps from a single image: 50,000 take a tenth of a second. The
    colors alternate in slices, so that the last does not cover the others; the slices follow `order` (the
    indices of the dots to draw), from back to front in 3-D.
    """
    n = len(cloud.points)
    rows = np.arange(n) if order is None else order
    if rows.size == 0:
        return
    size = dot_size(n)
    levels = np.geomspace(0.03, 0.7, 7)
    level = np.abs(np.log(opacities(screen, span, size))[:, None] - np.log(levels)).argmin(axis=1)
    color_numbers, colors = number_colors(cloud.targets)
    look: dict[str, Any] = {
        "linestyle": "",
        "marker": "o",
        "markersize": size,
        "markeredgewidth": 0,
        "zorder": zorder,
    }
    if not cloud.targets.is_class and n <= 5000:  # visible on a background of the same color
        look |= {"markeredgewidth": 0.15 * size, "markeredgecolor": "white"}
    slices = 6 if len(colors) <= 12 else 1
    for chosen in np.array_split(rows, min(slices, rows.size)):
        kinds = color_numbers[chosen] * len(levels) + level[chosen]
        for kind in np.unique(kinds):
            color, opacity = divmod(int(kind), len(levels))
            points = cloud.points[chosen[kinds == kind]]
            axes.plot(*points.T, color=colors[color], alpha=levels[opacity], **look)


def number_colors(targets: Targets) -> tuple[NDArray[np.intp], list[str]]:
    """The number of each sample's color, and the colors: of its class, or of 32 steps of its value."""
    if targets.is_class:
        return targets.values.astype(np.intp), class_colors(len(targets.names))
    colors = require("matplotlib.colors")
    steps = require("matplotlib").colormaps[VALUES](np.linspace(0, 1, 32))
    low, high = value_range(targets.values)
    numbers = np.clip((targets.values - low) / (high - low) * 32, 0, 31).astype(np.intp)
    return numbers, [colors.to_hex(color) for color in steps]


def value_range(values: NDArray[Any]) -> tuple[float, float]:
    """The smallest and largest finite value; where they are equal, half below and half above it."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def sample_legend(targets: Targets) -> Entries:
    """The entries of the classes, with the number of samples of each; none for values."""
    if not targets.is_class:
        return []
    counts = np.bincount(targets.values.astype(np.intp), minlength=len(targets.names))
    colors = class_colors(len(targets.names))
    names = [f"{name} ({count:,})" for name, count in zip(short_names(targets.names), counts, strict=True)]
    return [(dot(color), name) for color, name in zip(colors, names, strict=True)]


def color_scale(values: NDArray[Any]) -> Any:
    """The scale of values that a color bar shows."""
    norm = require("matplotlib.colors").Normalize(*value_range(values))
    return require("matplotlib.cm").ScalarMappable(norm, VALUES)


def color_bar(
    figure: Figure, axes: Any, scale: Any, label: str, shrink: float = 0.75, aspect: float = 28
) -> Any:
    """Draw a scale of values, such as `color_scale` gives, beside the axes."""
    solid = hasattr(axes, "get_zlim")
    if solid:
        bar = figure.colorbar(scale, cax=figure.add_axes((0.87, 0.2, 0.018, 0.5)))
    else:
        bar = figure.colorbar(scale, ax=axes, shrink=shrink, pad=0.03, aspect=aspect)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=FAINT, labelcolor=INK, length=2.5)
    label_ticks(bar.ax.yaxis)
    if solid:  # beside the ticks there is no room
        bar.ax.set_title(plain(label), loc="right", color=INK, fontsize=9, pad=8)
    else:
        bar.set_label(plain(label), color=INK, fontsize=9)
    return bar
