"""What an ONNX graph computes, as a network: its nodes are followed back from its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.export.importing.flow import Flow, near
from glassnet.nn.activations import ACTIVATIONS
from glassnet.utils.libraries import require

ELEMENTWISE = frozenset(
    (
        *("Abs", "Add", "Clip", "Div", "Elu", "Equal", "Erf", "Exp", "Greater", "GreaterOrEqual"),
        *("LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul", "Neg", "Pow", "Reciprocal"),
        *("Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Sub", "Tanh", "Where"),
    )
)
"""Functions of numbers side by side: what they make of a layer is known by its values."""

PASSING = frozenset(("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze"))
"""These leave the numbers of a matrix (rows, units) as they are."""

FOLDED = ELEMENTWISE | PASSING | {"Constant", "Transpose", "Unsqueeze"}
"""What is computed of constants alone."""

MOVES = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}


class Decided:
    """The number of a label, or what is on the way to it."""


@dataclass(frozen=True)
class Labels:
    """The labels of the classes."""

    values: tuple[Any, ...]


class Pair(NamedTuple):
    """1 - p and p side by side: the network that gives p, and the name of p."""

    flow: Flow
    name: str


class Reader:
    """Follows nodes in their order, each as an array, a `Flow`, a `Pair`, `Labels` or `Decided`.

    Raises InputError with the name of the operator that is in the way.
    """

    def __init__(self, functions: Sequence[Any], most_numbers: int) -> None:
        self._functions = {(function.domain, function.name): function for function in functions}
        self._left = most_numbers

    def values(self, nodes: Sequence[Any], known: Mapping[str, Any], wanted: Iterable[str]) -> list[Any]:
        """The values of names, by the nodes that they need."""
        values, wanted = dict(known), list(wanted)
        for node in needed(nodes, wanted):
            try:
                result = self._computed(node, [values[name] if name else None for name in node.input])
            except InputError as error:
                where = f" ({node.name!r})" if node.name else ""
                raise InputError(f"{node.op_type}{where}: {error}") from error
            values[node.output[0]] = result
        return [values[name] for name in wanted]

    def _computed(self, node: Any, inputs: list[Any]) -> Any:
        op, attributes = node.op_type, attributes_of(node)
        function = self._functions.get((node.domain, op))
        if function is not None:
            known = dict(zip(function.input, inputs, strict=True))
            inner = Reader((), self._left)  # functions do not call functions
            return inner.values(function.node, known, function.output[:1])[0]
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml"):
            raise InputError(f"its domain {node.domain!r} is none that is known here")
        if all(each is None or isinstance(each, np.ndarray) for each in inputs):
            return self._folded(node, inputs)
        if any(isinstance(each, (Decided, Labels)) for each in inputs):
            if op in ("Gather", "ArrayFeatureExtractor") and isinstance(inputs[0], np.ndarray):
                return Labels(_plain(inputs[0]))
            return next((each for each in inputs if isinstance(each, Labels)), Decided())
        if any(isinstance(each, Pair) for each in inputs):
            return inputs[0] if op in PASSING or op == "ZipMap" else Decided()
        if op in ELEMENTWISE:
            return _elementwise(node, inputs)
        if op not in _OPERATORS:
            raise InputError("no network here has such an operator")
        return _OPERATORS[op](inputs, attributes, node)

    def _folded(self, node: Any, inputs: list[Any]) -> NDArray[Any]:
        """A constant."""
        if node.op_type not in FOLDED:
            raise InputError("it is computed of constants alone, by an operator that is not known here")
        shapes = [each.shape for each in inputs if each is not None]
        size = math.prod(np.broadcast_shapes(*shapes)) if node.op_type in ELEMENTWISE else 0
        self._left -= max([size, *(math.prod(shape) for shape in shapes)])
        if self._left < 0:
            raise InputError("its constants grow beyond the file's own")
        return evaluated(node, inputs)


def needed(nodes: Sequence[Any], wanted: Iterable[str]) -> list[Any]:
    """The nodes that names are computed by, in their order."""
    names, kept = set(wanted), []
    for node in reversed(nodes):
        if names.intersection(node.output):
            names.update(node.input)
            kept.append(node)
    return kept[::-1]


def attributes_of(node: Any) -> dict[str, Any]:
    """A node's attributes by name."""
    value = require("onnx").helper.get_attribute_value
    return {each.name: value(each) for each in node.attribute}


