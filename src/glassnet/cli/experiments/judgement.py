"""The verdict on an experiment's network over the rows held out, and what its pictures show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.cli.experiments.samples import Samples
from glassnet.data.encoding import Encoding
from glassnet.data.standardization import Scaling
from glassnet.data.tables.encodings import CategoryEncoding, DateEncoding, NumberEncoding
from glassnet.data.tables.raw import DATE, DAY, NUMBER, TEXT, RawColumn, date_text
from glassnet.diagnostics.verdict import (
    Answer,
    Column,
    Insight,
    Question,
    Verdict,
    judge,
    look_into,
    spread_over,
)
from glassnet.plots.picture_data import chosen_samples, predict
from glassnet.plots.projection import PRINCIPAL, Axes
from glassnet.training.run import TrainingRun

_MOST, _MOST_HELD_OUT = 50_000, 20_000
"""Most rows to train on, and held out, that a verdict looks at."""

_DATES = 120
"""Levels along a column of dates, whose months and weekdays return."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict on a run, and what its answers rest on; None where no rows are held out."""

    verdict: Verdict | None = None
    insight: Insight | None = None


def judgement_on(samples: Samples, run: TrainingRun, baselines: bool = True) -> Judgement:
    """The judgement of a run on the rows that its samples hold out; the verdict only with `baselines`."""
    question = question_of(samples, run)
    if question is None or samples.held_out is None:
        return Judgement()
    answer, numbers = answer_of(samples, run), chosen_samples(len(_held_out(samples)[1]), _MOST_HELD_OUT)
    verdict = judge(question, answer, validated=run.validation is not None) if baselines else None
    insight = look_into(
        question, answer, columns_of(samples), lambda row: _where(samples, int(numbers[row]))
    )
    return Judgement(verdict, insight)


def _where(samples: Samples, row: int) -> str:
    """Where a row of those held out lies."""
    if samples.prepared is not None:
        table, rows = samples.prepared.table, samples.prepared.rows
        return table.where(int(rows[samples.prepared.split.test[row]]))
    shown = getattr(samples, "held_out_shown", None)
    return f"held-out row {row}" if shown is None else str(shown.where(row))


def question_of(samples: Samples, run: TrainingRun) -> Question | None:
    """What the network was asked, in the target's own unit; None where no rows are held out, or several
    targets are predicted."""
    known, network = samples.preprocessing, run.network
    rows = _held_out(samples)
    if not len(rows[1]) or (known.classes is None and network.sizes[-1] > 1):
        return None
    (X, y), (X_test, y_test) = _some(samples.X, samples.y, _MOST), _some(*rows, _MOST_HELD_OUT)
    if known.classes is None:
        y, y_test = (known.values(np.asarray(some, np.float64)) for some in (y, y_test))
    return Question(
        X,
        y,
        X_test,
        y_test,
        known.target,
        None if known.classes is None else tuple(map(str, known.classes)),
        counts=network.loss.target == "nonnegative",
        weights=None if run.class_weight is None else np.asarray(run.class_weight),
        n=samples.n,
        n_test=samples.n_held_out,
    )


def _held_out(samples: Samples) -> tuple[NDArray[Any], NDArray[Any]]:
    rows = samples.held_out_rows
    return (samples.X[:0], samples.y[:0]) if rows is None else rows


