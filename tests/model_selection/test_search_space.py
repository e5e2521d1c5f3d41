"""The settings to try: grids, lists and draws, and what is refused."""

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sweeps import X, Y, sweep

import glassnet as gn
from glassnet.model_selection.scheduler import Scheduler


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
        ({"settings": [{"validation": (X[:, :1], Y)}]}, gn.InputError, "validation: X has 1 columns"),
        ({"settings": [{"validation": (X * np.nan, Y)}]}, gn.InputError, "validation: X has"),
        ({"settings": [{"validation": (X, Y + 1)}]}, gn.InputError, "validation: y has"),
        ({"settings": [{"validation": (X, Y.astype(str))}]}, gn.InputTypeError, "validation: y"),
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


@pytest.mark.parametrize(
    ("wrong", "right"), [("hidden", "hidden_layer_sizes"), ("lr", "learning_rate"), ("alpha", "l2")]
)
def test_settings_as_others_call_them_are_told_apart(wrong, right):
    with pytest.raises(gn.InputError, match=f"Did you mean '{right}'"):
        gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid={wrong: [0.1]})


def test_text_for_a_list_is_put_into_brackets():
    with pytest.raises(gn.InputTypeError, match=r"such as \['tanh'\]"):
        gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid={"activation": "tanh"})


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        ({}, gn.InputError, "grid is empty; .*: learning_rate, momentum, .*l1, l2, max_norm, .*activation"),
        ([0.1], gn.InputTypeError, "grid is a mapping .*not list"),
        ({"learning_rat": [0.1]}, gn.InputError, "SGD.*'learning_rat'. Did you mean 'learning_rate'"),
        ({"learning_rate": []}, gn.InputError, r"grid\['learning_rate'\] is empty"),
        ({"learning_rate": 0.1}, gn.InputTypeError, r"grid\['learning_rate'\] is 0.1; expected a list"),
        ({"learning_rate": "0.1"}, gn.InputTypeError, r"grid\['learning_rate'\] is '0.1'; expected a list"),
        ({"learning_rate": [0.1, 0]}, gn.InputError, r"grid\['learning_rate'\]\[1\] .*learning_rate is 0"),
        ({"momentum": [1]}, gn.InputError, r"grid\['momentum'\]\[0\] .*below 1"),
        ({"momentum": [0.1, "a"]}, gn.InputTypeError, r"grid\['momentum'\]\[1\] .*'a'"),
        ({"learning_rate": [np.nan]}, gn.InputError, r"grid\['learning_rate'\]\[0\] .*nan"),
        ({"momentum": [0.5, 0.1, 0.5]}, gn.InputError, r"grid\['momentum'\] has 0.5 twice"),
        ({"momentum": [0, 0.0]}, gn.InputError, r"grid\['momentum'\] has 0 twice"),
    ],
)
def test_sweep_refuses_a_bad_grid_before_it_does_anything(monkeypatch, grid, error, message):
    monkeypatch.setattr(Scheduler, "run", None)
    with pytest.raises(error, match=message):
        sweep(grid=grid)


def test_sweep_goes_through_the_grid_like_nested_loops():
    grid = {"momentum": (0.5, 0), "learning_rate": np.array([0.3, 0.1, 0.2])}
    result = sweep(grid=grid, threads=2)
    expected = [(m, r) for m in (0.5, 0.0) for r in (0.3, 0.1, 0.2)]
    assert [tuple(cell.settings.values()) for cell in result.cells] == expected
    assert [(run.optimizer.momentum, run.optimizer.learning_rate) for run in result.runs] == expected
    assert dict(result.grid) == {"momentum": (0.5, 0.0), "learning_rate": (0.3, 0.1, 0.2)}
    assert list(result.cells[0].settings) == ["momentum", "learning_rate"]
