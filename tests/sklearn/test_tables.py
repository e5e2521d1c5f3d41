"""Estimators on tables with categories and missing values."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.RandomState(0)
N = 240
AGE = np.where(RANDOM.rand(N) < 0.15, np.nan, RANDOM.randn(N) * 10 + 40)
TOWN = RANDOM.choice(["bern", "ulm", "graz"], N)
SIZE = RANDOM.choice(["small", "large"], N)
COUNT = RANDOM.randint(0, 5, N)
FRAME = pd.DataFrame(
    {
        "age": AGE,
        "town": np.where(RANDOM.rand(N) < 0.1, None, TOWN),
        "size": pd.Categorical(SIZE),
        "count": COUNT,
        "yes": TOWN == "ulm",
    }
)
VALUE = np.where(TOWN == "ulm", 2.0, -1.0) + 0.1 * np.nan_to_num(AGE, nan=40.0)
LABEL = np.where(np.median(VALUE) < VALUE, "high", "low")
SETTINGS = {"hidden_layer_sizes": (6,), "max_iter": 12, "learning_rate_init": 0.02, "random_state": 0}
TABLE = {"categorical_features": "from_dtype", "missing": "median", **SETTINGS}


def classifier(**arguments):
    return gn.MLPClassifier(**{**TABLE, **arguments})


def in_order(X):
    """scikit-learn's own transformers, one for each column, so that the inputs stand in the same order."""
    number = make_union(
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), MissingIndicator()
    )
    one_hot = OneHotEncoder(drop="if_binary", sparse_output=False)
    steps = {
        "age": number,
        "town": one_hot,
        "size": one_hot,
        "count": StandardScaler(),
        "yes": StandardScaler(),
    }
    return ColumnTransformer([(name, clone(step), [name]) for name, step in steps.items()])


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_numbers_are_those_of_scikit_learns_transformers(kind):
    y = LABEL if kind is gn.MLPClassifier else VALUE
    model = kind(**TABLE).fit(FRAME, y)
    pipeline = make_pipeline(in_order(FRAME), kind(**SETTINGS)).fit(FRAME, y)
    np.testing.assert_allclose(model.coefs_[0], pipeline[-1].coefs_[0], rtol=1e-9, atol=1e-12)
    assert model.score(FRAME, y) == pytest.approx(pipeline.score(FRAME, y))
    method = "predict_proba" if kind is gn.MLPClassifier else "predict"
    rows = FRAME[::-1][:50]
    np.testing.assert_allclose(getattr(model, method)(rows), getattr(pipeline, method)(rows), rtol=1e-9)


def test_attributes_describe_features_and_inputs():
    model = classifier().fit(FRAME, LABEL)
    assert model.n_features_in_ == 5
    assert model.feature_names_in_.tolist() == [*FRAME]
    assert model.is_categorical_.tolist() == [False, True, True, False, False]
    assert model.input_names_.tolist() == [
        "age",
        "age is missing",
        *("town = bern", "town = graz", "town = ulm", "town is missing"),
        "size = small",
        "count",
        "yes",
    ]
    assert model.coefs_[0].shape == (9, 6)
    assert model.hidden_activations(FRAME)[0].shape == (N, 6)
    assert model.input_gradients(FRAME).shape == (N, 1, 9)
    assert gn.MLPClassifier(**SETTINGS).fit(FRAME[["count"]], LABEL).input_names_.tolist() == ["count"]


OTHERS = {
    "pandas strings": lambda: FRAME.astype({"town": "string", "size": "string", "count": "Int64"}),
    "pandas with NA": lambda: FRAME.astype({"age": "Float64", "yes": "boolean", "count": object}),
    "polars": lambda: pl.from_pandas(FRAME),
    "polars enums": lambda: pl.from_pandas(FRAME).with_columns(
        pl.col("size").cast(pl.String).cast(pl.Enum(["large", "tiny", "small"])),
        pl.col("town").cast(pl.Categorical),
        pl.col("count").cast(pl.UInt8),
    ),
    "pyarrow": lambda: pa.Table.from_pandas(FRAME),
}


@pytest.mark.parametrize("name", OTHERS)
def test_frames_of_other_kinds_give_the_same_numbers(name):
    model, frame = classifier().fit(FRAME, LABEL), OTHERS[name]()
    expected = model.predict_proba(FRAME)
    assert np.array_equal(model.predict_proba(frame), expected)
    assert np.array_equal(classifier().fit(frame, LABEL).predict_proba(FRAME), expected)


