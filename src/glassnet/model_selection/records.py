"""How far each network of a sweep has come, in memory and as a record of its journal."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import FileError
from glassnet.model_selection.journal import data_of
from glassnet.model_selection.results import SweepCell
from glassnet.model_selection.tasks import Task
from glassnet.model_selection.words import as_plain
from glassnet.optim import Optimizer
from glassnet.optim.schedules import SCHEDULES, Schedule
from glassnet.training.checkpoints import run_as_arrays, run_from_arrays
from glassnet.training.run import TrainingRun
from glassnet.utils.paths import as_path
from glassnet.utils.storage import arrays_as_bytes, arrays_from_bytes

if TYPE_CHECKING:
    from glassnet.model_selection.plan import Plan


@dataclass(frozen=True)
class Track:
    """A task on its way: the run so far, what it cost at each rung, and the cell once it is done."""

    task: Task
    run: TrainingRun | None = None
    values: tuple[float, ...] = ()
    cell: SweepCell | None = None

    @property
    def iterations(self) -> int:
        """How many have been made."""
        if self.cell is not None:
            return self.cell.iterations
        return 0 if self.run is None else self.run.iterations

    @property
    def ended(self) -> bool:
        """Whether training has ended by itself, before its last iteration."""
        return self.cell is not None or (
            self.run is not None and self.run.status in ("stopped", "diverged")
        )

    def value_at(self, rung: int) -> float:
        """What it cost at a rung; a network that ended earlier costs what it did then."""
        return self.values[min(rung, len(self.values) - 1)] if self.values else math.inf


def write_track(track: Track) -> tuple[dict[str, Any], bytes]:
    """A record of the journal, for people and other programs to read, and the data behind it."""
    task, cell = track.task, track.cell
    run = track.run if cell is None else cell.trained
    assert run is not None
    arrays, document = run_as_arrays(_writable(run))
    arrays["sweep_values"] = np.array(track.values, np.float64)
    record: dict[str, Any] = {
        "network": task.number,
        "settings": as_plain(dict(task.settings)),
        "seed": task.seed,
        "fold": task.fold,
        "status": _so_far(run) if cell is None else cell.status,
        "final": cell is not None,
        "loss": _finite(run.losses[-1] if len(run.losses) else math.nan),
        "seconds": run.seconds,
    }
    if cell is not None:
        metric = math.nan if cell.metric is None else cell.metric
        arrays["sweep_numbers"] = np.array([cell.baseline, cell.floor, metric], np.float64)
        if cell.kept is not None:
            arrays["sweep_kept"] = cell.kept.astype(np.int64)
            document["iterations"] = len(cell.kept) - (run.batch_size is None)
        record |= {
            "iterations": cell.iterations,
            "metric": None if cell.metric is None else _finite(cell.metric),
            "has_metric": cell.metric is not None,
        }
    return record, arrays_as_bytes(arrays, document)


def read_track(record: Mapping[str, Any], plan: Plan, path: str | os.PathLike[str]) -> Track:
    """The track that a record tells of; the later one of two for a network is further on."""
    try:
        task = plan.tasks[record["network"]]
        final, status = record["final"], record["status"]
        has_metric = record.get("has_metric", False)
    except (KeyError, IndexError, TypeError) as error:
        raise FileError(f"{os.fspath(path)} has a record that is none of this sweep's: {error}.") from error
    arrays, document = arrays_from_bytes(data_of(record), as_path(path))
    values = tuple(arrays.pop("sweep_values").tolist())
    numbers, kept = arrays.pop("sweep_numbers", None), arrays.pop("sweep_kept", None)
    recipe = task.recipe
    stopping = recipe.told["stopping"]
    metric = () if stopping is None or isinstance(stopping.metric, str) else (stopping.metric,)
    own = recipe.network.hidden, (recipe.network.loss,), metric
    run = run_from_arrays(arrays, document, path, *own)
    run = replace(run, network=recipe.network, optimizer=recipe.optimizer)
    if not final or numbers is None:
        return Track(task, run, values)
    cell = SweepCell(
        task.settings,
        status,
        run,
        kept,
        float(numbers[2]) if has_metric else None,
        task.setting,
        task.seed,
        task.fold,
        float(numbers[0]),
        float(numbers[1]),
    )
    return Track(task, None, values, cell)


def _writable(run: TrainingRun) -> TrainingRun:
    """A schedule of the caller's own is no matter for a file: the sweep's arguments have it."""
    rule = run.optimizer
    if isinstance(rule, Optimizer):
        rate = rule.learning_rate
        if isinstance(rate, Schedule) and SCHEDULES.get(rate.name) is not type(rate):
            return replace(run, optimizer=replace(rule, learning_rate=1.0))
    return run


def _finite(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))


def _so_far(run: TrainingRun) -> str:
    return f"{run.status} after {run.iterations}" if run.status == "completed" else run.status
