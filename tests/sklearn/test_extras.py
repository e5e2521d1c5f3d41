"""What scikit-learn's two classes lack."""

import pickle

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.preprocessing import scale
from sklearn.utils import compute_sample_weight

import glassnet as gn
from glassnet.sklearn import policy
from glassnet.sklearn.labels import grouped_cross_entropy
from glassnet.sklearn.network import link_jacobian

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y3 = load_iris(return_X_y=True)
X = scale(X)
TARGET = X[:, 0] - 2 * X[:, 1] * X[:, 2]
HELD = np.arange(150) % 3 == 0
PART = (X[~HELD], Y3[~HELD])
KEPT = (X[HELD], Y3[HELD])


def small(kind=gn.MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (6,), "max_iter": 12, "random_state": 0, **arguments})


# ---- What is trained ------------------------------------------------------------------------------


def test_class_weights_are_sample_weights():
    for given, each in (("balanced", 50 / np.bincount(Y3[:100])), ({0: 2.0, 1: 0.5}, [2.0, 0.5])):
        weighted = small(class_weight=given).fit(X[:100], Y3[:100])
        by_hand = small().fit(X[:100], Y3[:100], sample_weight=np.array(each)[Y3[:100]])
        np.testing.assert_allclose(weighted.coefs_[0], by_hand.coefs_[0], rtol=1e-12)


def test_balanced_counts_samples_by_their_weights():
    w = np.where(Y3 == 0, 2.0, 1.0)
    twice = np.concatenate([np.flatnonzero(Y3 == 0), np.arange(150)])
    one = small(class_weight="balanced", solver="lbfgs").fit(X, Y3, sample_weight=w)
    other = small(class_weight="balanced", solver="lbfgs").fit(X[twice], Y3[twice])
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-6)


def test_class_weights_of_partial_fits_may_name_classes_that_a_part_lacks():
    weights = {0: 1.0, 1: 3.0, 2: 0.5}
    model, same = small(class_weight=weights), small()
    for part in (slice(0, 60), slice(60, 150)):  # the first lacks class 2, the second class 0
        model.partial_fit(X[part], Y3[part], classes=[0, 1, 2])
        w = np.array(list(weights.values()))[Y3[part]]
        same.partial_fit(X[part], Y3[part], w, classes=[0, 1, 2])
    np.testing.assert_allclose(model.coefs_[0], same.coefs_[0], rtol=1e-12)
    with pytest.raises(gn.InputError, match="'balanced' is not supported for partial_fit"):
        small(class_weight="balanced").partial_fit(X, Y3, classes=[0, 1, 2])


def test_class_weights_of_several_columns_multiply():
    pair = np.column_stack([Y3 > 0, Y3 > 1]).astype(int)
    several = np.column_stack([Y3, (Y3 + np.arange(150)) % 3])
    of_each = {2: [{0: 2.0}, {1: 3.0}], 3: [{0: 2.0, 1: 1.0, 2: 1.0}] * 2}
    for y in (pair, several):
        for given in ("balanced", of_each[len(np.unique(y))]):
            own = compute_sample_weight(given, y)
            weighted, by_hand = small(class_weight=given).fit(X, y), small().fit(X, y, own)
            np.testing.assert_allclose(weighted.coefs_[0], by_hand.coefs_[0], rtol=1e-12)
    with pytest.raises(gn.InputError, match="y has 2 columns, for which it is 'balanced' or a list of 2"):
        small(class_weight={0: 2.0}).fit(X, pair)


def test_class_weights_that_make_no_sense_are_refused():
    for given, words in (
        ({0: -1.0}, "has -1.0 for 0"),
        ({0: np.nan}, "has nan"),
        ({"a": 2.0}, "not in class_weight"),
    ):
        with pytest.raises(ValueError, match=words):
            small(class_weight=given).fit(X, Y3)


