import inspect
import json
import os
import pickle
import pydoc
import signal
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import glassnet as gn
from glassnet import model_selection as sweeps
from glassnet.data.dataset import as_dataset
from glassnet.engine.prepare import prepare, problem_of
from glassnet.model_selection import (
    CONVERGED_BELOW,
    FELL,
    ROSE,
    STATUSES,
    SweepCell,
    assess,
    rules,
    thread_pool,
)
from glassnet.model_selection import worker as workers
from glassnet.model_selection.scheduler import Scheduler
from glassnet.training import run_policy
from glassnet.training.settings import FitSettings
from glassnet.training.train import DEFAULTS, begin

NET = gn.Network((2, 3, 2), hidden="tanh")
RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 2, 60)
X = RANDOM.randn(60, 2) + 2 * Y[:, None]
GRID = {"learning_rate": [0.01, 0.5, 1e4], "momentum": [0.0, 0.9]}  # 1e4 blows up
START = NET.initialize(3)


def sweep(**settings):
    return gn.sweep(NET, X, Y, **{"grid": GRID, "iterations": 40, "random_state": 3, **settings})


def train(optimizer, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gn.DivergenceWarning)
        return gn.train(NET, X, Y, optimizer=optimizer, **{"iterations": 40, "random_state": 3, **settings})


def assert_same_path(one, other):
    """Everything but time, words and threads is equal, bit for bit."""
    assert np.array_equal(one.losses, other.losses)
    assert one.parameters == other.parameters
    assert np.array_equal(one.state, other.state)
    for name in ("network", "optimizer", "status", "diverged_at", "reduction", "engine", "iterations"):
        assert getattr(one, name) == getattr(other, name), name


# ---- The networks -------------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "dtype"), [(1, "float64"), (2, "float32")])
def test_sweep_gives_each_network_what_train_gives(engine, threads, dtype):
    result = sweep(engine=engine, threads=threads, dtype=dtype)
    assert len(result.runs) == 6
    for run in result.runs:
        assert_same_path(run, train(run.optimizer, engine=engine, dtype=dtype))
    assert {run.status for run in result.runs} == {"completed", "diverged"}


def test_sweep_passes_everything_on(engine):
    w = np.random.RandomState(1).uniform(0, 3, 60)
    settings = {
        "reduction": "sum",
        "sample_weight": w,
        "scheme": "he",
        "engine": engine,
        "dtype": np.float32,
    }
    for more in ({"random_state": 5}, {"parameters": START}, {"parameters": START.flat}):
        for run in sweep(grid={"learning_rate": [1e-4, 1e-3]}, **settings, **more).runs:
            assert_same_path(run, train(run.optimizer, **settings, **more))


def test_sweep_takes_from_the_optimizer_what_the_grid_does_not_name():
    result = sweep(grid={"momentum": [0.25, 0.5]}, optimizer=gn.SGD(0.03, 0.9))
    assert [run.optimizer for run in result.runs] == [gn.SGD(0.03, 0.25), gn.SGD(0.03, 0.5)]


def test_sweep_goes_through_the_grid_like_nested_loops():
    grid = {"momentum": (0.5, 0), "learning_rate": np.array([0.3, 0.1, 0.2])}
    result = sweep(grid=grid, threads=2)
    expected = [(m, r) for m in (0.5, 0.0) for r in (0.3, 0.1, 0.2)]
    assert [tuple(cell.settings.values()) for cell in result.cells] == expected
    assert [(run.optimizer.momentum, run.optimizer.learning_rate) for run in result.runs] == expected
    assert dict(result.grid) == {"momentum": (0.5, 0.0), "learning_rate": (0.3, 0.1, 0.2)}
    assert list(result.cells[0].settings) == ["momentum", "learning_rate"]