def test_array_of_objects_gives_the_same_numbers():
    array = FRAME.astype(object).to_numpy()
    model = classifier().fit(array, LABEL)
    assert model.input_names_[:2].tolist() == ["x0", "x0 is missing"]
    assert np.array_equal(model.predict_proba(array), classifier().fit(FRAME, LABEL).predict_proba(FRAME))


@pytest.mark.parametrize(
    "chosen", [["town", "size"], [1, 2], [False, True, True, False, False], np.array([2, 1], np.int8)]
)
def test_names_places_and_a_mask_choose_the_same_columns(chosen):
    model = classifier(categorical_features=chosen).fit(FRAME, LABEL)
    expected = classifier().fit(FRAME, LABEL)
    assert np.array_equal(model.predict_proba(FRAME), expected.predict_proba(FRAME))


def test_numbers_may_be_categories_and_arrays_have_none_by_type():
    X = np.c_[COUNT, np.nan_to_num(AGE)]
    model = classifier(categorical_features=[0]).fit(X, LABEL)
    assert model.input_names_.tolist() == [*(f"x0 = {k}" for k in range(5)), "x1"]
    assert classifier().fit(X, LABEL).input_names_.tolist() == ["x0", "x1"]
    assert classifier(categorical_features=[]).fit(X, LABEL).input_names_.tolist() == ["x0", "x1"]


def inputs_of(model, frame):
    """The network's inputs by name: those of a network whose first layer hands them on."""
    width = len(model.input_names_)
    model = pickle.loads(pickle.dumps(model))
    model.set_params(activation="identity")
    model.coefs_, model.intercepts_ = [np.eye(width), np.ones((width, 1))], [np.zeros(width), np.zeros(1)]
    del model._network, model.n_layers_
    return pd.DataFrame(model.hidden_activations(frame)[0], columns=model.input_names_)


def test_new_rare_and_missing_categories_have_their_places():
    letters = [f"c{k:02d}" for k in range(40)]
    frame = pd.DataFrame({"letter": np.repeat(letters, [*range(42, 2, -1)]), "n": 0.0})
    frame.loc[::50, "letter"] = None
    y = np.arange(len(frame)) % 2
    model = classifier().fit(frame, y)
    assert [*model.input_names_[:30], *model.input_names_[30:]] == [
        *(f"letter = {name}" for name in letters[:30]),
        "letter is another",
        "letter is missing",
        "n",
    ]
    inputs = inputs_of(model, pd.DataFrame({"letter": ["c00", "c39", "new", None], "n": 0.0}))
    assert inputs["letter = c00"].tolist() == [1, 0, 0, 0]
    assert inputs["letter is another"].tolist() == [0, 1, 1, 0]
    assert inputs["letter is missing"].tolist() == [0, 0, 0, 1]
    unseen = inputs_of(classifier().fit(FRAME, LABEL), FRAME[:1].assign(town="nowhere"))
    assert unseen.filter(like="town").to_numpy().tolist() == [[0, 0, 0, 0]]


def test_columns_of_one_value_and_of_none_have_an_input():
    frame = FRAME[["age"]].assign(one="a", none=None, same=3.0, void=np.nan)
    frame["none"] = frame["none"].astype("category")
    model = classifier().fit(frame, LABEL)
    names = ["one = a", "none is missing", "same", "void", "void is missing"]
    assert model.input_names_[2:].tolist() == names
    assert inputs_of(model, frame)[names].to_numpy()[0].tolist() == [1, 1, 0, 0, 1]


def test_mean_and_median_fill_in_missing_numbers():
    for missing, middle in (("mean", np.nanmean), ("median", np.nanmedian)):
        frame = FRAME[["age", "size"]]
        inputs = inputs_of(classifier(missing=missing).fit(frame, LABEL), frame)
        filled = np.where(np.isnan(AGE), middle(AGE), AGE)
        np.testing.assert_allclose(inputs["age"], (filled - filled.mean()) / filled.std(), atol=1e-9)
        assert inputs["age is missing"].tolist() == np.isnan(AGE).tolist()


# ---- With scikit-learn's tools ---------------------------------------------------------------------


def test_first_partial_fit_fixes_the_encoding():
    model = classifier().partial_fit(FRAME[:100], LABEL[:100], classes=["high", "low"])
    known = model._preprocessing
    model.partial_fit(FRAME[100:].assign(town="nowhere", age=1e3), LABEL[100:])
    assert model._preprocessing is known
    warm = classifier(warm_start=True).fit(FRAME, LABEL)
    known = warm._preprocessing
    assert warm.fit(FRAME[:50], LABEL[:50])._preprocessing is known