def test_each_layer_may_have_a_function_of_its_own():
    model = small(hidden_layer_sizes=(5, 4), activation=["gelu", gn.ACTIVATIONS["tanh"]]).fit(X, Y3)
    network = gn.Network((4, 5, 4, 3), hidden=["gelu", "tanh"])
    layers = network.forward(pack(model), X)
    np.testing.assert_allclose(model.predict_proba(X), layers[-1], rtol=1e-12)
    for found, expected in zip(model.hidden_activations(X), layers[:-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(gn.InputError, match="activation has 1 entries, hidden_layer_sizes 2"):
        small(hidden_layer_sizes=(5, 4), activation=["gelu"]).fit(X, Y3)


def pack(model):
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    flat = np.concatenate([part.ravel() for pair in pairs for part in pair])
    return gn.Parameters((4, *(W.shape[1] for W in model.coefs_)), flat)


def test_optimizer_and_penalties_are_those_of_train():
    told = {"optimizer": gn.AdamW(gn.Step(0.02, every=5), weight_decay=0.1), "l1": 0.3, "alpha": 0.7}
    model = small(**told, batch_size=50, tol=0.0).fit(X, Y3)
    network, random = gn.Network((4, 6, 3), hidden="relu"), np.random.RandomState(0)
    theta = network.initialize(random, "sklearn")
    how = {"optimizer": told["optimizer"], "iterations": 12, "batch_size": 50, "parameters": theta}
    run = gn.train(network, X, Y3, **how, l1=0.3 / 50, l2=0.7 / 50, random_state=random)
    np.testing.assert_allclose(pack(model).flat, run.parameters.flat, rtol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, run.losses, rtol=1e-10)


def test_dropout_is_that_of_train():
    model = small(dropout=0.4, batch_size=50, alpha=0.0, tol=0.0).fit(X, Y3)
    network, random = gn.Network((4, 6, 3), hidden="relu"), np.random.RandomState(0)
    theta = network.initialize(random, "sklearn")
    adam = gn.Adam(0.001, epsilon_hat=True)
    how = {"optimizer": adam, "iterations": 12, "batch_size": 50, "parameters": theta, "dropout": 0.4}
    run = gn.train(network, X, Y3, **how, random_state=random)
    np.testing.assert_allclose(pack(model).flat, run.parameters.flat, rtol=1e-12)
    with pytest.raises(gn.InputError, match="dropout is for solvers that take batches"):
        small(dropout=0.4, solver="lbfgs").fit(X, Y3)


@pytest.mark.parametrize("name", gn.OPTIMIZERS)
def test_optimizer_may_be_named_and_takes_the_estimators_rate(name):
    rate = gn.Cosine(0.02, steps=50)
    for told, given in (({"learning_rate": rate}, rate), ({"learning_rate_init": 0.02}, 0.02)):
        named = small(optimizer=name, **told).fit(X, Y3)
        same = small(optimizer=gn.OPTIMIZERS[name](given)).fit(X, Y3)
        assert np.array_equal(named.coefs_[0], same.coefs_[0])


def test_what_is_near_an_optimizer_is_refused_with_what_to_write():
    for given, words in (
        (gn.AdamW, r"optimizer is the class AdamW: make an instance, as in gn.AdamW\(0.01\)"),
        (gn.LevenbergMarquardt(), "is a solver, which gn.train takes"),
    ):
        with pytest.raises(gn.InputTypeError, match=words):
            small(optimizer=given).fit(X, Y3)
    with pytest.raises(ValueError, match=r"must be a str among .*'adamw'"):
        small(optimizer="adamwww").fit(X, Y3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedule_takes_the_place_of_the_rate(solver):
    constant = small(solver=solver, learning_rate_init=0.03).fit(X, Y3)
    scheduled = small(solver=solver, learning_rate=gn.Constant(0.03)).fit(X, Y3)
    assert np.array_equal(constant.coefs_[0], scheduled.coefs_[0])
    falling = small(solver=solver, learning_rate=gn.Exponential(0.03, factor=0.9)).fit(X, Y3)
    assert not np.array_equal(constant.coefs_[0], falling.coefs_[0])


def test_schedule_that_listens_to_losses_may_end_training():
    rule = gn.Adaptive(0.5, tolerance=10.0, patience=1, divisor=1e3)
    model = small(learning_rate=rule, solver="sgd", max_iter=100).fit(X, Y3)
    assert model.n_iter_ < 10


def test_partial_fits_follow_a_schedule():
    told = {"learning_rate": gn.Step(0.05, every=3), "batch_size": 150, "shuffle": False, "tol": 0.0}
    whole, parts = small(**told).fit(X, Y3), small(**told)
    for _ in range(12):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, Y3, classes=[0, 1, 2])))
    np.testing.assert_allclose(parts.coefs_[0], whole.coefs_[0], rtol=1e-12)


