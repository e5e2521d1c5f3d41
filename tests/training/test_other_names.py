"""Arguments of other libraries are answered by what they are called here, all at once."""

import inspect
import re

import pytest

import glassnet as gn
from glassnet.training import other_names
from glassnet.training.steppers import RULES, rule_class, rule_from_dict

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
    assert words.endswith("checkpoint_every.")
    assert "For verbose: progress=True." in refused(verbose=True)
    assert "For activation: gn.Network(sizes, hidden='relu')." in refused(activation="relu")


def test_settings_of_optimizers_are_answered_by_the_one_that_was_chosen():
    assert "gn.Adam(learning_rate=0.3)" in refused(learning_rate=0.3, optimizer=gn.Adam())
    assert "gn.AdamW(weight_decay=0.1)" in refused(weight_decay=0.1)
    assert "gn.LevenbergMarquardt(" in refused(mu_max=1e10)


@pytest.mark.parametrize("name", other_names._MEANT)
def test_no_answer_names_what_train_lacks(name):
    written = other_names.answer(name, "value", None)
    assert (
        written.startswith("gn.Network(")
        or written.partition("=")[0] in inspect.signature(gn.train).parameters
    )


def test_other_names_are_none_of_trains():
    assert not other_names._MEANT.keys() & inspect.signature(gn.train).parameters.keys()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (
            {"lr": 3},
            r"SGD has no argument 'lr'\. Did you mean 'learning_rate' by 'lr'\? It has learning_rate,",
        ),
        (
            {"nesterovs_momentum": True, "foo": 1},
            r"no arguments 'nesterovs_momentum', 'foo'\. .*'nesterov' by",
        ),
    ],
)
def test_constructors_of_rules_answer_likewise(wrong, right):
    with pytest.raises(gn.InputTypeError, match=right):
        gn.SGD(**wrong)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        *[(n, "learning_rate") for n in ("lr", "learning_rate_init", "eta", "eta0", "step_size")],
        *[("mu", "damping"), ("mu_max", "largest_damping"), ("min_grad", "gradient_tolerance")],
        *[("time", "seconds"), ("mc", "momentum"), ("nesterovs_momentum", "nesterov")],
        *[("beta_1", "beta1"), ("beta_2", "beta2"), ("eps", "epsilon")],
    ],
)
def test_settings_of_rules_are_answered_by_one_that_has_them(name, setting):
    rule = next(
        kind for kind in RULES.values() if f"gn.{kind.__name__}({setting}=1)" in refused(**{name: 1})
    )
    with pytest.raises(gn.InputTypeError, match=f"Did you mean '{setting}' by '{name}'"):
        rule(**{name: 1})


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


def test_lm_is_short_for_levenberg_marquardt_wherever_rules_are_named():
    net, y = gn.Network((1, 1), output="identity"), [0.0, 1.0]
    assert gn.train(net, X, y, optimizer="lm", iterations=1).optimizer == gn.LevenbergMarquardt()
    assert rule_from_dict({"name": "lm", "damping": 0.5}) == gn.LevenbergMarquardt(damping=0.5)
    assert rule_class("lm") is RULES["levenberg_marquardt"]
    assert "lm" not in RULES
    assert rule_class("l") is rule_class(["lm"]) is None


_VALUES = {
    "iterations": 3,
    "random_state": 0,
    "batch_size": 1,
    "validation": 0.5,
    "stopping.patience": 5,
    "stopping.tolerance": 0.1,
    "optimizer": gn.SGD(),
    "learning_rate": 0.1,
    "l2": 0.1,
    "threads": 1,
    "progress": False,
    "dtype": "float64",
    "engine": "numpy",
    "scheme": "he",
    "parameters": None,
    "sample_weight": [1.0, 2.0],
    "class_weight": "balanced",
    "callbacks": [],
    "standardize": True,
    "dropout": 0.0,
    "validate_every": 2,
    "average": 0.9,
    "activation": "tanh",
    "hidden": (4,),
    "output": "softmax",
    "loss": "cross_entropy",
}


@pytest.mark.parametrize("name", other_names._MEANT)
def test_every_answer_runs(name):
    written = other_names.answer(name, _VALUES[other_names._MEANT[name]], None)
    code = re.split(r", which| or another", written)[0].replace("sizes", "(1, 2)")
    code = code.replace("(inputs, *widths, outputs)", "(1, 4, 2)").replace(
        "gn.SGD(learning_rate=SGD", "gn.SGD(SGD"
    )
    if code.startswith("gn.Network("):
        assert eval(code, {"gn": gn}).sizes[0] == 1
        return
    settings = {"random_state": 0, "iterations": 2} | eval(f"dict({code})", {"gn": gn, **vars(gn)})
    if "validate_every" in settings or "validation" in settings:
        settings["validation"] = (X, Y)
    gn.train(NET, X, Y, **settings)


@pytest.mark.parametrize("optimizer", ["adam", gn.Adam, gn.Adam()])
def test_settings_are_answered_by_the_optimizer_that_is_named(optimizer):
    assert "optimizer=gn.Adam(learning_rate=0.3)" in refused(learning_rate=0.3, optimizer=optimizer)


def test_plateaus_name_their_least_rate():
    for name in ("min_rate", "min_lr"):
        with pytest.raises(gn.InputTypeError, match=f"Did you mean 'smallest' by '{name}'"):
            gn.ReduceOnPlateau(0.1, **{name: 1e-5})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"iterations": 5, "lr": 0.3}, r"'lr'\. For lr: optimizer=gn\.Adam\(learning_rate=0\.3\)\."),
        ({"iterations": 5, "learning_rate": 0.3}, r"optimizer=gn\.Adam\(learning_rate=0\.3\)\."),
        ({"epochs": 5}, "For epochs: iterations=5, "),
        ({"iterations": 5, "test": 0.1}, r"For test: a run keeps its test; .* gn\.train\("),
        ({"iterations": 5, "seed": 1}, "For seed: a run keeps its random_state;"),
        ({"iterations": 5, "activations": "relu"}, "For activations: a run keeps its activation;"),
        ({"iterations": 5, "n_jobs": 1}, "For n_jobs: threads=1"),
    ],
)
def test_resume_answers_likewise(wrong, words):
    run = gn.train(NET, X, Y, optimizer="adam", iterations=1, random_state=0)
    with pytest.raises(
        gn.InputTypeError, match=rf"^resume has no argument .*{words}.* It has iterations, X,"
    ):
        run.resume(**wrong)
