"""Arguments of other libraries are answered by what they are called here, all at once."""

import inspect

import pytest

import glassnet as gn
from glassnet.training import other_names
from glassnet.training.steppers import RULES

NET, X, Y = gn.Network((1, 2)), [[0.0], [1.0]], [0, 1]


def refused(**wrong):
    with pytest.raises(gn.InputTypeError) as caught:
        gn.train(NET, X, Y, **wrong)
    return str(caught.value)


def test_every_wrong_argument_is_answered_in_one_error():
    words = refused(epochs=50, lr=0.3, seed=7, itterations=3, foo=1)
    assert words.startswith("train has no arguments 'epochs', 'lr', 'seed', 'itterations', 'foo'. ")
    assert "For epochs: iterations=50" in words
    assert "For lr: optimizer=gn.SGD(learning_rate=0.3)." in words
    assert "For seed: random_state=7." in words
    assert "Did you mean 'iterations' by 'itterations'?" in words
    assert words.count("foo") == 1
    assert words.endswith("freeze.")


def test_settings_of_optimizers_are_answered_by_the_one_that_was_chosen():
    assert "gn.Adam(learning_rate=0.3)" in refused(learning_rate=0.3, optimizer=gn.Adam())
    assert "gn.AdamW(weight_decay=0.1)" in refused(weight_decay=0.1)
    assert "gn.LevenbergMarquardt(" in refused(mu_max=1e10)


@pytest.mark.parametrize("answer", other_names._OTHERS)
def test_no_answer_names_what_train_lacks(answer):
    name = answer.partition("=")[0]
    assert answer.startswith("gn.Network(") or name in inspect.signature(gn.train).parameters


@pytest.mark.parametrize("name", sorted(set(other_names._OF_RULES.values())))
def test_settings_of_rules_are_settings_of_one(name):
    assert any(name in rule().settings() for rule in RULES.values())


def test_other_names_are_none_of_trains():
    own = inspect.signature(gn.train).parameters
    assert not {*other_names._MEANT, *other_names._OF_RULES} & {*own}


def test_sweep_answers_likewise():
    with pytest.raises(gn.InputTypeError, match=r"sweep has no arguments 'epochs', 'lr'\. For epochs: it"):
        gn.sweep(NET, X, Y, settings=[{}], epochs=3, lr=0.1)


@pytest.mark.parametrize("name", sorted(RULES))
def test_an_optimizer_may_be_named(name):
    run = gn.train(NET, X, Y, optimizer=name, iterations=2, random_state=0)
    assert run.optimizer == RULES[name]()
    assert run.resume(1, optimizer=name).optimizer == RULES[name]()


def test_an_unknown_optimizer_is_answered_by_the_nearest():
    with pytest.raises(gn.InputError, match=r"Unknown optimizer 'Adam'\. Did you mean 'adam'"):
        gn.train(NET, X, Y, optimizer="Adam")