@pytest.mark.parametrize(
    "loss",
    ["absolute_error", "huber", "quantile", gn.losses.quantile(0.9), gn.losses.huber(0.5), "poisson"],
)
def test_regressor_takes_every_loss(loss):
    y = np.exp(TARGET / 4)
    model = small(gn.MLPRegressor, loss=loss, max_iter=300, learning_rate_init=0.02).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    record = gn.LOSSES[loss] if isinstance(loss, str) else loss
    assert model.out_activation_ == record.output
    if loss == gn.losses.quantile(0.9):
        assert 0.8 < np.mean(y <= model.predict(X)) < 1


def test_classifier_takes_a_smoothed_loss():
    smooth = small(loss=gn.losses.cross_entropy(label_smoothing=0.3), max_iter=400).fit(X, Y3)
    assert smooth.predict_proba(X).max() < small(max_iter=400).fit(X, Y3).predict_proba(X).max()


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_two_classes_have_a_softmax_where_the_loss_is_written_for_one(fit):
    model = small(loss=gn.losses.cross_entropy(label_smoothing=0.1))
    told = {"classes": ["no", "yes"]} if fit == "partial_fit" else {}
    getattr(model, fit)(X, np.array(["no", "yes"])[(Y3 > 0).astype(int)], **told)
    assert (model.n_outputs_, model.out_activation_) == (2, "softmax")
    assert set(model.predict(X)) <= {"no", "yes"}
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_loss_written_for_another_output_is_refused():
    smooth, pair = gn.losses.cross_entropy(label_smoothing=0.1), np.column_stack([Y3 > 0, Y3 > 1])
    for kind, loss, y, words in (
        (gn.MLPClassifier, gn.LOSSES["huber"], Y3, "loss='huber' is for numbers; a classifier takes"),
        (gn.MLPClassifier, smooth, pair.astype(int), "cannot be used where y holds several columns"),
        (
            gn.MLPClassifier,
            smooth,
            np.column_stack([Y3, Y3]),
            "cannot be used where y holds several columns",
        ),
        (gn.MLPClassifier, gn.LOSSES["binary_cross_entropy"], Y3, "where y holds one of several classes"),
        (gn.MLPRegressor, smooth, TARGET, "loss='cross_entropy' is for classes; a regressor takes one of"),
    ):
        with pytest.raises(gn.InputError, match=words):
            small(kind, loss=loss).fit(X, y)


def square(z):
    return z * z


def double(z, h):
    return 2 * z


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_function_of_ones_own_runs_on_the_numpy_engine(solver):
    own = gn.Activation("square", square, double, formula="z^2", derivative_formula="2 z")
    told = {"max_iter": 60, "early_stopping": True, "learning_rate_init": 0.02}
    model = small(activation=own, solver=solver, **told).fit(X, Y3)
    assert model.score(X, Y3) > 0.5
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_dtype_is_the_precision_of_training():
    model = small(dtype="float32").fit(X, Y3)
    assert model.coefs_[0].dtype == np.float32
    same = small().fit(X.astype(np.float32), Y3)
    assert np.array_equal(model.coefs_[0], same.coefs_[0])
    assert small(dtype=np.float64).fit(X.astype(np.float32), Y3).coefs_[0].dtype == np.float64


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


