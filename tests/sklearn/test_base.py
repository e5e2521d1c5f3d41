"""The base of both estimators: scikit-learn's numbers, a fit's attributes, copies, fits that fail."""

import pickle
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pytest
from iris import TARGET, Y3, X, small
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import glassnet as gn
from benchmarks.jobs.drop_in import agrees, apart, draw_data, draw_setting, explain, fit

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size`",
    "ignore:early_stopping=True is without effect",
)


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


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # X is raw
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


@pytest.mark.parametrize("part", ["coefs_", "intercepts_", "out_activation_", "classes_", "n_layers_"])
def test_parameters_without_their_other_half_are_not_a_fit(part):
    for kind in (gn.MLPClassifier, gn.MLPRegressor):
        whole, model = small(kind).fit(X, Y3), small(kind)
        setattr(model, part, getattr(whole, part, None))
        for ask in ("predict", "predict_proba", "hidden_activations", "input_gradients", "score"):
            if hasattr(model, ask):
                with pytest.raises(NotFittedError, match="not fitted yet"):
                    getattr(model, ask)(*(X, Y3) if ask == "score" else (X,))
        with pytest.raises(NotFittedError):
            _ = model.network_
    whole.intercepts_ = None
    with pytest.raises(NotFittedError, match="or set intercepts_ as well"):
        whole.predict(X)


def test_network_and_parameters_are_what_glassnet_works_with():
    model = small(activation="tanh").fit(X, Y3)
    assert str(model.network_) == "4-6-3 (tanh, softmax; cross_entropy)"
    assert gn.check_gradients(model.network_, model.parameters_, X, Y3).passed
    assert np.array_equal(model.network_.predict_proba(model.parameters_, X), model.predict_proba(X))
    model.coefs_[0][:] = 0
    assert not model.parameters_.weights[0].any()


def test_parameters_may_be_set_by_hand_and_changed_in_place():
    model, theirs = small().fit(X, Y3), small(TheirClassifier).fit(X, Y3)
    for one in (model, theirs):
        one.coefs_[0][:] = 0.25
        one.intercepts_[1] = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    for one in (model, theirs):
        one.partial_fit(X, Y3)
    np.testing.assert_allclose(model.coefs_[0], theirs.coefs_[0], rtol=1e-9)


OUTS = {"identity": (1, TARGET), "logistic": (1, Y3 > 0), "softmax": (3, Y3)}


@pytest.mark.parametrize("out", OUTS)
def test_parameters_set_on_an_estimator_that_was_never_fitted_predict_as_scikit_learns(out):
    random, (outputs, y) = np.random.RandomState(0), OUTS[out]
    sizes = (4, 5, 3, outputs)
    coefs = [random.randn(*shape) for shape in pairwise(sizes)]
    intercepts = [random.randn(n) for n in sizes[1:]]
    ours, theirs = (gn.MLPClassifier, TheirClassifier), (gn.MLPRegressor, TheirRegressor)
    models = [
        kind(hidden_layer_sizes=(5, 3), activation="tanh")
        for kind in (theirs if out == "identity" else ours)
    ]
    for model in models:
        model.coefs_, model.intercepts_, model.n_layers_, model.n_outputs_ = coefs, intercepts, 4, outputs
        model.out_activation_ = out
        if out != "identity":
            model.classes_ = np.unique(y)
    ours, theirs = models
    ask = "predict" if out == "identity" else "predict_proba"
    np.testing.assert_allclose(getattr(ours, ask)(X), getattr(theirs, ask)(X), rtol=1e-12)
    if out != "identity":
        assert np.array_equal(ours.predict(X), ours.classes_[theirs.predict_proba(X).argmax(axis=1)])
    assert np.isfinite(ours.score(X, y))
    before = set(vars(ours))
    assert ours.parameters_.sizes == sizes
    assert set(vars(ours)) == before
    again = pickle.loads(pickle.dumps(ours))
    assert np.array_equal(getattr(again, ask)(X), getattr(ours, ask)(X))
    assert np.isfinite(ours.partial_fit(X, y).loss_)


def test_several_labels_may_be_set_by_hand():
    fitted = small().fit(X, np.eye(3, dtype=int)[Y3])
    model = small()
    for name in ("coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_", "classes_"):
        setattr(model, name, getattr(fitted, name))
    assert np.array_equal(model.predict(X), fitted.predict(X))


def test_classes_may_be_renamed_and_must_fit_the_outputs():
    model = small().fit(X, Y3)
    numbers = model.predict(X)
    model.classes_ = ["fir", "oak", "elm"]
    assert np.array_equal(model.predict(X), np.array(model.classes_)[numbers])
    model.classes_ = np.arange(4)
    with pytest.raises(gn.InputError, match="classes_ has 4 entries, and coefs_ end in 3 outputs"):
        model.predict(X)


@pytest.mark.parametrize("out", ["identity", "logistic", "softmax"])
@pytest.mark.parametrize("kind", ["numbers", "two", "three"])
def test_output_set_on_a_fitted_estimator_is_obeyed_as_scikit_learns(kind, out):
    y = {"numbers": TARGET, "two": Y3 > 0, "three": Y3}[kind]
    ours = small(gn.MLPRegressor if kind == "numbers" else gn.MLPClassifier).fit(X, y)
    theirs = small(TheirRegressor if kind == "numbers" else TheirClassifier).fit(X, y)
    for model in (ours, theirs):
        model.out_activation_ = out
    if out == "softmax" and kind != "three":
        with pytest.raises(gn.InputError, match="softmax over 1 output"):
            ours.predict(X)
        return
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    if kind != "numbers":
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
    assert ours.network_.output.name == out


def test_output_that_is_none_here_is_refused_and_training_goes_on_by_its_own():
    model = small(gn.MLPRegressor).fit(X, TARGET)
    model.out_activation_ = "relu"
    with pytest.raises(
        gn.InputError, match="out_activation_ is 'relu'; the output layer has one of softmax"
    ):
        model.predict(X)
    with pytest.raises(gn.InputError, match="training goes on with the loss of 'identity'"):
        model.partial_fit(X, TARGET)
    assert model.fit(X, TARGET).out_activation_ == "identity"


@pytest.mark.parametrize("name", ["n_layers_", "n_outputs_"])
def test_layers_that_are_not_those_of_the_parameters_are_refused(name):
    model = small().fit(X, Y3)
    setattr(model, name, 2)
    with pytest.raises(gn.InputError, match=rf"{name} .*2.*coefs_ make layers of \(4, 6, 3\)"):
        model.predict(X)


def test_parameters_of_other_shapes_are_refused():
    model = small().fit(X, Y3)
    model.coefs_[1] = np.ones((5, 3))
    with pytest.raises(gn.InputError, match="expected layers that follow one another"):
        model.predict(X)


def test_number_of_threads_does_not_change_a_bit():
    models = [small(n_threads=n, hidden_layer_sizes=(80,), max_iter=30).fit(X, Y3) for n in (1, 2, None)]
    assert all(np.array_equal(models[0].coefs_[0], one.coefs_[0]) for one in models)


def test_float32_stays_float32_but_for_lbfgs():
    narrow = X.astype(np.float32)
    model = small().fit(narrow, Y3)
    assert {a.dtype for a in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    assert model.predict_proba(narrow).dtype == np.float32
    assert small(solver="lbfgs").fit(narrow, Y3).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fits_are_the_epochs_of_a_fit_on_one_batch(solver):
    told = {"solver": solver, "batch_size": 150, "tol": 0.0, "shuffle": False}
    whole, parts = small(**told).fit(X, Y3), small(**told)
    for _ in range(whole.max_iter):
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


def test_clone_forgets_the_fit_and_keeps_the_arguments():
    model = small(optimizer=gn.AdamW(gn.Cosine(0.1, steps=10)), activation=["gelu"]).fit(X, Y3)
    copy = clone(model)
    assert not hasattr(copy, "coefs_")
    assert copy.get_params() == model.get_params()


def test_dtype_is_the_precision_of_training():
    model = small(dtype="float32").fit(X, Y3)
    assert model.coefs_[0].dtype == np.float32
    same = small().fit(X.astype(np.float32), Y3)
    assert np.array_equal(model.coefs_[0], same.coefs_[0])
    assert small(dtype=np.float64).fit(X.astype(np.float32), Y3).coefs_[0].dtype == np.float64


def test_fit_from_the_start_forgets_what_another_solver_has_kept():
    model = small(early_stopping=True).fit(X, Y3).set_params(solver="lbfgs").fit(X, Y3)
    fresh = small(solver="lbfgs", early_stopping=True).fit(X, Y3)
    assert set(vars(model)) == set(vars(fresh))


def test_arguments_are_kept_as_given_and_set_by_name():
    model = small(alpha=0.1)
    assert model.set_params(alpha=0.2, dropout=0.5).get_params()["alpha"] == 0.2
    assert repr(gn.MLPClassifier(alpha=0.5)) == "MLPClassifier(alpha=0.5)"
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=3)


def test_clone_of_a_subclass_knows_its_own_arguments():
    class Deep(gn.MLPClassifier):
        def __init__(self, depth=2, alpha=0.1):
            super().__init__(hidden_layer_sizes=(5,) * depth, alpha=alpha, max_iter=5)
            self.depth = depth

    model = clone(Deep(depth=3)).fit(X, Y3)
    assert model.get_params() == {"depth": 3, "alpha": 0.1}
    assert model.n_layers_ == 5
    assert "depth" not in gn.MLPClassifier().get_params()


def test_tags_are_scikit_learns():
    for ours, other in ((gn.MLPClassifier(), TheirClassifier()),):
        assert get_tags(ours).input_tags == get_tags(other).input_tags
        assert get_tags(ours).classifier_tags == get_tags(other).classifier_tags
    assert get_tags(gn.MLPClassifier(missing="mean")).input_tags.allow_nan
    assert get_tags(gn.MLPRegressor()).estimator_type == "regressor"


@pytest.mark.parametrize("copy", [lambda m: pickle.loads(pickle.dumps(m)), clone, lambda m: m])
def test_copies_fit_the_same(copy):
    model = small()
    assert np.array_equal(copy(model).fit(X, Y3).coefs_[0], small().fit(X, Y3).coefs_[0])


def test_fitted_estimator_survives_pickling_and_joblib(tmp_path):
    model = small(activation=["gelu"], optimizer="adamw", learning_rate=gn.Cosine(0.1, steps=99)).fit(X, Y3)
    joblib.dump(model, tmp_path / "model.joblib")
    for again in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
        again.coefs_[0][:] = 0
        assert not np.array_equal(again.predict_proba(X), model.predict_proba(X))
        check_is_fitted(again)


def test_pickle_has_each_parameter_once():
    model = small(gn.MLPRegressor, hidden_layer_sizes=(300, 300), max_iter=1, solver="lbfgs").fit(X, TARGET)
    assert len(pickle.dumps(model)) < 8 * 300 * 310 * 1.2


def test_prediction_in_another_process_is_the_same():
    model = small().fit(X, Y3)
    with joblib.parallel_config("loky", n_jobs=2):
        (P,) = joblib.Parallel()([joblib.delayed(model.predict_proba)(X)])
    assert np.array_equal(P, model.predict_proba(X))
