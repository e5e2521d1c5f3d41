"""Paths that a user gives, files that are read whole, and the system's errors in words."""

from __future__ import annotations

import difflib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from glassnet.errors import FileError, InputError, InputTypeError

_REASONS = {
    errno.ENOENT: "there is no such file or folder",
    errno.EACCES: "permission is denied. Choose a place that you own, or change its permissions",
    errno.EPERM: "the system does not permit it. Choose a place that you own",
    errno.EROFS: "the file system is read-only. Choose a folder on another one",
    errno.EISDIR: "a folder stands there. Give the path of a file",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.ELOOP: "the path goes round in circles of symbolic links",
    errno.EIO: "the device reports an input/output error. Look after the disk before trying again",
    errno.EMFILE: "too many files are open in this process. Close some first",
}


def as_path(path: object, name: str = "path") -> Path:
    """`path` as a pathlib.Path; InputTypeError for anything else, InputError for an impossible path."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputTypeError(f"{name} is text or a pathlib.Path, not {path!r} ({type(path).__name__}).")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise InputTypeError(f"{name} is text, not bytes: use os.fsdecode({text!r}).")
    if not text or "\0" in text:
        raise InputError(f"{name} is {text!r}; expected the name of a file or folder.")
    refuse_url(text)
    return Path(text)


def refuse_url(text: str) -> None:
    """Raise InputError for an address such as https://..., of which pathlib leaves out a slash."""
    scheme, colon, rest = text.partition(":/")
    if colon and len(scheme) > 1 and scheme.isalnum() and not Path(text).exists():
        url = f"{scheme}://{rest.lstrip('/')}"
        last = url.rstrip("/").rpartition("/")[2].partition("?")[0]
        hint = f", for instance with: curl -L -o {last} '{url}'" if scheme[:4] == "http" else ""
        raise InputError(f"glassnet reads files, and {url} is an address. Download it first{hint}")


def is_pattern(path: Path) -> bool:
    """Whether a path, such as ``*.csv``, stands for those that fit it, and is no file's own name."""
    return any(mark in str(path) for mark in "*?[") and not path.exists()


def require_there(path: Path) -> None:
    """Raise FileError, with the nearest name, where there is neither a file nor a folder."""
    if not path.exists():
        raise _missing(path)


def explain(error: OSError, writing: bool = False) -> str:
    """Why the system refused, and what to do about it, as the end of a sentence without its period."""
    if writing and error.errno == errno.ENOENT:  # in /proc, every new file fails so
        return "the folder there takes no new files. Choose an ordinary folder"
    if error.errno in _REASONS:
        return _REASONS[error.errno]
    return error.strerror or str(error) or type(error).__name__


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; FileError if it is missing (with the nearest name), a device or unreadable."""
    with opened(path) as file:
        return file.read()


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file that is open for reading; FileError as `read_bytes` raises it, while it is read, too."""
    path = as_path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise FileError(f"{path} is a folder; expected a file. Give the path of a file in it.")
        # /dev/zero never ends; a pipe, through which a shell passes the output of a program, does.
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise FileError(f"{path} is a device, not a file of data. Give the path of a file.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {explain(error)}.") from error
    except MemoryError as error:
        raise FileError(f"{path} does not fit into this machine's memory. Split it up.") from error


def _missing(path: Path) -> FileError:
    if path.is_symlink():
        return FileError(f"{path} is a symbolic link to {path.readlink()}, which does not exist.")
    from_here = "" if path.is_absolute() else f", looked for from {Path.cwd()}"
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return FileError(f"There is no file {path}: its folder does not exist either{from_here}.")
    near = difflib.get_close_matches(path.name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else " Check the name and the folder."
    return FileError(f"There is no file {path}{from_here}.{hint}")
