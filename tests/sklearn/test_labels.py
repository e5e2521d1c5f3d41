"""Weights of classes, and a softmax for each column of classes."""

import numpy as np
import pytest
from iris import Y3, X, small
from scipy.sparse import csr_array
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.utils import compute_sample_weight

import glassnet as gn
from glassnet.sklearn.labels import grouped_cross_entropy

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


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


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([1, "two", 3.5] * 50, r"whose kinds are float, int, str; .* one kind, .*y\.astype\(str\)"),
        (["one", None, "two"] * 50, "kinds are NoneType, str; .*astype"),
        ([1, 2.0, 3] * 50, r"kinds are float, int; .* y\.astype\(int\) or y\.astype\(float\)"),
    ],
)
def test_labels_of_mixed_kinds_are_named(y, words):
    y = np.array(y, object)
    with pytest.raises(gn.InputError, match=words):
        small().fit(X, y)
    with pytest.raises(gn.InputError, match=words):
        small().partial_fit(X, y, classes=["one", "two"])
    with pytest.raises(gn.InputError, match=f"validation_data: .*{words}"):
        small().fit(X, Y3.astype(str), validation_data=(X, y))
    assert set(small(max_iter=60).fit(X, y.astype(str)).predict(X)) <= set(y.astype(str))


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


# ---- Classes that partial_fit declares ----

LABELS = np.eye(3, dtype=int)[Y3]
COLUMNS = np.column_stack([Y3, Y3 > 0])


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y3, [0, 1]),
        (LABELS, [0, 1]),
        (LABELS, [0, 1, 3]),
        (LABELS, ["a", "b", "c"]),
        (csr_array(LABELS), [0, 1]),
        (Y3, []),
        (Y3, ["a", "b", "c"]),
    ],
    ids=range(7),
)
def test_classes_that_leave_labels_out_are_refused_as_scikit_learn_does(y, classes):
    for kind in (gn.MLPClassifier, TheirClassifier):
        model = small(kind)
        with pytest.raises((ValueError, TypeError)) as caught:
            model.partial_fit(X, y, classes=classes)
        assert not isinstance(caught.value, AttributeError), str(caught.value)
    ours = small()
    with pytest.raises(ValueError, match=r"`y` has classes not in|At least one"):
        ours.partial_fit(X, y, classes=classes)
    assert not hasattr(ours, "classes_")


def test_classes_beyond_the_columns_are_refused():
    with pytest.raises(ValueError, match=r"or not all\..*3 columns of labels"):
        small().partial_fit(X, LABELS, classes=[0, 1, 2, 3])


def test_classes_of_several_columns_are_declared_as_lists():
    declared = [[2, 1, 0, 7], [False, True]]
    model = small().partial_fit(X, COLUMNS, classes=declared)
    assert [classes.tolist() for classes in model.classes_] == [[0, 1, 2, 7], [0, 1]]
    assert [P.shape for P in model.predict_proba(X)] == [(150, 4), (150, 2)]
    assert model.partial_fit(X, COLUMNS, classes=declared).n_iter_ == 1
    # Of a first batch with two classes in each column too.
    few = COLUMNS[:, 0] < 2
    assert small().partial_fit(X[few], COLUMNS[few], classes=declared).n_outputs_ == 6


@pytest.mark.parametrize(
    ("y", "classes", "words"),
    [
        (COLUMNS, [[0, 1, 2]], r"classes has those of 1 columns, and y has shape \(150, 2\)"),
        (Y3, [[0, 1, 2]], r"classes has those of 1 columns, and y has shape \(150,\)"),
        (COLUMNS, [0, 1, 2], "expected a list of the classes of each column"),
        (COLUMNS, [[0, 1], [0, 1]], r"Column 0 of `y` has classes that are not in `self.classes_\[0\]`"),
    ],
)
def test_classes_that_do_not_match_the_columns_are_refused(y, classes, words):
    with pytest.raises(ValueError, match=words):
        small().partial_fit(X, y, classes=classes)


@pytest.mark.parametrize("later", [[0, 1], [0, 1, 2, 3], [[0, 1, 2]], ["a", "b", "c"]])
def test_classes_of_a_later_call_must_be_the_same(later):
    model = small().partial_fit(X, Y3, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, Y3, classes=later)


def test_labels_that_end_in_zero_bytes_are_named():
    y = ["a", "a\0"] * 75
    for labels in (y, np.array(y, object), [[label, "b"] for label in y]):
        with pytest.raises(gn.InputError, match=r"y has the label 'a\\x00' at row 1: .* use gn\.train"):
            small().fit(X, labels)
    with pytest.raises(gn.InputError, match=r"classes has the label 'a\\x00' at row 1"):
        small().partial_fit(X, ["a"] * 150, classes=["a", "a\0"])
    with pytest.raises(gn.InputError, match=r"y has the label 'a\\x00'"):
        small().fit(X, ["a", "b"] * 75).score(X, y)
    assert small().fit(X, ["a", "\0a"] * 75).classes_.tolist() == ["\0a", "a"]
