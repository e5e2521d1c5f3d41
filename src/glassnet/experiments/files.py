"""An experiment's samples of many files, or of one too large for memory, read a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.dask_cluster import ClusterDataset, client_of
from glassnet.data.dataset import as_dataset
from glassnet.data.holdout import SplitDataset, split_dataset
from glassnet.data.parquet import (
    folder_keys,
    is_read_in_blocks,
    parquet_files,
    parquet_header,
    refuse_keys,
)
from glassnet.data.source import Dataset
from glassnet.data.standardization import StandardizedDataset
from glassnet.data.tables.choice import ColumnSettings
from glassnet.data.tables.parquet_files import ENDINGS
from glassnet.data.tables.splits import SplitBy
from glassnet.data.tables.streamed.prepare import prepare_files
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.engine.predict import tally_dataset
from glassnet.errors import InputError
from glassnet.experiments.samples import Samples, keeps_its_unit, names_of
from glassnet.experiments.schema import SPLIT_KEYS
from glassnet.experiments.settings import Experiment
from glassnet.plots.report.scores import Scores, scores_of
from glassnet.training.run import TrainingRun
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory, size_text
from glassnet.utils.threads import thread_count

_DOUBLE = np.dtype(np.float64)

WHOLE = DEFAULT_MEMORY // 8
"""Bytes of numbers to train on that are kept in memory, unless memory or Dask's workers are given."""

_VALIDATION = 8
"""Validation rows may take one part in so many of the memory that reading may take."""

_SHOWN = 50_000
"""Most rows of files that pictures, the gradient check and the curvature take."""


def reads_blocks(experiment: Experiment) -> bool:
    """Whether the experiment's table is read a block at a time."""
    if not experiment["data.file"]:
        return False
    key = "data.dask" if experiment["data.memory"] is None else "data.memory"
    path = experiment.folder / experiment["data.file"]
    return in_blocks(path, _sets_memory(experiment), experiment.where(key))


def in_blocks(path: Path, sets_memory: bool, option: str) -> bool:
    """Whether a table is read a block at a time: a folder, a file above 1 GiB, or where memory is set.

    Raises InputError, which names the option, where memory is set for a table that is read whole.
    """
    if not sets_memory or path.is_dir():
        return is_read_in_blocks(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"{option} is for Parquet files and folders of them; {path} is read whole. Leave it out, or "
            f"write the table as Parquet."
        )
    return True


def _sets_memory(experiment: Experiment) -> bool:
    return experiment["data.memory"] is not None or experiment["data.dask"] is not None


