"""The estimators on streamed data: the numbers of the same samples in memory, and errors in words."""

import inspect
import os
import pickle
import shutil
import signal
import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import glassnet as gn
from glassnet.data.arrays import ArrayDataset
from glassnet.data.source import Dataset, MappedDataset
from glassnet.sklearn.checks import REGRESSION_LOSSES
from glassnet.sklearn.streaming import mean_over
from glassnet.utils.memory import RESERVED

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:A column-vector y was passed"),
]

N, INPUTS = 5_003, 4
NAMES = [f"x{i}" for i in range(INPUTS)]
EDGES = [0, 1_300, 1_301, 4_000, N]
TREES = np.array(["fir", "oak", "elm"])


def draw(n=N):
    random = np.random.RandomState(0)
    X = random.randn(n, INPUTS)
    kinds = np.argmax(X[:, :3] + 0.5 * random.randn(n, 3), axis=1)
    return X, kinds, random.uniform(0.5, 2, n), random.poisson(np.exp(X[:, 0])).astype(float)


TARGETS = {
    "binary": lambda: TREES[draw()[1] % 2],
    "text": lambda: TREES[draw()[1]],
    "objects": lambda: TREES.astype(object)[draw()[1]],
    "numbers": lambda: np.array([7, -2, 3])[draw()[1]],
    "column": lambda: draw()[1][:, None],
    "multilabel": lambda: (draw()[0][:, :2] > 0).astype(int),
    "multioutput": lambda: np.column_stack([draw()[1], draw()[1] % 2]),
}


def write(folder, y, edges=EDGES, dtype=np.float64, names=NAMES, X=None):
    folder.mkdir()
    X, w = draw()[0] if X is None else X, draw()[2]
    for part, (start, stop) in enumerate(pairwise(edges)):
        columns = {name: X[start:stop, place].astype(dtype) for place, name in enumerate(names)}
        columns |= {"y": y[start:stop], "w": w[start:stop]}
        pq.write_table(pa.table(columns), folder / f"part-{part}.parquet", row_group_size=700)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("rows") / "data", TARGETS["text"]())


def small(kind=gn.MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, **arguments})


def same(one, other, **close):
    """Whether all that is learned but names is the same; with a tolerance, the parameters and losses."""
    for name in {name for name in {*vars(one), *vars(other)} if name.endswith("_")} - {"feature_names_in_"}:
        a, b = getattr(one, name), getattr(other, name)
        for left, right in zip(*(v if isinstance(v, list) else [v] for v in (a, b)), strict=True):
            if close and name in ("coefs_", "intercepts_", "loss_", "loss_curve_"):
                np.testing.assert_allclose(left, right, **close)
            elif isinstance(left, np.ndarray):
                assert np.array_equal(left, right), name
                assert left.dtype == right.dtype, name
            else:
                assert left == right or (close and name in ("history_", "best_loss_")), name
    return True


# ---- Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "solver"),
    [
        *((kind, solver) for kind in TARGETS for solver in ("lbfgs", "adam")),
        *((kind, solver) for kind in ("text", "multioutput") for solver in ("sgd", "lm", gn.LBFGS())),
        ("binary", gn.NewtonCG()),
    ],
    ids=str,
)
def test_classifier_learns_what_it_does_in_memory(kind, solver):
    X, _, w, _ = draw()
    y = TARGETS[kind]()
    model = small(solver=solver)
    if kind == "multioutput" and solver not in ("lbfgs", "adam", "sgd", gn.LBFGS()):
        for samples in ((X, y), (gn.stream(X, y),)):  # several softmaxes have no second derivative
            with pytest.raises(gn.InputError, match="LBFGS"):
                clone(model).fit(*samples)
        return
    # Several softmaxes run on the NumPy engine, whose sums of the full batch are made in another order.
    close = {"rtol": 1e-9} if kind == "multioutput" and solver not in ("adam", "sgd") else {}
    assert same(clone(model).fit(gn.stream(X, y)), clone(model).fit(X, y), **close)
    weighted = gn.stream(X, y, sample_weight=w)
    assert same(clone(model).fit(weighted), clone(model).fit(X, y, w), **close)


