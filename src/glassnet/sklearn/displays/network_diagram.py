"""NetworkDiagramDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.plots.projection import as_names, numbered
from glassnet.plots.style import FAINT, INK, OKABE_ITO, rgb, tint, write
from glassnet.sklearn.displays.subject import axes_or_new, find_subject
from glassnet.sklearn.network import pack
from glassnet.utils.array_checks import check_finite
from glassnet.utils.libraries import require
from glassnet.utils.words import plain, readable

POSITIVE, NEGATIVE = OKABE_ITO[:2]
"""Colors of signs, told apart with any color vision."""

_FEW = 24  # weights whose values find room on their lines
_SMALL = 8.0  # points of a value's type
_PLACES = (0.3, 0.24, 0.36, 0.18, 0.42, 0.48, 0.54, 0.6, 0.66, 0.72, 0.78, 0.84)  # along a line
_PADDING = 16.0  # points above and below the outermost units


class NetworkDiagramDisplay:
    """The units as circles, the weights as lines between them: width for size, color for sign.

    Parameters
    ----------
    coefs, intercepts : each layer's weights (n_in, n_out) and biases (n_out,), as `coefs_` and
        `intercepts_`. A unit is filled by its bias, in the same colors.
    input_names, output_names : one for each unit of the first and the last layer.
    layer_names : one for each layer, the inputs first.

    Attributes
    ----------
    The parameters under their names, and after `plot`:

    shown_units_ : for each layer the indices of the units that are drawn.
    shown_weights_ : for each layer which weights are drawn, a mask (n_in, n_out).
    lines_ : for each layer its weights, a collection of matplotlib, the strongest last.
    nodes_ : for each layer its units, a collection of matplotlib.
    values_ : the texts of the weights' values, where there are some.
    note_ : what is left out and what width and fill mean; it stands below the diagram.
    ax_, figure_ : the axes and the figure.

    Raises InputError for layers that do not follow one another, other numbers of names, and weights that
    are not finite.

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> model = gn.MLPClassifier((3,), activation="tanh", solver="lbfgs", random_state=1).fit(X, y)
    >>> display = gn.NetworkDiagramDisplay.from_estimator(model, feature_names=["left", "right"])
    >>> [len(units) for units in display.shown_units_], len(display.values_)
    ([2, 3, 1], 9)

    In the form of scikit-learn's displays; it has none for a network.
    """

    def __init__(
        self,
        *,
        coefs: Sequence[Any],
        intercepts: Sequence[Any],
        input_names: Sequence[str],
        output_names: Sequence[str],
        layer_names: Sequence[str],
    ) -> None:
        theta = pack(coefs, intercepts)
        check_finite(theta.flat, "The parameters")
        self.coefs: list[Array] = list(theta.weights)
        self.intercepts: list[Array] = list(theta.biases)
        sizes = theta.sizes
        self.input_names = as_names(input_names, sizes[0], "input_names", ())
        self.output_names = as_names(output_names, sizes[-1], "output_names", ())
        self.layer_names = as_names(layer_names, len(sizes), "layer_names", ())

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: object = None,
        class_names: object = None,
        max_units: int = 32,
        max_weights: int = 64,
        show_values: bool | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> NetworkDiagramDisplay:
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor of glassnet, or a Pipeline that ends with one, whose
            other steps name the inputs.
        feature_names : names of the inputs; None: those it was fitted with, or x0, x1 and so on.
        class_names : names in place of `classes_`; of a regressor those of its outputs.
        max_units, max_weights, show_values, ax, kwargs : see `plot`.

        Raises NotFittedError before `fit`, InputTypeError for another estimator, InputError for another
        number of names.
        """
        subject = find_subject(estimator, cls.__name__)
        model = subject.model
        network, _ = model._fitted()
        hidden = [f"hidden {i}\n{one.name}" for i, one in enumerate(network.hidden, 1)]
        display = cls(
            coefs=model.coefs_,
            intercepts=model.intercepts_,
            input_names=subject.feature_names(feature_names),
            output_names=subject.output_names(class_names),
            layer_names=["inputs", *hidden, f"output\n{model.out_activation_}"],
        )
        return display.plot(
            ax, max_units=max_units, max_weights=max_weights, show_values=show_values, **kwargs
        )

    def plot(
        self,
        ax: Any = None,
        *,
        max_units: int = 32,
        max_weights: int = 64,
        show_values: bool | None = None,
        **kwargs: Any,
    ) -> NetworkDiagramDisplay:
        """Draw the diagram on `ax`, or on new axes, and return the display.

        Parameters
        ----------
        max_units : units of a layer that are drawn: those with the largest weights towards the next.
        max_weights : weights of a layer that are drawn, the largest.
        show_values : whether the weights' values stand on their lines; None: where there are at most 24.
        kwargs : matplotlib's properties of the weights' LineCollection, over this display's own.

        Raises InputError for limits below 1, MissingLibraryError where matplotlib is not installed.
        """
        for name, value in (("max_units", max_units), ("max_weights", max_weights)):
            if value < 1:
                raise InputError(f"{name} is {value}; expected 1 or more.")
        units = strongest_units(self.coefs, max_units)
        masks = strongest_weights(self.coefs, units, max_weights)
        counts = [len(one) for one in units]
        own = ax is None
        tall = float(np.clip(0.24 * max(counts) + 1.6, 3.4, 9.0))
        self.ax_ = axes_or_new(ax, 1.4 + 2.1 * len(units), tall)
        self.figure_ = self.ax_.figure
        self.shown_units_, self.shown_weights_ = units, masks
        heights = unit_heights(counts)
        room = 72 * self.ax_.get_window_extent().height / self.figure_.dpi  # points
        diameter = float(np.clip(0.6 * room / (max(counts) + 1), 4, 22))
        self._set_paper(own, (diameter / 2 + _PADDING) / room)
        shown = sum(int(mask.sum()) for mask in masks)
        thickest = float(np.interp(shown, [_FEW, 100], [4.5, 2.5]))
        self.lines_ = [self._draw_weights(k, heights, thickest, kwargs) for k in range(len(masks))]
        self.nodes_ = [self._draw_units(k, heights[k], diameter) for k in range(len(units))]
        values = shown <= _FEW if show_values is None else show_values
        self.values_ = self._draw_values(heights) if values else []
        self._draw_names(heights, diameter)
        self.note_ = self._note(shown)
        self.ax_.set_xlabel(self.note_, fontsize=8.5, color=FAINT, labelpad=8)
        return self

    def _set_paper(self, own: bool, padding: float) -> None:
        """`padding` is a share of the axes' height."""
        reach = 0.5 / max(1 - 2 * padding, 0.5)
        self.ax_.set(xticks=[], yticks=[], ylim=(-reach, reach))
        # Axes of a caller's own have no layout that makes room for the names beside them.
        side = 0.12 if own else 0.45
        self.ax_.set_xlim(-side, len(self.coefs) + side)
        for spine in self.ax_.spines.values():
            spine.set_visible(False)

    def _draw_weights(self, k: int, heights: list[Array], thickest: float, kwargs: dict[str, Any]) -> Any:
        W, units = self.coefs[k], self.shown_units_
        largest = max(float(np.abs(one).max()) for one in self.coefs) or 1.0
        rows, columns = np.nonzero(self.shown_weights_[k])
        order = np.argsort(np.abs(W[rows, columns]), kind="stable")
        rows, columns = rows[order], columns[order]
        shares = np.abs(W[rows, columns]) / largest
        start = heights[k][np.searchsorted(units[k], rows)]
        end = heights[k + 1][np.searchsorted(units[k + 1], columns)]
        segments = [[(k, a), (k + 1, b)] for a, b in zip(start, end, strict=True)]
        signs = [POSITIVE if w > 0 else NEGATIVE for w in W[rows, columns]]
        look: dict[str, Any] = {
            "colors": [(*rgb(c), 0.35 + 0.5 * share) for c, share in zip(signs, shares, strict=True)],
            "linewidths": 0.4 + (thickest - 0.4) * shares,
            "zorder": 1,
            "capstyle": "butt",
        }
        collection = require("matplotlib.collections").LineCollection(segments, **look)
        collection.set(**kwargs)
        return self.ax_.add_collection(collection, autolim=False)

    def _draw_units(self, k: int, heights: Array, diameter: float) -> Any:
        faces: Any = "white"
        if k > 0:
            b = self.intercepts[k - 1][self.shown_units_[k]]
            largest = max(float(np.abs(one).max()) for one in self.intercepts) or 1.0
            faces = [tint(POSITIVE if one > 0 else NEGATIVE, 0.7 * abs(one) / largest) for one in b]
        return self.ax_.scatter(
            np.full(len(heights), k),
            heights,
            s=diameter**2,
            c=faces,
            edgecolors=INK,
            linewidths=0.9,
            zorder=3,
            clip_on=False,
        )

    def _draw_values(self, heights: list[Array]) -> list[Any]:
        """Each weight's value on its line, the strongest first, where it covers as little as may be."""
        texts = []
        box = self.ax_.get_window_extent()
        inch = np.array([box.width, box.height]) / self.figure_.dpi
        spans = [np.ptp(self.ax_.get_xlim()), np.ptp(self.ax_.get_ylim())]
        points = 72 * inch / spans  # of a step along each axis
        for k, mask in enumerate(self.shown_weights_):
            taken: list[Array] = []
            rows, columns = np.nonzero(mask)
            order = np.argsort(-np.abs(self.coefs[k][rows, columns]), kind="stable")
            for row, column in zip(rows[order], columns[order], strict=True):
                a = heights[k][np.searchsorted(self.shown_units_[k], row)]
                b = heights[k + 1][np.searchsorted(self.shown_units_[k + 1], column)]
                weight = float(self.coefs[k][row, column])
                value = f"{weight:.2g}".replace("-", "\N{MINUS SIGN}")
                size = np.array([0.62 * _SMALL * len(value) + 2, 1.4 * _SMALL])
                places = [np.array([k + at, a + at * (b - a)]) for at in _PLACES]
                place = places[freest([place * points for place in places], size, taken)]
                taken.append(np.array([place * points, size]))
                look = {"color": POSITIVE if weight > 0 else NEGATIVE, "ha": "center", "va": "center"}
                texts.append(
                    write(self.ax_, place, value, back=(0.8, 0.9), fontsize=_SMALL, zorder=2, **look)
                )
        return texts

    def _draw_names(self, heights: list[Array], diameter: float) -> None:
        last = len(heights) - 1
        crowd = max(len(one) for one in heights)
        small = 9 if crowd <= 20 else 7.5
        beside = diameter / 2 + 4
        for k, column in enumerate(heights):
            units = self.shown_units_[k]
            total = len(self.intercepts[k - 1]) if k else len(self.input_names)
            name = "\n".join(map(plain, self.layer_names[k].split("\n")))
            write(self.ax_, (k, 1), name, xycoords=("data", "axes fraction"), ha="center", va="bottom")
            if 0 < k < last and diameter >= 15:
                names = numbered("h", total)
                for unit, height in zip(units, column, strict=True):
                    self.ax_.text(k, height, names[unit], ha="center", va="center", fontsize=8, zorder=4)
            if k in (0, last):
                left = k == 0
                names = self.input_names if left else self.output_names
                for unit, height in zip(units, column, strict=True):
                    place = {"ha": "right" if left else "left", "va": "center", "fontsize": small}
                    offset = (-beside if left else beside, 0)
                    write(self.ax_, (k, height), plain(names[unit], 24), offset, **place)
            if total > len(units):
                look = {"ha": "center", "va": "top", "fontsize": 8, "color": FAINT}
                write(self.ax_, (k, column[-1]), f"⋮ {total - len(units):,} more", (0, -beside), **look)

    def _note(self, shown: int) -> str:
        total = sum(W.size for W in self.coefs)
        left_out = ""
        if shown < total:
            hidden = any(
                len(one) < W.shape[0] for one, W in zip(self.shown_units_, self.coefs, strict=False)
            )
            among = " between the units shown" if hidden else ""
            left_out = f"{shown:,} of {total:,} weights: each layer's strongest{among} · "
        largest = max(float(np.abs(W).max()) for W in self.coefs)
        return (
            f"{left_out}width: size, up to {readable(largest)}\nblue: above 0 · vermilion: below 0 · "
            f"fill: bias"
        )