def _some(X: NDArray[Any], y: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rows = chosen_samples(len(X), most)
    return X[rows], y[rows]


def answer_of(samples: Samples, run: TrainingRun) -> Answer:
    """The network's answers: probabilities of the classes, or values in the target's own unit."""
    known = samples.preprocessing

    def answer(X: NDArray[Any]) -> Array:
        Y_hat = predict(run.network, run.theta, X).astype(np.float64)
        if known.classes is None:
            return np.asarray(known.values(Y_hat), np.float64)
        return np.hstack([1 - Y_hat, Y_hat]) if Y_hat.shape[1] == 1 else Y_hat

    return answer


def columns_of(samples: Samples) -> list[Column]:
    """The table's columns with the places of their inputs, and values along each in its own unit."""
    known = samples.preprocessing
    mean, scale = np.array(known.mean), np.array(known.scale)
    infos = samples.prepared.columns if samples.prepared is not None else ()
    truths = {info.name for info in infos if info.kind == "true/false"}
    columns = []
    for encoding, places in zip(known.encodings, known.groups.values(), strict=True):
        at = places[0]
        x, unit = samples.X[:, at] * scale[at] + mean[at], ""
        labels: tuple[str, ...] = ()
        levels: NDArray[np.float64]
        if isinstance(encoding, CategoryEncoding):
            labels = encoding.categories
            levels = np.arange(len(labels), dtype=np.float64)
            raw = RawColumn(encoding.name, TEXT, levels, labels)
        elif isinstance(encoding, DateEncoding):
            levels = np.round(spread_over(x, _DATES)).astype(np.float64)
            raw = RawColumn(encoding.name, DATE, encoding.first + levels * DAY)
            unit = f"days since {date_text(encoding.first)}"
        else:
            of = np.array(encoding.quantiles) if encoding.quantiles else x
            levels = spread_over(of).astype(np.float64)
            if encoding.name in truths and len(levels) == 2:
                labels = ("false", "true")
            raw = RawColumn(encoding.name, NUMBER, levels)
        inputs = (np.column_stack(encoding.encode(raw)) - mean[places]) / scale[places]
        columns.append(Column(encoding.name, tuple(places), levels, inputs, labels, unit))
    return columns


# ---- What pictures show -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Shown:
    """A run with samples in the table's own units, as pictures and the report show them."""

    run: TrainingRun
    X: NDArray[Any]
    y: NDArray[Any]
    held_out: tuple[NDArray[Any], NDArray[Any]] | None
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...] | None
    axes: Axes

    def labels(self) -> dict[str, Any]:
        """The names and axes, as plots take them."""
        return {
            "class_names": self.class_names,
            "feature_names": self.feature_names,
            "axes": self.axes,
        }


def shown_of(samples: Samples, run: TrainingRun, insight: Insight | None) -> Shown:
    """A table's samples in its own units, and on the axes its two strongest columns of numbers.

    Generated samples, which have no other unit, stay as they are. Principal axes, asked for or where fewer
    than two columns are numbers, are of standardized columns.
    """
    known, axes, width = samples.preprocessing, samples.axes, samples.X.shape[1]
    if axes is None and width > 2:
        axes = _strongest(samples, insight)
    if samples.feature_names is None or axes == PRINCIPAL or run.encoding.scaling is not None:
        same = samples.X, samples.y, samples.held_out_rows, samples.target_names, samples.feature_names
        return Shown(run, *same, axes)
    mean, scale = np.array(known.mean), np.array(known.scale)
    outputs = run.network.sizes[-1]
    unit = (np.array(known.target_mean, float), np.array(known.target_scale, float))
    of_y = tuple(np.broadcast_to(values, outputs) for values in unit)
    scaling = Scaling(mean, scale, np.zeros(width, bool), *of_y)

    def in_units(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return X * scale + mean, y if known.classes is not None else known.values(y)

    X, y = in_units(samples.X, samples.y)
    held_out = None if samples.held_out_rows is None else in_units(*samples.held_out_rows)
    names = known.target_names if known.classes is None else samples.target_names
    run = replace(run, encoding=Encoding(scaling=scaling))
    features = tuple(
        f"{name} (normal rank)" if isinstance(encoding, NumberEncoding) and encoding.quantiles else name
        for encoding in known.encodings
        for name in encoding.inputs
    )
    return Shown(run, X, y, held_out, names, features, axes)


def _strongest(samples: Samples, insight: Insight | None) -> Axes:
    """The inputs of the two strongest columns of numbers, or principal axes where there are fewer."""
    of_numbers = [isinstance(encoding, NumberEncoding) for encoding in samples.preprocessing.encodings]
    pairs = zip(columns_of(samples), of_numbers, strict=True)
    columns = {column.name: column for column, is_number in pairs if is_number and len(column.levels) > 2}
    if len(columns) < 2:
        return PRINCIPAL
    ranked = [one.name for one in insight.importances if one.name in columns] if insight else []
    chosen = list(dict.fromkeys([*ranked, *columns]))[:2]
    return sorted(columns[name].places[0] for name in chosen)
