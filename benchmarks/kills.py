"""The register of attacks, and that on the files which follow training in Python."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn


class LostError(Exception):
    """An attack that did not hold, in words."""


Attack = Callable[[Path, random.Random], None]

ATTACKS: dict[str, Attack] = {}
"""The ways to attack: functions of a folder and a generator, which raise LostError."""


def attack(function: Attack) -> Attack:
    """Add a function to `ATTACKS`, by its name."""
    return ATTACKS.setdefault(function.__name__, function)


def require(holds: object, words: str) -> None:
    """Raise LostError unless it holds."""
    if not holds:
        raise LostError(words)


# ---- Commands in processes of their own ---------------------------------------------------------------


PYTHON = """
import sys, warnings
import numpy as np, glassnet as gn
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(400, 2))
y = (X[:, 0] > X[:, 1]).astype(int)
net, path, n = gn.Network((2, 6, 2)), sys.argv[2], int(sys.argv[3])
how = {"random_state": 0, "batch_size": 32, "dropout": 0.1}
if sys.argv[1] == "run":
    gn.train(net, X, y, iterations=n, checkpoint=path, checkpoint_every=0.02, **how)
else:
    gn.Tape(net, X, y, **how).advance(n, checkpoint=path, checkpoint_every=0.02)
"""


@attack
def files_of_python(folder: Path, draw: random.Random) -> None:
    """SIGKILL at any moment of `gn.train` with a checkpoint and of a tape: both go on to the same bits."""
    kind, path = draw.choice(["run", "tape"]), folder / f"{draw.random()}.safetensors"
    process = subprocess.Popen([sys.executable, "-c", PYTHON, kind, path, str(10**9)])
    wait, began = draw.uniform(0.02, 0.8), time.monotonic()
    while not path.exists() and process.poll() is None and time.monotonic() < began + 60:
        time.sleep(0.01)
    time.sleep(wait)
    process.kill()
    process.wait()
    X = np.random.default_rng(0).normal(size=(400, 2))
    y = (X[:, 0] > X[:, 1]).astype(int)
    left = gn.load(path)
    n = left.iterations + 2
    if kind == "tape":
        tape = gn.Tape.load(path).attach(X, y)
        run = tape.advance(2)
        require(np.array_equal(tape.at(n // 2).losses, run.losses[: n // 2]), "another past")
    else:
        run = left.resume(2, X=X, y=y)
    how: Any = {"random_state": 0, "batch_size": 32, "dropout": 0.1}
    whole = gn.train(gn.Network((2, 6, 2)), X, y, iterations=n, **how)
    require(run.parameters == whole.parameters, "other parameters")
    require(np.array_equal(run.losses, whole.losses), "other losses")
