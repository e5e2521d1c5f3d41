"""Folders that are exchanged in one step, and those that killed processes have left behind."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

MARK = ".in-use"
"""The name of the file that a process holds locked in a folder while it uses the folder."""

_DIGITS = 7  # numbers with more are others', such as dates

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


class InUse:
    """A folder that this process uses until `end`, or until the process ends, by a kill too.

    The system drops the lock with the process, whatever ends it: no process number can be mistaken for
    another's.
    """

    def __init__(self, folder: Path) -> None:
        # The mark is locked before it has its name: else others could take the folder for abandoned.
        hidden = folder / f".{secrets.token_hex(6)}"
        self._file: IO[bytes] = hidden.open("xb")
        with contextlib.suppress(OSError):  # without locks nobody takes the folder for abandoned
            _lock(self._file)
        if sys.platform == "win32":
            self._file.close()  # a file that is open could not be renamed there, nor the folder around it
        try:
            hidden.rename(folder / MARK)
        except BaseException:
            self.end()
            raise

    def also(self, folder: Path, other: Path) -> None:
        """Mark another folder of the same file system; `folder` is the first one's path now."""
        (other / MARK).unlink(missing_ok=True)
        os.link(folder / MARK, other / MARK)

    def end(self) -> None:
        """Let go of the lock; the mark stays."""
        self._file.close()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        raise OSError("no locks")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_in_use(folder: Path) -> bool | None:
    """Whether the process that marked the folder as in use is alive; None without a mark, and where nobody
    can know."""
    try:
        with (folder / MARK).open("rb") as file:
            _lock(file)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def remove(folder: Path) -> None:
    """Remove a folder, its mark last, so that whoever is killed meanwhile leaves one that is abandoned."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.name != MARK:
                remove_entry(entry)
    shutil.rmtree(folder, ignore_errors=True)


def remove_entry(entry: Path) -> None:
    """Remove a file or a folder."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def remove_abandoned(folder: Path, prefix: str, keep: Iterable[str] = ()) -> None:
    """Remove the folders within, of names that begin with `prefix`, that killed processes left.

    A folder with a file of a name in `keep` stays.
    """
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.name.startswith(prefix) and not entry.is_symlink():
                if any((entry / name).exists() for name in keep):
                    continue
                if is_in_use(entry) is False:
                    remove(entry)
                elif not any(entry.iterdir()):  # killed before the mark, or after it was removed
                    entry.rmdir()


def flush(folder: Path, names: Iterable[str] = ()) -> None:
    """Make files of a folder, and the folder itself, survive a power cut, where the system can."""
    for path in (*(folder / name for name in names), folder):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def link(entry: Path, other: Path) -> None:
    """Give a file, or a folder with all that is in it, a second name without a copy; OSError where not."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, other, symlinks=True, copy_function=os.link)
    else:
        os.link(entry, other, follow_symlinks=False)


def link_or_copy(entry: Path, other: Path) -> None:
    """Give a file a second name, or where the file system has no links, copy it."""
    try:
        os.link(entry, other, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(entry, other, follow_symlinks=False)


def numbered(path: Path) -> list[tuple[int, Path]]:
    """The folders ``path.1``, ``path.2`` and so on that exist, with their numbers, in order."""
    start, found = f"{path.name}.", []
    for entry in path.parent.iterdir():
        number = entry.name.removeprefix(start)
        if entry.name.startswith(start) and number.isdecimal() and len(number) < _DIGITS:
            found.append((int(number), entry))
    return sorted(found)


def to_next_number(folder: Path, path: Path) -> Path:
    """Rename a folder to ``path.N``, N above all that are there; the new path."""
    number = max((number for number, _ in numbered(path)), default=0)
    while True:
        number += 1
        place = path.with_name(f"{path.name}.{number}")
        try:
            folder.rename(place)
        except OSError as error:  # another process may have taken the number meanwhile
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) or number > 10**_DIGITS:
                raise
        else:
            return place


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system, or the file system, cannot.

    After a kill or a power cut there is the one or the other at each place, and never a mixture. Files and
    links can be exchanged too.
    """
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def put_back(entry: Path, other: Path) -> None:
    """Put a file or a folder in the place of the second name that `link` gave it before.

    So that other programs lose nothing of what they wrote in between, at either place: whoever has a folder
    open goes on in the same one.
    """
    if not os.path.lexists(other):
        entry.rename(other)
    elif not os.path.samestat(entry.lstat(), other.lstat()):
        exchange(entry, other)
        _add(entry, other)


def _add(folder: Path, other: Path) -> None:
    """Move what only the first of two folders has into the second one."""
    if all(one.is_dir() and not one.is_symlink() for one in (folder, other)):
        for entry in folder.iterdir():
            if os.path.lexists(other / entry.name):
                _add(entry, other / entry.name)
            else:
                entry.rename(other / entry.name)
