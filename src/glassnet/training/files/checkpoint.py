"""A file that follows a training run by the clock, so that a kill or a power cut loses a minute at most."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

from glassnet.errors import CheckpointWarning, FileError, InputError
from glassnet.training.files.writing import HasArrays, run_as_arrays, save
from glassnet.training.state import RunState
from glassnet.utils.paths import as_path
from glassnet.utils.settings_checks import as_positive
from glassnet.utils.storage import arrays_as_bytes, read_arrays, results_folder
from glassnet.utils.warn import warn

SECONDS = 60.0
"""The default time from one checkpoint to the next."""

_SHARE = 0.02
"""The most of the time that writing takes: the larger the files, the longer the time between them."""


class Checkpoint:
    """The file at `path`, which `write` replaces by a run, whole or not at all; `is_due` asks the clock.

    Raises InputError for `seconds` that are not above 0, FileError where no file can be written at `path`.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float = SECONDS) -> None:
        self.path: Path = as_path(path)
        self._seconds = as_positive(seconds, "checkpoint_every")
        results_folder(self.path.parent)
        if self.path.is_dir():
            raise FileError(f"{self.path} cannot be written: a folder stands there. Give a file's path.")
        self._fails = False
        self._due = monotonic() + self._seconds

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next file."""
        return monotonic() >= self._due

    def prove(self, run: RunState) -> None:
        """Raise, before the work begins, what `glassnet.save` says of a run that no file can hold."""
        arrays_as_bytes(*run_as_arrays(run))

    def write(self, run: RunState | HasArrays) -> None:
        """Write the run, or the tape; where that fails, warn once, and try again when the next file is due.

        A full disk must not end training, and may have room in a minute.
        """
        began = monotonic()
        try:
            save(run, self.path)
            self._fails = False
        except FileError as error:
            if not self._fails:
                warn(
                    f"Training goes on without new checkpoints until one can be written. {error}",
                    CheckpointWarning,
                )
            self._fails = True
        ended = monotonic()
        self._due = ended + max(self._seconds, (ended - began) / _SHARE)


def checkpoint_of(
    path: str | os.PathLike[str] | None, seconds: float, *, begins: bool = False
) -> Checkpoint | None:
    """The checkpoint that the keywords of `train` and `resume` ask for, or None.

    Raises InputError where training `begins` and the file holds a run that has not ended: it is what a kill
    has left.
    """
    if path is None:
        return None
    checkpoint = Checkpoint(path, seconds)
    if begins and checkpoint.path.exists():
        _, document = read_arrays(checkpoint.path)
        if document.get("status") == "running":
            loaded, done = f"gn.load({os.fspath(checkpoint.path)!r})", document.get("iterations")
            on = f"run = {loaded}; run.resume(n - run.iterations, X=X, y=y)"
            if "segments" in document:
                on = f"tape = {loaded}.attach(X, y); tape.advance(n - tape.iterations)"
            raise InputError(
                f"{checkpoint.path} holds a run that was cut off after iteration {done}. To go on from it: "
                f"{on}. To begin anew, remove the file or give another path."
            )
    return checkpoint
