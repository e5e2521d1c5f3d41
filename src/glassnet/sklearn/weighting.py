"""What ``class_weight`` makes of each sample's weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight

from glassnet.errors import InputError
from glassnet.sklearn.labels import MULTILABEL, MULTIOUTPUT, Labels, numbers_of


def weigh(
    class_weight: Any, labels: Labels, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
) -> NDArray[Any] | None:
    """The samples' weights times those of their classes; of several columns, those of each.

    Raises as `weights_of_classes`.
    """
    if class_weight is None:
        return weights
    columns = labels.columns(y)
    each = weights_of_classes(class_weight, labels, columns, [weights] * len(columns), incremental)
    return weighted(labels, each, y, weights)


def weighted(
    labels: Labels, each: Sequence[NDArray[np.float64]], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[Any]:
    """The samples' weights times those `each` has of the classes of a column."""
    made = np.ones(len(y)) if weights is None else weights
    for found, known, column in zip(each, labels.known, labels.columns(y), strict=True):
        made = made * found[numbers_of(known, column)]
    return made


def weights_of_classes(
    class_weight: Any,
    labels: Labels,
    columns: Sequence[NDArray[Any]],
    weights: Sequence[NDArray[Any] | None],
    incremental: bool,
) -> tuple[NDArray[np.float64], ...]:
    """The weight of each class of each column, whose samples have weights of their own.

    "balanced" is ``n / (C count)`` of each class in y, as scikit-learn has it, samples counted by their
    weights. Else a mapping of weights, of several columns a list of them.

    Raises ValueError for a class that does not exist, as scikit-learn does; InputError for a weight below
    0, another number of mappings, and for "balanced" where y is only a part of the data.
    """
    balanced = isinstance(class_weight, str)
    if balanced and incremental:
        raise InputError(
            "class_weight='balanced' is not supported for partial_fit, which sees a part of the classes at "
            "a time. Give the weights, as in class_weight={'rare': 10, 'common': 1}; "
            "sklearn.utils.compute_class_weight finds them from all of y."
        )
    alone = labels.kind not in (MULTILABEL, MULTIOUTPUT)
    told = [class_weight] * len(columns) if balanced or alone else class_weight
    if not isinstance(told, (list, tuple)) or len(told) != len(columns):
        raise InputError(
            f"class_weight is {class_weight!r}; y has {len(columns)} columns, for which it is 'balanced' "
            f"or a list of {len(columns)} mappings, as in [{{0: 1, 1: 5}}, ...]."
        )
    return tuple(map(_of_column, told, labels.known, columns, weights))


def _of_column(
    class_weight: Any, known: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        there = slice(None) if weights is None else weights != 0  # a sample of weight 0 is none
        counted = None if weights is None else weights[there]
        present = np.unique(y[there])
        found = np.ones(len(known))
        found[np.searchsorted(known, present)] = compute_class_weight(
            class_weight, classes=present, y=y[there], sample_weight=counted
        )
        return found
    for label, weight in class_weight.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise InputError(f"class_weight has {weight!r} for {label!r}; expected a number from 0 up.")
    return compute_class_weight(class_weight, classes=known, y=y)
