"""A sweep: each network with the bits of train, its arguments, and any setting of any optimizer."""

import inspect
import pydoc
import threading

import numpy as np
import pytest
import sweeps
from same_runs import assert_same_run
from sweeps import NET, START, X, Y, sweep_grid

import glassnet as gn
from glassnet.engine.prepare import prepare, problem_of
from glassnet.model_selection import worker as workers
from glassnet.model_selection.settings import OF_TRAIN_ALONE
from glassnet.training import run_policy


def train(optimizer, **settings):
    return sweeps.train(optimizer=optimizer, **{"iterations": 40, **settings})


# ---- The networks -------------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "dtype"), [(1, "float64"), (2, "float32")])
def test_sweep_gives_each_network_what_train_gives(engine, threads, dtype):
    result = sweep_grid(engine=engine, threads=threads, dtype=dtype)
    assert len(result.runs) == 6
    for run in result.runs:
        assert_same_run(run, train(run.optimizer, engine=engine, dtype=dtype))
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
        for run in sweep_grid(grid={"learning_rate": [1e-4, 1e-3]}, **settings, **more).runs:
            assert_same_run(run, train(run.optimizer, **settings, **more))


def test_sweep_takes_from_the_optimizer_what_the_grid_does_not_name():
    result = sweep_grid(grid={"momentum": [0.25, 0.5]}, optimizer=gn.SGD(0.03, 0.9))
    assert [run.optimizer for run in result.runs] == [gn.SGD(0.03, 0.25), gn.SGD(0.03, 0.5)]


def test_sweep_draws_the_parameters_once():
    stream, same = np.random.RandomState(7), np.random.RandomState(7)
    result = sweep_grid(random_state=stream)
    NET.initialize(same)
    assert stream.randint(1 << 30) == same.randint(1 << 30)
    assert len({run.losses[0] for run in result.runs}) == 1


def test_sweep_prepares_the_data_once(monkeypatch):
    calls = []
    counted = lambda *args: calls.append(1) or problem_of(*args)  # noqa: E731
    monkeypatch.setattr("glassnet.engine.prepare.problem_of", counted)
    sweep_grid()
    assert calls == [1]


def test_sweep_changes_nothing_that_is_passed_in():
    before = START.flat.copy(), X.copy(), Y.copy()
    grid = {"learning_rate": [0.1, 0.2]}
    sweep_grid(parameters=START, grid=grid, sample_weight=np.ones(60))
    assert all(map(np.array_equal, before, (START.flat, X, Y)))
    assert grid == {"learning_rate": [0.1, 0.2]}


def test_networks_share_no_memory():
    one, other = sweep_grid(grid={"learning_rate": [0.1, 0.2]}).runs
    for name in ("losses", "state"):
        assert not np.shares_memory(getattr(one, name), getattr(other, name))
    assert not np.shares_memory(one.parameters.flat, other.parameters.flat)


def test_every_network_resumes_bit_for_bit(engine):
    result = sweep_grid(grid={"learning_rate": [0.1, 0.3]}, engine=engine, threads=2)
    for run in result.runs:
        assert_same_run(run.resume(10), train(run.optimizer, iterations=50, engine=engine))


def test_a_network_resumes_on_all_threads():
    run = sweep_grid(engine="native", threads=3).runs[0]
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
    sweep_grid(threads=2)
    assert most == 2


@pytest.mark.parametrize(
    ("threads", "networks", "each"), [(1, 3, 1), (3, 3, 1), (4, 3, 1), (7, 3, 2), (4, 1, 4)]
)
def test_threads_without_a_network_of_their_own_help_the_others(threads, networks, each):
    rates = [0.1, 0.2, 0.3][:networks]
    result = sweep_grid(grid={"learning_rate": rates}, threads=threads, engine="native")
    assert [run.threads for run in result.runs] == [each] * networks
    assert result.threads == min(threads, networks) * each
    for run in result.runs:
        assert_same_run(run, train(run.optimizer, threads=1))


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
        sweep_grid(grid={"learning_rate": [0.1, 0.2, 0.3, 0.4]}, iterations=20_000_000, threads=2)
    assert set(ended) <= {"interrupted"}


def test_history_that_does_not_fit_is_an_error():
    with pytest.raises(gn.InputError, match="does not fit into memory"):
        sweep_grid(iterations=10**15)


def test_sweep_shows_every_argument_with_its_default():
    ours, theirs = (inspect.signature(function).parameters for function in (gn.sweep, gn.train))
    alone = {"callbacks", "checkpoint", "checkpoint_every", "metrics", "test"}
    assert set(theirs) - set(ours) == alone == set(OF_TRAIN_ALONE)
    different = {name for name in theirs if name in ours and ours[name].default != theirs[name].default}
    assert different == set()
    assert all(
        one.kind is one.KEYWORD_ONLY for name, one in ours.items() if name not in ("network", "X", "y")
    )
    assert "class_weight" in pydoc.render_doc(gn.sweep)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test", "folds hold"),
        ("metrics", "metric=.*evaluate_every"),
        ("callbacks", "evaluate_every"),
        ("checkpoint", "results=PATH"),
    ],
)
def test_sweep_says_what_stands_in_for_an_argument_of_train_that_it_lacks(name, words):
    with pytest.raises(gn.InputTypeError, match=f"sweep has no argument '{name}'. For {name}: {words}"):
        sweep_grid(**{name: 0.2})


@pytest.mark.parametrize(("name", "near"), [("bach_size", "batch_size"), ("lr", None), ("callbacks", None)])
def test_sweep_refuses_an_argument_that_it_does_not_have(name, near):
    hint = "" if near is None else f"Did you mean '{near}'"
    with pytest.raises(
        gn.InputTypeError, match=f"sweep has no argument '{name}'.*{hint}.*halving.*dropout"
    ):
        sweep_grid(**{name: 3})


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
        result = sweep_grid(grid={name: values}, optimizer=kind(), iterations=5)
        assert [cell.settings for cell in result.cells] == [{name: value} for value in values]
        for run, value in zip(result.runs, values, strict=True):
            assert_same_run(run, train(kind(**{name: value}), iterations=5))


@pytest.mark.parametrize("name", ["l1", "l2", "max_norm"])
def test_sweep_varies_the_penalties(engine, name):
    result = sweep_grid(grid={name: VALUES[name], "momentum": [0.5]}, iterations=5, engine=engine, l2=1e-4)
    for run, value in zip(result.runs, VALUES[name], strict=True):
        settings = {"l2": 1e-4, name: value}
        assert_same_run(run, train(gn.SGD(momentum=0.5), iterations=5, engine=engine, **settings))
        assert getattr(run.penalties, name) == value
    assert not np.array_equal(result.runs[0].losses, result.runs[1].losses)


def test_sweep_drops_units_as_train_does(engine):
    result = sweep_grid(grid={"learning_rate": [0.01, 0.5], "l2": [0.0, 0.1]}, dropout=0.3, engine=engine)
    for run in result.runs:
        alone = train(run.optimizer, l2=run.penalties.l2, dropout=0.3, engine=engine)
        assert_same_run(run, alone)
        assert run.dropout_seed == alone.dropout_seed


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"iterations": 0}, gn.InputError, "iterations is 0"),
        ({"iterations": -1}, gn.InputError, "iterations is -1"),
        ({"iterations": 1.5}, gn.InputTypeError, "iterations is a whole number"),
        ({"optimizer": gn.SGD}, gn.InputTypeError, "optimizer is a glassnet optimizer"),
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
        sweep_grid(**settings)