def strongest_units(coefs: Sequence[Array], most: int) -> list[NDArray[np.intp]]:
    """For each layer the units to show, in order: those with the largest ``sum |W|`` towards the next.

    Of the output layer, which has no next layer, those with the largest sum of incoming weights.
    """
    strengths = [np.abs(W).sum(axis=1) for W in coefs]
    strengths.append(np.abs(coefs[-1]).sum(axis=0))
    return [np.sort(np.argsort(-strength, kind="stable")[:most]) for strength in strengths]


def strongest_weights(
    coefs: Sequence[Array], units: Sequence[NDArray[np.intp]], most: int
) -> list[NDArray[np.bool_]]:
    """For each layer which weights (n_in, n_out) to show: the `most` largest between units that are shown.

    A weight of 0 is no connection. Each layer has its own limit, lest one layer's larger weights take all
    the room.
    """
    masks = []
    for W, rows, columns in zip(coefs, units, units[1:], strict=False):
        sizes = np.zeros_like(W)
        part = np.ix_(rows, columns)
        sizes[part] = np.abs(W[part])
        mask = np.zeros(W.size, dtype=bool)
        mask[np.argsort(-sizes, axis=None, kind="stable")[:most]] = True
        masks.append(mask.reshape(W.shape) & (sizes > 0))
    return masks


def unit_heights(counts: Sequence[int]) -> list[Array]:
    """The heights of each layer's units, from the top down, around 0.

    The largest layer goes from 1/2 to -1/2. The units of smaller layers stand further apart, lest they
    crowd in the middle.
    """
    largest = max(counts)
    heights = []
    for count in counts:
        reach = 0.0 if largest == 1 else ((count - 1) / (largest - 1)) ** 0.6
        heights.append(np.linspace(reach / 2, -reach / 2, count) if count > 1 else np.zeros(1))
    return heights


def freest(places: Sequence[Array], size: Array, taken: Sequence[Array]) -> int:
    """The first place where a box covers least of the boxes `taken`, each a middle and a size."""
    covered = []
    for place in places:
        shared = 0.0
        for middle, other in taken:
            sides = (size + other) / 2 - np.abs(place - middle)
            shared += float(np.prod(np.maximum(sides, 0.0)))
        covered.append(shared)
    return int(np.argmin(covered))
