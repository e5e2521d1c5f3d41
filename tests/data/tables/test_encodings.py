import json

import numpy as np
import pandas as pd
import pytest
from data.tables.table_samples import raw, table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from glassnet.data.tables.encodings import (
    CategoryEncoding,
    DateEncoding,
    NumberEncoding,
    encoding_from_dict,
    encoding_to_dict,
    learn_category,
    learn_date,
    learn_number,
    normal_ranks,
)
from glassnet.data.tables.prepare import prepare_table
from glassnet.errors import InputError


def test_prepared_inputs_are_those_of_scikit_learns_column_transformer():
    random = np.random.RandomState(3)
    size = random.randn(120)
    size[random.rand(120) < 0.2] = np.nan
    frame = pd.DataFrame(
        {
            "size": size,
            "weight": random.randn(120) * 7 + 3,
            "color": random.choice(["red", "green", "blue", "grey"], 120, p=[0.5, 0.3, 0.15, 0.05]),
            "side": random.choice(["left", "right"], 120),
        }
    )
    source = table(**{name: frame[name].to_numpy() for name in frame}, y=[0, 1] * 60)
    data = prepare_table(source, "y", max_categories=2)
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    gaps = SimpleImputer(strategy="constant", fill_value=0, add_indicator=True)
    transformer = ColumnTransformer(
        [
            ("size", scaled, ["size"]),
            ("gaps", gaps, ["size"]),
            ("weight", scaled, ["weight"]),
            ("color", OneHotEncoder(max_categories=3, sparse_output=False), ["color"]),
            ("side", OneHotEncoder(drop="if_binary", sparse_output=False), ["side"]),
        ]
    )
    transformer.fit(frame.iloc[data.split.train])
    expected = np.delete(transformer.transform(frame), 1, axis=1)  # the imputed size, once more
    assert data.preprocessing.inputs[-4:] == (
        "color = green",
        "color = red",
        "color is another",
        "side = right",
    )
    np.testing.assert_allclose(data.X, expected, rtol=1e-12, atol=1e-12)


def test_quantile_scaling_is_near_scikit_learns():
    values = np.random.RandomState(0).lognormal(sigma=2, size=4000)
    encoding = learn_number(raw(values), "quantile")
    expected = QuantileTransformer(n_quantiles=101, output_distribution="normal", subsample=None)
    expected = expected.fit_transform(values[:, None])[:, 0]
    np.testing.assert_allclose(encoding.encode(raw(values))[0], expected, atol=1e-9)
    assert normal_ranks(np.array([-9.0, 9.0]), np.array([0.0, 1.0])).tolist() == [
        pytest.approx(norm.ppf(1e-7)),
        pytest.approx(norm.ppf(1 - 1e-7)),
    ]


def test_number_encoding_fills_gaps_by_the_median_and_marks_them():
    encoding = learn_number(raw([1.0, 2.0, np.nan, 9.0]))
    assert encoding == NumberEncoding("x", 2.0, True, 1.0, 9.0)
    assert [v.tolist() for v in encoding.encode(raw([np.nan, 5.0]))] == [[2.0, 5.0], [1.0, 0.0]]
    assert learn_number(raw([3.0, np.nan, 3.0])) is None


def test_category_encoding_keeps_frequent_ones_and_lets_rare_ones_share():
    encoding = learn_category(raw(["b", "b", "a", "a", "c", None]), 30)
    assert encoding == CategoryEncoding("x", ("a", "b"), other=True, missing=True)
    rows = raw(["a", "c", "never seen", None])
    assert np.column_stack(encoding.encode(rows)).tolist() == [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
    assert encoding.inputs == ("x = a", "x = b", "x is another", "x is missing")
    most = learn_category(raw(["c"] * 3 + ["b"] * 2 + ["a"] * 2), 2)
    assert most.categories == ("a", "c")  # of equally many rows the first by text
    assert learn_category(raw([10, 9, 10, 9]), 30).categories == ("9", "10")


@pytest.mark.parametrize(
    ("values", "inputs"),
    [(["m", "f", "m"], ("x = m",)), (["yes", None, "yes"], ("x is missing",)), ([3, 5, 3, 5], ("x = 5",))],
)
def test_category_encoding_tells_two_possibilities_apart_by_one_input(values, inputs):
    column = raw(values)
    encoding = learn_category(column, 30)
    assert encoding.inputs == inputs
    (only,) = encoding.encode(column)
    assert len(set(only.tolist())) == 2


def test_date_encoding_counts_days_and_puts_parts_on_circles():
    dates = raw(np.array(["2026-01-31T06:00", "2026-12-31T18:00", "2026-02-01T12:00", "NaT"], "M8[us]"))
    encoding = learn_date(dates)
    assert encoding.inputs[0] == "x: days"
    assert encoding.parts == ("month", "weekday", "hour")
    days, *circles, gap = encoding.encode(dates)
    assert days.tolist() == [0, 334.5, 1.25, 1.25]
    assert gap.tolist() == [0, 0, 0, 1]
    months = np.column_stack(circles[:2])
    january, december, february = months[:3]
    assert np.hypot(*(january - december)) == pytest.approx(np.hypot(*(january - february)))
    assert learn_date(raw(np.array(["2026-01-05", "2026-01-05"], "M8[us]"))) is None


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=5)
ENCODINGS = st.one_of(
    st.builds(
        NumberEncoding,
        names,
        numbers,
        st.booleans(),
        numbers,
        numbers,
        st.lists(numbers, max_size=3).map(tuple),
    ),
    st.builds(
        CategoryEncoding,
        names,
        st.lists(names, max_size=3, unique=True).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        DateEncoding,
        names,
        numbers,
        numbers,
        st.sampled_from([(), ("month",), ("month", "hour")]),
        st.booleans(),
    ),
)


@settings(deadline=None, max_examples=60)
@given(encoding=ENCODINGS)
def test_encodings_survive_json_to_the_last_bit(encoding):
    again = encoding_from_dict(json.loads(json.dumps(encoding_to_dict(encoding))))
    assert again == encoding
    assert repr(again) == repr(encoding)  # -0.0 is not 0.0


@pytest.mark.parametrize(
    "described", [{}, {"kind": "odd"}, {"kind": "number"}, {"kind": "date", "more": 1}]
)
def test_encoding_from_dict_refuses_what_is_none(described):
    with pytest.raises(InputError, match="does not describe the encoding"):
        encoding_from_dict(described)
