"""The data of the pictures, which the drawing by matplotlib and by plotly share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.encoding import PLAIN, Encoding
from glassnet.data.standardization import Scaling
from glassnet.errors import InputError, InputTypeError
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters
from glassnet.plots.geometry import best_azimuth, plane_in_box
from glassnet.plots.projection import Axes, Projection, as_names, make_projection, numbered, spans
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import as_matrix, as_numbers, as_target, check_finite
from glassnet.utils.libraries import require
from glassnet.utils.settings_checks import as_count

_BLOCK = 8192  # rows that go through the network at a time
_MOST_CLASSES = 12  # whole numbers with more values than this count as quantities
MOST_POINTS = 200_000  # of more samples than this, a picture draws a random choice of so many


def check_run(run: object, has: str = "network") -> None:
    """Raise InputTypeError for anything but a run, such as a fitted estimator."""
    if not hasattr(run, has):
        raise InputTypeError(
            f"run is a TrainingRun, which gn.train returns, not {type(run).__name__}. Fitted estimators "
            "have displays: glassnet's LossCurveDisplay and HiddenProjectionDisplay, scikit-learn's "
            "DecisionBoundaryDisplay, PredictionErrorDisplay, ConfusionMatrixDisplay and RocCurveDisplay."
        )


def predict(
    network: Network,
    theta: Parameters,
    X: NDArray[Any],
    pick: Callable[[list[Array], Array], Array] | None = None,
    scaling: Scaling | None = None,
    rows: int = _BLOCK,
) -> Array:
    """Y_hat (n, outputs), or pick([X, H1, ...], Y_hat), computed a block of so many rows at a time.

    X and Y_hat are in the user's units where `scaling` says how the network learned from them. Unlike
    `Network.forward`, it does not keep all rows of every layer at once, and does not warn where a diverged
    network overflows.
    """
    blocks = []
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for start in range(0, len(X), rows):
            block = X[start : start + rows]
            block = (block if scaling is None else scaling.inputs(block)).astype(theta.dtype)
            Zs, Hs = reference.forward_propagation(block, theta.weights, theta.biases, network.hidden)
            Y_hat = reference.output_activations(Zs[-1], network.output)
            Y_hat = Y_hat if scaling is None else scaling.values(Y_hat)
            blocks.append(Y_hat if pick is None else pick(Hs, Y_hat))
    return np.concatenate(blocks)


@dataclass(frozen=True)
class Targets:
    """The targets that color the samples: class numbers into `names`, or values of the named quantity."""

    values: NDArray[Any]
    names: tuple[str, ...]
    is_class: bool

    def of(self, rows: Any) -> Targets:
        """Those of some samples."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True)
class Field:
    """The prediction of a network as a function of the input: the probability of each class, or a value.

    `output` picks one class of a softmax against the rest, one of several labels, or one of the values of a
    regression.
    """

    network: Network
    parameters: Parameters
    names: tuple[str, ...]
    output: int | None
    encoding: Encoding = PLAIN

    @property
    def is_class(self) -> bool:
        """True for probabilities of classes, False for values."""
        return self.network.loss.target in ("class", "label")

    @property
    def quantity(self) -> str:
        """The name of the height of a surface over this field."""
        if not self.is_class:
            return f"predicted {self.names[0]}"
        return f"P({self.names[1]})" if len(self.names) == 2 else "P(most probable class)"

    @property
    def border(self) -> str:
        """The name of the line where the leading class changes."""
        return "P = 1/2" if len(self.names) == 2 else "equally probable"

    def __call__(self, X: NDArray[Any]) -> Array:
        """(n, inputs) to (n, C) or (n,)."""
        Y_hat = predict(self.network, self.parameters, X, scaling=self.encoding.scaling)
        if self.output is not None:
            Y_hat = Y_hat[:, self.output]
            Y_hat = np.stack([1 - Y_hat, Y_hat], axis=1) if self.is_class else Y_hat
        return Y_hat.astype(np.float64)

    def targets(self, y: object, n: int) -> Targets:
        """y as class numbers, or as the values of the chosen output."""
        network = self.network
        rows = as_target(self.encoding.numbers(y), n, network.sizes[-1], network.loss.target)
        if network.loss.target == "class":
            numbers = rows if rows.ndim == 1 else rows.argmax(axis=1)
            if self.output is not None:
                numbers = (numbers == self.output).astype(np.intp)
            return Targets(numbers, self.names, is_class=True)
        column = rows[:, self.output or 0]
        if self.is_class:
            return Targets((column > 0.5).astype(np.intp), self.names, is_class=True)
        return Targets(column.astype(np.float64), self.names, is_class=False)


