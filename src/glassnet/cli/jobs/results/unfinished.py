"""Training that was cut off, and how a job goes on from it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from glassnet.cli.jobs.results.folder import CHECKPOINT
from glassnet.errors import FileError, InputError
from glassnet.experiments.library import SETTINGS, read_toml
from glassnet.training.files.loading import load
from glassnet.training.run import TrainingRun

MODEL = "model.safetensors"

_FREE = ("name", "title", "train.iterations", "train.threads")
"""The settings that may differ from those that training began with: they change no number."""


@dataclass(frozen=True)
class Unfinished:
    """A run to go on from, and the folder where it lies with its settings."""

    folder: Path
    run: TrainingRun

    @classmethod
    def latest(cls, folders: Iterable[Path], results: Path) -> Unfinished:
        """The latest run in the folders and in the results themselves; raises FileError without any."""
        whole = [f for f in (*folders, results) if (f / SETTINGS).is_file() and _file(f).is_file()]
        if not whole:
            raise FileError(
                f"--resume: there is nothing to go on from in {results}, which holds no {MODEL} with its "
                f"{SETTINGS}. Leave out --resume to begin."
            )
        folder = max(whole, key=lambda f: _file(f).stat().st_mtime)
        return cls(folder, load(_file(folder)))

    def __str__(self) -> str:
        at = datetime.fromtimestamp(_file(self.folder).stat().st_mtime)
        return f"iteration {self.run.iterations:,} of the run in {self.folder}, of {at:%Y-%m-%d %H:%M:%S}"

    def check(self, settings: str) -> None:
        """Raise InputError where a job's settings, as TOML, differ from the run's, or ask for no more."""
        there, here = (
            dict(_flat(read)) for read in (read_toml(self.folder / SETTINGS), tomllib.loads(settings))
        )
        names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
        if different := [name for name in names if name not in _FREE]:
            shown = "; ".join(
                f"{name} is {_shown(there, name)} there and {_shown(here, name)} here" for name in different
            )
            raise InputError(
                f"--resume: the run in {self.folder} has other settings: {shown}. Give the same ones, or "
                f"leave out --resume to begin anew."
            )
        left = here["train.iterations"] - self.run.iterations
        whole = (self.folder / MODEL).is_file()  # else training had ended, and the results were not written
        if left < 0 or (left == 0 and self.run.status == "completed" and whole):
            raise InputError(
                f"--resume: the run in {self.folder} has made its {self.run.iterations:,} iterations. More "
                f"of them, such as --iterations {2 * self.run.iterations}, go on from there."
            )


def _file(folder: Path) -> Path:
    """The file of the run; there is a checkpoint until the model is whole."""
    model = folder / MODEL
    return model if model.is_file() else folder / CHECKPOINT


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not given"
