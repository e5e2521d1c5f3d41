"""Floor 7: what ``class_weight`` makes of each sample's weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight

from glassnet.errors import InputError
from glassnet.estimators.labels import MULTILABEL, MULTIOUTPUT, Labels


def weigh(
    class_weight: Any, labels: Labels, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
) -> NDArray[Any] | None:
    """The samples' weights times those of their classes; of several columns, those of each.

    "balanced" is ``n / (C count)`` of each class in y, as scikit-learn has it, samples counted by their
    weights. Else a mapping of weights, of several columns a list of them.

    Raises ValueError for a class that does not exist, as scikit-learn does; InputError for a weight below
    0, another number of mappings, and for "balanced" where y is only a part of the data.
    """
    if class_weight is None:
        return weights
    balanced = isinstance(class_weight, str)
    if balanced and incremental:
        raise InputError(
            "class_weight='balanced' is not supported for partial_fit, which sees a part of the classes at "
            "a time. Give the weights, as in class_weight={'rare': 10, 'common': 1}; "
            "sklearn.utils.compute_class_weight finds them from all of y."
        )
    columns = list(y.T) if labels.kind in (MULTILABEL, MULTIOUTPUT) else [y]
    told = [class_weight] * len(columns) if balanced or y.ndim == 1 else class_weight
    if not isinstance(told, (list, tuple)) or len(told) != len(columns):
        raise InputError(
            f"class_weight is {class_weight!r}; y has {len(columns)} columns, for which it is 'balanced' "
            f"or a list of {len(columns)} mappings, as in [{{0: 1, 1: 5}}, ...]."
        )
    made = np.ones(len(y)) if weights is None else weights
    for k, (each, column) in enumerate(zip(told, columns, strict=True)):
        known = labels.classes[k] if labels.kind == MULTIOUTPUT else labels.classes
        known = np.arange(2) if labels.kind == MULTILABEL else known
        made = made * _of_column(each, known, column, weights)
    return made


def _of_column(
    class_weight: Any, known: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[Any]:
    if isinstance(class_weight, str):
        there = slice(None) if weights is None else weights != 0  # a sample of weight 0 is none
        counted = None if weights is None else weights[there]
        present = np.unique(y[there])
        found = np.ones(len(known))
        found[np.searchsorted(known, present)] = compute_class_weight(
            class_weight, classes=present, y=y[there], sample_weight=counted
        )
    else:
        for label, weight in class_weight.items():
            if not (np.isfinite(weight) and weight >= 0):
                raise InputError(f"class_weight has {weight!r} for {label!r}; expected a number from 0 up.")
        found = compute_class_weight(class_weight, classes=known, y=y)
    return found[np.searchsorted(known, y)]