def test_sweep_draws_the_parameters_once():
    stream, same = np.random.RandomState(7), np.random.RandomState(7)
    result = sweep(random_state=stream)
    NET.initialize(same)
    assert stream.randint(1 << 30) == same.randint(1 << 30)
    assert len({run.losses[0] for run in result.runs}) == 1


def test_sweep_prepares_the_data_once(monkeypatch):
    calls = []
    counted = lambda *args: calls.append(1) or problem_of(*args)  # noqa: E731
    monkeypatch.setattr("glassnet.engine.prepare.problem_of", counted)
    sweep()
    assert calls == [1]


def test_sweep_changes_nothing_that_is_passed_in():
    before = START.flat.copy(), X.copy(), Y.copy()
    grid = {"learning_rate": [0.1, 0.2]}
    sweep(parameters=START, grid=grid, sample_weight=np.ones(60))
    assert all(map(np.array_equal, before, (START.flat, X, Y)))
    assert grid == {"learning_rate": [0.1, 0.2]}


def test_networks_share_no_memory():
    one, other = sweep(grid={"learning_rate": [0.1, 0.2]}).runs
    for name in ("losses", "state"):
        assert not np.shares_memory(getattr(one, name), getattr(other, name))
    assert not np.shares_memory(one.parameters.flat, other.parameters.flat)


def test_every_network_resumes_bit_for_bit(engine):
    result = sweep(grid={"learning_rate": [0.1, 0.3]}, engine=engine, threads=2)
    for run in result.runs:
        assert_same_path(run.resume(10), train(run.optimizer, iterations=50, engine=engine))


def test_a_network_resumes_on_all_threads():
    run = sweep(engine="native", threads=3).runs[0]
    assert (run.threads, run.resume(1).threads) == (1, 3)


def test_sweep_runs_as_many_networks_at_a_time_as_there_are_threads(monkeypatch):
    together, most, busy, lock = threading.Barrier(2, timeout=20), 0, 0, threading.Lock()

    def watched(*args, **settings):
        nonlocal most, busy
        with lock:
            busy += 1
            most = max(most, busy)
        together.wait()  # breaks unless two come
        try:
            return run_policy.continue_run(*args, **settings)
        finally:
            with lock:
                busy -= 1

    monkeypatch.setattr(workers, "continue_run", watched)
    sweep(threads=2)
    assert most == 2


@pytest.mark.parametrize(
    ("threads", "networks", "each"), [(1, 3, 1), (3, 3, 1), (4, 3, 1), (7, 3, 2), (4, 1, 4)]
)
def test_threads_without_a_network_of_their_own_help_the_others(threads, networks, each):
    rates = [0.1, 0.2, 0.3][:networks]
    result = sweep(grid={"learning_rate": rates}, threads=threads, engine="native")
    assert [run.threads for run in result.runs] == [each] * networks
    assert result.threads == min(threads, networks) * each
    for run in result.runs:
        assert_same_path(run, train(run.optimizer, threads=1))


def test_problem_with_other_threads_shares_the_data(engine):
    problem = prepare(NET, X, Y, engine=engine, threads=3)
    other = problem.with_threads(2)
    assert (problem.threads, other.threads) == ((3, 2) if engine == "native" else (1, 1))
    one, two = (p.loss_and_gradient(START.flat) for p in (problem, other))
    assert one[0] == two[0]
    assert np.array_equal(one[1], two[1])
    assert (other.baseline, other.engine_reason) == (problem.baseline, problem.engine_reason)
    with pytest.raises(gn.InputError, match="threads is 0"):
        problem.with_threads(0)


def test_an_error_in_one_network_ends_the_sweep(monkeypatch):
    ended = []

    def failing(start, *args, **settings):
        if start.optimizer.learning_rate == 0.2:
            raise ZeroDivisionError
        ended.append(run_policy.continue_run(start, *args, **settings).status)

    monkeypatch.setattr(workers, "continue_run", failing)
    with pytest.raises(ZeroDivisionError):
        sweep(grid={"learning_rate": [0.1, 0.2, 0.3, 0.4]}, iterations=20_000_000, threads=2)
    assert set(ended) <= {"interrupted"}