@pytest.mark.parametrize(
    ("kind", "weighted", "weight"),
    [
        *((kind, True, "balanced") for kind in TARGETS),
        *((kind, False, "dict") for kind in TARGETS),
        ("text", False, "balanced"),
        ("text", True, "dict"),
    ],
)
def test_class_weights_are_those_of_samples_in_memory(kind, weighted, weight):
    X, _, w, _ = draw()
    y = TARGETS[kind]()
    w = np.where(np.arange(N) % 3 == 0, 0.0, w) if weighted else None
    columns = [y] if y.ndim == 1 or y.shape[1] == 1 else y.T
    each = [{value: 2.0 + place for place, value in enumerate(np.unique(c).tolist())} for c in columns]
    given = weight if weight == "balanced" else each[0] if len(each) == 1 else each
    model = small(solver="adam", class_weight=given)
    assert same(clone(model).fit(gn.stream(X, y, sample_weight=w)), clone(model).fit(X, y, w))


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_regressor_learns_what_it_does_in_memory(loss, solver):
    X, _, w, y = draw()
    model = small(gn.MLPRegressor, loss=loss, solver=solver)
    for more in ({}, {"sample_weight": w}):
        # The mean that is added to a Poisson loss is summed by blocks.
        close = {"rtol": 1e-12} if loss == "poisson" else {}
        assert same(clone(model).fit(gn.stream(X, y, **more)), clone(model).fit(X, y, **more), **close)


@pytest.mark.parametrize("average", [False, True])
def test_several_targets_are_learned_as_in_memory(average, tmp_path):
    X, _, _, y = draw()
    folder = write(tmp_path / "f", y)
    model = small(gn.MLPRegressor, solver="lbfgs", average_outputs=average)
    rows = gn.stream(folder, ["y", "x0"], features=["x1", "x2"])
    assert same(clone(model).fit(rows), clone(model).fit(X[:, 1:3], np.column_stack([y, X[:, 0]])))


@pytest.mark.parametrize(
    "arguments",
    [
        {"dtype": "float32"},
        {"batch_size": 64, "shuffle": False},
        {"optimizer": "adamw", "learning_rate": gn.Cosine(0.01, 200)},
        {"dropout": 0.2, "l1": 1e-3},
        {"loss": gn.losses.cross_entropy(label_smoothing=0.1)},
        {"solver": "sgd", "learning_rate": "adaptive", "max_iter": 40, "n_iter_no_change": 1, "tol": 0.1},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"activation": "silu", "restore_best": True},
    ],
    ids=str,
)
def test_settings_of_batches_have_the_numbers_of_data_in_memory(arguments):
    X, kinds, w, _ = draw()
    model = small(**arguments)
    assert same(
        clone(model).fit(gn.stream(X, kinds, sample_weight=w)), clone(model).fit(X, kinds, sample_weight=w)
    )


def test_folder_and_column_are_all_that_fit_needs(folder):
    X, _, w, _ = draw()
    rows = small().fit(str(folder), "y", sample_weight="w")
    assert same(rows, small().fit(X, TARGETS["text"](), w))
    assert rows.feature_names_in_.tolist() == NAMES
    assert rows.classes_.tolist() == ["elm", "fir", "oak"]


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_single_precision_columns_are_learned_from_as_in_memory(solver, tmp_path):
    X, kinds, _, _ = draw()
    folder = write(tmp_path / "f", kinds, dtype=np.float32)
    rows = gn.stream(folder, "y", features=NAMES)
    model = small(solver=solver)
    assert same(clone(model).fit(rows), clone(model).fit(X.astype(np.float32), kinds))


def test_mapped_array_with_text_is_streamed_by_itself_where_it_is_large(tmp_path, monkeypatch):
    X, y = draw()[0], TARGETS["text"]()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    monkeypatch.setattr("glassnet.data.dataset.DEFAULT_MEMORY", mapped.nbytes - 1)
    assert same(small(solver="lbfgs").fit(mapped, y), small(solver="lbfgs").fit(X, y))


@pytest.mark.xdist_group("dask")
def test_dask_collections_are_fitted():
    import dask.array as da
    import dask.dataframe as dd

    X, y = draw()[0], TARGETS["objects"]()
    how = {"solver": "lbfgs", "class_weight": "balanced"}
    expected = small(**how).fit(X, y)
    assert same(small(**how).fit(da.from_array(X, chunks=(900, INPUTS)), y), expected)
    frame = dd.from_pandas(pd.DataFrame(X, columns=NAMES).assign(label=y), npartitions=3)
    named = small(**how).fit(frame, "label")
    assert same(named, expected)
    assert named.feature_names_in_.tolist() == NAMES
    assert same(small(**how).fit(frame[NAMES], frame["label"]), expected)


