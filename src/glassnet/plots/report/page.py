"""The page of the report: HTML of tables, pictures and words, with every value escaped."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from glassnet.plots.libraries import require
from glassnet.plots.report.traces import Picture

# The page may fetch nothing. plotly's WebGL plots compile their drawing code, hence 'unsafe-eval'.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:"
)
_STYLE = Path(__file__).with_name("page.css")
# It draws the pictures one after the other, so that the page can be read and scrolled meanwhile.
_SCRIPT = Path(__file__).with_name("page.js")


_NO_CHARACTER = re.compile("[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What HTML cannot hold: control characters, and halves of surrogate pairs."""


class Html(str):
    """Text that is already HTML; `tag` escapes all other text."""

    __slots__ = ()


def esc(value: object) -> str:
    """`value` as HTML: Html as it is, anything else with its special characters escaped."""
    if isinstance(value, Html):
        return value
    return html.escape(_NO_CHARACTER.sub("\ufffd", str(value)), quote=True)


def tag(name: str, *content: object, **attributes: object) -> Html:
    """<name attribute="...">content</name>; ``class_`` gives class."""
    pairs = (f' {key.rstrip("_").replace("_", "-")}="{esc(v)}"' for key, v in attributes.items())
    return Html(f"<{name}{''.join(pairs)}>{''.join(map(esc, content))}</{name}>")


def join(contents: Iterable[object]) -> Html:
    """Contents one after the other."""
    return Html("".join(map(esc, contents)))


def number(value: object) -> str:
    """A number for reading: whole ones with commas, others to six digits; anything else as text.

    >>> from glassnet.plots.report.page import number
    >>> number(50000), number(0.0001), number(7.650197917), number("sum")
    ('50,000', '0.0001', '7.6502', 'sum')
    """
    if value is None:
        return "none"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}" if math.isfinite(value) else str(float(value))
    return str(value)


def table(head: Sequence[object], rows: Iterable[Sequence[object]], **attributes: object) -> Html:
    """A table that scrolls sideways where it is too wide; the first column names the rows."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head))) if head else Html()
    body = tag("tbody", *(tag("tr", *map(_cell, row)) for row in rows))
    return tag("div", tag("table", top, body, **attributes), class_="scroll", tabindex="0")


def _cell(value: object) -> Html:
    if isinstance(value, Html) and value.startswith("<td"):
        return value
    return tag("td", value if isinstance(value, Html) else number(value))


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


def figure(anchor: str, heading: str, picture: Picture | None, caption: object, shape: str = "") -> Html:
    """A picture with its heading and caption; its numbers are JSON, escaped so that it ends no tag.

    `shape` is "wide" for the whole width of the page, or "wide tall".
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
    return tag("div", title, tag("figure", plot, data, tag("figcaption", caption)), class_=kind)


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
