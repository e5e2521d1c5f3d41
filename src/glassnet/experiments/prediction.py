"""Floor 9: a trained model's predictions for a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.checkpoints import load
from glassnet.errors import InputError
from glassnet.experiments.record import describe_scores
from glassnet.report import score
from glassnet.runs import TrainingRun
from glassnet.sources import Preprocessing, Table, read_table


@dataclass(frozen=True, eq=False)
class Predictions:
    """Columns of one length by name, and a sentence about the score, or why there is none."""

    columns: dict[str, NDArray[Any]]
    remark: str

    @property
    def n_rows(self) -> int:
        """How many rows were predicted."""
        return len(self.columns["prediction"])


def predict_table(model: Path, file: Path, proba: bool = False) -> Predictions:
    """Predict each row of a table: the column "prediction", and with `proba` "P(class)" of each class.

    `model` is a file that `glassnet train` wrote, or its folder.

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
    table = read_table(file)
    X = made.transform(table)
    if made.classes is None:
        if proba:
            raise InputError(
                f"{model} predicts {made.target!r}, a quantity without probabilities. Leave out --proba."
            )
        columns: dict[str, NDArray[Any]] = {"prediction": made.values(run.network.predict(run.theta, X))}
    else:
        P = run.network.predict_proba(run.theta, X)
        if P.shape[1] == 1:  # one logistic output: the probability of the second class
            P = np.column_stack([1 - P, P])
        columns = {"prediction": made.labels(P.argmax(axis=1))}
        if proba:
            columns |= {f"P({label})": P[:, i] for i, label in enumerate(made.classes)}
    return Predictions(columns, _remark(run, made, table, X))


def _remark(run: TrainingRun, made: Preprocessing, table: Table, X: NDArray[np.float64]) -> str:
    if made.target not in table.names:
        return ""
    try:
        y = made.encode(table)
    except InputError as error:  # an odd target is no reason to withhold predictions
        return f"Not scored: {error}"
    return f"Score against {made.target!r}: {describe_scores(score(run, X, y), made)}"


def to_csv(columns: Mapping[str, NDArray[Any]]) -> str:
    """Columns as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*([str(value) for value in column] for column in columns.values()), strict=True))
    return text.getvalue()