@dataclass(frozen=True, eq=False, kw_only=True)
class FileSamples(Samples):
    """Samples whose rows are read from files; X and y are all of them or, of many, some drawn at random.

    `raw` holds the rows to train on as they lie in the files, and `prepare` numbers the classes and
    standardizes what it reads. `whole` says that the rows to train on are kept in memory. `held_out_shown`
    holds those of the rows held out that pictures take.
    """

    raw: Dataset
    held_out_shown: Dataset | None
    prepare: Callable[[Dataset], Dataset]
    whole: bool

    @property
    def most_validation(self) -> int:
        """How many rows the memory has room for as validation rows, where the others are streamed."""
        return self.raw.memory // _VALIDATION // (8 * (self.training.n_inputs + 1))

    def with_validation(self, fraction: float | None, random: RandomState) -> tuple[Dataset, object]:
        rows, validation, memory = self.raw, None, self.raw.memory
        if fraction is not None:
            rows, drawn = split_dataset(rows, fraction, _seed(random))
            needed = 8 * drawn.n_rows * (drawn.n_inputs + 1)
            if needed > memory // _VALIDATION and not self.whole:
                raise InputError(
                    f"The {drawn.n_rows:,} validation rows take {size_text(needed)} in memory, and an "
                    f"eighth of {size_text(memory)} is theirs: choose a smaller share, or give more memory."
                )
            validation = self.prepare(drawn).read_all(_DOUBLE)[:2]
        rows = self.prepare(rows)
        return as_dataset(*rows.read_all(_DOUBLE)[:2]) if self.whole else rows, validation

    def scores(self, run: TrainingRun) -> dict[str, Scores]:
        datasets = {"training": self.training, "held-out": self.held_out}
        return {
            name: score_rows(run, rows, self.target_names)
            for name, rows in datasets.items()
            if rows is not None
        }

    @cached_property
    def held_out_rows(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        return None if self.held_out_shown is None else self.held_out_shown.read_all(_DOUBLE)[:2]

    def where_held_out(self, row: int) -> str:
        return "" if self.held_out_shown is None else self.held_out_shown.where(row)

    def in_memory(self) -> Samples:
        """Raises InputError where the rows exceed the memory that reading may take."""
        count, memory = self.n + self.n_held_out, self.raw.memory
        needed = 8 * count * (self.training.n_inputs + 1)
        if needed > memory:
            raise InputError(
                f"A sweep trains many networks on data in memory, and {count:,} rows of "
                f"{self.training.source} take {size_text(needed)}, more than {size_text(memory)}. Sweep "
                f"over a sample of them, or give more memory: data.memory."
            )
        X, y, _ = self.training.read_all(_DOUBLE)
        held_out = None if self.held_out is None else as_dataset(*self.held_out.read_all(_DOUBLE)[:2])
        same = {field.name: getattr(self, field.name) for field in fields(Samples)}
        return Samples(**same | {"X": X, "y": y, "training": as_dataset(X, y), "held_out": held_out})

    def __str__(self) -> str:
        kept = "kept in memory" if self.whole else f"read from files within {size_text(self.raw.memory)}"
        return f"{super().__str__()}, {kept}"


def score_rows(run: TrainingRun, rows: Dataset, class_names: object = None) -> Scores:
    """The run's scores on rows that are read a block at a time."""
    return scores_of(run, tally_dataset(run.network, run.theta, rows), class_names)


def from_files(experiment: Experiment, random: RandomState) -> Samples:
    """Prepare files as `prepare_table` prepares a table, in a few passes over them.

    One reads the target, some a few columns at a time to find out what each is and how it is encoded, one
    finds the means and deviations of the inputs, and one draws the sample for the pictures.
    """
    memory = as_memory(experiment["data.memory"] or DEFAULT_MEMORY)
    threads, seed = thread_count(experiment["train.threads"]), _seed(random)
    given = experiment.columns
    by = SplitBy(experiment.test_fraction, *(given.pop(name, None) for name in SPLIT_KEYS))
    settings = ColumnSettings(**given)
    files, target = _open(experiment, memory, settings, by)
    client = None if experiment["data.dask"] is None else client_of(experiment["data.dask"])
    data = prepare_files(
        files,
        target,
        settings,
        by,
        task=experiment["data.task"],
        standardize_target=not keeps_its_unit(experiment),
        random=random,
        seed=seed,
        client=client,
        threads=threads,
    )
    training, held_out, notes = data.training, data.held_out, [*data.notes]
    mean, scale = (np.array(v) for v in (data.preprocessing.mean, data.preprocessing.scale))

    def prepare(rows: Dataset, client: Any = client) -> Dataset:
        return StandardizedDataset(rows if client is None else ClusterDataset(rows, client), mean, scale)

    most = max(1_000, min(_SHOWN, memory // 16 // (8 * len(mean))))
    shown, held_out_shown = training, held_out
    if training.n_rows > most:
        shown = SplitDataset(training, most / training.n_rows, _seed(random), True)
        notes.append(
            f"Of these, pictures and the gradient check take {shown.n_rows:,} rows, drawn at random."
        )
    if held_out is not None and held_out.n_rows > most:
        held_out_shown = SplitDataset(held_out, most / held_out.n_rows, 0, True)
    sample = prepare(shown, None).read_all(_DOUBLE)
    return FileSamples(
        X=sample.X,
        y=sample.y,
        training=prepare(training),
        held_out=None if held_out is None else prepare(held_out),
        notes=tuple(notes),
        columns=data.columns,
        raw=training,
        held_out_shown=None if held_out_shown is None else prepare(held_out_shown, None),
        prepare=prepare,
        whole=not _sets_memory(experiment) and 8 * training.n_rows * (len(mean) + 1) <= WHOLE,
        **names_of(experiment, data.preprocessing),
    )


def _open(
    experiment: Experiment, memory: int, settings: ColumnSettings, by: SplitBy
) -> tuple[RawFiles, str | tuple[str, ...]]:
    """The files and the target; InputError for a column that only names folders."""
    path, named = experiment.folder / experiment["data.file"], settings.features
    header = parquet_header(path)[0]
    target = experiment.target(header.names)
    targets = [target] if isinstance(target, str) else target
    wanted = [name for name in (*targets, by.time, by.group, by.split) if name is not None]
    keys = folder_keys(path, parquet_files(path), header.names)
    lacking = [name for name in (*wanted, *(named or ())) if name not in header.names]
    used = {key: value for key, value in keys.items() if key in lacking or key not in settings.ignore}
    refuse_keys(used, lacking, named is None)
    for name in [*wanted, *(named or ()), *(name for name in settings.ignore if name not in keys)]:
        header[name]  # or an error with the nearest name
    features = {*header.names} - {*settings.ignore} if named is None else {*named}
    return RawFiles(path, memory, features | {*wanted}), target


def _seed(random: RandomState) -> int:
    return int(random.randint(0, 2**32, dtype=np.uint64))