def test_history_that_does_not_fit_is_an_error():
    with pytest.raises(gn.InputError, match="does not fit into memory"):
        sweep(iterations=10**15)


def test_progress_counts_networks_and_leaves_out_what_divergence_saves(capsys):
    sweep(progress=True)
    shown = capsys.readouterr().err
    assert "0 of 6 networks" in shown
    assert "6 of 6 networks: 100%" in shown
    assert "160/160" in shown  # 4 networks of 40 iterations; two diverged at once
    sweep()
    assert capsys.readouterr().err == ""


def test_sweep_shows_every_argument_with_its_default():
    ours, theirs = (inspect.signature(function).parameters for function in (gn.sweep, gn.train))
    assert set(theirs) - set(ours) == {"callbacks"}
    different = {name for name in theirs if name in ours and ours[name].default != theirs[name].default}
    assert different == {"y"}
    assert all(
        one.kind is one.KEYWORD_ONLY for name, one in ours.items() if name not in ("network", "X", "y")
    )
    assert "class_weight" in pydoc.render_doc(gn.sweep)


@pytest.mark.parametrize(("name", "near"), [("bach_size", "batch_size"), ("lr", None), ("callbacks", None)])
def test_sweep_refuses_an_argument_that_it_does_not_have(name, near):
    hint = "" if near is None else f"Did you mean '{near}'"
    with pytest.raises(
        gn.InputTypeError, match=f"sweep has no argument '{name}'.*{hint}.*halving.*dropout"
    ):
        sweep(**{name: 3})


# ---- What cannot be swept -----------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"iterations": 0}, gn.InputError, "iterations is 0"),
        ({"iterations": -1}, gn.InputError, "iterations is -1"),
        ({"iterations": 1.5}, gn.InputTypeError, "iterations is a whole number"),
        ({"optimizer": "sgd"}, gn.InputTypeError, "optimizer is a glassnet optimizer"),
        ({"threads": 0}, gn.InputError, "threads is 0"),
        ({"engine": "nativ"}, gn.InputError, "Did you mean 'native'"),
        ({"scheme": "gloro"}, gn.InputError, "Did you mean 'glorot'"),
        ({"reduction": "total"}, gn.InputError, "reduction 'total'"),
        ({"converged_below": 0}, gn.InputError, "converged_below is 0"),
        ({"converged_below": np.nan}, gn.InputError, "converged_below is nan"),
        ({"converged_below": "low"}, gn.InputTypeError, "converged_below is a number"),
        ({"converged_below": True}, gn.InputTypeError, "converged_below is a number"),
        ({"parameters": np.zeros(3)}, gn.InputError, "17 parameters"),
        ({"parameters": np.full(17, 1.7e308), "engine": "numpy"}, gn.InputError, "before the first update"),
    ],
)
def test_sweep_refuses_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        sweep(**settings)


# ---- Statuses -----------------------------------------------------------------------------------


class Ended:
    def __init__(self, losses, status="completed"):
        self.losses, self.status = np.array(losses, float), status
        self.iterations = len(self.losses) - 1


def line(*corners, n=100):
    """A loss curve of n + 1 values through (share of the iterations, loss) points."""
    return np.interp(np.linspace(0, 1, n + 1), *zip(*corners, strict=True))