@pytest.fixture
def windows(monkeypatch):
    """Windows of 1,000 rows or so."""
    monkeypatch.setattr("glassnet.engine.streamed_minibatch._WINDOWS", 1_000)

    def stream(*source, **how):
        rows = gn.stream(*source, **how)
        rows.memory = RESERVED + (64 << 20)
        return rows

    return stream


def test_rows_that_come_by_windows_are_learned(windows):
    X, y = draw()[0], TARGETS["text"]()
    how = {"max_iter": 30, "learning_rate_init": 0.01}
    model = small(**how).fit(windows(X, y))
    assert abs(model.score(X, y) - small(**how).fit(X, y).score(X, y)) < 0.02
    assert model.t_ == 30 * N
    assert same(model, small(**how).fit(windows(X, y)))


def test_windows_follow_the_random_state(windows):
    X, kinds, _, _ = draw()
    one, other = (small(random_state=seed).fit(windows(X, kinds)).loss_ for seed in (0, 1))
    assert one != other
    random = np.random.RandomState(0)
    assert small(random_state=random).fit(windows(X, kinds)).loss_ == one
    assert small(random_state=random).fit(windows(X, kinds)).loss_ != one


def test_poisson_by_windows_reports_deviances(windows):
    X, _, w, y = draw()
    model = small(gn.MLPRegressor, loss="poisson", max_iter=10)
    one, other = clone(model).fit(windows(X, y, sample_weight=w)), clone(model).fit(X, y, w)
    assert abs(one.loss_ - other.loss_) < 0.05 * other.loss_


# ---- Going on -------------------------------------------------------------------------------------


def test_partial_fit_goes_on_from_rows_to_rows(folder):
    X, _, w, _ = draw()
    y = TARGETS["text"]()
    one, other = small(), small()
    for _ in range(3):
        one.partial_fit(gn.stream(folder, "y", features=NAMES, sample_weight="w"), classes=TREES)
        other.partial_fit(X, y, w, classes=TREES)
    assert same(one, other)
    assert one.n_iter_ == 1
    assert one.t_ == 3 * N


def test_partial_fit_takes_a_file_at_a_time(folder):
    X, y = draw()[0], TARGETS["text"]()
    one, other = small(), small()
    for part, (start, stop) in enumerate(pairwise(EDGES)):
        one.partial_fit(gn.stream(folder / f"part-{part}.parquet", "y", features=NAMES), classes=TREES)
        other.partial_fit(X[start:stop], y[start:stop], classes=TREES)
    assert same(one, other)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_warm_start_goes_on_between_memory_and_rows(solver):
    X, kinds, _, _ = draw()
    rows, model = gn.stream(X, kinds), small(solver=solver, warm_start=True)
    assert same(clone(model).fit(rows).fit(X, kinds), clone(model).fit(X, kinds).fit(rows))


def test_validation_data_are_watched(folder):
    X, y = draw()[0], TARGETS["text"]()
    how = {"early_stopping": True, "scoring": ["f1_macro", "accuracy"], "max_iter": 8}
    held = X[:300], y[:300]
    one = small(**how).fit(gn.stream(X, y), validation_data=held)
    assert same(one, small(**how).fit(X, y, validation_data=held))


@pytest.mark.parametrize("kind", ["binary", "text", "multioutput"])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_validation_data_may_be_streamed(kind, solver):
    X, w, y = draw()[0], draw()[2], TARGETS[kind]()
    how = {"early_stopping": True, "max_iter": 6, "solver": solver, "class_weight": "balanced"}
    held = X[:900] + 0.1, y[:900], w[:900]
    expected = small(**how).fit(X, y, validation_data=held)
    rows = gn.stream(*held[:2], sample_weight=held[2])
    assert len(expected.validation_scores_) == len(expected.history_["score"])
    for given in (rows, (rows, None)):
        model = small(**how).fit(X, y, validation_data=given)
        for name, values in model.history_.items():
            np.testing.assert_allclose(values, expected.history_[name], rtol=1e-6)
        np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6)


