"""What a checkpoint costs: training without one, with one each minute, and with one each second."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, Runner
from benchmarks.jobs.options import Options
from benchmarks.record import FORMAT, columns, duration, entry_record, outcome
from benchmarks.tasks import make_notebook_task
from benchmarks.timing import Entry, compare, ratio, time_rounds
from benchmarks.workloads import WORKLOADS, made_up
from glassnet._version import __version__
from glassnet.nn.network import Network
from glassnet.optim import SGD, Adam
from glassnet.training.files.checkpoint import SECONDS
from glassnet.training.files.writing import run_as_arrays, save
from glassnet.training.run import TrainingRun
from glassnet.training.train import train
from glassnet.utils.storage import arrays_as_bytes

ALLOWED = 0.02
"""The share of the time that checkpoints may take at the default interval."""

OFTEN = 1.0
"""Seconds from one file to the next, far more often than the default."""

LEAST = 2.0
"""Seconds that a slice lasts at least, with files in it where one is due each second."""

WRITES = 15
"""Files that are written to time one."""

CHECKED = 5
"""Iterations of which the losses are compared before anything is timed."""


@dataclass(frozen=True)
class Training:
    """A training to follow: `unit` is what it counts, and the file lies in `folder`."""

    name: str
    network: Network
    X: Any
    y: Any
    settings: Mapping[str, Any]
    unit: str
    folder: Path

    def run(self, count: int, every: float | None) -> TrainingRun:
        """Train so many iterations or epochs, with a file each `every` seconds, or without one."""
        path = self.folder / f"{self.name}.safetensors"
        path.unlink(missing_ok=True)
        keywords = {} if every is None else {"checkpoint": path, "checkpoint_every": every}
        settings = {**self.settings, **keywords}
        return train(self.network, self.X, self.y, iterations=count, random_state=0, threads=1, **settings)

    def losses(self, count: int, every: float | None) -> Any:
        """The losses, one for each iteration or epoch."""
        return self.run(count, every).losses[-count:]


class Follow(Runner):
    """Trains from the start, and counts the processor's time, which others on the machine do not change.

    Waiting for the disk is no part of that: a file is timed by itself, by the clock.
    """

    def __init__(self, training: Training, every: float | None) -> None:
        self._training, self._every = training, every

    def work(self, count: int) -> Any:
        return self._training.losses(count, self._every)

    def seconds(self, count: int) -> float:
        began = time.process_time()
        self.work(count)
        return (time.process_time() - began) / count


WAYS: Mapping[str, float | None] = {
    "without": None,
    f"each {SECONDS:g} s, the default": SECONDS,
    f"each {OFTEN:g} s": OFTEN,
}
"""Seconds between files, by name. The default writes none in a slice but the last, at its end."""


def trainings(folder: Path, quick: bool) -> list[Training]:
    """The notebook's network on the full batch, and 784-100-10 in batches, by one thread."""
    task, wide = make_notebook_task(2_000 if quick else 50_000), WORKLOADS["wide"]
    X, y = made_up(784, 10)(400 if quick else 10_000)
    full: dict[str, Any] = {"optimizer": SGD(1e-4, momentum=0.5), "reduction": "sum"}
    batches: dict[str, Any] = {"optimizer": Adam(1e-3), "batch_size": wide.batch_size, "dtype": "float32"}
    return [
        Training("2-3-2", Network((2, 3, 2)), task.X, task.y, full, "iteration", folder),
        Training("784-100-10", Network(wide.sizes, "relu"), X, y, batches, "epoch", folder),
    ]


def measure_checkpoint(options: Options) -> dict[str, Any]:
    """Each training in all ways, by turns, and what writing one file takes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measure(one, options) for one in trainings(Path(folder), options.quick)]
    return {
        "format": FORMAT,
        "settings": {"rounds": options.rounds, "seconds": options.seconds, "quick": options.quick},
        "interval": SECONDS,
        "trainings": rows,
    }


def _measure(training: Training, options: Options) -> dict[str, Any]:
    options.say(training.name)
    right = np.asarray(training.losses(CHECKED, None), np.float64)
    entries = []
    for name, every in WAYS.items():
        runner = Follow(training, every)
        error = compare(runner.work(CHECKED), right, 0.0, who=name, job=training.name)
        who = Contestant[Training](name, "glassnet", __version__, 1, lambda _: None)
        entries.append(Entry(who, runner, error))
    seconds = options.seconds if options.quick else max(options.seconds, LEAST)
    count, each = _slice(entries[0].runner, seconds)
    for entry in entries:
        entry.count, entry.heat = count, each
    time_rounds(entries, options.rounds, seconds, options.say)
    run, path = training.run(count, None), training.folder / "written.safetensors"
    write = _median(lambda: save(run, path))
    bare, default, often = (entry.seconds for entry in entries)
    # A run of hours pays for the first proof and the last file once, as a slice of seconds does.
    processor = _median(lambda: arrays_as_bytes(*run_as_arrays(run)), time.process_time)
    processor += _median(lambda: save(run, path), time.process_time)
    once = processor / (count * float(np.median(bare)))
    followed, share = ratio(default, bare) - 1 - once, write / SECONDS
    return {
        "name": training.name,
        "unit": training.unit,
        "in_a_slice": count,
        "contestants": [entry_record(entry) for entry in entries],
        "file_bytes": path.stat().st_size,
        "ms_of_a_file": 1e3 * write,
        "share_of_files": share,
        "share_of_the_clock": followed,
        "share_each_second": ratio(often, bare) - 1 - once,
        "holds": share + max(followed, 0.0) < ALLOWED,
    }


def _slice(runner: Runner, seconds: float) -> tuple[int, float]:
    """How many in one run fill a slice, and the seconds of each: a run of a few pays for its beginning."""
    count = 1
    while (each := runner.seconds(count)) * count < seconds / 4:
        count *= 4
    return max(1, round(seconds / each)), each


def _median(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a piece of work, by the median of some."""
    seconds = []
    for _ in range(WRITES):
        began = clock()
        work()
        seconds.append(clock() - began)
    return float(np.median(seconds))


def checkpoint_table(record: Mapping[str, Any]) -> str:
    """The record for a terminal."""
    head = ("checkpoint", "without", "a file", "of", "files", "the rest", f"a file each {OFTEN:g} s")
    lines = [head]
    for row in record["trainings"]:
        lines.append(
            (
                row["name"],
                f"{duration(row['contestants'][0]['ms'])} per {row['unit']}",
                duration(row["ms_of_a_file"]),
                f"{row['file_bytes'] / 1024:,.0f} KiB",
                f"{row['share_of_files']:.4%}",
                f"{row['share_of_the_clock']:+.2%}",
                f"{row['share_each_second']:+.2%}",
            )
        )
    return "\n".join([*columns(lines, 1), *map(_claim, record["trainings"])])


def _claim(row: Mapping[str, Any]) -> str:
    claim = f"less than {ALLOWED:.0%} of the time at the default interval"
    return f"{outcome(row['holds'])} {row['name']}: {claim}"
