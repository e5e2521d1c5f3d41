"""ONNX files, run by ONNX Runtime."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from exported_files import keeps_promise, plain_columns

import glassnet as gn
from glassnet.errors import InputError
from glassnet.export.languages.language import Options
from glassnet.export.languages.onnx import LANGUAGE
from glassnet.export.model import Answer, Column, Feature, Member, Model
from glassnet.export.sources.runs import answers_of
from glassnet.export.steps import STEPS, Step
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import OUTPUTS

X = np.random.default_rng(0).normal(0, 3, (300, 3))


def verified(model, path, precision, **settings):
    return keeps_promise(LANGUAGE, model, path, X, precision, **settings)


def of_network(network, dtype, columns=None, features="abc", **others):
    theta = network.initialize(1, dtype=dtype)
    columns = columns or plain_columns(features)
    others.setdefault("answers", answers_of(network, None))
    return Model(tuple(map(Feature, features)), (Member(columns, network, theta),), **others)


@pytest.mark.parametrize("precision", LANGUAGE.precisions)
@pytest.mark.parametrize(
    ("activation", "output"), [*zip(ACTIVATIONS, itertools.cycle(OUTPUTS), strict=False)]
)
def test_file_computes_every_activation_and_output(activation, output, precision, tmp_path):
    model = of_network(gn.Network((3, 4, 3, 2), hidden=activation, output=output), precision)
    assert verified(model, tmp_path / "a.onnx", precision)
    onnx.checker.check_model(onnx.load(tmp_path / "a.onnx"), full_check=True)


STEP_NUMBERS = {"clip": (-1.0, 2.0), "pick": (4.0, 5.0, 6.0), "is_other": (3.0,)}
ROWS = np.concatenate([X[:, 0], np.arange(-40.0, 300), [1.0, 2.0, np.nan, 1e6]])


@pytest.mark.parametrize("precision", LANGUAGE.precisions)
def test_file_computes_every_step(precision, tmp_path):
    """Each in a column of its own, and every two in a row."""
    steps = [
        Step(name, STEP_NUMBERS.get(name, (2.0,) * (function.__code__.co_argcount - 2)))
        for name, function in STEPS.items()
    ]
    chains = [(step,) for step in steps] + [*itertools.permutations(steps, 2)]
    columns = tuple(Column(f"x{place}", 0, chain) for place, chain in enumerate(chains))
    network = gn.Network((len(columns), 2), output="identity")
    model = of_network(network, precision, columns, "a")
    path = tmp_path / "steps.onnx"
    options = Options("net", precision, "", LANGUAGE.settings)
    path.write_bytes(LANGUAGE.write(model, options))
    graph = onnx.load(path)
    inputs = next(node.input[0] for node in graph.graph.node if node.op_type == "Gemm")
    del graph.graph.output[:]
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(precision))
    graph.graph.output.append(onnx.helper.make_tensor_value_info(inputs, kind, None))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (found,) = session.run(None, {"x": ROWS[:, None]})
    with np.errstate(all="ignore"):
        expected = model.inputs(model.members[0], ROWS[:, None])
    assert np.array_equal(found, expected, equal_nan=True)


LABELS = [("no", 'a "quote"\\ and\na line, é\0'), (-3, 7), (0.5, 2.5), (False, True)]


@pytest.mark.parametrize("labels", LABELS)
def test_file_gives_labels_of_every_kind(labels, tmp_path):
    for output, width in (("softmax", 2), ("logistic", 1)):
        network = gn.Network((3, width), output=output)
        model = of_network(network, "float32", answers=(Answer("y", 0, width, labels),))
        assert verified(model, tmp_path / "a.onnx", "float32")
        session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
        found = session.run(["label"], {"x": X.astype(np.float32)})[0]
        assert found.shape == (300,)
        assert set(found.tolist()) == set(labels)


@pytest.mark.parametrize("labels", LABELS[:2])
def test_file_with_zipmap_gives_probabilities_by_label(labels, tmp_path):
    model = of_network(gn.Network((3, 2)), "float32", answers=(Answer("y", 0, 2, labels),))
    path = tmp_path / "a.onnx"
    assert verified(model, path, "float32", zipmap=True)
    rows = onnxruntime.InferenceSession(path).run(["probabilities"], {"x": X.astype(np.float32)})[0]
    assert {*rows[0]} == {*labels}
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert (
        gn.from_onnx(path).predict(X).tolist()
        == np.array(labels)[model.numbers(model.outputs(X))[:, 0]].tolist()
    )


@pytest.mark.parametrize(
    ("output", "precision", "labels"),
    [
        ("softmax", "float64", ("a", "b")),
        ("softmax", "float32", (0.5, 1.5)),
        ("logistic", "float32", (0, 1)),
    ],
)
def test_file_with_zipmap_is_refused_where_onnx_runtime_has_none(output, precision, labels):
    width = 1 if output == "logistic" else 2
    network = gn.Network((3, width), output=output)
    model = of_network(network, precision, answers=(Answer("y", 0, width, labels),))
    with pytest.raises(InputError, match="zipmap=True needs precision='float32'"):
        LANGUAGE.write(model, Options("net", precision, "", {"zipmap": True}))


def test_file_of_several_answers_keeps_their_columns(tmp_path):
    answers = (Answer("color", 0, 3, ("red", "green", "blue")), Answer("size", 3, 5, ("big", "small")))
    network = gn.Network((3, 5), output="identity")
    model = of_network(network, "float64", answers=answers, softmaxes=(3, 2))
    assert verified(model, tmp_path / "a.onnx", "float64")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    label, probabilities = session.run(None, {"x": X})
    assert label.shape == (300, 2)
    assert probabilities.sum(axis=1) == pytest.approx(2)


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("precision", LANGUAGE.precisions)
def test_file_of_several_networks_gives_their_mean(pair, wide, precision, tmp_path):
    network = gn.Network((3, 4, 1), output="logistic" if pair else "identity")
    columns = tuple(Column(name, place, (Step("divide", (2.0,)),)) for place, name in enumerate("abc"))
    unit = {} if pair else {"mean": (50.0,), "scale": (7.0,)}
    members = tuple(
        Member(own, network, network.initialize(seed, dtype=precision), **unit)
        for seed, own in enumerate([columns, columns[::-1], plain_columns("abc")])
    )
    answers = (Answer("y", 0, 2, ("no", "yes")),) if pair else (Answer("y", 0, 1),)
    model = Model(tuple(map(Feature, "abc")), members, answers, pair=pair, wide=wide)
    assert verified(model, tmp_path / "a.onnx", precision)


def test_label_that_is_no_text_is_refused():
    model = of_network(gn.Network((3, 2)), "float64", answers=(Answer("y", 0, 2, ("a", "\ud800")),))
    with pytest.raises(InputError, match=r"'\\ud800'.*surrogate"):
        LANGUAGE.write(model, Options("net", "float64", "", LANGUAGE.settings))