def test_regressors_validation_data_may_be_a_folder(folder, tmp_path):
    X, _, _, y = draw()
    folder = write(tmp_path / "f", y)
    how = {"early_stopping": True, "loss": "poisson", "max_iter": 6}
    model = small(gn.MLPRegressor, **how)
    named = clone(model).fit(gn.stream(folder, "y", features=NAMES), validation_data=(folder, "y", "w"))
    expected = clone(model).fit(X, y, validation_data=(X, y, draw()[2]))
    for name, values in named.history_.items():
        np.testing.assert_allclose(values, expected.history_[name], rtol=1e-9)


def test_streamed_validation_data_are_checked(folder):
    X, y = draw()[0], TARGETS["text"]()
    with pytest.raises(gn.InputError, match="scoring is measured on samples in memory"):
        small(scoring="accuracy").fit(X, y, validation_data=gn.stream(X, y))
    with pytest.raises(gn.InputError, match=r"validation_data: .* The first such is 'ash' at row 3"):
        small().fit(X, y, validation_data=gn.stream(X, np.where(np.arange(N) == 3, "ash", y)))
    with pytest.raises(gn.InputError, match=r"validation_data: .*expecting 4 features"):
        small().fit(X, y, validation_data=gn.stream(X[:, :2], y))


# ---- Answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TARGETS)
def test_answers_and_scores_are_those_in_memory(kind):
    X, _, w, _ = draw()
    y = TARGETS[kind]()
    model = small().fit(X, y)
    rows = gn.stream(X, y, sample_weight=w)
    for new in (rows, gn.stream(X)):
        found, expected = model.predict(new), model.predict(X)
        assert np.array_equal(found, expected)
        assert found.dtype == expected.dtype
        for ask in (model.predict_proba, model.predict_log_proba):
            parts = zip(*(p if isinstance(p, list) else [p] for p in (ask(new), ask(X))), strict=True)
            assert all(np.array_equal(one, other) for one, other in parts)
    assert model.score(gn.stream(X, y)) == model.score(X, y)
    assert model.score(rows) == pytest.approx(model.score(X, y, w), rel=1e-12)


def test_labels_that_were_not_learned_count_as_wrong():
    X, y = draw()[0], TARGETS["text"]()
    model = small().fit(X, y)
    y[:100] = "ash"
    assert model.score(gn.stream(X, y)) == model.score(X, y)
    with pytest.raises(gn.InputTypeError, match=r"y has \[\d\] at row 0; .* labels such as \['"):
        model.score(gn.stream(X, draw()[1]))


def test_weighted_means_have_the_same_bits_however_rows_are_cut(tmp_path):
    cuts = [[0, N], EDGES, [*range(0, N, 11), N], [*range(0, N, 137), N]]
    folders = [write(tmp_path / str(place), draw()[1], edges) for place, edges in enumerate(cuts)]
    rows = [gn.stream(folder, "y", features=NAMES, sample_weight="w") for folder in folders]
    model = small().fit(rows[0])
    assert len({model.score(each) for each in rows}) == 1
    assert len({mean_over(each, lambda block: np.log1p(block.y), None, 1) for each in rows}) == 1


def test_weights_of_zero_are_refused_by_a_score():
    X, y = draw(10)[0], draw(10)[1]
    model = small().fit(X, y)
    with pytest.raises(gn.InputError, match="sample_weight is 0 everywhere"):
        model.score(gn.stream(X, y, sample_weight=np.zeros(10)))


def test_sparse_labels_are_answered_sparse():
    from scipy.sparse import csr_array

    X, y = draw()[0], TARGETS["multilabel"]()
    model = small().fit(X, csr_array(y))
    assert np.array_equal(model.predict(gn.stream(X)).toarray(), model.predict(X).toarray())
    assert model.score(gn.stream(X, y)) == model.score(X, y)


@pytest.mark.parametrize("outputs", [1, 2])
def test_regressor_answers_and_scores_as_in_memory(outputs):
    X, _, w, y = draw()
    y = y if outputs == 1 else np.column_stack([y, X[:, 0]])
    model = small(gn.MLPRegressor, max_iter=20).fit(X, y)
    assert np.array_equal(model.predict(gn.stream(X)), model.predict(X))
    assert model.score(gn.stream(X, y, sample_weight=w)) == pytest.approx(model.score(X, y, w), rel=1e-12)


