"""The page of the report: HTML of tables, pictures and words, with every value escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from glassnet.plots.report.traces import Picture
from glassnet.utils.html import Html, esc, number, tag
from glassnet.utils.libraries import require

# The page may fetch nothing. plotly's WebGL plots compile their drawing code, hence 'unsafe-eval'.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:"
)
_STYLE = Path(__file__).with_name("page.css")
# It draws the pictures one after the other, so that the page can be read and scrolled meanwhile.
_SCRIPT = Path(__file__).with_name("page.js")


def pairs(values: Mapping[str, object]) -> Html:
    """Names and values, one pair under the other; nested mappings as name.name."""
    rows = [
        # A name may break after a dot or an underscore, but not inside a word.
        tag(
            "tr",
            tag("th", Html(re.sub(r"([._])", r"\1<wbr>", esc(name))), scope="row", class_="word"),
            tag("td", value, class_="word"),
        )
        for name, value in _flat(values)
    ]
    return tag("table", tag("tbody", *rows), class_="pairs")


def _flat(values: Mapping[str, object], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{before}{name}", ", ".join(map(number, value))
        else:
            yield f"{before}{name}", number(value)


def sentence(words: str) -> str:
    """Words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def figure(
    anchor: str,
    heading: str,
    picture: Picture | None,
    caption: object,
    shape: str = "",
    slider: tuple[str, Sequence[str]] | None = None,
) -> Html:
    """A picture with its heading and caption; its numbers are JSON, escaped so that it ends no tag.

    `shape` is "wide" for the whole width of the page, "wide tall" or "wide film". A `slider` has a name and
    words for each of the picture's steps, of which it shows the last.
    """
    title = tag("h3", heading) if heading else ""
    kind = f"picture {shape}".strip()
    if picture is None:
        return tag("div", title, tag("p", caption), class_=kind)
    encoded = json.dumps(picture, separators=(",", ":"), allow_nan=False, default=np.generic.item)
    safe = encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    data = Html(f'<script type="application/json" id="{esc(anchor)}-data">{safe}</script>')
    plot = tag(
        "div", class_="plot", data_figure=f"{anchor}-data", role="img", aria_label=heading or caption
    )
    control = "" if slider is None else _slider(*slider)
    return tag("div", title, tag("figure", plot, data, control, tag("figcaption", caption)), class_=kind)


def _slider(name: str, words: Sequence[str]) -> Html:
    last = len(words) - 1
    values = {"type": "range", "min": 0, "max": last, "step": 1, "value": last}
    control = tag("input", **values, aria_valuetext=words[-1])
    return tag("label", tag("span", name), control, tag("output", words[-1]), class_="slider")


def build(
    title: str, lead: object, top: Sequence[object], sections: Mapping[str, tuple[str, Html]], foot: object
) -> str:
    """The whole page, with plotly.js inside it; `sections` have a heading and a content, by anchor."""
    library = require("plotly.offline").get_plotlyjs()
    links = [tag("a", heading, href=f"#{anchor}") for anchor, (heading, _) in sections.items()]
    content = [
        tag("section", tag("h2", heading, id=anchor), text, class_="part")
        for anchor, (heading, text) in sections.items()
    ]
    style, script = (path.read_text(encoding="utf-8") for path in (_STYLE, _SCRIPT))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{esc(title)}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            tag("header", tag("div", tag("h1", title), tag("p", lead, class_="lead"), tag("nav", *links))),
            tag("main", *top, *content),
            tag("footer", tag("div", foot)),
            f"<script>{library}</script>",
            f"<script>\n{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )
