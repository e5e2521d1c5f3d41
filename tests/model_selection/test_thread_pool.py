"""What networks on threads of their own say and raise: once for all of them."""

import json
import os
import signal
import threading
import warnings

import numpy as np
import pytest
from same_runs import assert_same_run
from sweeps import NET, START, X, Y, sweep_grid, train

import glassnet as gn
from glassnet.data.dataset import as_dataset
from glassnet.model_selection import thread_pool
from glassnet.training import run_policy
from glassnet.training.settings import FitSettings
from glassnet.training.train import DEFAULTS, begin

ROWS = np.random.RandomState(0).randn(30, 2)
VALUES = ROWS[:, 0]
LINE = gn.Network((2, 1), output="identity")


def scored(metric, **settings):
    told = {"grid": {"learning_rate": [0.01, 0.02, 0.03]}, "folds": 2, "iterations": 4, "random_state": 0}
    return gn.sweep(LINE, ROWS, VALUES, **{**told, "metric": metric, "mode": "max", **settings})


def warns(y, found):
    warnings.warn(f"the first is {found[0]}", RuntimeWarning, stacklevel=1)
    return float(np.log(y[0] - 99))  # which NumPy warns of


@pytest.mark.parametrize("action", ["always", "default", "once"])
def test_warnings_of_many_networks_are_given_once(action):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)
        shown = warnings.showwarning
        scored(warns, evaluate_every=1)
        assert warnings.showwarning is shown
    assert [str(one.message)[:12] for one in seen] == ["the first is", "invalid valu"]
    assert {one.filename for one in seen} == {__file__}


def test_sweeps_in_other_threads_leave_the_warnings_of_the_process_alone():
    shown, seen = warnings.showwarning, []

    def metric(y, found):
        seen.append(warnings.showwarning)
        return 0.0

    thread = threading.Thread(target=scored, args=(metric,))
    thread.start()
    thread.join()
    assert set(seen) == {shown}


@pytest.mark.parametrize("told", [{}, {"evaluate_every": 1}, {"threads": 2}])
@pytest.mark.parametrize("warned", [True, False])
def test_what_a_metric_raises_is_raised_once_with_the_networks_that_are_finished(told, warned):
    calls = []

    def metric(y, found):
        calls.append(threading.current_thread())
        if len(calls) > 13:
            if warned:
                warnings.warn("not this one", RuntimeWarning, stacklevel=1)  # an error in these tests
            raise ZeroDivisionError("not this one")
        return float(found[0])

    with pytest.raises(RuntimeWarning if warned else ZeroDivisionError, match="not this one") as raised:
        scored(metric, **{"seeds": 5, "threads": 1, **told})
    error = raised.value
    assert error.__cause__ is None
    for words in ("networks of the sweep are finished", "Raised by the network with"):
        assert len([note for note in error.__notes__ if words in note]) == 1
    assert 0 < len(error.result.cells) < 30
    assert all(np.isfinite(cell.metric) for cell in error.result.cells)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-sweep")]


@pytest.mark.parametrize(("engine", "threads"), [("numpy", 2), ("native", 1)])
def test_ctrl_c_returns_what_was_done_so_far(engine, threads, handler):
    grid = {"learning_rate": [1e4, 0.1, 0.2, 0.3, 1e5]}
    settings = {"iterations": 20_000_000, "random_state": 3, "threads": threads, "engine": engine}
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(gn.InterruptedTrainingWarning, match=r"1 of 5 networks are finished") as caught:
        result = gn.sweep(NET, X, Y, grid=grid, **settings)
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
        assert_same_run(
            run.resume(3), train(optimizer=run.optimizer, iterations=run.iterations + 3, engine=engine)
        )
    assert json.dumps(result.to_dict(), allow_nan=False)


def test_networks_that_were_done_when_ctrl_c_came_are_done(monkeypatch, handler):
    real = thread_pool.as_they_end

    def late(futures):
        done = list(real(futures))
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(thread_pool, "as_they_end", late)
    assert "interrupted" not in {cell.status for cell in sweep_grid().cells}


def test_network_whose_last_update_was_made_is_not_interrupted():
    stop = np.ones(1, np.uint8)
    settings = FitSettings.of({**DEFAULTS, "parameters": START})
    start, _ = begin(NET, as_dataset(X, Y), settings)
    run = run_policy.continue_run(start, 0, stop=stop)
    assert run.status == "completed"
    run = run_policy.continue_run(start, 1, stop=stop)
    assert (run.status, run.iterations) == ("interrupted", 0)


def test_second_ctrl_c_raises_and_leaves_no_thread_behind(monkeypatch, handler):
    def press_twice(futures):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(thread_pool, "as_they_end", press_twice)
    with pytest.raises(KeyboardInterrupt):
        sweep_grid(iterations=20_000_000)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-sweep")]


def test_sweep_in_another_thread_installs_no_handler(handler):
    results, seen = [], []
    real = thread_pool.as_they_end

    def watched(futures):
        seen.append(signal.getsignal(signal.SIGINT))
        return real(futures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread_pool, "as_they_end", watched)
        thread = threading.Thread(target=lambda: results.append(sweep_grid()))
        thread.start()
        thread.join()
    assert seen == [handler]
    for one, other in zip(results[0].runs, sweep_grid().runs, strict=True):
        assert_same_run(one, other)


def test_progress_counts_networks_and_leaves_out_what_divergence_saves(capsys):
    sweep_grid(progress=True)
    shown = capsys.readouterr().err
    assert "0 of 6 networks" in shown
    assert "6 of 6 networks: 100%" in shown
    assert "160/160" in shown  # 4 networks of 40 iterations; two diverged at once
    sweep_grid()
    assert capsys.readouterr().err == ""
