"""A session becomes a file and a program, and both give its bits again; lessons that ship can be played."""

import contextlib
import io
import re
from pathlib import Path
from urllib.parse import quote_plus

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.generators import generate
from glassnet.errors import InputError
from glassnet.lab import opening
from glassnet.lab.lessons.lesson import CONTROLS, read_lesson, shipped
from glassnet.lab.opening import session_of
from glassnet.lab.session import Session
from glassnet.lab.sources import study_of_set

X, Y = generate("moons", 0, n_samples=40)
TABLE = "width,height,kind\n" + "".join(f"{i % 7},{i * i % 11},{'ab'[i % 3 == 0]}\n" for i in range(60))
LM = {"name": "levenberg_marquardt"}
COSINE = {"schedule": "cosine", "rate": 0.5, "steps": 12, "per": "iteration"}

SESSIONS = {
    "arrays": [],
    "arrays with settings": [{"do": "train_with", "l2": 0.01, "dropout": 0.2}, {"do": "reset", "seed": 4}],
    "a set": [{"do": "data", "name": "xor", "settings": {"n_samples": 60}}],
    "a set with another network": [
        {"do": "data", "name": "iris"},
        {"do": "network", "units": [3, 2], "hidden": ["relu", "tanh"]},
        {"do": "train_with", "batch_size": 16},
    ],
    "drawn points": [{"do": "points", "points": [[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]]}],
    "points changed before the start": [
        {"do": "points", "points": [[0, 0, 0], [1, 1, 1], [0, 1, 0]]},
        {"do": "add_point", "place": [0.5, 0.5], "target": 1},
        {"do": "reset"},
    ],
    "a table": [{"do": "open_table", "name": "boxes.csv", "text": TABLE}],
    "a loss, a schedule and early stopping": [
        {"do": "measure_by", "loss": {"name": "brier"}},
        {"do": "stop_after", "patience": 40},
        {"do": "train_with", "optimizer": {"name": "sgd", "learning_rate": COSINE}},
    ],
    "a solver": [{"do": "train_with", "optimizer": LM}, {"do": "reset"}],
}
EVENTS = [
    {"do": "step", "n": 4},
    {"do": "edit", "index": 2, "value": -0.75},
    {"do": "step", "n": 3},
    {"do": "train_with", "optimizer": {"name": "adam", "learning_rate": 0.02}},
    {"do": "step", "n": 2},
    {"do": "label", "row": 1, "target": 1},
    {"do": "step", "n": 3},
    {"do": "erase_point", "row": 0},
    {"do": "note", "iteration": 5, "text": 'Said "here".'},
    {"do": "step", "n": 2},
]


@pytest.fixture(params=SESSIONS)
def session(request):
    with Session(X, Y, iterations=50) as session:
        for message in [*SESSIONS[request.param], *EVENTS]:
            assert "error" not in session.command(message), message
        yield session


def test_link_that_was_cut_off_before_its_lesson_is_said():
    with Session(X, Y) as session:
        error = session.command({"do": "open_lesson", "text": ""})["error"]
    assert error.startswith("There is no lesson in this")


@pytest.mark.parametrize("name", shipped())
def test_lesson_that_is_opened_and_saved_keeps_what_is_to_come(name):
    lesson = read_lesson(shipped()[name])
    with Session(lesson) as session:
        again = read_lesson(session.lesson())
    assert (again.iterations, again.notes) == (lesson.iterations, lesson.notes)
    assert again.events == lesson.events
    assert [one["name"] for one in again.beside] == [one["name"] for one in lesson.beside]


def test_branches_from_the_start_with_other_settings_are_saved_beside_the_one_that_is_shown():
    with Session(X, Y) as session:
        for message in [
            {"do": "branch", "name": "faster"},
            {"do": "train_with", "optimizer": {"name": "adam", "learning_rate": 0.02}},
            {"do": "step", "n": 6},
            {"do": "branch", "name": "changed on its way"},
            {"do": "train_with", "l2": 0.1},
            {"do": "step"},
            {"do": "turn_to", "name": "Run"},
            {"do": "step", "n": 4},
        ]:
            answer = session.command(message)
            assert "error" not in answer, answer
        text, loss = session.lesson(), session.branches[1].brief()["loss"]
    with Session(read_lesson(text)) as session:
        one, other = session.branches
        assert (other.name, other.tape.iterations, other.brief()["loss"]) == ("faster", 6, loss)
        assert one.tape.iterations == 0


