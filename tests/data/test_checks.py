import numpy as np
import pytest

import glassnet as gn
from glassnet.data.checks import as_class_weights

Y = np.array([0, 0, 0, 2, 2, 1])


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    np.testing.assert_allclose(as_class_weights("balanced", np.bincount(Y)), expected, rtol=1e-15)


def test_balanced_weights_count_the_classes_that_occur():
    weights = as_class_weights("balanced", np.array([3, 0, 0, 1]))
    np.testing.assert_allclose(weights[[0, 3]], [4 / (2 * 3), 4 / 2])


@pytest.mark.parametrize("given", [{0: 1, 2: 0.5, 1: 4.0}, [1.0, 4, 0.5], np.array([1.0, 4, 0.5])])
def test_weights_of_ones_own_go_to_their_classes(given):
    assert as_class_weights(given, np.bincount(Y)).tolist() == [1.0, 4.0, 0.5]


def test_a_class_that_does_not_occur_needs_no_weight():
    assert as_class_weights({0: 2.0, 2: 3.0}, np.array([1, 0, 1]))[[0, 2]].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("balance", gn.InputError, "'balance'; expected 'balanced'"),
        ({0: 1.0, 1: 1.0}, gn.InputError, r"no weight for class 2, which 2 sample"),
        ({0: 1.0, 1: 1.0, 3: 1.0}, gn.InputError, "class numbers from 0 to 2"),
        ({"a": 1.0}, gn.InputError, "weight for 'a'"),
        ({0: 1, 1: 1, 2: -1.0}, gn.InputError, "-1.0 for class 2; expected finite numbers from 0 up"),
        ({0: np.inf, 1: 1, 2: 1}, gn.InputError, r"class_weight\[0\] has inf"),
        ([1.0, 2.0], gn.InputError, r"shape \(2,\); expected \(3,\)"),
        ([1.0, 2.0, np.nan], gn.InputError, "nan for class 2"),
        (2.0, gn.InputTypeError, "not 2.0"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        as_class_weights(given, np.bincount(Y))


NET = gn.Network((2, 3, 3))
X = np.random.RandomState(0).randn(6, 2)


@pytest.mark.parametrize("batch_size", [None, 4])
def test_class_weights_are_sample_weights(engine, batch_size):
    w = np.array([1.0, 2, 1, 1, 3, 1])
    each = np.array([0.5, 3.0, 2.0])
    how = {"engine": engine, "iterations": 4, "random_state": 0, "batch_size": batch_size}
    run = gn.train(NET, X, Y, sample_weight=w, class_weight=each, **how)
    expected = gn.train(NET, X, Y, sample_weight=w * each[Y], **how)
    assert run.parameters == expected.parameters
    assert np.array_equal(run.losses, expected.losses)
    assert run.class_weight == (0.5, 3.0, 2.0)
    rows = gn.train(NET, X, np.eye(3)[Y], sample_weight=w, class_weight=each, **how)
    assert rows.parameters == run.parameters
    assert gn.train(NET, X, Y, **how).parameters != run.parameters


def test_a_problem_takes_class_weights(engine):
    problem = gn.prepare(NET, X, Y, class_weight="balanced", engine=engine)
    weighted = gn.prepare(
        NET, X, Y, sample_weight=as_class_weights("balanced", np.bincount(Y))[Y], engine=engine
    )
    theta = NET.initialize(0).flat
    assert problem.loss(theta) == weighted.loss(theta)
    assert problem.class_weight == pytest.approx((2 / 3, 2.0, 1.0))


@pytest.mark.parametrize(
    ("net", "y"),
    [
        (gn.Network((2, 1), output="identity"), X[:, :1]),
        (gn.Network((2, 1), output="logistic"), (X[:, 0] > 0).astype(float)),
        (NET, np.full((6, 3), 1 / 3)),
    ],
)
def test_class_weights_need_classes(net, y):
    with pytest.raises(gn.InputError, match="class numbers or one-hot rows"):
        gn.train(net, X, y, class_weight="balanced", iterations=1)


@pytest.mark.parametrize(("ask", "options"), [(gn.diagnose, {}), (gn.explain, {"what": "loss"})])
def test_a_run_with_class_weights_is_asked_with_classes(ask, options):
    run = gn.train(NET, X, Y, class_weight="balanced", iterations=1)
    with pytest.raises(gn.InputError, match="class numbers or one-hot rows"):
        ask(run, X, np.full((6, 3), 1 / 3), **options)


def test_class_weights_that_leave_nothing_are_refused():
    with pytest.raises(gn.InputError, match="at least one must count"):
        gn.train(NET, X, Y, class_weight=[0, 0, 0], iterations=1)
