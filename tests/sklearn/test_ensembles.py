"""Ensembles: scikit-learn's checks, means and spreads, what members are made of, files, Ctrl-C."""

import os
import pickle
import signal
import threading
import time

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io as skops
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier, is_regressor
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import glassnet as gn
from glassnet.utils import interrupts

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

REGRESSOR = gn.MLPRegressor(hidden_layer_sizes=5, max_iter=20)
CLASSIFIER = gn.MLPClassifier(hidden_layer_sizes=5, max_iter=20)
X, Y = make_regression(80, 4, n_targets=2, random_state=0)
X = np.ascontiguousarray(X)
y = Y[:, 0] / 100
LABELS = np.array(["ham", "jam", "spam"])
classes = LABELS[make_classification(80, 4, n_informative=3, n_redundant=0, n_classes=3, random_state=0)[1]]


@parametrize_with_checks(
    [
        gn.Ensemble(gn.MLPRegressor(max_iter=60), 2),
        gn.Ensemble(gn.MLPClassifier(max_iter=60), 2),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # their X is raw
def test_ensemble_passes_scikit_learns_checks(estimator, check):
    check(estimator)


# ---- Fitting ------------------------------------------------------------------------------------


def test_members_are_what_the_estimator_fits_from_their_seeds():
    model = gn.Ensemble(REGRESSOR, 3, random_state=0).fit(X, y)
    seeds = [member.random_state for member in model.estimators_]
    assert len(set(seeds)) == 3
    for member, seed in zip(model.estimators_, seeds, strict=True):
        alone = clone(REGRESSOR).set_params(random_state=seed).fit(X, y)
        assert np.array_equal(member.predict(X), alone.predict(X))
        assert member.get_params() == alone.get_params()
    assert REGRESSOR.random_state is None


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_do_not_depend_on_threads(n_threads):
    expected = gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(X, classes).predict_proba(X)
    found = gn.Ensemble(CLASSIFIER, 3, random_state=0, n_threads=n_threads).fit(X, classes)
    assert np.array_equal(found.predict_proba(X), expected)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_results_do_not_depend_on_where_joblib_goes(backend):
    expected = gn.Ensemble(REGRESSOR, 3, random_state=0).fit(X, y).predict(X)
    with joblib.parallel_config(backend, n_jobs=2):
        found = gn.Ensemble(REGRESSOR, 3, random_state=0).fit(X, y)
    assert np.array_equal(found.predict(X), expected)


def test_pipeline_gets_seeds_and_threads_where_it_has_them():
    made = make_pipeline(StandardScaler(), gn.MLPRegressor(hidden_layer_sizes=5, max_iter=20))
    model = gn.Ensemble(made, 2, random_state=0).fit(X, y)
    seeds = [member[-1].random_state for member in model.estimators_]
    assert None not in seeds
    assert len(set(seeds)) == 2
    assert [member[-1].n_threads for member in model.estimators_] == [None, None]


def test_estimators_of_scikit_learns_can_be_members():
    model = gn.Ensemble(RandomForestRegressor(5), 3, random_state=0).fit(X, y)
    mean, spread = model.predict(X, return_std=True)
    assert np.allclose(mean, np.mean([member.predict(X) for member in model.estimators_], axis=0))
    assert spread.min() > 0


def test_weights_and_what_else_fit_takes_reach_the_members():
    w = np.arange(80.0)
    model = gn.Ensemble(REGRESSOR, 2, random_state=0).fit(X, y, w, validation_data=(X, y))
    alone = clone(REGRESSOR).set_params(random_state=model.estimators_[1].random_state).fit(X, y, w)
    assert np.array_equal(model.estimators_[1].predict(X), alone.predict(X))
    assert len(model.estimators_[1].history_["validation_loss"]) == 20
    made = make_pipeline(StandardScaler(), REGRESSOR)
    gn.Ensemble(made, 2, random_state=0).fit(X, y, mlpregressor__sample_weight=w)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = clone(REGRESSOR).set_fit_request(sample_weight=True)
        routed = gn.Ensemble(asking, 2, random_state=0).fit(X, y, sample_weight=w)
    assert np.array_equal(routed.predict(X), model.predict(X))


def test_scikit_learns_settings_hold_in_the_members_threads():
    bad = X.copy()
    bad[0, 0] = np.nan

    class Lenient(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            self.lenient_ = sklearn.get_config()["assume_finite"]
            return self

        def predict(self, X):
            return np.zeros(len(X))

    with sklearn.config_context(assume_finite=True):
        model = gn.Ensemble(Lenient(), 2).fit(bad, y)
    assert [member.lenient_ for member in model.estimators_] == [True, True]


def test_ensemble_is_searched_and_scored_as_scikit_learns_are():
    search = GridSearchCV(gn.Ensemble(CLASSIFIER, 2, random_state=0), {"estimator__alpha": [0.1, 1]}, cv=2)
    assert search.fit(X, classes).best_estimator_.score(X, classes) > 0.3
    assert len(cross_val_score(gn.Ensemble(REGRESSOR, 2, random_state=0), X, y, cv=2)) == 2
    assert is_classifier(gn.Ensemble(CLASSIFIER))
    assert is_regressor(gn.Ensemble(REGRESSOR))
    assert not hasattr(gn.Ensemble(REGRESSOR), "predict_proba")


# ---- Predicting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [y, Y], ids=["one", "two"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # Y is raw
def test_values_are_the_members_mean_and_spread(target, dtype):
    samples = X.astype(dtype)
    model = gn.Ensemble(REGRESSOR, 4, random_state=0).fit(samples, target)
    mean, spread = model.predict(samples, return_std=True)
    each = model.predict_members(samples)
    assert each.shape == (4, *target.shape)
    assert np.allclose(mean, each.mean(axis=0), rtol=1e-6)
    assert np.allclose(spread, each.std(axis=0), rtol=1e-4)
    assert mean.dtype == spread.dtype == dtype
    assert np.array_equal(model.predict(samples), mean)


def test_one_member_and_equal_members_have_no_spread():
    for model in (
        gn.Ensemble(REGRESSOR, 1, random_state=0).fit(X, y),
        gn.Ensemble.from_runs([train(0), train(0), train(0)]),
    ):
        mean, spread = model.predict(X, return_std=True)
        assert np.array_equal(mean, model.predict_members(X)[0])
        assert not spread.any()


def test_spread_of_large_values_is_not_lost_to_rounding():
    runs = [train(seed) for seed in range(3)]
    for run in runs:
        run.parameters.biases[-1][:] += 1e9
    _, spread = gn.Ensemble.from_runs(runs).predict(X, return_std=True)
    assert np.allclose(spread, np.std([run.predict(X).ravel() - 1e9 for run in runs], axis=0), atol=1e-6)


def test_classes_are_those_of_the_mean_probability():
    model = gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(X, classes)
    P, spread = model.predict_proba(X, return_std=True)
    each = np.stack([member.predict_proba(X) for member in model.estimators_])
    assert np.allclose(P, each.mean(axis=0))
    assert np.allclose(spread, each.std(axis=0))
    assert np.array_equal(model.predict(X), LABELS[P.argmax(axis=1)])
    assert model.classes_.tolist() == LABELS.tolist()
    assert model.score(X, classes) == np.mean(model.predict(X) == classes)


def test_one_class_alone_is_what_every_sample_is():
    model = gn.Ensemble(CLASSIFIER, 2, random_state=0).fit(X, np.full(80, "ham"))
    assert model.predict(X).tolist() == ["ham"] * 80


def test_several_labels_and_several_columns_of_classes_are_averaged_too():
    Z, marks = make_multilabel_classification(80, 4, n_classes=3, random_state=0)
    model = gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(Z, marks)
    P, _ = model.predict_proba(Z, return_std=True)
    assert np.array_equal(model.predict(Z), P > 0.5)
    assert 0 <= model.score(Z, marks) <= 1
    columns = np.stack([classes == "ham", np.searchsorted(LABELS, classes)], axis=1).astype(int)
    model = gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(X, columns)
    means, spreads = model.predict_proba(X, return_std=True)
    assert [part.shape for part in means] == [part.shape for part in spreads] == [(80, 2), (80, 3)]
    assert [part.shape for part in model.predict_members(X)] == [(3, 80, 2), (3, 80, 3)]
    expected = np.stack([part.argmax(axis=1) for part in means], axis=1)
    assert np.array_equal(model.predict(X), expected)
    assert model.score(X, columns) == np.mean((expected == columns).all(axis=1))


def test_data_frames_keep_their_names():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = gn.Ensemble(REGRESSOR, 2, random_state=0).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.n_features_in_ == 4


# ---- Runs ---------------------------------------------------------------------------------------


def train(seed, output="identity", target=None, hidden=5, **settings):
    target = y if target is None else target
    outputs = {"softmax": 3, "logistic": 1 if np.ndim(target) == 1 else np.shape(target)[1]}.get(output, 1)
    net = gn.Network((4, hidden, outputs), output=output)
    return gn.train(net, X, target, random_state=seed, iterations=20, **settings)


def test_runs_of_values_are_averaged_whatever_lies_between():
    runs = [train(0), train(1, hidden=7), train(2, average=0.9)]
    model = gn.Ensemble.from_runs(runs)
    mean, spread = model.predict(X, return_std=True)
    each = np.stack([run.predict(X).ravel() for run in runs])
    assert np.allclose(mean, each.mean(axis=0))
    assert np.allclose(spread, each.std(axis=0))
    assert model.n_features_in_ == 4
    assert is_regressor(model)


def test_runs_of_classes_and_labels_are_averaged_as_probabilities():
    numbers = np.searchsorted(LABELS, classes)
    runs = [train(seed, "softmax", numbers) for seed in range(3)]
    model = gn.Ensemble.from_runs(iter(runs), classes=LABELS)
    P = np.mean([run.predict_proba(X) for run in runs], axis=0)
    assert np.allclose(model.predict_proba(X), P)
    assert np.array_equal(model.predict(X), LABELS[P.argmax(axis=1)])
    assert is_classifier(model)
    assert get_scorer("roc_auc_ovr")(model, X, classes) > 0.4
    pair = gn.Ensemble.from_runs([train(seed, "logistic", numbers == 2) for seed in range(2)])
    assert pair.predict_proba(X).shape == (80, 2)
    assert set(pair.predict(X)) <= {0, 1}
    marks = np.stack([numbers > 0, numbers > 1], axis=1)
    several = gn.Ensemble.from_runs([train(seed, "logistic", marks) for seed in range(2)])
    assert np.array_equal(several.predict(X), several.predict_proba(X) > 0.5)


def test_ensemble_of_runs_has_nothing_to_fit():
    model = gn.Ensemble.from_runs([train(0)])
    with pytest.raises(gn.InputError, match="has no estimator to fit: give it one"):
        model.fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


@pytest.mark.parametrize(
    ("runs", "more", "error", "words"),
    [
        (list, {}, gn.InputError, "runs is empty"),
        (lambda: train(0), {}, gn.InputTypeError, "runs is a list of training runs, not TrainingRun"),
        (lambda: [train(0), 3], {}, gn.InputTypeError, r"runs\[1\] is a int; expected what gn.train"),
        (
            lambda: [train(0), train(0, "softmax", np.arange(80) % 3)],
            {},
            gn.InputError,
            r"runs\[1\] is of the network 4-5-3 .* expected the same inputs",
        ),
        (lambda: [train(0)], {"classes": [0, 1]}, gn.InputError, "classes are for networks of classes"),
        (
            lambda: [train(0, "softmax", np.arange(80) % 3)],
            {"classes": ["a", "b"]},
            gn.InputError,
            r"classes has shape \(2,\); expected \(3,\)",
        ),
    ],
)
def test_runs_that_do_not_go_together_are_refused(runs, more, error, words):
    with pytest.raises(error, match=words):
        gn.Ensemble.from_runs(runs(), **more)


def test_run_that_diverged_is_refused():
    with pytest.warns(gn.DivergenceWarning):
        run = train(0, optimizer=gn.SGD(1e9))
    with pytest.raises(gn.InputError, match=r"runs\[1\] diverged at iteration \d+; its predictions"):
        gn.Ensemble.from_runs([train(0), run])


def test_runs_of_a_standardized_table_say_so():
    net = gn.Network((4, 5, 1), output="identity")
    run = gn.train(net, X, y, random_state=0, iterations=5)
    made = type(run)(**{**vars(run), "extra": {"preprocessing": {"mean": [1.0] * 4, "scale": [1.0] * 4}}})
    with pytest.warns(gn.PreprocessingWarning, match="standardized columns"):
        gn.Ensemble.from_runs([made])


def test_runs_that_scale_by_themselves_are_averaged_in_the_unit_of_y(tmp_path):
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    Z, z = X * [1, 10, 100, 1000] + 500, 1e6 * y
    runs = [gn.train(net, Z, z, standardize=True, random_state=seed) for seed in range(2)]
    ensemble = gn.Ensemble.from_runs(runs)
    np.testing.assert_allclose(ensemble.predict(Z), np.mean([run.predict(Z) for run in runs], axis=0))
    ensemble.save(tmp_path / "ensemble")
    assert np.array_equal(gn.Ensemble.load(tmp_path / "ensemble").predict(Z), ensemble.predict(Z))
    labels = np.where(y > y.mean(), "up", "down")
    run = gn.train(gn.Network((4, 2)), Z, labels, standardize=True, random_state=0)
    assert np.array_equal(gn.Ensemble.from_runs([run]).predict(Z), run.predict(Z))


# ---- Sweeps -------------------------------------------------------------------------------------


def search(**settings):
    net = gn.Network((4, 5, 1), output="identity")
    told = {"grid": {"learning_rate": [0.001, 0.1, 0.01]}, "iterations": 20, **settings}
    return gn.sweep(net, X, y, random_state=0, **told)


def test_best_settings_of_a_sweep_are_averaged_with_all_their_seeds():
    result = search(seeds=2)
    model = gn.Ensemble.from_sweep(result, 2)
    best = [row["setting"] for row in result.summary[:2]]
    assert best == [1, 2]
    runs = [cell.run for setting in best for cell in result.cells if cell.setting == setting]
    assert len(runs) == len(model.estimators_) == 4
    assert np.array_equal(model.predict(X), gn.Ensemble.from_runs(runs).predict(X))


def test_best_settings_are_averaged_fold_by_fold():
    result = search(folds=gn.WalkForward(2))
    for fold in (0, 1, -1):
        model = gn.Ensemble.from_sweep(result, 1, fold=fold)
        (run,) = [cell.run for cell in result.cells if (cell.setting, cell.fold) == (1, fold % 2)]
        assert np.array_equal(model.predict(X), run.predict(X).ravel())


@pytest.mark.parametrize(
    ("more", "asked", "error", "words"),
    [
        ({}, {"n_best": 4}, gn.InputError, "n_best is 4; the sweep has 3 settings"),
        ({}, {"n_best": 0}, gn.InputError, "n_best is 0; the sweep has 3 settings"),
        ({}, {"fold": 0}, gn.InputError, "fold is 0, and the sweep has no folds"),
        ({"folds": 2}, {}, gn.InputError, "fold is None, and the sweep has folds 0 to 1; fold=-1 takes"),
        (
            {"halving": {"factor": 3, "first": 1}, "iterations": 9},
            {},
            gn.InputError,
            "halving trained 1 settings",
        ),
        (
            {"grid": {"learning_rate": [0.01, 1e9, 0.1]}, "iterations": 9},
            {},
            gn.InputError,
            r"n_best is 3, and of 1 of 3 settings a network diverged.* Lower n_best",
        ),
        ({"folds": 2}, {"fold": 2}, gn.InputError, "fold is 2; the sweep has folds 0 to 1"),
        ({"folds": 2}, {"fold": "last"}, gn.InputTypeError, "fold is a whole number, not 'last'"),
    ],
)
def test_what_a_sweep_does_not_have_is_refused(more, asked, error, words):
    with pytest.raises(error, match=words):
        gn.Ensemble.from_sweep(search(**{"iterations": 1, **more}), **asked)
    with pytest.raises(gn.InputTypeError, match=r"result is what gn\.sweep returned, not list"):
        gn.Ensemble.from_sweep([])


# ---- Files and copies ---------------------------------------------------------------------------

FITTED = {
    "values": lambda: gn.Ensemble(REGRESSOR, 3, random_state=0).fit(X, y),
    "classes": lambda: gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(X, classes),
    "two classes": lambda: gn.Ensemble(CLASSIFIER, 3, random_state=0).fit(X, classes == "ham"),
    "labels": lambda: gn.Ensemble(CLASSIFIER, 2, random_state=0).fit(X, np.stack([y > 0, y < 1], axis=1)),
    "runs": lambda: gn.Ensemble.from_runs([train(seed) for seed in range(3)]),
    "losses": lambda: gn.Ensemble(REGRESSOR.set_params(loss=gn.losses.quantile(0.9)), 2).fit(X, y),
}


@pytest.fixture(params=FITTED.values(), ids=FITTED)
def fitted(request):
    yield request.param()
    REGRESSOR.set_params(loss="squared_error")


def asked(model):
    classes = getattr(model, "classes_", None)
    return (
        model.predict(X),
        *(model.predict(X, return_std=True) if classes is None else model.predict_proba(X, True)),
        *([] if classes is None else [classes]),
    )


def test_pickles_and_files_predict_the_same_bits(fitted, tmp_path):
    fitted.save(tmp_path / "ensemble.safetensors")
    for other in (
        pickle.loads(pickle.dumps(fitted)),
        gn.Ensemble.load(tmp_path / "ensemble.safetensors"),
    ):
        for one, two in zip(asked(fitted), asked(other), strict=True):
            assert one.dtype == two.dtype
            assert np.array_equal(one, two)
    gn.Ensemble.load(tmp_path / "ensemble.safetensors").save(tmp_path / "again.safetensors")
    assert (tmp_path / "ensemble.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_what_a_file_cannot_hold_is_said(tmp_path):
    own = gn.Activation("mine", np.tanh, lambda z, h: 1 - h**2, "tanh z", "1 - h^2")
    gappy = clone(REGRESSOR).set_params(missing="mean")
    columns = np.stack([classes == "ham", np.searchsorted(LABELS, classes)], axis=1).astype(int)
    for model, words in (
        (gn.Ensemble(make_pipeline(StandardScaler(), REGRESSOR), 2).fit(X, y), "Pipeline is more than one"),
        (gn.Ensemble(gappy, 2).fit(X, y), "Missing values are filled in"),
        (gn.Ensemble(CLASSIFIER, 2).fit(X, columns), "several columns"),
        (gn.Ensemble(clone(REGRESSOR).set_params(activation=own), 2).fit(X, y), r"your own \(mine\)"),
    ):
        with pytest.raises(gn.InputError, match=words):
            model.save(tmp_path / "ensemble.safetensors")
    assert not list(tmp_path.iterdir())


def test_files_of_another_kind_are_refused(tmp_path):
    gn.save(train(0), tmp_path / "run.safetensors")
    with pytest.raises(gn.FileError, match=r"is not an ensemble; Ensemble\.load reads"):
        gn.Ensemble.load(tmp_path / "run.safetensors")
    gn.Ensemble.from_runs([train(0)]).save(tmp_path / "ensemble.safetensors")
    with pytest.raises(gn.FileError, match="is not a training run"):
        gn.load(tmp_path / "ensemble.safetensors")
    with pytest.raises(gn.FileError):
        gn.Ensemble.load(tmp_path / "missing.safetensors")


# ---- Errors and Ctrl-C --------------------------------------------------------------------------


def test_errors_name_what_is_wrong_and_leave_the_ensemble_as_it_was():
    model = gn.Ensemble(REGRESSOR, 2, random_state=0).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    assert np.array_equal(model.predict(X), before)
    with pytest.raises(gn.InputError, match="LinearSVC predicts no probabilities"):
        gn.Ensemble(LinearSVC()).fit(X, classes)
    with pytest.raises(ValueError, match="'n_estimators' parameter of Ensemble must be an int"):
        gn.Ensemble(REGRESSOR, 0).fit(X, y)
    with pytest.raises(gn.InputError, match=r"predict_proba\(X, return_std=True\)"):
        gn.Ensemble(CLASSIFIER, 2).fit(X, classes).predict(X, return_std=True)


class Slow(RegressorMixin, BaseEstimator):
    """Ends at once, but for the last, which ends when Ctrl-C was pressed."""

    begun = None

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        with Slow.lock:
            Slow.begun += 1
            number = Slow.begun
        self.mean_ = y.mean()
        if number == Slow.last:
            (block,) = interrupts._open
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # the system may choose any thread
            while not block.stop[0]:  # the main thread hears it, on a busy machine late
                time.sleep(0.001)
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


@pytest.fixture
def slow():
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    Slow.begun, Slow.lock = 0, threading.Lock()
    yield Slow()
    signal.signal(signal.SIGINT, previous)


def test_ctrl_c_keeps_the_members_that_were_finished(slow):
    Slow.last = 3
    with pytest.warns(gn.InterruptedTrainingWarning, match="2 of 9 members are finished"):
        model = gn.Ensemble(slow, 9, n_threads=1).fit(X, y)
    assert len(model.estimators_) == 2
    assert model.predict(X) == pytest.approx(np.full(80, y.mean()))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_any_member_is_finished_raises(slow):
    Slow.last = 1
    model = gn.Ensemble(slow, 9, n_threads=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "estimators_")


@pytest.mark.filterwarnings("ignore:Training interrupted by user")
def test_ctrl_c_ends_networks_at_work(slow):
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    model = gn.Ensemble(gn.MLPRegressor(max_iter=10**7, tol=0, n_iter_no_change=10**7), 2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    timer.join()


def test_ensemble_is_shown_in_a_notebook_without_warnings():
    assert "Ensemble" in gn.Ensemble(gn.MLPClassifier())._repr_html_()


def test_ensemble_of_trained_networks_shows_them_and_gn_load_names_its_own_load(tmp_path):
    X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]
    net = gn.Network((1, 1), output="identity")
    result = gn.sweep(net, X, y, grid={"learning_rate": [0.01, 0.1]}, iterations=3, random_state=0)
    ensemble = gn.Ensemble.from_sweep(result, 2)
    assert repr(ensemble) == f"<Ensemble of 2 trained networks, the first {net}>"
    ensemble.save(tmp_path / "e.safetensors")
    with pytest.raises(gn.FileError, match=r"gn\.Ensemble\.load"):
        gn.load(tmp_path / "e.safetensors")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
def test_streams_are_fitted_and_scored_as_in_memory(kind, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.RandomState(0)
    X, w = random.randn(300, 2), random.uniform(0.5, 2, 300)
    ys = {"classes": X[:, 0] > 0, "labels": X > 0, "values": X[:, 0]}
    y = ys[kind].astype(float if kind == "values" else int)
    member = gn.MLPRegressor if kind == "values" else gn.MLPClassifier
    model = gn.Ensemble(member(hidden_layer_sizes=(3,), max_iter=3), 2, random_state=0)
    expected = clone(model).fit(X, y)
    rows = gn.stream(X, y, sample_weight=w)
    unweighted = gn.stream(X, y)
    assert np.array_equal(model.fit(unweighted).predict(gn.stream(X)), expected.predict(X))
    assert model.score(unweighted) == expected.score(X, y)
    assert model.score(rows) == expected.score(X, y, w)
    if kind == "classes":
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "y": y}), path)
        assert model.fit(path, "y").score(path, "y") == expected.score(X, y)
        with pytest.raises(gn.InputError, match="y is missing"):
            model.fit(path)
        with pytest.raises(ValueError, match="requires y to be passed"):
            model.fit(X)


def test_members_of_a_sweep_scale_by_themselves():
    Z = X * [1, 10, 100, 1000] + 500
    net = gn.Network((4, 5, 1), hidden="tanh", output="identity")
    result = gn.sweep(
        net, Z, y, settings=[{}], seeds=2, folds=3, standardize=True, random_state=0, iterations=300
    )
    plain = gn.Ensemble.from_sweep(result, 1, fold=0)
    assert plain.score(Z, y) > 0.5
    assert np.array_equal(plain.estimators_[0].predict(Z), result.runs[0].predict(Z))


def test_ensembles_of_estimators_and_of_runs_go_through_skops_and_pickle():
    X = np.random.RandomState(0).randn(40, 3)
    y = X[:, 0] * 1e5
    net = gn.Network((3, 4, 1), output="identity")
    runs = [gn.train(net, X, y, iterations=3, standardize=True, random_state=seed) for seed in range(2)]
    fits = gn.Ensemble(gn.MLPRegressor(hidden_layer_sizes=3, max_iter=3), 2).fit(X, y)
    for model in (gn.Ensemble.from_runs(runs), fits):
        data = skops.dumps(model)
        trusted = skops.get_untrusted_types(data=data)
        assert all(name.startswith("glassnet.") for name in trusted)
        for again in (skops.loads(data, trusted=trusted), pickle.loads(pickle.dumps(model))):
            assert np.array_equal(again.predict(X), model.predict(X))
