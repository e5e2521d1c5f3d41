"""A table of the benchmark as people have it: named columns of numbers and texts, and a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Column = NDArray[Any]
"""Numbers with NaN, or texts with None, where a value is missing."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, the target's name, and what is to be learned."""

    columns: Mapping[str, Column]
    target: str
    classifies: bool

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.columns[self.target])

    @property
    def y(self) -> Column:
        """The target's values."""
        return self.columns[self.target]

    @property
    def features(self) -> dict[str, Column]:
        """All columns but the target."""
        return {name: values for name, values in self.columns.items() if name != self.target}

    def taken(self, rows: NDArray[np.intp]) -> dict[str, Column]:
        """The columns of some rows, target included."""
        return {name: values[rows] for name, values in self.columns.items()}

    def frame(self) -> pd.DataFrame:
        """The features as a frame."""
        import pandas as pd

        return pd.DataFrame(self.features)


def text(values: object) -> Column:
    """Texts as an array of objects, so that None may be among them."""
    return np.array(values, dtype=object)


def choose(random: RandomState, values: Sequence[str], shares: Sequence[float], n: int) -> Column:
    """n texts drawn by their shares."""
    weights = np.array(shares) / np.sum(shares)
    return text(random.choice(values, size=n, p=weights))


def blank(random: RandomState, values: Column, chance: float | NDArray[np.float64]) -> Column:
    """The values, each missing by chance."""
    holes = values.copy() if values.dtype == object else values.astype(np.float64)
    holes[random.uniform(size=len(values)) < chance] = None if values.dtype == object else np.nan
    return holes


def happens(random: RandomState, logit: NDArray[np.float64], yes: str = "yes", no: str = "no") -> Column:
    """Yes or no, by the probability that a logit stands for."""
    return text(np.where(random.uniform(size=len(logit)) < 1 / (1 + np.exp(-logit)), yes, no))


def effect(values: Column, sizes: Mapping[str, float]) -> NDArray[np.float64]:
    """The size that each text stands for; 0 for those not named."""
    return np.array([sizes.get(value, 0.0) for value in values])