def evaluated(node: Any, inputs: Sequence[Any]) -> Any:
    """What ONNX's own reference makes of arrays."""
    evaluator = require("onnx.reference").ReferenceEvaluator(node)
    with np.errstate(all="ignore"):
        return evaluator.run(
            None, {name: each for name, each in zip(node.input, inputs, strict=True) if name}
        )[0]


def _elementwise(node: Any, inputs: list[Any]) -> Flow:
    """A function of the numbers of one layer, or a vector that moves them."""
    flows = [each for each in inputs if isinstance(each, Flow)]
    flow, op = flows[0], node.op_type
    if op in MOVES and len(flows) == 1 and isinstance(inputs[0], Flow):
        return flow.moved(MOVES[op], inputs[1])
    if op in ("Add", "Mul") and len(flows) == 1:
        return flow.moved(MOVES[op], inputs[0])
    if op == "Sub" and len(flows) == 1:
        return flow.moved("multiply", np.array(-1.0)).moved("add", inputs[0])
    if any(each.layer is not flow.layer for each in flows):
        raise InputError("it joins two branches")
    for each in inputs:
        if isinstance(each, np.ndarray) and each.size != 1:
            raise InputError("it takes a number for each unit")
    numbers = [
        each.curve if isinstance(each, Flow) else each if each is None else _wide(each) for each in inputs
    ]
    return flow.bent(lambda _: evaluated(node, numbers))


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return np.ravel(array.astype(np.float64) if array.dtype.kind == "f" else array)


# ---- Operators on a matrix of units --------------------------------------------------------------


def _gemm(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Flow:
    flow, matrix, *rest = inputs
    if attributes.get("transA") or not isinstance(flow, Flow) or not isinstance(matrix, np.ndarray):
        raise InputError("it does not multiply rows by a constant matrix")
    matrix = attributes.get("alpha", 1) * (matrix.T if attributes.get("transB") else matrix)
    biases = None
    if rest and rest[0] is not None:
        biases = np.broadcast_to(attributes.get("beta", 1) * np.ravel(rest[0]), matrix.shape[-1])
    return flow.times(matrix, biases)


def _normalization(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    if attributes.get("training_mode"):
        raise InputError("it is in training mode")
    flow, scale, shift, mean, variance = inputs
    return flow.normalized(mean, variance, attributes.get("epsilon", 1e-5), scale, shift)


def _gelu(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    name = "gelu_tanh" if attributes.get("approximate") == b"tanh" else "gelu"
    return inputs[0].bent(ACTIVATIONS[name].value)


def _scaler(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    moved = inputs[0].moved("subtract", np.array(attributes.get("offset", [0.0])))
    return moved.moved("multiply", np.array(attributes.get("scale", [1.0])))


def _softmax(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    if attributes.get("axis", -1) not in (1, -1):
        raise InputError("it runs along the rows")
    return inputs[0].ended_by_softmax()


def _picked(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    flow, places = inputs
    if attributes.get("axis", 1 if node.op_type == "ArrayFeatureExtractor" else 0) not in (1, -1):
        raise InputError("it picks rows")
    return flow.picked(np.ravel(places).tolist()) if flow.at_input else Decided()


def _side_by_side(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    flows = [each for each in inputs if isinstance(each, Flow)]
    if len(flows) == len(inputs) and attributes["axis"] in (1, -1):
        first = flows[0]
        if all(flow.at_input for flow in flows):
            return Flow(first.features, tuple(column for flow in flows for column in flow.columns))
        if len(flows) == 2 and flows[1].layer is first.layer and near(first.curve, 1 - flows[1].curve):
            return Pair(flows[1], node.input[1])
    raise InputError("it joins two branches")


def _passed(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Any:
    return inputs[0] if inputs[0].curve.dtype.kind == "f" else Decided()


def _decided(inputs: list[Any], attributes: Mapping[str, Any], node: Any) -> Decided:
    return Decided()


_OPERATORS: dict[str, Callable[[list[Any], Mapping[str, Any], Any], Any]] = {
    "ArgMax": _decided,
    "ArrayFeatureExtractor": _picked,
    "BatchNormalization": _normalization,
    "Binarizer": _decided,
    "Concat": _side_by_side,
    "Gather": _picked,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "Scaler": _scaler,
    "Softmax": _softmax,
    "ZipMap": _passed,
    **dict.fromkeys(PASSING, _passed),
}


def _plain(labels: NDArray[Any]) -> tuple[Any, ...]:
    return tuple(each.decode() if isinstance(each, bytes) else each for each in np.ravel(labels).tolist())
