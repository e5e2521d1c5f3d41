"""MLPClassifier and MLPRegressor: scikit-learn's numbers, and what belongs to a fit."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.sparse import csc_array, csc_matrix, csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import scale

import glassnet as gn
from benchmarks.jobs.drop_in import agrees, apart, draw_data, draw_setting, explain, fit

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)

X, Y3 = load_iris(return_X_y=True)
X = scale(X)
Y2 = np.array(["other", "setosa"])[(Y3 == 0).astype(int)]
TARGET = X[:, 0] - 2 * X[:, 1] * X[:, 2]


def small(kind=gn.MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0, **arguments})


# ---- The same numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(36))
def test_drawn_setting_gives_scikit_learns_numbers(number):
    setting = draw_setting(number)
    data = draw_data(setting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = fit(setting, data, ours=True), fit(setting, data, ours=False)
        distance = apart(ours, theirs)
        assert agrees(setting, distance) or explain(setting, ours, theirs), (setting.words(), distance)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_huge_features_give_scikit_learns_clipped_losses(solver):
    wide = X * 300
    ours = small(solver=solver, max_iter=4).fit(wide, Y3)
    theirs = small(TheirClassifier, solver=solver, max_iter=4).fit(wide, Y3)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-9)


def test_random_state_instances_stream_stands_where_scikit_learn_leaves_it():
    streams = np.random.RandomState(5), np.random.RandomState(5)
    small(random_state=streams[0], early_stopping=True).fit(X, Y3)
    small(TheirClassifier, random_state=streams[1], early_stopping=True).fit(X, Y3)
    assert streams[0].randint(10**6) == streams[1].randint(10**6)


def test_global_stream_is_used_where_there_is_no_random_state():
    np.random.seed(3)
    ours = small(random_state=None).fit(X, Y3)
    np.random.seed(3)
    theirs = small(TheirClassifier, random_state=None).fit(X, Y3)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)


def test_every_argument_and_default_of_scikit_learn_is_there():
    for ours, theirs in ((gn.MLPClassifier, TheirClassifier), (gn.MLPRegressor, TheirRegressor)):
        mine, asked = ours().get_params(), theirs().get_params()
        assert {name: mine[name] for name in asked} == asked


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_attribute_of_scikit_learn_is_there(solver):
    pairs = [(gn.MLPClassifier, TheirClassifier, Y3), (gn.MLPRegressor, TheirRegressor, TARGET)]
    for ours, theirs, y in pairs:
        a, b = (small(kind, solver=solver, early_stopping=True).fit(X, y) for kind in (ours, theirs))
        public = {name for name in vars(b) if not name.startswith("_")}
        assert public <= set(vars(a))
        for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
            assert getattr(a, name) == getattr(b, name)


@pytest.mark.parametrize("activation", ["relu", "logistic"])
@pytest.mark.parametrize("sizes", [(), [3, 2], 4, np.array([3])])
def test_layers_are_given_in_every_way_that_scikit_learn_takes(sizes, activation):
    told = {"hidden_layer_sizes": sizes, "activation": activation}
    ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
    for a, b in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_both_engines_give_scikit_learns_numbers(engine, solver, monkeypatch):
    from glassnet.data import checks as data

    told = {"solver": solver, "alpha": 0.1, "batch_size": 40}
    theirs = small(TheirClassifier, **told).fit(X * 100, Y3, np.linspace(0.5, 2, 150))
    if engine == "numpy":
        monkeypatch.setattr(data, "missing_in_native", lambda network: "it is not there")
    ours = small(**told).fit(X * 100, Y3, np.linspace(0.5, 2, 150))
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-9)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-6, atol=1e-10)


def test_training_that_blows_up_does_so_in_the_numpy_engine_too(monkeypatch):
    from glassnet.data import checks as data

    told = {"solver": "sgd", "learning_rate_init": 1.0, "activation": "identity", "early_stopping": True}
    models = []
    for missing in ("", "it is not there"):
        monkeypatch.setattr(data, "missing_in_native", lambda network, missing=missing: missing)
        models.append(small(gn.MLPRegressor, max_iter=20, **told).fit(X * 9, TARGET))
    losses = [np.array(model.loss_curve_) for model in models]
    assert np.array_equal(np.isfinite(losses[0]), np.isfinite(losses[1]))
    assert np.isnan(losses[0][-1])


def test_weights_that_sum_to_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one non-zero number"):
        small().fit(X, Y3, np.zeros(150))
    for model, w in ((small(), np.full(150, -1.0)), (small(class_weight={0: 0.0, 1: 0.0, 2: 0.0}), None)):
        with pytest.raises(ValueError, match=r"The samples' weights sum to .*; expected more than 0"):
            model.fit(X, Y3, w)


def test_parameters_without_their_other_half_are_not_a_fit():
    for kind in (gn.MLPClassifier, gn.MLPRegressor):
        model = small(kind)
        model.coefs_ = [np.ones((4, 3))]
        for ask in (lambda m: m.predict(X), lambda m: m.network_, lambda m: m.hidden_activations(X)):
            with pytest.raises(NotFittedError):
                ask(model)


def test_network_and_parameters_are_what_glassnet_works_with():
    model = small(activation="tanh").fit(X, Y3)
    assert str(model.network_) == "4-6-3 (tanh, softmax; cross_entropy)"
    assert gn.check_gradients(model.network_, model.parameters_, X, Y3).passed
    assert np.array_equal(model.network_.predict_proba(model.parameters_, X), model.predict_proba(X))
    model.coefs_[0][:] = 0
    assert not model.parameters_.weights[0].any()


def test_many_epochs_with_a_rate_for_each_update_are_planned_in_parts(monkeypatch):
    from glassnet.sklearn import steppers

    told = {"solver": "sgd", "learning_rate": "invscaling", "tol": 0.0, "n_iter_no_change": np.inf}
    whole = small(max_iter=30, batch_size=7, **told).fit(X, Y3)
    monkeypatch.setattr(steppers, "MAX_RATES", 50)
    parts = small(max_iter=30, batch_size=7, **told).fit(X, Y3)
    assert np.array_equal(whole.coefs_[0], parts.coefs_[0])


def test_parameters_may_be_set_by_hand_and_changed_in_place():
    model, theirs = small().fit(X, Y3), small(TheirClassifier).fit(X, Y3)
    for one in (model, theirs):
        one.coefs_[0][:] = 0.25
        one.intercepts_[1] = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    for one in (model, theirs):
        one.partial_fit(X, Y3)
    np.testing.assert_allclose(model.coefs_[0], theirs.coefs_[0], rtol=1e-9)


def test_parameters_of_other_shapes_are_refused():
    model = small().fit(X, Y3)
    model.coefs_[1] = np.ones((5, 3))
    with pytest.raises(gn.InputError, match="expected layers that follow one another"):
        model.predict(X)


def test_sum_over_outputs_is_reported_unless_their_average_is_asked_for():
    targets = np.column_stack([TARGET, X[:, 3]])
    whole = small(gn.MLPRegressor, alpha=0.0).fit(X, targets)
    averaged = small(gn.MLPRegressor, alpha=0.0, average_outputs=True).fit(X, targets)
    np.testing.assert_allclose(averaged.loss_curve_, np.array(whole.loss_curve_) / 2)
    assert np.array_equal(whole.coefs_[0], averaged.coefs_[0])


@pytest.mark.parametrize("container", [csr_array, csc_array])
def test_sparse_samples_are_taken_as_dense_ones(container):
    dense, sparse = small().fit(X, Y3), small().fit(container(X), Y3)
    assert np.array_equal(dense.coefs_[0], sparse.coefs_[0])
    assert np.array_equal(dense.predict_proba(X), sparse.predict_proba(container(X)))


def mostly_zero(n=120, d=60):
    random = np.random.RandomState(0)
    dense = np.where(random.uniform(size=(n, d)) < 0.04, random.randn(n, d), 0.0)
    return dense, random.randint(3, size=n), random.uniform(0.5, 2, n)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "arguments", [{}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}, {"dropout": 0.2}]
)
@pytest.mark.parametrize("container", [csr_array, csc_matrix])
def test_large_sparse_samples_stay_sparse(container, arguments, dtype, monkeypatch):
    from glassnet.sklearn import base, prediction, validation

    dense, y, w = mostly_zero()
    dense = dense.astype(dtype)
    model = small(**arguments).fit(dense, y, w, validation_data=(dense, y))
    for module, name in (
        (base, "MIN_ENTRIES"),
        (prediction, "MIN_ENTRIES_TO_PREDICT"),
        (validation, "MIN_ENTRIES_TO_PREDICT"),
    ):
        monkeypatch.setattr(module, name, 0)
    rows = container(dense)
    monkeypatch.setattr(container, "toarray", None)  # whatever comes from it
    sparse = small(**arguments).fit(rows, y, w, validation_data=(rows, y))
    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-5}
    if arguments.get("solver") == "lbfgs":
        close = {"rtol": 1e-5, "atol": 1e-7}
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(sparse.history_[name], model.history_[name], **close)
    np.testing.assert_allclose(sparse.coefs_[0], model.coefs_[0], **close)
    np.testing.assert_allclose(sparse.predict_proba(rows), model.predict_proba(dense), **close)


def test_few_or_dense_sparse_samples_are_made_arrays():
    from glassnet.sklearn.checks import stays_sparse

    thin = csr_array(([1.0], ([0], [0])), shape=(10, 1000))
    assert stays_sparse(thin, 10_000)
    assert not stays_sparse(thin, 10_001)
    assert not stays_sparse(csr_array(np.ones((10, 1000))), 0)


def test_number_of_threads_does_not_change_a_bit():
    models = [small(n_threads=n, hidden_layer_sizes=(80,), max_iter=30).fit(X, Y3) for n in (1, 2, None)]
    assert all(np.array_equal(models[0].coefs_[0], one.coefs_[0]) for one in models)


def test_float32_stays_float32_but_for_lbfgs():
    narrow = X.astype(np.float32)
    model = small().fit(narrow, Y3)
    assert {a.dtype for a in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    assert model.predict_proba(narrow).dtype == np.float32
    assert small(solver="lbfgs").fit(narrow, Y3).coefs_[0].dtype == np.float64


# ---- Stopping -------------------------------------------------------------------------------------


def test_stopping_comes_at_scikit_learns_epoch():
    for tol, patience in ((1e-2, 2), (1e-3, 5), (0.1, 10)):
        told = {"max_iter": 300, "tol": tol, "n_iter_no_change": patience, "learning_rate_init": 0.01}
        ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
        assert ours.n_iter_ == theirs.n_iter_ < 300
        assert ours._no_improvement_count == patience + 1


def test_early_stopping_ends_with_the_best_parameters():
    told = {"early_stopping": True, "max_iter": 60, "learning_rate_init": 0.05, "solver": "sgd"}
    ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
    assert ours.validation_scores_ == theirs.validation_scores_
    assert ours.best_validation_score_ == max(ours.validation_scores_)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)


def test_warm_start_with_early_stopping_keeps_the_best_of_both_fits():
    model = small(early_stopping=True, warm_start=True, max_iter=40, learning_rate_init=0.05).fit(X, Y3)
    best, kept = model.best_validation_score_, [W.copy() for W in model.coefs_]
    model.set_params(learning_rate_init=1e-9, max_iter=3).fit(X, Y3)
    assert model.best_validation_score_ >= best
    if model.best_validation_score_ == best:
        assert all(map(np.array_equal, kept, model.coefs_))


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_fit_that_runs_out_of_epochs_warns():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(8\) reached"):
        small().fit(X, Y3)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3 iteration"):
        small(solver="lbfgs", max_iter=3).fit(X, Y3)


def test_training_that_blows_up_is_refused_as_scikit_learn_refuses_it():
    huge = 1e308 * np.random.RandomState(0).uniform(size=(10, 2))
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        small(gn.MLPRegressor).fit(huge, np.arange(10.0))
    told = {"solver": "sgd", "learning_rate_init": 1.0, "activation": "identity", "early_stopping": True}
    model = small(gn.MLPRegressor, hidden_layer_sizes=100, max_iter=20, **told)
    with np.errstate(all="ignore"):
        theirs = small(TheirRegressor, hidden_layer_sizes=100, max_iter=20, **told)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            theirs.fit(X * 9, TARGET)
        model.fit(X * 9, TARGET)
    np.testing.assert_allclose(model.validation_scores_, theirs.validation_scores_, rtol=1e-6)
    assert np.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.coefs_[0]).all()


def test_ctrl_c_ends_a_fit_and_keeps_the_work(monkeypatch):
    import _thread

    from glassnet.sklearn import callbacks

    def press(self, number, loss, score=None):
        if number == 3:
            _thread.interrupt_main()

    monkeypatch.setattr(callbacks.Verbosity, "epoch", press)
    monkeypatch.setattr(callbacks.Verbosity, "is_on", True)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = small(max_iter=5000, tol=0.0).fit(X, Y3)
    assert 3 <= model.n_iter_ < 5000
    assert model.predict(X).shape == (150,)


# ---- partial_fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fits_are_the_epochs_of_a_fit_on_one_batch(solver):
    told = {"solver": solver, "batch_size": 150, "tol": 0.0, "shuffle": False}
    whole, parts = small(**told).fit(X, Y3), small(**told)
    for _ in range(8):
        parts.partial_fit(X, Y3, classes=[0, 1, 2])
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-12)
    assert parts.t_ == whole.t_


def test_partial_fit_after_pickling_goes_on_as_if_nothing_had_happened():
    model = small().fit(X, Y3)
    copy = pickle.loads(pickle.dumps(model))
    for one in (model, copy):
        one.partial_fit(X, Y3)
    assert np.array_equal(model.coefs_[0], copy.coefs_[0])


def test_partial_fit_is_for_solvers_on_batches():
    assert not hasattr(small(solver="lbfgs"), "partial_fit")
    assert hasattr(small(solver="lbfgs", optimizer=gn.Adam()), "partial_fit")


# ---- Labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y3, Y2, Y3.astype(float), Y2.astype(object), Y3 > 0, ["a", "b", "c"] * 50])
def test_labels_come_back_as_they_were_given(y):
    ours, theirs = small().fit(X, y), small(TheirClassifier).fit(X, y)
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-9)


def test_several_labels_are_predicted_each():
    wide, labels = make_multilabel_classification(60, random_state=0)
    ours, theirs = small().fit(wide, labels), small(TheirClassifier).fit(wide, labels)
    np.testing.assert_allclose(ours.predict_proba(wide), theirs.predict_proba(wide), rtol=1e-9)
    assert np.array_equal(ours.predict(wide), theirs.predict(wide))
    assert ours.score(wide, labels) == theirs.score(wide, labels)


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_labels_that_came_as_a_sparse_matrix_are_predicted_as_one(fit):
    wide, labels = make_multilabel_classification(60, random_state=0)
    told = {"classes": np.arange(5)} if fit == "partial_fit" else {}
    ours, theirs = (
        getattr(small(kind), fit)(wide, csr_array(labels), **told)
        for kind in (gn.MLPClassifier, TheirClassifier)
    )
    found, expected = ours.predict(wide), theirs.predict(wide)
    assert type(found) is type(expected)
    assert np.array_equal(found.toarray(), expected.toarray())
    assert ours.score(wide, labels) == theirs.score(wide, labels)


def test_one_class_alone_is_what_every_sample_is():
    model = small().fit(X, np.full(150, "only"))
    assert set(model.predict(X)) == {"only"}


def test_score_of_labels_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="Mix of label input types"):
        small().fit(X, Y3).score(X, Y3.astype(str))
    with pytest.raises(ValueError, match="Mix of label input types"):
        small().fit(X, Y2).score(X, Y3)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 150)])
def test_scores_are_scikit_learns(weights):
    model = small(max_iter=20).fit(X, Y3)
    assert model.score(X, Y3, weights) == small(TheirClassifier, max_iter=20).fit(X, Y3).score(
        X, Y3, weights
    )


# ---- Errors ---------------------------------------------------------------------------------------


BAD = [
    ({"alpha": -1}, X, Y3),
    ({"activation": "sigmoid"}, X, Y3),
    ({"hidden_layer_sizes": (5, -1)}, X, Y3),
    ({"hidden_layer_sizes": (5.5,)}, X, Y3),
    ({"momentum": 2}, X, Y3),
    ({"solver": "newton"}, X, Y3),
    ({}, X[:0], Y3[:0]),
    ({}, X, Y3[:-1]),
    ({}, X[:, 0], Y3),
    ({}, X, np.linspace(0, 1, 150)),
    ({}, np.where(X > 2, np.nan, X), Y3),
    ({}, np.where(X > 2, np.inf, X), Y3),
    ({"early_stopping": True}, X[:4], np.array([0, 0, 0, 1])),
    ({"early_stopping": True}, X[:3], np.array([0, 1, 2])),
]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("arguments", "inputs", "y"), BAD)
def test_bad_input_raises_what_scikit_learn_raises_and_changes_nothing(arguments, inputs, y, known):
    model, theirs = small(), small(TheirClassifier, **arguments)
    if known:
        model.fit(X, Y3)
    model.set_params(**arguments)
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError)) as expected:
        theirs.fit(inputs, y)
    with pytest.raises(type(expected.value)) as raised:
        model.fit(inputs, y)
    if "activation" not in arguments:  # ours knows more of them
        assert str(raised.value).split(" Got")[0][:20] == str(expected.value).split(" Got")[0][:20]
    assert vars(model) == before
    if known:
        model.set_params(**small().get_params()).predict(X)


def test_warm_start_on_other_classes_is_refused_and_changes_nothing():
    model = small(warm_start=True).fit(X, Y3)
    kept = [W.copy() for W in model.coefs_]
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes"):
        model.fit(X, Y3 > 0)
    assert all(map(np.array_equal, kept, model.coefs_))
    assert model.classes_.tolist() == [0, 1, 2]


def test_partial_fit_that_fails_leaves_the_estimator_unfitted():
    model = small()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, Y3)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        model.partial_fit(X, Y3, classes=[0, 1])
    assert not hasattr(model, "classes_")
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_error_in_the_middle_of_training_leaves_a_fitted_estimator_as_it_was():
    model = small().fit(X, Y3)
    kept, curve = [W.copy() for W in model.coefs_], list(model.loss_curve_)

    def broken(estimator, X, y):
        raise RuntimeError("no score")

    model.set_params(warm_start=True, scoring=broken)
    with pytest.raises(RuntimeError, match="no score"):
        model.fit(X, Y3, validation_data=(X, Y3))
    assert all(map(np.array_equal, kept, model.coefs_))
    assert model.loss_curve_ == curve


def test_other_number_of_outputs_is_refused_on_a_warm_start():
    model = small(gn.MLPRegressor, warm_start=True).fit(X, TARGET)
    with pytest.raises(ValueError, match="y has 2 outputs, but the estimator was fitted with 1"):
        model.fit(X, np.column_stack([TARGET, TARGET]))
    assert model.predict(X).shape == (150,)


def test_counts_below_zero_are_refused_for_poisson():
    with pytest.raises(ValueError, match=r"out of the valid range of the loss 'poisson'"):
        small(gn.MLPRegressor, loss="poisson").fit(X, TARGET)


def test_column_of_targets_warns_as_scikit_learn_does():
    with pytest.warns(DataConversionWarning):
        small().fit(X, Y3[:, None])


def test_clone_forgets_the_fit_and_keeps_the_arguments():
    model = small(optimizer=gn.AdamW(gn.Cosine(0.1, steps=10)), activation=["gelu"]).fit(X, Y3)
    copy = clone(model)
    assert not hasattr(copy, "coefs_")
    assert copy.get_params() == model.get_params()
