"""Fitted networks and pipelines of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.errors import InputTypeError
from glassnet.export.importing.imported import Imported, imported


def from_sklearn(estimator: object) -> Imported:
    """A fitted MLP of scikit-learn's, or a pipeline that ends in one, as a network of glassnet's.

    Parameters
    ----------
    estimator : `sklearn.neural_network.MLPClassifier` or `MLPRegressor`, glassnet's estimators of these
        names, or a `Pipeline` or `TransformedTargetRegressor` of one. What stands before it are
        StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, SimpleImputer, OneHotEncoder,
        OrdinalEncoder and ColumnTransformer of these; a transformed target is moved by StandardScaler or
        RobustScaler.

    Its predictions are compared with the original's on drawn rows: `Imported.distance`. They take what the
    original takes, such as a data frame. Where an encoder raises an error for a new category, here all
    columns of OneHotEncoder are 0, and OrdinalEncoder's is as for a missing one, else NaN.

    Raises InputTypeError for another object, InputError for other transformers, all of which it names, and
    scikit-learn's NotFittedError before `fit`. `MLPClassifier.from_sklearn` makes an estimator instead.

    >>> import glassnet as gn
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = [[1.0], [2.0], [3.0]], ["low", "low", "high"]
    >>> network = MLPClassifier(3, "tanh", solver="lbfgs", random_state=0)
    >>> model = make_pipeline(StandardScaler(), network)
    >>> known = gn.from_sklearn(model.fit(X, y))
    >>> known.predict(X).tolist(), bool(known.distance.error < 1e-12)
    (['low', 'low', 'high'], True)
    >>> run = gn.train(known.network, known.inputs(X), [0, 0, 1], parameters=known.parameters)
    """
    from glassnet.export.sources.estimators import source_of_estimator  # imports scikit-learn

    source: Any = None if hasattr(estimator, "estimators_") else source_of_estimator(estimator)
    if source is None or source.rows is None:
        raise InputTypeError(
            f"from_sklearn takes an MLP of scikit-learn's or a pipeline that ends in one, not "
            f"{type(estimator).__name__}."
        )
    model: Any = estimator

    def original(X: Any) -> Any:
        if not source.model.is_classifier:
            return model.predict(X)
        P = model.predict_proba(X)
        return np.hstack(P) if isinstance(P, list) else P

    return imported(
        source.model,
        original,
        flat=not source.model.is_classifier and source.model.n_outputs == 1,
        rows=source.rows,
        values=source.values,
    )
