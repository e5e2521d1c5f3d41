"""An experiment's samples where its table is read from files, a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.cli.experiments.data import Samples, counts, described
from glassnet.cli.experiments.settings import Experiment
from glassnet.data.dask_cluster import ClusterDataset, client_of
from glassnet.data.dataset import stream
from glassnet.data.fixed_order import Moments
from glassnet.data.holdout import SplitDataset, listed, split_dataset
from glassnet.data.parquet import ENDINGS, folder_keys, parquet_files, parquet_header, refuse_keys
from glassnet.data.preprocessing import (
    Preprocessing,
    check_classes,
    choose_features,
    choose_task,
    constant_note,
)
from glassnet.data.reduce import Block
from glassnet.data.scan import MOST, target_values
from glassnet.data.source import Dataset, MappedDataset
from glassnet.data.standardization import StandardizedDataset, measured
from glassnet.engine.predict import tallied
from glassnet.errors import InputError
from glassnet.plots.report import Scores
from glassnet.plots.report.scores import scores_of
from glassnet.training.run import TrainingRun
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory, size_text
from glassnet.utils.threads import thread_count

_DOUBLE = np.dtype(np.float64)

WHOLE = DEFAULT_MEMORY // 8
"""Bytes of numbers to train on that are kept in memory, unless memory or Dask's workers are given."""

