"""How far the probabilities that a network gives can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.verdict.measures import wilson
from glassnet.plots import style
from glassnet.plots.predictions import HeldOut, Predictions, head, make_predictions, notes, panels
from glassnet.training.run import TrainingRun
from glassnet.utils.words import short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS, _LEAST = 10, 5


class Calibration(NamedTuple):
    """By bin the mean probability, the share of rows that came true, its interval (2, bins), and the rows.

    `brier` is the mean square difference of the probability and what came, 0 or 1.
    """

    predicted: Array
    actual: Array
    interval: Array
    counts: NDArray[np.intp]
    brier: float


def calibration_of(rows: Predictions, bins: int = _BINS) -> Calibration:
    """Calibration of P(second class) of two classes, or of the probability of the class that is answered.

    The bins hold about as many rows each, at least five where there are so many.
    """
    P = rows.predicted
    if P.shape[1] == 2:
        p, true = P[:, 1], rows.actual == 1
    else:
        p, true = P.max(axis=1), P.argmax(axis=1) == rows.actual
    order = np.argsort(p, kind="stable")
    count = int(np.clip(len(p) // _LEAST, 1, bins))
    # Rows of one probability stay together.
    ends = np.unique(np.searchsorted(p[order], p[order][np.arange(1, count) * len(p) // count]))
    parts = [part for part in np.split(order, ends) if len(part)]
    actual = np.array([true[part].mean() for part in parts])
    return Calibration(
        np.array([p[part].mean() for part in parts]),
        actual,
        np.array([wilson(float(share), len(part)) for share, part in zip(actual, parts, strict=True)]).T,
        np.array([len(part) for part in parts]),
        float(np.mean((p - true) ** 2)),
    )


def calibration(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str = "Calibration",
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw how often a probability comes true: on the dashed line, of rows given 70 %, 70 % are right.

    Of two classes it is the probability of the second, of more that of the class which is answered. Each
    dot is a tenth of the rows, with Wilson's 95 % interval; below is how many rows got which probability.
    There is a panel for each set of rows, as for `roc`, whose arguments these are.

    Raises InputError and MissingLibraryError as `confusion`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=200)
    >>> gn.plots.calibration(run, X, y).axes[0].get_ylabel()
    'share that came true'

    scikit-learn's `CalibrationDisplay` draws the dots without intervals.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=True)
    names = short_names(field.names)
    label = f"P({names[1]})" if len(names) == 2 else "probability of the class answered"
    figure, papers = panels(len(sets), height=4.1)
    colors = style.class_colors(len(sets))
    for paper, rows, color in zip(papers, sets, colors, strict=True):
        found = calibration_of(rows)
        paper.plot([0, 1], [0, 1], **style.REFERENCE)
        low, high = np.maximum(np.abs(found.interval - found.actual), 0)
        look: dict[str, Any] = {"color": color, "linewidth": 1.4, "markersize": 4.5, "clip_on": False}
        paper.errorbar(found.predicted, found.actual, [low, high], fmt="o-", elinewidth=0.9, **look)
        p = rows.predicted[:, 1] if len(names) == 2 else rows.predicted.max(axis=1)
        counts, edges = np.histogram(p, np.linspace(0, 1, 21))
        scale = 0.16 / max(counts.max(), 1)
        paper.bar(edges[:-1], counts * scale, np.diff(edges), -0.2, align="edge", color=color, alpha=0.35)
        paper.axhline(-0.2, color=style.FAINT, linewidth=0.8)
        paper.set(xlim=(0, 1), ylim=(-0.2, 1), yticks=np.linspace(0, 1, 6))
        style.set_labels(paper, [label, "share that came true"])
        head(paper, f"{rows.name}: Brier score {found.brier:.3g}")
    style.set_title(figure, title, [*notes(sets), "bars below: how many rows got which probability"])
    return figure
