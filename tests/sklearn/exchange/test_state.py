"""Plain attributes: what pickle and skops write."""

import pickle

import numpy as np
import pytest
import skops.io as skops
from iris import TARGET, Y2, Y3, X, small
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SEVERAL = np.column_stack([Y3, Y3 > 0])

FITS = {
    "adam": (gn.MLPClassifier, Y3, {}),
    "two_classes": (gn.MLPClassifier, Y2, {"solver": "sgd", "momentum": 1.0}),
    "several_labels": (gn.MLPClassifier, np.eye(3, dtype=int)[Y3], {"solver": "lbfgs"}),
    "several_columns": (gn.MLPClassifier, SEVERAL, {"early_stopping": True}),
    "records": (gn.MLPClassifier, Y3, {"activation": [gn.ACTIVATIONS["gelu"]]}),
    "smoothing": (gn.MLPClassifier, Y2, {"loss": gn.losses.cross_entropy(label_smoothing=0.1)}),
    "numbers": (gn.MLPRegressor, TARGET, {"solver": "lm"}),
    "quantile": (gn.MLPRegressor, TARGET, {"loss": gn.losses.quantile(0.9), "restore_best": True}),
    "schedule": (gn.MLPRegressor, TARGET, {"optimizer": "adamw", "learning_rate": gn.Cosine(0.1, steps=9)}),
}


@pytest.mark.parametrize("name", FITS)
def test_skops_file_holds_the_estimator_and_no_other_class_but_its_arguments(name):
    kind, y, told = FITS[name]
    model = small(kind, **told).fit(X, y)
    data = skops.dumps(model)
    types = skops.get_untrusted_types(data=data)
    own = f"{kind.__module__}.{kind.__name__}"
    assert set(types) == {own} | ({"glassnet.optim.schedules.Cosine"} if name == "schedule" else set())
    again = skops.loads(data, trusted=types)
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.get_params() == model.get_params()
    assert again.network_ == model.network_


@pytest.mark.parametrize("name", ["adam", "two_classes", "records", "schedule"])
def test_partial_fits_go_on_after_a_skops_file(name):
    kind, y, told = FITS[name]
    model = small(kind, **told).fit(X, y)
    data = skops.dumps(make_pipeline(StandardScaler(), model))
    again = skops.loads(data, trusted=skops.get_untrusted_types(data=data))[-1]
    model, again = model.partial_fit(X, y), again.partial_fit(X, y)
    assert np.array_equal(model.coefs_[0], again.coefs_[0])


def test_pickle_has_the_curve_once():
    model = small(max_iter=300, tol=0.0).fit(X, Y3)
    again = pickle.loads(pickle.dumps(model))
    assert again.history_ == model.history_ == {"loss": model.loss_curve_}
    assert again.history_["loss"] is not again.loss_curve_
    del model.history_
    assert len(pickle.dumps(again)) < len(pickle.dumps(model)) + 1000


def square(z):
    return z * z


def slope(z, h):
    return 2 * z


def test_functions_of_ones_own_are_pickled_as_they_are():
    own = gn.Activation("square", square, slope, "z^2", "2z")
    model = small(activation=own).fit(X, Y3)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
