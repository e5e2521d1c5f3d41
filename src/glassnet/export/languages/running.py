"""How files are run by the tools of their languages."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.language import MissingToolError, Options, Ran
from glassnet.export.languages.program import outputs_name, ran
from glassnet.export.model import Model


def done(command: Sequence[str | Path], folder: str | Path, data: bytes = b"") -> bytes:
    """What a command writes, that reads these bytes; InputError, with its complaint, where it fails."""
    process = subprocess.run(list(map(str, command)), cwd=folder, input=data, capture_output=True)
    if process.returncode:
        complaint = process.stderr.decode(errors="replace").strip()[-2000:]
        raise InputError(f"{Path(command[0]).name} does not run the file:\n{complaint}")
    return process.stdout


class Filter(NamedTuple):
    """A program that reads rows of numbers, runs an exported file on each, and writes its outputs and its
    labels' numbers, all as float64 of 8 bytes, the lowest first.

    file : what the exported file is called beside it.
    texts : its own files by their names. In these and in `file`, INPUTS stands for how many numbers a row
        has, OUTPUTS for the function that gives the outputs, NAME for the model's name.
    labels : of a classifier, what stands for LABELS.
    commands : what builds it, if anything does, and what runs it; ./ is their folder.
    names : of functions, as in a `Dialect`.
    """

    file: str
    texts: Mapping[str, str]
    labels: str
    commands: Sequence[str]
    names: Mapping[str, str] = {}

    def run(self, path: Path, model: Model, options: Options, values: Floats) -> Ran:
        """Run the file by the tools of its language; MissingToolError where one is not installed."""
        outputs = outputs_name(model)
        words = {
            "LABELS": self.labels if model.is_classifier else "",
            "INPUTS": str(len(model.features)),
            "OUTPUTS": self.names.get(outputs, outputs),
            "NAME": options.name,
        }

        def filled(text: str) -> str:
            for word, value in words.items():
                text = text.replace(word, value)
            return text

        with tempfile.TemporaryDirectory() as folder:
            *build, last = (_command(command, folder) for command in self.commands)
            files = {filled(self.file): path.read_bytes()}
            files |= {name: filled(text).encode() for name, text in self.texts.items()}
            for name, data in files.items():
                Path(folder, name).parent.mkdir(exist_ok=True)
                Path(folder, name).write_bytes(data)
            for command in build:
                done(command, folder)
            return ran(model, np.frombuffer(done(last, folder, values.astype("<f8").tobytes()), "<f8"))


def _command(command: str, folder: str) -> list[str | Path]:
    program, *words = command.split()
    place = Path(folder, program) if program.startswith("./") else shutil.which(program)
    if place is None:
        raise MissingToolError(f"{program} is not installed, or not on the PATH")
    return [place, *words]
