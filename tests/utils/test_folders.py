"""Folders are exchanged in one step, and whoever is killed leaves nothing that stays for ever."""

import signal
import subprocess
import sys
from pathlib import Path

from platforms import linux

from glassnet.utils import folders


def write(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


@linux("an exchange of folders")
def test_exchange_swaps_two_folders_with_all_that_is_in_them(tmp_path):
    one, other = write(tmp_path / "one", "a", "1"), write(tmp_path / "other", "b", "2")
    assert folders.exchange(one, other)
    assert (one / "b").read_text() == "2"
    assert (other / "a").read_text() == "1"
    assert not folders.exchange(one, tmp_path / "missing")
    assert (one / "b").exists()


def test_link_gives_files_folders_and_links_a_second_name(tmp_path):
    write(write(tmp_path / "old", "file", "mine").joinpath("deep"), "file", "deeper")
    (tmp_path / "old" / "away").symlink_to("/nowhere")
    (tmp_path / "new").mkdir()
    for entry in (tmp_path / "old").iterdir():
        folders.link(entry, tmp_path / "new" / entry.name)
    folders.remove(tmp_path / "old")
    assert not (tmp_path / "old").exists()
    assert (tmp_path / "new" / "deep" / "file").read_text() == "deeper"
    assert (tmp_path / "new" / "away").readlink() == Path("/nowhere")


def test_folder_is_in_use_while_its_process_lives_and_unknown_without_a_mark(tmp_path):
    assert folders.is_in_use(tmp_path) is None
    use = folders.InUse(tmp_path)
    assert folders.is_in_use(tmp_path) is True
    use.end()
    assert folders.is_in_use(tmp_path) is False


def test_folder_is_never_marked_before_the_mark_is_locked(tmp_path, monkeypatch):
    abandoned, lock = [], folders._lock

    def look(file):
        abandoned.append((tmp_path / folders.MARK).exists())
        lock(file)

    monkeypatch.setattr(folders, "_lock", look)
    folders.InUse(tmp_path).end()
    assert abandoned == [False]
    assert [entry.name for entry in tmp_path.iterdir()] == [folders.MARK]


def test_folder_of_a_killed_process_is_abandoned_and_removed_and_no_other(tmp_path):
    left, mine, linked = (tmp_path / f"unfinished-{name}" for name in ("left", "mine", "linked"))
    for folder in (left, mine):
        write(folder, "thesis.txt", "years of work")
    linked.symlink_to(left)
    code = (
        "import sys, pathlib, time\n"
        "from glassnet.utils.folders import InUse\n"
        "use = InUse(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, left], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        folders.remove_abandoned(tmp_path, "unfinished-")
        assert (left / "thesis.txt").exists()
        child.send_signal(signal.SIGKILL)
        child.wait()
    folders.remove_abandoned(tmp_path, "unfinished-")
    assert not left.exists()
    assert (mine / "thesis.txt").exists()  # no process of ours marked it
