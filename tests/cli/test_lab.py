"""``glassnet lab``: the address is printed, Ctrl-C and SIGTERM end it, and mistakes are said."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from strangers import ask

from glassnet.cli import main


@pytest.fixture
def start():
    """`start(*arguments)`: the command in a process of its own, and its address; killed after the test."""
    processes = []

    def begin(*arguments):
        command = [sys.executable, "-m", "glassnet", "lab", "--no-browser", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        found = re.fullmatch(r"The lab is at http://127\.0\.0\.1:(\d+)(/\?token=[\w-]{43})\n", line)
        assert found, line + process.stderr.read()
        return process, int(found[1]), found[2]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="Windows sends Ctrl-C to all of a console")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_lab_serves_until_it_is_ended(start, number, status, tmp_path):
    process, port, path = start("moons", "--address-file", str(tmp_path / "address"))
    assert ask(port, path, {"Host": f"127.0.0.1:{port}"}).status == 303
    assert Path(tmp_path / "address").read_text().endswith(f":{port}{path}\n")
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("The lab is closed.\n", "")
    assert process.returncode == status


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["spiral"], "Did you mean 'spirals'?"),
        (["plateu"], "Did you mean 'plateau'?"),
        (["nowhere.toml"], "There is no file nowhere.toml"),
        (["moons", "--port", "70000"], "cannot listen on port 70000 of 127.0.0.1"),
        (["moons", "--port", "x"], "'x' is not a valid integer"),
        (["moons", "--expose", "203.0.113.7"], "cannot listen on port 0 of 203.0.113.7"),
    ],
)
def test_lab_says_what_it_cannot_do(arguments, words):
    result = CliRunner().invoke(main, ["lab", "--no-browser", *arguments])
    assert result.exit_code in (1, 2)
    assert words in result.output


def test_help_says_what_exposing_the_lab_means():
    words = " ".join(CliRunner().invoke(main, ["lab", "--help"]).output.split())
    assert "Whoever has the printed address then commands the lab, and nothing is encrypted" in words
