"""What a run predicts for rows whose targets are known: those it learned from, and those held out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.plots import style
from glassnet.plots.picture_data import (
    MOST_POINTS,
    Field,
    as_samples,
    check_run,
    chosen_samples,
    make_field,
)
from glassnet.training.run import TrainingRun
from glassnet.utils.words import counted, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HeldOut = Mapping[str, tuple[object, object]] | tuple[object, object] | None
"""(X, y), or such pairs by the name of their rows."""


@dataclass(frozen=True)
class Predictions:
    """Of some rows the inputs, the actual targets, and the predictions, in the target's own unit.

    X : (n, inputs). actual : (n,), class numbers or values. predicted : (n, C), the probability of each
    class, or (n,), values. total : the number of rows, of which these are all, or a random choice, or those
    predicted by a finite number.
    """

    name: str
    X: NDArray[Any]
    actual: NDArray[Any]
    predicted: Array
    total: int

    @property
    def errors(self) -> Array:
        """actual - predicted, of values."""
        return np.asarray(self.actual - self.predicted)

    @property
    def rmse(self) -> float:
        """The root mean square error, of values so large that their squares overflow too."""
        largest = float(np.abs(self.errors).max()) or 1.0
        return largest * float(np.sqrt(np.mean((self.errors / largest) ** 2)))


def make_predictions(
    run: TrainingRun,
    X: object,
    y: object,
    held_out: HeldOut,
    class_names: object,
    output: int | None,
    classes: bool,
    most: int = MOST_POINTS,
) -> tuple[Field, list[Predictions]]:
    """The field of a run, and its predictions for X, y and for each pair held out.

    Rows of X that the run itself held out for validation are a set of their own. Raises InputError for a
    run whose targets are not `classes` or not quantities, as asked for, and where no prediction is finite.
    """
    check_run(run)
    field = make_field(run, class_names, output)
    if field.is_class != classes:
        kinds = "quantities", "classes"
        others = ("regression, error_histogram or fit", "confusion or roc")[field.is_class]
        raise InputError(
            f"This picture is of {kinds[classes]}, and the network's output {run.network.output.name!r} "
            f"predicts {kinds[field.is_class]}: draw glassnet.plots.{others}."
        )
    mean, scale = target_unit(run, field.output)
    if (mean != 0).any() or (scale != 1).any():
        field = replace(field, names=own_names(field.names))
    sets = []
    for name, inputs, targets in row_sets(run, X, y, held_out):
        samples = as_samples(inputs, width=run.network.sizes[0])
        rows = chosen_samples(len(samples), most)
        actual, predicted = field.targets(targets, len(samples)).values[rows], field(samples[rows])
        if not classes:
            actual, predicted = actual * scale + mean, predicted * scale + mean
        known = np.asarray(np.isfinite(predicted).reshape(len(rows), -1).all(axis=1))
        if not known.any():
            raise InputError(
                f"The run predicts no finite value for any of the {name} samples: it blew up there."
            )
        sets.append(Predictions(name, samples[rows[known]], actual[known], predicted[known], len(samples)))
    return field, sets


def target_unit(
    run: TrainingRun, output: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean and the divisor that a table's target was standardized with; 0 and 1 where it was not.

    Of several targets these are (targets,), of one, or of the one that `output` numbers, ().

    A run that scales by itself predicts in the target's own unit already.
    """
    preprocessing = run.extra.get("preprocessing")
    if not isinstance(preprocessing, Mapping) or run.encoding.scaling is not None:
        return np.zeros(()), np.ones(())
    mean, scale = (
        preprocessing.get(f"target_{name}", plain) for name, plain in (("mean", 0), ("scale", 1))
    )
    mean, scale = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
    return (mean, scale) if output is None or mean.ndim == 0 else (mean[output], scale[output])


def own_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of target values without what experiments append to them."""
    return tuple(name.removesuffix(" (standardized)") for name in names)


def row_sets(run: TrainingRun, X: object, y: object, held_out: HeldOut) -> list[tuple[str, object, object]]:
    """The name, X and y of each set of rows."""
    sets: list[tuple[str, object, object]] = [("training", X, y)]
    validation, targets = run.validation, np.asarray(y)
    if validation is not None and validation.rows is not None:
        parts = {
            "training": validation.training_rows,
            "validation": validation.validation_rows,
            "test": validation.test_rows,
        }
        numbers = {name: rows for name, rows in parts.items() if rows is not None and len(rows)}
        if targets.shape[:1] == (sum(map(len, numbers.values())),):
            samples = as_samples(X)
            sets = [(name, samples[some], targets[some]) for name, some in numbers.items()]
    return [*sets, *((name, *pair) for name, pair in held_out_sets(held_out))]


def held_out_sets(held_out: HeldOut) -> list[tuple[str, tuple[object, object]]]:
    """The name, and X and y, of each set of rows held out."""
    if held_out is None:
        return []
    pairs = held_out if isinstance(held_out, Mapping) else {"held-out": held_out}
    for pair in pairs.values():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputTypeError(
                f"held_out is a pair (X, y), or a dict of such pairs by name, not {type(pair).__name__}."
            )
    return [(str(name), (X, y)) for name, (X, y) in pairs.items()]


def notes(sets: list[Predictions]) -> list[str]:
    """What the heading says of the rows."""
    drawn = [
        f"{len(rows.actual):,} of {rows.total:,} {rows.name} samples shown"
        for rows in sets
        if len(rows.actual) < rows.total
    ]
    return [counted(sum(rows.total for rows in sets), "sample"), *drawn]


def panels(count: int, width: float = 3.7, height: float = 3.7) -> tuple[Figure, list[Any]]:
    """A figure with `count` panels of that many inches, up to three beside each other."""
    columns = count if count <= 3 else 2
    lines = -(-count // columns)
    figure = style.new_figure(max(columns, 1.35) * width + 0.5, lines * height + 0.9)
    grid = figure.add_gridspec(lines, columns)
    return figure, [style.flat_axes(figure, place=[grid[divmod(i, columns)]]) for i in range(count)]


def head(paper: Any, text: str) -> None:
    """Write the name of a panel above it."""
    lines = textwrap.wrap(plain(text, 80), 42)
    paper.set_title("\n".join(lines), loc="left", fontsize=10, color=style.INK)
