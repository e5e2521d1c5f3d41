"""What is exported of estimators, pipelines and ensembles: a model that gives what they do themselves."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler

import glassnet as gn
from glassnet.errors import InputError, InputTypeError
from glassnet.export.sources import source_of

X = np.random.default_rng(0).normal(1, 2, (60, 3))
LABELS = {
    "binary": np.array(["no", "yes"])[(X[:, 0] > X[:, 1]).astype(int)],
    "multiclass": np.digitize(X[:, 0], [0, 2]) * 2.0,
    "multilabel": (X[:, :2] > 1).astype(int),
    "multioutput": np.column_stack([np.digitize(X[:, 0], [0, 2]), X[:, 1] > 1]),
}
FAST = {"hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 3, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def outputs_of(model, X):
    """The outputs of an estimator as (n, outputs)."""
    if not hasattr(model, "predict_proba"):
        return model.predict(X).reshape(len(X), -1)
    P = model.predict_proba(X)
    return np.hstack(P) if isinstance(P, list) else P


def assert_same(model, X):
    """Check that the exported model has the bits and the labels of the estimator."""
    source = source_of(model)
    expected = outputs_of(model, X)
    assert np.array_equal(source.outputs(X), expected)
    values = source.values(X)
    outputs = source.model.outputs(values)
    assert outputs.dtype == expected.dtype
    assert np.array_equal(outputs, expected)
    if source.model.is_classifier:
        labels = [
            np.array(answer.labels, object)[numbers]
            for answer, numbers in zip(source.model.answers, source.model.numbers(outputs).T, strict=True)
        ]
        predicted = np.asarray(model.predict(X))
        assert np.array_equal(np.column_stack(labels), predicted.reshape(len(X), -1))
    return source


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_source_of_classifier_gives_its_probabilities_and_labels(kind, dtype):
    rows = X.astype(dtype)
    source = assert_same(gn.MLPClassifier(**FAST).fit(rows, LABELS[kind]), rows)
    assert [feature.name for feature in source.model.features] == ["x0", "x1", "x2"]


def test_source_of_refuses_a_classifier_of_one_class():
    with pytest.raises(InputError, match="one class alone, 'only'"):
        source_of(gn.MLPClassifier(**FAST).fit(X, np.full(60, "only")))


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_source_of_regressor_gives_its_values(loss, outputs):
    y = np.abs(X[:, :outputs].squeeze())
    assert_same(gn.MLPRegressor(loss, **FAST).fit(X, y), X)


@pytest.mark.parametrize("missing", ["median", "mean"])
def test_source_of_estimator_fills_in_missing_values(missing):
    rows = X.copy()
    rows[::5, 0] = rows[1::7, 2] = np.nan
    assert_same(gn.MLPRegressor(missing=missing, **FAST).fit(rows, X[:, 1]), rows)


def test_source_of_estimator_with_categories_takes_its_columns():
    table = pd.DataFrame({"size": X[:, 0], "color": ["red", "blue", None] * 20, "grade": [1, 2, 2] * 20})
    table.loc[::4, "size"] = np.nan
    model = gn.MLPClassifier(categorical_features=["color", "grade"], missing="median", **FAST)
    model.fit(table, LABELS["binary"])
    other = table.assign(color=["violet", None, "red"] * 20, grade=[2, 3, 1] * 20)
    assert_same(model, table)
    source = assert_same(model, other)
    assert [feature.categories for feature in source.model.features] == [None, ("blue", "red"), ("1", "2")]


def test_source_of_estimator_of_a_standardized_stream_takes_raw_rows():
    rows = gn.stream(X, LABELS["binary"], standardize=True)
    model = gn.MLPClassifier(**FAST).fit(rows)
    source = source_of(model)
    expected = model.predict_proba(gn.stream(X, standardize=(model.mean_, model.scale_)))
    assert np.array_equal(source.model.outputs(source.values(X)), expected)
    assert np.array_equal(source.outputs(X), expected)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_source_of_scikit_learns_classifier_is_that_of_glassnets(kind):
    theirs = MLPClassifier(**FAST).fit(X, LABELS[kind])
    source = source_of(theirs)
    ours = gn.MLPClassifier.from_sklearn(theirs)
    assert np.array_equal(source.model.outputs(source.values(X)), ours.predict_proba(X))
    np.testing.assert_allclose(source.outputs(X), theirs.predict_proba(X), rtol=1e-13)


# ---- Pipelines -------------------------------------------------------------------------------------


def test_source_of_pipeline_takes_its_raw_columns():
    names = ["a", "b", "c"]
    table = pd.DataFrame(X, columns=names).assign(unused="text")
    columns = ColumnTransformer([("numbers", StandardScaler(), ["c", "a"])])
    model = make_pipeline(columns, gn.MLPClassifier(**FAST)).fit(table, LABELS["multiclass"])
    source = assert_same(model, table)
    assert [feature.name for feature in source.model.features] == ["a", "c"]
    assert np.array_equal(source.values(table[["unused", "c", "b", "a"]]), X[:, [0, 2]])
    with pytest.raises(InputError, match="X has no columns 'a', which the network reads"):
        source.values(table[["unused", "b", "c"]])


@pytest.mark.parametrize("scaler", [StandardScaler(), StandardScaler(with_mean=False), RobustScaler()])
@pytest.mark.parametrize("outputs", [1, 2])
def test_source_of_transformed_target_gives_values_in_its_unit(scaler, outputs):
    pipeline = make_pipeline(StandardScaler(), gn.MLPRegressor(**FAST))
    model = TransformedTargetRegressor(pipeline, transformer=scaler)
    assert_same(model.fit(X, 1000 * X[:, :outputs].squeeze() + 7), X)


def test_source_of_pipeline_in_float32_computes_in_float64():
    rows = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), gn.MLPRegressor(**FAST)).fit(rows, X[:, 0])
    source = source_of(model)
    assert source.model.dtype == np.float64
    assert np.array_equal(source.outputs(rows), model.predict(rows.astype(np.float64))[:, None])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            TransformedTargetRegressor(gn.MLPRegressor(**FAST), func=np.log1p, inverse_func=np.expm1),
            "Funct",
        ),
        (make_pipeline(FunctionTransformer(np.log1p), gn.MLPRegressor(**FAST)), "FunctionTransformer"),
    ],
)
def test_source_of_refuses_what_no_file_computes(model, words):
    with pytest.raises(InputError, match=words):
        source_of(model.fit(np.abs(X), np.abs(X[:, 0])))


@pytest.mark.parametrize(
    "model", [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())]
)
def test_source_of_refuses_what_is_no_network(model):
    with pytest.raises(InputTypeError, match=f"A {type(model).__name__} cannot be exported"):
        source_of(model.fit(X, LABELS["binary"]))


# ---- Ensembles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LABELS)
def test_source_of_ensemble_gives_the_mean_of_its_members(kind):
    estimator = make_pipeline(StandardScaler(), gn.MLPClassifier(**FAST))
    source = assert_same(gn.Ensemble(estimator, 3, random_state=0).fit(X, LABELS[kind]), X)
    assert len(source.model.members) == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_source_of_ensemble_of_regressors_gives_the_mean_of_its_members(dtype):
    rows = X.astype(dtype)
    assert_same(gn.Ensemble(gn.MLPRegressor(**FAST), 3, random_state=0).fit(rows, X[:, 0]), rows)


@pytest.mark.parametrize(
    ("network", "y"),
    [
        (gn.Network((3, 4, 2)), LABELS["binary"]),
        (gn.Network((3, 4, 1), output="logistic"), (X[:, :1] > 1).astype(int)),
        (gn.Network((3, 4, 2), output="logistic"), LABELS["multilabel"]),
        (gn.Network((3, 4, 2), output="identity"), X[:, :2]),
    ],
)
@pytest.mark.parametrize("standardize", [False, True])
def test_source_of_ensemble_of_runs_gives_the_mean_of_its_members(network, y, standardize):
    runs = [
        gn.train(network, X, y, standardize=standardize, iterations=3, random_state=seed) for seed in (1, 2)
    ]
    assert_same(gn.Ensemble.from_runs(runs), X)


@pytest.mark.parametrize("estimator", [gn.MLPRegressor(), [gn.MLPRegressor(), gn.MLPRegressor()]])
def test_source_of_ensemble_refuses_one_that_is_not_fitted(estimator):
    with pytest.raises(NotFittedError, match="This Ensemble instance is not fitted"):
        source_of(gn.Ensemble(estimator))


def test_source_of_ensemble_refuses_members_that_differ():
    ensemble = gn.Ensemble(gn.MLPRegressor(**FAST), 2, random_state=0).fit(X, X[:, 0])
    ensemble.estimators_[1] = gn.MLPRegressor(**FAST).fit(X[:, :2], X[:, 0])
    with pytest.raises(InputError, match="members of the ensemble differ in their features"):
        source_of(ensemble)
    ensemble.estimators_[1] = RandomForestRegressor(2).fit(X, X[:, 0])
    with pytest.raises(InputTypeError, match="has a RandomForestRegressor"):
        source_of(ensemble)
