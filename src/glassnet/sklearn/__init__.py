"""Scikit-learn's two classes of networks, with the native engine inside and what they lack."""

from __future__ import annotations

from glassnet.sklearn.classifier import MLPClassifier
from glassnet.sklearn.exchange.onnx import register_when_imported
from glassnet.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

register_when_imported()
