"""What a fit keeps of its epochs, and when it has gone on for long enough."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassnet._types import Array


@dataclass
class Record:
    """Losses and scores of a fit's epochs; a warm start and `partial_fit` go on with it.

    `failures` counts the epochs in a row that have not improved by the tolerance: the score where
    `early`, else the loss. `best_flat` are the parameters to bring back, where some are kept: those of
    the best score where `early`, else of the lowest loss that is `watched`. Every list of `history` has a
    value for each epoch, NaN where it was not measured.
    """

    early: bool
    keep_best: bool = False
    loss_curve: list[float] = field(default_factory=list)
    best_loss: float | None = np.inf
    scores: list[float] | None = None
    best_score: float | None = None
    failures: int = 0
    seen: int = 0
    epochs: int = 0
    loss: float = np.nan
    history: dict[str, list[float]] = field(default_factory=dict)
    best_flat: Array | None = None
    best_watched: float = np.inf
    watched: str = "loss"
    by_scorer: bool = False

    def __post_init__(self) -> None:
        if self.early:
            if self.scores is None:
                self.scores, self.best_score, self.best_loss = [], -np.inf, None
        elif self.best_loss is None:
            self.best_loss = np.inf

    def add(self, loss: float, tol: float, flat: Array, seen: dict[str, float]) -> None:
        """After an epoch: its loss, the parameters, and what was evaluated ("score" where early)."""
        self.epochs += 1
        self.loss = loss
        self.loss_curve.append(loss)
        self._write_down({"loss": loss, **seen})
        if self.early:
            score = seen["score"]
            assert self.scores is not None
            assert self.best_score is not None
            self.scores.append(score)
            self.failures = self.failures + 1 if score < self.best_score + tol else 0
            if score > self.best_score:
                self.best_score, self.best_flat = score, flat.copy()
            return
        assert self.best_loss is not None
        self.failures = self.failures + 1 if loss > self.best_loss - tol else 0
        if loss < self.best_loss:
            self.best_loss = loss
        if self.keep_best:
            self._keep(loss, flat, seen)

    def chosen(self) -> Array | None:
        """The parameters to go back to; None stays where training ended.

        Warns where a scorer has given early stopping nothing to go by.
        """
        if self.early and self.by_scorer and self.best_score == -np.inf:
            warnings.warn(
                "scoring gave no number in any epoch (one class alone has no ROC AUC, for instance): early "
                "stopping had nothing to go by, and the last parameters are kept.",
                UserWarning,
                stacklevel=2,
            )
            return None
        if self.best_flat is None or not (self.early or self.keep_best):
            return None
        return self.best_flat.copy()

    def kept(self) -> dict[str, Any]:
        """What an estimator keeps of it for itself, beside its public attributes."""
        return {
            "_best_flat": self.best_flat,
            "_best_watched": self.best_watched,
            "_watched": self.watched,
        }

    def _write_down(self, measured: dict[str, float]) -> None:
        done = len(next(iter(self.history.values()), ()))
        for name in {**self.history, **measured}:
            values = self.history.setdefault(name, [np.nan] * done)
            values.append(measured.get(name, np.nan))

    def _keep(self, loss: float, flat: Array, seen: dict[str, float]) -> None:
        # Losses of the training data say nothing about one of validation data, in another call.
        held = "validation_loss" in seen
        if held and self.watched == "loss":
            self.watched, self.best_watched = "validation_loss", np.inf
        elif not held and self.watched != "loss":
            return
        value = seen.get("validation_loss", loss)
        if value < self.best_watched:
            self.best_watched, self.best_flat = value, flat.copy()


def continued(estimator: Any, early: bool, keep_best: bool) -> Record:
    """The record of an estimator that was fitted before, to go on with."""
    found = vars(estimator)
    scores = found.get("validation_scores_")
    history = {name: list(values) for name, values in found.get("history_", {}).items()}
    return Record(
        early,
        keep_best,
        loss_curve=list(found.get("loss_curve_", ())),
        best_loss=found.get("best_loss_", np.inf),
        scores=None if scores is None else list(scores),
        best_score=found.get("best_validation_score_"),
        failures=found.get("_no_improvement_count", 0),
        seen=found.get("t_", 0),
        history=history,
        best_flat=found.get("_best_flat"),
        best_watched=found.get("_best_watched", np.inf),
        watched=found.get("_watched", "loss"),
    )
