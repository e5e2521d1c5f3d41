import gc
import os
import signal
import threading
import time

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.arrays import ArrayDataset
from glassnet.engine import streamed_minibatch
from glassnet.utils.interrupts import stop_on_interrupt

NET = gn.Network((2, 3, 2))
RULE = gn.SGD(0.01, 0.5)

pytestmark = pytest.mark.usefixtures("handler")


def train(iterations, **settings):
    random = np.random.RandomState(0)
    X, y = random.randn(500, 2), random.randint(0, 2, 500)
    return gn.train(NET, X, y, iterations=iterations, optimizer=RULE, random_state=1, **settings)


def press(run):
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_returns_the_work_so_far(engine, handler):
    with pytest.warns(gn.InterruptedTrainingWarning, match="after iteration 6,"):
        run = train(10, callbacks=[gn.Every(6, press)], engine=engine)
    assert (run.status, run.iterations, len(run.losses)) == ("interrupted", 6, 7)
    whole = train(10, engine=engine)
    assert np.array_equal(run.losses, whole.losses[:7])
    resumed = run.resume(4)
    assert resumed.status == "completed"
    assert np.array_equal(resumed.losses, whole.losses)
    assert resumed.parameters == whole.parameters
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # of noise
def test_ctrl_c_from_outside_ends_a_long_run_with_whole_updates(engine, handler):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(50_000_000, engine=engine)
    timer.join()
    assert run.status == "interrupted"
    assert 0 < run.iterations < 50_000_000
    assert len(run.losses) == run.iterations + 1
    again = train(run.iterations, engine=engine)
    assert again.parameters == run.parameters
    assert np.array_equal(again.losses, run.losses)
    assert np.array_equal(again.resume(3).losses, run.resume(3).losses)
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_within_a_long_update_leaves_whole_updates(engine):
    random = np.random.RandomState(0)
    X, y = random.randn(8_000, 20), random.randint(0, 2, 8_000)
    settings = {"optimizer": RULE, "random_state": 1, "engine": engine}
    net = gn.Network((20, 100, 2))

    class Timer(gn.Callback):
        every = 1000

        def on_train_begin(self, run):
            self.timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
            self.timer.start()

    timer = Timer()
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = gn.train(net, X, y, iterations=100_000, callbacks=[timer], **settings)
    timer.timer.join()
    whole = gn.train(net, X, y, iterations=run.iterations + 1, **settings)
    assert np.array_equal(run.losses, whole.losses[:-1])
    resumed = run.resume(1)
    assert np.array_equal(resumed.losses, whole.losses)
    assert resumed.parameters == whole.parameters


def test_ctrl_c_before_the_first_update_returns_the_start():
    class Early(gn.Callback):
        def on_train_begin(self, run):
            press(run)

    with pytest.warns(gn.InterruptedTrainingWarning, match="after iteration 0,"):
        run = train(10, callbacks=[Early()])
    assert (run.status, run.iterations) == ("interrupted", 0)


def test_ctrl_c_at_the_last_update_is_not_lost():
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(10, callbacks=[gn.Every(10, press)])
    assert (run.status, run.iterations) == ("interrupted", 10)


def test_second_ctrl_c_raises(handler):
    def twice(run):
        press(run)
        press(run)

    with pytest.raises(KeyboardInterrupt) as caught:
        train(10, callbacks=[twice])
    assert caught.value.run.iterations == 1
    assert signal.getsignal(signal.SIGINT) is handler


def test_handler_comes_back_after_an_error(handler):
    def fail(run):
        assert signal.getsignal(signal.SIGINT) is not handler
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the test's own
        train(10, callbacks=[fail])
    assert signal.getsignal(signal.SIGINT) is handler


def test_handler_of_ones_own_waits_until_training_is_over():
    heard = []

    def own(number, frame):
        heard.append(number)

    signal.signal(signal.SIGINT, own)
    with pytest.warns(gn.InterruptedTrainingWarning):
        train(10, callbacks=[press])
    assert heard == []
    assert signal.getsignal(signal.SIGINT) is own


@pytest.mark.parametrize("setting", [signal.SIG_IGN, signal.SIG_DFL])
def test_signal_that_python_does_not_handle_is_left_alone(setting):
    signal.signal(signal.SIGINT, setting)
    with stop_on_interrupt() as interrupts:
        assert signal.getsignal(signal.SIGINT) is setting
        if setting is signal.SIG_IGN:
            signal.raise_signal(signal.SIGINT)
        assert interrupts.stop[0] == 0
    assert signal.getsignal(signal.SIGINT) is setting


def test_training_in_another_thread_installs_no_handler(engine, handler):
    seen, runs = [], []

    def work():
        runs.append(
            train(5, callbacks=[lambda run: seen.append(signal.getsignal(signal.SIGINT))], engine=engine)
        )

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler] * 5
    assert np.array_equal(runs[0].losses, train(5, engine=engine).losses)


def pressing(times, at):
    """A tanh during whose evaluation number `at` Ctrl-C is pressed so many times."""
    calls = []

    def value(z):
        calls.append(None)
        if len(calls) == at:
            for _ in range(times):
                press(None)
        return np.tanh(z)

    return gn.Activation("pressing", value, lambda z, h: 1 - h * h, "tanh z", "1 - h^2")


