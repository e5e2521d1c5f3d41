"""Networks of scikit-learn: what comes of them predicts the same, trains on and is exported."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

import glassnet as gn
from glassnet.export.sources import source_of

X = np.random.default_rng(0).normal(3, 2, (60, 3))
Y = np.column_stack([X[:, 0] > 3, X[:, 1] > 3]).astype(int)
FAST = {"hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 5, "random_state": 0}
TABLE = pd.DataFrame(
    {"size": X[:, 0], "color": ["red", "blue", None] * 20, "grade": [1, 2, 3] * 20, "id": 0}
)
TABLE.loc[::7, "size"] = np.nan
COLUMNS = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["size", "grade"]),
        ("colors", OneHotEncoder(handle_unknown="ignore"), ["color"]),
        ("grades", OrdinalEncoder(), ["grade"]),
    ]
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("model", "X", "y"),
    [
        (MLPClassifier(**FAST), X, np.array(["no", "yes"])[Y[:, 0]]),
        (MLPClassifier(**FAST), X, Y.sum(axis=1)),
        (MLPClassifier(**FAST), X, Y),
        (MLPRegressor(**FAST), X, X[:, 0]),
        (MLPRegressor("poisson", **FAST), X, Y),
        (make_pipeline(MinMaxScaler(), gn.MLPClassifier(**FAST)), X, Y + Y.sum(axis=1, keepdims=True)),
        (make_pipeline(COLUMNS, MLPClassifier(**FAST)), TABLE, Y[:, 0]),
        (
            make_pipeline(OneHotEncoder(), MLPRegressor(**FAST)),
            TABLE[["color", "grade"]].to_numpy(),
            X[:, 0],
        ),
        (TransformedTargetRegressor(MLPRegressor(**FAST), transformer=StandardScaler()), X, 1e3 * X[:, 0]),
    ],
    ids=str,
)
def test_from_sklearn_predicts_as_the_original(model, X, y):
    known = gn.from_sklearn(model.fit(X, y))
    assert known.distance.error < 1e-14
    if not known.model.is_classifier:
        np.testing.assert_allclose(known.predict(X), model.predict(X), rtol=1e-12)
        return
    assert np.array_equal(known.predict(X), model.predict(X))
    P = model.predict_proba(X)
    P = np.hstack(P) if isinstance(P, list) else P
    np.testing.assert_allclose(known.predict_proba(X), P, rtol=1e-12)


def test_from_sklearn_trains_on_and_is_exported_with_its_preprocessing():
    model = make_pipeline(COLUMNS, MLPRegressor(**FAST)).fit(TABLE, X[:, 1])
    known = gn.from_sklearn(model)
    run = gn.train(known.network, known.inputs(TABLE), X[:, 1], parameters=known.parameters, iterations=1)
    assert not np.array_equal(run.parameters.flat, known.parameters.flat)
    source = source_of(known)
    names = [feature.name for feature in source.model.features]
    assert names == ["size", "color", "grade", "grade as a category"]
    assert np.array_equal(source.model.outputs(source.values(TABLE))[:, 0], known.predict(TABLE))


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        gn.Ensemble(gn.MLPRegressor(**FAST), 2),
        gn.MLPRegressor(categorical_features=[0], **FAST),
    ],
    ids=lambda model: type(model).__name__,
)
def test_from_sklearn_refuses_anything_else(model):
    with pytest.raises(gn.InputTypeError, match=f"not {type(model).__name__}"):
        gn.from_sklearn(model.fit(np.round(X), X[:, 1]))


def test_from_sklearn_refuses_what_is_not_fitted():
    with pytest.raises(NotFittedError):
        gn.from_sklearn(make_pipeline(StandardScaler(), MLPRegressor()))
