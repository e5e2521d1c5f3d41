"""Scores of predictions, and ``scoring`` as scikit-learn's scorers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, get_scorer

from glassnet.errors import InputError, InputTypeError

Weights = NDArray[Any] | None


def accuracy(y: NDArray[Any], found: NDArray[Any], w: Weights) -> float:
    """The share of the samples whose every number is right, by their weights.

    >>> import numpy as np
    >>> from glassnet.sklearn.scoring import accuracy
    >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), None)
    0.75
    """
    right = y == found
    if right.ndim == 2:
        right = right.all(axis=1)
    return float(np.average(right, weights=w))


def label_score(y: Any, found: Any, w: Any, several: bool) -> float:
    """scikit-learn's `accuracy_score`, without its checks of plain arrays; of `several` columns, all right.

    >>> import numpy as np
    >>> from glassnet.sklearn.scoring import label_score
    >>> label_score(np.array(["a", "b"]), np.array(["a", "a"]), None, False)
    0.5
    """
    plain = w is None and type(y) is np.ndarray and y.ndim == 1 and y.shape == found.shape
    if plain and any({y.dtype.kind, found.dtype.kind} <= kinds for kinds in (set("iub"), set("U"))):
        return float(np.mean(y == found))
    return (
        accuracy(np.asarray(y), found, w) if several else float(accuracy_score(y, found, sample_weight=w))
    )


def r2(y: NDArray[Any], found: NDArray[Any], w: Weights) -> float:
    """1 - sum w (y - y_hat)^2 / sum w (y - y_mean)^2, averaged over the outputs; NaN where not finite.

    An output that does not vary counts 1 where it is predicted without an error, else 0.

    >>> import numpy as np
    >>> from glassnet.sklearn.scoring import r2
    >>> r2(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [1.0]]), None)
    0.5
    """
    if not np.isfinite(found).all():
        return float("nan")
    weight: Any = 1.0 if w is None else w[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        left = (weight * (y - found) ** 2).sum(axis=0, dtype=np.float64)
        spread = (weight * (y - np.average(y, axis=0, weights=w)) ** 2).sum(axis=0, dtype=np.float64)
        scores = np.ones(left.shape)
        varies = spread != 0
        scores[varies] = 1 - left[varies] / spread[varies]
    scores[(left != 0) & ~varies] = 0.0
    return float(np.average(scores))


def make_scorers(scoring: Any) -> dict[str, Callable[..., float]]:
    """Scorers (estimator, X, y) -> float by name, from a name, a scorer, a list or a mapping of them.

    Raises InputError where two have the same name, or that of the loss; InputTypeError for no function.

    >>> from glassnet.sklearn.scoring import make_scorers
    >>> list(make_scorers(["f1_macro", "accuracy"]))
    ['f1_macro', 'accuracy']
    """
    if scoring is None:
        return {}
    if isinstance(scoring, Mapping):
        named = [(str(name), one) for name, one in scoring.items()]
    else:
        several = list(scoring) if isinstance(scoring, (list, tuple, set)) else [scoring]
        named = [(_name(one), one) for one in several]
    names = [name for name, _ in named]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            why = "is the name of the loss" if name == "loss" else "is the name of two of them"
            raise InputError(
                f"scoring: {name!r} {why} in history_. Name the scorers yourself, as in "
                f"scoring={{'macro': one, 'share': other}}."
            )
    return {name: _scorer(one) for name, one in named}


def _name(one: Any) -> str:
    """A scorer's name, or that of the function that it was made of."""
    if isinstance(one, str):
        return one
    return str(getattr(getattr(one, "_score_func", one), "__name__", "score"))


def _scorer(one: Any) -> Callable[..., float]:
    if isinstance(one, str):
        return get_scorer(one)
    if not callable(one):
        raise InputTypeError(f"scoring holds names or functions (estimator, X, y) -> float, not {one!r}.")
    return one