def test_single_precision_is_kept_where_both_have_it():
    X, y = draw()[0].astype(np.float32), TARGETS["text"]()
    single, double = small().fit(X, y), small().fit(X.astype(float), y)
    for model in (single, double):
        for new in (X, X.astype(float)):
            found = model.predict_proba(gn.stream(new))
            assert found.dtype == model.predict_proba(new).dtype
            assert np.array_equal(found, model.predict_proba(new))


def test_files_are_answered_by_the_names_of_their_columns(folder, tmp_path):
    X, y, w = draw()[0], TARGETS["text"](), draw()[2]
    model = small().fit(gn.stream(folder, "y", features=NAMES, sample_weight="w"))
    expected = small().fit(X, y, w)
    # In another order, beside other columns.
    new = write(tmp_path / "new", y, names=NAMES[::-1], X=X[:, ::-1])
    assert np.array_equal(model.predict(str(new)), expected.predict(X))
    assert model.score(new, "y") == expected.score(X, y)
    assert model.score(new, "y", sample_weight="w") == pytest.approx(expected.score(X, y, w))
    files = sorted(new.iterdir())
    assert np.array_equal(model.predict(files), expected.predict(X))
    assert model.score(files, "y") == expected.score(X, y)
    with pytest.raises(gn.InputError, match="y is missing"):
        model.score(new)


def test_dask_collections_are_answered():
    import dask.array as da
    import dask.dataframe as dd

    X, y = draw()[0], TARGETS["objects"]()
    model = small().fit(X, y)
    array = da.from_array(X, chunks=(900, INPUTS))
    assert np.array_equal(model.predict(array), model.predict(X))
    assert model.score(array, y) == model.score(X, y)
    frame = dd.from_pandas(pd.DataFrame(X, columns=NAMES).assign(label=y), npartitions=3)
    named = small().fit(frame, "label")
    assert np.array_equal(named.predict(frame), model.predict(X))
    assert named.score(frame, "label") == model.score(X, y)


def test_parameters_that_are_not_finite_answer_as_in_memory():
    X, _, _, y = draw()
    model = small(gn.MLPRegressor).fit(X, y)
    model.coefs_[0][:] = np.inf
    assert np.isnan(model.predict(gn.stream(X))).all()


def test_standardized_rows_are_remembered():
    X, y = 5 * draw()[0] + 3, TARGETS["text"]()
    rows = gn.stream(X, y, standardize=True)
    Z = (X - rows.mean) / rows.scale
    how = {"scoring": "accuracy"}
    with pytest.warns(gn.PreprocessingWarning, match="has learned from standardized rows"):
        model = small(**how).fit(rows, validation_data=(Z, y))
    expected = small(**how).fit(Z, y, validation_data=(Z, y))
    assert np.array_equal(model.coefs_[0], expected.coefs_[0])
    new = gn.stream(X, standardize=(model.mean_, model.scale_))
    assert np.array_equal(model.predict(new), expected.predict(Z))
    assert model.score(rows) == expected.score(Z, y)
    for raw in (X, gn.stream(X), gn.stream(X, standardize=(model.mean_, 2 * model.scale_))):
        with pytest.warns(gn.PreprocessingWarning, match="has learned from standardized rows"):
            model.predict(raw)
    assert not hasattr(model.fit(Z, y, validation_data=(Z, y)), "mean_")
    model.predict(Z)


def test_rows_standardized_otherwise_are_spoken_of_where_a_fit_goes_on_or_watches_them():
    X, y = 5 * draw()[0] + 3, TARGETS["text"]()
    rows, others = gn.stream(X, y, standardize=True), gn.stream(X[:2000], y[:2000], standardize=True)
    alike = gn.stream(X[:2000], y[:2000], standardize=(rows.mean, rows.scale))
    raws = (gn.stream(X, y),), (X, y)
    model = small(warm_start=True).fit(rows, validation_data=alike).fit(alike).partial_fit(alike)
    watch = lambda X, y=None: small().fit(rows, validation_data=X if y is None else (X, y))  # noqa: E731
    for goes_on, samples in (
        (watch, (others,)),
        *((goes_on, raw) for goes_on in (watch, model.fit, model.partial_fit) for raw in raws),
    ):
        with pytest.warns(gn.PreprocessingWarning, match="has learned from standardized rows"):
            goes_on(*samples)
    coefs = model.coefs_[0]
    for goes_on in (model.fit, model.partial_fit):
        with pytest.raises(gn.InputError, match=r"standardize=\(model\.mean_, model\.scale_\)"):
            goes_on(others)
    assert np.array_equal(model.mean_, rows.mean)
    assert model.coefs_[0] is coefs