CURVES = {
    "low and flat": (line((0, 1.2), (0.5, 0.05), (1, 0.05)), "converged"),
    "low, falling slowly": (line((0, 1.2), (0.5, 0.05), (1, 0.03)), "converged"),
    "low from the start": (line((0, 0.01), (1, 0.001)), "converged"),
    "low, jumping a little": (0.02 + 0.01 * (np.arange(101) % 2), "converged"),
    "just at the border": (line((0, 1.2), (0.5, 0.1), (1, 0.1)), "converged"),
    "just above the border": (line((0, 1.2), (0.5, 0.101), (1, 0.101)), "plateau"),
    "high and flat": (line((0, 1.2), (0.2, 0.37), (1, 0.37)), "plateau"),
    "high, falling by less than a hundredth": (line((0, 1.2), (0.2, 0.4), (1, 0.35)), "plateau"),
    "flat above the baseline, below the start": (line((0, 3), (0.2, 1.5), (1, 1.5)), "plateau"),
    "a rise long ago": (line((0, 1.2), (0.3, 0.2), (0.5, 0.8), (0.7, 0.05), (1, 0.05)), "converged"),
    "over the cliff at the end": (line((0, 1.2), (0.2, 0.4), (0.95, 0.4), (1, 0.02)), "falling"),
    "high, falling by more than a hundredth": (line((0, 1.2), (0.2, 0.4), (1, 0.25)), "falling"),
    "high, falling, after a leap": (line((0, 1.2), (0.05, 6), (0.2, 0.4), (1, 0.25)), "falling"),
    "low, though a little worse than at the start": (line((0, 0.05), (0.2, 0.09), (1, 0.09)), "converged"),
    "steep": (line((0, 1.2), (1, 0.3)), "falling"),
    "steep, down to low": (line((0, 1.2), (1, 0.05)), "falling"),
    "a slope of hardly anything": (line((0, 1.2), (1, 1.199)), "falling"),
    "worse at the end than ever": (line((0, 1.2), (0.2, 4), (1, 4)), "unstable"),
    "slowly worse": (line((0, 1.2), (1, 1.21)), "unstable"),
    "jumping, high": (0.5 + 0.06 * (np.arange(101) % 2), "unstable"),
    "jumping while it falls": (line((0, 5), (1, 0.5)) + 0.3 * (np.arange(101) % 2), "unstable"),
    "one spike near the end": (np.r_[np.full(95, 0.01), 0.07, np.full(5, 0.01)], "unstable"),
    "a single update down": ([1.2, 0.8], "falling"),
    "a single update up": ([0.5, 0.8], "unstable"),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("scale", [1.0, 34657.36])
def test_assess_reads_a_curve_as_a_person_does(name, scale):
    losses, status = CURVES[name]
    assert assess(Ended(np.multiply(losses, scale)), scale) == status


def test_assess_covers_every_status():
    ended = {"diverged", "dropped", "interrupted"}
    assert {status for _, status in CURVES.values()} | ended == set(STATUSES)


@pytest.mark.parametrize("status", ["diverged", "interrupted"])
def test_assess_keeps_what_training_says(status):
    assert assess(Ended([1, 0.01, 0.01], status), 1.0) == status


def test_assess_takes_another_border():
    losses = line((0, 1.2), (0.2, 0.37), (1, 0.37))
    assert assess(Ended(losses), 1.0, converged_below=0.4) == "converged"
    assert sweep(grid={"learning_rate": [1e-9]}, converged_below=10).cells[0].status == "converged"


@pytest.mark.parametrize(
    ("iterations", "status"),
    [(5, "falling"), (1000, "plateau"), (6000, "plateau"), (6100, "falling"), (50_000, "converged")],
)
def test_assess_knows_the_notebooks_plateau(circles, iterations, status):
    assert assess(Ended(circles["loss"][: iterations + 1]), 50_000 * np.log(2)) == status


def test_sweep_over_the_notebooks_circles(circles, circles_data):
    parts = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    start = np.concatenate([circles[f"initial_{part}"].ravel() for part in parts])
    result = gn.sweep(
        gn.Network((2, 3, 2)),
        *circles_data[:2],
        grid={"learning_rate": [1e-5, 1e-4, 3e-4, 0.25], "momentum": [0.5]},
        iterations=300,
        reduction="sum",
        parameters=start,
    )
    assert [cell.status for cell in result.cells] == ["falling", "plateau", "unstable", "diverged"]
    assert result.cells[3].verdict == "diverged at 1"
    assert result.baseline == pytest.approx(50_000 * np.log(2), rel=1e-12)
    assert_allclose(result.runs[1].losses, circles["loss"][:301], rtol=1e-9)


def test_what_is_printed_has_columns_for_what_varies():
    lines = str(sweep(grid={"l2": [0.25], "learning_rate": [0.1, 0.2]}, iterations=2)).splitlines()
    assert "  all with l2 0.25" in lines
    heading = next(line for line in lines if "learning_rate" in line)
    assert "l2" not in heading
    assert "l2" in str(sweep(grid={"l2": [0.25]}, iterations=2))


# ---- The loss of the best constant answer -------------------------------------------------------


@pytest.mark.parametrize("loss", gn.LOSSES)
@pytest.mark.parametrize(("weighted", "reduction"), [(False, "mean"), (True, "sum")])
def test_constant_loss_is_the_least_of_all_constant_answers(
    make_network, make_data, loss, weighted, reduction
):
    network = make_network((2, 3), "tanh", loss)
    _, y = make_data(network, 50)
    w = np.random.RandomState(3).uniform(0, 2, 50) if weighted else None
    # A network whose inputs are all 0 has nothing but its biases to answer with.
    settings = {"sample_weight": w, "reduction": reduction}
    problem = prepare(network, np.zeros((50, 2)), y, **settings)
    rate = 1.0 if reduction == "mean" else 1 / (50 if w is None else w.sum())
    run = gn.train(network, np.zeros((50, 2)), y, optimizer=gn.SGD(rate, 0.5), iterations=2000, **settings)
    # Descent rattles about a kink.
    close = pytest.approx(run.losses[-1], rel=1e-2 if network.loss.kinks else 1e-9)
    assert sweeps.constant_loss(problem, y, w) == close
    assert sweeps.constant_loss(problem, y, w) <= run.losses.min() * (1 + 1e-12)
    assert sweeps.constant_loss(problem, y, w) < problem.baseline


@pytest.mark.parametrize("scale", [1, 50])
def test_sweep_over_counts_is_measured_from_the_least_loss_which_may_be_negative(scale):
    X = np.linspace(-1, 1, 60)[:, None]
    y = scale * np.exp(X)
    result = gn.sweep(
        gn.Network((1, 1), output="exp"),
        X,
        y,
        grid={"learning_rate": [1e-9, 0.2 / scale]},
        iterations=3000,
        random_state=0,
    )
    assert (result.floor < result.baseline < 0) == (scale == 50)
    poor, good = result.table
    assert good["status"] == "converged" != poor["status"]
    assert abs(good["share"]) < 1e-6 < 0.1 < poor["share"]


def test_constant_loss_takes_class_numbers(make_data):
    problem = prepare(NET, X, [0] * 45 + [1] * 15)
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert sweeps.constant_loss(problem, [0] * 45 + [1] * 15) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("network", "y"),
    [
        (gn.Network((2, 2)), np.ones(60, int)),
        (gn.Network((2, 1), output="logistic"), np.ones(60)),
        (gn.Network((2, 1), output="identity"), np.full(60, 0.1)),
    ],
)
def test_targets_that_never_vary_are_measured_by_the_loss_of_zero(network, y):
    result = gn.sweep(network, X, y, grid={"learning_rate": [0.2]}, iterations=500, random_state=0)
    assert result.baseline == prepare(network, X, y).baseline
    assert result.cells[0].status == "converged"


