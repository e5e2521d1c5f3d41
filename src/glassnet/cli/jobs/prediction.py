"""A trained model's predictions for a table, in memory or a block at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.cli.jobs.kept_columns import Kept, KeptOfFiles, KeptOfTable, beside, cells_of
from glassnet.cli.jobs.results.record import describe_scores
from glassnet.data.dataset import as_dataset
from glassnet.data.encoding import PLAIN
from glassnet.data.source import Dataset
from glassnet.data.tables import read_table
from glassnet.data.tables.parquet_files import ENDINGS
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.raw import raw_column
from glassnet.data.tables.streamed.encoded import differences_of, encoded_files, files_of, scored_files
from glassnet.engine.predict import predictions
from glassnet.errors import GlassnetError, InputError
from glassnet.experiments.files import in_blocks, score_rows
from glassnet.plots.report.scores import Scores, score
from glassnet.training.files.loading import load
from glassnet.training.run import TrainingRun
from glassnet.utils.libraries import require
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory
from glassnet.utils.storage import atomic_write, csv_text

Columns = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of `n_rows` rows as blocks of columns by name, which can be iterated once.

    `remark` gives a sentence about the score, or why there is none; `notes` say how the table was read, and
    what differs from the training's.
    """

    n_rows: int
    blocks: Iterator[Columns]
    remark: Callable[[], str]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> Columns:
        """All blocks as one."""
        blocks = list(self.blocks)
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def predict_table(
    model: Path,
    file: Path,
    proba: bool = False,
    memory: int | str | None = None,
    keep: Sequence[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> Predictions:
    """Predict each row of a table: the column "prediction", and with `proba` "P(class)" of each class.

    Of several quantities there are "prediction NAME", or "prediction 1" and so on where they have no names.

    The columns of the table that `keep` names, or all with ["ALL"], stand before them.

    `model` is a file that `glassnet train` wrote, or its folder. A folder of Parquet files, a file of more
    than 1 GiB, and one for which `memory` is given are read a block at a time.

    Raises FileError for files that cannot be read, InputError for a model without a preprocessing,
    for columns that are missing or no numbers, and for probabilities of a quantity.
    """
    run = load(model / "model.safetensors" if model.is_dir() else model)
    description = run.preprocessing
    if description is None:
        raise InputError(
            f"{model} does not say how to read a table: it was not written by glassnet train. Predict with "
            f"gn.load(...).predict(X) in Python."
        )
    preprocessing = Preprocessing.from_dict(description)
    run = replace(run, encoding=PLAIN)  # which would scale and number the rows once more
    if preprocessing.classes is None and proba:
        raise InputError(
            f"{model} predicts {preprocessing.target!r}, a quantity without probabilities. Leave out "
            f"--proba."
        )
    classes, outputs = preprocessing.classes, run.network.sizes[-1]
    if classes is not None and outputs not in (1, len(classes)):
        raise InputError(
            f"{model} has {outputs} outputs, of which a table's column {preprocessing.target!r} is made in "
            f"no way known here. Predict with gn.load(...).predict(X) in Python."
        )
    given = {key: value for key, value in (reading or {}).items() if value is not None}
    in_memory = partial(_table, reading={**run.extra.get("reading", {}), **given})
    read = _files if in_blocks(file, memory is not None, "--memory") else in_memory
    rows, scored, notes, kept = read(preprocessing, run, file, as_memory(memory or DEFAULT_MEMORY))

    def remark() -> str:
        try:
            scores = None if classes is None and outputs != len(preprocessing.target_names) else scored()
        except GlassnetError as error:  # an odd target is no reason to withhold predictions
            return f"Not scored: {error}"
        if scores is None:
            return ""
        return f"Score against {preprocessing.target!r}: {describe_scores(scores, preprocessing.target)}"

    blocks = predictions(run.network, run.theta, rows, "outputs")
    answers: Iterator[Columns] = (_columns(preprocessing, block, proba) for block in blocks)
    if keep:
        answers = beside(kept, keep, answers)
    return Predictions(rows.n_rows, answers, remark, tuple(notes))


def refuse_to_replace(output: Path, model: Path, file: Path) -> None:
    """Raise InputError where the predictions would be written over the model or the table.

    They may have other names there: links of either kind lead to the same file.
    """
    for name, taken in (("the model", model), ("the table", file)):
        inside = [path for path in taken.rglob("*") if path.is_file()] if taken.is_dir() else [taken]
        if any(path.exists() and output.exists() and output.samefile(path) for path in inside):
            raise InputError(
                f"-o {output} is {name} itself, which the predictions would replace. Give another path; "
                f"nothing was written."
            )
    if file.is_dir() and Path(os.path.realpath(file)) in Path(os.path.realpath(output)).parents:
        raise InputError(
            f"-o {output} lies in {file}, which is read as one table: the predictions would be a part of "
            f"it the next time. Give a path elsewhere."
        )


Rows = tuple[Dataset, Callable[[], Scores | None], list[str], Kept]
"""The rows to predict, what scores them (None where the table has no target), notes of them, and their
columns to keep."""


def _table(
    preprocessing: Preprocessing, run: TrainingRun, file: Path, memory: int, reading: Mapping[str, Any]
) -> Rows:
    table = read_table(file, **reading)
    X, differences = preprocessing.transform_and_note(table)

    def scored() -> Scores | None:
        if any(name not in table.names for name in preprocessing.target_names):
            return None
        absent = [np.isnan(raw_column(table, name).values) for name in preprocessing.target_names]
        known = ~np.logical_or.reduce(absent)
        if not known.any():
            return None
        names = preprocessing.target_names if preprocessing.classes is None else None
        return score(run, X[known], preprocessing.encode(table.take(known)), names)

    return as_dataset(X), scored, [*table.notes, *differences], KeptOfTable(table)


def _files(preprocessing: Preprocessing, run: TrainingRun, path: Path, memory: int) -> Rows:
    files = files_of(preprocessing, path, memory)

    def scored() -> Scores | None:
        targeted = scored_files(files, preprocessing)
        return None if targeted is None else score_rows(run, targeted)

    notes = differences_of(files, preprocessing)
    return encoded_files(files, preprocessing), scored, notes, KeptOfFiles(path)


def _columns(preprocessing: Preprocessing, outputs: NDArray[Any], proba: bool) -> Columns:
    """What the network's outputs say of the target."""
    classes = preprocessing.classes
    if classes is None:
        values = preprocessing.values(outputs)
        if values.ndim == 2:
            names = preprocessing.targets or range(1, values.shape[1] + 1)
            return {f"prediction {name}": column for name, column in zip(names, values.T, strict=True)}
        return {"prediction": values}
    P = outputs
    if P.shape[1] == 1:  # one logistic output: the probability of the second class
        P = np.column_stack([1 - P, P])
    columns = {"prediction": preprocessing.labels(P.argmax(axis=1))}
    if proba:
        columns |= {f"P({label})": P[:, i] for i, label in enumerate(classes)}
    return columns


def csv_lines(blocks: Iterator[Columns]) -> Iterator[str]:
    """The text of a CSV file, block by block."""
    for number, columns in enumerate(blocks):
        yield csv_text({name: cells_of(column) for name, column in columns.items()}, header=number == 0)


def write_predictions(path: Path, blocks: Iterator[Columns]) -> None:
    """Write blocks into a CSV file, or a Parquet file by its ending, whole or not at all."""
    with atomic_write(path) as temporary:
        if path.suffix.lower() in ENDINGS:
            _write_parquet(temporary, blocks)
        else:
            with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.writelines(csv_lines(blocks))


def _write_parquet(path: Path, blocks: Iterator[Columns]) -> None:
    pa, pq = require("pyarrow"), require("pyarrow.parquet")
    first = next(blocks)
    with pq.ParquetWriter(path, pa.table(first).schema) as writer:
        for columns in chain([first], blocks):
            writer.write_table(pa.table(columns))