def test_search_over_frames_and_importance_of_columns():
    search = GridSearchCV(classifier(), {"missing": ["median", "mean"], "alpha": [1e-4, 1]}, cv=3)
    search.fit(FRAME, LABEL)
    assert search.best_score_ > 0.6
    model = classifier(max_iter=150).fit(FRAME, LABEL)
    found = permutation_importance(model, FRAME, LABEL, n_repeats=3, random_state=0)
    assert found.importances_mean.shape == (5,)
    assert found.importances_mean.argmax() in (0, 1, 4)
    assert set(cross_val_predict(classifier(), pl.from_pandas(FRAME), LABEL, cv=3)) == {"high", "low"}


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)], ids=["pandas", "polars"])
@pytest.mark.parametrize("scoring", [None, "balanced_accuracy"])
def test_early_stopping_holds_rows_of_frames_out(frame, scoring):
    model = classifier(early_stopping=True, scoring=scoring).fit(frame, LABEL)
    assert len(model.validation_scores_) == model.n_iter_
    own = classifier(early_stopping=True, scoring=scoring)
    own.fit(frame, LABEL, validation_data=(frame[:60], LABEL[:60]))
    assert own.validation_scores_[-1] > 0.5


def test_ensembles_take_frames():
    model = gn.Ensemble(classifier(), n_estimators=2, random_state=0).fit(FRAME, LABEL)
    assert model.predict_proba(FRAME).shape == (N, 2)
    assert model.feature_names_in_.tolist() == [*FRAME]


def test_pickle_and_skops_keep_plain_numbers(tmp_path):
    import skops.io

    model = classifier().fit(FRAME, LABEL)
    state = model.__getstate__()
    assert type(state["_preprocessing"]) is dict
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    trusted = skops.io.get_untrusted_types(file=path)
    assert not [name for name in trusted if "MLP" not in name]
    for again in (pickle.loads(pickle.dumps(model)), skops.io.load(path, trusted=trusted)):
        assert np.array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    assert clone(model).get_params() == model.get_params()


def test_estimators_of_earlier_versions_have_no_categories():
    model = gn.MLPClassifier(**SETTINGS).fit(FRAME[["count"]], LABEL)
    state = {name: value for name, value in model.__getstate__().items() if name != "categorical_features"}
    again = object.__new__(gn.MLPClassifier)
    again.__setstate__(state)
    assert again.get_params()["categorical_features"] is None
    assert np.array_equal(again.predict(FRAME[["count"]]), model.predict(FRAME[["count"]]))


@pytest.mark.parametrize("y", [LABEL, COUNT, VALUE], ids=["two classes", "class numbers", "values"])
def test_run_takes_the_columns_of_a_table(y, tmp_path):
    kind = gn.MLPRegressor if y is VALUE else gn.MLPClassifier
    model = kind(**TABLE).fit(FRAME, y)
    gn.save(model, tmp_path / "model.safetensors")
    run, columns = gn.load(tmp_path / "model.safetensors"), FRAME.to_dict("list")
    assert np.array_equal(run.predict(columns), model.predict(FRAME))
    assert run.score(columns, y) == pytest.approx(model.score(FRAME, y))


def test_categories_that_are_numbers_or_truths_are_those_numbers_in_a_run():
    frame = FRAME[["age"]].assign(count=pd.Categorical(COUNT), yes=pd.Categorical(FRAME["yes"]))
    model = classifier().fit(frame, LABEL)
    assert model.input_names_[2:].tolist() == [*(f"count = {k}" for k in range(5)), "yes = true"]
    columns = {"age": AGE, "count": COUNT, "yes": FRAME["yes"].to_numpy()}
    assert np.array_equal(model.to_run().predict(columns), model.predict(frame))


def test_fit_without_categories_forgets_them():
    model = classifier().fit(FRAME, LABEL)
    model.set_params(categorical_features=None).fit(FRAME[["count"]], LABEL)
    assert model.input_names_.tolist() == ["count"]
    assert not hasattr(model, "is_categorical_")


def test_display_names_the_inputs():
    display = gn.NetworkDiagramDisplay.from_estimator(classifier().fit(FRAME, LABEL))
    assert "town = ulm" in {text.get_text() for text in display.ax_.texts}


ROWS_NOT_WEIGHTS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "As scikit-learn's SimpleImputer and OneHotEncoder, which take no weights, and a pipeline's "
        "StandardScaler, the encoding is learned from the rows: a category is rare by its rows, for which "
        "weights, whose scale means nothing, are no count. The network's training counts weights."
    )
}


