"""Floor 7: scikit-learn's two classes of networks, with the native engine inside and what they lack."""

from __future__ import annotations

from glassnet.estimators.classifier import MLPClassifier
from glassnet.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