@pytest.mark.parametrize("batch_size", [None, 100])
def test_second_ctrl_c_within_an_update_keeps_whole_updates(batch_size, handler):
    random = np.random.RandomState(0)
    X, y = random.randn(500, 2), random.randint(0, 2, 500)
    how = {"optimizer": RULE, "random_state": 1, "batch_size": batch_size}
    # One evaluation comes before the first update.
    with pytest.raises(KeyboardInterrupt) as caught:
        gn.train(gn.Network((2, 3, 2), pressing(2, at=5)), X, y, iterations=50, **how)
    assert signal.getsignal(signal.SIGINT) is handler
    assert "attribute `run`" in caught.value.__notes__[0]
    kept = caught.value.run
    assert kept.updates == 4
    resumed = kept.resume(10 - kept.iterations)
    whole = gn.train(gn.Network((2, 3, 2), pressing(0, at=0)), X, y, iterations=10, **how)
    assert np.array_equal(resumed.losses, whole.losses)
    assert resumed.parameters == whole.parameters


def test_third_ctrl_c_does_not_wait_for_the_update():
    random = np.random.RandomState(0)
    with pytest.raises(KeyboardInterrupt) as caught:
        gn.train(gn.Network((2, 3, 2), pressing(3, at=5)), random.randn(9, 2), random.randint(0, 2, 9))
    assert caught.value.run.updates == 3  # the fourth was under way


def test_ctrl_c_in_an_evaluation_keeps_the_run():
    def metric(y, predicted):
        press(None)
        press(None)

    rule = gn.EarlyStopping(metric=metric, mode="min")
    with pytest.raises(KeyboardInterrupt) as caught:
        train(10, validation=0.2, validate_every=3, stopping=rule, batch_size=50)
    assert caught.value.run.iterations == 3


# ---- Time limits, and whatever else a signal handler raises ------------------------------------------


class TimeIsOverError(Exception):
    """What a task queue or a test's timeout raises."""


@pytest.fixture(params=[TimeIsOverError, TimeoutError, SystemExit])
def limit(request):
    """A kind of exception that SIGALRM raises meanwhile."""

    def ring(number, frame):
        raise request.param

    before = signal.signal(signal.SIGALRM, ring)
    yield request.param
    signal.signal(signal.SIGALRM, before)


class Ringing(ArrayDataset):
    """Streamed rows during whose reading the time is over, once `armed`."""

    armed = False

    def read(self, *arguments, **keywords):
        if self.armed:
            self.armed = False
            os.kill(os.getpid(), signal.SIGALRM)
            time.sleep(0.02)
        return super().read(*arguments, **keywords)


def samples(rows):
    random = np.random.RandomState(0)
    return random.randn(rows, 2), random.randn(rows)


CASES = {
    "full batch": ({"iterations": 6}, 5),
    "batches": ({"iterations": 6, "batch_size": 100}, 9),
    "lm": ({"iterations": 6, "optimizer": gn.LevenbergMarquardt()}, 6),
    "lbfgs": ({"iterations": 6, "optimizer": gn.LBFGS()}, 5),
    "newton_cg": ({"iterations": 6, "optimizer": gn.NewtonCG()}, 12),
}


@pytest.mark.parametrize("settings", [settings for settings, _ in CASES.values()], ids=CASES)
def test_exception_of_a_handler_on_a_stream_is_raised_once_with_the_run(
    engine, limit, settings, monkeypatch
):
    monkeypatch.setattr(streamed_minibatch, "RESERVED", (1 << 30) - 400_000)  # several windows
    net = gn.Network((2, 4, 1), hidden="tanh", output="identity")
    settings = {**settings, "random_state": 0, "engine": engine, "threads": 2}
    whole = gn.train(net, Ringing(*samples(3_000), None, 1 << 30), **settings)
    threads, rows = threading.active_count(), Ringing(*samples(3_000), None, 1 << 30)

    def arm(run):
        rows.armed = run.iterations == 2

    with pytest.raises(limit) as caught:
        gn.train(net, rows, **settings, callbacks=[arm])
    kept = caught.value.run
    assert 2 <= kept.iterations < whole.iterations
    assert len(caught.value.__notes__) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = kept.resume(whole.iterations - kept.iterations)
    assert np.array_equal(resumed.losses, whole.losses)
    assert resumed.parameters == whole.parameters
    del caught, kept, resumed
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > threads:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("settings", "at"), CASES.values(), ids=CASES)
def test_exception_of_a_handler_in_memory_keeps_whole_updates(limit, settings, at):
    calls = []

    def value(z):
        calls.append(None)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGALRM)
        return np.tanh(z)

    def train(at_all=True):
        hidden = gn.Activation("ringing", value, lambda z, h: 1 - h * h, "tanh z", "1 - h^2")
        net = gn.Network((2, 4, 1), hidden=hidden if at_all else "tanh", output="identity")
        return gn.train(net, *samples(500), engine="numpy", random_state=0, **settings)

    with pytest.raises(limit) as caught:
        train()
    kept, whole = caught.value.run, train(False)
    assert 0 < kept.updates < whole.updates
    assert np.array_equal(kept.losses, whole.losses[: len(kept.losses)])
    resumed = kept.resume(whole.iterations - kept.iterations)
    assert np.array_equal(resumed.losses, whole.losses)


@pytest.mark.parametrize("batch_size", [None, 50])
def test_exception_of_a_handler_ends_the_native_engine_with_whole_updates(limit, batch_size):
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(limit) as caught:
        train(50_000_000, engine="native", batch_size=batch_size)
    kept = caught.value.run
    again = train(max(kept.iterations, 1), engine="native", batch_size=batch_size)
    assert kept.iterations > 0
    assert np.array_equal(kept.losses, again.losses[: len(kept.losses)])
    if batch_size is None:
        assert again.parameters == kept.parameters
    assert np.array_equal(kept.resume(3).losses, again.resume(3).losses[: len(kept.losses) + 3])
