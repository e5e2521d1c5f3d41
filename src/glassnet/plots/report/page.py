"""The report's page: HTML out of tables, pictures and words, every value escaped."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassnet.plots.libraries import require
from glassnet.plots.report.traces import Picture

# Nothing may be fetched. plotly's WebGL plots compile their drawing code, hence 'unsafe-eval'.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:"
)

_CSS = """
:root { --ink: #222; --faint: #5f6368; --rule: #dcdfe3; --paper: #fff; --wash: #f6f7f9; --mark: #0072b2; }
* { box-sizing: border-box; }
html { color-scheme: light; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header > div, footer > div { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { background: var(--wash); border-bottom: 1px solid var(--rule); padding: 36px 0 28px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .3rem; scroll-margin-top: 1rem; }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0 .8rem; max-width: 46rem; }
.lead { color: var(--faint); margin: 0; overflow-wrap: anywhere; }
nav { margin-top: 1rem; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .93rem; }
a { color: var(--mark); text-decoration: none; } a:hover, a:focus-visible { text-decoration: underline; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px;
  margin: 28px 0 0; }
.card { border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px; }
.card b { display: block; font-size: 1.45rem; line-height: 1.25; font-weight: 650; }
.card span { color: var(--faint); font-size: .9rem; }
.card b, .card span { overflow-wrap: anywhere; }
.note { border-left: 4px solid #d55e00; background: #fdf3ec; padding: 10px 14px;
  margin: 24px 0 16px; max-width: none; }
.good { border-color: #009e73; background: #eef8f4; }
.pictures { display: grid; gap: 0 24px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.pictures > .wide { grid-column: 1 / -1; }
.pictures > * { min-width: 0; }
figure { margin: 0; }
.plot { box-sizing: content-box; height: min(530px, 96vw); min-height: 330px;
  border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
.wide .plot { height: min(430px, 80vw); }
.tall .plot { height: 800px; }
/* plotly's buttons have a strip of their own: within the picture they lie on the legend. */
.plot { padding-top: 30px; }
.plot .modebar-container { top: -28px !important; }
figcaption { color: var(--faint); font-size: .93rem; margin-top: .5rem; max-width: 46rem; }
.scroll { overflow-x: auto; margin: .4rem 0 1rem; padding-bottom: 6px;
  /* A shadow at the edge where a table goes on, covered by white that scrolls with the end of it. */
  background: linear-gradient(to right, #fff 30%, #fff0) left / 36px 100% no-repeat local,
    linear-gradient(to left, #fff 30%, #fff0) right / 36px 100% no-repeat local,
    linear-gradient(to right, #0003, #0000) left / 12px 100% no-repeat scroll,
    linear-gradient(to left, #0003, #0000) right / 12px 100% no-repeat scroll; }
.confusion th:not(:first-child) { white-space: normal; min-width: 3.6rem; vertical-align: bottom; }
.confusion th, .confusion td { padding: 5px 8px; }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px; text-align: right; border-bottom: 1px solid var(--rule); }
th, td { white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.word, th.word { text-align: left !important; white-space: normal; overflow-wrap: anywhere; }
table.pairs { width: 100%; max-width: 46rem; table-layout: fixed; }
table.pairs th.word { overflow-wrap: break-word; }
table.pairs th { width: 38%; font-weight: 400; color: var(--faint); }
caption { text-align: left; color: var(--faint); padding-bottom: 4px; }
.right { color: #007a59; } .wrong { color: #b84a00; font-weight: 600; }
footer { border-top: 1px solid var(--rule); color: var(--faint); font-size: .88rem;
  margin-top: 3.5rem; padding: 18px 0 40px; }
@media (max-width: 620px) {
  main, header > div, footer > div { padding: 0 14px; }
  h1 { font-size: 1.5rem; } header { padding: 22px 0 18px; } h2 { margin-top: 2.2rem; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(145px, 1fr)); gap: 10px; }
  .card { padding: 10px 12px; } .card b { font-size: 1.2rem; }
  .plot { padding-top: 0; }
}
@media print {
  nav, .modebar { display: none !important; } header { background: none; padding-top: 0; }
  figure, .card, table { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .plot { height: 440px; padding-top: 0; } .tall .plot { height: 760px; }
}
"""

# The pictures are drawn one after the other, so that the page can be read and scrolled meanwhile.
_SCRIPT = """
(() => {
  const config = { responsive: true, displaylogo: false, scrollZoom: false,
    showSendToCloud: false, plotlyServerURL: "", // plotly.js has a button that uploads a picture
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "resetCameraLastSave3d"] };
  const plots = [...document.querySelectorAll(".plot")];
  const next = () => {
    const plot = plots.shift();
    if (!plot) { document.documentElement.dataset.ready = "yes"; return; }
    const { data, layout } = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    if (innerWidth < 620) {
      layout.margin = { ...layout.margin, l: layout.scene ? 0 : 44, r: layout.scene ? 0 : 6 };
      layout.font.size = 11;
      config.displayModeBar = false;
    }
    Plotly.newPlot(plot, data, layout, config).then(() => setTimeout(next, 0));
  };
  next();
})();
"""


class Html(str):
    """Text that is HTML already; any other text is escaped where it is put into a page."""

    __slots__ = ()


def esc(value: object) -> str:
    """`value` as HTML: Html as it is, anything else with its special characters escaped."""
    return value if isinstance(value, Html) else html.escape(str(value), quote=True)


def tag(name: str, *content: object, **attributes: object) -> Html:
    """<name attribute="...">content</name>; ``class_`` gives class."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{esc(v)}"' for key, v in attributes.items())
    return Html(f"<{name}{given}>{''.join(esc(one) for one in content)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Html:
    """Pieces one after the other."""
    return Html(between.join(esc(part) for part in parts))


def number(value: object) -> str:
    """A number as a reader wants it: grouped if whole, else to six digits; other things as text.

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
    """A table that scrolls sideways where it is too wide; the first column holds the rows' names."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head))) if head else Html()
    body = tag("tbody", *(tag("tr", *(_cell(cell) for cell in row)) for row in rows))
    return tag("div", tag("table", top, body, **attributes), class_="scroll", tabindex="0")


def _cell(value: object) -> Html:
    if isinstance(value, Html) and value.startswith("<td"):
        return value
    return tag("td", value if isinstance(value, Html) else number(value))


def pairs(values: Mapping[str, object]) -> Html:
    """Names and values, one under the other; nested mappings as name.name."""
    rows = [
        tag("tr", tag("th", _breakable(name), scope="row", class_="word"), tag("td", value, class_="word"))
        for name, value in _flat(values)
    ]
    return tag("table", tag("tbody", *rows), class_="pairs")


def _breakable(name: str) -> Html:
    """A key that breaks, where it has to, after a dot or an underscore and not inside a word."""
    return Html(re.sub(r"([._])", r"\1<wbr>", esc(name)))


def _flat(values: Mapping[str, object], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{before}{name}", ", ".join(number(one) for one in value)
        else:
            yield f"{before}{name}", number(value)


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its heading and its content."""

    anchor: str
    heading: str
    content: Html


def figure(anchor: str, heading: str, picture: Picture | None, caption: object, shape: str = "") -> Html:
    """A picture with its heading and caption; its numbers travel as JSON, in which no tag can end.

    `shape` is "wide" for the page's whole width, or "wide tall".
    """
    title = tag("h3", heading) if heading else ""
    kind = f"picture {shape}".strip()
    if picture is None:
        return tag("div", title, tag("p", caption), class_=kind)
    encoded = json.dumps(picture, separators=(",", ":"), allow_nan=False, default=_plain)
    safe = encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    data = Html(f'<script type="application/json" id="{esc(anchor)}-data">{safe}</script>')
    plot = tag(
        "div", class_="plot", data_figure=f"{anchor}-data", role="img", aria_label=heading or caption
    )
    return tag("div", title, tag("figure", plot, data, tag("figcaption", caption)), class_=kind)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be put into a picture")


def build(
    title: str, lead: object, top: Sequence[object], sections: Sequence[Section], foot: object
) -> str:
    """The whole page, with plotly.js inside it."""
    library = require("plotly.offline").get_plotlyjs()
    links = [tag("a", one.heading, href=f"#{one.anchor}") for one in sections]
    content = [
        tag("section", tag("h2", one.heading, id=one.anchor), one.content, class_="part")
        for one in sections
    ]
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
            f"<style>{_CSS}</style>",
            "</head>",
            "<body>",
            tag("header", tag("div", tag("h1", title), tag("p", lead, class_="lead"), tag("nav", *links))),
            tag("main", *top, *content),
            tag("footer", tag("div", foot)),
            f"<script>{library}</script>",
            f"<script>{_SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )
