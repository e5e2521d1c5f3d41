"""Samples to evaluate after each epoch: a part that is split off, or the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array


class Samples(NamedTuple):
    """Data as the engine takes them: X, maybe sparse, class numbers or rows, and weights or None."""

    X: Array
    target: NDArray[Any]
    weights: Array | None

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return int(self.X.shape[0])

    def take(self, rows: NDArray[np.intp]) -> Samples:
        """Some of them."""
        weights = None if self.weights is None else self.weights[rows]
        return Samples(self.X[rows], self.target[rows], weights)


Scorers = Mapping[str, Callable[..., float]]


class HeldOut:
    """What is evaluated after an epoch.

    `score` and `loss` are those of flat parameters. `scorers` take an estimator that stands at the
    parameters, which `at` makes, and the samples as they came.
    """

    def __init__(
        self,
        *,
        score: Callable[[Array], float],
        loss: Callable[[Array], float],
        scorers: Scorers | None = None,
        at: Callable[[Array], Any] | None = None,
        given: tuple[Any, Any] | None = None,
    ) -> None:
        self._score, self._loss = score, loss
        self._scorers, self._at, self._given = dict(scorers or {}), at, given

    def look(self, flat: Array, scored: bool) -> dict[str, float]:
        """The values at these parameters; "score", where wanted, is the first scorer's or the own one."""
        finite = bool(np.isfinite(flat).all())
        seen = {"validation_loss": self._loss(flat) if finite else float("nan")}
        if self._scorers:
            assert self._at is not None
            assert self._given is not None
            model = self._at(flat)
            for name, scorer in self._scorers.items():
                seen[f"validation_{name}"] = float(scorer(model, *self._given))
            if scored:
                seen["score"] = next(v for k, v in seen.items() if k != "validation_loss")
        elif scored:
            seen["score"] = self._score(flat)
        return seen