_SHOWN = 50_000
"""Rows that are kept for pictures, the gradient check and the curvature, at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedSamples(Samples):
    """Samples that stay where they lie; X and y are some of those to train on, drawn at random.

    `rows` are all to train on, `held` those held out, and `ready` makes such rows of others of the files.
    Where they are few enough, `whole`, training has them in memory, with the same bits.
    """

    rows: Dataset
    held: Dataset | None
    raw: Dataset
    ready: Callable[[Dataset], Dataset]
    whole: bool

    @property
    def n(self) -> int:
        return self.rows.n_rows

    @property
    def n_held_out(self) -> int:
        return 0 if self.held is None else self.held.n_rows

    @property
    def held_out(self) -> None:
        return None

    def scores(self, run: TrainingRun) -> dict[str, Scores]:
        parts = {"training": self.rows, "held-out": self.held}
        return {
            part: scores_of(run.network, tallied(run.network, run.theta, rows), self.target_names)
            for part, rows in parts.items()
            if rows is not None
        }

    def to_train_on(self, validation: float | None, random: RandomState) -> tuple[object, object, object]:
        if validation is None:
            return *self._given(self.rows), None
        fit, held = split_dataset(self.raw, validation, _seed(random))
        needed, memory = 8 * held.n_rows * (held.n_inputs + 1), self.rows.memory
        if needed > memory // 8 and not self.whole:
            raise InputError(
                f"The {held.n_rows:,} validation rows take {size_text(needed)} in memory, and an eighth of "
                f"{size_text(memory)} is theirs: choose a smaller share, or give more memory."
            )
        block = self.ready(held).read_all(_DOUBLE)
        return *self._given(self.ready(fit)), (block.X, block.y)

    def _given(self, rows: Dataset) -> tuple[object, object]:
        if not self.whole:
            return rows, None
        block = rows.read_all(_DOUBLE)
        return block.X, block.y

    def __str__(self) -> str:
        how = "kept in memory" if self.whole else f"read from files within {size_text(self.rows.memory)}"
        return f"{super().__str__()}, {how}"

    def in_memory(self) -> Samples:
        """All of them in memory, where they fit; InputError where they do not."""
        count = self.n + self.n_held_out
        needed = 8 * count * (self.rows.n_inputs + 1)
        if needed > self.rows.memory:
            raise InputError(
                f"A sweep trains many networks on data in memory, and {count:,} rows of {self.rows.source} "
                f"take {size_text(needed)}, more than {size_text(self.rows.memory)}. Sweep over a sample "
                f"of them, or give more memory: data.memory."
            )
        train = self.rows.read_all(_DOUBLE)
        test = train.rows(0, 0) if self.held is None else self.held.read_all(_DOUBLE)
        kept = {name: getattr(self, name) for name in ("preprocessing", "feature_names", "target_names")}
        return Samples(train.X, train.y, test.X, test.y, axes=self.axes, notes=self.notes, **kept)


def is_streamed(experiment: Experiment) -> bool:
    """Whether the table is made ready by blocks: a folder, where memory is given, or a large file."""
    if not experiment["data.file"]:
        return False
    path = experiment.folder / experiment["data.file"]
    asked = _asked(experiment)
    if path.is_dir():
        return True
    if path.suffix.lower() not in ENDINGS:
        if asked:
            key = "data.memory" if experiment["data.memory"] is not None else "data.dask"
            raise InputError(
                f"{experiment.where(key)} is for Parquet files and folders of them; {path} is read whole. "
                f"Write it as Parquet, or leave that out."
            )
        return False
    return asked or (path.is_file() and parquet_header(path)[1] > DEFAULT_MEMORY)


def _asked(experiment: Experiment) -> bool:
    return experiment["data.memory"] is not None or experiment["data.dask"] is not None


class Target(NamedTuple):
    """How a column becomes what a network learns, and what was decided for the user."""

    task: str
    classes: tuple[Any, ...] | None
    center: float
    scale: float
    notes: list[str]

    def encode(self, block: Block) -> Block:
        """With class numbers in place of labels, or standardized values."""
        if self.classes is None:
            return block._replace(y=(block.y.astype(np.float64) - self.center) / self.scale)
        return block._replace(y=class_numbers(block.y, self.classes))

    def check(self, first: dict[Any, int], rows: Dataset) -> None:
        """Raise InputError for a label that is no class; `first` says at which row each is."""
        assert self.classes is not None
        labels = np.array([*first], dtype=object)
        unknown = labels[class_numbers(labels, self.classes) < 0]
        if len(unknown):
            raise InputError(
                f"y is {unknown[0]!r} at {rows.where(first[unknown[0]])}; the model knows the classes "
                f"{', '.join(map(repr, self.classes[:10]))}{', ...' if len(self.classes) > 10 else ''}."
            )


def streamed_samples(experiment: Experiment, random: RandomState) -> StreamedSamples:
    """As `prepare_table` makes a table ready, in a few passes over its files.

    One finds the target's values, one the means and deviations of the rows to train on, one what cannot be
    used of those held out, and one draws the sample for the pictures.
    """
    path, target = experiment.folder / experiment["data.file"], experiment["data.target"]
    left_out = experiment["data.ignore"] or ()
    header, named = parquet_header(path)[0], experiment["data.features"]
    keys = folder_keys(path, parquet_files(path), header.names)
    lacking = [name for name in (target, *(named or ())) if name not in header.names]
    wanted = {key: part for key, part in keys.items() if key in lacking or key not in left_out}
    refuse_keys(wanted, lacking, named is None)
    left_out = [name for name in left_out if name in header.names or name not in keys]
    names, noted = choose_features(header, target, named, left_out)
    memory = as_memory(experiment["data.memory"] or DEFAULT_MEMORY)
    threads, seed = thread_count(experiment["train.threads"]), _seed(random)
    whole = stream(path, target, features=names, memory=memory)
    known = _target(experiment, path, whole, threads, seed)
    raw, held = _split(experiment, whole, seed)
    client = None if experiment["data.dask"] is None else client_of(experiment["data.dask"])
    inputs = _measured(raw, held, client, threads)
    center, scale = inputs.center, inputs.scale
    constant = [name for name, one in zip(names, inputs.constant, strict=True) if one]
    notes = [*noted, *known.notes, *_lacking(known, raw, held, threads)]
    notes += [constant_note(constant)] if constant else []

    def ready(rows: Dataset, spread: bool = True) -> Dataset:
        changed: Dataset = MappedDataset(rows, known.encode)
        changed = changed if client is None or not spread else ClusterDataset(changed, client)
        return StandardizedDataset(changed, center, scale)

    most = max(1_000, min(_SHOWN, memory // 16 // (8 * len(names))))
    shown = raw if raw.n_rows <= most else SplitDataset(raw, most / raw.n_rows, _seed(random), True)
    if shown is not raw:
        notes.append(
            f"Of these, pictures and the gradient check take {shown.n_rows:,} rows, drawn at random."
        )
    sample = ready(shown, False).read_all(_DOUBLE)
    nothing = sample.rows(0, 0)
    made = Preprocessing(
        target,
        known.task,
        names,
        tuple(center.tolist()),
        tuple(scale.tolist()),
        known.classes,
        known.center,
        known.scale,
    )
    return StreamedSamples(
        X=sample.X,
        y=sample.y,
        X_test=nothing.X,
        y_test=nothing.y,
        notes=tuple(notes),
        rows=ready(raw),
        held=None if held is None else ready(held),
        raw=raw,
        ready=ready,
        whole=not _asked(experiment) and 8 * raw.n_rows * (len(names) + 1) <= WHOLE,
        **described(experiment, made),
    )


def _split(experiment: Experiment, rows: Dataset, seed: int) -> tuple[Dataset, Dataset | None]:
    share = experiment.test_fraction
    return split_dataset(rows, share, seed) if share > 0 else (rows, None)


def _lacking(known: Target, raw: Dataset, held: Dataset | None, threads: int) -> list[str]:
    """Which classes a part of a split lacks, in words for the user."""
    found = []
    for rows, part in ((raw, "training"), (held, "test")):
        if known.classes is not None and held is not None and rows is not None:
            (values,), _ = target_values(rows, threads)
            missing = [label for label in known.classes if label not in values.counts]
            found += [f"no {part} row of the class(es) {listed(missing)}"] if missing else []
    return [f"The split has {', and '.join(found)}."] if found else []


def _measured(raw: Dataset, held: Dataset | None, client: Any, threads: int) -> Moments:
    """The moments of the rows to train on; those held out are looked at too."""
    # What cannot be used would else be met by the scores, after all of the training.
    parts = [raw] if held is None else [held, raw]
    return [measured(part if client is None else ClusterDataset(part, client), threads) for part in parts][
        -1
    ]


def _target(experiment: Experiment, path: Path, rows: Dataset, threads: int, seed: int) -> Target:
    """The target's task and classes, of all rows, or its mean and deviation, of those to train on."""
    target = experiment["data.target"]
    (found,), _ = target_values(rows, threads, classes=False)
    values = found.array()
    task, notes = choose_task(target, values, rows.n_rows, experiment["data.task"], MOST)
    if task == "classification":
        if len(values) > MOST:
            target_values(rows, threads)  # raises
        blank = [row for label, row in found.first.items() if isinstance(label, str) and not label.strip()]
        if blank:  # which is missing, as in a table that is read whole
            raise InputError(
                f"Column {target!r} has a missing value at {rows.where(min(blank))}; expected a value in "
                f"each row. Drop those rows or fill them in."
            )
        classes = tuple(np.unique(values).tolist())
        check_classes(path, target, classes, rows.n_rows)
        return Target(task, classes, 0.0, 1.0, notes)
    text = [label for label in found.first if isinstance(label, str)]
    if text:
        raise InputError(
            f"Column {target!r} holds text: {text[0]!r} at {rows.where(found.first[text[0]])}; a "
            f"regression expects numbers. For classes, give --task classification."
        )
    if counts(experiment):
        return Target(task, None, 0.0, 1.0, notes)
    own = stream(path, features=[target], memory=rows.memory)
    moments = _measured(*_split(experiment, own, seed), None, threads)
    return Target(task, None, float(moments.center[0]), float(moments.scale[0]), notes)


def _seed(random: RandomState) -> int:
    return int(random.randint(0, 2**32, dtype=np.uint64))


def class_numbers(labels: NDArray[Any], classes: tuple[Any, ...]) -> NDArray[np.intp]:
    """The place of each label among the classes, which are sorted; -1 where it is none."""
    if isinstance(classes[0], str) or labels.dtype.kind in "OUT":
        numbers = {label: number for number, label in enumerate(classes)}
        return np.array([numbers.get(label, -1) for label in labels.tolist()], np.intp)
    known = np.array(classes)
    places = np.minimum(np.searchsorted(known, labels), len(known) - 1)
    return np.where(known[places] == labels, places, -1).astype(np.intp)
