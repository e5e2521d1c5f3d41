"""The verdict on an experiment's network over the rows held out, and what its pictures show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from glassnet.experiments.samples import Samples
from glassnet.plots.picture_data import chosen_samples, make_field
from glassnet.plots.projection import PRINCIPAL, Axes
from glassnet.training.run import TrainingRun

_MOST, _MOST_HELD_OUT = 50_000, 20_000
"""Most rows to train on, and held out, that a verdict looks at."""

_DATES = 120
"""Levels along a column of dates, whose months and weekdays return."""


def judged(
    samples: Samples, run: TrainingRun, baselines: bool = True
) -> tuple[tuple[Verdict, ...], tuple[Insight, ...]]:
    """For each target the verdict on a run, and what its answers rest on; none where no rows are held out.

    Without `baselines` there are no verdicts.
    """
    held_out, known = samples.held_out_rows, samples.preprocessing
    if held_out is None or not len(held_out[1]):
        return (), ()
    rows, drawn = (
        chosen_samples(len(y), most) for y, most in ((samples.y, _MOST), (held_out[1], _MOST_HELD_OUT))
    )
    (X, y), (X_test, y_test) = (samples.X[rows], samples.y[rows]), (some[drawn] for some in held_out)
    if known.classes is None:
        y, y_test = known.values(y), known.values(y_test)
    columns, verdicts, insights = columns_of(samples), [], []
    for number, target in enumerate(known.target_names):
        question = Question(
            X,
            y if y.ndim == 1 else y[:, number],
            X_test,
            y_test if y.ndim == 1 else y_test[:, number],
            target,
            None if known.classes is None else tuple(map(str, known.classes)),
            counts=run.network.loss.target == "nonnegative",
            weights=None if run.class_weight is None else np.asarray(run.class_weight),
            n=samples.n,
            n_test=samples.n_held_out,
            targets=len(known.target_names),
        )
        answer = answer_of(samples, run, number)
        if baselines:
            verdicts.append(judge(question, answer, validated=run.validation is not None))
        insights.append(
            look_into(question, answer, columns, lambda row: samples.where_held_out(int(drawn[row])))
        )
    return tuple(verdicts), tuple(insights)


def answer_of(samples: Samples, run: TrainingRun, target: int = 0) -> Answer:
    """The network's answers: probabilities of the classes, or values of a target in its own unit."""
    field, known = make_field(run, output=target or None), samples.preprocessing
    mean, scale = (np.ravel(unit)[target] for unit in (known.target_mean, known.target_scale))
    return field if field.is_class else lambda X: field(X) * scale + mean


def columns_of(samples: Samples) -> list[Column]:
    """The table's columns with the places of their inputs, and values along each in its own unit."""
    known = samples.preprocessing
    mean, scale = np.array(known.mean), np.array(known.scale)
    truths = {info.name for info in samples.columns or () if info.kind == "true/false"}
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
    """A table's samples in its own units, and on the axes its two strongest columns of numbers, or the one.

    Generated samples, which have no other unit, stay as they are. Principal axes, asked for or where no
    column is of numbers, are of standardized columns.
    """
    known, axes, width = samples.preprocessing, samples.axes, samples.X.shape[1]
    if axes is None and width > 2:
        axes = _strongest(samples, insight)
    features = samples.feature_names
    if features is None:
        return Shown(run, samples.X, samples.y, samples.held_out_rows, samples.target_names, None, axes)
    mean, scale = np.zeros(width), np.ones(width)
    if axes != PRINCIPAL:
        mean, scale = np.array(known.mean), np.array(known.scale)
        features = tuple(
            f"{name} (normal rank)" if isinstance(encoding, NumberEncoding) and encoding.quantiles else name
            for encoding in known.encodings
            for name in encoding.inputs
        )
    unit = (np.array(known.target_mean, float), np.array(known.target_scale, float))
    of_y = tuple(np.broadcast_to(values, run.network.sizes[-1]) for values in unit)
    scaling = Scaling(mean, scale, np.zeros(width, bool), *of_y)

    def in_units(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return X * scale + mean, y if known.classes is not None else known.values(y)

    X, y = in_units(samples.X, samples.y)
    held_out = None if samples.held_out_rows is None else in_units(*samples.held_out_rows)
    names = known.target_names if known.classes is None else samples.target_names
    return Shown(replace(run, encoding=Encoding(scaling=scaling)), X, y, held_out, names, features, axes)


def _strongest(samples: Samples, insight: Insight | None) -> Axes:
    """The inputs of the two strongest columns of numbers, of the one that there is, or principal axes."""
    known = samples.preprocessing
    numbers = [one.name for one in known.encodings if isinstance(one, NumberEncoding)]
    places = {name: known.groups[name][0] for name in numbers}
    places = {name: place for name, place in places.items() if len(np.unique(samples.X[:, place])) > 2}
    ranked = [one.name for one in insight.importances if one.name in places] if insight else []
    chosen = list(dict.fromkeys([*ranked, *places]))[:2]
    return sorted(places[name] for name in chosen) or PRINCIPAL