def test_lesson_gives_the_bits_of_the_session_again(session):
    text = session.lesson()
    run = session.shown_run()
    with Session([[0.0], [1.0]], [0, 1]) as other:
        assert "error" not in other.command({"do": "open_lesson", "text": text})
        assert other.setup()["notes"] == [{"iteration": 5, "text": 'Said "here".'}]
        paused = []
        while other.brief()["iteration"] < run.iterations:
            other.command({"do": "play"})
            seen = 0
            while other.brief()["state"] == "playing":
                seen = other.wait(seen, 10)
            paused.append(other.brief()["iteration"])
        assert paused == [5, run.iterations]  # at the note, and at the end
        same = other.shown_run()
        np.testing.assert_array_equal(same.losses, run.losses)
        np.testing.assert_array_equal(same.parameters.flat, run.parameters.flat)
        assert other.lesson() == text


def test_python_gives_the_bits_of_the_session_again(session, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boxes.csv").write_text(TABLE)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(session.command({"do": "python"})["text"], names)
    np.testing.assert_array_equal(names["tape"].run.losses, session.shown_run().losses)


@pytest.mark.parametrize("name", shipped())
def test_lesson_that_ships_can_be_played_to_its_end(name):
    with Session([[0.0], [1.0]], [0, 1]) as session:
        assert "error" not in session.command({"do": "open_lesson", "name": name})
        setup = session.setup()
        assert setup["title"]
        assert setup["notes"][0]["iteration"] == 0
        last = setup["end"]
        session.command({"do": "step", "n": last if last <= 600 else 300})
        assert session.brief()["iteration"] == min(last, 300 if last > 600 else last)
        assert not session.brief()["trouble"]


def test_plateau_has_levenberg_marquardt_beside_the_notebooks_run():
    with Session([[0.0], [1.0]], [0, 1]) as session:
        session.command({"do": "open_lesson", "name": "plateau"})
        assert session.brief()["loss"] == pytest.approx(39183.15151047596, abs=1e-9)
        run, beside = session.setup()["branches"]
        assert (run["name"], run["shown"]) == ("Run", True)
        assert beside["name"] == "Levenberg-Marquardt"
        assert beside["loss"] < 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lesson = ", "not valid TOML"),
        ("title = 'x'", "expected lesson = 1"),
        ("lesson = 2", "expected lesson = 1, not 2"),
        ("lesson = 1\npath = '/etc/passwd'", "no 'path'"),
        ("lesson = 1", "KeyError: 'data'"),
        ("lesson = 1\n[data]\nset = 'mooons'", "Did you mean 'moons'"),
        ("lesson = 1\n[data]\nfile = 'x.csv'", "a set, points, a table, or X and y"),
        ("lesson = 1\nhidden = ['map']\n[data]\nset = 'xor'", "Unknown part to hide"),
        ("lesson = 1\n[data]\nset = 'xor'\n[training]\nthreads = 4", "no setting 'threads'"),
        ("lesson = 1\n[data]\nset = 'xor'\n[[events]]\niteration = 3\nrun = 1", "An event is"),
        (
            "lesson = 1\n[data]\nset = 'xor'\n[[events]]\niteration = -3\nerase = 1",
            "event's iteration is -3",
        ),
        ("lesson = 1\n[data]\nset = 'moons'\nn_samples = 1_000_000_000", "takes up to 100,000"),
        (
            "lesson = 1\n[data]\nset = 'xor'\n[network]\nsizes = [2, 100_000, 2]\nhidden = ['tanh']",
            "up to 8 hidden layers of up to 1,000 units",
        ),
        (
            "lesson = 1\n[data]\nset = 'xor'\n[network]\nsizes = [2, 900, 900, 2]\nhidden = 'tanh'",
            "815,402 parameters; the lab draws up to 200,000",
        ),
        ("lesson = 1\n[data]\nset = 'moons'\n[training]\ncheckpoint = 'x'", "no setting 'checkpoint'"),
        ("lesson = 1\niterations = 1e9\n[data]\nset = 'xor'", "iterations is 1000000000.0"),
        (
            "lesson = 1\n[data]\nset = 'xor'\n[network]\nsizes = [3, 2]\nhidden = []\noutput = 'softmax'",
            "3",
        ),
    ],
)
def test_lesson_that_cannot_be_played_is_refused_in_words(text, words):
    with Session(X, Y) as session:
        session.command({"do": "step", "n": 2})
        assert words in session.command({"do": "open_lesson", "text": text})["error"]
        assert session.brief()["iteration"] == 2


