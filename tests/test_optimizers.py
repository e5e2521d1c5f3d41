import json
import math
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glassnet as gn
from glassnet.optimizers import OPTIMIZERS, check_optimizer, optimizer_from_dict


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, math.nan, math.inf, -math.inf])
def test_learning_rate_outside_its_range_is_refused_in_words(rate):
    with pytest.raises(gn.InputError, match=r"learning_rate is .* above 0"):
        gn.SGD(learning_rate=rate)


@pytest.mark.parametrize("momentum", [-1e-9, -1, 1, 1.0, 1.5, math.nan, math.inf])
def test_momentum_outside_its_range_is_refused_in_words(momentum):
    with pytest.raises(gn.InputError, match=r"momentum is .* from 0 to below 1"):
        gn.SGD(momentum=momentum)


@pytest.mark.parametrize("setting", ["learning_rate", "momentum"])
@pytest.mark.parametrize("value", ["0.1", None, True, np.True_, [0.1], np.array(0.1), 1 + 0j])
def test_setting_that_is_no_number_is_a_type_error(setting, value):
    with pytest.raises(gn.InputTypeError, match=f"{setting} is a number"):
        gn.SGD(**{setting: value})


def test_learning_rate_too_large_for_a_float_is_refused():
    with pytest.raises(gn.InputError, match="too large for a float"):
        gn.SGD(learning_rate=10**400)


def test_numpy_settings_become_python_floats():
    optimizer = gn.SGD(np.float64(0.5), np.float32(0.25))
    assert [type(optimizer.learning_rate), type(optimizer.momentum)] == [float, float]
    assert optimizer == gn.SGD(0.5, 0.25)


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizer_is_frozen(kind):
    with pytest.raises(FrozenInstanceError):
        setattr(kind(), fields(kind)[0].name, 0.5)


@pytest.mark.parametrize(("name", "kind"), OPTIMIZERS.items(), ids=OPTIMIZERS)
def test_optimizer_goes_through_json_by_name(name, kind):
    settings = json.loads(json.dumps(kind().to_dict()))
    assert settings["name"] == name
    assert optimizer_from_dict(settings) == kind()


@given(rate=st.floats(5e-324, 1e300), momentum=st.floats(0, 1, exclude_max=True))
def test_settings_go_through_json_exactly(rate, momentum):
    optimizer = gn.SGD(rate, momentum)
    assert optimizer_from_dict(json.loads(json.dumps(optimizer.to_dict()))) == optimizer


def test_from_dict_takes_defaults_for_what_is_left_out():
    assert optimizer_from_dict({"name": "sgd", "momentum": 0.5}) == gn.SGD(momentum=0.5)


def test_from_dict_leaves_its_argument_alone():
    settings = {"name": "sgd", "momentum": 0.5}
    optimizer_from_dict(settings)
    assert settings == {"name": "sgd", "momentum": 0.5}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no name"),
        ({"name": "sdg"}, "Did you mean 'sgd'"),
        ({"name": "sgd", "learning_rte": 0.1}, "Did you mean 'learning_rate'"),
        ({"name": "sgd", "learning_rate": -1}, "above 0"),
        ("sgd", "mapping"),
    ],
)
def test_from_dict_refuses_what_describes_no_optimizer(settings, message):
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        optimizer_from_dict(settings)


@pytest.mark.parametrize("other", ["sgd", gn.SGD, None, 0.1])
def test_check_optimizer_says_what_an_optimizer_is(other):
    with pytest.raises(gn.InputTypeError, match=r"such as gn\.SGD"):
        check_optimizer(other)
