"""``scoring``, whatever its form, as scikit-learn's scorers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.metrics import get_scorer

from glassnet.errors import InputError, InputTypeError


def make_scorers(scoring: Any) -> dict[str, Callable[..., float]]:
    """Scorers (estimator, X, y) -> float by name, from a name, a scorer, a list or a mapping of them.

    Raises InputError where two have the same name, or that of the loss; InputTypeError for no function.

    >>> from glassnet.sklearn.scorers import make_scorers
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
