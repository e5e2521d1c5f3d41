"""Files of PyTorch's exported programs, where PyTorch is installed."""

import numpy as np
import pytest
from exported_files import keeps_promise, plain_columns

import glassnet as gn
from glassnet.export.languages.torch import LANGUAGE
from glassnet.export.model import Answer, Column, Feature, Member, Model
from glassnet.export.steps import Step
from glassnet.nn.activations import ACTIVATIONS

torch = pytest.importorskip("torch")
ROWS = np.random.default_rng(0).normal(0, 3, (100, 3))


def verified(model, path, precision, rows=ROWS):
    return keeps_promise(LANGUAGE, model, path, rows, precision)


@pytest.mark.parametrize("precision", LANGUAGE.precisions)
def test_file_computes_every_activation_and_ensembles_with_steps(precision, tmp_path):
    """A network for each activation, one of them behind steps, and their mean."""
    steps = [
        (Step("subtract", (2.0,)), Step("divide", (3.0,))),
        (Step("fill", (0.5,)), Step("clip", (-1.0, 2.0))),
        (Step("floor"), Step("remainder", (3.0,)), Step("pick", (0.1, 0.2, 0.3))),
        (Step("month"),),
        (Step("is_missing"),),
        (Step("is_other", (2.0,)),),
    ]
    columns = tuple(Column(f"x{place}", place % 3, own) for place, own in enumerate(steps))
    members = []
    for number, activation in enumerate(ACTIVATIONS):
        own = columns if number == 1 else plain_columns("abc")
        network = gn.Network((len(own), 4, 2), activation, "identity")
        theta = network.initialize(number, dtype=precision)
        members.append(Member(own, network, theta, (3.1, -2.3), (2.1, 5.7)))
    answers = Answer("y1", 0, 1), Answer("y2", 1, 2)
    for of_model in (members, members[:1]):
        model = Model(tuple(map(Feature, "abc")), tuple(of_model), answers)
        assert verified(model, tmp_path / "a.pt2", precision)


@pytest.mark.parametrize("precision", LANGUAGE.precisions)
def test_file_keeps_its_promise_near_the_largest_number(precision, tmp_path):
    members = []
    for activation in ACTIVATIONS:
        network = gn.Network((1, 1, 1), activation, "identity")
        theta = network.initialize(0, dtype=precision)
        theta.flat[:] = [1, 0, 1, 0]
        members.append(Member(plain_columns("a"), network, theta))
    model = Model((Feature("a"),), tuple(members), (Answer("y", 0, 1),))
    rows = np.linspace(-0.9, 0.9, 33)[:, None] * np.finfo(precision).max
    assert verified(model, tmp_path / "a.pt2", precision, rows)


def test_file_of_a_plain_network_is_a_sequential_that_is_read_back(tmp_path):
    y = np.array(["no", "yes"])[(ROWS[:, 0] > 0).astype(int)]
    run = gn.train(gn.Network((3, 4, 2), "gelu"), ROWS, y, random_state=0, iterations=5)
    gn.export(run, tmp_path / "a.pt2")
    program = torch.export.load(tmp_path / "a.pt2")
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2), nn.Softmax(1)).double()
    module.load_state_dict(program.state_dict)
    assert gn.from_torch(module).parameters == run.theta


def test_file_has_softmaxes_side_by_side_and_pairs(tmp_path):
    answers = Answer("a", 0, 3, (0, 1, 2)), Answer("b", 3, 5, (0, 1))
    for output, width, more in (
        ("identity", 5, {"answers": answers, "softmaxes": (3, 2)}),
        ("logistic", 1, {"answers": (Answer("a", 0, 2, (0, 1)),), "pair": True}),
    ):
        network = gn.Network((3, width), output=output)
        model = Model(
            tuple(map(Feature, "abc")),
            (Member(plain_columns("abc"), network, network.initialize(0)),),
            **more,
        )
        assert verified(model, tmp_path / "a.pt2", "float64")
