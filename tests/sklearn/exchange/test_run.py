"""The run of a fitted estimator: what `gn.save`, pictures and ensembles take."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import glassnet as gn

X = np.random.RandomState(0).randn(60, 3)
VALUE = X[:, 0] + X[:, 1] ** 2
TARGETS = {
    "text": np.where(VALUE > 1, "up", "down"),
    "several": np.array(["a", "b", "c"])[np.digitize(VALUE, [0, 1])],
    "numbers": np.where(VALUE > 1, 7, -3),
    "floats": np.where(VALUE > 1, 2.0, -1.0),
    "class numbers": np.digitize(VALUE, [0, 1]),
    "truth": VALUE > 1,
    "multilabel": np.c_[VALUE > 1, X[:, 2] > 0].astype(int),
    "value": VALUE,
    "values": np.c_[VALUE, -X],
}


def fit(y, **settings):
    kind = gn.MLPRegressor if y is TARGETS["value"] or y is TARGETS["values"] else gn.MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(hidden_layer_sizes=5, **{"max_iter": 40, "random_state": 0, **settings}).fit(X, y)


@pytest.mark.parametrize("kind", TARGETS)
def test_saved_estimator_predicts_alike(tmp_path, kind):
    model = fit(TARGETS[kind])
    gn.save(model, tmp_path / "model")
    run = gn.load(tmp_path / "model")
    expected = model.predict(X)
    assert np.array_equal(run.predict(X), expected)
    assert run.predict(X).dtype.kind == {"U": "O"}.get(expected.dtype.kind, expected.dtype.kind)
    if kind not in ("multilabel", "values"):
        assert run.score(X, TARGETS[kind]) == pytest.approx(model.score(X, TARGETS[kind]))
    assert run.losses[-1] == model.loss_curve_[-1]
    assert model.to_run().predict(X).shape == expected.shape


def test_run_names_the_optimizer_in_place_of_the_solver():
    assert fit(TARGETS["value"], optimizer=gn.AdamW(1e-3)).to_run().optimizer == gn.AdamW(1e-3)


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "sgd", gn.NewtonCG()], ids=str)
def test_run_names_the_solver(tmp_path, solver):
    model = fit(TARGETS["value"], solver=solver)
    gn.save(model, tmp_path / "model")
    run = gn.load(tmp_path / "model")
    assert np.array_equal(run.predict(X), model.predict(X))
    assert run.optimizer == model.to_run().optimizer


@pytest.mark.parametrize(("settings", "rows"), [({"solver": "lbfgs"}, 60), ({"batch_size": 20}, 20)])
def test_run_counts_the_penalties_as_the_fit_did(settings, rows):
    model = fit(TARGETS["value"], alpha=0.3, l1=0.1, **settings)
    run = model.to_run()
    assert (run.penalties.l1, run.penalties.l2) == pytest.approx((0.1 / rows, 0.3 / rows))
    if "solver" in settings:
        loss, _ = gn.loss_and_gradient(run.network, run.parameters, X, TARGETS["value"])
        weights = np.concatenate([W.ravel() for W in model.coefs_])
        added = run.penalties.l1 * np.abs(weights).sum() + run.penalties.l2 / 2 * (weights**2).sum()
        assert model.loss_ == pytest.approx(loss + added, rel=1e-9)


@pytest.mark.parametrize("how", [{"solver": "lbfgs"}, {"batch_size": 60}], ids=str)
def test_run_counts_the_penalties_by_the_samples_weights(how):
    w = np.where(VALUE > 1, 3.0, 1.0)
    expected = 0.1 / w.sum(), 0.3 / w.sum()
    for samples in ((X, VALUE, w), (gn.stream(X, VALUE, sample_weight=w),)):
        model = gn.MLPRegressor(hidden_layer_sizes=5, alpha=0.3, l1=0.1, random_state=0, max_iter=5, **how)
        with pytest.warns(ConvergenceWarning):
            run = model.fit(*samples).to_run()
        assert (run.penalties.l1, run.penalties.l2) == pytest.approx(expected)


@pytest.mark.parametrize("class_weight", [None, {0: 10, 1: 1}])
def test_run_counts_the_penalties_by_the_weights_of_all_rows(class_weight):
    random = np.random.RandomState(0)
    rows, w = random.randn(3000, 3), random.pareto(1.2, 3000) + 0.1
    labels = (rows[:, 0] > 1).astype(int)
    counted = w if class_weight is None else w * np.where(labels == 0, 10, 1)
    for samples in ((rows, labels, w), (gn.stream(rows, labels, sample_weight=w),)):
        model = gn.MLPClassifier(5, alpha=0.3, class_weight=class_weight, max_iter=2)
        with pytest.warns(ConvergenceWarning):
            run = model.fit(*samples).to_run()
        assert run.penalties.l2 == pytest.approx(0.3 / (200 * counted.mean()), rel=1e-12)


def test_run_of_bayesian_regularization_has_the_penalty_that_was_chosen():
    model = fit(TARGETS["value"], solver=gn.BayesianRegularization())
    assert model.to_run().penalties.l2 > 0


def test_run_knows_how_the_rows_of_a_stream_were_standardized():
    rows = gn.stream(X, TARGETS["text"], standardize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        run = gn.MLPClassifier(5, max_iter=5).fit(rows).to_run()
    with pytest.warns(gn.PreprocessingWarning, match="standardized columns"):
        run.predict(X)


def test_labels_that_training_never_saw_are_named():
    run = fit(TARGETS["numbers"]).to_run()
    with pytest.raises(gn.InputError, match=r"y has .*5.*; the run knows the classes -3, 7"):
        run.score(X[:2], [7, 5])


def test_what_a_run_cannot_hold_is_refused(tmp_path):
    holes = X.copy()
    holes[0, 0] = np.nan
    model = gn.MLPRegressor(hidden_layer_sizes=5, missing="mean", max_iter=5)
    with pytest.warns(ConvergenceWarning):
        model.fit(holes, VALUE)
    columns = np.c_[TARGETS["several"], TARGETS["text"]]
    for refused, words in ((model, "Missing values"), (fit(columns), "several columns of classes")):
        with pytest.raises(gn.InputError, match=words):
            gn.save(refused, tmp_path / "model")
    with pytest.raises(gn.InputTypeError, match="MLPClassifier or MLPRegressor, or a Tape, not dict"):
        gn.save({}, tmp_path / "model")
