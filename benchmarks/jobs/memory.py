"""Memory: how much more than the data a training takes at its peak, in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.options import Options, run_child
from benchmarks.record import outcome

N_SAMPLES, QUICK_SAMPLES, INPUTS, BATCH = 2_000_000, 50_000, 20, 1000
SIZES = (INPUTS, 16, 2)
ROOM = 64 * 2**20
"""Bytes that training may take at its peak besides one copy of the data."""

CONTESTANTS = ("glassnet", "scikit-learn")


def measure_memory(who: str, n_samples: int = N_SAMPLES) -> dict[str, Any]:
    """Bytes at the peak of one epoch over float32 samples, over those there before it began.

    A process of its own makes the data in blocks, so that nothing before the training reaches higher,
    and trains on a few samples first, which loads whatever it needs.
    """
    return {"name": who, **run_child(__name__, who, n_samples)}


def judge_memory(options: Options) -> dict[str, Any]:
    """Everybody's peak, and whether glassnet's is at most one copy of the data and `ROOM`."""
    n_samples = QUICK_SAMPLES if options.quick else N_SAMPLES
    rows = [measure_memory(who, n_samples) for who in CONTESTANTS]
    data = 4 * n_samples * INPUTS
    over = rows[0].get("over_the_data")
    return {
        "job": f"{'-'.join(map(str, SIZES))} relu, {n_samples:,} x {INPUTS} float32, batch {BATCH}, Adam, "
        "one epoch",
        "data_bytes": data,
        "allowed_bytes": data + ROOM,
        "contestants": rows,
        "holds": None if over is None else over <= data + ROOM,
    }


def memory_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [f"memory: {record['job']}; the data are {_mib(record['data_bytes'])}"]
    for row in record["contestants"]:
        over = row.get("over_the_data")
        words = f"{_mib(over)} over the data at the peak" if over is not None else row["reason"]
        lines.append(f"  {row['name']}: {words}")
    claim = f"glassnet takes at most one copy of the data and {_mib(ROOM)}: {_mib(record['allowed_bytes'])}"
    return "\n".join([*lines, f"{outcome(record['holds'])} {claim}"])


def _mib(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"


# ---- In the process that is measured ------------------------------------------------------------


def child(who: str, samples: str) -> None:
    """Train, and print the result as JSON."""
    n_samples = int(samples)
    train = {"glassnet": _train_glassnet, "scikit-learn": _train_sklearn}[who]
    random = np.random.default_rng(0)
    X, y = np.empty((n_samples, INPUTS), np.float32), np.empty(n_samples, np.int64)
    for start in range(0, n_samples, 10_000):
        rows = X[start : start + 10_000]
        random.standard_normal(out=rows, dtype=np.float32)
        y[start : start + 10_000] = rows[:, 0] > rows[:, 1]
    train(X[:BATCH], y[:BATCH])
    before, peak_before = resident()
    train(X, y)
    peak = resident()[1]
    print(json.dumps({"over_the_data": peak - before, "raised_the_peak": peak > peak_before}))


def _train_glassnet(X: Any, y: Any) -> None:
    from glassnet.nn.network import Network
    from glassnet.optim import OPTIMIZERS
    from glassnet.training.train import train

    adam = OPTIMIZERS["adam"](learning_rate=1e-3)
    train(Network(SIZES, "relu"), X, y, optimizer=adam, iterations=1, batch_size=BATCH, random_state=0)


def _train_sklearn(X: Any, y: Any) -> None:
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # max_iter says when to stop
    MLPClassifier(SIZES[1:-1], batch_size=BATCH, max_iter=1, alpha=0, random_state=0).fit(X, y)


def resident() -> tuple[int, int]:
    """Bytes of memory that this process has, and the most that it had.

    Where there is no /proc, the most is all that is known: it was reached by the data.
    """
    try:
        words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most *= 1 if sys.platform == "darwin" else 1024
        return most, most
    return tuple(1024 * int(words[name].split()[0]) for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # two
