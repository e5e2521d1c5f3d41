"""What a notebook shows of a network: a drawing of its layers as inline SVG, and their table."""

from __future__ import annotations

from collections.abc import Sequence

from glassnet.utils.html import Html, tag

_MOST_LAYERS = 10  # of a drawing; of more the table alone is shown
_MOST_UNITS = 7  # of a layer; of more the first, dots and the last
_STEP, _UNIT, _TOP, _MARGIN = 96, 22, 10, 56
_COLORS = "#8a8f98", "#2f8ac9", "#e07b00"
"""Of inputs, hidden units and outputs."""


def drawing(sizes: Sequence[int], functions: Sequence[str]) -> Html:
    """The layers from left to right, their units and functions below; nothing where there are too many."""
    if len(sizes) > _MOST_LAYERS:
        return Html()
    height = _TOP + _UNIT * min(max(sizes), _MOST_UNITS)
    layers = [_places(size, height) for size in sizes]
    lines, units = [], []
    for layer, places in enumerate(layers):
        x = _MARGIN + _STEP * layer
        for y in places:
            lines += [
                tag("line", x1=x - _STEP, y1=before, x2=x, y2=y)
                for before in (layers[layer - 1] if layer else ())
            ]
        color = _COLORS[0 if layer == 0 else 2 if layer == len(sizes) - 1 else 1]
        units += [tag("circle", cx=x, cy=y, r=7, fill=color) for y in places]
        if sizes[layer] > _MOST_UNITS:
            middle = (places[-2] + places[-1]) / 2
            units += [
                tag("circle", cx=x, cy=f"{middle + k:g}", r=1.5, fill="currentColor") for k in (-6, 0, 6)
            ]
        words = "" if layer == 0 else functions[layer - 1]
        units.append(_text(f"{sizes[layer]:,}", x, height + 16))
        units.append(_text(words if len(words) < 17 else f"{words[:15]}…", x, height + 31))
    width, height = 2 * _MARGIN + _STEP * (len(sizes) - 1), height + 38
    return tag(
        "svg",
        tag("title", f"A network of {' - '.join(f'{size:,}' for size in sizes)} units"),
        tag("g", *lines, stroke="currentColor", stroke_width=0.7, opacity=0.35),
        *units,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        style="max-width:100%;font:11px sans-serif",
    )


def _places(size: int, height: int) -> list[float]:
    """The y of each unit that is drawn; of many units one place is left for the dots."""
    count = min(size, _MOST_UNITS)
    top = (height + _TOP - _UNIT * (count - 1)) / 2 - _TOP / 2
    places = [top + _UNIT * unit for unit in range(count)]
    return places if size <= _MOST_UNITS else [*places[:-2], places[-1]]


def _text(words: str, x: float, y: float) -> Html:
    return tag("text", words, x=x, y=y, text_anchor="middle", fill="currentColor")
