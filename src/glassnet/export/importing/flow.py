"""A network as it is read, operation by operation: matrices, vectors and functions of one number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.export.model import Answer, Column, Feature, Member, Model
from glassnet.export.sources.runs import answers_of
from glassnet.export.steps import Step
from glassnet.nn.activations import ACTIVATIONS, LEAK
from glassnet.nn.losses import ALL_OUTPUTS
from glassnet.nn.network import Network, Parameters
from glassnet.utils.array_checks import cast, check_finite

GRID = np.concatenate([np.linspace(-30, 30, 1201), [-80.0, -50.0, 50.0, 80.0]])
"""Where functions are compared: a composition of any operations is known by its values."""

_SAME = 1e-5


@dataclass(frozen=True, eq=False)
class Flow:
    """What has been computed so far: layers, and what comes after the last one.

    features : the names of what goes in.
    columns : the inputs of the first layer.
    layers : a matrix, biases and the name of an activation for each.
    layer : the matrix and the biases of the layer that has begun, or None.
    curve : of the layer that has begun, the values on `GRID` of a function of its z;
        the grid itself is z.
    scale, shift : between two layers, what the last one's outputs are multiplied by and what is added.
    softmax : whether a softmax has ended the network.
    """

    features: tuple[str, ...]
    columns: tuple[Column, ...]
    layers: tuple[tuple[Array, Array, str], ...] = ()
    layer: tuple[Array, Array] | None = None
    curve: Array = field(default_factory=lambda: GRID)
    scale: Array | None = None
    shift: Array | None = None
    softmax: bool = False

    @property
    def width(self) -> int:
        """Numbers in a row."""
        if self.layer is not None:
            return len(self.layer[1])
        return self.layers[-1][0].shape[1] if self.layers else len(self.columns)

    @property
    def at_input(self) -> bool:
        """Whether no layer has begun."""
        return not self.layers and self.layer is None

    def times(self, matrix: Array, biases: Array | None = None) -> Flow:
        """A layer begins: a matrix (width, units)."""
        if matrix.ndim != 2 or len(matrix) != self.width:
            raise InputError(f"a matrix of shape {matrix.shape} follows {self.width} units")
        flow, b = self._ended(), np.zeros(matrix.shape[1], matrix.dtype)
        if flow.shift is not None:
            b = b + flow.shift @ matrix
        if flow.scale is not None:
            matrix = flow.scale[:, None] * matrix
        b = b if biases is None else b + biases
        return Flow(flow.features, flow.columns, flow.layers, (matrix, b.astype(matrix.dtype)))

    def moved(self, op: str, vector: Array) -> Flow:
        """Add, subtract, multiply or divide by one number, or by one for each unit."""
        scalar = vector.size == 1 and (vector.ndim == 0 or self.width > 1)
        vector = np.ravel(vector)
        if self.softmax:
            raise InputError("it follows a softmax")
        if vector.size not in (1, self.width):
            raise InputError(f"{vector.size} numbers meet {self.width} units")
        if self.at_input:
            numbers = np.broadcast_to(vector, self.width).tolist()
            columns = [
                column._replace(steps=(*column.steps, Step(op, (number,))))
                for column, number in zip(self.columns, numbers, strict=True)
            ]
            return replace(self, columns=tuple(columns))
        flow = self
        if flow.layer is not None and scalar and (flow.curve is not GRID or op in _FACTORS):
            return replace(flow, curve=_OPERATIONS[op](flow.curve, vector[0]))
        if (straight := flow._straightened()) is not None:
            W, b = straight
            moved = _OPERATIONS[op](b, vector)
            W = _OPERATIONS[op](W, vector) if op in _FACTORS else W
            return replace(flow, layer=(W, moved), curve=GRID)
        flow = flow._ended()
        scale = np.ones(flow.width) if flow.scale is None else flow.scale
        shift = np.zeros(flow.width) if flow.shift is None else flow.shift
        if op in _FACTORS:
            scale = _OPERATIONS[op](scale, vector)
        return replace(flow, scale=scale, shift=_OPERATIONS[op](shift, vector))

    def normalized(
        self, mean: Array, variance: Array, epsilon: float, scale: Array | None, shift: Array | None
    ) -> Flow:
        """(x - mean) / sqrt(variance + epsilon), times the scale, plus the shift."""
        factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
        flow = self.moved("subtract", mean)
        flow = flow.moved("multiply", factor if scale is None else factor * scale)
        return flow if shift is None else flow.moved("add", shift)

    def bent(self, function: Callable[[Array], Any]) -> Flow:
        """A function of one number."""
        if self.layer is None or self.softmax:
            raise InputError("a function follows no layer")
        with np.errstate(all="ignore"):
            return replace(self, curve=np.asarray(function(self.curve)))

    def ended_by_softmax(self) -> Flow:
        """The network's end."""
        straight = self._straightened()
        if straight is None:
            raise InputError("a softmax follows no linear layer")
        return replace(self, layer=straight, curve=GRID, softmax=True)

    def picked(self, places: list[int]) -> Flow:
        """Some of the inputs, before the first layer."""
        return replace(self, columns=tuple(self.columns[place] for place in places))

    def _straightened(self) -> tuple[Array, Array] | None:
        """The layer that has begun, with a curve a z + c in its numbers; None where there is another."""
        if self.layer is None or self.curve is GRID:
            return self.layer
        c = self.curve[_ZERO]
        a = (self.curve[_ONE] - c) / GRID[_ONE]
        with np.errstate(all="ignore"):
            if not (np.abs(self.curve - (a * GRID + c)) <= _SAME * np.abs(self.curve).max()).all():
                return None
        W, b = self.layer
        return W * a, b * a + c

    def _ended(self) -> Flow:
        """The layer with its activation, which is known by its curve."""
        if self.softmax:
            raise InputError("a layer follows a softmax")
        if self.layer is None:
            return self
        straight = self._straightened()
        if straight is not None:
            return self._with_layer(straight, "identity")
        for record in ACTIVATIONS.values():
            with np.errstate(all="ignore"):
                if near(self.curve, record.value(GRID)):
                    return self._with_layer(self.layer, record.name)
        raise InputError(
            f"the activation before it is none of {', '.join(ACTIVATIONS)}, of which leaky_relu has a "
            f"slope of {LEAK}, and elu an alpha of 1"
        )

    def _with_layer(self, layer: tuple[Array, Array], name: str) -> Flow:
        return Flow(self.features, self.columns, (*self.layers, (*layer, name)))

    def _output(self) -> tuple[Array, Array, str]:
        """The last layer, and its link."""
        if self.layer is None:
            raise InputError("the network ends with no layer, or with numbers after its last activation")
        straight = self._straightened()
        if straight is not None:
            return *straight, "softmax" if self.softmax else "identity"
        for name, record in ALL_OUTPUTS.items():
            if name != "softmax":
                with np.errstate(all="ignore"):
                    if near(self.curve, record.link(GRID)):
                        return *self.layer, name
        raise InputError(f"the function of the last layer is none of {', '.join(ALL_OUTPUTS)}")

    def model(self, dtype: DTypeLike, labels: tuple[Any, ...] | None = None, pair: bool = False) -> Model:
        """The whole network in a precision; with `pair`, its one output p becomes 1 - p and p."""
        layers = [*self.layers, self._output()]
        sizes = (len(layers[0][0]), *(len(b) for _, b, _ in layers))
        *hidden, link = (name for _, _, name in layers)
        network = Network(sizes, hidden, link)
        flat = np.concatenate([np.ravel(each) for W, b, _ in layers for each in (W, b)])
        check_finite(flat, "The parameters")
        theta = Parameters(sizes, cast(flat, np.dtype(dtype), "The parameters"))
        if pair:
            answers: tuple[Answer, ...] = (Answer("y", 0, 2, labels or (0, 1)),)
        else:
            answers = answers_of(network, labels)
        return Model(
            tuple(map(Feature, self.features)), (Member(self.columns, network, theta),), answers, pair=pair
        )


def start(features: int) -> Flow:
    """The features as they are."""
    names = tuple(f"x{place + 1}" for place in range(features))
    return Flow(names, tuple(Column(name, place, ()) for place, name in enumerate(names)))


_ZERO, _ONE = int(np.argmin(np.abs(GRID))), int(np.argmin(np.abs(GRID - 1)))
_FACTORS = ("multiply", "divide")
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}


def through(flow: Flow, layers: Iterable[Any], after: Callable[[Flow, Any], Flow | None]) -> Flow:
    """The network after layers; `after` gives that after one of them, None of a kind that it does not know.

    Raises InputError, which names the layer in the way.
    """
    for number, layer in enumerate(layers, 1):
        try:
            result = after(flow, layer)
            if result is None:
                raise InputError("no network here has such a layer")
        except InputError as error:
            raise InputError(f"Layer {number} ({type(layer).__name__}): {error}.") from error
        flow = result
    return flow


def near(curve: Array, expected: Array) -> bool:
    """Whether two functions are the same, by their values on `GRID`."""
    if curve.shape != expected.shape or curve.dtype.kind != "f":
        return False
    same = np.abs(curve - expected) <= _SAME * np.maximum(1, np.abs(expected))
    return bool((same | (curve == expected)).all())