def make_field(run: TrainingRun, class_names: object = None, output: int | None = None) -> Field:
    """The field of a run; `class_names` names its classes, labels or target values.

    Raises InputError for an output that the network does not have, or for another number of names.
    """
    network = run.network
    count, kind = network.sizes[-1], network.loss.target
    if output is not None:
        output = as_count(output, "output")
        if output >= count:
            raise InputError(f"output is {output}; the network's outputs go from 0 to {count - 1}.")
    parameters = network.check_parameters(run.theta)
    names = output_names(network, run.encoding.classes if class_names is None else class_names)
    if kind == "class":
        if output is not None:
            names = (names[1 - output] if count == 2 else f"not {names[output]}", names[output])
        return Field(network, parameters, names, output, run.encoding)
    output = output or 0
    if kind != "label":
        names = (names[output],)
    elif count > 1:
        names = (f"not {names[output]}", names[output])
    return Field(network, parameters, names, output, run.encoding)


def output_names(network: Network, class_names: object = None) -> tuple[str, ...]:
    """`class_names`, or default names, of the classes (two for a single label), labels or values."""
    count, word = network.sizes[-1], {"class": "class", "label": "label"}.get(network.loss.target, "y")
    if word == "label" and count == 1:
        count, word = 2, "class"
    default = ["y"] if word == "y" and count == 1 else [f"{word} {i}" for i in range(count)]
    return as_names(class_names, count, "class_names", default)


def as_samples(X: object, width: int | None = None) -> NDArray[Any]:
    """X as a matrix with at least one row and one column."""
    matrix = as_matrix(X, width=width)
    if matrix.size == 0:
        raise InputError(f"X is empty, shape {matrix.shape}; expected at least one sample to draw.")
    return matrix


def as_rows(y: object, n: int) -> NDArray[Any]:
    """y as an array with one entry or row for each of n samples."""
    labels = np.asarray(y)
    if labels.ndim not in (1, 2) or len(labels) != n:
        raise InputError(f"y has shape {labels.shape}, X has {n} rows; expected one entry or row for each.")
    return labels


def guess_targets(y: object, n: int, class_names: object = None) -> Targets:
    """The targets of y, without a network that defines them.

    Text, and whole numbers of at most 12 values unless one name alone is given, are classes, numbered in
    sorted order; rows of 0 and 1 with one 1 are classes too. Anything else is a quantity: its first column.
    """
    labels = as_rows(y, n)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = as_numbers(labels, "y")
        if np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1):
            return _classes(labels.argmax(axis=1), range(labels.shape[1]), class_names)
        if isinstance(class_names, (list, tuple)) and len(class_names) == labels.shape[1]:
            class_names = class_names[:1]
        labels = labels[:, 0]
    labels = labels.reshape(n)
    if labels.dtype.kind in "OUST":
        distinct, numbers = np.unique([str(label) for label in labels], return_inverse=True)
        return _classes(numbers, distinct, class_names, prefix="")
    values = as_numbers(labels, "y")
    check_finite(values, "y")
    distinct, numbers = np.unique(values, return_inverse=True)
    count = len(class_names) if hasattr(class_names, "__len__") else 0
    one_quantity = count == 1 and len(distinct) > 1  # the name of counts, say
    few = len(distinct) <= max(_MOST_CLASSES, count)
    if few and np.all(distinct == np.round(distinct)) and not one_quantity:
        whole = distinct.astype(np.int64)
        # Class numbers index the names: where class 0 has no sample, class 1 keeps its own name.
        if 0 <= whole[0] <= whole[-1] < count:
            return _classes(values.astype(np.intp), range(count), class_names)
        return _classes(numbers, whole, class_names)
    return Targets(values.astype(np.float64), as_names(class_names, 1, "class_names", ("y",)), False)


def _classes(
    numbers: NDArray[Any], labels: Sequence[Any] | NDArray[Any], names: object, prefix: str = "class "
) -> Targets:
    defaults = [f"{prefix}{label}" for label in labels]
    return Targets(numbers, as_names(names, len(labels), "class_names", defaults), is_class=True)


def chosen_samples(n: int, most: int = MOST_POINTS) -> NDArray[np.intp]:
    """The indices of the samples to draw: all, or a repeatable random choice of `most`."""
    if n <= most:
        return np.arange(n)
    return np.sort(RandomState(0).permutation(n)[:most])


@dataclass(frozen=True)
class Cloud:
    """The samples of a picture: coordinates, targets, and whether each is misclassified."""

    points: Array
    targets: Targets
    wrong: NDArray[np.bool_] | None
    total: int

    @property
    def n_wrong(self) -> int:
        """The number of misclassified samples."""
        return 0 if self.wrong is None else int(self.wrong.sum())

    @property
    def note(self) -> str:
        """A note where the picture does not draw all samples, else ""."""
        drawn = len(self.points)
        return "" if drawn == self.total else f"{drawn:,} of {self.total:,} samples drawn at random"