@parametrize_with_checks(
    [gn.MLPClassifier(**{**TABLE, "max_iter": 60}), gn.MLPRegressor(**{**TABLE, "max_iter": 60})],
    expected_failed_checks=lambda estimator: ROWS_NOT_WEIGHTS,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")
def test_estimator_with_categories_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def test_weights_count_in_training_and_not_in_the_encoding():
    weights = np.random.RandomState(1).randint(0, 3, N)
    weighted = classifier(solver="lbfgs").fit(FRAME, LABEL, weights)
    assert weighted._preprocessing == classifier(solver="lbfgs").fit(FRAME, LABEL)._preprocessing
    rows = np.repeat(np.arange(N), weights)
    encoded = pd.DataFrame(inputs_of(weighted, FRAME).to_numpy())
    plain = gn.MLPClassifier(**SETTINGS, solver="lbfgs").fit(encoded.iloc[rows], LABEL[rows])
    np.testing.assert_allclose(weighted.predict_proba(FRAME), plain.predict_proba(encoded), rtol=1e-6)


# ---- What is refused -------------------------------------------------------------------------------

REFUSED = {
    "dates": (FRAME.assign(day=pd.Timestamp("2026-11-30")), {}, gn.InputTypeError, r"dates in 'day'"),
    "polars dates": (
        pl.from_pandas(FRAME.assign(day=pd.Timestamp("2026-11-30"))),
        {},
        gn.InputTypeError,
        r"dates in 'day'",
    ),
    "text that no one named": (
        FRAME,
        {"categorical_features": ["size"]},
        gn.InputError,
        r"'town' holds cells that are no number: '\w+' at row 1",
    ),
    "missing numbers": (
        FRAME,
        {"missing": "error"},
        gn.InputError,
        r"NaN: column 'age' at row \d+, \d+ in",
    ),
    "infinite numbers": (
        FRAME.assign(age=np.inf),
        {},
        gn.InputError,
        r"infinity: column 'age' at row 1, 240",
    ),
    "wrong name": (FRAME, {"categorical_features": ["twon"]}, gn.InputError, "'twon'. Did you mean 'town'"),
    "names of an array": (np.eye(N), {"categorical_features": ["town"]}, gn.InputError, "has no names"),
    "short mask": (FRAME, {"categorical_features": [True]}, gn.InputError, r"must have shape \(5,\)"),
    "places outside": (FRAME, {"categorical_features": [5]}, gn.InputError, r"must be in \[0, 4\]; got 5"),
    "mixed kinds": (FRAME, {"categorical_features": [1.5]}, gn.InputError, "bool, int or str"),
    "no rows": (FRAME[:0], {}, gn.InputError, "0 sample"),
    "columns of one name": (
        pd.concat([FRAME, FRAME], axis=1),
        {},
        gn.InputError,
        "more than one column",
    ),
    "lists in cells": (
        FRAME.assign(town=[[1]] * N),
        {},
        gn.InputTypeError,
        "cell of type list: argument must be",
    ),
    "sparse": (scipy.sparse.eye(N, format="csr"), {}, TypeError, "Sparse data was passed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_encoded_is_refused_in_words(name):
    X, arguments, error, words = REFUSED[name]
    model = classifier(**arguments)
    with pytest.raises(error, match=words):
        model.fit(X, LABEL[: X.shape[0]])
    assert not hasattr(model, "coefs_")


def test_other_columns_than_the_fits_are_refused():
    model = classifier().fit(FRAME, LABEL)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(FRAME.rename(columns={"town": "city"}))
    with pytest.raises(gn.InputError, match="was set after the fit"):
        gn.MLPClassifier(**SETTINGS).fit(FRAME[["count"]], LABEL).set_params(**TABLE).predict(FRAME)
    with pytest.raises(gn.InputError, match="'age' holds cells that are no number: 'old' at row 1"):
        model.predict(FRAME.assign(age="old"))


def test_streams_are_refused(tmp_path):
    FRAME[["age", "count"]].fillna(0.0).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(gn.InputError, match="categorical_features is for tables in memory"):
        classifier().fit(tmp_path / "rows.parquet", "count")


def test_forms_without_the_encoding_are_refused():
    model = classifier().fit(FRAME, LABEL)
    with pytest.raises(gn.InputError, match="has no categorical_features, and would take the encoded"):
        model.to_sklearn()
    with pytest.raises(gn.InputError, match="encoded before these"):
        gn.Ensemble(classifier(), n_estimators=1).fit(FRAME, LABEL).save("ensemble.safetensors")
    labels = classifier().fit(FRAME, np.c_[LABEL == "low", COUNT > 2])
    with pytest.raises(gn.InputError, match="a column for each label"):
        labels.to_run()
    import skl2onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(gn.InputError, match="no categorical_features"):
            skl2onnx.to_onnx(model, np.zeros((1, 5), np.float32))
