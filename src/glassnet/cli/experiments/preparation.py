"""From an experiment's settings to its samples and its network: generated, of a table, or of many files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.cli.experiments.samples import (
    Samples,
    axes_of,
    build_network,
    doubles,
    keeps_its_unit,
    names_of,
)
from glassnet.cli.experiments.settings import Experiment
from glassnet.data.dask_cluster import ClusterDataset, client_of
from glassnet.data.dataset import as_dataset, stream
from glassnet.data.fixed_order import Moments
from glassnet.data.generators import generate
from glassnet.data.holdout import (
    SplitDataset,
    lacking_classes,
    split,
    split_dataset,
    split_note,
)
from glassnet.data.parquet import ENDINGS, folder_keys, parquet_files, parquet_header, refuse_keys
from glassnet.data.preprocessing import (
    Preprocessing,
    check_classes,
    choose_features,
    choose_task,
    constant_note,
    prepare_table,
)
from glassnet.data.reduce import Block
from glassnet.data.scan import MOST_VALUES, target_values
from glassnet.data.source import Dataset, MappedDataset
from glassnet.data.standardization import StandardizedDataset, measured
from glassnet.data.tables import read_table
from glassnet.diagnostics.gradient_check import check_gradients
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.errors import InputError
from glassnet.nn.network import Network, Parameters
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory, size_text
from glassnet.utils.threads import thread_count

WHOLE = DEFAULT_MEMORY // 8
"""Bytes of numbers to train on that are kept in memory, unless memory or Dask's workers are given."""

_VALIDATION = 8
"""Validation rows may take one part in so many of the memory that reading may take."""

_SHOWN = 50_000
"""Most rows of files that pictures, the gradient check and the curvature take."""

_CHECK_WORK = 2e8  # samples times squared parameters: a few seconds


@dataclass
class Draws:
    """An experiment's samples and network, and its stream of random numbers, drawn from in this order."""

    experiment: Experiment
    random: RandomState = field(init=False)
    samples: Samples = field(init=False)
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.random = RandomState(self.experiment["random_state"])
        self.samples = prepare_samples(self.experiment, self.random)
        self.network = build_network(self.experiment, self.samples)

    def check_point(self) -> Parameters:
        """Draw the parameters for the gradient check."""
        return self.network.initialize(self.random, self.experiment.check_scheme)

    def check(self, theta: Parameters) -> GradientCheck:
        """The gradient check at `theta`, on as many samples as are worth their time."""
        experiment, X, y = self.experiment, self.samples.X, self.samples.y
        affordable = max(10, int(_CHECK_WORK / self.network.n_parameters**2))
        count = min(len(X), experiment["check.samples"] or affordable)
        rows = np.linspace(0, len(X) - 1, count).astype(int)
        keywords = experiment.keywords(check_gradients, epsilon=experiment["check.epsilon"])
        return check_gradients(self.network, theta, X[rows], y[rows], **keywords)

    def start(self) -> Parameters:
        """Draw the parameters that training starts from."""
        return self.network.initialize(self.random, self.experiment["train.scheme"])


def prepare_samples(experiment: Experiment, random: RandomState) -> Samples:
    """Generate or read an experiment's samples, drawing from `random`.

    Raises InputError and FileError for what the settings ask for and the data cannot give.
    """
    if not experiment["data.file"]:
        return _generated(experiment, random)
    prepare = _from_files if reads_blocks(experiment) else _from_table
    return prepare(experiment, random)


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


# ---- Samples in memory ----------------------------------------------------------------------------


def _generated(experiment: Experiment, random: RandomState) -> Samples:
    with experiment.blame("data.generator"):
        X, y = generate(experiment["data.generator"], random, **experiment.of_named("data"))
        if len(np.unique(y)) < 2:
            raise InputError(
                f"{len(y)} sample(s) of {len(np.unique(y))} class(es) came; expected 2 classes or more."
            )
    width, classes = X.shape[1], tuple(range(int(y.max()) + 1))
    names = tuple(f"x{i + 1}" for i in range(width))
    preprocessing = Preprocessing("class", "classification", names, (0.0,) * width, (1.0,) * width, classes)
    train, test, note = split(y, experiment.test_fraction, random)
    return Samples(
        X=X[train],
        y=y[train],
        training=as_dataset(X[train], y[train]),
        held_out=as_dataset(X[test], y[test]) if len(test) else None,
        preprocessing=preprocessing,
        feature_names=None,
        target_names=tuple(f"class {label}" for label in classes),
        axes=axes_of(experiment, preprocessing),
        notes=(note,) if note else (),
    )