def make_cloud(
    X: NDArray[Any],
    targets: Targets,
    projection: Projection,
    field: Field | None = None,
    most: int = MOST_POINTS,
) -> Cloud:
    """The projected samples; with a field, also which of them it misclassifies."""
    rows = chosen_samples(len(X), most)
    shown = targets.of(rows)
    wrong = None
    if field is not None and field.is_class:
        wrong = field(X[rows]).argmax(axis=1) != shown.values
    return Cloud(projection.project(X[rows]), shown, wrong, len(X))


@dataclass(frozen=True)
class Grid:
    """A field over a line or plane: `ticks` (k arrays), `values` of shape (..., C) or (...,).

    In a plane, ``values[i, j]`` belongs to ``(ticks[0][j], ticks[1][i])``: rows go with the second
    axis, as images and contours want them.
    """

    ticks: tuple[Array, ...]
    values: Array
    projection: Projection
    field: Field

    @property
    def span(self) -> Array:
        """The first and the last tick of each axis, (k, 2)."""
        return np.array([(ticks[0], ticks[-1]) for ticks in self.ticks])

    def margins(self) -> Array:
        """log P(class c) - log P(the best other class), (..., C): 0 on the border of class c.

        Where the network is sure, probabilities jump from 0 to 1 between grid points and give a jagged
        line; their logarithms do not.
        """
        smallest = np.finfo(self.field.parameters.dtype).eps  # the resolution of 1 - P
        P = np.log(np.clip(np.nan_to_num(self.values), smallest, 1))
        best = P.max(axis=-1, keepdims=True)
        order = np.sort(P, axis=-1)
        return P - np.where(best == P, order[..., -2:-1], best)

    def height_at(self, points: Array) -> Array:
        """`scalar` at points (m, 2) of the plane, computed by the network."""
        values = self.field(self.projection.lift(points))
        return replace(self, values=values).scalar

    @property
    def scalar(self) -> Array:
        """The height of a surface: the value, P(class 1) of two classes, or the largest probability."""
        if not self.field.is_class:
            return self.values
        return self.values[..., 1] if self.values.shape[-1] == 2 else self.values.max(axis=-1)


def make_grid(
    field: Field, projection: Projection, span: Array, resolution: int, *, adaptive: bool = False
) -> Grid:
    """The field at `resolution` points along each axis of the projection.

    An adaptive grid has more points where the field is steep, so that the walls of a surface are more than
    two or three points wide.
    """
    count = as_count(resolution, "resolution", 2)
    grid = _grid_at(field, projection, tuple(np.linspace(low, high, count) for low, high in span))
    if not adaptive or len(span) != 2 or not np.isfinite(grid.scalar).all():
        return grid
    ticks = []
    for even, axis in zip(grid.ticks, (1, 0), strict=True):
        slope = np.abs(np.diff(grid.scalar, axis=axis)).max(axis=1 - axis)
        # Half of the points lie evenly, half in proportion to the slope of the field.
        density = np.full(count - 1, 1 / (count - 1)) + slope / (slope.sum() or 1)
        reached = np.append(0, np.cumsum(density))
        ticks.append(np.interp(np.linspace(0, reached[-1], count), reached, even))
    return _grid_at(field, projection, tuple(ticks))


def _grid_at(field: Field, projection: Projection, ticks: tuple[Array, ...]) -> Grid:
    mesh = np.meshgrid(*ticks)
    U = np.stack([coordinate.ravel() for coordinate in mesh], axis=1)
    # A block at a time: the inputs of a wide network over the whole plane would not fit into memory.
    blocks = [field(projection.lift(U[start : start + _BLOCK])) for start in range(0, len(U), _BLOCK)]
    values = np.concatenate(blocks)
    return Grid(ticks, values.reshape(*mesh[0].shape, *values.shape[1:]), projection, field)


def input_projection(width: int, X: NDArray[Any] | None, axes: Axes, feature_names: object) -> Projection:
    """The line or plane through the space of `width` inputs that a picture shows."""
    names = as_names(feature_names, width, "feature_names", numbered("x", width))
    return make_projection(X, width, 2, axes, names)


