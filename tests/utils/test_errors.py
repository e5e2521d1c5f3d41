import inspect
from dataclasses import fields

import pytest

import glassnet as gn
from glassnet import errors

OURS = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if value.__module__ == "glassnet.errors" and issubclass(value, BaseException)
]


@pytest.mark.parametrize("kind", OURS)
def test_errors_grow_from_one_root_and_are_public(kind):
    root = gn.GlassnetWarning if issubclass(kind, Warning) else gn.GlassnetError
    assert issubclass(kind, root)
    assert getattr(gn, kind.__name__) is kind


def test_errors_are_what_python_expects_of_them():
    assert issubclass(gn.InputError, ValueError)
    assert issubclass(gn.InputTypeError, TypeError)
    for kind in (gn.EngineError, gn.FileError, gn.GradientError):
        assert issubclass(kind, gn.InputError)
    assert issubclass(gn.GlassnetWarning, UserWarning)


def test_unknown_name_suggests_the_nearest_and_lists_all():
    error = errors.unknown_name("fruit", "aple", ["apple", "pear"])
    assert isinstance(error, gn.InputError)
    assert str(error) == "Unknown fruit 'aple'. Did you mean 'apple'? Choose one of: apple, pear."


@pytest.mark.parametrize("name", ["zzz", None, 7])
def test_unknown_name_suggests_nothing_where_nothing_is_near(name):
    message = str(errors.unknown_name("fruit", name, ["apple", "pear"]))
    assert "Did you mean" not in message
    assert message.startswith(f"Unknown fruit {name!r}. Choose one of: apple, pear.")


@pytest.mark.parametrize(
    ("wrong", "choices", "right"),
    [
        ("MSE", gn.LOSSES, "squared_error"),
        ("mae", gn.LOSSES, "absolute_error"),
        ("bce", gn.LOSSES, "binary_cross_entropy"),
        ("crossentropy", gn.LOSSES, "cross_entropy"),
        ("sigmoid", gn.OUTPUTS, "logistic"),
        ("linear", ["line", "width"], "line"),
        ("Width", ["line", "width"], "width"),
    ],
)
def test_nearest_name_knows_other_spellings_and_other_libraries_names(wrong, choices, right):
    assert errors.nearest_name(wrong, choices) == right


def test_names_from_elsewhere_stand_for_names_of_ours():
    from glassnet.model_selection.metrics import METRICS
    from glassnet.nn.network import SCHEMES
    from glassnet.training.steppers import RULES

    of_rules = [name for kind in RULES.values() for name in kind().settings()]
    of_rules += [field.name for kind in gn.SCHEDULES.values() for field in fields(kind)]
    settings = {*of_rules, "hidden_layer_sizes", "l2"}
    ours = {*gn.ACTIVATIONS, *gn.LOSSES, *gn.OUTPUTS, *gn.SOLVERS, *SCHEMES, *METRICS, *settings}
    assert set(errors._OTHER_NAMES.values()) <= ours
