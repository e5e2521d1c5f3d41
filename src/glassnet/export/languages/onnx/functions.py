"""The activations in ONNX: operators where ONNX Runtime has them, else functions in the file itself."""

from __future__ import annotations

from typing import Any

from glassnet.export.formulas import FORMULAS
from glassnet.export.languages.onnx.nodes import Nodes, Value
from glassnet.nn.activations import LEAK
from glassnet.utils.libraries import require

DOMAIN, ML, IR = "glassnet", "ai.onnx.ml", 8
"""The domains of the functions and of ZipMap, and the file's version: functions of its own came with 8."""

VERSIONS = {"": 17, DOMAIN: 1, ML: 1}
"""Of the operators, by their domain."""

OPERATORS = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": "Identity"}
SINGLE = {"leaky_relu": "LeakyRelu", "elu": "Elu", "selu": "Selu", "softplus": "Softplus"}
"""These have no kernel for float64. Others lose infinities (Softsign, Gelu), or are not there at all."""


def activate(nodes: Nodes, name: str, z: Value, precision: str, made: str) -> Value:
    """h = activation(z), named `made`."""
    operators = OPERATORS | SINGLE if precision == "float32" else OPERATORS
    if name not in operators:
        return nodes.add(name, z, name=made, domain=DOMAIN)
    attributes: dict[str, Any] = {"alpha": LEAK} if name == "leaky_relu" else {}
    return nodes.add(operators[name], z, name=made, **attributes)


def function(name: str, precision: str) -> Any:
    """An activation's formula as a function of the file's own."""
    helper = require("onnx").helper
    body = Nodes(precision, inside=True)
    h = FORMULAS[name](Value(body, "z"), body)
    imports = [helper.make_opsetid("", VERSIONS[""])]
    return helper.make_function(DOMAIN, name, ["z"], [h.name], body.made, imports)
