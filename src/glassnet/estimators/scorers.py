"""Floor 7: ``scoring``, whatever its form, as scikit-learn's scorers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.metrics import get_scorer

from glassnet.errors import InputTypeError


def make_scorers(scoring: Any) -> dict[str, Callable[..., float]]:
    """Scorers (estimator, X, y) -> float by name, from a name, a scorer, a list or a mapping of them.

    >>> from glassnet.estimators.scorers import make_scorers
    >>> list(make_scorers(["f1_macro", "accuracy"]))
    ['f1_macro', 'accuracy']
    """
    if scoring is None:
        return {}
    if isinstance(scoring, Mapping):
        return {str(name): _scorer(one) for name, one in scoring.items()}
    several = list(scoring) if isinstance(scoring, (list, tuple, set)) else [scoring]
    return {_name(one): _scorer(one) for one in several}


def _name(one: Any) -> str:
    return one if isinstance(one, str) else str(getattr(one, "__name__", "score"))


def _scorer(one: Any) -> Callable[..., float]:
    if isinstance(one, str):
        return get_scorer(one)
    if not callable(one):
        raise InputTypeError(f"scoring holds names or functions (estimator, X, y) -> float, not {one!r}.")
    return one
