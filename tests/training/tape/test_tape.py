"""Tapes: every state of a run comes back with its bits, and runs branch and part."""

import signal
import subprocess
import sys
import time
import warnings
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from run_kinds import KINDS, NET, X, Y, data_of
from same_runs import assert_same_run

import glassnet as gn
from glassnet.data.encoding import PLAIN
from glassnet.training import loop
from glassnet.training.files.writing import run_as_arrays
from glassnet.training.tape import keyframes, recording

RANDOM = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """A keyframe after every chunk, and chunks as short as they can be."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e-9)
    monkeypatch.setattr(recording, "REPLAY_SECONDS", 1e-9)
    monkeypatch.setattr(recording, "SHARE", np.inf)
    warnings.simplefilter("ignore", gn.StalledTrainingWarning)


def tape_of(kind, **more):
    settings = {name: value for name, value in KINDS[kind].items() if name != "iterations"}
    network, rows, y = data_of(kind)
    return gn.Tape(network, rows, y, random_state=1, **settings, **more)


def stopped_there(kind, iterations):
    """What `train` gives that ends at an iteration."""
    network, rows, y = data_of(kind)
    settings = {**KINDS[kind], "iterations": iterations}
    return gn.train(network, rows, y, random_state=1, **settings)


@pytest.mark.parametrize("every", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_at_has_the_bits_of_training_that_stopped_there(kind, every):
    tape, n = tape_of(kind, keyframe_every=every), KINDS[kind]["iterations"]
    whole = tape.advance(n)
    assert_same_run(whole, stopped_there(kind, n))
    assert len(tape.keyframes) > 1
    for k in RANDOM.permutation(tape.iterations + 1)[:4]:
        assert_same_run(tape.at(int(k)), stopped_there(kind, int(k)))
    assert tape.run is whole


@pytest.mark.parametrize("kind", KINDS)
def test_at_has_these_bits_from_a_file_and_from_spilled_keyframes(kind, tmp_path):
    tape, n = tape_of(kind, memory=0), KINDS[kind]["iterations"]
    tape.advance(n)
    assert all(frame.run is None for frame in tape._segments[0].keyframes)
    gn.save(tape, tmp_path / "tape")
    _, rows, y = data_of(kind)
    given = KINDS[kind].get("validation")
    loaded = gn.load(tmp_path / "tape").attach(
        rows, y, validation=given if isinstance(given, tuple) else None
    )
    k = tape.iterations // 2
    for one in (tape, loaded):
        assert_same_run(one.at(k), stopped_there(kind, k))
    assert_same_run(loaded.run, tape.run)
    assert_same_run(loaded.advance(2), tape.advance(2))


def test_at_goes_back_over_events_and_stops():
    tape = gn.Tape(NET, X, Y, random_state=0, validation=0.2, stopping=gn.EarlyStopping(patience=2))
    first = tape.advance(400)
    assert first.status == "stopped"
    again = first.resume(20)
    assert_same_run(tape.advance(20), again)
    tape.change(learning_rate=0.01)
    slower = again.resume(10, optimizer=gn.SGD(learning_rate=0.01, momentum=0.9))
    assert_same_run(tape.advance(10), slower)
    assert [str(event) for event in tape.events] == [f"at iteration {again.iterations}: learning_rate=0.01"]
    for run in (first, again, slower):
        assert run.losses[-1] == tape.at(run.iterations).losses[-1]
    assert np.array_equal(tape.losses, slower.losses)


CHANGES = {
    "optimizer": gn.Adam(0.01),
    "learning_rate": 0.05,
    "momentum": 0.5,
    "parameters": NET.initialize(5),
    "l2": 0.1,
    "dropout": 0.3,
    "freeze": [1],
    "class_weight": "balanced",
    "network": gn.Network((2, 5, 2), hidden="logistic"),
    "y": 1 - Y,
    "X": X + 0.5,
    "sample_weight": np.linspace(0.5, 1.5, len(X)),
}


@pytest.mark.parametrize("size", [None, 32])
@pytest.mark.parametrize("name", CHANGES)
def test_branch_changes_what_comes_after_it_alone(name, size, tmp_path):
    tape = gn.Tape(NET, X, Y, random_state=0, batch_size=size, validation=0.2)
    tape.advance(8)
    before = [tape.at(k) for k in range(9)]
    branch = tape.branch(5, **{name: CHANGES[name]})
    branch.advance(6)
    gn.save(branch, tmp_path / "branch")
    loaded = gn.load(tmp_path / "branch").attach(X, Y)
    assert branch.iterations == 11
    for one in (branch, loaded):
        assert [event.iteration for event in one.events] == [5]
        assert all(np.array_equal(one.at(k).losses, before[k].losses) for k in range(5))
        assert_same_run(one.at(9), branch.at(9))
        assert one.at(11).resume(1).iterations == 12
    for k in range(9):
        assert_same_run(tape.at(k), before[k])
    difference = tape.diff(branch)
    assert difference.iteration == (5 if name in ("parameters", "optimizer") else 6)
    assert name in difference.what[0]
    assert branch.diff(loaded) is None


def test_change_of_settings_has_the_bits_of_training_with_them_from_there():
    tape = gn.Tape(NET, X, Y, random_state=0, optimizer="sgd")
    tape.advance(5)
    tape.change(l2=0.1, y=1 - Y)
    run = tape.advance(1)
    network, before = NET, tape.at(5)
    _, gradient = gn.loss_and_gradient(network, before.parameters, X, 1 - Y, l2=0.1)
    rule = before.optimizer
    step = rule.momentum * before.state[0] - rule.learning_rate * gradient.flat
    np.testing.assert_allclose(run.parameters.flat, before.parameters.flat + step, rtol=1e-13)


def test_change_of_parameters_begins_their_mean_anew():
    tape = gn.Tape(NET, X, Y, random_state=0, batch_size=50, average=0.9)
    tape.advance(3)
    theta = NET.initialize(5)
    run = tape.change(parameters=theta)
    assert run.theta == theta
    assert_same_run(tape.advance(2), tape.at(5))


def test_change_that_is_refused_changes_nothing():
    tape = gn.Tape(NET, X, Y, random_state=0)
    tape.advance(3)
    for changes, words in (
        ({}, "by name"),
        ({"learning_rat": 0.1}, "Did you mean 'learning_rate'"),
        ({"learning_rate": np.nan}, "learning_rate is nan"),
        ({"batch_size": 10}, "cannot pass"),
        ({"network": gn.Network((2, 6, 2))}, "cannot pass"),
        ({"parameters": np.full(NET.n_parameters, 1e308)}, "loss is"),
        ({"optimizer": "lm", "dropout": 0.5}, "dropout"),
    ):
        with pytest.raises(gn.GlassnetError, match=words):
            tape.change(**changes)
    assert tape.events == ()
    assert_same_run(tape.advance(4), gn.train(NET, X, Y, random_state=0, iterations=7))


def test_diff_names_settings_and_begins_where_states_part():
    one = gn.Tape(NET, X, Y, random_state=0)
    two = gn.Tape(NET, X, Y, random_state=0, optimizer=gn.SGD(0.2, momentum=0.9))
    other = gn.Tape(NET, X, Y, random_state=1)
    for tape in (one, two, other):
        tape.advance(9)
    assert one.diff(two) == (1, ("learning_rate: 0.1 and 0.2",))
    assert one.diff(other).iteration == 0
    assert one.diff(one.branch(4)) is None
    with pytest.raises(gn.InputError, match="another Tape"):
        one.diff(one.run)


def test_keyframes_stay_within_their_bounds(monkeypatch):
    size = keyframes.Keyframe.of(gn.train(NET, X, Y, iterations=1)).size
    tape = gn.Tape(NET, X, Y, random_state=0, memory=10 * size, disk=20 * size, keyframe_every=1)
    tape.advance(300)
    frames = tape._segments[0].keyframes
    assert sum(frame.size for frame in frames if frame.run is not None) <= 10 * size
    assert sum(frame.size for frame in frames if frame.run is None) <= 20 * size
    assert any(frame.run is None for frame in frames)
    assert max(b - a for a, b in pairwise(tape.keyframes)) <= 64
    for k in (0, 1, 77, 299):
        assert_same_run(tape.at(k), gn.train(NET, X, Y, random_state=0, iterations=k))
    monkeypatch.setattr(keyframes, "MOST", 5)
    tape.advance(30)
    assert len(tape.keyframes) <= 6


def test_keyframes_take_no_more_where_a_run_is_evaluated_often():
    tape = gn.Tape(NET, X, Y, random_state=0, validation=0.2, metrics="accuracy")
    tape.advance(20)
    assert len({frame.size for frame in tape._segments[0].keyframes}) == 1
    arrays, _ = tape._segments[0].keyframes[-1].as_arrays()
    assert sum(values.size for name, values in arrays.items() if name.startswith("validation")) == 0


def test_tape_keeps_the_work_before_an_error_and_a_callback_stops_it():
    tape = gn.Tape(NET, X, Y, random_state=0)

    def fails(run):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        tape.advance(9, callbacks=[gn.Every(4, fails)])
    assert tape.iterations == 4
    assert tape.advance(9, callbacks=[gn.Every(6, lambda run: True)]).iterations == 6
    assert_same_run(tape.advance(4), gn.train(NET, X, Y, random_state=0, iterations=10))


def test_tape_that_blew_up_says_so_and_goes_on_from_before():
    tape = gn.Tape(NET, 100 * X, Y, random_state=0, optimizer=gn.SGD(1e6))
    with pytest.warns(gn.DivergenceWarning):
        tape.advance(50)
    with pytest.raises(gn.InputError, match=r"tape.change\(optimizer=gn.SGD"):
        tape.advance(1)
    calm = tape.branch(0, learning_rate=1e-3)
    assert calm.advance(3).status == "completed"
    tape.change(learning_rate=1e-3)
    assert tape.advance(3).status == "completed"


@pytest.mark.parametrize("size", [None, 50])
@pytest.mark.parametrize("changes", [{"parameters": 1e4 * NET.initialize(5).flat}, {"l2": 1e6}])
def test_tape_that_blew_up_at_once_after_an_event_stays_at_the_event(changes, size, tmp_path):
    tape = gn.Tape(NET, X, Y, random_state=0, batch_size=size)
    tape.advance(5)
    start = tape.change(**changes)
    with pytest.warns(gn.DivergenceWarning):
        run = tape.advance(3)
    assert (run.iterations, run.diverged_at, len(tape.events)) == (5, 6, 1)
    assert run.parameters == start.parameters
    gn.save(tape, tmp_path / "tape")
    assert_same_run(gn.load(tmp_path / "tape").attach(X, Y).branch(4).advance(1), tape.at(4).resume(1))


def test_tape_refuses_what_it_does_not_take():
    for settings, words in (
        ({"iterations": 5}, r"tape.advance\(iterations\)"),
        ({"keyframe_every": 0}, "keyframe_every"),
        ({"memory": "much"}, "memory is 'much'"),
        ({"lr": 0.1}, r"gn.SGD\(learning_rate=0.1\)"),
    ):
        with pytest.raises(gn.GlassnetError, match=words):
            gn.Tape(NET, X, Y, **settings)
    tape = gn.Tape(NET, X, Y)
    with pytest.raises(gn.InputError, match=r"tape.advance\(3\)"):
        tape.at(3)


def test_loaded_tape_asks_for_its_data_and_knows_them(tmp_path):
    tape = gn.Tape(NET, X, Y, random_state=0)
    tape.advance(5)
    gn.save(tape, tmp_path / "tape")
    loaded = gn.Tape.load(tmp_path / "tape")
    assert loaded.at(5).predict(X).tolist() == tape.run.predict(X).tolist()
    with pytest.raises(gn.InputError, match=r"tape.attach\(X, y\)"):
        loaded.advance(1)
    with pytest.raises(gn.InputError, match="are not those"):
        loaded.attach(X, 1 - Y)
    gn.save(tape.run, tmp_path / "run")
    with pytest.raises(gn.FileError, match="is not a tape"):
        gn.Tape.load(tmp_path / "run")


def test_damaged_tapes_are_refused_in_words(tmp_path):
    tape = gn.Tape(NET, X, Y, random_state=0, keyframe_every=2)
    tape.advance(5)
    tape.change(y=np.where(Y == 1, 0, 1), l1=0.1)
    tape.advance(3)
    arrays, document = tape.as_arrays()
    odd = ["x", -1, None, 1e300, [], {}, "0" * 50, True]

    def attempts(value, path=()):
        if isinstance(value, dict):
            for key in value:
                yield from attempts(value[key], (*path, key))
        elif isinstance(value, list) and value:
            yield from attempts(value[-1], (*path, len(value) - 1))
        yield path

    def with_value(at, value):
        changed = deepcopy(document)
        place = changed
        for key in at[:-1]:
            place = place[key]
        place[at[-1]] = value
        return changed

    paths = [path for path in attempts(document) if path]
    assert len(paths) > 60
    for number, path in enumerate(paths):
        try:
            gn.Tape.from_arrays(arrays, with_value(path, odd[number % len(odd)]), "t")
        except gn.GlassnetError:
            continue
    for name in arrays:
        with pytest.raises(gn.FileError):
            gn.Tape.from_arrays({k: v for k, v in arrays.items() if k != name}, document, "t")


def test_changes_are_named_by_the_rule_that_goes_on():
    tape = gn.Tape(NET, X, Y, random_state=0)
    tape.advance(3)
    tape.change(optimizer="adam", beta1=0.8)
    assert tape.run.optimizer == gn.Adam(beta1=0.8)
    assert tape.branch(2, momentum=0.5).run.optimizer.momentum == 0.5
    for act in (tape.change, tape.branch):
        with pytest.raises(gn.InputTypeError, match="no argument 'beta1'"):
            act(optimizer="sgd", beta1=0.5)


def test_events_of_a_file_are_those_of_the_tape(tmp_path):
    tape, theta = gn.Tape(NET, X, Y, random_state=0), NET.initialize(5).flat
    tape.change(parameters=theta, class_weight="balanced", optimizer="adam", dropout=0.1, freeze=[1])
    theta[:] = 0
    gn.save(tape, tmp_path / "tape")
    loaded = gn.Tape.load(tmp_path / "tape")
    assert str(loaded.events[0]) == str(tape.events[0])
    assert loaded.events == tape.events
    assert tape.events[0].changes["parameters"] == NET.initialize(5)


def test_loaded_tape_goes_on_by_the_engine_that_was_asked_for(tmp_path):
    for engine, used in (("numpy", "numpy"), ("auto", "native")):
        tape = gn.Tape(NET, X, Y, random_state=0, engine=engine)
        gn.save(tape, tmp_path / "tape")
        loaded = gn.load(tmp_path / "tape").attach(X, Y)
        loaded.change(network=gn.Network((2, 5, 2), hidden="relu"))
        assert loaded.run.engine == used
        gn.save(loaded, tmp_path / "tape")
        assert gn.Tape.load(tmp_path / "tape").as_arrays()[1]["engine"] == engine


def test_tape_whose_last_epoch_was_taken_back_goes_through_a_file(tmp_path):
    found = 0
    for seed in range(4):
        tape = gn.Tape(
            NET, 100 * X, Y, random_state=seed, batch_size=50, optimizer=gn.SGD(30.0), keyframe_every=1
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = tape.advance(60)
        found += run.status == "diverged"
        assert max(tape.keyframes) <= run.iterations
        gn.save(tape, tmp_path / "tape")
        assert gn.load(tmp_path / "tape").iterations == run.iterations
    assert found


def test_change_within_an_epoch_can_be_gone_back_to(monkeypatch):
    tape = tape_of("batches")
    tape.advance(1)
    calls = iter(range(100))

    def presses(keeper):
        if next(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return False

    monkeypatch.setattr(recording.Keeper, "is_due", property(presses))
    with pytest.warns(gn.InterruptedTrainingWarning):
        row = tape.advance(3).cursor.row
    monkeypatch.undo()
    assert row > 0
    tape.change(learning_rate=0.01)
    assert tape.at(1).cursor.row == row
    assert tape.branch().run.cursor.row == row
    whole = tape.advance(2)
    assert_same_run(tape.at(2), tape.branch(1).advance(1))
    assert np.array_equal(tape.at(2).losses, whole.losses[:2])


@pytest.mark.parametrize("size", [None, 50])
def test_replay_notices_data_that_were_changed_in_place(size):
    rows = X.copy()
    tape = gn.Tape(NET, rows, Y, random_state=0, batch_size=size, engine="numpy", keyframe_every=100)
    tape.advance(9)
    rows[:50] += 1
    with pytest.raises(gn.InputError, match=r"data have changed since.*change copies"):
        tape.at(5)


def test_callbacks_may_be_an_iterator_and_their_stops_begin_no_segment():
    tape, seen = gn.Tape(NET, X, Y, random_state=0, keyframe_every=100), []
    tape.advance(3, callbacks=iter([lambda run: seen.append(run.iterations)]))
    assert seen == [1, 2, 3]
    for _ in range(3):
        assert tape.advance(9, callbacks=[lambda run: True]).status == "stopped"
    assert tape.keyframes == (0,)
    assert_same_run(tape.at(5), gn.train(NET, X, Y, random_state=0, iterations=5))


def test_changes_without_training_stay_within_the_bounds():
    size = keyframes.Keyframe.of(gn.train(NET, X, Y, iterations=1)).size
    tape = gn.Tape(NET, X, Y, random_state=0, memory=5 * size)
    for number in range(12):
        tape.change(learning_rate=0.1 + number / 100)
    frames = [segment.keyframes[0] for segment in tape._segments]
    assert len(frames) == 13
    assert sum(frame.size for frame in frames if frame.run is not None) <= 5 * size
    run = tape.advance(4)
    assert_same_run(tape.branch(0).advance(4), run)


@pytest.mark.parametrize("size", [None, 50])
def test_segments_that_have_ended_hold_no_data_no_state_and_one_loss(size, tmp_path):
    stopping = gn.EarlyStopping(patience=99)
    settings = {"batch_size": size, "average": 0.9, "validation": 0.2, "stopping": stopping}
    tape = gn.Tape(NET, X, Y, random_state=0, optimizer="adam", **settings)
    runs = [tape.advance(5), tape.change(learning_rate=0.1), tape.advance(4), tape.change(y=1 - Y)]
    tape.advance(3)
    ended = tape._segments[:-1]
    assert [len(one.run.losses) for one in ended] == [1, 1]
    gn.save(tape, tmp_path / "tape")
    for past in (ended, gn.Tape.load(tmp_path / "tape")._segments[:-1]):
        assert len({id(one.run.parameters.flat) for one in past}) == 1
        arrays, _ = run_as_arrays(replace(past[-1].run, encoding=PLAIN))
        assert sum(a.nbytes for a in arrays.values()) == past[-1].run.parameters.flat.nbytes + 8
    for k, run in ((4, runs[0]), (8, runs[2]), (4, runs[0])):
        assert np.array_equal(tape.at(k).losses, run.losses[: len(tape.at(k).losses)])
        assert tape.at(k).resume(1).losses[-1] == run.losses[k + (size is None)]
        assert sum(one.run.data is not None for one in ended) == 1


def test_checkpoint_of_rows_that_no_file_can_hold_is_refused_before_training(tmp_path):
    tape = gn.Tape(NET, X, Y, random_state=0, batch_size=50)
    tape.change(X=gn.stream(X, Y), y=None)
    with pytest.raises(gn.InputError, match="A file cannot hold the X"):
        tape.advance(3, checkpoint=tmp_path / "tape")
    assert tape.iterations == 0


def test_file_whose_keyframe_is_of_other_data_is_refused():
    tape = gn.Tape(NET, X, Y, random_state=0, batch_size=50, keyframe_every=1)
    tape.advance(3)
    arrays, document = tape.as_arrays()
    cursor = document["segments"][0]["keyframes"][-1]["run"]["cursor"]
    cursor["fingerprint"] = [10_000.0, *cursor["fingerprint"][1:]]
    name = next(name for name in reversed(arrays) if name.endswith("/order"))
    with pytest.raises(gn.FileError, match="of another training"):
        gn.Tape.from_arrays({**arrays, name: np.arange(10_000, dtype=np.uint32)}, document, "t")


CODE = """
import sys
import numpy as np, glassnet as gn
from glassnet.training.files import checkpoint
X = np.random.default_rng(0).normal(size=(500, 2))
tape = gn.Tape(gn.Network((2, 6, 2)), X, (X[:, 0] > X[:, 1]).astype(int), random_state=0, batch_size=50)
tape.advance(10**7, checkpoint=sys.argv[1], checkpoint_every=0.05)
"""


def test_tape_goes_on_after_a_kill_while_it_is_written(tmp_path):
    path = tmp_path / "tape"
    process = subprocess.Popen([sys.executable, "-c", CODE, path])
    try:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)
    finally:
        process.kill()
        process.wait()
    X = np.random.default_rng(0).normal(size=(500, 2))
    y = (X[:, 0] > X[:, 1]).astype(int)
    tape = gn.load(path).attach(X, y)
    assert tape.run.status == "running"
    with pytest.raises(gn.InputError, match=r"gn\.load.*attach"):
        gn.Tape(gn.Network((2, 6, 2)), X, y).advance(3, checkpoint=path)
    n = tape.iterations + 3
    assert_same_run(
        tape.advance(3), gn.train(gn.Network((2, 6, 2)), X, y, random_state=0, batch_size=50, iterations=n)
    )


def test_runs_of_before_keep_their_losses_while_a_tape_goes_on():
    tape = gn.Tape(NET, X, Y, random_state=0)
    runs, losses = [], []
    for n in (3, 1, 40, 2, 1):
        runs.append(tape.advance(n))
        losses.append(runs[-1].losses.copy())
    tape.change(l2=0.5)
    runs.append(tape.advance(5))
    for run, before in zip(runs, losses, strict=False):
        assert np.array_equal(run.losses, before)
    assert runs[4].losses.base is runs[3].losses.base  # without a copy
    assert_same_run(runs[4], gn.train(NET, X, Y, random_state=0, iterations=47))
