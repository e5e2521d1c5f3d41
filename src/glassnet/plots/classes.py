"""Predicted classes against the actual ones: confusion matrix, ROC, and precision over recall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.plots import style
from glassnet.plots.predictions import HeldOut, Predictions, head, make_predictions, notes, panels
from glassnet.training.run import TrainingRun
from glassnet.utils.words import below_one, percent, plain, short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_MOST_COUNTS = 15  # classes up to which a matrix has its counts written in it
_MOST_CURVES = 8  # of classes, in a panel


def confusion(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str = "Confusion matrix",
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw how many rows of each class are predicted as each class.

    There is a panel for the rows that the run learned from, one for those that it held out for validation,
    and one for each set that `held_out` adds, each with the share of its rows that are right.

    Parameters
    ----------
    X, y : (n, inputs) and the classes, as `train` takes them.
    held_out : (X, y) of other rows, or a dict of such pairs by name, as ``{"test": (X_test, y_test)}``.
    class_names, output : as for `decision_boundary`.

    Raises InputError for a network that predicts quantities and for unusable arrays, MissingLibraryError
    where matplotlib is not installed.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=200)
    >>> gn.plots.confusion(run, X, y).axes[0].get_title(loc="left")
    'training: 100 % right'

    Each panel is scikit-learn's `ConfusionMatrixDisplay`; MATLAB's ``plotconfusion`` has the actual classes
    across and the predicted ones down.
    """
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=True)
    count = len(field.names)
    names = [plain(name, 24) for name in short_names(field.names)]
    longest = max(map(len, names))
    upright, room = longest * count > 30, 0.06 * max(longest - 10, 0)
    width = 3.4 + 0.12 * min(count, 40)
    figure, papers = panels(len(sets), width + room, width - 0.35 + room * upright)
    for paper, rows in zip(papers, sets, strict=True):
        counts = confusion_matrix(rows.actual, rows.predicted.argmax(axis=1), labels=range(count))
        display = ConfusionMatrixDisplay(counts, display_labels=names)
        display.plot(
            ax=paper,
            include_values=count <= _MOST_COUNTS,
            cmap="Blues",
            colorbar=False,
            xticks_rotation="vertical" if upright else "horizontal",
            values_format=",d",
            text_kw={"fontsize": 10 if count < 8 else 7},
        )
        if count > _MOST_COUNTS:
            paper.tick_params(labelsize=max(3.0, 9 - 0.12 * count))
        paper.grid(visible=False)
        style.set_labels(paper, ["predicted", "actual"])
        head(paper, f"{rows.name}: {percent(np.trace(counts) / counts.sum())} right")
    style.set_title(figure, title, notes(sets))
    return figure


class ClassCurve(NamedTuple):
    """Two shares of rows by threshold of the probability of a class, and the area under the curve."""

    name: str
    number: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float
    measure: str

    @property
    def words(self) -> str:
        """The entry of the legend."""
        return f"{self.name} ({self.measure} {below_one(self.area)})"


def roc_curves(rows: Predictions, names: tuple[str, ...]) -> list[ClassCurve]:
    """The rate at which each class is predicted of its own rows over that of others; of two, of the second.

    A class that has no rows, or all of them, has no curve.
    """
    from sklearn.metrics import auc, roc_curve

    curves = []
    for number, name, own, p in _each_class(rows, names):
        if 0 < own.sum() < len(own):
            false, true, _ = roc_curve(own, p)
            curves.append(ClassCurve(name, number, false, true, float(auc(false, true)), "AUC"))
    return curves


