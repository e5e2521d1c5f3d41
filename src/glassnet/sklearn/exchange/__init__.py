"""Estimators that leave and come back: plain attributes for pickle and skops, scikit-learn's own, ONNX."""