def test_what_was_not_fitted_answers_nothing(folder):
    X, y = draw()[:2]
    for ask in (lambda m: m.predict(gn.stream(X)), lambda m: m.score(gn.stream(X, y))):
        for kind in (gn.MLPClassifier, gn.MLPRegressor):
            with pytest.raises(NotFittedError):
                ask(kind())
    model = small().fit(X, y)
    with pytest.raises(gn.InputError, match="has 3 features, but MLPClassifier is expecting 4"):
        model.predict(gn.stream(X[:, :3]))
    X[4_321, 1] = np.nan
    for ask in (lambda: model.predict(gn.stream(X)), lambda: model.score(gn.stream(X, y))):
        with pytest.raises(
            gn.InputError, match="X, column 1 has nan; expected a finite number at row 4321"
        ):
            ask()
    with pytest.raises(gn.InputError, match="takes samples in memory"):
        model.hidden_activations(gn.stream(X))


# ---- What is kept ---------------------------------------------------------------------------------


def test_fitted_estimator_holds_no_data(folder):
    model = small().fit(folder, "y", sample_weight="w")
    assert len(pickle.dumps(model)) < 10_000
    rows = [v for v in vars(model).values() if isinstance(v, (Dataset, np.memmap))]
    assert not rows
    assert same(pickle.loads(pickle.dumps(model)), model)
    assert clone(model).get_params() == model.get_params()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("solver", ["lbfgs", "adam", gn.LBFGS()])
def test_file_that_changes_meanwhile_leaves_the_work_with_the_error(solver, tmp_path):
    folder = write(tmp_path / "f", TARGETS["text"]())
    rows = gn.stream(folder, "y", features=NAMES)
    rows.memory = RESERVED  # a batch at a time
    X, y = draw()[0], TARGETS["text"]()
    calls = []

    def watch(estimator, X, y):
        calls.append(estimator.coefs_[0].copy())
        if len(calls) == 2:
            shutil.copy(folder / "part-1.parquet", folder / "part-2.parquet")
        return 0.0

    model = small(solver=solver, scoring=watch, max_iter=50)
    with pytest.raises(gn.FileError, match=r"part-2.parquet has changed") as raised:
        model.fit(rows, validation_data=(X[:10], y[:10]))
    assert not hasattr(model, "coefs_")
    kept = raised.value.estimator
    assert len(kept.history_["loss"]) == len(calls) >= 2
    assert kept.predict(X).shape == (N,)
    again = kept.set_params(warm_start=True, scoring=None, max_iter=2).fit(X, y)
    assert again.loss_ < kept.history_["loss"][0]


class Interrupted(ArrayDataset):
    """Ctrl-C comes once, while inputs are read for the time that is told."""

    read_before = 0

    def read(self, start, stop, most, dtype):
        self.read_before += dtype is not None
        if self.read_before == self.when:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        yield from super().read(start, stop, most, dtype)


@pytest.mark.parametrize("when", [3, 9], ids=["first window", "later window"])
def test_interrupt_ends_a_fit_that_reads(when):
    X, kinds, _, _ = draw()
    rows = Interrupted(X, kinds, None, 1 << 30)
    rows.when = when  # the survey is the first time, and a look at the first rows the second
    rows.memory = RESERVED
    model = small(max_iter=1_000, batch_size=1_000, n_threads=1)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(rows)
    assert model.n_iter_ < 1_000


