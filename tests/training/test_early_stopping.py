import numpy as np
import pytest

import glassnet as gn
from glassnet.training.early_stopping import METRICS


def error(y, predicted):
    return float(np.mean(y != predicted))


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"patience": 0}, gn.InputError, "patience is 0; expected 1 or more"),
        ({"patience": 2.5}, gn.InputTypeError, "patience is a whole number"),
        ({"tolerance": -0.1}, gn.InputError, "tolerance is -0.1"),
        ({"metric": "acuracy"}, gn.InputError, "Did you mean 'accuracy'"),
        ({"metric": 3}, gn.InputTypeError, "name or a function"),
        ({"metric": error}, gn.InputError, 'watches error and needs mode="min"'),
        ({"metric": error, "mode": "least"}, gn.InputError, "mode"),
        ({"metric": "accuracy", "mode": "min"}, gn.InputError, "its maximum"),
        ({"restore_best": 1}, gn.InputTypeError, "restore_best is True or False"),
        ({"response": "proba"}, gn.InputError, "predict_proba"),
    ],
)
def test_early_stopping_refuses_settings_out_of_range(settings, kind, words):
    with pytest.raises(kind, match=words):
        gn.EarlyStopping(**settings)


@pytest.mark.parametrize("name", METRICS)
def test_every_named_metric_has_a_best(name):
    assert gn.EarlyStopping(metric=name).sign == (1 if METRICS[name] == "min" else -1)
    assert gn.EarlyStopping(metric=name, mode=METRICS[name]).metric_name == name


def test_repr_shows_what_was_set():
    assert repr(gn.EarlyStopping(5)) == (
        "EarlyStopping(patience=5, tolerance=0.0, metric='loss', restore_best=True)"
    )
    assert gn.EarlyStopping(metric=error, mode="min").metric_name == "error"
