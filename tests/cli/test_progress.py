"""What a command says on stderr while it works."""

import subprocess
import sys

import pytest

from glassnet.cli.progress import Stages


class Stream:
    def __init__(self, terminal):
        self.text, self.terminal = "", terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


STEPS = ["loading scikit-learn", "data", "model", "training", "data.png", "loss.png", "report.html"]


def said(monkeypatch, terminal, quiet=False):
    stream, stages = Stream(terminal), Stages()
    monkeypatch.setattr(sys, "stderr", stream)
    stages.open(quiet)
    for step in STEPS:
        stages.begin(step)
        stages.clear()
    return stream.text, stages.progress


def test_stages_are_a_line_each_in_a_log(monkeypatch):
    text, progress = said(monkeypatch, terminal=False)
    assert [line.partition("] ")[2] for line in text.splitlines()] == [
        "loading glassnet",
        "loading scikit-learn",
        "reading and preparing the data",
        "training",
        "drawing pictures",
        "writing the report",
    ]
    assert progress == 10.0


def test_stages_of_a_terminal_take_turns_in_a_line_that_goes(monkeypatch):
    text, progress = said(monkeypatch, terminal=True)
    assert "\n" not in text
    shown = ""
    for part in text.split("\r"):
        shown = part + shown[len(part) :]
    assert shown.strip() == ""
    assert "drawing pictures ..." in text
    assert progress is True


def test_quiet_job_says_nothing(monkeypatch):
    assert said(monkeypatch, terminal=True, quiet=True) == ("", False)


def test_closed_stderr_costs_no_job(monkeypatch):
    stages = Stages()
    monkeypatch.setattr(sys, "stderr", None)
    stages.open(False)
    stages.begin("data")
    stages.clear()
    assert stages.progress is False


def said_before(folder, command, late):
    """What a command that fails writes on stderr; it has imported none of the `late` modules."""
    code = (
        "import sys, runpy, atexit\n"
        f"atexit.register(lambda: print(*{late} & set(sys.modules)))\n"
        f"sys.argv = ['glassnet', *{command}]\n"
        "runpy.run_module('glassnet', run_name='__main__', alter_sys=True)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert ended.returncode in (1, 2)
    assert ended.stdout.strip() == ""
    return ended.stderr


@pytest.mark.parametrize("command", [["train", "pots.csv"], ["predict", "model.safetensors", "pots.csv"]])
def test_misspelled_file_is_answered_before_the_library_is_imported(tmp_path, command):
    (tmp_path / "pot.csv").write_text("a,b\n1,2\n")
    (tmp_path / "model.safetensors").write_text("")
    said = said_before(tmp_path, command, {"sklearn", "glassnet.training"})
    assert "There is no file pots.csv" in said
    assert "Did you mean 'pot.csv'?" in said


@pytest.mark.parametrize(
    ("content", "target", "error"),
    [
        ("a,b\n1,2\n3,4\n", "c", "Unknown column of pot.csv: 'c'. Choose one of: a, b."),
        ('a,b\n1,"2\n3,4\n', "b", "a double quote that is not closed"),
        ("", "b", "is empty"),
    ],
)
def test_fault_of_a_file_is_answered_before_scikit_learn_is_imported(tmp_path, content, target, error):
    (tmp_path / "pot.csv").write_text(content)
    assert error in said_before(tmp_path, ["train", "pot.csv", "--target", target], {"sklearn"})
