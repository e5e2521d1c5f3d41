"""The rows that a network answers worst."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.utils.words import readable

MOST = 10


@dataclass(frozen=True)
class Mistake:
    """A row that was answered wrong: where it lies, the actual class or value, the answer, and how far off.

    `size` is the error of a value, actual - predicted, or the probability that the network gave to the
    actual class.
    """

    where: str
    actual: str
    predicted: str
    size: float


def worst_mistakes(
    y: NDArray[Any],
    answers: Array,
    where: Callable[[int], str],
    classes: tuple[str, ...] | None = None,
    most: int = MOST,
) -> list[Mistake]:
    """The rows with the largest errors, or those whose actual class the network thought least probable.

    Of classes only rows that are answered wrong. `where` says where row i of y lies.
    """
    if classes is None:
        errors = y - answers
        order = np.argsort(-np.abs(errors), kind="stable")[:most]
        rows = [row for row in order.tolist() if errors[row] != 0]
        return [
            Mistake(
                where(row), readable(float(y[row]), 6), readable(float(answers[row]), 6), float(errors[row])
            )
            for row in rows
        ]
    predicted, own = answers.argmax(axis=1), answers[np.arange(len(y)), y]
    order = np.argsort(own, kind="stable")
    rows = order[predicted[order] != y[order]][:most].tolist()
    return [Mistake(where(row), classes[y[row]], classes[predicted[row]], float(own[row])) for row in rows]
