"""A line chart as inline SVG, small and without a script: what a notebook's cell shows of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.utils.html import Html, tag

COLORS = ("#2f8ac9", "#e07b00", "#2b9e66", "#b5579d")
"""Of middle lightness: they read on white and on black."""

_WIDTH, _HEIGHT = 480, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 26, 40
_COLUMNS = 200  # a curve of more points keeps the lowest and the highest of each column
_MOST_TICKS = 5


class Line(NamedTuple):
    """A curve by name, drawn where x and y are finite."""

    name: str
    x: NDArray[Any]
    y: NDArray[np.float64]


class _Axis(NamedTuple):
    """Values from `low` to `high` (their logarithms where `log`) on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        place = np.log10(values) if self.log else values
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values on the axis, five or six at most."""
        if self.log:
            decades = range(math.ceil(self.low), math.floor(self.high) + 1)
            if len(decades) >= 2:
                return [10.0**k for k in decades[:: math.ceil(len(decades) / _MOST_TICKS)]]
            low, high = 10**self.low, 10**self.high
        else:
            low, high = self.low, self.high
        step = 10.0 ** math.floor(math.log10((high - low) / _MOST_TICKS))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= _MOST_TICKS)
        return [float(k * step) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def line_chart(
    lines: Sequence[Line], x_name: str, y_name: str, mark: tuple[str, float] | None = None
) -> Html:
    """The curves over whole numbers x, y logarithmic where all of it is above 0; `mark` is a dotted x.

    There is nothing to draw where no curve has a finite point: the chart is then empty.
    """
    lines = [Line(line.name, *_finite(line.x, line.y)) for line in lines]
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return Html()
    x, y = _axis([line.x for line in lines], across=True), _axis([line.y for line in lines], across=False)
    content = [*_axes(x, y, x_name, y_name)]
    if mark is not None:
        name, place = mark
        at = f"{x.at(np.array(place)):.1f}"
        dotted = {"stroke": "currentColor", "stroke_dasharray": "2 3", "opacity": 0.7}
        content.append(tag("line", x1=at, x2=at, y1=_TOP, y2=_HEIGHT - _BOTTOM, **dotted))
        side = "end" if float(at) > _WIDTH / 2 else "start"
        content.append(_text(name, float(at) + (-4 if side == "end" else 4), _TOP + 10, side))
    start = _LEFT
    for line, color in zip(lines, COLORS, strict=False):
        content.append(_curve(x.at(line.x), y.at(line.y), color))
        content.append(_text(line.name, start, 16, "start", color))
        start += 16 + 7 * len(line.name)
    words = f"{' and '.join(line.name for line in lines)}: {y_name} over {x_name}"
    return tag(
        "svg",
        tag("title", words),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
        style="max-width:100%;font:11px sans-serif",
    )


def _finite(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    known = np.isfinite(y)
    return np.asarray(x, float)[known], np.asarray(y, float)[known]


def _axis(values: Sequence[NDArray[np.float64]], across: bool) -> _Axis:
    low, high = min(float(part.min()) for part in values), max(float(part.max()) for part in values)
    log = not across and low > 0
    if log:
        low, high = math.log10(low), math.log10(high)
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        room = (abs(low) if low else 1.0) * 0.01
        low, high = low - room, high + room
    room = 0.0 if across else 0.04 * (high - low)
    ends = (_LEFT, _WIDTH - _RIGHT) if across else (_HEIGHT - _BOTTOM, _TOP)
    return _Axis(low - room, high + room, *ends, log)


def _axes(x: _Axis, y: _Axis, x_name: str, y_name: str) -> list[Html]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    content = []
    across = {"x1": _LEFT, "x2": right, "stroke": "currentColor"}
    for value in y.ticks():
        at = f"{y.at(np.array(value)):.1f}"
        content.append(tag("line", y1=at, y2=at, opacity=0.15, **across))
        content.append(_text(f"{value:.6g}", _LEFT - 6, float(at) + 4, "end"))
    for value in filter(float.is_integer, x.ticks()):
        content.append(_text(f"{value:,.6g}", float(x.at(np.array(value))), bottom + 15, "middle"))
    content.append(
        tag("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, stroke="currentColor", opacity=0.5)
    )
    content.append(_text(x_name, (_LEFT + right) / 2, _HEIGHT - 7, "middle"))
    middle = (_TOP + bottom) / 2
    turned = _text(y_name, 12, middle, "middle", transform=f"rotate(-90 12 {middle:g})")
    return [*content, turned]


def _text(words: str, x: float, y: float, anchor: str, fill: str = "currentColor", **more: object) -> Html:
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=fill, **more)


def _curve(x: NDArray[np.float64], y: NDArray[np.float64], color: str) -> Html:
    if len(x) == 1:
        return tag("circle", cx=f"{x[0]:.1f}", cy=f"{y[0]:.1f}", r=3, fill=color)
    if len(x) > 2 * _COLUMNS:
        keep = [0, len(x) - 1]
        edges = np.searchsorted(x, np.linspace(x[0], x[-1], _COLUMNS + 1))
        for low, high in pairwise(edges):
            if high > low:
                part = y[low:high]
                keep += [low + int(part.argmin()), low + int(part.argmax())]
        kept = np.unique(keep)
        x, y = x[kept], y[kept]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return tag(
        "polyline", points=points, fill="none", stroke=color, stroke_width=1.5, stroke_linejoin="round"
    )
