"""Networks from ONNX files of glassnet, skl2onnx and PyTorch, and files that are none."""

import numpy as np
import onnx
import pytest
import skl2onnx
from onnx import helper, numpy_helper
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import glassnet as gn
from glassnet.errors import FileError, InputError
from glassnet.nn.activations import ACTIVATIONS

X = np.random.default_rng(0).normal(100, 3, (90, 3))
LABELS = np.array(["no", "yes", "maybe é"])[np.arange(90) % 3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [[*ACTIVATIONS][:4], [*ACTIVATIONS][4:8], [*ACTIVATIONS][8:]])
def test_from_onnx_reads_what_export_writes(dtype, hidden, path):
    network = gn.Network((3, *[5] * len(hidden), 3), hidden=hidden)
    run = gn.train(network, X.astype(dtype), LABELS, standardize=True, iterations=5, random_state=0)
    gn.export(run, path)
    model = gn.from_onnx(path)
    assert model.network == network
    assert model.parameters == run.theta
    assert np.array_equal(model.predict(X), run.predict(X))
    assert model.predict_proba(X) == pytest.approx(run.predict_proba(X))
    assert gn.export(model, path, verify=X).passed


@pytest.mark.parametrize("output", ["identity", "exp", "logistic"])
def test_from_onnx_reads_two_targets(output, path):
    Y = np.column_stack([X[:, 0] > 100, X[:, 1] > 100]).astype(float)
    run = gn.train(gn.Network((3, 4, 2), output=output), X, Y, standardize=True, iterations=5)
    gn.export(run, path)
    model = gn.from_onnx(path)
    assert model.network.output.name == output
    assert model.predict(X) == pytest.approx(run.predict(X))
    if output != "identity":  # whose targets were standardized too
        more = gn.train(model.network, model.inputs(X), Y, parameters=model.parameters, iterations=1)
        assert more.losses[0] == pytest.approx(run.losses[-1])


def estimators():
    """30 drawn networks of scikit-learn, of every activation with every kind of target."""
    random = np.random.RandomState(0)
    targets = [X[:, 0], X[:, :2], X[:, 0] > 100, LABELS, (X[:, :2] > 100).astype(int)]
    for number in range(30):
        kind = MLPRegressor if number % 5 < 2 else MLPClassifier
        network = kind(
            hidden_layer_sizes=tuple(random.randint(1, 6, random.randint(1, 4))),
            activation=["identity", "logistic", "tanh", "relu"][number % 4],
            max_iter=3,
            random_state=0,
        )
        before = [[StandardScaler()], [MinMaxScaler()], []][number % 3]
        yield make_pipeline(*before, network), targets[number % 5]


@pytest.mark.filterwarnings("ignore")
def test_from_onnx_reads_what_skl2onnx_writes(path):
    for estimator, y in estimators():
        estimator.fit(X, y)
        options = {} if y.ndim == 1 else {"options": {"zipmap": False}} if y.dtype == int else {}
        path.write_bytes(
            skl2onnx.to_onnx(estimator, X[:1].astype(np.float32), **options).SerializeToString()
        )
        model = gn.from_onnx(path)
        found, expected = model.predict(X.astype(np.float32)), estimator.predict(X.astype(np.float32))
        if y.dtype == float:
            assert np.ravel(found) == pytest.approx(np.ravel(expected), rel=1e-3)
        else:
            assert np.mean(found == expected) > 0.98


@pytest.mark.filterwarnings("ignore")
def test_from_onnx_reads_what_pytorch_writes(path):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    functions = [nn.GELU(), nn.SiLU(), nn.Softsign(), nn.GELU("tanh"), nn.Softplus(), nn.SELU()]
    layers = [layer for function in functions for layer in (nn.Linear(4, 4), nn.BatchNorm1d(4), function)]
    module = nn.Sequential(
        nn.Linear(3, 4), nn.ReLU(), *layers, nn.Dropout(), nn.Linear(4, 2), nn.Softmax(1)
    )
    module(torch.randn(50, 3))  # moves the running means
    module.eval()
    torch.onnx.export(module, (torch.zeros(1, 3),), path, dynamo=False)
    model = gn.from_onnx(path)
    names = ["relu", "gelu", "silu", "softsign", "gelu_tanh", "softplus", "selu"]
    assert [record.name for record in model.network.hidden] == names
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    expected = module(torch.tensor(rows)).detach().numpy()
    assert model.predict_proba(rows) == pytest.approx(expected, abs=1e-6)


