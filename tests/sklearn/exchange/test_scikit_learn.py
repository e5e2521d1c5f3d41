"""scikit-learn's own estimators from ours and back."""

import numpy as np
import pytest
import sklearn.neural_network as theirs
from iris import TARGET, Y2, Y3, X, small
from sklearn.base import is_classifier

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LABELS = np.eye(3, dtype=int)[Y3]
FITS = {
    "two classes": (gn.MLPClassifier, Y2, {}),
    "one class": (gn.MLPClassifier, np.zeros(150, int), {}),
    "three classes": (gn.MLPClassifier, Y3, {"activation": ["tanh", "tanh"], "hidden_layer_sizes": [5, 4]}),
    "labels": (gn.MLPClassifier, LABELS, {"activation": gn.ACTIVATIONS["logistic"]}),
    "float32": (gn.MLPClassifier, Y3, {"dtype": "float32", "early_stopping": True}),
    "no hidden layer": (gn.MLPClassifier, Y3, {"hidden_layer_sizes": (), "activation": "gelu"}),
    "numbers": (gn.MLPRegressor, TARGET, {"verbose": "bar", "n_threads": 1}),
    "several numbers": (gn.MLPRegressor, X[:, :2], {"average_outputs": True}),
    "counts": (gn.MLPRegressor, Y3, {"loss": "poisson"}),
}


@pytest.mark.parametrize("name", FITS)
def test_estimator_goes_to_scikit_learn_and_comes_back_with_its_predictions(name):
    kind, y, told = FITS[name]
    model = small(kind, **told).fit(X, y)
    there = model.to_sklearn()
    assert type(there) is getattr(theirs, kind.__name__)
    back = kind.from_sklearn(there)
    ask = "predict_proba" if is_classifier(model) else "predict"
    expected = getattr(model, ask)(X)
    np.testing.assert_allclose(getattr(there, ask)(X), expected, rtol=1e-5 if name == "float32" else 1e-9)
    assert np.array_equal(getattr(back, ask)(X), expected)
    assert np.array_equal(there.predict(X), model.predict(X)) or not is_classifier(model)
    assert there.score(X, y) == pytest.approx(model.score(X, y))
    public = {key for key in vars(small(type(there), **there.get_params()).fit(X, y)) if key[0] != "_"}
    assert public <= set(vars(there)), name
    assert back.loss_curve_ == model.loss_curve_
    there.coefs_[0][:] = 0
    assert np.array_equal(getattr(model, ask)(X), expected)


@pytest.mark.filterwarnings("ignore:scikit-learn's MLPClassifier predicts the same")
def test_softmax_over_two_classes_becomes_scikit_learns_one_output():
    model = small(loss=gn.losses.cross_entropy(label_smoothing=0.1)).fit(X, Y2)
    there = model.to_sklearn()
    assert there.n_outputs_ == 1
    np.testing.assert_allclose(there.predict_proba(X), model.predict_proba(X), rtol=1e-9)
    assert np.array_equal(there.predict(X), model.predict(X))
    assert there.partial_fit(X, Y2).t_ > model.t_


def test_fitted_estimators_go_on_training_on_either_side():
    model = small(batch_size=50, warm_start=True, early_stopping=True).fit(X, Y3)
    there = model.to_sklearn()
    for one in (there, gn.MLPClassifier.from_sklearn(there)):
        assert one.fit(X, Y3).t_ > model.t_
    model = small().fit(X, Y3)
    there = model.to_sklearn()
    ours, other = gn.MLPClassifier.from_sklearn(there).partial_fit(X, Y3), there.partial_fit(X, Y3)
    np.testing.assert_allclose(ours.coefs_[0], other.coefs_[0], rtol=1e-9)


def test_estimator_that_is_not_fitted_goes_with_its_arguments():
    model = small(solver="sgd", activation=["tanh"], verbose=False)
    ours, there = model.fit(X, Y3), model.to_sklearn().fit(X, Y3)
    np.testing.assert_allclose(there.coefs_[0], ours.coefs_[0], rtol=1e-9)
    back = gn.MLPClassifier.from_sklearn(theirs.MLPClassifier(alpha=0.5))
    assert back.alpha == 0.5
    assert not hasattr(back, "coefs_")


def test_all_that_scikit_learn_cannot_express_is_named():
    own = {"dropout": 0.2, "solver": "lm", "class_weight": "balanced", "activation": ["gelu", "tanh"]}
    with pytest.raises(gn.InputError) as caught:
        gn.MLPClassifier((3, 2), **own).to_sklearn()
    for word in ("dropout=0.2", "solver='lm'", "class_weight='balanced'", "'gelu'", "(gelu, tanh)"):
        assert word in str(caught.value)
    with pytest.raises(gn.InputError, match="no loss='huber', no learning_rate=Cosine"):
        gn.MLPRegressor("huber", learning_rate=gn.Cosine(0.1, steps=3)).to_sklearn()
    with pytest.raises(gn.InputError, match="no y of several columns of classes, no activation 'gelu'"):
        small(activation="gelu").fit(X, np.column_stack([Y3, Y3 > 0])).to_sklearn()


def test_fitted_estimator_leaves_settings_of_its_training_behind_with_a_warning():
    model = small(gn.MLPRegressor, loss="huber", optimizer=gn.AdamW(0.01), dropout=0.1).fit(X, TARGET)
    with pytest.warns(UserWarning, match="predicts the same.* no dropout=0.1, .* no loss='hu") as seen:
        there = model.to_sklearn()
    assert seen[0].filename == __file__
    np.testing.assert_allclose(there.predict(X), model.predict(X), rtol=1e-9)


@pytest.mark.parametrize("other", [theirs.MLPRegressor(), theirs.MLPClassifier, gn.MLPClassifier(), None])
def test_what_is_no_estimator_of_that_kind_is_refused(other):
    with pytest.raises(gn.InputTypeError, match=r"takes an estimator of sklearn.neural_network.MLPClassif"):
        gn.MLPClassifier.from_sklearn(other)
