"""What every job is given, its checks, and where its results go."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Say
from benchmarks.peers import Peer
from benchmarks.tasks import N_SAMPLES
from glassnet.errors import InputError
from glassnet.utils.libraries import require
from glassnet.utils.settings_checks import as_count, as_real, as_steps
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
    as_steps(rounds, "rounds")
    as_count(n_samples, "n_samples", 100)
    if not 0 < as_real(seconds, "seconds") < 3600:
        raise InputError(f"seconds is {seconds}; expected the length of a slice, such as 0.2.")


def choose_say(quiet: bool) -> Say:
    """Shows progress on stderr, or nothing."""

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    return say


def run_child(module: str, *arguments: object) -> dict[str, Any]:
    """What ``child(*arguments)`` of a module prints as JSON in its own process; a failure's "reason"."""
    code = f"import sys; from {module} import child; child(*sys.argv[1:])"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return {"reason": lines[-1]}


def output_folder(folder: Path) -> None:
    """Make the folder of the results: whatever prevents writing them raises an error before the work."""
    require("matplotlib.figure")
    results_folder(folder)


def write_chart(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
