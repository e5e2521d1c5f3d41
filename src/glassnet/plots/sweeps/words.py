"""The words of the pictures of a sweep: settings, losses, and how the networks ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassnet.errors import InputTypeError, unknown_name
from glassnet.model_selection import SweepCell, SweepResult, identity_here, shown
from glassnet.plots.loss_curve import loss_words, unit_of
from glassnet.utils.words import counted

LEAST = 1e-100  # the smallest loss on a logarithmic scale, which stands for smaller ones and for 0
SYMBOLS = {
    "converged": "",
    "falling": "↓",
    "plateau": "−",  # noqa: RUF001 - a minus sign is as wide as the others
    "unstable": "~",
    "diverged": "×",  # noqa: RUF001
    "dropped": "|",
    "interrupted": "?",
}
"""The symbol of a status where there is no room for its name."""


def check_result(result: object, names: Sequence[str | None] = ()) -> None:
    """Raise InputTypeError for anything but the result of a sweep, InputError for settings it lacks."""
    if not isinstance(result, SweepResult):
        raise InputTypeError(
            f"result is what gn.sweep returns, a glassnet.SweepResult, not {type(result).__name__}."
        )
    for name in names:
        if name is not None and name not in result.grid:
            raise unknown_name("setting of this sweep:", name, list(result.grid))


def words_of(name: str) -> str:
    """The name of a setting with spaces."""
    return name.replace("_", " ")


def key_of(cell: SweepCell, names: Sequence[str]) -> tuple[str, ...]:
    """A key for the values of these settings, which need not be hashable."""
    return tuple(identity_here(cell.settings.get(name)) for name in names)


def texts_of(values: Sequence[Any]) -> dict[str, str]:
    """The text of each value, with three digits or as many as make the texts different."""
    for digits in range(3, 18):
        texts = {identity_here(value): shown(value, digits) for value in values}
        if len(set(texts.values())) == len(texts):
            break
    return texts


def ascending(result: SweepResult, name: str) -> list[Any]:
    """The values of a setting along an axis: numbers in ascending order, others in that of the grid."""
    values = list(result.grid[name])
    return sorted(values) if all(isinstance(value, (int, float)) for value in values) else values


def compared_name(result: SweepResult) -> str:
    """The name of the quantity that compares settings, for an axis."""
    if result.compared_by == "share":
        return "share of the best constant answer's loss"
    if result.metric is None:
        return loss_words(result.cells[0].trained)
    return words_of(result.metric).replace("held out", "held-out")


def units_of(result: SweepResult) -> str:
    """What the networks' iterations are called: epochs of those that are trained on batches."""
    return " or ".join(sorted({unit_of(cell.trained) for cell in result.cells}, reverse=True))


def summary_of(result: SweepResult) -> str:
    """The number of networks, and of those with each status."""
    statuses = [cell.status for cell in result.cells]
    counts = [f"{statuses.count(name)} {name}" for name in SYMBOLS if name in statuses]
    unit = units_of(result)
    length = counted(result.iterations, unit if result.iterations == 1 else unit.replace(" or ", "s or "))
    return f"{counted(len(statuses), 'network')}, {length} each: {', '.join(counts)}"


def varied(result: SweepResult) -> list[str]:
    """The settings with more than one value; all settings where none has."""
    names = list(result.grid)
    return [name for name in names if len({key_of(cell, [name]) for cell in result.cells}) > 1] or names


def spread_over(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the values, evenly spaced, with the first and the last."""
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in places]
