"""ONNX files, and ONNX Runtime, which runs them."""

from __future__ import annotations

from glassnet.export.languages.language import Language
from glassnet.export.languages.onnx.graph import write
from glassnet.export.languages.onnx.running import run

LANGUAGE = Language(
    ".onnx",
    "ONNX",
    write,
    run,
    promises=lambda model, options: 1e-9 if options.precision == "float64" else 1e-4,
    precisions=("float64", "float32"),
)
