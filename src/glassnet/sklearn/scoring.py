"""Scores of predictions, and ``scoring`` as scikit-learn's scorers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, get_scorer

from glassnet.engine.metrics import accuracy
from glassnet.errors import InputError, InputTypeError

Weights = NDArray[Any] | None


def label_score(y: Any, y_hat: Any, weights: Any, several: bool) -> float:
    """scikit-learn's `accuracy_score`, without its checks of plain arrays; of `several` columns, all right.

    >>> import numpy as np
    >>> from glassnet.sklearn.scoring import label_score
    >>> label_score(np.array(["a", "b"]), np.array(["a", "a"]), None, False)
    0.5
    """
    plain = weights is None and type(y) is np.ndarray and y.ndim == 1 and y.shape == y_hat.shape
    alike = plain and any({y.dtype.kind, y_hat.dtype.kind} <= kinds for kinds in (set("iub"), set("U")))
    if alike or several:
        return accuracy(np.asarray(y), y_hat, weights)
    return float(accuracy_score(y, y_hat, sample_weight=weights))


def r2(y: NDArray[Any], y_hat: NDArray[Any], weights: Weights) -> float:
    """1 - sum w (y - y_hat)^2 / sum w (y - y_mean)^2, averaged over the outputs; NaN where not finite.

    An output that does not vary counts 1 where its predictions have no error, else 0: `r2_score` unchecked.

    >>> import numpy as np
    >>> from glassnet.sklearn.scoring import r2
    >>> r2(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [1.0]]), None)
    0.5
    """
    if not np.isfinite(y_hat).all():
        return float("nan")
    weight: Any = 1.0 if weights is None else weights[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        residual = (weight * (y - y_hat) ** 2).sum(axis=0, dtype=np.float64)
        spread = (weight * (y - np.average(y, axis=0, weights=weights)) ** 2).sum(axis=0, dtype=np.float64)
        scores = np.ones(residual.shape)
        varies = spread != 0
        scores[varies] = 1 - residual[varies] / spread[varies]
    scores[(residual != 0) & ~varies] = 0.0
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
        named = [(str(name), scorer) for name, scorer in scoring.items()]
    else:
        several = list(scoring) if isinstance(scoring, (list, tuple, set)) else [scoring]
        named = [(_name(scorer), scorer) for scorer in several]
    names = [name for name, _ in named]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            why = "is the name of the loss" if name == "loss" else "is the name of two of them"
            raise InputError(
                f"scoring: {name!r} {why} in history_. Name the scorers yourself, as in "
                f"scoring={{'macro': one, 'share': other}}."
            )
    return {name: _as_scorer(scorer) for name, scorer in named}


def _name(scorer: Any) -> str:
    """A scorer's name, or the name of the function it was made from."""
    if isinstance(scorer, str):
        return scorer
    return str(getattr(getattr(scorer, "_score_func", scorer), "__name__", "score"))


def _as_scorer(scorer: Any) -> Callable[..., float]:
    if isinstance(scorer, str):
        return get_scorer(scorer)
    if not callable(scorer):
        raise InputTypeError(
            f"scoring holds names or functions (estimator, X, y) -> float, not {scorer!r}."
        )
    return scorer
