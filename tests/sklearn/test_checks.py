"""The checks of arguments and arrays: what scikit-learn raises, and when sparse rows stay sparse."""

import inspect
import re

import numpy as np
import pytest
from iris import Y3, X, small
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier as TheirClassifier

import glassnet as gn
from glassnet.sklearn import checks

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


def test_few_or_dense_sparse_samples_are_made_arrays():
    from glassnet.sklearn.checks import stays_sparse

    thin = csr_array(([1.0], ([0], [0])), shape=(10, 1000))
    assert stays_sparse(thin, 10_000)
    assert not stays_sparse(thin, 10_001)
    assert not stays_sparse(csr_array(np.ones((10, 1000))), 0)


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


def test_what_is_near_an_optimizer_is_refused_with_what_to_write():
    for given, words in (
        (gn.AdamW, r"optimizer is the class AdamW: make an instance, as in gn.AdamW\(0.01\)"),
        (gn.LevenbergMarquardt(), "is a solver, which gn.train takes"),
    ):
        with pytest.raises(gn.InputTypeError, match=words):
            small(optimizer=given).fit(X, Y3)
    with pytest.raises(ValueError, match=r"must be a str among .*'adamw'"):
        small(optimizer="adamwww").fit(X, Y3)


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_arguments_of_others_are_answered_by_an_estimators_own(kind):
    for wrong, right in (
        ({"lr": 0.5}, "For lr: learning_rate_init=0.5, or as a schedule"),
        ({"epochs": 3}, "For epochs: max_iter=3."),
        ({"iterations": 3}, "For iterations: max_iter=3."),
        ({"weight_decay": 0.5}, "For weight_decay: alpha=0.5."),
        ({"seed": 3, "n_jobs": 2}, "For seed: random_state=3. For n_jobs: n_threads=2."),
        ({"max_itr": 3}, "Did you mean 'max_iter' by 'max_itr'?"),
    ):
        with pytest.raises(gn.InputTypeError) as caught:
            kind(**wrong)
        assert str(caught.value).startswith(f"{kind.__name__} has no argument")
        assert right in str(caught.value)
    model = kind(max_iter=3, alpha=0.5)
    assert clone(model).get_params() == model.get_params()
    assert [*inspect.signature(kind).parameters] == [*inspect.signature(kind.__init__).parameters][1:]


def test_every_answer_of_an_estimator_is_an_argument():
    known = inspect.signature(gn.MLPClassifier).parameters
    for setting in checks._ARGUMENTS:
        written = checks.answer_for(setting, 1, known)
        assert written.startswith("make_pipeline") or {*re.findall(r"(\w+)=", written)} - {"steps"} <= {
            *known
        }


def test_a_subclass_of_an_estimator_has_a_constructor_of_its_own():
    class Mine(gn.MLPRegressor):
        def __init__(self, width=3):
            super().__init__(hidden_layer_sizes=(width,))
            self.width = width

    assert clone(Mine(width=5)).hidden_layer_sizes == (5,)
