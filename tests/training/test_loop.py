"""The loop and its policy: the order of calls, the history, errors, and libraries that keep the control."""

import gc
import signal
import weakref

import numpy as np
import pytest
from numpy.random import RandomState

import glassnet as gn
from glassnet.data.dataset import as_dataset
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.training.loop import ChunkStepper, Loop, Policy
from glassnet.training.steppers.first_order import Epochs
from glassnet.training.steppers.rates import LearningRates


class Counting(ChunkStepper):
    """An iteration has its number as its loss; two are made in a chunk."""

    start_losses = 0
    flat = state = np.zeros(1)
    made = 0

    def advance(self, losses, stop, seconds):
        count = min(2, len(losses))
        losses[:count] = np.arange(self.made + 1, self.made + count + 1)
        self.made += count
        return count, False


class Library(Counting):
    """A stepper whose library calls back after each iteration and keeps the control, as SciPy's does."""

    def drive(self, loop):
        while (losses := loop.next_losses()) is not None:
            self.made += 1
            losses[0] = self.made
            loop.advanced(1)


class Recording(Policy):
    def __init__(self, last, span=5, end_at=None):
        self.last, self.span, self.end_at, self.calls = last, span, end_at, []

    def begin(self, loop):
        self.calls.append(("begin", loop.iteration))

    def next_decision(self, iteration):
        self.calls.append(("next", iteration))
        return iteration + self.span

    def decide(self, iteration, losses):
        self.calls.append(("decide", iteration, losses.tolist()))
        return iteration == self.end_at

    def failed(self, error, where, iteration):
        self.calls.append(("failed", where, iteration))


def test_policy_decides_after_each_chunk_and_plans_at_each_decision():
    policy = Recording(last=7)
    loop = Loop(Counting(), policy)
    assert loop.run() == "completed"
    assert policy.calls == [
        ("begin", 0),
        ("next", 0),
        ("decide", 2, [1, 2]),
        ("decide", 4, [3, 4]),
        ("decide", 5, [5]),
        ("next", 5),
        ("decide", 7, [6, 7]),
    ]
    assert loop.losses.tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", [Counting, Library])
def test_policy_ends_training_and_the_history_ends_there(kind):
    loop = Loop(kind(), Recording(last=10_000, span=1, end_at=3))
    assert loop.run() == "stopped"
    assert loop.losses.tolist() == [1, 2, 3]


def test_history_grows_beyond_its_first_room():
    loop = Loop(Library(), Recording(last=5_000, span=1))
    assert loop.run() == "completed"
    assert np.array_equal(loop.losses, np.arange(1, 5_001))


def test_history_goes_on_from_earlier_losses():
    stepper = Counting()
    stepper.made = 2
    loop = Loop(stepper, Recording(last=4), start=2, losses=np.array([1.0, 2.0]))
    loop.run()
    assert loop.losses.tolist() == [1, 2, 3, 4]


def test_rule_that_stops_ends_training():
    stepper = Counting()
    stepper.stops = True
    assert Loop(stepper, Recording(last=4)).run() == "stopped"
    assert stepper.made == 0


def test_only_errors_of_the_stepper_ask_the_policy_to_keep_the_work():
    class Failing(Counting):
        def advance(self, losses, stop, seconds):
            if self.made:
                raise OSError("gone")
            return super().advance(losses, stop, seconds)

    class Refusing(Recording):
        def decide(self, iteration, losses):
            raise ZeroDivisionError

    policy = Recording(last=9)
    with pytest.raises(OSError, match="gone"):
        Loop(Failing(), policy).run()
    assert policy.calls[-1] == ("failed", "after", 2)
    policy = Refusing(last=9)
    with pytest.raises(ZeroDivisionError):
        Loop(Counting(), policy).run()
    assert "failed" not in {call[0] for call in policy.calls}


def test_ctrl_c_ends_after_a_whole_chunk_and_a_byte_of_ones_own_leaves_the_signal_alone():
    class Pressing(Counting):
        def advance(self, losses, stop, seconds):
            signal.raise_signal(signal.SIGINT)
            return super().advance(losses, stop, seconds)

    policy = Recording(last=9)
    assert Loop(Pressing(), policy).run() == "interrupted"
    assert policy.calls[-1] == ("decide", 2, [1, 2])
    with pytest.raises(KeyboardInterrupt):
        Loop(Pressing(), Recording(last=9), stop=np.zeros(1, np.uint8)).run()


def test_epochs_that_keep_nan_go_on_as_scikit_learn_does(engine):
    """From the loss that is no number on; the engine computes no more."""
    net, X = gn.Network((3, 4, 1), hidden="relu", output="identity"), RandomState(0).randn(40, 3)
    settings = ProblemSettings(batch_size=8, dtype="float32", engine=engine)
    batches = prepare_problem(net, as_dataset(X, X[:, 0] * 1e3), settings)
    rule, theta = gn.SGD(1e12, 0.0), net.initialize(0, dtype="float32")
    cursor = batches.begin(RandomState(0), np.inf)
    state = np.zeros((1, theta.flat.size), np.float32)
    rates = LearningRates(rule.schedule, updates_per_iteration=5)
    stepper = Epochs(batches, theta.flat, state, cursor, rule, rates, None, keep_nan=True)
    loop = Loop(stepper, Recording(last=6))
    assert loop.run() == "completed"
    assert np.isnan(loop.losses[1:]).all()
    assert np.isnan(stepper.flat).all()


@pytest.mark.parametrize("settings", [{}, {"batch_size": 1}, {"optimizer": "lbfgs"}])
def test_history_goes_with_its_run_and_waits_for_no_collector(settings):
    gc.collect()
    gc.disable()
    try:
        run = gn.train(gn.Network((1, 2, 2)), [[0.0], [1.0]], [0, 1], iterations=20, **settings)
        history = weakref.ref(run.losses.base)
        del run
        assert history() is None
    finally:
        gc.enable()
