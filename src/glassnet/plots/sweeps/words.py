"""What pictures of a sweep have in common: words for settings, losses and how networks ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputTypeError
from glassnet.model_selection import SweepResult, identity_here, shown
from glassnet.plots.loss_curve import loss_words

if TYPE_CHECKING:
    from glassnet.model_selection import SweepCell

LEAST = 1e-100  # of a loss on a logarithmic scale; below, and at 0, it is drawn as this
SYMBOLS = {
    "converged": "",
    "falling": "↓",
    "plateau": "−",  # noqa: RUF001 - a minus sign is as wide as the others
    "unstable": "~",
    "diverged": "×",  # noqa: RUF001
    "dropped": "|",
    "interrupted": "?",
}
"""What stands for a status where there is no room for its name."""


def check_result(result: object) -> None:
    """Raise InputTypeError for what is no sweep's result."""
    if not isinstance(result, SweepResult):
        raise InputTypeError(
            f"result is what gn.sweep returns, a glassnet.SweepResult, not {type(result).__name__}."
        )


def words_of(name: str) -> str:
    """A setting's name as one writes it."""
    return name.replace("_", " ")


def key_of(cell: SweepCell, names: Sequence[str]) -> tuple[str, ...]:
    """What tells combinations of these settings apart; values need not be hashable."""
    return tuple(identity_here(cell.settings.get(name)) for name in names)


def texts_of(values: Sequence[Any]) -> dict[str, str]:
    """The text of each value, of three digits or as many as it takes to tell them apart."""
    for digits in range(3, 18):
        texts = {identity_here(value): shown(value, digits) for value in values}
        if len(set(texts.values())) == len(texts):
            break
    return texts


def ascending(result: SweepResult, name: str) -> list[Any]:
    """A setting's values along an axis: numbers ascend, as drawn ones do not by themselves."""
    values = list(result.grid[name])
    return sorted(values) if all(isinstance(value, (int, float)) for value in values) else values


def loss_name(result: SweepResult) -> str:
    """What the losses are, for an axis."""
    return loss_words(result.cells[0].trained)


def compared_name(result: SweepResult) -> str:
    """What settings are compared by, for an axis."""
    if result.compared_by == "share":
        return "share of the best constant answer's loss"
    if result.metric is None:
        return loss_name(result)
    return words_of(result.metric).replace("held out", "held-out")


def unit_of(result: SweepResult) -> str:
    """What an iteration of the networks is: an epoch where all are trained on batches."""
    batches = [cell.trained.batch_size is not None for cell in result.cells]
    return "epoch" if all(batches) else "iteration or epoch" if any(batches) else "iteration"


def summary_of(result: SweepResult) -> str:
    """How many networks, and how many ended how."""
    statuses = [cell.status for cell in result.cells]
    counts = [f"{statuses.count(name)} {name}" for name in SYMBOLS if name in statuses]
    unit = unit_of(result).replace(" or ", "s or ") + "s"
    return f"{len(statuses)} networks, {result.iterations:,} {unit} each: {', '.join(counts)}"


def varied(result: SweepResult) -> list[str]:
    """The settings that have more than one value; all where none has."""
    names = list(result.grid)
    return [name for name in names if len({key_of(cell, [name]) for cell in result.cells}) > 1] or names


def spread_over(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of the values, evenly over all of them, the first and last included."""
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in places]