# ---- Several columns of classes -------------------------------------------------------------------


def test_several_columns_of_classes_have_a_softmax_each():
    words = np.array(["low", "middle", "high"])[np.digitize(X[:, 1], [-0.5, 0.5])]
    Y = np.column_stack([Y3.astype(str), words])
    model = small(max_iter=300, learning_rate_init=0.03).fit(X, Y)
    P = model.predict_proba(X)
    assert [p.shape for p in P] == [(150, 3), (150, 3)]
    for k, part in enumerate(P):
        np.testing.assert_allclose(part.sum(axis=1), 1.0)
        assert np.array_equal(model.predict(X)[:, k], model.classes_[k][part.argmax(axis=1)])
    assert model.out_activation_ == "softmax"
    assert model.score(X, Y) == (model.predict(X) == Y).all(axis=1).mean() > 0.8
    for log, part in zip(model.predict_log_proba(X), P, strict=True):
        np.testing.assert_allclose(log, np.log(part))
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))


def test_one_column_as_several_is_the_ordinary_softmax():
    network = gn.Network((4, 3), output="identity", loss=grouped_cross_entropy([3]))
    theta, rows = network.initialize(0), np.eye(3)[Y3]
    loss, gradient = gn.loss_and_gradient(network, theta, X, rows)
    expected, same = gn.loss_and_gradient(gn.Network((4, 3)), theta, X, Y3)
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient.flat, same.flat, rtol=1e-10, atol=1e-15)


def test_gradient_of_several_softmaxes_passes_the_checker():
    network = gn.Network((4, 5, 5), output="identity", loss=grouped_cross_entropy([2, 3]))
    rows = np.hstack([np.eye(2)[Y3 % 2], np.eye(3)[Y3]])
    assert gn.check_gradients(network, network.initialize(1), X, rows).passed


# ---- Validation -----------------------------------------------------------------------------------


def test_validation_data_give_losses_and_scores_of_each_epoch():
    model = small(scoring=["f1_macro", "accuracy"]).fit(*PART, validation_data=KEPT)
    history = model.history_
    assert set(history) == {"loss", "validation_loss", "validation_f1_macro", "validation_accuracy"}
    assert history["loss"] == model.loss_curve_
    assert {len(values) for values in history.values()} == {12}
    P = model.predict_proba(KEPT[0])
    expected = -np.log(P[np.arange(len(P)), KEPT[1]]).mean()
    assert history["validation_loss"][-1] == pytest.approx(expected, rel=1e-10)
    assert history["validation_accuracy"][-1] == accuracy_score(KEPT[1], model.predict(KEPT[0]))
    assert history["validation_f1_macro"][-1] == f1_score(KEPT[1], model.predict(KEPT[0]), average="macro")


def test_validation_data_change_nothing_of_the_training():
    plain, watched = small().fit(*PART), small().fit(*PART, validation_data=KEPT)
    assert np.array_equal(plain.coefs_[0], watched.coefs_[0])


def test_lbfgs_has_a_history_too():
    model = small(solver="lbfgs").fit(*PART, validation_data=KEPT)
    assert len(model.history_["loss"]) == len(model.history_["validation_loss"]) == model.n_iter_
    assert model.history_["loss"][-1] == pytest.approx(model.loss_)


def test_early_stopping_watches_validation_data_and_holds_out_nothing():
    model = small(early_stopping=True, max_iter=200, learning_rate_init=0.05).fit(
        *PART, validation_data=KEPT
    )
    assert model.t_ == model.n_iter_ * len(PART[0])
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)


def test_early_stopping_watches_the_first_scorer():
    told = {"early_stopping": True, "scoring": "neg_log_loss"}
    model = small(**told).fit(*PART, validation_data=KEPT)
    assert model.validation_scores_ == model.history_["validation_neg_log_loss"]
    split = small(**told).fit(X, Y3)
    assert len(split.history_["validation_neg_log_loss"]) == split.n_iter_


