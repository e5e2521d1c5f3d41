"""ONNX files, and ONNX Runtime, which runs them."""

from __future__ import annotations

from glassnet.export.languages.language import Language
from glassnet.export.languages.onnx.graph import write
from glassnet.export.languages.onnx.running import run
from glassnet.export.languages.program import promises

LANGUAGE = Language(
    ".onnx", "ONNX", write, run, promises, settings={"zipmap": False}, precisions=("float64", "float32")
)
