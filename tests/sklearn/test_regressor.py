"""MLPRegressor: its losses, its outputs and what it refuses."""

import numpy as np
import pytest
from iris import TARGET, X, small

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


@pytest.mark.parametrize(
    "loss",
    ["absolute_error", "huber", "quantile", gn.losses.quantile(0.9), gn.losses.huber(0.5), "poisson"],
)
def test_regressor_takes_every_loss(loss):
    y = np.exp(TARGET / 4)
    model = small(gn.MLPRegressor, loss=loss, max_iter=300, learning_rate_init=0.02).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    record = gn.LOSSES[loss] if isinstance(loss, str) else loss
    assert model.out_activation_ == record.output
    if loss == gn.losses.quantile(0.9):
        assert 0.8 < np.mean(y <= model.predict(X)) < 1


def test_sum_over_outputs_is_reported_unless_their_average_is_asked_for():
    targets = np.column_stack([TARGET, X[:, 3]])
    whole = small(gn.MLPRegressor, alpha=0.0).fit(X, targets)
    averaged = small(gn.MLPRegressor, alpha=0.0, average_outputs=True).fit(X, targets)
    np.testing.assert_allclose(averaged.loss_curve_, np.array(whole.loss_curve_) / 2)
    assert np.array_equal(whole.coefs_[0], averaged.coefs_[0])


def test_other_number_of_outputs_is_refused_on_a_warm_start():
    model = small(gn.MLPRegressor, warm_start=True).fit(X, TARGET)
    with pytest.raises(ValueError, match="y has 2 outputs, but the estimator was fitted with 1"):
        model.fit(X, np.column_stack([TARGET, TARGET]))
    assert model.predict(X).shape == (150,)


def test_counts_below_zero_are_refused_for_poisson():
    with pytest.raises(ValueError, match=r"out of the valid range of the loss 'poisson'"):
        small(gn.MLPRegressor, loss="poisson").fit(X, TARGET)
