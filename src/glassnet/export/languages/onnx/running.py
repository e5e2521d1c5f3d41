"""ONNX files, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Options, Ran
from glassnet.export.languages.onnx.graph import label_values
from glassnet.export.model import Model
from glassnet.utils.libraries import require


def session_of(file: bytes) -> Any:
    """ONNX Runtime's session of a file's bytes, on one thread; MissingLibraryError where it is missing."""
    onnxruntime = require("onnxruntime")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4  # what it finds wrong, it raises
    return onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the file in this process."""
    session = session_of(path.read_bytes())
    (taken,) = session.get_inputs()
    dtype = np.float64 if taken.type == "tensor(double)" else np.float32
    with np.errstate(over="ignore"):
        *labels, outputs = session.run(None, {taken.name: values.astype(dtype)})
    if options.settings["zipmap"]:
        own = label_values(model)[0].tolist()
        outputs = np.array([[row[label] for label in own] for row in outputs], np.float32)
    return Ran(outputs, _numbers(model, labels[0]) if labels else None)


def _numbers(model: Model, labels: Any) -> Any:
    """The numbers of the labels (n,) or (n, answers)."""
    labels = labels.reshape(len(labels), -1)
    same = [labels[:, [place]] == values for place, values in enumerate(label_values(model))]
    return np.stack([np.where(own.any(axis=1), own.argmax(axis=1), -1) for own in same], axis=1)
