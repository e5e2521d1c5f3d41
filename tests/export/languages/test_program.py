"""Files of the languages that say one program give what the model gives, on any input."""

import itertools

import numpy as np
import pytest

import glassnet as gn
from glassnet.export.languages import MODULES, language_of
from glassnet.export.languages.language import MissingToolError, Options
from glassnet.export.model import Answer, Column, Feature, Member, Model, hard_rows
from glassnet.export.sources.runs import answers_of
from glassnet.export.steps import STEPS, Step
from glassnet.export.verification import distance
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import OUTPUTS

LANGUAGES = [
    (suffix, mode)
    for suffix, module in MODULES.items()
    if module not in ("c", "onnx", "torch")  # which have tests of their own
    for mode in language_of(suffix).modes
]
COMPILED = (".go", ".java", ".rs")
each_language = pytest.mark.parametrize(("suffix", "mode"), LANGUAGES)
COLUMNS = tuple(Column(name, place, ()) for place, name in enumerate("abc"))
X = np.random.default_rng(0).normal(0, 3, (200, 3))
HOSTILE = [
    '"',
    "'",
    "\\",
    "a\nb\r",
    "*/ x /*",
    "--",
    "é😀",
    "${x}",
    "#{x} %d",
    "\\u0022",
    "'; DROP TABLE t",
]


def member_of(network, columns, dtype="float64", **others):
    return Member(columns, network, network.initialize(1, dtype=dtype), **others)


def verified(model, suffix, mode, folder, rows=X):
    """Whether a file keeps its promise on the rows and on hard ones."""
    language, options = language_of(suffix), Options("net", "float64", mode, language_of(suffix).settings)
    path = folder / f"net{suffix}"
    path.write_bytes(language.write(model, options))
    values = np.vstack([rows, hard_rows(model)])
    try:
        ran = language.run(path, model, options, values)
    except MissingToolError as error:
        pytest.skip(str(error))
    expected, near = model.outputs(values), language.promises(model, options)
    found = distance(expected, ran.outputs, model.numbers(expected), ran.numbers, near)
    assert (ran.numbers is not None) == model.is_classifier
    return found.error <= near and not found.labels


@pytest.mark.parametrize(
    ("suffix", "mode", "output"),
    # The others cost a compilation each, and differ in nothing that is written.
    [
        (*language, output)
        for language in LANGUAGES
        for output in OUTPUTS
        if language[0] not in COMPILED or output in ("logistic", "identity")
    ],
)
def test_file_computes_every_activation_and_output(suffix, mode, output, tmp_path):
    sizes = (3, *[4] * len(ACTIVATIONS), 1 if output == "logistic" else 2)
    network = gn.Network(sizes, hidden=list(ACTIVATIONS), output=output)
    unit = {"mean": (1e3, -0.1), "scale": (1e-3, 70.0)} if output == "identity" else {}
    answers, pair = answers_of(network, None), False
    if output == "logistic":
        answers, pair = (Answer("y", 0, 2, (False, True)),), True
    member = member_of(network, COLUMNS, **unit)
    model = Model(tuple(map(Feature, "abc")), (member,), answers, pair=pair)
    assert verified(model, suffix, mode, tmp_path)


STEP_NUMBERS = {"clip": (-1.0, 2.0), "pick": (4.0, 5.0, 6.0), "is_other": (3.0,)}


@each_language
def test_file_computes_every_step_and_every_two_in_a_row(suffix, mode, tmp_path):
    steps = [
        Step(name, STEP_NUMBERS.get(name, (7.0,) * (step.__code__.co_argcount - 2)))
        for name, step in STEPS.items()
    ]
    ends = Step("fill", (9.0,)), Step("clip", (-1e3, 1e3))  # no NaN hides what others give
    chains = [*((step,) for step in steps), *itertools.product(steps, steps)]
    columns = tuple(Column(str(chain), 0, (*chain, *ends)) for chain in chains)
    network = gn.Network((len(columns), 3), output="identity")
    model = Model((Feature("a"),), (member_of(network, columns),), answers_of(network, None))
    rows = np.concatenate([X[:, 0], np.arange(-40.0, 300), [1.0, 2.0, np.nan, 1e6]])[:, None]
    assert verified(model, suffix, mode, tmp_path, rows)


@each_language
def test_file_computes_ensembles_of_several_answers_with_any_names(suffix, mode, tmp_path):
    columns = (
        Column("a", 0, (Step("subtract", (0.1,)), Step("divide", (0.3,)))),
        *(Column("b", 1, (Step("equals", (float(place),)),)) for place in range(len(HOSTILE))),
        Column("b", 1, (Step("is_other", (float(len(HOSTILE)),)),)),
        Column("b", 1, (Step("is_missing"),)),
    )
    members = tuple(
        member_of(gn.Network((len(columns), width, 5), hidden="tanh", output="identity"), columns)
        for width in (3, 40)
    )
    features = (*map(Feature, HOSTILE[:-1]), Feature(HOSTILE[-1], tuple(HOSTILE)))
    last = len(features) - 1
    columns = tuple(column._replace(feature=last * column.feature) for column in columns)
    members = tuple(member._replace(columns=columns) for member in members)
    answers = (
        Answer("a\nb", 0, 2, (np.str_("no"), HOSTILE[6])),
        Answer("'", 2, 3, (np.float64(1.5), -2)),
        Answer('"', 3, 5, (False, "\t")),
    )
    model = Model(features, members, answers, softmaxes=(2, 1, 2))
    rows = np.tile(np.arange(-2.0, len(HOSTILE) + 2)[:, None], len(features))
    assert verified(model, suffix, mode, tmp_path, rows)


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        *((".m", name) for name in ("predict", "W1", "dense", "x", "exp", "while")),
        (".java", "math"),
        (".go", "map"),
    ],
)
def test_file_refuses_a_name_that_it_uses_itself(suffix, name, tmp_path):
    network = gn.Network((1, 2, 1), output="identity")
    run = gn.train(network, np.eye(3)[:, :1], np.arange(3.0), iterations=1, random_state=0)
    with pytest.raises(gn.InputError, match=f"another use of the name '(?i:{name})'"):
        gn.export(run, tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("path", ["filter.java", "long.java", "found.m", "run_filter.m"])
def test_file_with_a_name_that_running_it_could_need_is_verified(path, tmp_path):
    X = np.eye(4)[:, :1]
    run = gn.train(gn.Network((1, 2, 2)), X, np.arange(4) % 2, iterations=1, random_state=0)
    try:
        assert gn.export(run, tmp_path / path, verify=X).passed
    except gn.InputError as error:
        if "is not installed" not in str(error):
            raise
        pytest.skip(str(error))
