"""Rows held back for a score, drawn with each class in proportion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import as_random_state


def listed(names: Iterable[Any]) -> str:
    """Names between commas, ten at most."""
    texts = [repr(name) for name in names]
    more = f" and {len(texts) - 10} more" if len(texts) > 10 else ""
    return ", ".join(texts[:10]) + more


class Split(NamedTuple):
    """Row numbers to train on and to test on, and a sentence where a class forced a compromise."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    note: str = ""


def split(
    y: ArrayLike,
    test_fraction: float = 0.25,
    random_state: int | RandomState | None = 0,
    stratify: bool = True,
) -> Split:
    """Draw the rows to hold back: ``test_fraction`` of them, with each class in the same proportion.

    The draw is scikit-learn's `train_test_split` on the row numbers: the same rows for the same
    random_state. Where that would stop with an error, this goes on: the row of a class that has no
    other is trained on, and where either part is too small to hold every class, proportions are left
    to chance. ``note`` says so, and names the classes that a part lacks. ``stratify=False`` is for
    targets that are quantities.

    Raises InputError for a fraction outside [0, 1) and where no row would be left to train on.

    >>> from glassnet.data.preprocessing import split
    >>> train, test, _ = split([0, 0, 0, 0, 1, 1, 1, 1], 0.25)
    >>> len(train), sorted([0, 0, 0, 0, 1, 1, 1, 1][row] for row in test)
    (6, [0, 1])
    """
    if isinstance(test_fraction, bool) or not isinstance(test_fraction, (int, float, np.number)):
        raise InputTypeError(f"test_fraction is a number, not {test_fraction!r}.")
    if not 0 <= test_fraction < 1:
        raise InputError(f"test_fraction is {test_fraction}; expected from 0 to below 1, such as 0.25.")
    values = np.asarray(y)
    rows, nothing = np.arange(len(values)), np.empty(0, np.intp)
    random = as_random_state(random_state)
    if test_fraction == 0:
        return Split(rows, nothing)
    n_test = int(np.ceil(test_fraction * len(rows)))
    if n_test >= len(rows):
        raise InputError(
            f"test_fraction={test_fraction} of {len(rows)} row(s) leaves none to train on. Use more rows, "
            f"or test_fraction=0."
        )
    from sklearn.model_selection import train_test_split

    alone, strata = np.zeros(len(rows), bool), None
    if stratify:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        lone = counts[inverse] == 1
        n_classes, n_train = int((counts > 1).sum()), len(rows) - int(lone.sum()) - n_test
        if 0 < n_classes <= min(n_test, n_train):
            alone, strata = lone, values[~lone]
    train, test = train_test_split(rows[~alone], test_size=n_test, random_state=random, stratify=strata)
    train = np.concatenate([train, rows[alone]])
    return Split(train, test, _compromise(values, train, test, strata is not None) if stratify else "")


def _compromise(
    values: NDArray[Any], train: NDArray[np.intp], test: NDArray[np.intp], in_proportion: bool
) -> str:
    """Which classes a part lacks, and whether proportions were left to chance, in words for the user."""
    classes = np.unique(values)
    parts = [] if in_proportion else ["too few rows to hold out every class in proportion"]
    for rows, part in ((train, "training"), (test, "test")):
        missing = np.setdiff1d(classes, values[rows])
        if missing.size:
            parts.append(f"no {part} row of the class(es) {listed(missing.tolist())}")
    return f"The split has {', and '.join(parts)}." if parts else ""
