"""A folder of results is one job's, wholly: whatever kills a job, fills the disk or removes the folder."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from platforms import linux

from glassnet.cli.jobs.job import PICTURES, RUN_FILES
from glassnet.cli.jobs.results import folder as results_folder
from glassnet.cli.jobs.results.folder import GRID_ENDINGS, ResultsFolder
from glassnet.cli.jobs.results.record import RECORD
from glassnet.cli.jobs.sweeping import BEST, REFIT
from glassnet.cli.jobs.sweeping import PICTURES as SWEEP_PICTURES
from glassnet.errors import FileError
from glassnet.utils import folders

NAMES = ("model.safetensors", "losses.csv")


def fill(folder, text, names=NAMES, fail=None, keep_earlier=True):
    with ResultsFolder(
        folder, names, 0, keep=names[:1], known=RUN_FILES, keep_earlier=keep_earlier
    ) as place:
        for name in names:
            place.new(name).write_text(text)
        if fail is not None:
            fail(place)
        return place.commit({})


def contents(folder):
    return {entry.name: entry.read_text() for entry in folder.iterdir() if entry.is_file()}


def test_all_names_that_jobs_give_are_known():
    assert set(PICTURES) < set(RUN_FILES)
    assert {f"-{picture}.png" for picture in SWEEP_PICTURES} < set(GRID_ENDINGS)
    assert {f"-{BEST}", f"-{REFIT}"} < set(GRID_ENDINGS)


EXCHANGES = pytest.mark.parametrize(
    "exchanges", [pytest.param(True, marks=linux("an exchange of folders")), False]
)
"""Folders are exchanged, or, as on other systems, files are moved one by one."""


KEEPS = pytest.mark.parametrize("keeps", [True, False])


@KEEPS
@EXCHANGES
def test_commit_replaces_the_files_of_jobs_and_leaves_all_others(tmp_path, monkeypatch, exchanges, keeps):
    if not exchanges:
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    folder = tmp_path / "r"
    fill(folder, "first", (*NAMES, "loss.png"))
    (folder / "notes.txt").write_text("mine")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "thesis.txt").write_text("mine too")
    (folder / "away").symlink_to("/nowhere")
    folder.chmod(0o750)
    fill(folder, "second", keep_earlier=keeps)
    assert {name: text for name, text in contents(folder).items() if name != RECORD} == {
        "model.safetensors": "second",
        "losses.csv": "second",
        "notes.txt": "mine",
    }
    assert (folder / "drafts" / "thesis.txt").read_text() == "mine too"
    assert (folder / "away").readlink() == Path("/nowhere")
    assert folder.stat().st_mode & 0o777 == 0o750
    assert {entry.name for entry in tmp_path.iterdir()} == ({"r", "r.1"} if keeps else {"r"})
    if keeps:
        earlier = contents(tmp_path / "r.1")
        assert set(json.loads(earlier.pop(RECORD))["files"]) == {*earlier, RECORD}
        assert earlier == dict.fromkeys((*NAMES, "loss.png"), "first")
        assert not [entry for entry in (tmp_path / "r.1").iterdir() if not entry.is_file()]
    assert not [entry.name for entry in folder.iterdir() if entry.name.startswith((".", "unfinished"))]


@linux("an exchange of folders")
def test_what_other_programs_write_during_the_exchange_stays(tmp_path, monkeypatch):
    exchange, calls = folders.exchange, []

    def late(one, other):
        calls.append(one)
        if len(calls) > 1:
            return exchange(one, other)
        (other / "log.txt").write_text("new")
        (other / "drafts" / "log.txt").write_text("new")
        for place in (other, other / "drafts"):  # as an editor saves a file
            (place / "saved").write_text("new")
            (place / "saved").rename(place / "notes.txt")
        done = exchange(one, other)
        (other / "drafts" / "deep" / "later.txt").write_text("new")
        return done

    folder = tmp_path / "r"
    fill(folder, "first")
    (folder / "drafts" / "deep").mkdir(parents=True)
    for place in (folder, folder / "drafts"):
        (place / "notes.txt").write_text("old")
    same = (folder / "drafts").stat().st_ino
    monkeypatch.setattr(folders, "exchange", late)
    fill(folder, "second")
    names = ("log.txt", "notes.txt", "drafts/log.txt", "drafts/notes.txt", "drafts/deep/later.txt")
    assert {name: (folder / name).read_text() for name in names} == dict.fromkeys(names, "new")
    assert (folder / "losses.csv").read_text() == "second"
    assert (folder / "drafts").stat().st_ino == same  # whoever stands in it writes into it
    assert {entry.name for entry in tmp_path.iterdir()} == {"r", "r.1"}
    assert set(contents(tmp_path / "r.1")) == {*NAMES, RECORD}


def test_record_from_elsewhere_removes_no_file_but_those_that_jobs_write(tmp_path):
    mine = {"thesis.txt": "mine", "thesis.csv": "mine", "model.safetensors": "a job's"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "loss.png").mkdir()
    (tmp_path / RECORD).write_text(json.dumps({"files": [*mine, "loss.png", RECORD], "grids": {}}))
    fill(tmp_path, "new")
    assert contents(tmp_path).items() >= {"thesis.txt": "mine", "thesis.csv": "mine"}.items()
    assert (tmp_path / "model.safetensors").read_text() == "new"
    assert (tmp_path / "loss.png").is_dir()


def test_files_of_an_earlier_sweep_are_known_by_its_grids(tmp_path):
    (tmp_path / "rates.csv").write_text("a table")
    (tmp_path / RECORD).write_text(json.dumps({"files": ["rates.csv"], "grids": {"rates": {}}}))
    fill(tmp_path, "new")
    assert not (tmp_path / "rates.csv").exists()


def test_current_folder_stays_the_one_that_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    same = tmp_path.stat().st_ino
    fill(Path(), "first")
    fill(Path(), "second")
    assert tmp_path.stat().st_ino == same
    assert contents(tmp_path)["losses.csv"] == "second"
    assert contents(tmp_path / "earlier.1")["losses.csv"] == "first"
    fill(Path(), "third")
    assert contents(tmp_path / "earlier.2")["losses.csv"] == "second"


def test_earlier_results_have_the_next_number_and_none_is_replaced(tmp_path):
    for name in ("r.7", "r.20261130", "r.old"):
        (tmp_path / name).mkdir()
    (tmp_path / "r.8").write_text("a file")
    for text in ("first", "second", "third"):
        fill(tmp_path / "r", text)
    found = {path.parent.name: path.read_text() for path in tmp_path.glob("*/losses.csv")}
    assert found == {"r.9": "first", "r.10": "second", "r": "third"}


def test_two_jobs_at_once_lose_nothing(tmp_path):
    fill(tmp_path / "r", "first")
    with ResultsFolder(tmp_path / "r", NAMES, 0, known=RUN_FILES) as slow:
        slow.new(NAMES[0]).write_text("slow")
        fill(tmp_path / "r", "quick", (*NAMES, "loss.png"))
        slow.new(NAMES[1]).write_text("slow")
        slow.commit({})
    found = {place.name: contents(place) for place in tmp_path.iterdir()}
    assert {name: files["losses.csv"] for name, files in found.items()} == {
        "r": "slow",
        "r.1": "first",
        "r.2": "quick",
    }
    assert [name for name, files in found.items() if "loss.png" in files] == ["r.2"]


def test_earlier_files_are_copied_where_a_file_system_has_no_links(tmp_path, monkeypatch):
    fill(tmp_path / "r", "first")

    def refuse(*arguments, **keywords):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    monkeypatch.setattr(os, "link", refuse)
    fill(tmp_path / "r", "second")
    assert contents(tmp_path / "r")["losses.csv"] == "second"
    assert contents(tmp_path / "r.1")["losses.csv"] == "first"

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.shutil, "copy2", full)
    with pytest.raises(
        FileError, match=r"cannot be put aside: .* --replace .* What was written before is in"
    ):
        fill(tmp_path / "r", "third")
    assert contents(tmp_path / "r")["losses.csv"] == "second"
    (kept,) = (tmp_path / "r").glob("unfinished-*")
    assert contents(kept)["losses.csv"] == "third"


def test_many_earlier_results_say_how_much_room_they_take(tmp_path):
    for number in range(1, 10):
        (tmp_path / f"r.{number}").mkdir()
        (tmp_path / f"r.{number}" / "report.html").write_bytes(bytes(2_000_000))
    fill(tmp_path / "r", "first")
    with ResultsFolder(tmp_path / "r", NAMES, 0, known=RUN_FILES) as place:
        place.new(NAMES[0]).write_text("new")
        place.commit({})
    (_, where), (_, size) = place.earlier()
    assert where.endswith(f"are in {tmp_path / 'r.10'}")
    assert size.startswith(f"10 such folders, {tmp_path / 'r'}.*, take 18 MB: remove those")


def test_newest_results_of_a_folder_of_earlier_ones(tmp_path):
    for text in ("first", "second"):
        fill(tmp_path / "r", text)
    assert results_folder.newest(tmp_path / "r.1") == tmp_path / "r"
    assert results_folder.newest(tmp_path / "r") == tmp_path / "r"
    assert results_folder.newest(tmp_path / "other.1") == tmp_path / "other.1"
    assert results_folder.newest(tmp_path / "r" / "earlier.1") == tmp_path / "r"


def die_at(number):
    """Kill this process right after call `number` of those that change a folder."""
    calls = []

    def dying(function):
        def call(*arguments, **keywords):
            result = function(*arguments, **keywords)
            calls.append(function)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in ("mkdir", "rename", "replace", "link", "unlink", "rmdir", "fsync"):
        setattr(os, name, dying(getattr(os, name)))
    folders.exchange = dying(folders.exchange)


def kill_at_every_moment(place, exchanges, keeps):
    """Fill a folder twice, the second time by a process that dies at each moment in turn, and look."""
    os.fsync = lambda descriptor: None  # which takes most of the time; kills lose nothing that was written
    if not exchanges:
        folders.exchange = lambda one, other: False
    moments = 0
    ended = signal.SIGKILL
    while ended == signal.SIGKILL:
        moments += 1
        folder = place / f"r{moments}"
        fill(folder, "first", (*NAMES, "loss.png"))
        (folder / "drafts").mkdir()
        for notes in (folder / "notes.txt", folder / "drafts" / "notes.txt"):
            notes.write_text("mine")
        if not (child := os.fork()):
            die_at(moments)
            fill(folder, "second", keep_earlier=keeps)
            os._exit(0)
        ended = os.waitpid(child, 0)[1]
        found = contents(folder)
        assert found["notes.txt"] == (folder / "drafts" / "notes.txt").read_text() == "mine"
        results = {text for name, text in found.items() if name in RUN_FILES}
        texts = [found["losses.csv"], found["model.safetensors"]]
        listed = set(json.loads(found[RECORD])["files"])
        if exchanges:
            assert len(results) == 1, (moments, found)  # and never a mixture
            assert ("loss.png" in found) == (results == {"first"})
            assert listed == {name for name in found if name in RUN_FILES} | {RECORD}
        else:  # old pictures go, then files change one by one, and the record last
            assert texts in (["first"] * 2, ["second", "first"], ["second"] * 2), (moments, found)
            assert "loss.png" not in found or results == {"first"}
            assert "loss.png" in listed or texts == ["second"] * 2
        earlier = [contents(entry) for entry in sorted(place.glob(f"r{moments}.*"))]
        whole = [files["losses.csv"] for files in earlier if files["losses.csv"] == files[NAMES[0]]]
        assert len(whole) == len(earlier) <= keeps
        if keeps:
            assert "first" in results | set(whole), moments  # whatever happens
        fill(folder, "third")
        entries = [*folder.iterdir(), *place.iterdir()]
        left = {entry.name for entry in entries if not entry.suffix[1:].isdecimal()}
        hidden = [*folder.glob("[.u]*"), *place.glob(".*")]
        expected = {*NAMES, RECORD, "notes.txt", "drafts", *(f"r{k + 1}" for k in range(moments))}
        assert (left, hidden) == (expected, []), moments
        assert (folder / "drafts" / "notes.txt").read_text() == "mine"
    assert ended == 0
    print(moments)


@KEEPS
@EXCHANGES
def test_kill_at_any_moment_leaves_whole_files_and_the_next_job_cleans_up(tmp_path, exchanges, keeps):
    # In a process of its own: it forks.
    code = (
        "import sys, pathlib, test_results_folder as t;"
        f"t.kill_at_every_moment(pathlib.Path(sys.argv[1]), {exchanges}, {keeps})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    assert int(ended.stdout) > 15


def test_folder_removed_meanwhile_is_made_again(tmp_path):
    folder = tmp_path / "deep" / "r"
    with ResultsFolder(folder, NAMES, 0, keep=NAMES[:1]) as place:
        results_folder.shutil.rmtree(tmp_path / "deep")
        for name in NAMES:
            place.new(name).write_text("made")
        place.commit({})
    assert (folder / "model.safetensors").read_text() == "made"


def test_model_removed_before_the_end_is_written_again(tmp_path):
    run = object()

    def lose(place):
        place.run, place.rescue = run, lambda new: new(NAMES[0]).write_text("again")
        results_folder.shutil.rmtree(tmp_path / "r")

    with pytest.raises(FileError, match="was removed before all results were written") as caught:
        fill(tmp_path / "r", "lost", fail=lose)
    assert caught.value.run is run
    (kept,) = (tmp_path / "r").glob("unfinished-*")
    assert contents(kept) == {NAMES[0]: "again"}
    fill(tmp_path / "r", "next")
    assert contents(kept) == {NAMES[0]: "again"}  # what an error named is nobody's to remove


def test_what_cannot_be_written_here_is_written_elsewhere(tmp_path, monkeypatch):
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(results_folder.tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("HOME", str(home))

    def rescue(new):
        path = new("model.safetensors")
        if not path.is_relative_to(home):
            raise FileError("the disk is full")
        path.write_text("all of it")

    def fail(place):
        (place.new("model.safetensors")).unlink()
        place.rescue = rescue
        raise FileError("the disk is full")

    with pytest.raises(
        FileError, match=r"the disk is full What was written before is in .*/home/glassnet-r-"
    ):
        fill(tmp_path / "r", "new", fail=fail)
    (kept,) = home.iterdir()
    assert contents(kept) == {"model.safetensors": "all of it"}
    assert not (tmp_path / "r").exists()
    results_folder.shutil.rmtree(home)
    with pytest.raises(FileError, match="to no other place either, and is lost"):
        fill(tmp_path / "r", "new", fail=fail)
