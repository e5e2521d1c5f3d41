"""A trained model's predictions for a table, in memory or a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.cli.experiments.record import describe_scores
from glassnet.cli.experiments.streaming import Target
from glassnet.data.dataset import stream
from glassnet.data.parquet import ENDINGS, parquet_header
from glassnet.data.preprocessing import Preprocessing
from glassnet.data.scan import target_values
from glassnet.data.source import MappedDataset
from glassnet.data.tables import read_table
from glassnet.engine.predict import predictions, tallied
from glassnet.errors import GlassnetError, InputError
from glassnet.nn.network import outputs_of
from glassnet.plots.report import score
from glassnet.plots.report.scores import scores_of
from glassnet.training.checkpoints import load
from glassnet.training.run import TrainingRun
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory
from glassnet.utils.storage import atomic_write, csv_text

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of `n_rows` rows, in blocks of columns by name, which can be had once.

    `remark` gives a sentence about the score, or why there is none.
    """

    n_rows: int
    blocks: Iterator[Columns]
    remark: Callable[[], str]

    @property
    def columns(self) -> Columns:
        """All blocks as one."""
        blocks = list(self.blocks)
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def predict_table(
    model: Path, file: Path, proba: bool = False, memory: int | str | None = None
) -> Predictions:
    """Predict each row of a table: the column "prediction", and with `proba` "P(class)" of each class.

    `model` is a file that `glassnet train` wrote, or its folder. A folder of Parquet files, a file of more
    than 1 GiB, and one for which `memory` is given are read a block at a time.

    Raises FileError for files that cannot be read, InputError for a model without a preprocessing,
    for columns that are missing or no numbers, and for probabilities of a quantity.
    """
    run = load(model / "model.safetensors" if model.is_dir() else model)
    described = run.extra.get("preprocessing")
    if described is None:
        raise InputError(
            f"{model} does not say how to read a table: it was not written by glassnet train. Predict with "
            f"gn.load(...).predict(X) in Python."
        )
    made = Preprocessing.from_dict(described)
    if made.classes is None and proba:
        raise InputError(
            f"{model} predicts {made.target!r}, a quantity without probabilities. Leave out --proba."
        )
    outputs = run.network.sizes[-1]
    if outputs not in ((1,) if made.classes is None else (1, len(made.classes))):
        raise InputError(
            f"{model} has {outputs} outputs, of which a table's column {made.target!r} is made in no way "
            f"known here. Predict with gn.load(...).predict(X) in Python."
        )
    if _is_streamed(file, memory):
        return _streamed(run, made, file, proba, as_memory(memory or DEFAULT_MEMORY))
    table = read_table(file)
    X = made.transform(table)
    Y_hat = outputs_of(run.network, run.theta, X)

    def remark() -> str:
        if made.target not in table.names:
            return ""
        try:
            y = made.encode(table)
        except InputError as error:  # an odd target is no reason to withhold predictions
            return f"Not scored: {error}"
        return f"Score against {made.target!r}: {describe_scores(score(run, X, y), made)}"

    return Predictions(table.n_rows, iter([_columns(made, Y_hat, proba)]), remark)


def _is_streamed(file: Path, memory: int | str | None) -> bool:
    if file.is_dir():
        return True
    if file.suffix.lower() not in ENDINGS:
        if memory is not None:
            raise InputError(
                f"--memory is for Parquet files and folders of them; {file} is read whole. Leave it out."
            )
        return False
    return memory is not None or (file.is_file() and parquet_header(file)[1] > DEFAULT_MEMORY)


def _streamed(run: TrainingRun, made: Preprocessing, path: Path, proba: bool, memory: int) -> Predictions:
    moments = made.mean, made.scale
    how: dict[str, Any] = {"features": made.features, "standardize": moments, "memory": memory}
    rows = stream(path, **how)
    outputs = predictions(run.network, run.theta, rows, "outputs")

    def remark() -> str:
        if made.target not in parquet_header(path)[0].names:
            return ""
        target = Target(made.task, made.classes, made.target_mean, made.target_scale, [])
        try:
            own = stream(path, made.target, **how)
            if made.classes is not None:
                (found,), _ = target_values(own, 1)
                target.check(found.first, own)
            tally = tallied(run.network, run.theta, MappedDataset(own, target.encode))
        except GlassnetError as error:  # an odd target is no reason to withhold predictions
            return f"Not scored: {error}"
        return f"Score against {made.target!r}: {describe_scores(scores_of(run.network, tally), made)}"

    return Predictions(rows.n_rows, (_columns(made, Y_hat, proba) for Y_hat in outputs), remark)


def _columns(made: Preprocessing, Y_hat: NDArray[Any], proba: bool) -> Columns:
    """What the network's outputs say of the target."""
    if made.classes is None:
        return {"prediction": made.values(Y_hat)}
    P = Y_hat
    if P.shape[1] == 1:  # one logistic output: the probability of the second class
        P = np.column_stack([1 - P, P])
    columns = {"prediction": made.labels(P.argmax(axis=1))}
    if proba:
        columns |= {f"P({label})": P[:, i] for i, label in enumerate(made.classes)}
    return columns


def csv_lines(blocks: Iterator[Columns]) -> Iterator[str]:
    """Blocks as the text of a CSV file, piece by piece."""
    for number, columns in enumerate(blocks):
        yield csv_text(columns, header=number == 0)


def write_predictions(path: Path, blocks: Iterator[Columns]) -> None:
    """Write blocks into a CSV file, or a Parquet file by its ending, whole or not at all."""
    with atomic_write(path) as temporary:
        if path.suffix.lower() in ENDINGS:
            _write_parquet(temporary, blocks)
        else:
            with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.writelines(csv_lines(blocks))


def _write_parquet(path: Path, blocks: Iterator[Columns]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            f'Writing {path.name} needs pyarrow, which is not installed: pip install "glassnet[parquet]".'
        ) from error
    first = next(blocks)
    with pq.ParquetWriter(path, pa.table(first).schema) as writer:
        for columns in chain([first], blocks):
            writer.write_table(pa.table(columns))
