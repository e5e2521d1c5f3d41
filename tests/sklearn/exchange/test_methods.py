"""scikit-learn's private methods: those that programs call, and those that they override."""

import numpy as np
import pytest
import sklearn.neural_network as theirs
from iris import TARGET, Y2, Y3, X, small
from sklearn.preprocessing import LabelBinarizer

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_first_parameters_of_a_subclass_are_those_of_scikit_learns():
    def draw(self, fan_in, fan_out, dtype):
        W, b = super(type(self), self)._init_coef(fan_in, fan_out, dtype)
        return W + self._random_state.normal(size=W.shape), np.zeros_like(b)

    for solver in ("adam", "lbfgs"):
        models = [
            small(type("Own", (kind,), {"_init_coef": draw}), solver=solver, max_iter=2).fit(X, Y3)
            for kind in (gn.MLPClassifier, theirs.MLPClassifier)
        ]
        np.testing.assert_allclose(models[0].coefs_[0], models[1].coefs_[0], rtol=1e-7)
        assert "_random_state" not in vars(models[0])


def test_first_parameters_may_be_replaced_on_one_estimator_and_must_have_the_layers_shapes():
    model = small(learning_rate_init=1e-12)
    model._init_coef = lambda n, m, dtype: (np.full((n, m), 0.1), np.zeros(m))
    np.testing.assert_allclose(model.fit(X, Y3).coefs_[0], 0.1, atol=1e-9)
    model._init_coef = lambda n, m, dtype: (np.zeros((n, 7)), np.zeros(7))
    with pytest.raises(gn.InputError, match="expected layers that follow one another"):
        model.fit(X, Y3)


@pytest.mark.parametrize("name", ["_backprop", "_forward_pass", "_fit_stochastic"])
def test_subclass_whose_method_would_not_be_called_is_refused(name):
    mixin = type("Mixin", (), {name: lambda self: None})
    for bases, own in (((gn.MLPRegressor,), {name: None}), ((mixin, gn.MLPClassifier), {})):
        with pytest.raises(gn.InputTypeError, match=f"Own overrides {name}, which scikit-learn's fit"):
            type("Own", bases, own)


@pytest.mark.parametrize(
    "y", [Y2, Y3, np.eye(3, dtype=int)[Y3], TARGET], ids=["two", "three", "labels", "y"]
)
def test_forward_passes_and_label_binarizer_are_as_scikit_learns(y):
    kind = "MLPRegressor" if y is TARGET else "MLPClassifier"
    ours, other = (small(getattr(package, kind)).fit(X, y) for package in (gn, theirs))
    for mine, one in zip(*(m._forward_pass([X, None, None]) for m in (ours, other)), strict=True):
        np.testing.assert_allclose(mine, one, rtol=1e-9)
    np.testing.assert_allclose(ours._forward_pass_fast(X), other._forward_pass_fast(X), rtol=1e-9)
    if kind == "MLPClassifier":
        mine, one = ours._label_binarizer, other._label_binarizer
        assert np.array_equal(mine.transform(y), one.transform(y))
        assert np.array_equal(mine.inverse_transform(mine.transform(y)), y)


def test_label_binarizer_that_is_set_gives_the_classes():
    fitted, model = small().fit(X, Y3), small()
    assert not hasattr(model, "_label_binarizer")
    model.coefs_, model.intercepts_ = fitted.coefs_, fitted.intercepts_
    model._label_binarizer = LabelBinarizer().fit(["a", "b", "c"])
    assert np.array_equal(model.predict(X), np.array(["a", "b", "c"])[fitted.predict(X)])


# ---- Weights from elsewhere --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "y", "arguments"),
    [
        ("MLPClassifier", Y2, {}),
        ("MLPClassifier", np.array(["a", "b", "c"])[Y3], {}),
        ("MLPClassifier", np.eye(3, dtype=int)[Y3], {"multilabel": True}),
        ("MLPClassifier", np.column_stack([Y2, Y3]), {}),
        ("MLPRegressor", TARGET, {}),
        ("MLPRegressor", abs(TARGET[:, None]) @ [[1, 2]], {"loss": "poisson"}),
    ],
    ids=["two", "three", "labels", "columns", "y", "poisson"],
)
def test_from_weights_is_the_estimator_that_has_them_and_goes_on_from_them(kind, y, arguments):
    settings = {"activation": "tanh", "random_state": 0}
    settings |= {name: value for name, value in arguments.items() if name != "multilabel"}
    fitted = small(getattr(gn, kind), **settings).fit(X, y)
    known = {"classes": fitted.classes_} if kind == "MLPClassifier" else {}
    model = type(fitted).from_weights(fitted.coefs_, fitted.intercepts_, **known, **settings | arguments)
    for name in ("n_features_in_", "n_outputs_", "n_layers_", "out_activation_"):
        assert getattr(model, name) == getattr(fitted, name)
    assert np.array_equal(model.predict(X), fitted.predict(X))
    before = model.coefs_[0].copy()
    assert not np.array_equal(model.partial_fit(X, y).coefs_[0], before)


def test_from_weights_copies_the_arrays_and_keeps_their_precision():
    W, b = np.ones((2, 1), np.float32), np.zeros(1, np.float32)
    model = gn.MLPRegressor.from_weights([W], [b])
    W[:] = 7
    assert model.coefs_[0].tolist() == [[1.0], [1.0]]
    assert model.coefs_[0].dtype == np.float32


@pytest.mark.parametrize(
    ("coefs", "intercepts", "arguments", "words"),
    [
        ([], [], {}, "at least one layer"),
        ([[[1.0], [2.0]], [[1.0], [2.0]]], [[0.0], [0.0]], {}, "layers that follow one another"),
        ([[[1.0], [np.nan]]], [[0.0]], {}, r"coefs\[0\]"),
        ([[[1.0, 1.0]]], [[0.0, 0.0]], {"classes": ["b", "a"]}, "sorted"),
        ([[[1.0, 1.0]]], [[0.0, 0.0]], {"classes": ["a", "b", "c"]}, "one for each class"),
        ([[[1.0]]], [[0.0]], {"activation": "tahn"}, "tanh"),
    ],
)
def test_from_weights_says_what_is_wrong(coefs, intercepts, arguments, words):
    with pytest.raises(ValueError, match=words):
        gn.MLPClassifier.from_weights(coefs, intercepts, **arguments)
