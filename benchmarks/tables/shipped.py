"""The tables that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.tables.table import Table, text

TARGETS = {
    "iris": "species",
    "wine": "grower",
    "breast_cancer": "tumor",
    "digits": "digit",
    "diabetes": "progression",  # within a year
    "linnerud": "waist",  # by three exercises, of 20 men
}
"""What is learned of each."""


def load(name: str) -> Table:
    """A table by scikit-learn's name: classes by their labels, and of several quantities the second."""
    from sklearn import datasets

    data: Any = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    columns = {
        column.replace(" ", "_"): values.astype(np.float64)
        for column, values in zip(data.feature_names, data.data.T, strict=True)
    }
    target, labels = data.target, data.get("target_names")
    classifies = target.dtype.kind == "i"
    if classifies:
        target = text([str(labels[k]) for k in target])
    elif target.ndim == 2:
        target = target[:, 1]
    return Table({**columns, TARGETS[name]: target}, TARGETS[name], classifies)


SHIPPED: dict[str, Callable[[], Table]] = {name: partial(load, name) for name in TARGETS}
"""Each table's maker by its name."""
