"""What networks on threads of their own say and raise: once for all of them."""

import threading
import warnings

import numpy as np
import pytest

import glassnet as gn

X = np.random.RandomState(0).randn(30, 2)
Y = X[:, 0]
LINE = gn.Network((2, 1), output="identity")


def sweep(metric, **settings):
    told = {"grid": {"learning_rate": [0.01, 0.02, 0.03]}, "folds": 2, "iterations": 4, "random_state": 0}
    return gn.sweep(LINE, X, Y, **{**told, "metric": metric, "mode": "max", **settings})


def warns(y, found):
    warnings.warn(f"the first is {found[0]}", RuntimeWarning, stacklevel=1)
    return float(np.log(y[0] - 99))  # which NumPy warns of


@pytest.mark.parametrize("action", ["always", "default", "once"])
def test_warnings_of_many_networks_are_given_once(action):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)
        shown = warnings.showwarning
        sweep(warns, evaluate_every=1)
        assert warnings.showwarning is shown
    assert [str(one.message)[:12] for one in seen] == ["the first is", "invalid valu"]
    assert {one.filename for one in seen} == {__file__}


def test_sweeps_in_other_threads_leave_the_warnings_of_the_process_alone():
    shown, seen = warnings.showwarning, []

    def metric(y, found):
        seen.append(warnings.showwarning)
        return 0.0

    thread = threading.Thread(target=sweep, args=(metric,))
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
        sweep(metric, **{"seeds": 5, "threads": 1, **told})
    error = raised.value
    assert error.__cause__ is None
    for words in ("networks of the sweep are finished", "Raised by the network with"):
        assert len([note for note in error.__notes__ if words in note]) == 1
    assert 0 < len(error.result.cells) < 30
    assert all(np.isfinite(cell.metric) for cell in error.result.cells)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-sweep")]