def test_event_that_cannot_be_made_stops_the_lesson_in_words():
    text = "lesson = 1\n[data]\nset = 'xor'\n[[events]]\niteration = 3\nedit = [999, 1.0]"
    with Session(X, Y) as session:
        session.command({"do": "open_lesson", "text": text})
        session.command({"do": "step", "n": 5})
        assert "The lesson cannot go on: index is 999" in session.brief()["trouble"]


def test_change_of_a_lesson_comes_on_each_branch_that_begins_before_it():
    text = "lesson = 1\n[data]\nset = 'xor'\n[[events]]\niteration = 3\nedit = [0, 1.0]"
    with Session(read_lesson(text)) as session:
        session.command({"do": "branch", "name": "other"})
        for name in ("other", "Run"):
            session.command({"do": "turn_to", "name": name})
            session.command({"do": "step", "n": 5})
            assert [event["iteration"] for event in session.setup()["events"]] == [3]


def test_lesson_keeps_its_title_notes_and_hidden_parts():
    with Session(study_of_set("xor")) as session:
        session.command({"do": "note", "iteration": 0, "text": "Look."})
        text = session.command({"do": "lesson", "title": "Mine", "hidden": ["data", "why"]})["text"]
        read = read_lesson(text)
        assert (read.title, read.hidden, dict(read.notes)) == ("Mine", ("data", "why"), {0: "Look."})
        assert set(read.hidden) <= set(CONTROLS)
        session.open_lesson(text)
        assert session.setup()["hidden"] == ["data", "why"]
        session.command({"do": "leave_lesson"})
        assert session.setup()["hidden"] == session.setup()["notes"] == []
        session.command({"do": "note", "iteration": 0, "text": ""})
        with pytest.raises(InputError, match="not valid TOML"):
            session.open_lesson("lesson = [")


def test_lesson_of_data_too_large_says_so():
    wide = np.zeros((1001, 200))
    wide[:, 0] = np.arange(1001) % 2
    with Session(wide, np.arange(1001) % 2, gn.Network((200, 2))) as session:
        assert "holds up to 200,000" in session.command({"do": "lesson"})["error"]


def test_session_of_takes_a_lesson_by_name_and_by_file(tmp_path):
    with session_of("stuck") as session:
        session.command({"do": "step", "n": 3})
        assert session.setup()["title"] == "A network that does not learn, and why"
        (tmp_path / "mine.toml").write_text(session.lesson())
        losses = session.shown_run().losses
    with session_of(str(tmp_path / "mine.toml")) as session:
        session.command({"do": "step", "n": 3})
        np.testing.assert_array_equal(session.shown_run().losses, losses)


def test_session_of_takes_the_lesson_of_a_link():
    with session_of("xor") as session:
        session.command({"do": "train_with", "optimizer": {"name": "sgd", "learning_rate": 0.3}})
        session.command({"do": "step", "n": 3})
        session.command({"do": "edit", "index": 0, "value": 1.5})
        session.command({"do": "step", "n": 2})
        losses = session.shown_run().losses
        link = f"http://127.0.0.1:8900/{opening.LINK}{quote_plus(session.lesson())}"
    with session_of(link) as session:
        session.command({"do": "step", "n": 5})
        np.testing.assert_array_equal(session.shown_run().losses, losses)
    with pytest.raises(InputError, match="no lesson"):
        session_of("#lesson=1")


def test_lesson_of_the_documentation_does_what_it_says():
    page = Path(__file__).parents[3] / "docs" / "the-lab.md"
    text = re.search(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)[1]
    with Session(read_lesson(text)) as session:
        answer = session.command({"do": "step", "n": 600})
        assert answer["state"] == "diverged"
        assert 300 < answer["iteration"] < 400
        assert [branch.name for branch in session.branches] == ["Run", "Adam"]


def test_lesson_of_a_branch_has_what_changed_where_it_began():
    with Session(X, Y) as session:
        session.command({"do": "step", "n": 3})
        session.command({"do": "edit", "index": 0, "value": 1.5})
        session.command({"do": "branch"})
        session.command({"do": "step", "n": 2})
        losses = session.shown_run().losses
        with Session(read_lesson(session.lesson())) as other:
            other.command({"do": "step", "n": 5})
            np.testing.assert_array_equal(other.shown_run().losses, losses)
