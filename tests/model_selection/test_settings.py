"""Whatever a network of a sweep may be told, and the spaces that settings come from."""

import json
import warnings

import numpy as np
import pytest
from scipy.stats import loguniform, randint

import glassnet as gn
from glassnet.engine.prepare import problem_of
from glassnet.model_selection import plan
from glassnet.model_selection import worker as workers
from glassnet.model_selection.scheduler import Scheduler
from glassnet.model_selection.settings import NETWORK, TRAINING, Candidate
from glassnet.training.settings import FitSettings
from glassnet.training.train import DEFAULTS

NET = gn.Network((2, 3, 2), hidden="tanh")
RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
X = RANDOM.randn(60, 2) + 2 * Y[:, None]


def sweep(**settings):
    return gn.sweep(NET, X, Y, **{"iterations": 6, "random_state": 3, **settings})


def train(network=NET, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gn.DivergenceWarning)
        return gn.train(
            network, X, Y, **{"iterations": 6, "random_state": 3, "optimizer": gn.SGD(), **settings}
        )


def assert_same_path(one, other):
    """Everything but time, words and threads is equal, bit for bit."""
    for name in ("losses", "state", "validation_losses", "validation_scores", "heard"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.parameters == other.parameters
    assert one.averaged == other.averaged
    for name in ("network", "optimizer", "status", "diverged_at", "reduction", "engine", "iterations"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("batch_size", "dropout", "dropout_seed", "average", "class_weight", "penalties"):
        assert getattr(one, name) == getattr(other, name), name


# ---- Every setting ------------------------------------------------------------------------------

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
        assert_same_path(run, train(**{**common, name: value}))
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
        assert_same_path(run, train(changed(value)))


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
        assert_same_path(cell.run, alone)
        assert_same_path(cell.run.resume(2), alone.resume(2))
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


def test_data_are_packed_once_for_those_that_can_share_them(monkeypatch):
    made = []
    noted = lambda setup, *a: made.append(setup.network.sizes) or problem_of(setup, *a)  # noqa: E731
    monkeypatch.setattr("glassnet.engine.prepare.problem_of", noted)
    sweep(grid={"learning_rate": [0.1, 0.2, 0.3], "l2": [0.0, 0.1], "hidden_layer_sizes": [3, 4]})
    assert sorted(made) == [(2, 3, 2), (2, 4, 2)]


def test_runs_let_go_of_data_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(workers, "CACHE_BYTES", 1)
    monkeypatch.setattr(workers.Cache.__init__, "__defaults__", (1,))
    widths = list(range(1, 40))
    result = sweep(grid={"hidden_layer_sizes": widths}, iterations=1)
    for run, width in zip(result.runs, widths, strict=True):
        assert_same_path(run, train(gn.Network((2, width, 2), hidden="tanh"), iterations=1))
    assert any(run.data is None for run in result.runs)
    run = next(run for run in result.runs if run.data is None)
    assert run.resume(1, X=X, y=Y).iterations == 2


# ---- Spaces -------------------------------------------------------------------------------------


def test_a_list_of_settings_is_trained_as_it_stands():
    settings = [{"learning_rate": 0.1}, {"optimizer": "adam", "l2": 0.1}, {}]
    result = sweep(settings=settings)
    assert [run.optimizer for run in result.runs] == [gn.SGD(0.1), gn.Adam(), gn.SGD()]
    assert [run.penalties.l2 for run in result.runs] == [0.0, 0.1, 0.0]
    assert list(result.table[0])[:3] == ["learning_rate", "optimizer", "l2"]
    assert [row["l2"] for row in result.table] == [None, 0.1, None]


def test_grids_may_be_several():
    grid = [{"optimizer": ["adam"], "beta1": [0.5, 0.9]}, {"optimizer": ["sgd"], "momentum": [0.5]}]
    result = sweep(grid=grid)
    assert [run.optimizer for run in result.runs] == [
        gn.Adam(beta1=0.5),
        gn.Adam(beta1=0.9),
        gn.SGD(momentum=0.5),
    ]


def test_draws_are_scikit_learns():
    from sklearn.model_selection import ParameterSampler

    grid = {"learning_rate": loguniform(1e-3, 1), "hidden_layer_sizes": randint(2, 9), "l2": [0.0, 0.1]}
    result = sweep(grid=grid, n_draws=8)
    drawn = list(ParameterSampler(grid, 8, random_state=3))
    for cell, one in zip(result.cells, drawn, strict=True):
        assert cell.settings == {**one, "hidden_layer_sizes": (one["hidden_layer_sizes"],)}
    assert result.table == [
        {**row, "seconds": again["seconds"]}
        for row, again in zip(sweep(grid=grid, n_draws=8).table, result.table, strict=True)
    ]


def test_draws_from_lists_alone_are_no_more_than_there_are():
    assert len(sweep(grid={"l2": [0.0, 0.1], "l1": [0.0, 0.1]}, n_draws=3).cells) == 3
    assert len(sweep(grid={"l2": [0.0, 0.1], "l1": [0.0, 0.1]}, n_draws=9).cells) == 4


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({}, gn.InputError, "neither grid nor settings"),
        ({"grid": {"l2": [0]}, "settings": [{}]}, gn.InputError, "both grid and settings"),
        ({"settings": []}, gn.InputError, "settings is empty"),
        ({"settings": {"l2": 0.1}}, gn.InputTypeError, "settings is a list of mappings .*not dict"),
        ({"settings": [0.1]}, gn.InputTypeError, r"settings\[0\] is 0.1"),
        ({"settings": [{"l2": 0}, {"l2": 0.0}]}, gn.InputError, "1 setting.* more than once"),
        ({"settings": [{"bach_size": 0}]}, gn.InputError, "in the settings: 'bach_size'. Did you mean"),
        (
            {"settings": [{"l2": -1}]},
            gn.InputError,
            r"settings\[0\] has l2=-1, which cannot be used: l2 is",
        ),
        ({"settings": [{}], "n_draws": 3}, gn.InputError, "n_draws draws from a grid"),
        ({"grid": []}, gn.InputError, "grid is empty"),
        ({"grid": {"l2": [0.1]}, "n_draws": 0}, gn.InputError, "n_draws is 0"),
        ({"grid": {"l2": loguniform(0.1, 1)}}, gn.InputError, "is a distribution.* give n_draws"),
        ({"grid": {"l2": 0.1}, "n_draws": 2}, gn.InputTypeError, "or a distribution of scipy.stats"),
        ({"grid": {"hiden_layer_sizes": [3]}}, gn.InputError, "Did you mean 'hidden_layer_sizes'"),
        ({"grid": {"hidden_layer_sizes": [(3, 0)]}}, gn.InputError, r"hidden_layer_sizes=\(3, 0\)"),
        ({"grid": {"hidden_layer_sizes": ["3"]}}, gn.InputTypeError, "widths such as"),
        ({"grid": {"optimizer": ["adma"]}}, gn.InputError, "Did you mean 'adam'"),
        (
            {"grid": {"optimizer": ["adam"], "momentum": [0.1]}},
            gn.InputError,
            "of Adam in the grid: 'momentum'",
        ),
        (
            {"grid": {"batch_size": [5], "optimizer": [gn.LBFGS()]}},
            gn.InputError,
            "gn.LBFGS compares losses",
        ),
        ({"grid": {"iterations": [0]}}, gn.InputError, "iterations is 0"),
        ({"grid": {"class_weight": ["balenced"]}}, gn.InputError, "class_weight is 'balenced'"),
        ({"grid": {"network": [gn.Network((3, 2))]}}, gn.InputError, r"3 input\(s\) and 2 output"),
        ({"grid": {"network": ["2-3-2"]}}, gn.InputTypeError, "network is a glassnet.Network"),
        ({"grid": {"stopping": [5]}}, gn.InputTypeError, "stopping is a glassnet.EarlyStopping"),
        ({"grid": {"dtype": ["float16"]}}, gn.InputError, "dtype is float32 or float64"),
        (
            {"settings": [{"random_state": np.random.RandomState(1)}]},
            gn.InputTypeError,
            "would move on from one network",
        ),
        ({"settings": [{"validation": (X[:, :1], Y)}]}, gn.InputError, "validation X has 1 columns"),
        ({"settings": [{"validation": (X * np.nan, Y)}]}, gn.InputError, "validation: X has"),
        ({"grid": {"random_state": [1]}, "seeds": 2}, gn.InputError, "seeds and random_state"),
        ({"grid": {"l2": [0.1]}, "keep_losses": 0}, gn.InputError, "keep_losses is 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_anything_is_trained(
    monkeypatch, told, error, message
):
    monkeypatch.setattr(Scheduler, "run", None)
    with pytest.raises(error, match=message):
        sweep(**told)


# ---- What is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 20])
def test_long_histories_are_thinned_and_the_verdicts_stay(batch_size):
    told = {"grid": {"learning_rate": [1e-4, 0.1, 0.5]}, "iterations": 900, "batch_size": batch_size}
    whole, thin = sweep(**told), sweep(**told, keep_losses=60)
    without = [{**row, "seconds": 0} for row in whole.table]
    assert [{**row, "seconds": 0} for row in thin.table] == without
    for one, other in zip(thin.cells, whole.cells, strict=True):
        at, losses = one.curve(None)
        assert len(at) < 100
        assert (at[-1], losses[-1], losses.min()) == (900, other.run.losses[-1], other.run.losses.min())
        assert len(one.run.losses) == len(other.run.losses)
        known = ~np.isnan(one.run.losses)
        assert known.sum() == len(at)
        assert np.array_equal(one.run.losses[known], other.run.losses[known])
        assert one.run.iterations == one.iterations == 900
        assert one.run.resume(5).losses[-1] == other.run.resume(5).losses[-1]


def test_batches_are_told_by_their_epochs():
    result = sweep(grid={"learning_rate": [0.05, 1e9]}, batch_size=10)
    text = str(result)
    assert "6 epochs each" in text
    lost = result.cells[1]
    assert lost.status == "diverged"
    assert len(lost.run.losses) == 0
    assert np.isnan(lost.final_loss)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["cells"][1]["final_loss"] is None
    assert result.cells[0].curve()[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert result.best is result.cells[0]
    gn.plots.sweep_losses(result)


def test_settings_of_any_kind_are_shown_drawn_and_written(tmp_path):
    settings = [
        {"optimizer": gn.LBFGS(), "stopping": gn.EarlyStopping(patience=2)},
        {"hidden_layer_sizes": (4, 2), "dropout": [0.1, 0.2], "activation": ["relu", "tanh"]},
        {"class_weight": {0: 1.0, 1: 2.0}, "network": gn.Network((2, 2, 2))},
    ]
    result = sweep(settings=settings)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert "(4, 2)" in str(result)
    assert len(result.to_pandas()) == len(result.to_polars()) == 3


def test_numbers_and_truths_stay_so_in_frames_where_some_are_missing():
    settings = [{"batch_size": 10, "shuffle": False}, {"batch_size": None, "l2": 0.5}]
    result = sweep(grid=None, settings=settings, iterations=2)
    kinds = result.to_pandas().dtypes.astype(str)
    assert [kinds[name] for name in ("batch_size", "shuffle", "l2")] == ["Int64", "boolean", "float64"]
    kinds = result.to_polars().schema
    assert [str(kinds[name]) for name in ("batch_size", "shuffle", "l2")] == ["Int64", "Boolean", "Float64"]
    gn.plots.sweep_losses(result)
    gn.plots.sweep_heatmap(result)


def test_to_polars_holds_numbers_as_numbers():
    frame = sweep(grid={"learning_rate": [0.1, 1e4], "batch_size": [None, 10]}).to_polars()
    assert [str(kind) for kind in frame.dtypes[:4]] == ["Float64", "Int64", "String", "Int64"]
    assert frame["batch_size"].to_list() == [None, 10, None, 10]


@pytest.mark.parametrize(
    ("wrong", "right"), [("hidden", "hidden_layer_sizes"), ("lr", "learning_rate"), ("alpha", "l2")]
)
def test_settings_as_others_call_them_are_told_apart(wrong, right):
    with pytest.raises(gn.InputError, match=f"Did you mean '{right}'"):
        gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid={wrong: [0.1]})


def test_text_for_a_list_is_put_into_brackets():
    with pytest.raises(gn.InputTypeError, match=r"such as \['tanh'\]"):
        gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid={"activation": "tanh"})


def test_an_added_setting_at_its_default_is_no_part_of_a_sweeps_identity(monkeypatch):
    def text(**changes):
        return plan._text_of(Candidate(NET, FitSettings.of({**DEFAULTS, **changes})))

    known = text(average=0.9)
    monkeypatch.setattr(plan, "ADDED_NAMES", {*plan.ADDED_NAMES, "average"})
    assert "average" not in text()
    assert text(average=0.9) == known != text()