def written(path, nodes, shape=("rows", 2), outputs=("y",), **constants):
    """A file of nodes on an input x of two features."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info(name, 1, [None, None]) for name in outputs],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()],
    )
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    return path


def node(op, *names, **attributes):
    *inputs, output = names
    return helper.make_node(op, inputs, [output], **attributes)


W = [[1.0, 2.0], [3.0, 4.0]]
REFUSED = {
    "Conv: no network here": [node("Conv", "x", "W", "y")],
    "MatMul: the activation before it is none of": [
        node("MatMul", "x", "W", "z"),
        node("LeakyRelu", "z", "h", alpha=0.3),
        node("MatMul", "h", "W", "y"),
    ],
    "Relu: a function follows no layer": [node("Relu", "x", "h"), node("MatMul", "h", "W", "y")],
    "Add: it joins two branches": [
        node("MatMul", "x", "W", "a"),
        node("MatMul", "a", "W", "b"),
        node("Add", "a", "b", "y"),
    ],
    "the function of the last layer is none of": [node("MatMul", "x", "W", "z"), node("Relu", "z", "y")],
    "Softmax: it runs along the rows": [node("MatMul", "x", "W", "z"), node("Softmax", "z", "y", axis=0)],
    "its constants grow": [
        node("Reshape", "long", "tall", "column"),
        node("Mul", "column", "long", "large"),
        node("MatMul", "x", "large", "y"),
    ],
}


@pytest.mark.parametrize("words", REFUSED)
def test_from_onnx_refuses_by_the_name_of_what_is_in_the_way(words, path):
    written(path, REFUSED[words], W=W, long=np.zeros(3000))
    if "tall" in str(REFUSED[words]):
        file = onnx.load(path)
        file.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), "tall"))
        path.write_bytes(file.SerializeToString())
    with pytest.raises(InputError, match=words):
        gn.from_onnx(path)


def test_from_onnx_folds_what_multiplies_and_adds(path):
    nodes = [
        node("Sub", "x", "mean", "a"),
        node("MatMul", "a", "W", "b"),
        node("Relu", "b", "c"),
        node("Mul", "c", "mean", "d"),
        node("Sub", "one", "d", "e"),
        node("MatMul", "e", "W", "f"),
        node("Mul", "f", "one", "g"),
        node("Add", "g", "mean", "y"),
    ]
    model = gn.from_onnx(written(path, nodes, W=W, mean=[2.0, -3.0], one=[1.5]))
    x = np.array([[0.5, -0.25]])
    mean = np.array([2.0, -3.0])
    hidden = 1.5 - np.maximum((x - mean) @ W, 0) * mean
    assert model.predict(x) == pytest.approx(hidden @ W * 1.5 + mean)
    assert model.network.sizes == (2, 2, 2)
    assert [column.steps[0].name for column in model.preprocessing] == ["subtract", "subtract"]


def test_from_onnx_says_where_the_file_computes_something_else(path, monkeypatch):
    monkeypatch.setattr(
        "glassnet.export.importing.flow._SAME", 0.5
    )  # a network that is taken for another one
    nodes = [node("MatMul", "x", "W", "z"), node("Softsign", "z", "h"), node("MatMul", "h", "W", "y")]
    with pytest.raises(InputError, match=r"does not predict the same: on row \["):
        gn.from_onnx(written(path, nodes, W=W))


def test_from_onnx_refuses_files_that_are_damaged(path):
    run = gn.train(gn.Network((3, 4, 3), "gelu"), X, LABELS, standardize=True, iterations=1)
    gn.export(run, path)
    data, random = path.read_bytes(), np.random.default_rng(0)
    damaged = [b"", b"PK\3\4 a zip", b"x,y\n1,2\n", data[: len(data) // 2]]
    for _ in range(60):
        other = bytearray(data)
        other[random.integers(len(data))] ^= 1 << int(random.integers(8))
        damaged.append(bytes(other))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            gn.from_onnx(path)
        except InputError:
            refused += 1
    assert refused > 10
    for content in damaged[:3]:
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"model\.onnx"):
            gn.from_onnx(path)


def test_from_onnx_reads_weights_that_lie_beside_the_file(path):
    run = gn.train(gn.Network((3, 4, 3)), X, LABELS, iterations=1)
    gn.export(run, path)
    file = onnx.load(path)
    onnx.save(file, path, save_as_external_data=True, location="weights", size_threshold=0)
    assert gn.from_onnx(path).parameters == run.theta
    (path.parent / "weights").rename(path.parent.parent / "weights")
    with pytest.raises(FileError, match="weights"):
        gn.from_onnx(path)
    file = onnx.load(path, load_external_data=False)
    for tensor in filter(lambda each: each.external_data, file.graph.initializer):
        tensor.external_data[0].value = "../weights"
    path.write_bytes(file.SerializeToString())
    with pytest.raises(FileError, match=r"\.\./weights"):
        gn.from_onnx(path)


def test_from_onnx_refuses_files_that_are_huge(path):
    with path.open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(FileError, match="2,147,483,649 bytes"):
        gn.from_onnx(path)
