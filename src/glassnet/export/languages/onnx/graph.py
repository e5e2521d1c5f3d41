"""A model as an ONNX graph, of operators that ONNX Runtime has in the file's precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._version import __version__
from glassnet.errors import InputError
from glassnet.export.languages.language import Options
from glassnet.export.languages.onnx.functions import DOMAIN, IR, ML, VERSIONS, activate, function
from glassnet.export.languages.onnx.nodes import Nodes, Value
from glassnet.export.model import Column, Member, Model, side_by_side
from glassnet.export.steps import STEPS
from glassnet.utils.libraries import require

LINKS = {"softmax": "Softmax", "logistic": "Sigmoid", "exp": "Exp", "identity": "Identity"}


def write(model: Model, options: Options) -> bytes:
    """The file: the input x (rows, features), the output label where there are labels, and the outputs.

    Where steps stand before a network, x is float64, and so are they; else it has the file's precision.
    With `zipmap` the outputs are a dictionary for each row, of the labels' probabilities.
    """
    helper = require("onnx").helper
    precision, kind_of = np.dtype(options.precision), helper.np_dtype_to_tensor_dtype
    taken = np.dtype(np.float64) if model.has_steps else precision
    wide = model.wide and model.members[0].mean is not None
    given = np.dtype(np.float64) if wide else precision
    nodes = Nodes(np.float64)
    last = "probabilities" if model.is_classifier else "y"
    outputs = _outputs(nodes, model, taken, precision, given)
    results = []
    if model.is_classifier:
        kind = _labels(nodes, model, outputs, given)
        shape = ["rows", len(model.answers)] if len(model.answers) > 1 else ["rows"]
        results.append(helper.make_tensor_value_info("label", kind_of(kind), shape))
    if options.settings["zipmap"]:
        results.append(_zipped(nodes, model, outputs, given, last))
    else:
        nodes.add("Identity", outputs, name=last)
        results.append(helper.make_tensor_value_info(last, kind_of(given), ["rows", model.n_outputs]))
    graph = helper.make_graph(
        nodes.made,
        options.name,
        [helper.make_tensor_value_info("x", kind_of(taken), ["rows", len(model.features)])],
        results,
        nodes.constants,
    )
    own = dict.fromkeys(node.op_type for node in nodes.made if node.domain == DOMAIN)
    domains = {"", *(node.domain for node in nodes.made)}
    file = helper.make_model(
        graph,
        producer_name="glassnet",
        producer_version=__version__,
        ir_version=IR,
        opset_imports=[helper.make_opsetid(domain, VERSIONS[domain]) for domain in sorted(domains)],
        functions=[function(name, precision.name) for name in own],
    )
    features = [feature._asdict() for feature in model.features]
    helper.set_model_props(
        file, {"features": json.dumps(features), "outputs": json.dumps(model.output_names)}
    )
    return bytes(file.SerializeToString(deterministic=True))


def label_values(model: Model) -> list[NDArray[Any]]:
    """Each answer's labels: truths, whole numbers or numbers where all are, else texts."""
    labels = [answer.labels or () for answer in model.answers]
    kind = np.array([label for own in labels for label in own]).dtype
    if kind.kind in "bif":
        return [np.array(own, {"b": bool, "i": np.int64, "f": float}[kind.kind]) for own in labels]
    return [np.array([str(label) for label in own], object) for own in labels]


def _labels(nodes: Nodes, model: Model, outputs: Value, given: np.dtype[Any]) -> np.dtype[Any]:
    """Adds the output label (rows,), or (rows, answers) where there are several; its dtype."""
    values, columns = label_values(model), []
    try:
        for answer, labels in zip(model.answers, values, strict=True):
            own = outputs
            if len(model.answers) > 1:
                own = nodes.columns(outputs, range(answer.start, answer.stop))
            if answer.stop - answer.start == 1:
                number = nodes.cast(own > np.array(0.5, given), bool, np.int64)
            else:
                number = nodes.add("ArgMax", own, axis=1)
            columns.append(nodes.add("Gather", labels, number, axis=0))
    except UnicodeEncodeError as error:
        raise InputError(
            f"The label {error.object!r} is no text that an ONNX file can hold: it has half of a surrogate "
            f"pair. Train with other labels."
        ) from error
    shape = [-1] if len(columns) == 1 else [-1, len(columns)]
    nodes.add("Reshape", nodes.beside(columns), np.array(shape), name="label")
    return values[0].dtype


