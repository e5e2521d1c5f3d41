"""The steps of scikit-learn's transformers give the bits of the transformers themselves."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from glassnet.errors import InputError
from glassnet.export.sources.transformers import Inputs

random = np.random.default_rng(0)
NUMBERS = random.normal(5, 3, (40, 3))
GAPS = np.where(random.random((40, 3)) < 0.3, np.nan, NUMBERS)
COLORS = ["red", "blue", "green", "red", "'\"\\\n", "é"]
TABLE = pd.DataFrame(
    {
        "size": GAPS[:, 0],
        "color": pd.Series([*COLORS * 6, "red", np.nan, np.nan, "red"], dtype=object),
        "grade": [3.0, 1.0, 2.0, 1.0] * 10,
        "unused": pd.Timestamp(0),
        "shade": pd.Series([*(["dark", None, "light"] * 13), "dark"], dtype=object),
    }
)


def steps_of(transformer, X, other=99):
    """What the steps of a fitted transformer give, (n, columns); `other` stands for unknown categories."""
    named = isinstance(X, pd.DataFrame)
    names = [*X.columns] if named else [f"x{place}" for place in range(X.shape[1])]
    inputs = Inputs(names, named)
    features, columns = inputs.finish(inputs.through([transformer]))
    values = inputs.values(X)
    assert values.shape == (len(X), len(features))
    for place, feature in enumerate(features):  # any other number is an unknown category
        if feature.categories is not None:
            values[values[:, place] == len(feature.categories), place] = other
    made = []
    for column in columns:
        of_column = values[:, column.feature]
        for step in column.steps:
            of_column = step(of_column)
        made.append(of_column)
    return np.column_stack(made)


def transformed(transformer, X):
    made = transformer.transform(X)
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made, float)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        MinMaxScaler((-1, 2), clip=True),
        MaxAbsScaler(),
        MaxAbsScaler(clip=True),
        RobustScaler(),
        RobustScaler(with_centering=False),
        RobustScaler(with_scaling=False),
        make_pipeline(RobustScaler(), "passthrough", FunctionTransformer(), StandardScaler()),
    ],
)
def test_steps_of_scalers_give_their_bits(transformer):
    transformer.fit(NUMBERS)
    rows = np.vstack([NUMBERS * 3, GAPS[np.isfinite(GAPS).all(axis=1)]])
    assert np.array_equal(steps_of(transformer, rows), transformed(transformer, rows))


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.filterwarnings("ignore:Skipping features")
def test_steps_of_imputer_give_its_bits(strategy, indicator, keep):
    rows = GAPS.copy()
    rows[:, 1] = np.nan
    imputer = SimpleImputer(strategy=strategy, add_indicator=indicator, keep_empty_features=keep)
    pipeline = make_pipeline(imputer, StandardScaler()).fit(rows)
    assert np.array_equal(steps_of(pipeline, rows), transformed(pipeline, rows))


FILLED = SimpleImputer(strategy="constant", fill_value="none")
COMMON = SimpleImputer(strategy="most_frequent")


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(drop="first", sparse_output=False),
        OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
        OneHotEncoder(min_frequency=9, handle_unknown="infrequent_if_exist"),
        OneHotEncoder(min_frequency=9, handle_unknown="ignore"),
        OneHotEncoder(max_categories=2, drop="first"),
        OrdinalEncoder(encoded_missing_value=-2),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=9),
        OrdinalEncoder(min_frequency=9, encoded_missing_value=-2),
        make_pipeline(FILLED, OneHotEncoder(handle_unknown="ignore")),
        make_pipeline(COMMON, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=7)),
        make_pipeline(OneHotEncoder(handle_unknown="ignore", sparse_output=False), StandardScaler()),
    ],
)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_steps_of_encoders_give_their_bits(encoder):
    columns = ["color", "shade", "grade"]
    encoder.fit(TABLE[columns])
    rows = TABLE[columns]
    steps = encoder.steps[-1][1] if hasattr(encoder, "steps") else encoder
    if getattr(steps, "handle_unknown", "ignore") != "error":
        rows = pd.concat(
            [rows, pd.DataFrame({"color": ["x", np.nan], "shade": ["y", "dark"], "grade": [4.0, 1]})]
        )
    for other in (-1, 99):
        assert np.array_equal(steps_of(encoder, rows, other), transformed(encoder, rows))


def test_steps_of_column_transformer_give_its_bits():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = make_pipeline(FILLED, OneHotEncoder(drop="if_binary", handle_unknown="ignore"))
    transformer = ColumnTransformer(
        [
            ("categories", categories, ["shade", "color"]),
            ("numbers", numbers, ["size"]),
            ("same", "passthrough", ["grade"]),
            ("again", OrdinalEncoder(), ["grade"]),
            ("nothing", StandardScaler(), []),
            ("gone", "drop", ["unused"]),
        ],
        transformer_weights={"numbers": 0.3},
    ).fit(TABLE)
    assert np.array_equal(steps_of(transformer, TABLE), transformed(transformer, TABLE))
    rest = ColumnTransformer([("one", MinMaxScaler(), [2])], remainder=StandardScaler()).fit(NUMBERS)
    assert np.array_equal(steps_of(rest, NUMBERS), transformed(rest, NUMBERS))


def test_steps_of_an_encoder_count_a_refused_category_as_missing():
    encoder = OrdinalEncoder().fit([["a"], ["b"]])
    rows = np.array([["b"], ["c"], [None]], object)
    assert np.array_equal(steps_of(encoder, rows), [[1], [np.nan], [np.nan]], equal_nan=True)


def test_through_names_all_that_has_no_steps():
    columns = ColumnTransformer(
        [("a", PCA(1), [0]), ("b", SimpleImputer(missing_values=-1), [1]), ("c", KNNImputer(), [2])]
    ).fit(NUMBERS)
    with pytest.raises(InputError) as raised:
        Inputs(["a", "b", "c"]).through([columns, FunctionTransformer(np.log)])
    for name in ("PCA", "SimpleImputer(missing_values=-1)", "KNNImputer", "FunctionTransformer"):
        assert name in str(raised.value)


def test_through_refuses_to_encode_computed_columns():
    pipeline = make_pipeline(StandardScaler(), OneHotEncoder()).fit(NUMBERS)
    with pytest.raises(InputError, match="'a' is encoded after it was computed"):
        Inputs(["a", "b", "c"]).through([pipeline])
