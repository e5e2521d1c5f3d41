"""An estimator's network: its layers, its functions, and its derivatives by the inputs."""

import pickle

import numpy as np
import pytest
from iris import TARGET, Y3, X, pack, small
from sklearn.neural_network import MLPClassifier as TheirClassifier

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


@pytest.mark.parametrize("activation", ["relu", "logistic"])
@pytest.mark.parametrize("sizes", [(), [3, 2], 4, np.array([3])])
def test_layers_are_given_in_every_way_that_scikit_learn_takes(sizes, activation):
    told = {"hidden_layer_sizes": sizes, "activation": activation}
    ours, theirs = small(**told).fit(X, Y3), small(TheirClassifier, **told).fit(X, Y3)
    for a, b in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_each_layer_may_have_a_function_of_its_own():
    model = small(hidden_layer_sizes=(5, 4), activation=["gelu", gn.ACTIVATIONS["tanh"]]).fit(X, Y3)
    network = gn.Network((4, 5, 4, 3), hidden=["gelu", "tanh"])
    layers = network.forward(pack(model), X)
    np.testing.assert_allclose(model.predict_proba(X), layers[-1], rtol=1e-12)
    for found, expected in zip(model.hidden_activations(X), layers[:-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(gn.InputError, match="activation has 1 entries, hidden_layer_sizes 2"):
        small(hidden_layer_sizes=(5, 4), activation=["gelu"]).fit(X, Y3)


def square(z):
    return z * z


def double(z, h):
    return 2 * z


@pytest.mark.filterwarnings("ignore:early_stopping=True is without effect")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_function_of_ones_own_runs_on_the_numpy_engine(solver):
    own = gn.Activation("square", square, double, formula="z^2", derivative_formula="2 z")
    told = {"max_iter": 60, "early_stopping": True, "learning_rate_init": 0.02}
    model = small(activation=own, solver=solver, **told).fit(X, Y3)
    assert model.score(X, Y3) > 0.5
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


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
