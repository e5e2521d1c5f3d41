"""What winding a run back costs, and that it gives the bits of training.

``python -m benchmarks.tapes`` takes ten kinds of small runs and two long ones, the notebook's 2-3-2 network
on 50,000 samples over 50,000 updates and 784-100-10 on batches. Of each it compares the state at random
iterations with that of training which stopped there, and prints the time of going back, the time of
training with the tape over that without, and the most that keyframes take.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from sklearn.datasets import make_circles

import glassnet as gn
from benchmarks.record import describe_machine, machine_line
from glassnet import native
from glassnet.utils.memory import size_text

DRAWS = 20
ROUNDS = 3


def state_of(run: gn.TrainingRun) -> str:
    """A digest of what a run goes on from."""
    sha = sha256(run.parameters.flat.tobytes() + run.state.tobytes() + run.losses.tobytes())
    return (
        sha.hexdigest()
        if run.averaged is None
        else sha256(sha.digest() + run.averaged.flat.tobytes()).hexdigest()
    )


def small_kinds() -> dict[str, tuple[gn.Network, dict[str, Any], int]]:
    """Ten kinds of training, their settings and their iterations."""
    net, line = (
        gn.Network((2, 8, 2), hidden="tanh"),
        gn.Network((2, 8, 1), hidden="tanh", output="identity"),
    )
    decay = gn.SGD(gn.ReduceOnPlateau(0.5, patience=2))
    return {
        "momentum": (net, {"optimizer": gn.SGD(0.1, momentum=0.9)}, 2_000),
        "Adam": (net, {"optimizer": "adam"}, 2_000),
        "batches": (net, {"batch_size": 32}, 100),
        "batches, average": (net, {"batch_size": 64, "average": 0.99}, 100),
        "dropout": (net, {"dropout": 0.2}, 1_000),
        "early stopping": (net, {"validation": 0.2, "stopping": gn.EarlyStopping(patience=50)}, 1_000),
        "rate on plateau": (net, {"validation": 0.2, "optimizer": decay, "batch_size": 50}, 60),
        "LBFGS": (net, {"optimizer": "lbfgs"}, 60),
        "Levenberg-Marquardt": (line, {"optimizer": "levenberg_marquardt"}, 60),
        "Bayesian regularization": (line, {"optimizer": "bayesian_regularization"}, 40),
    }


def compare(network: gn.Network, X: Any, y: Any, settings: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Wind a run back to random iterations: how many states differ, and the seconds of each."""
    tape = gn.Tape(network, X, y, random_state=0, **settings)
    tape.advance(n)
    drawn = np.random.default_rng(0).integers(0, tape.iterations + 1, DRAWS)
    back = {}
    seconds = []
    for k in map(int, drawn):
        began = time.perf_counter()
        run = tape.at(k)
        seconds.append(time.perf_counter() - began)
        back[k] = state_of(run)
    run = gn.train(network, X, y, random_state=0, iterations=0, **settings)
    wrong = 0
    for k in sorted(back):
        run = run.resume(k - run.iterations)
        wrong += state_of(run) != back[k]
    frames = tape.keyframes
    return {"iterations": tape.iterations, "keyframes": len(frames), "differ": wrong, "seconds": seconds}


def cost(network: gn.Network, X: Any, y: Any, settings: Mapping[str, Any], n: int) -> tuple[float, int]:
    """The time with a tape over that without, a median of rounds in turns, and the keyframes' bytes."""
    ratios, taken = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        gn.train(network, X, y, random_state=0, iterations=n, **settings)
        without = time.perf_counter() - began
        tape = gn.Tape(network, X, y, random_state=0, **settings)
        began = time.perf_counter()
        tape.advance(n)
        ratios.append((time.perf_counter() - began) / without)
        taken = max(taken, tape.nbytes)
    return statistics.median(ratios), taken


def line(name: str, n: int, frames: int, seconds: list[float], differ: int) -> str:
    """A row of the table."""
    middle, worst = 1e3 * statistics.median(seconds), 1e3 * max(seconds)
    return f"{name:24} {n:>8,} {frames:>9,} {middle:>9.1f} {worst:>9.1f} {DRAWS - differ:>5} of {DRAWS}"


def main() -> int:
    """Print the table; 0 where all states have the bits of training."""
    warnings.simplefilter("ignore", gn.GlassnetWarning)
    isa = native.module.isas()[0] if native.module is not None else None
    print(machine_line(describe_machine(isa)))
    print(f"{'':24} {'steps':>8} {'keyframes':>9} {'back, ms':>9} {'worst':>9} the same bits")
    differ = 0
    X, y = make_circles(2_000, noise=0.1, factor=0.3, random_state=0)
    for name, (network, settings, n) in small_kinds().items():
        targets = y if network.sizes[-1] == 2 else X[:, :1] * X[:, 1:]
        result = compare(network, X, targets, settings, n)
        differ += result["differ"]
        print(line(name, result["iterations"], result["keyframes"], result["seconds"], result["differ"]))
    random = np.random.default_rng(1)
    digits = random.standard_normal((2_000, 784)).astype(np.float32)
    long: dict[str, tuple[gn.Network, Any, Any, dict[str, Any], int]] = {
        "2-3-2, 50,000 samples": (
            gn.Network((2, 3, 2)),
            *make_circles(50_000, noise=0.1, factor=0.1, random_state=0),
            {"optimizer": gn.SGD(0.1, momentum=0.9), "dtype": "float64"},
            50_000,
        ),
        "784-100-10": (
            gn.Network((784, 100, 10), hidden="relu"),
            digits,
            random.integers(0, 10, 2_000),
            {"optimizer": "adam", "batch_size": 100},
            200,
        ),
    }
    for name, (network, rows, targets, settings, n) in long.items():
        result = compare(network, rows, targets, settings, n)
        differ += result["differ"]
        print(line(name, result["iterations"], result["keyframes"], result["seconds"], result["differ"]))
        ratio, taken = cost(network, rows, targets, settings, n)
        print(f"{'':24} time with the tape {ratio:.3f} of that without, keyframes {size_text(taken)}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
