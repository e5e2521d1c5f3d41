"""How much each class counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.array_checks import as_numbers, as_vector

BALANCED = "balanced"


def as_class_weights(class_weight: object, y: NDArray[np.intp], n_classes: int) -> Array:
    """The weight of each class, (n_classes,), which multiplies the sample weights.

    "balanced" is ``n / (C count)`` for a class with `count` of the n samples, C being the classes that
    occur in y, as in scikit-learn: every class then counts as much as any other. Else a mapping from
    class numbers, or a sequence, of weights from 0 up.

    Raises InputError for a class of y without a weight, where scikit-learn takes 1, and for a number
    that is no class.

    >>> import numpy as np
    >>> from glassnet.data.class_weights import as_class_weights
    >>> as_class_weights("balanced", np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    return weights_of_counts(class_weight, np.bincount(y, minlength=n_classes))


def weights_of_counts(class_weight: object, counts: NDArray[np.integer]) -> Array:
    """The same by how many samples each class has."""
    n_classes = len(counts)
    if isinstance(class_weight, str):
        if class_weight != BALANCED:
            raise InputError(
                f"class_weight is {class_weight!r}; expected {BALANCED!r}, or a weight for each class such "
                f"as {{0: 1.0, 1: 5.0}}."
            )
        present = counts > 0
        return np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 1.0)
    if isinstance(class_weight, Mapping):
        weights = np.full(n_classes, np.nan)
        for number, weight in class_weight.items():
            whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
            if not whole or not 0 <= number < n_classes:
                raise InputError(
                    f"class_weight has a weight for {number!r}; expected class numbers from 0 to "
                    f"{n_classes - 1}."
                )
            weights[number] = as_vector([weight], f"class_weight[{number}]", 1)[0]
        missing = np.flatnonzero(np.isnan(weights) & (counts > 0))
        if missing.size:
            raise InputError(
                f"class_weight has no weight for class {missing[0]}, which {counts[missing[0]]} sample(s) "
                f"are of; give every class one."
            )
        weights[np.isnan(weights)] = 1.0
    else:
        if not isinstance(class_weight, (list, tuple, np.ndarray)):
            raise InputTypeError(
                f"class_weight is {BALANCED!r}, a mapping from class numbers to weights or a list of "
                f"weights, not {class_weight!r}."
            )
        weights = as_numbers(class_weight, "class_weight").astype(np.float64)
        if weights.shape != (n_classes,):
            raise InputError(
                f"class_weight has shape {weights.shape}; expected ({n_classes},), one for each class."
            )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        raise InputError(
            f"class_weight has {weights[bad[0]]} for class {bad[0]}; expected finite numbers from 0 up."
        )
    return weights
