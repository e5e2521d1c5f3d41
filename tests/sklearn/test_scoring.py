"""Scorers: their names, and where there is nothing to measure on."""

import pytest
from iris import KEPT, PART, Y3, X, small
from sklearn.metrics import accuracy_score, f1_score, make_scorer

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


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
