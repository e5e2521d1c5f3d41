"""An experiment's samples of many files, or of one too large for memory, read a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.cli.experiments.samples import Samples, keeps_its_unit, names_of
from glassnet.cli.experiments.settings import Experiment
from glassnet.data.dask_cluster import ClusterDataset, client_of
from glassnet.data.dataset import as_dataset, stream
from glassnet.data.fixed_order import Moments
from glassnet.data.holdout import SplitDataset, lacking_classes, listed, split_dataset, split_note
from glassnet.data.parquet import folder_keys, parquet_files, parquet_header, refuse_keys
from glassnet.data.reduce import Block
from glassnet.data.scan import MOST_VALUES, target_values
from glassnet.data.source import Dataset, MappedDataset
from glassnet.data.standardization import StandardizedDataset, measured
from glassnet.data.tables import Table
from glassnet.data.tables.index import without_index
from glassnet.data.tables.parquet_files import ENDINGS
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.targets import check_classes, choose_task
from glassnet.engine.predict import tally_dataset
from glassnet.errors import InputError, InputTypeError
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
    if path.is_dir():
        return True
    if path.suffix.lower() in ENDINGS:
        return sets_memory or (path.is_file() and parquet_header(path)[1] > DEFAULT_MEMORY)
    if sets_memory:
        raise InputError(
            f"{option} is for Parquet files and folders of them; {path} is read whole. Leave it out, or "
            f"write the table as Parquet."
        )
    return False


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

    One finds the target's values, one the means and deviations of the rows to train on, one what cannot be
    used of those held out, and one draws the sample for the pictures.
    """
    path, target = experiment.folder / experiment["data.file"], experiment["data.target"]
    names, notes = _features(experiment, path)
    memory = as_memory(experiment["data.memory"] or DEFAULT_MEMORY)
    threads, seed = thread_count(experiment["train.threads"]), _seed(random)
    rows = stream(path, target, features=names, memory=memory)
    task, classes, more = _task(experiment, path, rows, threads)
    training, held_out = _split(experiment, rows, seed)
    center, scale = 0.0, 1.0
    if classes is None and not keeps_its_unit(experiment):
        column = stream(path, features=[target], memory=memory)
        moments = _measure(*_split(experiment, column, seed), None, threads)
        center, scale = float(moments.center[0]), float(moments.scale[0])
    client = None if experiment["data.dask"] is None else client_of(experiment["data.dask"])
    inputs = _measure(training, held_out, client, threads)
    if inputs.constant.any():
        varying, note = without_constants(names, inputs.constant)
        names, inputs = tuple(names[place] for place in varying), inputs.of_columns(varying)
        training, held_out = _split(experiment, stream(path, target, features=names, memory=memory), seed)
        more = [*more, note]
    mean, deviation = tuple(inputs.center.tolist()), tuple(inputs.scale.tolist())
    preprocessing = Preprocessing(target, task, names, mean, deviation, classes, center, scale)
    notes += more
    if classes is not None and held_out is not None:
        sides = {"training": training, "test": held_out}
        labels = {name: target_values(side, threads)[0][0].counts for name, side in sides.items()}
        lacking = split_note(lacking_classes(classes, labels))
        notes += [lacking] if lacking else []

    def prepare(rows: Dataset, client: Any = client) -> Dataset:
        encoded: Dataset = MappedDataset(rows, partial(encode, preprocessing=preprocessing))
        encoded = encoded if client is None else ClusterDataset(encoded, client)
        return StandardizedDataset(encoded, inputs.center, inputs.scale)

    most = max(1_000, min(_SHOWN, memory // 16 // (8 * len(names))))
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
        raw=training,
        held_out_shown=None if held_out_shown is None else prepare(held_out_shown, None),
        prepare=prepare,
        whole=not _sets_memory(experiment) and 8 * training.n_rows * (len(names) + 1) <= WHOLE,
        **names_of(experiment, preprocessing),
    )


def _features(experiment: Experiment, path: Path) -> tuple[tuple[str, ...], list[str]]:
    """The features' names, and notes on them; InputError for a column that only names folders."""
    named, ignored = experiment["data.features"], experiment["data.ignore"] or ()
    target, header = experiment["data.target"], parquet_header(path)[0]
    keys = folder_keys(path, parquet_files(path), header.names)
    lacking = [name for name in (target, *(named or ())) if name not in header.names]
    used = {key: value for key, value in keys.items() if key in lacking or key not in ignored}
    refuse_keys(used, lacking, named is None)
    ignored = [name for name in ignored if name in header.names or name not in keys]
    return choose_features(header, target, named, ignored)


def _task(
    experiment: Experiment, path: Path, rows: Dataset, threads: int
) -> tuple[str, tuple[Any, ...] | None, list[str]]:
    """The task, the classes where it has some, and notes on the choice, of all values of the target."""
    target = experiment["data.target"]
    (column,), _ = target_values(rows, threads, classes=False)
    values = column.array()
    task, notes = choose_task(target, values, rows.n_rows, experiment["data.task"], MOST_VALUES)
    if task == "classification":
        if len(values) > MOST_VALUES:
            target_values(rows, threads)  # raises
        blank = [row for label, row in column.first.items() if isinstance(label, str) and not label.strip()]
        if blank:  # which is missing, as in a table that is read whole
            raise InputError(
                f"Column {target!r} has a missing value at {rows.where(min(blank))}; expected a value in "
                f"each row. Drop those rows or fill them in."
            )
        classes = tuple(np.unique(values).tolist())
        check_classes(path, target, classes, rows.n_rows)
        return task, classes, notes
    text = [label for label in column.first if isinstance(label, str)]
    if text:
        raise InputError(
            f"Column {target!r} holds text: {text[0]!r} at {rows.where(column.first[text[0]])}; a "
            f"regression expects numbers. For classes, give --task classification."
        )
    return task, None, notes


def _split(experiment: Experiment, rows: Dataset, seed: int) -> tuple[Dataset, Dataset | None]:
    fraction = experiment.test_fraction
    return split_dataset(rows, fraction, seed) if fraction > 0 else (rows, None)


def _measure(training: Dataset, held_out: Dataset | None, client: Any, threads: int) -> Moments:
    """The moments of the rows to train on; InputError for a value of either rows that cannot be used."""
    # Those held out are read too: the scores would else meet such a value after all of the training.
    datasets = [training] if held_out is None else [held_out, training]
    return [
        measured(rows if client is None else ClusterDataset(rows, client), threads) for rows in datasets
    ][-1]


def _seed(random: RandomState) -> int:
    return int(random.randint(0, 2**32, dtype=np.uint64))


def choose_features(
    table: Table, target: str, features: Iterable[str] | None, ignore: Iterable[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The names of the features, and notes about an index among the columns, from the names alone."""
    for argument, columns in (("features", features), ("ignore", ignore)):
        if isinstance(columns, str):
            raise InputTypeError(f"{argument} is a list of column names, not one text: [{columns!r}].")
    named, left_out = list(features or ()), set(ignore)
    for name in [target, *named, *sorted(left_out)]:
        table[name]  # or an error with the nearest name
    if target in named:
        raise InputError(f"{target!r} is the target; it cannot be a feature too. Leave it out of features.")
    if len(set(named)) < len(named):
        raise InputError(f"features names a column twice: {listed(named)}.")
    chosen = named if features is not None else [name for name in table.names if name != target]
    chosen = [name for name in chosen if name not in left_out]
    chosen, notes = (chosen, []) if features is not None else without_index(table, chosen)
    if not chosen:
        raise InputError(
            f"No features are left: {table.source} has the columns {listed(table.names)}, of which "
            f"{target!r} is the target. At least one more is needed."
        )
    return tuple(chosen), notes


def without_constants(names: tuple[str, ...], constant: NDArray[np.bool_]) -> tuple[NDArray[np.intp], str]:
    """The places of the features that vary, and a note about the others; InputError where none varies.

    A weight of a constant feature would stay at its random start, and move predictions for rows where the
    feature is another value. MATLAB's ``removeconstantrows`` leaves it out, too.
    """
    gone = [name for name, same in zip(names, constant, strict=True) if same]
    if len(gone) == len(names):
        raise InputError(
            f"Every feature has one value in all training rows, {listed(gone)}: there is nothing to learn "
            f"from. Give rows that differ."
        )
    return np.flatnonzero(~constant), f"Constant in the training rows, and left out: {listed(gone)}."


def encode(block: Block, preprocessing: Preprocessing) -> Block:
    """A block with class numbers, or standardized values, in place of the table's own targets."""
    if preprocessing.classes is not None:
        return block._replace(y=class_numbers(block.y, preprocessing.classes))
    y = (block.y.astype(np.float64) - preprocessing.target_mean) / preprocessing.target_scale
    return block._replace(y=y)


def class_numbers(labels: NDArray[Any], classes: tuple[Any, ...]) -> NDArray[np.intp]:
    """The index of each label in the sorted classes; -1 where it is none of them."""
    if isinstance(classes[0], str) or labels.dtype.kind in "OUT":
        numbers = {label: number for number, label in enumerate(classes)}
        return np.array([numbers.get(label, -1) for label in labels.tolist()], np.intp)
    known = np.array(classes)
    places = np.minimum(np.searchsorted(known, labels), len(known) - 1)
    return np.where(known[places] == labels, places, -1).astype(np.intp)