def test_a_regression_that_learns_the_mean_alone_has_not_converged():
    random = np.random.RandomState(0)
    network = gn.Network((2, 3, 1), hidden="tanh", output="identity")
    result = gn.sweep(network, X, 50 + random.randn(60), grid={"learning_rate": [0.05]}, random_state=0)
    assert result.cells[0].final_loss < 0.01 * prepare(network, X, 50 + random.randn(60)).baseline
    assert result.cells[0].status in ("plateau", "falling")


# ---- The result ---------------------------------------------------------------------------------


def test_best_is_the_lowest_final_loss_among_those_that_did_not_diverge():
    result = sweep()
    ended = [cell for cell in result.cells if cell.status != "diverged"]
    assert result.best.final_loss == min(cell.final_loss for cell in ended)
    assert result.best in ended
    # What blows up late may have been lower before than anything else.
    low, high = sorted(result.runs, key=lambda run: run.losses[-1])[::5]
    cells = SweepCell({}, "diverged", low), SweepCell({}, "unstable", high)
    assert replace(result, cells=cells).best is cells[1]
    runs = (replace(low, losses=np.array(losses)) for losses in ([1, 0.1, 0.9], [1, 0.5, 0.5]))
    cells = tuple(SweepCell({}, "unstable", run) for run in runs)
    assert replace(result, cells=cells).best is cells[1]
    assert sweep(grid={"learning_rate": [1e5, 1e6]}).best is None


