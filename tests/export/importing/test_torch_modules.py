"""Networks from PyTorch."""

import numpy as np
import pytest

import glassnet as gn

torch = pytest.importorskip("torch")
nn = torch.nn

FUNCTIONS = {
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "logistic": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "softplus": nn.Softplus(),
    "softsign": nn.Softsign(),
}
ROWS = np.random.default_rng(0).normal(size=(50, 3))


def blocks(dtype):
    """Linear layers with every activation, BatchNorm1d before and after it."""
    torch.manual_seed(0)
    layers = [nn.BatchNorm1d(3), nn.Linear(3, 4)]
    for function in FUNCTIONS.values():
        norms = nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False)
        layers += [norms[0], function, norms[1], nn.Dropout(), nn.Sequential(nn.Linear(4, 4))]
    return nn.Sequential(*layers).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("last", "output"), [(nn.Identity(), "identity"), (nn.Softmax(1), "softmax")])
def test_from_torch_predicts_as_the_module(dtype, last, output):
    module = nn.Sequential(blocks(dtype), last)
    X = torch.tensor(ROWS, dtype=dtype)
    module(X)  # moves the running means
    model = gn.from_torch(module)
    assert module.training
    assert [record.name for record in model.network.hidden] == [*FUNCTIONS]
    assert model.network.output.name == output
    assert str(dtype).endswith(model.parameters.dtype.name)
    expected = module.eval()(X).detach().numpy()
    found = model.predict_proba(ROWS) if output == "softmax" else model.predict(ROWS)
    assert found == pytest.approx(expected, abs=1e-5)


def test_from_torch_gives_a_network_that_trains_on_and_is_exported(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1, bias=False), nn.Sigmoid())
    model = gn.from_torch(module)
    y = (ROWS[:, :1] > 0).astype(float)
    loss = nn.BCELoss()(module(torch.tensor(ROWS, dtype=torch.float32)), torch.tensor(y).float())
    run = gn.train(model.network, model.inputs(ROWS), y, parameters=model.parameters, iterations=20)
    assert run.losses[0] == pytest.approx(loss.item(), rel=1e-5)
    assert run.losses[-1] < run.losses[0]
    assert gn.export(model, tmp_path / "model.py", verify=ROWS).passed
    assert "0.00 from the original" not in repr(model)


def test_from_torch_folds_the_normalization_of_one_unit():
    norms = [nn.BatchNorm1d(1) for _ in range(2)]
    module = nn.Sequential(nn.Linear(3, 1), norms[0], nn.Tanh(), norms[1], nn.Linear(1, 2))
    module(torch.tensor(ROWS, dtype=torch.float32))
    assert gn.from_torch(module).network == gn.Network((3, 1, 2), "tanh", "identity")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Linear(3, 4), nn.Conv1d(1, 1, 1)], r"Layer 2 \(Conv1d\): no network here has such a layer"),
        (
            [nn.Linear(3, 4), nn.LeakyReLU(0.3), nn.Linear(4, 1)],
            r"Layer 3 \(Linear\): the activation before it .* slope of 0\.01",
        ),
        ([nn.ReLU(), nn.Linear(3, 4)], r"Layer 1 \(ReLU\): a function follows no layer"),
        ([nn.Linear(3, 4), nn.Linear(3, 4)], r"Layer 2 \(Linear\): a matrix of shape \(3, 4\) follows 4"),
        ([nn.Linear(3, 4), nn.ReLU()], "the function of the last layer is none of"),
        ([nn.Linear(3, 4).half()], "torch.float16"),
        ([], "no Linear layer"),
        ([nn.Linear(3, 4), nn.Softmax()], r"Layer 2 \(Softmax\): it does not name the columns, .* dim=1"),
        ([nn.Linear(3, 4), nn.Softmax(1), nn.BatchNorm1d(4)], "Layer 3 .*: it follows a softmax"),
    ],
)
def test_from_torch_refuses_by_the_name_of_the_layer(layers, words):
    with pytest.raises(gn.InputError, match=words):
        gn.from_torch(nn.Sequential(*layers))


def test_from_torch_refuses_modules_with_a_forward_of_their_own():
    class Skip(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    for module in (Skip(nn.Linear(3, 3)), nn.Linear(3, 3)):
        with pytest.raises(gn.InputTypeError, match=r"torch\.onnx\.export"):
            gn.from_torch(module)
