"""What every job is given, its checks, and where its results go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contest import Say
from benchmarks.peers import Peer
from benchmarks.tasks import N_SAMPLES
from glassnet.errors import InputError, InputTypeError
from glassnet.plots.libraries import require
from glassnet.utils.storage import atomic_write, results_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Options:
    """Options of the jobs: `rows` is the number of rows of the walk-forward search's table."""

    peers: Sequence[Peer]
    rounds: int
    seconds: float
    say: Say
    quick: bool = False
    rows: int | None = None


def check_settings(rounds: object, seconds: object, n_samples: object = N_SAMPLES) -> None:
    """InputError or InputTypeError where rounds, the seconds of a slice or the samples make no sense."""
    for name, value, least, usual in (("rounds", rounds, 1, 7), ("n_samples", n_samples, 100, N_SAMPLES)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputTypeError(f"{name} is a whole number, not {value!r}.")
        if value < least:
            raise InputError(f"{name} is {value}; expected {least} or more, such as {usual}.")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InputTypeError(f"seconds is a number, not {seconds!r}.")
    if not 0 < seconds < 3600:
        raise InputError(f"seconds is {seconds}; expected the length of a slice, such as 0.2.")


def choose_say(quiet: bool) -> Say:
    """Shows progress on stderr, or nothing."""

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    return say


def output_folder(folder: Path) -> None:
    """Make the folder of the results: whatever prevents writing them raises an error before the work."""
    require("matplotlib.figure")
    results_folder(folder)


def write_chart(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
