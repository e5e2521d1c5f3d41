"""A fit's settings: one record that agrees with `train`, and checks every value once."""

import inspect
import re
import typing
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

import glassnet as gn
from glassnet.training.settings import CHECKS, NAMES, FitSettings
from glassnet.training.train import DEFAULTS

# Of `train`'s parameters these are the data and how it reports; all others say how to fit.
NOT_SETTINGS = {
    *("network", "X", "y", "sample_weight", "callbacks", "progress"),
    *("checkpoint", "checkpoint_every"),
}


def settings(**changes):
    return FitSettings.of({**DEFAULTS, **changes})


def test_record_has_the_names_order_and_types_of_trains_keywords():
    keywords = {n: p for n, p in inspect.signature(gn.train).parameters.items() if n not in NOT_SETTINGS}
    assert {field.name: field.type for field in fields(FitSettings)} == {
        name: parameter.annotation.removeprefix("Rule | str") or "Rule"  # the record holds no name
        for name, parameter in keywords.items()
    }
    assert list(keywords) == list(NAMES)


def test_train_documents_every_setting():
    documented = inspect.getdoc(gn.train).partition("Parameters\n")[2].partition("Example\n")[0]
    heads = [line.partition(" : ")[0] for line in documented.splitlines() if " : " in line]
    assert set(NAMES) <= {name for head in heads for name in head.split(", ")}


def test_defaults_pass_their_own_checks_unchanged():
    record = settings()
    assert {name: getattr(record, name) for name in NAMES} == dict(DEFAULTS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_value_of_another_kind_is_refused_by_name(name):
    with pytest.raises(gn.GlassnetError, match=name):
        settings(**{name: object()})


def test_replaced_settings_are_checked_and_the_record_stays_frozen():
    record = settings(dtype=np.float32, l1=1, l2=0.5)
    assert (record.dtype, record.penalties) == ("float32", gn.Penalties(1.0, 0.5))
    with pytest.raises(gn.InputError, match="l2"):
        replace(record, l2=-1.0)
    with pytest.raises(FrozenInstanceError):
        record.l2 = 1.0


def test_settings_that_do_not_go_together_are_refused_with_the_network():
    net = gn.Network((2, 3, 2))
    settings().check(net)
    for changes, words in (
        ({"optimizer": gn.LBFGS(), "batch_size": 5}, "batch_size"),
        ({"dropout": [0.1, 0.2]}, "dropout"),
        ({"stopping": gn.EarlyStopping(metric="accuracy")}, "accuracy"),
    ):
        with pytest.raises(gn.InputError, match=words):
            settings(**changes).check(net)


def test_types_of_the_record_can_be_resolved():
    assert set(typing.get_type_hints(FitSettings)) == set(NAMES)


def test_metrics_and_layers_that_are_none_are_answered_in_full():
    net, X, y = gn.Network((1, 1), output="identity"), [[0.0], [1.0]], [0.0, 1.0]
    with pytest.raises(gn.InputError, match=r"Choose one of: accuracy\. Or give a function") as caught:
        gn.train(net, X, y, validation=(X, y), metrics="r2")
    assert "metrics=sklearn.metrics.r2_score, or metrics=lambda y, predictions: abs(" in str(caught.value)
    with pytest.raises(
        gn.InputError, match=r"freeze has 0; layers count from 1, .* to the number of layers"
    ):
        gn.train(net, X, y, freeze=[0])
    labels = np.array(["one", 2, 3.5], object)
    with pytest.raises(
        gn.InputTypeError, match=r"classes, y = np\.unique\(np\.array\(y, str\), ret"
    ) as caught:
        gn.train(net, [[0.0]] * 3, labels)
    advised = re.search(r"np\.unique\(.*=True\)", str(caught.value))
    assert eval(advised[0], {"np": np, "y": labels})[1].tolist() == [2, 0, 1]