# ---- What cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "how", "error", "message"),
    [
        ({"early_stopping": True}, {}, gn.InputError, r"holds out some .* validation_data=\(X, y\)"),
        ({"missing": "mean"}, {}, gn.InputError, "missing='mean' fills in .* before they are written"),
        (
            {"solver": "lbfgs", "dropout": 0.1},
            {},
            gn.InputError,
            "dropout is for solvers that take batches",
        ),
        ({}, {"y": None}, gn.InputError, "y is missing: the target column's name"),
        ({}, {"y": "yy"}, gn.InputError, "Did you mean 'y'"),
        (
            {},
            {"sample_weight": np.ones(N)},
            gn.InputTypeError,
            "sample_weight must be the name of a column",
        ),
        ({"class_weight": {"ash": 2.0}}, {}, ValueError, "not in class_weight"),
        ({"class_weight": {"fir": -1.0}}, {}, gn.InputError, "class_weight has -1.0 for 'fir'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(folder, arguments, how, error, message):
    with pytest.raises(error, match=message):
        small(**arguments).fit(folder, **{"y": "y", **how})


def test_rows_bring_their_targets():
    X, kinds, _, _ = draw()
    for kind in (gn.MLPClassifier, gn.MLPRegressor):
        assert inspect.signature(kind.fit).parameters["y"].default is None
        with pytest.raises(gn.InputError, match="sample_weight and features go into"):
            small(kind).fit(gn.stream(X, kinds), kinds)
        with pytest.raises(gn.InputError, match="y is missing"):
            small(kind).fit(gn.stream(X))
        with pytest.raises(ValueError, match="requires y to be passed"):
            small(kind).fit(X)


def test_quantities_are_no_classes_and_text_is_no_quantity(folder):
    X, _, _, y = draw()
    with pytest.raises(ValueError, match="Unknown label type"):
        small().fit(gn.stream(X, y + 0.5))
    with pytest.raises(gn.InputTypeError, match=r"y has 'fir' at row 1 of .*part-0.parquet; .* numbers"):
        small(gn.MLPRegressor).fit(folder, "y")


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_values_that_are_missing_are_named_by_file_and_row(kind, tmp_path):
    y = draw()[3]
    y[1_300] = np.nan
    folder = write(tmp_path / "f", y)
    with pytest.raises(gn.InputError, match=r"y has nan at row 1 of .*part-1.parquet"):
        small(kind).fit(folder, "y")
    X = draw()[0]
    X[4_007, 2] = np.inf
    folder = write(tmp_path / "g", draw()[1], X=X)
    with pytest.raises(gn.InputError, match=r"Column 'x2' has inf.* at row 8 of .*part-3.parquet"):
        small(kind).fit(folder, "y")


def test_counts_below_zero_are_named_by_row():
    X, _, _, y = draw()
    y[77] = -1
    with pytest.raises(gn.InputError, match=r"y has \[-1.\] at row 77; expected values of 0 or more"):
        small(gn.MLPRegressor, loss="poisson").fit(gn.stream(X, y))


def test_class_that_was_not_told_is_named_by_file_and_row(folder):
    with pytest.raises(
        gn.InputError, match=r"classes not in .* The first such is 'elm' at row \d+ of .*part-0"
    ):
        small().partial_fit(gn.stream(folder, "y"), classes=["fir", "oak"])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        small().partial_fit(gn.stream(folder, "y"))


def test_other_features_are_refused(folder):
    model = small(warm_start=True).fit(folder, "y")
    for features, message in (
        ([*NAMES[::-1], "w"], "fitted on x0, x1, x2, x3, w, in this order"),
        (NAMES, "has 4 features, but MLPClassifier is expecting 5 features"),
    ):
        with pytest.raises(gn.InputError, match=message):
            model.fit(gn.stream(folder, "y", features=features))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.fit(gn.stream(np.column_stack([*draw()[0].T, draw()[2]]), TARGETS["text"]()))
    assert model.feature_names_in_.tolist() == [*NAMES, "w"]


def test_refit_that_fails_leaves_the_estimator_as_it_was(folder):
    model = small().fit(folder, "y")
    before = dict(vars(model))
    with pytest.raises(gn.InputError):
        model.fit(gn.stream(draw()[0][:, :2], np.r_[np.nan, draw()[3][1:]]))
    assert vars(model) == before


def test_pipeline_with_a_scaler_says_that_rows_are_streamed(folder):
    with pytest.raises(gn.InputTypeError, match=r"is streamed\. Only gn\.train"):
        make_pipeline(StandardScaler(), small()).fit(gn.stream(folder, "y"), None)


def test_changed_rows_are_fitted_too(folder):
    """As streams of one's own are."""
    rows = MappedDataset(
        gn.stream(folder, "y", features=NAMES), lambda block: block._replace(X=2 * block.X)
    )
    assert same(small().fit(rows), small().fit(2 * draw()[0], TARGETS["text"]()))
