"""A session does what a page asks, shows it in frames, and its numbers are those of gn.train."""

import json

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.generators import generate
from glassnet.lab.session import Session

X, Y = generate("moons", 0, n_samples=120)
NETWORK = gn.Network((2, 3, 2), hidden="tanh")


@pytest.fixture
def session():
    with Session(X, Y, NETWORK, optimizer=gn.SGD(0.1), iterations=400, validation=0.25) as session:
        yield session


def played(session, **settings):
    """The session once it rests again."""
    assert "error" not in session.command({"do": "play"})
    seen = 0
    for _ in range(1000):
        seen = session.wait(seen, 10)
        if session.brief()["state"] != "playing":
            return session
    raise AssertionError("it plays for ever")


def test_session_plays_to_the_end_with_the_bits_of_train(session):
    run = played(session).shown_run()
    same = gn.train(NETWORK, X, Y, optimizer=gn.SGD(0.1), iterations=400, validation=0.25, random_state=0)
    np.testing.assert_array_equal(run.losses, same.losses)
    np.testing.assert_array_equal(run.parameters.flat, same.parameters.flat)
    np.testing.assert_array_equal(run.validation_losses, same.validation_losses)


def test_session_steps_play_and_pause_meet_the_same_path(session):
    assert session.command({"do": "step"})["iteration"] == 1
    assert session.command({"do": "step", "n": 6.0})["iteration"] == 7
    session.command({"do": "pace", "iterations": 1})
    session.command({"do": "play"})
    session.wait(session.frame().number, 10)
    paused = session.command({"do": "pause"})
    assert paused["state"] == "paused"
    assert session.wait(session.frame().number, 0.05) == session.frame().number  # it rests
    run = session.shown_run()
    same = gn.train(
        NETWORK, X, Y, optimizer=gn.SGD(0.1), iterations=run.iterations, validation=0.25, random_state=0
    )
    np.testing.assert_array_equal(run.parameters.flat, same.parameters.flat)


def test_session_plays_as_far_again_from_the_end(session):
    assert played(session).brief()["iteration"] == 400
    assert played(session).brief()["iteration"] == 800


def test_reset_starts_from_the_same_parameters_and_a_seed_from_others(session):
    start = session.frame().arrays["parameters"]
    session.command({"do": "step", "n": 5})
    assert session.command({"do": "reset"})["iteration"] == 0
    np.testing.assert_array_equal(session.frame().arrays["parameters"], start)
    session.command({"do": "reset", "seed": 1})
    assert not np.array_equal(session.frame().arrays["parameters"], start)


@pytest.mark.parametrize(
    "message",
    [
        {"do": "pause"},
        {"do": "reset", "seed": 1},  # which holds out other rows
        {"do": "train_with", "standardize": True},
        {"do": "train_with", "l2": 0.1},
    ],
)
def test_frame_has_the_exact_loss_parameters_and_gradient(session, message):
    session.frame()
    session.command(message)
    session.command({"do": "step", "n": 9})
    frame, run = session.frame(), session.shown_run()
    assert frame.document["loss"] == run.losses[-1]
    np.testing.assert_array_equal(frame.arrays["parameters"], run.parameters.flat)
    rows, scaling = run.validation.training_rows, run.encoding.scaling
    inputs = X[rows] if scaling is None else scaling.inputs(X[rows])
    problem = gn.prepare(NETWORK, inputs, Y[rows], l2=run.penalties.l2)
    loss, gradient = problem.loss_and_gradient(run.parameters.flat)
    assert loss == run.losses[-1]
    np.testing.assert_allclose(frame.arrays["gradient"], gradient, rtol=1e-13)


def test_frame_says_where_each_array_lies(session):
    frame = session.frame()
    header, payload = json.loads(json.dumps(frame.header(), allow_nan=False)), frame.payload()
    for place in header["arrays"]:
        kind, size = np.dtype(place["dtype"]), int(np.prod(place["shape"]))
        assert place["offset"] % 8 == 0
        array = np.frombuffer(payload, kind, size, place["offset"]).reshape(place["shape"])
        np.testing.assert_array_equal(array, frame.arrays[place["name"]])
    assert header["frame"]["number"] == frame.number


