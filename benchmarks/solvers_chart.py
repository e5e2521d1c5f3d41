"""The loss over the time, for each way of training, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.plots.style import FAINT, INK, OKABE_ITO, flat_axes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKS = {
    "Levenberg-Marquardt": (OKABE_ITO[1], "o"),
    "L-BFGS": (OKABE_ITO[0], "s"),
    "SciPy's L-BFGS-B": (OKABE_ITO[4], "^"),
    "Newton-CG": (OKABE_ITO[2], "D"),
    "Adam": (OKABE_ITO[3], ""),
    "gradient descent": (OKABE_ITO[5], ""),
}
LOOKS_OF_PEERS: dict[str, tuple[str, str, str]] = {
    "scikit-learn's lbfgs": (OKABE_ITO[6], "v", "-"),
    "PyTorch's LBFGS": (OKABE_ITO[7], "x", "-"),
    "PyTorch's Adam": (OKABE_ITO[3], "", "--"),
    "JAX's gradient descent": (OKABE_ITO[5], "", "--"),
}
"""Color and marker of each way; those of thousands of iterations are lines alone."""


def draw_solvers(document: Mapping[str, Any]) -> Figure:
    """A curve for each way from its first iteration on, and where the notebook ends."""
    figure = new_figure(9.4, 6.4)
    axes = flat_axes(figure)
    axes.set_xscale("log")
    axes.set_yscale("log")
    handles: list[Any] = []
    names = []
    end, notebook = document["end"], document["notebook"]
    (line,) = axes.plot(
        notebook["curve"]["seconds"][1:], notebook["curve"]["loss"][1:], color=FAINT, linewidth=1.6
    )
    handles.append(line)
    names.append(f"the notebook's NumPy: {_duration(notebook['seconds'])}")
    rows = {row["name"]: row for row in document["ways"]}
    looks = {name: (*look, "-") for name, look in LOOKS.items()} | LOOKS_OF_PEERS
    for name, (color, marker, dashes) in looks.items():
        if name not in rows:  # a library that is not installed, or was not asked for
            continue
        row = rows[name]
        seconds, loss = np.array(row["curve"]["seconds"][1:]), np.array(row["curve"]["loss"][1:])
        (line,) = axes.plot(
            seconds,
            loss,
            marker=marker or None,
            color=color,
            linestyle=dashes,
            linewidth=1.8,
            markersize=4,
            zorder=3,
        )
        handles.append(line)
        names.append(f"{name}: {'not there' if row['seconds'] is None else _duration(row['seconds'])}")
    axes.axhline(end, color=INK, linewidth=1, linestyle=":")
    axes.annotate(
        f"{end:.4g}, where the notebook ends",
        (1, end),
        xycoords=("axes fraction", "data"),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8.5,
        color=INK,
    )
    axes.xaxis.set_major_formatter(lambda value, _: _duration(value))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_xlabel("time since the start (logarithmic)", color=INK, fontsize=10)
    axes.set_ylabel("summed loss", color=INK, fontsize=10)
    machine = document["machine"]
    set_title(
        figure,
        "How soon each is where the notebook ends",
        [
            document["job"],
            f"medians of {document['settings']['rounds']} rounds",
            f"{machine['processor']}, {machine['cores_allowed']} cores",
        ],
    )
    legend = axes.legend(handles, names, fontsize=9, loc="lower left", labelcolor=INK, edgecolor="none")
    legend.set_zorder(5)
    return figure


def _duration(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    if seconds >= 1:
        return f"{seconds:,.3g} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"
