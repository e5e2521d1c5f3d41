"""Training runs, of arrays and of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.encoding import Encoding
from glassnet.data.fixed_order import Floats
from glassnet.data.holdout import listed
from glassnet.data.tables.preprocessing import Preprocessing, as_numbers
from glassnet.data.tables.raw import raw_column
from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.table import Table
from glassnet.errors import InputError
from glassnet.export.model import Answer, Column, Feature, Member, Model
from glassnet.export.sources.source import Source
from glassnet.export.sources.tables import columns_of, features_of, scaling_steps, values_of
from glassnet.nn.network import Network, Parameters
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import as_matrix


def source_of_run(run: TrainingRun) -> Source:
    """A run with its scaling, labels and unit; of a table with its preprocessing."""
    known = run.extra.get("preprocessing")
    if isinstance(known, dict) and run.encoding.scaling is None:
        preprocessing = Preprocessing.from_dict(known)
        if preprocessing.columns is not None or "name" in run.extra:
            return _of_table(run, preprocessing)
        return _of_standardized(run, preprocessing)
    member = member_of(run.network, run.theta, run.encoding)
    names = tuple(column.name for column in member.columns)
    model = Model(
        tuple(map(Feature, names)),
        (member,),
        answers_of(run.network, run.encoding.classes, (run.encoding.target or "y",)),
    )

    def outputs(X: object) -> Array:
        X = _rows(names, X)
        return run.predict_proba(X) if model.is_classifier else run.predict(X, ndim=2)

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


def member_of(network: Network, theta: Parameters, encoding: Encoding) -> Member:
    """A network of plain columns, which are scaled where a run scaled them."""
    names, scaling = encoding.features, encoding.scaling
    names = names or tuple(f"x{place + 1}" for place in range(network.sizes[0]))
    if scaling is None:
        return Member(tuple(Column(name, at, ()) for at, name in enumerate(names)), network, theta)
    steps = map(scaling_steps, scaling.mean.tolist(), scaling.scale.tolist())
    columns = tuple(Column(name, at, own) for at, (name, own) in enumerate(zip(names, steps, strict=True)))
    if not scaling.moves_targets:
        return Member(columns, network, theta)
    mean, scale = scaling.target_mean.tolist(), scaling.target_scale.tolist()
    return Member(columns, network, theta, tuple(mean), tuple(scale))


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
    table_of = _table_of(known)
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
    return Source(
        model,
        lambda X: values_of(known, known.raw_columns(table_of(X))),
        lambda X: run.predict_proba(table_of(X)) if classes else run.predict(table_of(X), ndim=2),
    )


def _table_of(known: Preprocessing) -> Any:
    def table(X: object) -> Table:
        if isinstance(X, np.ndarray):
            raise InputError(
                f"The run learned from a table with the columns {', '.join(known.features)}; give rows of "
                f"such a table, with the columns' names."
            )
        return X if isinstance(X, Table) else read_table(X)

    return table


def _of_standardized(run: TrainingRun, known: Preprocessing) -> Source:
    """A run of rows that were standardized before: the exported file takes them as they were."""
    columns = columns_of(known)
    model = Model(
        features_of(known),
        (Member(columns, run.network, run.theta),),
        answers_of(run.network, known.classes, known.target_names),
    )
    mean, scale = np.array(known.mean), np.array(known.scale)

    def inputs(X: object) -> Floats:
        return (_rows(known.features, X).astype(np.float64) - mean) / scale

    def outputs(X: object) -> Array:
        network, theta = run.network, run.theta
        return (network.predict_proba if model.is_classifier else network.predict)(theta, inputs(X))

    return Source(
        model,
        lambda X: _rows(known.features, X).astype(np.float64),
        outputs,
    )
