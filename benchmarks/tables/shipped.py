"""The tables that scikit-learn ships."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.tables.table import Column, Table, text


def _table(X: Column, y: Column, names: list[str], target: str, labels: Any = None) -> Table:
    columns = {name.replace(" ", "_"): X[:, i].astype(np.float64) for i, name in enumerate(names)}
    values = y.astype(np.float64) if labels is None else text([str(labels[k]) for k in y])
    return Table({**columns, target: values}, target, labels is not None)


def iris() -> Table:
    """150 flowers of three species; Fisher (1936)."""
    from sklearn.datasets import load_iris

    data = load_iris()
    return _table(data.data, data.target, list(data.feature_names), "species", data.target_names)


def wine() -> Table:
    """178 wines of three growers by 13 measurements."""
    from sklearn.datasets import load_wine

    data = load_wine()
    return _table(data.data, data.target, list(data.feature_names), "grower", data.target_names)


def breast_cancer() -> Table:
    """569 tumors by 30 measurements of their cells' nuclei."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return _table(data.data, data.target, list(data.feature_names), "tumor", data.target_names)


def digits() -> Table:
    """1,797 digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return _table(data.data, data.target, list(data.feature_names), "digit", data.target_names)


def diabetes() -> Table:
    """442 patients: how far the disease went within a year."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    return _table(data.data, data.target, list(data.feature_names), "progression")


def linnerud() -> Table:
    """20 men: the waist by three exercises. The smallest table there is."""
    from sklearn.datasets import load_linnerud

    data = load_linnerud()
    return _table(data.data, data.target[:, 1], list(data.feature_names), "waist")