def test_validation_data_of_a_regressor_may_be_weighted():
    w = np.linspace(0.1, 2, 50)
    kept = (X[HELD], TARGET[HELD], w)
    model = small(gn.MLPRegressor).fit(X[~HELD], TARGET[~HELD], validation_data=kept)
    error = (model.predict(X[HELD]) - TARGET[HELD]) ** 2 / 2
    assert model.history_["validation_loss"][-1] == pytest.approx(np.average(error, weights=w), rel=1e-10)


def test_best_parameters_are_restored_where_asked_for():
    told = {"learning_rate_init": 0.3, "max_iter": 30, "tol": 0.0, "n_iter_no_change": 30}
    model = small(restore_best=True, **told).fit(*PART, validation_data=KEPT)
    P = model.predict_proba(KEPT[0])
    loss = -np.log(P[np.arange(len(P)), KEPT[1]]).mean()
    assert loss == pytest.approx(min(model.history_["validation_loss"]), rel=1e-9)
    assert np.argmin(model.history_["validation_loss"]) < 29


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_lists_of_the_history_stay_in_step_where_validation_data_come_only_sometimes(solver):
    model = small(solver=solver, warm_start=True, max_iter=3).fit(*PART)
    model.fit(*PART, validation_data=KEPT).fit(*PART)
    lost = np.isnan(model.history_["validation_loss"])
    assert set(model.history_) == {"loss", "validation_loss"}
    assert lost.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert np.isfinite(model.history_["loss"]).all()
    model.set_params(warm_start=False).fit(*PART)
    assert {name: len(values) for name, values in model.history_.items()} == {"loss": 3}


def test_lists_of_the_history_stay_in_step_over_partial_fits():
    model = small()
    for validation_data in (None, KEPT, None):
        model.partial_fit(*PART, classes=[0, 1, 2], validation_data=validation_data)
    assert np.isnan(model.history_["validation_loss"]).tolist() == [True, False, True]


def test_best_is_not_judged_by_a_training_loss_beside_validation_losses():
    told = {"restore_best": True, "warm_start": True, "learning_rate_init": 0.05, "max_iter": 20}
    model = small(**told).fit(*PART)
    model.fit(*PART, validation_data=KEPT)
    best = model.history_["validation_loss"]
    P = model.predict_proba(KEPT[0])
    assert -np.log(P[np.arange(50), KEPT[1]]).mean() == pytest.approx(np.nanmin(best), rel=1e-9)
    kept = model.coefs_[0].copy()
    model.fit(*PART)  # has lower training losses than any validation loss
    assert np.array_equal(model.coefs_[0], kept)


NOISY = Y3.copy()
NOISY[::7] = (NOISY[::7] + 1) % 3  # what lbfgs learns by heart


def test_lbfgs_restores_the_best_parameters_too():
    model = small(solver="lbfgs", hidden_layer_sizes=(40,), restore_best=True, max_iter=80)
    model.fit(X[~HELD], NOISY[~HELD], validation_data=KEPT)
    losses = model.history_["validation_loss"]
    P = model.predict_proba(KEPT[0])
    assert -np.log(P[np.arange(50), KEPT[1]]).mean() == pytest.approx(min(losses), rel=1e-9)
    assert np.argmin(losses) < len(losses) - 1


def test_lbfgs_stops_early_where_it_is_given_validation_data_to_watch():
    told = {"solver": "lbfgs", "hidden_layer_sizes": (40,), "early_stopping": True, "max_iter": 200}
    model = small(**told, n_iter_no_change=4).fit(X[~HELD], NOISY[~HELD], validation_data=KEPT)
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == model.n_iter_
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)
    assert model._no_improvement_count == 5
    # Its own part it does not hold out, as scikit-learn's does not.
    alone = small(**{**told, "max_iter": 9}).fit(*PART)
    assert np.array_equal(
        alone.coefs_[0], small(solver="lbfgs", hidden_layer_sizes=(40,), max_iter=9).fit(*PART).coefs_[0]
    )
    assert not hasattr(alone, "validation_scores_")