def _from_table(experiment: Experiment, random: RandomState) -> Samples:
    data = prepare_table(
        # Relative to where the experiment's file lies, so that both can be moved together.
        read_table(experiment.folder / experiment["data.file"]),
        experiment["data.target"],
        task=experiment["data.task"],
        features=experiment["data.features"],
        ignore=experiment["data.ignore"] or (),
        test_fraction=experiment.test_fraction,
        random_state=random,
        standardize_target=not keeps_its_unit(experiment),
    )
    return Samples(
        X=data.X_train,
        y=data.y_train,
        training=as_dataset(data.X_train, data.y_train),
        held_out=as_dataset(data.X_test, data.y_test) if len(data.y_test) else None,
        notes=data.notes,
        **names_of(experiment, data.preprocessing),
    )


# ---- Samples of files -----------------------------------------------------------------------------


def _from_files(experiment: Experiment, random: RandomState) -> Samples:
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
    mean, deviation = tuple(inputs.center.tolist()), tuple(inputs.scale.tolist())
    preprocessing = Preprocessing(target, task, names, mean, deviation, classes, center, scale)
    constant = [name for name, same in zip(names, inputs.constant, strict=True) if same]
    notes += more
    if classes is not None and held_out is not None:
        sides = {"training": training, "test": held_out}
        labels = {name: target_values(side, threads)[0][0].counts for name, side in sides.items()}
        lacking = split_note(lacking_classes(classes, labels))
        notes += [lacking] if lacking else []
    notes += [constant_note(constant)] if constant else []

    def standardized(rows: Dataset, client: Any = client) -> Dataset:
        encoded: Dataset = MappedDataset(rows, partial(encode, preprocessing=preprocessing))
        encoded = encoded if client is None else ClusterDataset(encoded, client)
        return StandardizedDataset(encoded, inputs.center, inputs.scale)

    most = max(1_000, min(_SHOWN, memory // 16 // (8 * len(names))))
    shown = training
    if training.n_rows > most:
        shown = SplitDataset(training, most / training.n_rows, _seed(random), True)
        notes.append(
            f"Of these, pictures and the gradient check take {shown.n_rows:,} rows, drawn at random."
        )
    sample = doubles(standardized(shown, None))
    fits = not _sets_memory(experiment) and 8 * training.n_rows * (len(names) + 1) <= WHOLE

    def load(fraction: float | None, random: RandomState) -> tuple[Dataset, object]:
        rows, validation = training, None
        if fraction is not None:
            rows, drawn = split_dataset(training, fraction, _seed(random))
            needed = 8 * drawn.n_rows * (drawn.n_inputs + 1)
            if needed > memory // _VALIDATION and not fits:
                raise InputError(
                    f"The {drawn.n_rows:,} validation rows take {size_text(needed)} in memory, and an "
                    f"eighth of {size_text(memory)} is theirs: choose a smaller share, or give more memory."
                )
            validation = doubles(standardized(drawn))[:2]
        rows = standardized(rows)
        return as_dataset(*doubles(rows)[:2]) if fits else rows, validation

    return Samples(
        X=sample.X,
        y=sample.y,
        training=standardized(training),
        held_out=None if held_out is None else standardized(held_out),
        notes=tuple(notes),
        reading="kept in memory" if fits else f"read from files within {size_text(memory)}",
        loader=load,
        **names_of(experiment, preprocessing),
    )


def _features(experiment: Experiment, path: Path) -> tuple[tuple[str, ...], list[str]]:
    """The features' names, and notes on them; InputError for a column that only names folders."""
    named, ignored = experiment["data.features"], experiment["data.ignore"] or ()
    target, header = experiment["data.target"], parquet_header(path)[0]
    keys = folder_keys(path, parquet_files(path), header.names)
    lacking = [name for name in (target, *(named or ())) if name not in header.names]
    asked = {key: part for key, part in keys.items() if key in lacking or key not in ignored}
    refuse_keys(asked, lacking, named is None)
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
    """The moments of the rows to train on; a value of those held out that cannot be used is found too."""
    # The scores would else meet it, after all of the training.
    datasets = [training] if held_out is None else [held_out, training]
    return [
        measured(rows if client is None else ClusterDataset(rows, client), threads) for rows in datasets
    ][-1]


def _seed(random: RandomState) -> int:
    return int(random.randint(0, 2**32, dtype=np.uint64))


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