def precision_curves(rows: Predictions, names: tuple[str, ...]) -> list[ClassCurve]:
    """The precision of each class over its recall, of two that of the second; none of a class without rows.

    The area is the average precision.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    curves = []
    for number, name, own, p in _each_class(rows, names):
        if own.any():
            precision, recall, _ = precision_recall_curve(own, p)
            area = min(1.0, float(average_precision_score(own, p)))
            curves.append(ClassCurve(name, number, recall, precision, area, "AP"))
    return curves


def _each_class(
    rows: Predictions, names: tuple[str, ...]
) -> Iterator[tuple[int, str, NDArray[np.bool_], Array]]:
    """Number, name, which rows are of it, and their probabilities; of two classes of the second alone."""
    short = short_names(names)
    for number in range(1 if len(names) == 2 else 0, len(names)):
        yield number, short[number], rows.actual == number, rows.predicted[:, number]


def worst_classes(curves: Sequence[Sequence[ClassCurve]]) -> list[int]:
    """The numbers of up to eight classes, those with the smallest areas of all sets, in their order."""
    every = sorted((curve for some in curves for curve in some), key=lambda curve: curve.area)
    return sorted(list(dict.fromkeys(curve.number for curve in every))[:_MOST_CURVES])


def _draw_curves(
    sets: list[Predictions],
    curves: Sequence[Sequence[ClassCurve]],
    count: int,
    labels: Sequence[str],
    corner: str,
    without: str,
    **look: Any,
) -> tuple[Figure, list[Any]]:
    """A panel for each set of rows with the curves of the worst of `count` classes."""
    figure, papers = panels(len(sets))
    shown = worst_classes(curves)  # in the same colors in every panel
    colors = dict(zip(shown, style.class_colors(len(shown)), strict=True))
    for paper, rows, some in zip(papers, sets, curves, strict=True):
        for curve in some:
            if color := colors.get(curve.number):
                words = plain(curve.words)
                paper.plot(curve.x, curve.y, color=color, linewidth=1.8, clip_on=False, label=words, **look)
        if some:
            paper.legend(loc=corner, edgecolor="none", fontsize=8.5, labelcolor=style.INK)
        else:
            middle = {"xycoords": "axes fraction", "ha": "center"}
            style.write(paper, (0.5, 0.4), without, (0, 0), (2.0, 1.0), **middle)
        few = f", {len(shown)} of {count} classes" if 2 < count > len(shown) else ""
        paper.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        style.set_labels(paper, labels)
        head(paper, f"{rows.name}{few}")
    return figure, papers


def roc(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str = "Receiver operating characteristic",
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw how many rows of a class are predicted as it against how many others are, by threshold.

    Of two classes there is the curve of the second, of more one for each class against the rest, at most
    eight in a panel: those with the smallest area under them (AUC). On the dashed line the network knows
    nothing. The arguments are those of `confusion`.

    Raises InputError and MissingLibraryError as `confusion`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=200)
    >>> gn.plots.roc(run, X, y).axes[0].get_legend().get_texts()[0].get_text()
    'class 1 (AUC 1)'

    The curves are those of scikit-learn's `roc_curve`; MATLAB's ``plotroc`` draws the same.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=True)
    curves = [roc_curves(rows, field.names) for rows in sets]
    labels = ["false positive rate", "true positive rate"]
    figure, papers = _draw_curves(
        sets, curves, len(field.names), labels, "lower right", "samples of one class only"
    )
    for paper in papers:
        paper.plot([0, 1], [0, 1], zorder=1, **style.REFERENCE)
    style.set_legend(papers[0], [(style.stroke(**style.REFERENCE), "answers at random")])
    style.set_title(figure, title, notes(sets))
    return figure


def precision_recall(
    run: TrainingRun,
    X: object,
    y: object,
    *,
    held_out: HeldOut = None,
    title: str = "Precision and recall",
    class_names: object = None,
    output: int | None = None,
) -> Figure:
    """Draw how many of the rows answered as a class are of it, against how many of its rows are found.

    Of two classes there is the curve of the second, of more one for each, at most eight: those with the
    smallest average precision (AP). The dashed line is the class's share of the rows, which answers at
    random reach; where a class is rare, this picture says more than the ROC. The arguments are those of
    `roc`.

    Raises InputError and MissingLibraryError as `confusion`.

    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=200)
    >>> gn.plots.precision_recall(run, X, y).axes[0].get_legend().get_texts()[0].get_text()
    'class 1 (AP 1)'

    The curves are those of scikit-learn's `precision_recall_curve`.
    """
    field, sets = make_predictions(run, X, y, held_out, class_names, output, classes=True)
    curves = [precision_curves(rows, field.names) for rows in sets]
    labels, steps = ["recall", "precision"], {"drawstyle": "steps-post"}
    figure, papers = _draw_curves(
        sets, curves, len(field.names), labels, "lower left", "no sample of the class", **steps
    )
    if len(worst_classes(curves)) == 1:
        for paper, rows, some in zip(papers, sets, curves, strict=True):
            for curve in some:
                paper.axhline(np.mean(rows.actual == curve.number), **style.REFERENCE)
        style.set_legend(papers[0], [(style.stroke(**style.REFERENCE), "answers at random")])
    style.set_title(figure, title, notes(sets))
    return figure
