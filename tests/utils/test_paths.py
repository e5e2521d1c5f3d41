import errno
import os
from pathlib import Path

import pytest

from glassnet.errors import FileError, InputError, InputTypeError
from glassnet.utils.paths import as_path, explain, is_pattern, read_bytes


@pytest.mark.parametrize("path", [3, None, b"bytes.csv", ["a"]])
def test_as_path_refuses_what_is_no_path(path):
    with pytest.raises(InputTypeError, match="path is text"):
        as_path(path)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_as_path_refuses_names_that_no_file_has(path):
    with pytest.raises(InputError, match="expected the name of a file"):
        as_path(path)


@pytest.mark.parametrize("path", ["https://x.org/a.csv", Path("https://x.org/a.csv"), "s3://bucket/a.csv"])
def test_as_path_says_that_addresses_are_to_be_downloaded(path):
    with pytest.raises(
        InputError, match=r"(https://x\.org|s3://bucket)/a\.csv is an address\. Download it"
    ):
        as_path(path)


def test_as_path_takes_colons_of_files_and_drives(tmp_path):
    assert as_path("C:/a.csv").name == "a.csv"
    (tmp_path / "a:").mkdir()
    assert as_path(f"{tmp_path}/a:/b").name == "b"


def test_a_file_of_that_name_is_no_pattern(tmp_path):
    path = tmp_path / "a[1].csv"
    assert is_pattern(path)
    path.touch()
    assert not is_pattern(path)


def test_read_bytes_returns_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\xff")
    assert read_bytes(tmp_path / "a") == b"\x00\xff"


def test_read_bytes_suggests_the_nearest_name(tmp_path):
    (tmp_path / "circles.csv").touch()
    with pytest.raises(FileError, match=r"no file .*circels\.csv.*Did you mean 'circles\.csv'"):
        read_bytes(tmp_path / "circels.csv")


def test_read_bytes_says_where_a_relative_path_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=f"looked for from {tmp_path}"):
        read_bytes("nothing.csv")


def test_read_bytes_tells_a_missing_folder_from_a_missing_file(tmp_path):
    with pytest.raises(FileError, match="its folder does not exist either"):
        read_bytes(tmp_path / "no" / "a.csv")


def test_read_bytes_names_the_target_of_a_dangling_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(FileError, match=r"symbolic link to .*gone, which does not exist"):
        read_bytes(tmp_path / "link")


def test_read_bytes_refuses_a_folder_and_a_device(tmp_path):
    with pytest.raises(FileError, match="is a folder"):
        read_bytes(tmp_path)
    with pytest.raises(FileError, match="is a device"):
        read_bytes(os.devnull)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "no"), "permission is denied"),
        (OSError(errno.EIO, "no"), "input/output error"),
        (MemoryError(), "does not fit"),
    ],
)
def test_read_bytes_puts_the_systems_errors_into_words(tmp_path, monkeypatch, error, words):
    def fail(self, mode):
        raise error

    (tmp_path / "a").touch()
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(FileError, match=words):
        read_bytes(tmp_path / "a")


def test_explain_tells_a_missing_file_from_a_folder_that_takes_none():
    error = FileNotFoundError(errno.ENOENT, "no")
    assert "there is no such file" in explain(error)
    assert "takes no new files" in explain(error, writing=True)


def test_explain_falls_back_on_the_systems_own_words():
    assert explain(OSError(errno.ENXIO, "strange thing")) == "strange thing"
    assert explain(TimeoutError()) == "TimeoutError"
