"""MLPClassifier: its labels, its losses and its scores."""

import pickle

import numpy as np
import pytest
from iris import TARGET, Y2, Y3, X, small
from scipy.sparse import csr_array
from sklearn.datasets import make_multilabel_classification
from sklearn.neural_network import MLPClassifier as TheirClassifier

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


@pytest.mark.parametrize("y", [Y3, Y2, Y3.astype(float), Y2.astype(object), Y3 > 0, ["a", "b", "c"] * 50])
def test_labels_come_back_as_they_were_given(y):
    ours, theirs = small().fit(X, y), small(TheirClassifier).fit(X, y)
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-9)


def test_several_labels_are_predicted_each():
    wide, labels = make_multilabel_classification(60, random_state=0)
    ours, theirs = small().fit(wide, labels), small(TheirClassifier).fit(wide, labels)
    np.testing.assert_allclose(ours.predict_proba(wide), theirs.predict_proba(wide), rtol=1e-9)
    assert np.array_equal(ours.predict(wide), theirs.predict(wide))
    assert ours.score(wide, labels) == theirs.score(wide, labels)


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_labels_that_came_as_a_sparse_matrix_are_predicted_as_one(fit):
    wide, labels = make_multilabel_classification(60, random_state=0)
    told = {"classes": np.arange(5)} if fit == "partial_fit" else {}
    ours, theirs = (
        getattr(small(kind), fit)(wide, csr_array(labels), **told)
        for kind in (gn.MLPClassifier, TheirClassifier)
    )
    found, expected = ours.predict(wide), theirs.predict(wide)
    assert type(found) is type(expected)
    assert np.array_equal(found.toarray(), expected.toarray())
    assert ours.score(wide, labels) == theirs.score(wide, labels)


def test_one_class_alone_is_what_every_sample_is():
    model = small().fit(X, np.full(150, "only"))
    assert set(model.predict(X)) == {"only"}


def test_score_of_labels_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="Mix of label input types"):
        small().fit(X, Y3).score(X, Y3.astype(str))
    with pytest.raises(ValueError, match="Mix of label input types"):
        small().fit(X, Y2).score(X, Y3)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 150)])
def test_scores_are_scikit_learns(weights):
    model = small(max_iter=20).fit(X, Y3)
    assert model.score(X, Y3, weights) == small(TheirClassifier, max_iter=20).fit(X, Y3).score(
        X, Y3, weights
    )


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
