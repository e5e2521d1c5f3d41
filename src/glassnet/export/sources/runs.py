"""Training runs, of arrays and of tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.encoding import Encoding
from glassnet.data.holdout import listed
from glassnet.data.standardization import Scaling
from glassnet.data.tables.preprocessing import Preprocessing, as_numbers
from glassnet.data.tables.raw import raw_column
from glassnet.data.tables.rows import as_table, is_table
from glassnet.data.tables.table import Table
from glassnet.engine.predict import predict
from glassnet.errors import InputError
from glassnet.export.model import Answer, Column, Feature, Member, Model
from glassnet.export.sources.source import Source
from glassnet.export.sources.tables import columns_of, features_of, scaling_steps, values_of
from glassnet.nn.network import Network, Parameters
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import as_matrix


def source_of_run(run: TrainingRun) -> Source:
    """A run with its scaling, labels and unit; of a table with its preprocessing."""
    encoding, known = run.encoding, run.extra.get("preprocessing")
    if isinstance(known, dict) and encoding.scaling is None:
        preprocessing = Preprocessing.from_dict(known)
        if preprocessing.columns is not None or "name" in run.extra:
            return _of_table(run, preprocessing)
        # Of rows that were standardized before: the exported file takes them as they were.
        moments = np.array(preprocessing.mean), np.array(preprocessing.scale)
        encoding = replace(
            encoding,
            scaling=Scaling.of_inputs(run.network, *moments),
            classes=preprocessing.classes,
            target=preprocessing.target,
            features=preprocessing.features,
        )
    return source_of_network(run.network, run.theta, encoding)


def source_of_network(network: Network, theta: Parameters, encoding: Encoding) -> Source:
    """A network of plain columns, which are scaled where a run scaled them."""
    names = encoding.features or tuple(f"x{place + 1}" for place in range(network.sizes[0]))
    steps: list[Any] = [()] * len(names)
    mean = scale = None
    if (scaling := encoding.scaling) is not None:
        steps = [*map(scaling_steps, scaling.mean, scaling.scale)]
        if scaling.moves_targets:
            mean, scale = tuple(scaling.target_mean.tolist()), tuple(scaling.target_scale.tolist())
    columns = tuple(Column(name, at, own) for at, (name, own) in enumerate(zip(names, steps, strict=True)))
    model = Model(
        tuple(map(Feature, names)),
        (Member(columns, network, theta, mean, scale),),
        answers_of(network, encoding.classes, (encoding.target or "y",)),
    )

    def outputs(X: object) -> Array:
        X = _rows(names, X)
        if model.is_classifier:
            return predict(network, theta, X, "predict_proba", {}, encoding)
        return encoding.predictions(predict(network, theta, X, "predict", {}, encoding), 2)

    return Source(model, lambda X: _rows(names, X).astype(np.float64), outputs)


def _rows(names: tuple[str, ...], X: object) -> NDArray[Any]:
    """X as numbers (n, features); of a table the columns of these names, or all where there are as many."""
    if isinstance(X, Table):
        lacking = [name for name in names if name not in X.names]
        if lacking and len(X.names) != len(names):
            raise InputError(
                f"{X.source} has {len(X.names)} columns, and the model takes {len(names)}: expected "
                f"columns of these names, {listed(names)}, or {len(names)} columns in this order."
            )
        chosen = X.names if lacking else names
        X = np.column_stack([as_numbers(raw_column(X, name), X.where).values for name in chosen])
    return as_matrix(X, width=len(names))


def answers_of(
    network: Network, classes: tuple[Any, ...] | None, names: tuple[str, ...] = ("y",)
) -> tuple[Answer, ...]:
    """What a network predicts: of a softmax a class, of logistic outputs labels, else values."""
    kind, outputs = network.loss.target, network.sizes[-1]
    if kind == "class":
        return (Answer(names[0], 0, outputs, classes or tuple(range(outputs))),)
    if len(names) != outputs:
        names = tuple(f"{names[0]}{place + 1}" for place in range(outputs)) if outputs > 1 else names[:1]
    labels = (classes or (0, 1)) if kind == "label" else None
    return tuple(Answer(name, place, place + 1, labels) for place, name in enumerate(names))


def _of_table(run: TrainingRun, known: Preprocessing) -> Source:
    classes, mean, scale = known.classes, None, None
    if classes is None:
        mean, scale = (
            tuple(np.ravel(numbers).tolist()) for numbers in (known.target_mean, known.target_scale)
        )
    model = Model(
        features_of(known),
        (Member(columns_of(known), run.network, run.theta, mean, scale),),
        answers_of(run.network, classes, known.target_names),
        wide=True,
    )

    def table_of(X: object) -> Table:
        if not is_table(X):
            raise InputError(
                f"The run learned from a table with the columns {', '.join(known.features)}; give rows of "
                f"such a table, with the columns' names."
            )
        return as_table(X)

    return Source(
        model,
        lambda X: values_of(known, known.raw_columns(table_of(X))),
        lambda X: run.predict_proba(table_of(X)) if classes else run.predict(table_of(X), ndim=2),
    )
