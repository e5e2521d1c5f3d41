"""The estimators' samples in memory: sparse rows, tables, weights, gaps, and samples to validate on."""

import pickle

import numpy as np
import pandas as pd
import pytest
from iris import TARGET, Y3, X, small
from scipy.sparse import csc_array, csc_matrix, csr_array
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import make_pipeline

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


@pytest.mark.parametrize("container", [csr_array, csc_array])
def test_sparse_samples_are_taken_as_dense_ones(container):
    dense, sparse = small().fit(X, Y3), small().fit(container(X), Y3)
    assert np.array_equal(dense.coefs_[0], sparse.coefs_[0])
    assert np.array_equal(dense.predict_proba(X), sparse.predict_proba(container(X)))


def mostly_zero(n=120, d=60):
    random = np.random.RandomState(0)
    dense = np.where(random.uniform(size=(n, d)) < 0.04, random.randn(n, d), 0.0)
    return dense, random.randint(3, size=n), random.uniform(0.5, 2, n)


def few_to_array(rows, *_):
    assert rows.shape[0] < 10, rows.shape
    return np.array([rows[[at]] @ np.eye(rows.shape[1]) for at in range(rows.shape[0])])[:, 0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "arguments", [{}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}, {"dropout": 0.2}]
)
@pytest.mark.parametrize("container", [csr_array, csc_matrix])
def test_large_sparse_samples_stay_sparse(container, arguments, dtype, monkeypatch):
    from glassnet.sklearn import samples

    dense, y, w = mostly_zero()
    dense = dense.astype(dtype)
    model = small(**arguments).fit(dense, y, w, validation_data=(dense, y))
    for name in ("MIN_ENTRIES", "MIN_ENTRIES_TO_PREDICT"):
        monkeypatch.setattr(samples, name, 0)
    rows = container(dense)
    monkeypatch.setattr("glassnet.data.checks.EXCERPT_ROWS", 9)  # those that the end of training looks at
    monkeypatch.setattr(container, "toarray", few_to_array)
    sparse = small(**arguments).fit(rows, y, w, validation_data=(rows, y))
    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-5}
    if arguments.get("solver") == "lbfgs":
        close = {"rtol": 1e-5, "atol": 1e-7}
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(sparse.history_[name], model.history_[name], **close)
    np.testing.assert_allclose(sparse.coefs_[0], model.coefs_[0], **close)
    np.testing.assert_allclose(sparse.predict_proba(rows), model.predict_proba(dense), **close)


# ---- Columns that never varied ---------------------------------------------------------------------

STILL = np.c_[np.linspace(-1, 1, 60), np.ones(60)]


def raised(by):
    return STILL + np.array([0, by])


def test_a_column_that_never_varied_is_named_where_it_moves_predictions():
    model = gn.MLPRegressor(solver="lbfgs", hidden_layer_sizes=(5,), max_iter=2000, random_state=0).fit(
        STILL, STILL[:, 0]
    )
    other = STILL.copy()
    other[:7, 1] = 50
    known = pickle.loads(pickle.dumps(model))
    for one in (model, known, model.to_run(), clone(model).fit(gn.stream(STILL, STILL[:, 0]))):
        one.predict(STILL)  # in silence
        with pytest.warns(
            gn.PreprocessingWarning, match=r"Column 1 of X was 1 in .* 7 of 60 pred"
        ) as found:
            one.predict(other)
        assert found[0].filename == __file__
    with pytest.warns(gn.PreprocessingWarning, match="VarianceThreshold"):
        model.score(other, STILL[:, 0])
    del known._constant  # as a pickle of an earlier commit
    known.predict(other)
    from_pipeline = make_pipeline(VarianceThreshold(), clone(model)).fit(STILL, STILL[:, 0])
    assert np.array_equal(from_pipeline.predict(STILL), from_pipeline.predict(other))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_column_that_moves_predictions_by_rounding_alone_is_not_named(dtype):
    rows = np.c_[STILL[:, 0], np.zeros(60)].astype(dtype)
    targets = np.c_[1e3 + rows[:, 0], 1e-3 * rows[:, 0]]
    model = gn.MLPRegressor(solver="lbfgs", hidden_layer_sizes=(5,), max_iter=50, random_state=0)
    model.fit(rows, targets)
    network = gn.Network((2, 3, 1), hidden="tanh", output="identity")
    run = gn.train(network, rows, rows[:, 0], iterations=20, random_state=0)
    for one in (model, run):
        other = rows.copy()
        other[:, 1] = 1e-12
        one.predict(other)  # in silence
        other[:, 1] = 0.5
        with pytest.warns(gn.PreprocessingWarning, match="moves 60 of 60 predictions"):
            one.predict(other)