def _zipped(nodes: Nodes, model: Model, outputs: Value, given: np.dtype[Any], name: str) -> Any:
    """Adds the output of a dictionary for each row; its description."""
    onnx, (labels, *others) = require("onnx"), label_values(model)
    attribute = {"O": "classlabels_strings", "i": "classlabels_int64s"}.get(labels.dtype.kind)
    if others or attribute is None or len(labels) != model.n_outputs or given != np.float32:
        raise InputError(
            "zipmap=True needs precision='float32', and a probability for each class of one column, whose "
            "labels are texts or whole numbers: ONNX Runtime's ZipMap knows no others. Leave zipmap out."
        )
    nodes.add("ZipMap", outputs, name=name, domain=ML, **{attribute: labels.tolist()})
    kind = onnx.TensorProto.STRING if labels.dtype == object else onnx.TensorProto.INT64
    number = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    row = onnx.helper.make_map_type_proto(kind, number)
    return onnx.helper.make_value_info(name, onnx.helper.make_sequence_type_proto(row))


def _outputs(
    nodes: Nodes, model: Model, taken: np.dtype[Any], precision: np.dtype[Any], given: np.dtype[Any]
) -> Value:
    """The outputs of the networks, and of several the mean, as `Model.outputs` adds it up."""
    x, mean = Value(nodes, "x"), None
    for number, member in enumerate(model.members, 1):
        mark = f"m{number}." if len(model.members) > 1 else ""
        X = nodes.cast(_inputs(nodes, x, member.columns, len(model.features)), taken, precision)
        Y = _network(nodes, model, member, X, mark, precision)
        if member.mean is not None:
            Y = nodes.cast(Y, precision, float) * np.array(member.scale) + np.array(member.mean)
            Y = nodes.cast(Y, float, given)
        if len(model.members) == 1:
            return Y
        Y = nodes.cast(Y, given, float)
        mean = Y if mean is None else mean + (Y - mean) / number
    assert mean is not None
    return nodes.cast(mean, float, given)


def _inputs(nodes: Nodes, x: Value, columns: Sequence[Column], width: int) -> Value:
    """A network's inputs in the precision of x; neighbors with the same steps are computed at once."""
    parts = []
    for places, steps in side_by_side(columns):
        v = x if places == [*range(width)] else nodes.columns(x, places)
        for name, numbers in steps:
            v = STEPS[name](nodes, v, *numbers)
        parts.append(v)
    return nodes.beside(parts)


def _network(
    nodes: Nodes, model: Model, member: Member, H: Value, mark: str, precision: np.dtype[Any]
) -> Value:
    network, theta = member.network, member.theta.astype(precision)
    for layer, (W, b) in enumerate(zip(theta.weights, theta.biases, strict=True), 1):
        weights, biases = nodes.value(W, f"{mark}W{layer}"), nodes.value(b, f"{mark}b{layer}")
        H = nodes.add("Gemm", H, weights, biases, name=f"{mark}z{layer}")
        if layer <= len(network.hidden):
            H = activate(nodes, network.hidden[layer - 1].name, H, precision.name, f"{mark}h{layer}")
    if model.softmaxes:
        starts = accumulate(model.softmaxes, initial=0)
        own = [
            nodes.columns(H, range(start, start + width))
            for start, width in zip(starts, model.softmaxes, strict=False)
        ]
        return nodes.beside([nodes.add("Softmax", part, axis=1) for part in own])
    attributes: dict[str, Any] = {"axis": 1} if model.link == "softmax" else {}
    Y = nodes.add(LINKS[network.output.name], H, **attributes)
    return nodes.beside([np.ones(1, precision) - Y, Y]) if model.pair else Y
