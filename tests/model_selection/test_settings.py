"""Whatever setting of train and of the network a sweep may vary."""

import numpy as np
import pytest
from same_runs import assert_same_run
from sweeps import NET, X, Y, sweep, train

import glassnet as gn
from glassnet.model_selection.settings import NETWORK, TRAINING

VALUES = {
    "optimizer": [gn.Adam(0.05), gn.LBFGS(), gn.LevenbergMarquardt(), gn.NewtonCG()],
    "iterations": [2, 6],
    "batch_size": [None, 1, 7, 100],
    "l1": [0.0, 1e-3],
    "l2": [0.0, 1e-2],
    "max_norm": [None, 1.0],
    "dropout": [0.0, 0.3, [0.5]],
    "class_weight": [None, "balanced", {0: 1.0, 1: 3.0}],
    "average": [None, 0.9],
    "validation": [None, 0.2, 0.4],
    "validate_every": [1, 3],
    "stopping": [None, gn.EarlyStopping(patience=1, tolerance=0.01)],
    "shuffle": [True, False],
    "scheme": ["glorot", "he"],
    "random_state": [0, 7],
    "reduction": ["mean", "sum"],
    "dtype": [None, "float32"],
    "engine": ["native", "numpy"],
    "freeze": [(), [1]],
}
SHAPES = {
    "network": [NET, gn.Network((2, 5, 4, 2), hidden=["relu", "tanh"])],
    "hidden_layer_sizes": [(4,), (3, 2), ()],
    "activation": ["relu", "logistic"],
    "loss": ["cross_entropy", {"name": "cross_entropy", "label_smoothing": 0.1}],
}


def test_every_setting_is_tried_below():
    assert set(VALUES) == set(TRAINING)
    assert set(SHAPES) == set(NETWORK)


@pytest.mark.parametrize("name", VALUES)
def test_sweep_varies_whatever_train_is_told(name):
    common = {"batch_size": 10} if name == "shuffle" else {}
    common |= {"validation": 0.3} if name == "validate_every" else {}
    result = sweep(grid={name: VALUES[name]}, **common)
    assert len(result.cells) == len(VALUES[name])
    for run, value in zip(result.runs, VALUES[name], strict=True):
        assert_same_run(run, train(**{**common, name: value}))
    told_apart = {(*run.losses, *run.theta.flat, *run.validation_losses) for run in result.runs}
    assert len(told_apart) > 1


@pytest.mark.parametrize("name", SHAPES)
def test_sweep_varies_the_network(name):
    def changed(value):
        if name == "network":
            return value
        if name == "hidden_layer_sizes":
            return gn.Network((2, *value, 2), hidden="tanh")
        how = {"hidden" if name == "activation" else name: value}
        return gn.Network((2, 3, 2), **{"hidden": "tanh", **how})

    result = sweep(grid={name: SHAPES[name]})
    for run, value in zip(result.runs, SHAPES[name], strict=True):
        assert_same_run(run, train(changed(value)))


def test_settings_go_together(engine):
    """Batches of a fraction that is not held out, with masks, a mean and a rule that stops."""
    told = {
        "batch_size": 8,
        "validation": 0.25,
        "dropout": 0.2,
        "average": 0.8,
        "class_weight": "balanced",
        "stopping": gn.EarlyStopping(patience=2, metric="accuracy"),
        "engine": engine,
    }
    grid = {"learning_rate": [0.05, 0.5], "l2": [0.0, 0.1], "hidden_layer_sizes": [3, (4, 4)]}
    result = sweep(grid=grid, **told)
    assert len(result.cells) == 8
    for cell in result.cells:
        sizes = (2, *cell.settings["hidden_layer_sizes"], 2)
        optimizer = gn.SGD(cell.settings["learning_rate"])
        alone = train(gn.Network(sizes, hidden="tanh"), optimizer=optimizer, l2=cell.settings["l2"], **told)
        assert_same_run(cell.run, alone)
        assert_same_run(cell.run.resume(2), alone.resume(2))
        assert cell.metric == pytest.approx(cell_loss(cell.run), rel=1e-12)


def cell_loss(run):
    rows = run.validation.rows[-run.validation.n_held_out :]
    return gn.loss_and_gradient(run.network, run.theta, X[rows], Y[rows])[0]


def test_an_optimizer_may_be_named():
    result = sweep(grid={"optimizer": ["sgd", "adam"], "learning_rate": [0.1]})
    assert [run.optimizer for run in result.runs] == [gn.SGD(0.1), gn.Adam(0.1)]
    # In a table a rate in the optimizer's words would not be the one beside it.
    assert [row["optimizer"] for row in result.table] == ["SGD()", "Adam()"]


def test_networks_with_one_seed_and_shape_start_equal():
    result = sweep(grid={"learning_rate": [0.1, 0.2], "hidden_layer_sizes": [3, 4]}, random_state=None)
    firsts = [run.losses[0] for run in result.runs]
    assert firsts[0] == firsts[2] != firsts[1] == firsts[3]


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "a\0"]])
def test_validation_keeps_labels_that_differ_in_zero_bytes_at_the_end(labels):
    X, net = np.random.RandomState(0).randn(40, 3), gn.Network((3, 4, 2))
    y = [labels[int(x > 0)] for x in X[:, 0]]
    settings = {"iterations": 9, "random_state": 0, "validation": (X, y)}
    swept = gn.sweep(net, X, y, settings=[{}], **settings).cells[0].run
    assert np.array_equal(swept.validation_losses, gn.train(net, X, y, **settings).validation_losses)
