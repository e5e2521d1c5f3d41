"""What is exported of runs: a model that gives what the run itself does."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.export.sources import source_of
from glassnet.nn.losses import OUTPUTS

X = np.random.default_rng(0).normal(3, 2, (60, 3))
TARGETS = {
    "softmax": (X[:, 0] > X[:, 1]).astype(int),
    "logistic": (X[:, :1] > X[:, 1:2]).astype(int),
    "identity": X @ [[1.0, 50.0], [2.0, -10.0], [0.0, 3.0]],
    "exp": np.round(np.exp(X[:, :1] / 4)),
}
WIDTHS = {"softmax": 2, "logistic": 1, "identity": 2, "exp": 1}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("standardize", [False, True])
def test_source_of_run_gives_the_bits_of_the_run(output, dtype, standardize):
    network = gn.Network((3, 4, WIDTHS[output]), output=output)
    run = gn.train(
        network, X.astype(dtype), TARGETS[output], standardize=standardize, iterations=5, random_state=0
    )
    source = source_of(run)
    expected = run.predict(X, ndim=2) if output in ("identity", "exp") else run.predict_proba(X)
    found = source.model.outputs(source.values(X))
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert np.array_equal(source.outputs(X), expected)


def test_source_of_run_has_the_labels_of_the_run():
    labels = np.array(["no", "yes"])[TARGETS["softmax"]]
    run = gn.train(gn.Network((3, 4, 2)), X, labels, standardize=True, iterations=50, random_state=0)
    model = source_of(run).model
    (answer,) = model.answers
    numbers = model.numbers(model.outputs(X))[:, 0]
    assert np.array_equal(np.array(answer.labels, object)[numbers], run.predict(X))


def test_source_of_run_of_standardized_rows_takes_them_as_they_were():
    rows = gn.stream(X, TARGETS["softmax"], standardize=True)
    run = gn.train(gn.Network((3, 4, 2)), rows, iterations=5, random_state=0)
    source = source_of(run)
    expected = run.predict_proba(gn.stream(X, standardize=rows.standardization))
    assert np.array_equal(source.model.outputs(source.values(X)), expected)
    assert np.array_equal(source.outputs(X), expected)


TABLE = {
    "size": [1.0, 2.5, None, 4.0, 3.0, 7.0, 2.0, 9.0, 5.0, 6.0] * 6,
    "color": ["red", "blue", "red", None, "green", "blue", "green", "red", "blue", "blue"] * 6,
    "flag": ["y", "n", "y", "y", "n", "n", "y", "n", "y", "n"] * 6,
    "day": np.arange("2021-01-29", "2021-03-30", dtype="M8[D]").astype("M8[s]") + np.arange(60) * 3000,
    "price": np.arange(60.0) * 10,
}


@pytest.mark.filterwarnings("ignore::glassnet.PreprocessingWarning")  # of categories never seen
@pytest.mark.parametrize("target", ["price", "flag"])
def test_source_of_run_of_a_table_takes_its_raw_columns(target):
    data = gn.prepare_table(TABLE, target)
    outputs = 2 if target == "flag" else 1
    network = gn.Network((data.X.shape[1], 5, outputs), output="softmax" if outputs == 2 else "identity")
    run = gn.train(network, data, iterations=20, random_state=0)
    source = source_of(run)
    other = {**TABLE, "color": ["violet", None] * 30, "size": [None, 3.0] * 30}
    one = {name: values[1] for name, values in TABLE.items()}
    for rows in (TABLE, other, one, [one, one]):
        expected = run.predict_proba(rows) if outputs == 2 else run.predict(rows, ndim=2)
        assert np.array_equal(source.model.outputs(source.values(rows)), expected)