def test_what_lbfgs_or_an_optimizer_would_ignore_is_refused():
    schedule = gn.Cosine(0.01, steps=99)
    for arguments, words in (
        ({"solver": "lbfgs", "learning_rate": schedule}, "lbfgs chooses the length of each step"),
        ({"solver": "lbfgs", "scoring": "accuracy", "early_stopping": True}, "lbfgs holds none out"),
        ({"optimizer": gn.Adam(0.01), "learning_rate": schedule}, "would be ignored"),
        ({"optimizer": "adamw", "learning_rate": "adaptive"}, "is of solver='sgd'"),
    ):
        with pytest.raises(gn.InputError, match=words):
            small(**arguments).fit(X, Y3)


def test_fit_from_the_start_forgets_what_another_solver_has_kept():
    model = small(early_stopping=True).fit(X, Y3).set_params(solver="lbfgs").fit(X, Y3)
    fresh = small(solver="lbfgs", early_stopping=True).fit(X, Y3)
    assert set(vars(model)) == set(vars(fresh))


@pytest.mark.parametrize("given", [X, (X,), "X", 0.2])
def test_validation_data_of_another_form_are_refused(given):
    with pytest.raises(gn.InputError, match=r"validation_data is \(X, y\) or \(X, y, sample_weight\)"):
        small().fit(X, Y3, validation_data=given)


