"""A folder of results whose earlier files stay until all the new ones are complete."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from glassnet.errors import FileError, GlassnetError
from glassnet.utils.paths import explain
from glassnet.utils.storage import results_folder

RECORD = "run.json"
"""The file that lists what a run wrote; without one, a folder's files are not a run's."""


class ResultsFolder:
    """A folder of results, and beside its files the new ones until they are complete.

    Used as a context: files are written to ``folder.new(name)``, and `commit` moves them all into
    place and removes the earlier run's other files. Where the block fails, the earlier results stay as
    they were; if a file in `keep` is among the new ones, they stay in a folder that the error names.

    Raises FileError at once where the folder cannot be written, where it holds files of a name in
    `names` that no run wrote, and where there is less room on the disk than `needed` bytes.
    """

    def __init__(
        self, path: str | os.PathLike[str], names: Iterable[str], needed: int, keep: Iterable[str] = ()
    ) -> None:
        self._is_new, self._keep = not os.path.lexists(path), set(keep)
        self.path = results_folder(path)
        self._earlier = _earlier(self.path)
        foreign = [n for n in [*names, RECORD] if n not in self._earlier and os.path.lexists(self.path / n)]
        if foreign:
            raise FileError(
                f"{self.path / foreign[0]} would be replaced, but no earlier run wrote it. "
                f"Choose another folder (--results), or move the file away."
            )
        _require_room(self.path, needed)
        self._stage = self.path / f"unfinished-{secrets.token_hex(4)}"

    def __enter__(self) -> ResultsFolder:
        return self

    def new(self, name: str) -> Path:
        """The path to write a file to, until all are complete."""
        try:
            self._stage.mkdir(exist_ok=True)
        except OSError as error:
            raise FileError(f"{self._stage} cannot be made: {explain(error, True)}.") from error
        return self._stage / name

    @property
    def written(self) -> list[str]:
        """The new files so far."""
        if not self._stage.is_dir():
            return []
        return sorted(entry.name for entry in self._stage.iterdir() if not entry.name.startswith("."))

    def commit(self) -> list[str]:
        """Move the new files into place, the record last; returns their names."""
        names = sorted(self.written, key=lambda name: name == RECORD)
        for name in names:
            (self._stage / name).replace(self.path / name)
        for name in self._earlier - set(names):
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).unlink()
        shutil.rmtree(self._stage, ignore_errors=True)
        return names

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or not self._keep & set(self.written):
            shutil.rmtree(self._stage, ignore_errors=True)
            if error is not None and self._is_new:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # where nothing else is in it
            return
        earlier = " The earlier results are untouched." if self._earlier else ""
        words = f"What was written before is in {self._stage}: {', '.join(self.written)}.{earlier}"
        if isinstance(error, GlassnetError):
            raise type(error)(f"{error} {words}") from error
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(words) from error
        error.add_note(words)


def _earlier(path: Path) -> set[str]:
    """The files that the record of an earlier run lists, as far as they are plain names."""
    try:
        files: Any = json.loads((path / RECORD).read_text("utf-8"))["files"]
        return {name for name in files if Path(name).name == name} | {RECORD}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _require_room(path: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return  # some file systems do not say
    if free < needed:
        raise FileError(
            f"The disk of {path} has {free / 1e6:,.1f} MB free, and the results take about "
            f"{needed / 1e6:,.1f} MB. Make room first, or choose another folder (--results)."
        )
