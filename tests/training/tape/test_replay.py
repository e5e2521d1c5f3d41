"""Replay: the states of a run that kept some of them are those that training had."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.training.tape import replay
from glassnet.training.tape.replay import Snapshots

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(60, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
NET = gn.Network((2, 5, 2), hidden="tanh")

KINDS = {
    "momentum": {"optimizer": gn.SGD(0.1, momentum=0.9)},
    "batches with dropout": {"batch_size": 16, "dropout": 0.2, "average": 0.9},
    "early stopping": {"validation": 0.3, "stopping": gn.EarlyStopping(patience=8), "batch_size": 16},
    "solver": {"optimizer": "lbfgs"},
}


@pytest.fixture(autouse=True)
def any_pace(monkeypatch):
    """These trainings take less time than states that are worth keeping lie apart."""
    monkeypatch.setattr(replay, "SECONDS", 0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [256, 4])
def test_replay_gives_the_states_that_training_had(kind, most, monkeypatch):
    monkeypatch.setattr(replay, "MOST", most)
    settings = {**KINDS[kind], "random_state": 0}
    snapshots = Snapshots(40)
    run = gn.train(NET, X, Y, iterations=40, callbacks=[snapshots], **settings)
    alone = gn.train(NET, X, Y, iterations=40, **settings)
    assert np.array_equal(run.theta.flat, alone.theta.flat)
    states = snapshots.replay(run)
    assert states.first == 0
    assert states.at(run.iterations) is run
    for k in sorted({1, 2, run.iterations // 2, run.iterations - 1}):
        expected = gn.train(NET, X, Y, iterations=k, **{**settings, "stopping": None})
        state = states.at(k)
        assert np.array_equal(state.losses, expected.losses)
        assert np.array_equal(at_last(state), at_last(expected))


def at_last(run):
    """The parameters that training had come to, be they the best or not."""
    kept = run.validation
    return run.parameters.flat if kept is None or kept.last_point is None else kept.last_point


def test_snapshots_keep_to_their_memory(monkeypatch):
    monkeypatch.setattr(replay, "MEMORY", 40_000)
    snapshots = Snapshots(200)
    run = gn.train(NET, X, Y, iterations=200, callbacks=[snapshots], random_state=0)
    states = snapshots.replay(run)
    assert sum(frame.size for frame in states.frames) <= 40_000
    assert states.frames[0].iteration == 0
    shorter = gn.train(NET, X, Y, iterations=101, random_state=0)
    assert np.array_equal(states.at(101).theta.flat, shorter.theta.flat)


def test_snapshots_are_fewer_where_they_would_follow_each_other_too_soon(monkeypatch):
    monkeypatch.setattr(replay, "SECONDS", 3600.0)
    snapshots = Snapshots(200)
    run = gn.train(NET, X, Y, iterations=200, callbacks=[snapshots], random_state=0)
    states = snapshots.replay(run)
    assert [frame.iteration for frame in states.frames] == [0, 1, 2, 4, 8, 16, 32, 64, 128]
    assert np.array_equal(states.at(150).losses, run.losses[:151])


def test_replay_of_a_resumed_run_begins_where_it_went_on():
    run = gn.train(NET, X, Y, iterations=10, random_state=0)
    snapshots = Snapshots(10)
    run = run.resume(10, X=X, y=Y, callbacks=[snapshots])
    states = snapshots.replay(run)
    assert states.first == 10
    assert np.array_equal(
        states.at(13).theta.flat, gn.train(NET, X, Y, iterations=13, random_state=0).theta.flat
    )


def test_snapshots_of_training_that_never_began_replay_nothing():
    assert Snapshots(10).replay(gn.train(NET, X, Y, iterations=1, random_state=0)) is None
