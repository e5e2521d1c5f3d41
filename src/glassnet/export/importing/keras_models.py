"""Networks from Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError, InputTypeError
from glassnet.export.importing.flow import Flow, start, through
from glassnet.export.importing.imported import Imported, imported
from glassnet.utils.libraries import require


def from_keras(model: Any) -> Imported:
    """The network of a Keras ``Sequential``: Dense layers with activations, of Keras 3 on any backend.

    Normalization and Rescaling before the first layer become preprocessing; BatchNormalization goes into
    the weights; Dropout, noise and Flatten are left out. A last softmax, sigmoid or exponential becomes the
    output's link. The result is an `Imported`, which has been compared with ``model.predict``.

    Raises InputTypeError for anything but a ``Sequential`` (export other models to ONNX by
    ``model.export(PATH, format="onnx")`` and read the file by `from_onnx`), and InputError with the name of
    the layer that is in the way.

    >>> from keras import Input, Sequential, layers  # doctest: +SKIP
    >>> dense = [layers.Dense(3, activation="tanh"), layers.Dense(1)]  # doctest: +SKIP
    >>> gn.from_keras(Sequential([Input((2,)), *dense])).network  # doctest: +SKIP
    Network((2, 3, 1), hidden='tanh', output='identity')
    """
    if not isinstance(model, require("keras").Sequential):
        raise InputTypeError(
            f"A {type(model).__name__} cannot be read; expected a keras.Sequential. Write it by "
            f"model.export(PATH, format='onnx'), and read that by gn.from_onnx."
        )
    if not model.built or len(model.input_shape) != 2 or model.input_shape[1] is None:
        raise InputError("The model's input has no known width; build it with keras.Input((features,)).")
    flow = through(start(model.input_shape[1]), model.layers, _after)

    def original(rows: Floats) -> Array:
        outputs: Array = model.predict(rows.astype(model.compute_dtype), verbose=0)
        return outputs

    return imported(flow.model(model.compute_dtype), original)


def _after(flow: Flow, layer: Any) -> Flow | None:
    """The network after a layer."""
    name, config = type(layer).__name__, layer.get_config()
    if name in ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "Flatten", "InputLayer"):
        return flow
    if name == "Dense" and not config.get("lora_rank"):
        biases = _array(layer.bias) if layer.use_bias else None
        return _bent(flow.times(_array(layer.kernel), biases), layer.activation)
    if name == "BatchNormalization":
        scale = _array(layer.gamma) if layer.scale else None
        shift = _array(layer.beta) if layer.center else None
        mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
        return flow.normalized(mean, variance, layer.epsilon, scale, shift)
    if name == "Normalization" and not layer.invert:
        return flow.normalized(_array(layer.mean), _array(layer.variance), 0, None, None)
    if name == "Rescaling":
        scale, shift = np.array(layer.scale), np.array(layer.offset)
        return flow.moved("multiply", scale).moved("add", shift)
    if name == "Activation":
        return _bent(flow, layer.activation)
    if name == "Softmax" and config["axis"] in (1, -1):
        return flow.ended_by_softmax()
    if name in ("ReLU", "LeakyReLU", "ELU"):
        return _bent(flow, layer)
    return None


def _bent(flow: Flow, function: Callable[[Any], Any]) -> Flow:
    """The network after a function, which a softmax alone is not of one number."""
    name = getattr(function, "__name__", "")
    if name == "linear":
        return flow
    if name == "softmax":
        return flow.ended_by_softmax()
    ops = require("keras.ops")
    return flow.bent(lambda z: _array(function(ops.convert_to_tensor(z))))


def _array(tensor: Any) -> Array:
    array: Array = require("keras.ops").convert_to_numpy(tensor)
    return array
