"""ONNX files, and ONNX Runtime, which runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Language, MissingToolError, Options, Ran
from glassnet.export.languages.onnx.graph import label_values, write
from glassnet.export.model import Model


def _run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingToolError('ONNX Runtime is not installed: pip install "glassnet[onnx]"') from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    dtype = np.float64 if taken.type == "tensor(double)" else np.float32
    with np.errstate(over="ignore"):
        *labels, outputs = session.run(None, {taken.name: values.astype(dtype)})
    return Ran(outputs, _numbers(model, labels[0]) if labels else None)


def _numbers(model: Model, labels: Any) -> Any:
    """The numbers of the labels (n,) or (n, answers)."""
    labels = labels.reshape(len(labels), -1)
    same = [labels[:, [place]] == values for place, values in enumerate(label_values(model))]
    return np.stack([np.where(own.any(axis=1), own.argmax(axis=1), -1) for own in same], axis=1)


LANGUAGE = Language(
    ".onnx",
    "ONNX",
    write,
    _run,
    promises=lambda model, options: 1e-9 if options.precision == "float64" else 1e-4,
    precisions=("float64", "float32"),
)
