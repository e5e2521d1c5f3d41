"""HTML of tables and words with every value escaped: of the report, and of what a notebook's cell shows."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

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

    >>> from glassnet.utils.html import number
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


# ---- What a notebook shows ------------------------------------------------------------------------
# Styles stand at the tags and colors are the page's or of middle lightness: a cell's HTML has no style
# sheet that others would not hear, and reads on light and on dark.

GOOD, BAD = "#2b9e66", "#d9480f"


def cell_table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    left: Sequence[int] = (0,),
    sentences: bool = False,
) -> Html:
    """A table for a notebook's cell; the columns `left` hold words, the others numbers.

    Cells that hold `sentences` break lines.
    """
    of_cell, width = ("vertical-align:top;", "max-width:75em") if sentences else ("", "white-space:nowrap")

    def line(name: str, cells: Sequence[object]) -> Html:
        texts = [cell if isinstance(cell, Html) else number(cell) for cell in cells]
        sides = ["left" if place in left else "right" for place in range(len(cells))]
        pairs = zip(texts, sides, strict=True)
        return tag("tr", *(tag(name, text, style=f"{of_cell}text-align:{side}") for text, side in pairs))

    top, body = tag("thead", line("th", head)), tag("tbody", *(line("td", row) for row in rows))
    style = f"border-collapse:collapse;margin:4px 0;{width}"
    whole = tag("table", top, body, cellpadding=4, style=style)
    return tag("div", whole, style="overflow-x:auto")


def cell_output(title: object, lines: Iterable[object], *contents: object) -> Html:
    """What a notebook shows of an object: a title, lines of words, and then tables or pictures."""
    words = [
        tag("div", line, style="max-width:60em" if isinstance(line, Html) else "max-width:60em;opacity:0.8")
        for line in lines
        if line
    ]
    return tag("div", tag("div", tag("b", title)), *words, *contents)