def test_samples_are_those_held_out_and_those_trained_on(session):
    samples = session.command({"do": "samples"})
    run = session.shown_run()
    held_out = {row for row, held in zip(samples["rows"], samples["held_out"], strict=True) if held}
    assert held_out == set(run.validation.validation_rows.tolist())
    assert len(samples["points"]) == 120


def test_value_at_is_what_the_network_answers_there(session):
    answer = session.command({"do": "value_at", "place": [0.3, -0.2]})
    run = session.shown_run()
    np.testing.assert_array_equal(answer["layers"][-1], run.predict_proba([[0.3, -0.2]])[0])


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (None, "A command is a mapping"),
        ({"do": "format_disk"}, "Unknown command 'format_disk'"),
        ({"do": ["play"]}, "Unknown command"),
        ({"do": "step", "n": float("nan")}, "n is nan; expected a whole number from 1"),
        ({"do": "step", "n": 1e400}, "n is inf"),
        ({"do": "step", "n": True}, "n is a number, not True"),
        ({"do": "step", "n": "3", "m": 1}, "step has no argument 'm'; it has n. n is a number, not '3'"),
        ({"do": "value_at"}, "value_at lacks 'place'"),
        ({"do": "value_at", "place": [1]}, "place has 1 number"),
        ({"do": "reset", "seed": -1}, "seed is -1; expected"),
    ],
)
def test_command_that_cannot_be_done_says_so_and_changes_nothing(session, message, words):
    session.command({"do": "step", "n": 2})
    before = session.wait(0)
    assert words in session.command(message)["error"]
    assert session.wait(0) == before
    assert session.command({"do": "step"})["iteration"] == 3


def test_divergence_is_said_in_words_and_the_session_goes_on():
    with Session(X, Y, NETWORK, optimizer=gn.SGD(1e9), iterations=50) as session:
        state = played(session).brief()
        assert state["state"] == "diverged"
        assert "Take a smaller learning rate" in state["trouble"]
        assert session.command({"do": "reset"})["trouble"] == ""


def test_session_of_one_input_draws_a_line():
    x = np.linspace(-1, 1, 30)[:, None]
    with Session(x, np.sin(3 * x[:, 0])) as session:
        frame = session.frame()
        assert frame.document["map"]["kind"] == "line"
        line = frame.arrays["line"]
        run = session.shown_run()
        np.testing.assert_allclose(line[1], run.predict(line[0][:, None]), rtol=1e-12)


def test_session_of_many_inputs_draws_the_principal_plane():
    wide = np.random.RandomState(0).normal(size=(60, 5))
    with Session(wide, (wide[:, 0] > 0).astype(int)) as session:
        assert session.command({"do": "samples"})["labels"][0].startswith("principal axis 1")
        assert len(session.command({"do": "value_at", "place": [0, 0]})["inputs"]) == 5


def test_close_ends_training_in_progress(session):
    session.command({"do": "pace", "iterations": 1})
    session.command({"do": "play"})
    session.close()
    assert session.closed


def test_frames_in_motion_are_rough_and_the_last_one_is_whole(session):
    session.command({"do": "pace", "iterations": 1})
    session.frame()
    session.command({"do": "play"})
    seen, kinds = session.frame().number, set()
    while session.brief()["state"] == "playing" and len(kinds) < 2:
        seen = session.wait(seen, 10)
        frame = session.frame()
        kinds.add(frame.document["rough"])
        slow = {"gradient", "losses", "hidden"} & set(frame.arrays)
        assert len(slow) == (0 if frame.document["rough"] else 3)
    assert kinds == {True, False}
    session.command({"do": "pause"})
    frame = session.frame()
    assert not frame.document["rough"]
    assert frame.arrays["leader"].shape == (96, 96)