def test_validation_data_are_checked_as_the_training_data_are():
    for bad, words in (
        ((X[:, :2], Y3), "X has 2 features, but MLPClassifier is expecting 4"),
        ((X, Y3[:9]), r"validation_data: .* inconsistent numbers of samples: \[150, 9\]"),
        ((X, Y3 + 5), "classes not in"),
        ((X * np.nan, Y3), "contains NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            small().fit(X, Y3, validation_data=bad)


def test_scoring_without_samples_held_out_is_refused():
    with pytest.raises(gn.InputError, match="scoring is measured on samples held out"):
        small(scoring="accuracy").fit(X, Y3)
    with pytest.raises(gn.InputTypeError, match="scoring holds names or functions"):
        small(scoring=[3]).fit(*PART, validation_data=KEPT)


def test_scorers_have_names_of_their_own():
    scorers = [make_scorer(f1_score, average="macro"), make_scorer(accuracy_score)]
    history = small(scoring=scorers).fit(*PART, validation_data=KEPT).history_
    assert set(history) == {"loss", "validation_loss", "validation_f1_score", "validation_accuracy_score"}
    for given in ([scorers[0]] * 2, [lambda m, X, y: 0.0, lambda m, X, y: 1.0]):
        with pytest.raises(gn.InputError, match="is the name of two of them"):
            small(scoring=given).fit(*PART, validation_data=KEPT)
    with pytest.raises(gn.InputError, match="'loss' is the name of the loss"):
        small(scoring={"loss": "accuracy"}).fit(*PART, validation_data=KEPT)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scorer_that_gives_no_number_leaves_the_last_parameters(solver):
    told = {"early_stopping": True, "scoring": {"share": lambda m, X, y: np.nan}, "solver": solver}
    with pytest.warns(UserWarning, match="scoring gave no number in any epoch"):
        model = small(**told).fit(*PART, validation_data=KEPT)
    plain = small(solver=solver).fit(*PART)
    if solver == "adam":
        assert np.array_equal(model.coefs_[0], plain.coefs_[0])
    assert model.best_validation_score_ == -np.inf


def test_part_that_early_stopping_holds_out_has_a_validation_loss():
    history = small(early_stopping=True).fit(X, Y3).history_
    assert set(history) == {"loss", "validation_loss", "score"}
    assert np.isfinite(history["validation_loss"]).all()


def test_validation_data_with_another_number_of_outputs_are_refused():
    model = small(gn.MLPRegressor)
    with pytest.raises(ValueError, match="validation_data: y has 2 outputs"):
        model.fit(X, TARGET, validation_data=(X, np.column_stack([TARGET, TARGET])))
    assert not hasattr(model, "_n_targets")


def test_early_stopping_ends_partial_fits_at_the_best_parameters():
    model = small(early_stopping=True, n_iter_no_change=3, learning_rate_init=0.05)
    calls = 0
    while not getattr(model, "stopped_", False):
        model.partial_fit(*PART, classes=[0, 1, 2], validation_data=KEPT)
        calls += 1
    assert model.score(*KEPT) == model.best_validation_score_ == max(model.validation_scores_)
    kept = model.coefs_[0].copy()
    model.partial_fit(*PART, validation_data=KEPT)
    assert np.array_equal(model.coefs_[0], kept)
    assert len(model.validation_scores_) == calls
    model.fit(*PART, validation_data=KEPT)
    assert not hasattr(model, "stopped_")
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True without"):
        small(early_stopping=True).partial_fit(X, Y3, classes=[0, 1, 2])


# ---- Callbacks ------------------------------------------------------------------------------------


class Notes:
    """A callback of scikit-learn's protocol that writes down what it is told."""

    def __init__(self, stop_at=None):
        self.calls, self.scores, self.stop_at = [], [], stop_at

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        return self.stop_at is not None and self.calls.count("end iteration") >= self.stop_at


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_are_told_of_the_fit_and_of_each_iteration(solver):
    notes = Notes()
    model = small(solver=solver, max_iter=5).set_callbacks(notes).fit(X, Y3)
    assert notes.calls[:3] == ["setup", "begin fit", "begin iteration"]
    assert notes.calls[-2:] == ["end fit", "teardown"]
    assert notes.calls.count("begin iteration") == notes.calls.count("end iteration") == 5
    assert notes.scores[-1] == model.score(X, Y3)
    same = small(solver=solver, max_iter=5).fit(X, Y3)
    assert np.array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callback_may_stop_training(solver):
    model = small(solver=solver).set_callbacks(Notes(stop_at=3)).fit(X, Y3)
    assert model.n_iter_ == 3


def test_callbacks_are_torn_down_after_a_fit_that_fails():
    class Broken(Notes):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("broken")

    broken = Broken()
    model = small().set_callbacks(broken)
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(X, Y3)
    assert broken.calls[-1] == "teardown"
    assert not hasattr(model, "coefs_")


def test_scikit_learns_scoring_monitor_works():
    monitor = ScoringMonitor(scoring="accuracy")
    model = small(max_iter=4).set_callbacks(monitor).fit(X, Y3)
    log = monitor.get_logs().data
    scores = [row["accuracy"] for row in log if row["task_name"] == "iteration"]
    assert len(scores) == 4
    assert scores[-1] == model.score(X, Y3)


def test_scikit_learns_progress_bar_works(capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    small(max_iter=4).set_callbacks(ProgressBar()).fit(X, Y3)
    assert "fit" in capsys.readouterr().out


# ---- What is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [False, True])
def test_verbose_prints_what_scikit_learn_prints(capsys, early):
    told = {"verbose": True, "solver": "sgd", "tol": 0.5, "max_iter": 100, "early_stopping": early}
    small(**told).fit(X, Y3)
    ours = capsys.readouterr().out
    small(TheirClassifier, **told).fit(X, Y3)
    assert ours == capsys.readouterr().out


def test_verbose_prints_what_is_measured_on_validation_data(capsys):
    told = {"verbose": True, "max_iter": 2, "scoring": "accuracy"}
    model = small(**told).fit(*PART, validation_data=KEPT)
    loss, score = (model.history_[f"validation_{name}"][0] for name in ("loss", "accuracy"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"validation_loss = {loss:.8f}, validation_accuracy = {score:.8f}"


def test_bar_shows_progress_on_stderr(capsys):
    small(verbose="bar", max_iter=3).fit(X, Y3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    with pytest.raises(ValueError, match="verbose"):
        small(verbose="loud").fit(X, Y3)


# ---- What a network has learned -------------------------------------------------------------------


def numerical(model, rows):
    def outputs(x):
        P = model.predict_proba(x) if hasattr(model, "classes_") else model.predict(x).reshape(len(x), -1)
        P = np.hstack(P) if isinstance(P, list) else P
        return P[:, 1:] if P.shape[1] == 2 and model.n_outputs_ == 1 else P

    steps = 1e-5 * np.eye(rows.shape[1])
    return np.stack([(outputs(rows + e) - outputs(rows - e)) / 2e-5 for e in steps], axis=2)


@pytest.mark.parametrize(
    ("kind", "y"),
    [
        (gn.MLPClassifier, Y3),
        (gn.MLPClassifier, Y3 > 0),
        (gn.MLPClassifier, np.column_stack([Y3 > 0, Y3 > 1]).astype(int)),
        (gn.MLPClassifier, np.column_stack([Y3, Y3[::-1]])),
        (gn.MLPRegressor, TARGET),
        (gn.MLPRegressor, np.column_stack([TARGET, X[:, 0]])),
    ],
)
def test_input_gradients_are_the_derivatives_of_the_outputs(kind, y):
    model = small(kind, hidden_layer_sizes=(5, 4), activation=["tanh", "softplus"], max_iter=40).fit(X, y)
    found = model.input_gradients(X[:6])
    np.testing.assert_allclose(found, numerical(model, X[:6]), rtol=1e-6, atol=1e-8)


def test_input_gradients_of_counts_are_the_derivatives_too():
    model = small(gn.MLPRegressor, loss="poisson", activation="tanh").fit(X, np.exp(TARGET / 4))
    np.testing.assert_allclose(model.input_gradients(X[:6]), numerical(model, X[:6]), rtol=1e-6, atol=1e-8)
    assert link_jacobian("exp", np.array([[2.0]])).tolist() == [[[2.0]]]


# ---- Threads --------------------------------------------------------------------------------------


def threads_of_calls(monkeypatch, **arguments):
    """What each call to the engine was allowed."""
    from glassnet.engine.minibatch import NativeBatches

    allowed, train = [], NativeBatches.train

    def listen(self, flat, state, losses, cursor, updates):
        allowed.append(updates.threads)
        return train(self, flat, state, losses, cursor, updates)

    monkeypatch.setattr(NativeBatches, "train", listen)
    wide = np.random.RandomState(0).randn(400, 60)
    small(hidden_layer_sizes=(200,), tol=0.0, max_iter=60, **arguments).fit(wide, wide[:, 0] > 0)
    return allowed


def test_other_cores_are_asked_once_training_has_lasted(monkeypatch):
    monkeypatch.setenv("GLASSNET_THREADS", "2")
    monkeypatch.setattr(policy, "WAKING", 1e-4)
    allowed = threads_of_calls(monkeypatch)
    assert allowed[0] == 1
    assert set(allowed[1:]) == {2}
    monkeypatch.setattr(policy, "WAKING", 1e9)
    assert set(threads_of_calls(monkeypatch)) == {1}


def test_threads_that_are_named_are_taken_from_the_start_where_they_are_worth_it(monkeypatch):
    monkeypatch.setenv("GLASSNET_THREADS", "1")
    assert threads_of_calls(monkeypatch, n_threads=2)[0] == 2
    monkeypatch.setattr(policy, "WORTHWHILE", 1e99)
    assert set(threads_of_calls(monkeypatch, n_threads=2)) == {1}


@pytest.mark.parametrize("callback", [gn.CurvatureTrace([[0.0]], [0]), gn.Callback], ids=["one", "class"])
def test_callback_of_train_is_told_where_it_belongs(callback):
    with pytest.raises(gn.InputTypeError, match=r"callback of gn\.train.*model\.network_.*gn\.curvature"):
        gn.MLPRegressor().set_callbacks(callback)
