"""How files are run by the tools of their languages: as filters of float64 numbers, row by row."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.language import MissingToolError, Ran
from glassnet.export.languages.program import ran
from glassnet.export.model import Model


def tool(program: str) -> str:
    """The path of a program; MissingToolError where it is not installed."""
    found = shutil.which(program)
    if found is None:
        raise MissingToolError(f"{program} is not installed, or not on the PATH")
    return found


def done(command: Sequence[str | Path], folder: str | Path, data: bytes = b"") -> bytes:
    """What a command writes, that reads these bytes; InputError, with its complaint, where it fails."""
    process = subprocess.run(list(map(str, command)), cwd=folder, input=data, capture_output=True)
    if process.returncode:
        complaint = process.stderr.decode(errors="replace").strip()[-2000:]
        raise InputError(f"{Path(command[0]).name} does not run the file:\n{complaint}")
    return process.stdout


def filtered(command: Sequence[str | Path], folder: str | Path, model: Model, values: Floats) -> Ran:
    """What a command gives: it reads rows of numbers and writes each row's outputs and labels' numbers, all
    as float64 of 8 bytes, the lowest first."""
    written = done(command, folder, values.astype("<f8").tobytes())
    return ran(model, np.frombuffer(written, "<f8"))
