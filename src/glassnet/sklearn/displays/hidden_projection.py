"""HiddenProjectionDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.plots import style
from glassnet.plots.geometry import best_azimuth, screen_axes
from glassnet.plots.picture_data import Cloud, Targets, chosen_samples, hidden_layer
from glassnet.plots.projection import Axes, make_projection, numbered, spans
from glassnet.sklearn.displays.subject import axes_or_new, find_subject
from glassnet.utils.array_checks import check_finite
from glassnet.utils.words import counted, plain

_ELEVATION = 22.0
_MOST_ROWS = 14  # of a legend's column


class HiddenProjectionDisplay:
    """The samples where a hidden layer puts them, colored by class or target.

    Parameters
    ----------
    points : (n_samples, n_dimensions), 1 to 3 dimensions: two or three units' outputs, or their principal
        axes. In one dimension the height is the target, a strip for each class.
    target : (n_samples,), class numbers into `target_names`, or values.
    target_names : the classes' names; of values the one name of what they are.
    is_class : whether `target` holds class numbers.
    axis_labels : one for each dimension.
    title : None for none.

    Attributes
    ----------
    The parameters under their names, and after `plot`:

    scatter_ : the samples, a collection of matplotlib.
    legend_, colorbar_ : of classes and of values; None for what there is not.
    labels_ : each class's name at its middle, where there are more classes than colors that are told
        apart with any color vision (eight); else none.
    ax_, figure_ : the axes, in space for three dimensions, and the figure.

    Raises InputError for arrays that do not fit one another.

    Example
    -------
    >>> import glassnet as gn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_iris(return_X_y=True)
    >>> model = gn.MLPClassifier((8,), solver="lbfgs", random_state=0).fit(scale(X), y)
    >>> display = gn.HiddenProjectionDisplay.from_estimator(model, scale(X), y)
    >>> display.points.shape, display.ax_.get_xlabel()[:16]
    ((150, 2), 'principal axis 1')

    Principal axes: Pearson (1901), "On lines and planes of closest fit". In the form of scikit-learn's
    displays; it has none for a network's layers, whose outputs its estimators keep to themselves.
    """

    def __init__(
        self,
        *,
        points: Any,
        target: Any,
        target_names: Sequence[str],
        is_class: bool,
        axis_labels: Sequence[str],
        title: str | None = None,
    ) -> None:
        self.points: Array = np.asarray(points, dtype=np.float64)
        self.target = np.asarray(target)
        if self.points.ndim != 2 or not 1 <= self.points.shape[1] <= 3 or len(self.points) == 0:
            raise InputError(f"points has shape {self.points.shape}; expected (n_samples, 1 to 3).")
        if self.target.shape != self.points.shape[:1]:
            raise InputError(
                f"target has shape {self.target.shape}, points has {len(self.points)} rows; expected one "
                f"entry for each."
            )
        self.target_names = tuple(target_names)
        self.is_class = is_class
        self.axis_labels = tuple(axis_labels)
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        layer: int = -1,
        units: Axes = None,
        n_components: int | None = None,
        output: int = 0,
        class_names: object = None,
        view: tuple[float, float] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> HiddenProjectionDisplay:
        """Draw samples in a hidden layer of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor of glassnet, or a Pipeline that ends with one.
        X, y : samples and targets as for `fit`, those that it was fitted with or others.
        layer : which hidden layer, from 0; -1 is the last.
        units : which units are the axes, by index from 0 or as "h₁" and so on, or "principal" for the
            directions in which their outputs vary most; None: all where they are few enough, else those.
        n_components : dimensions at most, 1 to 3; None: 3 where the layer has three units and `ax` is
            new or in space, else 2. A layer has no more dimensions than units.
        output : the column of y that colors, where it has several.
        class_names : names in place of `classes_`; of a regressor those of its outputs.
        view, ax, kwargs : see `plot`.

        Raises NotFittedError before `fit`, InputTypeError for another estimator, InputError without a
        hidden layer, for an unknown unit or layer, a class that was not learned, or unequal lengths.
        """
        subject = find_subject(estimator, cls.__name__)
        model = subject.model
        network, _ = model._fitted()
        if not network.hidden:
            raise InputError(
                f"This {type(model).__name__} has no hidden layer to project: give it one, as in "
                "hidden_layer_sizes=(3,)."
            )
        index = hidden_layer(network, layer)
        H = model.hidden_activations(subject.transform(X))[index].astype(np.float64)
        check_finite(H, f"The output of hidden layer {index}")
        targets = subject.targets(y, len(H), output, class_names)
        width = H.shape[1]
        most = _dimensions(n_components, width, units, ax)
        projection = make_projection(H, width, most, units, numbered("h", width), "units")
        about = counted(width, f"{network.hidden[index].name} unit")
        display = cls(
            points=projection.project(H),
            target=targets.values,
            target_names=targets.names,
            is_class=targets.is_class,
            axis_labels=projection.labels,
            title=f"Hidden layer {index + 1}: {about}",
        )
        return display.plot(ax, view=view, **kwargs)

    def plot(
        self, ax: Any = None, *, view: tuple[float, float] | None = None, **kwargs: Any
    ) -> HiddenProjectionDisplay:
        """Draw the samples on `ax`, or on new axes, and return the display.

        Parameters
        ----------
        ax : axes of matplotlib, with ``projection="3d"`` for three dimensions.
        view : elevation and azimuth in degrees of three dimensions; None looks from where the classes
            are seen apart.
        kwargs : for matplotlib's `scatter`, over this display's own settings.

        Raises InputError for axes of another number of dimensions, MissingLibraryError where matplotlib
        is not installed. Of more than 200,000 samples a random choice is drawn.
        """
        solid = self.points.shape[1] == 3
        if ax is not None and (ax.name == "3d") != solid:
            expected = 'projection="3d"' if solid else "two dimensions"
            raise InputError(
                f"The points have {self.points.shape[1]} dimensions, ax has "
                f"{3 if ax.name == '3d' else 2}: give axes with {expected}, or another n_components."
            )
        own = ax is None
        self.ax_ = axes_or_new(ax, 6.6, 5.0, solid)
        self.figure_ = self.ax_.figure
        # A random order, lest the last class cover the others.
        rows = RandomState(0).permutation(chosen_samples(len(self.points)))
        targets = Targets(self.target[rows], self.target_names, self.is_class)
        cloud = Cloud(self.points[rows], targets, None, len(self.points))
        screen = self._screen(cloud, view, 0.88 if own else 0.8)
        places = cloud.points if self.points.shape[1] > 1 else style.over_line(cloud)[0]
        look = _look(cloud, screen)
        if "c" in kwargs:
            del look["color"]  # which matplotlib takes for the same
        self.scatter_ = self.ax_.scatter(*places.T, **(look | kwargs))
        height = "class" if self.is_class else self.target_names[0]
        labels = [*self.axis_labels, *([height] if len(self.axis_labels) == 1 else [])]
        for letter, label in zip("xyz", labels, strict=False):
            getattr(self.ax_, f"set_{letter}label")(plain(label))
        if len(self.axis_labels) == 1 and self.is_class:
            style.name_strips(self.ax_, self.target_names)
        self.ax_.set_title(None if self.title is None else plain(self.title), fontsize=11)
        self.labels_ = self._draw_labels()
        self.legend_: Any = None
        self.colorbar_: Any = None
        if len(self.axis_labels) > 1 and self.is_class:
            self._set_legend(own)
        elif len(self.axis_labels) > 1:
            scale, pad = style.color_scale(self.target), 0.06 if solid else 0.03
            self.colorbar_ = self.figure_.colorbar(scale, ax=self.ax_, shrink=0.75, pad=pad)
            self.colorbar_.set_label(plain(self.target_names[0]))
        return self

    def _screen(self, cloud: Cloud, view: tuple[float, float] | None, zoom: float) -> Array:
        """Where the samples lie on the paper, (n, 2), which their opacity goes by."""
        if self.points.shape[1] < 3:
            return cloud.points if self.points.shape[1] == 2 else style.over_line(cloud)[0]
        low, high = spans(self.points, 3).T
        unit = (cloud.points - low) / (high - low)
        groups, _ = style.number_colors(cloud.targets)
        some = slice(0, 2000)  # they are in random order
        elevation, azimuth = view or (
            _ELEVATION,
            best_azimuth(unit[some], groups[some], None, _ELEVATION),
        )
        self.ax_.view_init(elev=elevation, azim=azimuth)
        self.ax_.set_box_aspect((1, 1, 0.9), zoom=zoom)  # less leaves the labels more room
        return unit @ screen_axes(elevation, azimuth).T

    def _draw_labels(self) -> list[Any]:
        few = len(self.target_names) <= len(style.OKABE_ITO)
        if not self.is_class or few or len(self.axis_labels) == 1:
            return []
        texts = []
        for number in np.unique(self.target):
            middle = np.median(self.points[self.target == number], axis=0)
            look = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
            name = plain(self.target_names[number], 16)
            texts.append(
                self.ax_.text(*middle, name, ha="center", va="center", fontsize=9, zorder=5, bbox=look)
            )
        return texts

    def _set_legend(self, own: bool) -> None:
        entries = style.sample_legend(Targets(self.target, self.target_names, True))
        # A layout makes room beside the axes; without one there is only the emptiest place on them.
        room = own or self.figure_.get_layout_engine() is not None
        beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0}
        self.legend_ = self.ax_.legend(
            [handle for handle, _ in entries],
            [plain(name) for _, name in entries],
            fontsize=9,
            handletextpad=0.3,
            ncols=-(-len(entries) // _MOST_ROWS),
            **(beside if room else {"loc": "best", "framealpha": 0.6}),
        )


def _dimensions(n_components: int | None, width: int, units: Axes, ax: Any) -> int:
    """How many axes the picture has."""
    if n_components is not None:
        if isinstance(n_components, bool) or n_components not in (1, 2, 3):
            raise InputError(f"n_components is {n_components!r}; expected 1, 2 or 3.")
        return int(n_components)
    if units is not None and not isinstance(units, (str, int, np.integer)):
        return min(max(len(units), 1), 3)
    if ax is not None:
        return 3 if ax.name == "3d" else 2
    return 3 if width == 3 else 2


def _look(cloud: Cloud, screen: Array) -> dict[str, Any]:
    """Each sample's color and opacity, and the size of all."""
    groups, colors = style.number_colors(cloud.targets)
    size = style.dot_size(len(cloud.points))
    faces = np.empty((len(groups), 4))
    faces[:, :3] = np.array([style.rgb(color) for color in colors])[groups]
    faces[:, 3] = style.opacities(screen, spans(screen, 2), size)
    return {"color": faces, "s": size**2, "linewidths": 0}