def test_table_has_a_row_for_each_network():
    result, shares = sweep(), np.bincount(Y) / 60
    entropy = -shares @ np.log(shares)
    for row, run, cell in zip(result.table, result.runs, result.cells, strict=True):
        assert list(row)[:3] == ["learning_rate", "momentum", "status"]
        assert (row["learning_rate"], row["momentum"]) == (
            run.optimizer.learning_rate,
            run.optimizer.momentum,
        )
        assert row["status"] == cell.status
        assert (row["diverged_at"], row["iterations"]) == (run.diverged_at, run.iterations)
        assert (row["final_loss"], row["lowest_loss"]) == (run.losses[-1], run.losses.min())
        assert row["share"] == pytest.approx(run.losses[-1] / entropy, rel=1e-12)
        assert row["seconds"] == run.seconds


def test_to_pandas_is_the_table():
    result = sweep()
    frame = result.to_pandas()
    assert list(frame.columns) == list(result.table[0])
    assert frame["diverged_at"].dtype == "Int64"
    assert frame["diverged_at"].isna().tolist() == [run.diverged_at is None for run in result.runs]
    assert frame["final_loss"].tolist() == [run.losses[-1] for run in result.runs]


def test_to_dict_is_json_and_holds_every_curve():
    result = sweep()
    document = result.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["grid"] == {"learning_rate": [0.01, 0.5, 1e4], "momentum": [0.0, 0.9]}
    for row, run in zip(document["cells"], result.runs, strict=True):
        assert row["curve"]["losses"] == run.losses.tolist()
        assert row["curve"]["iterations"] == list(range(len(run.losses)))
    assert (
        len(sweep(iterations=5000, grid={"momentum": [0]}).to_dict(most=100)["cells"][0]["curve"]["losses"])
        <= 110
    )