def hidden_layer(network: Network, layer: int) -> int:
    """`layer` as an index from 0 into the hidden layers; negative ones count from the last."""
    count = len(network.hidden)
    if count == 0:
        raise InputError(
            f"The network {network} has no hidden layer to draw. Give it one, as in "
            f"gn.Network(({network.sizes[0]}, 3, {network.sizes[-1]})), or draw the decision boundary."
        )
    if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)):
        raise InputTypeError(f"layer is the index of a hidden layer, not {layer!r}.")
    if not -count <= layer < count:
        raise InputError(f"layer is {layer}; the hidden layers go from 0 to {count - 1} (-1 is the last).")
    return int(layer) % count


def separating_plane(field: Field, layer: int) -> tuple[Array, float] | None:
    """w (width,) and b of the plane ``w . h + b = 0`` between two classes, or None.

    There is a plane where `layer` feeds the output layer and that decides between two classes.
    """
    network, theta = field.network, field.parameters
    if not field.is_class or layer != len(network.hidden) - 1 or len(field.names) != 2:
        return None
    W, b = theta.weights[-1].astype(np.float64), theta.biases[-1].astype(np.float64)
    if network.loss.target == "label":
        return W[:, field.output or 0], float(b[field.output or 0])
    if W.shape[1] > 2:  # no plane divides one class from the rest
        return None
    k = 1 if field.output is None else field.output
    return W[:, k] - W[:, 1 - k], float(b[k] - b[1 - k])


@dataclass(frozen=True)
class HiddenScene:
    """The samples in the coordinates of a hidden layer, and where the output layer divides them."""

    cloud: Cloud
    projection: Projection
    layer: int
    plane: tuple[Array, float] | None
    box: Array

    @property
    def corners(self) -> Array:
        """The separating plane's corners inside the box of three units, (0, 3) where there is none."""
        if self.plane is None or self.projection.dimensions != 3:
            return np.empty((0, 3))
        return plane_in_box(*self.plane, self.box[:, 0], self.box[:, 1])

    def histogram(self) -> tuple[Array, list[NDArray[Any]], float | None]:
        """Of one unit the bins, the counts of each class or of all, and a threshold within the bins."""
        h, targets = self.cloud.points[:, 0], self.cloud.targets
        low, high = spans(h[:, None], 1)[0]
        edges = np.linspace(low, high, 61)
        classes = targets.values if targets.is_class else np.zeros(len(h), dtype=np.intp)
        counts = [np.histogram(h[classes == i], edges)[0] for i in range(len(targets.names))]
        place = np.nan if self.plane is None or self.plane[0][0] == 0 else -self.plane[1] / self.plane[0][0]
        return edges, counts, float(place) if low < place < high else None

    def azimuth(self, groups: NDArray[np.intp], elevation: float) -> float:
        """The azimuth that shows the groups of samples best apart, in a box of equal sides."""
        scale = np.ptp(self.box, axis=1)
        some = slice(None, None, max(1, len(groups) // 2000))
        unit = (self.cloud.points[some] - self.box[:, 0]) / scale
        normal = None if self.plane is None else self.plane[0] * scale
        return best_azimuth(unit, groups[some], normal, elevation)


def make_hidden_scene(
    field: Field, X: NDArray[Any], y: object, units: Axes, layer: int, most: int = MOST_POINTS
) -> HiddenScene:
    """The samples projected on three units, or on the principal axes, of that hidden layer."""
    network = field.network
    index = hidden_layer(network, layer)
    targets = field.targets(y, len(X))
    rows = chosen_samples(len(X), most)
    scaling = field.encoding.scaling
    H = predict(network, field.parameters, X[rows], lambda Hs, _: Hs[index + 1], scaling)
    H = H.astype(np.float64)
    check_finite(H, f"The output of hidden layer {index}")
    width = network.sizes[index + 1]
    projection = make_projection(H, width, 3, units, numbered("h", width), "units")
    cloud = Cloud(projection.project(H), targets.of(rows), None, len(X))
    plane = separating_plane(field, index) if projection.whole else None
    if plane is not None:  # in the picture's coordinates
        w, b = plane
        plane = projection.directions @ w, float(b + projection.origin @ w)
    box = spans(cloud.points, projection.dimensions)
    if network.hidden[index].name == "logistic" and projection.whole and not np.any(projection.origin):
        box = np.tile([0.0, 1.0], (projection.dimensions, 1))
    return HiddenScene(cloud, projection, index, plane, box)


def boundary_lines(grid: Grid) -> list[Array]:
    """The lines (m, 2) in the plane where the leading class changes."""
    if not grid.field.is_class or len(grid.ticks) != 2:
        return []
    contourpy = require("contourpy")
    margins = grid.margins()
    lines: list[Array] = []
    for index in range(1 if margins.shape[-1] == 2 else 0, margins.shape[-1]):
        lines += contourpy.contour_generator(*grid.ticks, margins[..., index]).lines(0.0)
    return lines
