"""The samples that a fit evaluates: `validation_data`, its losses and its scores."""

import numpy as np
import pytest
from iris import HELD, KEPT, PART, TARGET, Y3, X, small
from sklearn.metrics import accuracy_score, f1_score

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


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


def test_validation_data_of_a_regressor_may_be_weighted():
    w = np.linspace(0.1, 2, 50)
    kept = (X[HELD], TARGET[HELD], w)
    model = small(gn.MLPRegressor).fit(X[~HELD], TARGET[~HELD], validation_data=kept)
    error = (model.predict(X[HELD]) - TARGET[HELD]) ** 2 / 2
    assert model.history_["validation_loss"][-1] == pytest.approx(np.average(error, weights=w), rel=1e-10)


@pytest.mark.parametrize("given", [X, (X,), "X", 0.2])
def test_validation_data_of_another_form_are_refused(given):
    with pytest.raises(gn.InputError, match=r"validation_data is \(X, y\) or \(X, y, sample_weight\)"):
        small().fit(X, Y3, validation_data=given)
