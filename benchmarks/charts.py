"""The common style of all charts: a color and a marker for each library, headings, axes, legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassnet.plots.style import INK, OKABE_ITO, flat_axes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, OTHERS = OKABE_ITO[1], OKABE_ITO[0]

LOOKS = {
    "glassnet": ("glassnet", OURS, "o"),
    "torch": ("PyTorch", OTHERS, "s"),
    "jax": ("JAX", OKABE_ITO[2], "D"),
    "scikit-learn": ("scikit-learn", OKABE_ITO[4], "^"),
    "numpy": ("NumPy", OKABE_ITO[7], "v"),
}
"""Name, color and marker of each peer."""


def set_heading(figure: Figure, title: str, notes: Sequence[str], machine: Mapping[str, Any]) -> None:
    """The title, and under it the notes and the machine."""
    set_title(figure, title, [*notes, f"{machine['processor']}, {machine['cores_allowed']} cores"])


def two_panels(width: float, height: float, ratios: tuple[float, float]) -> tuple[Figure, Any, Any]:
    """A figure with two axes side by side, the right one without a grid."""
    figure = new_figure(width, height)
    halves: Any = figure.subfigures(1, 2, width_ratios=ratios)
    return figure, flat_axes(halves[0]), flat_axes(halves[1], grid=False)


def label(axes: Any, text: str, at: tuple[float, float], shift: tuple[float, float], **style: Any) -> None:
    """A small text `shift` points from a place of the axes."""
    style = {"va": "center", "fontsize": 8.5, "color": INK, **style}
    axes.annotate(text, at, xytext=shift, textcoords="offset points", **style)


def set_axis_labels(axes: Any, x: str, y: str = "") -> None:
    """Words under the axes and, where given, beside them."""
    axes.set_xlabel(x, color=INK, fontsize=10)
    if y:
        axes.set_ylabel(y, color=INK, fontsize=10)


def legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """A legend under the axes, in up to two lines; it comes after the heading."""
    columns = len(names) if len(names) <= 4 else (len(names) + 1) // 2
    figure.legend(
        handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9, labelcolor=INK
    )