def test_a_column_that_varies_in_a_later_fit_is_named_no_more():
    labels, other = STILL[:, 0] > 0, raised(9)
    model = small(max_iter=5).partial_fit(STILL, labels, classes=[False, True])
    with pytest.warns(gn.PreprocessingWarning, match="Column 1 of X"):
        model.predict_proba(other)
    model.partial_fit(STILL[:1], labels[:1])
    assert model._constant == {1: 1.0}
    model.partial_fit(other, labels).predict_proba(raised(5))
    small(max_iter=5).fit(other[:1], labels[:1]).predict_proba(STILL)  # of one row nothing is known


def test_columns_that_never_varied_do_not_matter_to_labels_that_stay():
    truth = np.c_[STILL[:, 0] > 0, STILL[:, 0] < 0.5].astype(int)
    model = small(solver="lbfgs").fit(STILL, csr_array(truth))
    model.coefs_[0][1] = 1e-4
    model.predict(raised(1))
    with pytest.warns(gn.PreprocessingWarning, match=r"moves [1-9]\d? of 60 pred"):
        model.predict_proba(raised(1))
    model.coefs_[0][1] = 9.0
    with pytest.warns(gn.PreprocessingWarning, match="predictions"):
        model.predict(raised(10))


def test_weights_that_sum_to_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one non-zero number"):
        small().fit(X, Y3, np.zeros(150))
    for model, w in ((small(), np.full(150, -1.0)), (small(class_weight={0: 0.0, 1: 0.0, 2: 0.0}), None)):
        with pytest.raises(ValueError, match=r"The samples' weights sum to .*; expected more than 0"):
            model.fit(X, Y3, w)


def test_column_of_targets_warns_as_scikit_learn_does():
    with pytest.warns(DataConversionWarning):
        small().fit(X, Y3[:, None])


@pytest.mark.parametrize("missing", ["mean", "median"])
def test_missing_values_are_filled_in_where_asked_for(missing):
    holes = X.copy()
    holes[::7, 2] = np.nan
    filled = holes.copy()
    filled[::7, 2] = getattr(np, f"nan{missing}")(holes[:, 2])
    model, same = small(missing=missing).fit(holes, Y3), small().fit(filled, Y3)
    np.testing.assert_allclose(model.coefs_[0], same.coefs_[0], rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(holes), same.predict_proba(filled), rtol=1e-12)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        small().fit(holes, Y3)
    with pytest.raises(ValueError, match="infinity"):
        model.predict(np.where(X > 2, np.inf, X))


def test_validation_data_are_checked_as_the_training_data_are():
    for bad, words in (
        ((X[:, :2], Y3), "X has 2 features, but MLPClassifier is expecting 4"),
        ((X, Y3[:9]), r"validation_data: .* inconsistent numbers of samples: \[150, 9\]"),
        ((X, Y3 + 5), "classes not in"),
        ((X * np.nan, Y3), "contains NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            small().fit(X, Y3, validation_data=bad)


def test_validation_data_with_another_number_of_outputs_are_refused():
    model = small(gn.MLPRegressor)
    with pytest.raises(ValueError, match="validation_data: y has 2 outputs"):
        model.fit(X, TARGET, validation_data=(X, np.column_stack([TARGET, TARGET])))
    assert not hasattr(model, "_n_targets")


def test_part_that_early_stopping_holds_out_has_a_validation_loss():
    history = small(early_stopping=True).fit(X, Y3).history_
    assert set(history) == {"loss", "validation_loss", "score"}
    assert np.isfinite(history["validation_loss"]).all()


NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def tables():
    import polars
    import pyarrow

    columns = dict(zip(NAMES, X.T, strict=True))
    return {
        "pandas": pd.DataFrame(columns),
        "polars": polars.DataFrame(columns),
        "pyarrow": pyarrow.table(columns),
    }


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_tables_are_taken_with_their_names(kind):
    table = tables()[kind]
    model, same = small().fit(table, Y3), small().fit(X, Y3)
    assert np.array_equal(model.predict_proba(table), same.predict_proba(X))
    if kind != "pyarrow":  # scikit-learn reads no names from it
        assert model.feature_names_in_.tolist() == NAMES
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            model.predict(X)
    assert not hasattr(same, "feature_names_in_")


def test_columns_in_another_order_are_refused():
    table = tables()["pandas"]
    model = small().fit(table, pd.Series(Y3, name="species"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[NAMES[::-1]])
    assert not hasattr(small().fit(table, Y3).fit(X, Y3), "feature_names_in_")


def test_validation_data_may_be_a_table():
    table = tables()["pandas"]
    model = small(early_stopping=True, scoring="accuracy", max_iter=40, learning_rate_init=0.02)
    model.fit(table, Y3, validation_data=(table, Y3))
    assert model.history_["validation_accuracy"][-1] > 0.5
    with pytest.raises(ValueError, match="feature names should match"):
        small().fit(table, Y3, validation_data=(table[NAMES[::-1]], Y3))
    small(early_stopping=True, scoring="accuracy").fit(
        table, Y3
    )  # its own part has no names, and no warning