@pytest.mark.parametrize(
    ("most", "n"),
    [(10, 1), (10, 99), (10, 65_537), (100, 2001), (100, 20_001), (2000, 2001), (2000, 65_537)],
)
def test_curve_keeps_ends_extremes_and_the_early_iterations(n, most):
    losses = np.random.RandomState(n).uniform(1, 2, n)
    losses[n // 3], losses[n // 2] = 0.5, 3.0
    run = gn.TrainingRun(
        NET, gn.SGD(), START, START.flat[None], losses, "mean", "completed", None, 1.0, "numpy", "", 1
    )
    cell = SweepCell({}, "converged", run)
    at, kept = cell.curve(most)
    assert len(at) <= max(most * 1.2, 12)
    assert np.array_equal(kept, losses[at])
    assert (np.diff(at) > 0).all()
    assert {0, n - 1, n // 2} <= set(at.tolist()) or n == 1
    if n > 1:
        assert kept.min() == losses.min()
        assert kept.max() == losses.max()
    assert at[: most // 40].tolist() == list(range(min(most // 40, n)))
    assert np.array_equal(cell.curve(None)[1], losses)


def test_result_is_readable():
    text = str(sweep())
    assert "6 networks 2-3-2 (tanh, softmax; cross_entropy), 40 iterations each" in text
    assert "2 diverged" in text
    assert "diverged at 1" in text
    assert len(text.splitlines()) == 4 + 6 + 2  # with the rule of falling and of plateau
    many = str(sweep(grid={"learning_rate": np.linspace(0.1, 0.2, 100)}, iterations=1))
    assert "\n  and 40 more\n" in many
    cell = sweep().cells[4]
    start = f"loss {cell.run.losses[0]:.6g}"
    assert repr(cell) == f"SweepCell(learning_rate 10000, momentum 0: diverged at 1, {start})"


def test_result_travels_by_pickle():
    result = sweep()
    copy = pickle.loads(pickle.dumps(result))
    assert copy.table == result.table
    for one, other in zip(copy.runs, result.runs, strict=True):
        assert_same_path(one, other)


# ---- Ctrl-C -------------------------------------------------------------------------------------


@pytest.fixture
def handler():
    """Python's own handler during the test; whatever pytest had comes back."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize(("engine", "threads"), [("numpy", 2), ("native", 1)])
def test_ctrl_c_returns_what_was_done_so_far(engine, threads, handler):
    grid = {"learning_rate": [1e4, 0.1, 0.2, 0.3, 1e5]}
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(gn.InterruptedTrainingWarning, match=r"1 of 5 networks are finished") as caught:
        result = sweep(grid=grid, iterations=20_000_000, threads=threads, engine=engine)
    timer.join()
    assert caught[0].filename == __file__
    assert signal.getsignal(signal.SIGINT) is handler
    statuses = ["diverged"] + 4 * ["interrupted"]
    assert [cell.status for cell in result.cells] == statuses
    assert [run.status for run in result.runs] == statuses
    assert all(run.iterations > 0 for run in result.runs[1 : 1 + threads])
    assert all(run.iterations == 0 for run in result.runs[1 + threads :])
    assert result.cells[-1].verdict == "interrupted at 0"
    for run in result.runs[1:4]:
        assert_same_path(run.resume(3), train(run.optimizer, iterations=run.iterations + 3, engine=engine))
    assert json.dumps(result.to_dict(), allow_nan=False)


def test_networks_that_were_done_when_ctrl_c_came_are_done(monkeypatch, handler):
    real = thread_pool.as_completed

    def late(futures):
        done = list(real(futures))
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(thread_pool, "as_completed", late)
    assert "interrupted" not in {cell.status for cell in sweep().cells}


def test_network_whose_last_update_was_made_is_not_interrupted():
    stop = np.ones(1, np.uint8)
    settings = FitSettings.of({**DEFAULTS, "parameters": START})
    start, _, _ = begin(NET, as_dataset(X, Y), settings)
    run = run_policy.continue_run(start, 0, stop=stop)
    assert run.status == "completed"
    run = run_policy.continue_run(start, 1, stop=stop)
    assert (run.status, run.iterations) == ("interrupted", 0)


def test_second_ctrl_c_raises_and_leaves_no_thread_behind(monkeypatch, handler):
    def press_twice(futures):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(thread_pool, "as_completed", press_twice)
    with pytest.raises(KeyboardInterrupt):
        sweep(iterations=20_000_000)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-sweep")]


def test_sweep_in_another_thread_installs_no_handler(handler):
    results, seen = [], []
    real = thread_pool.as_completed

    def watched(futures):
        seen.append(signal.getsignal(signal.SIGINT))
        return real(futures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread_pool, "as_completed", watched)
        thread = threading.Thread(target=lambda: results.append(sweep()))
        thread.start()
        thread.join()
    assert seen == [handler]
    for one, other in zip(results[0].runs, sweep().runs, strict=True):
        assert_same_path(one, other)


# ---- Other optimizers, schedules, penalties -------------------------------------------------------

VALUES = {
    "learning_rate": [0.01, gn.Cosine(0.02, 30)],
    "clip_norm": [None, 0.1],
    "clip_value": [None, 0.01],
    "l1": [0.0, 1e-3],
    "l2": [0.0, 1e-2],
    "max_norm": [None, 1.0],
}


@pytest.mark.parametrize("kind", gn.OPTIMIZERS.values(), ids=gn.OPTIMIZERS)
def test_sweep_varies_any_setting_of_any_optimizer(kind):
    for name, default in kind().settings().items():
        if isinstance(default, bool):
            values = [False, True]
        else:
            values = VALUES.get(name) or [default, 0.5 * default or 0.5]
        result = sweep(grid={name: values}, optimizer=kind(), iterations=5)
        assert [cell.settings for cell in result.cells] == [{name: value} for value in values]
        for run, value in zip(result.runs, values, strict=True):
            assert_same_path(run, train(kind(**{name: value}), iterations=5))


@pytest.mark.parametrize("name", ["l1", "l2", "max_norm"])
def test_sweep_varies_the_penalties(engine, name):
    result = sweep(grid={name: VALUES[name], "momentum": [0.5]}, iterations=5, engine=engine, l2=1e-4)
    for run, value in zip(result.runs, VALUES[name], strict=True):
        settings = {"l2": 1e-4, name: value}
        assert_same_path(run, train(gn.SGD(momentum=0.5), iterations=5, engine=engine, **settings))
        assert getattr(run.penalties, name) == value
    assert not np.array_equal(result.runs[0].losses, result.runs[1].losses)


def test_settings_that_are_no_numbers_are_shown_as_they_are_written():
    grid = {"learning_rate": [0.1, gn.Step(0.1, every=3)], "clip_norm": [None, 1.0], "nesterov": [True]}
    result = sweep(grid=grid, iterations=3)
    label = "learning_rate Step(rate=0.1, every=3, factor=0.1), clip_norm None, nesterov True"
    assert result.cells[2].label == label
    assert label.split(", clip")[0].split(" ", 1)[1] in str(result)
    document = json.loads(json.dumps(result.to_dict()))
    assert document["grid"]["learning_rate"][1] == gn.Step(0.1, every=3).to_dict()
    assert document["cells"][2]["learning_rate"] == gn.Step(0.1, every=3).to_dict()
    gn.plots.sweep_heatmap(result)
    gn.plots.sweep_losses(result)


def test_sweep_drops_units_as_train_does(engine):
    result = sweep(grid={"learning_rate": [0.01, 0.5], "l2": [0.0, 0.1]}, dropout=0.3, engine=engine)
    for run in result.runs:
        alone = train(run.optimizer, l2=run.penalties.l2, dropout=0.3, engine=engine)
        assert_same_path(run, alone)
        assert run.dropout_seed == alone.dropout_seed


# ---- The rule -------------------------------------------------------------------------------------


def test_rules_cover_every_status_that_a_curve_decides():
    assert set(rules()) == {status for _, status in CURVES.values()}
    assert "at or below 40 %" in rules(0.4)["converged"]


def test_a_sweep_prints_the_rule_of_each_status_under_its_table():
    result = sweep(converged_below=0.4)
    lines = str(result).splitlines()
    found = {cell.status for cell in result.cells}
    stated = [line.strip() for line in lines[4 + len(result.cells) :]]
    assert stated == [f"{status}: {rule}" for status, rule in rules(0.4).items() if status in found]
    assert stated


def test_sweep_help_states_the_rule():
    from click.testing import CliRunner

    from glassnet.cli import main

    words = " ".join(CliRunner().invoke(main, ["sweep", "--help"]).stdout.split())
    for share in (CONVERGED_BELOW, FELL, ROSE):
        assert f"{100 * share:g} %" in words
    for status in rules():
        assert f"{status} " in words.partition("By the last tenth")[2]
