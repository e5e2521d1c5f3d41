"""Trained networks as members of an ensemble, which predict as fitted estimators do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.predict import warn_of_raw_rows
from glassnet.errors import InputError, InputTypeError
from glassnet.model_selection import SweepResult
from glassnet.nn.network import Network, Parameters
from glassnet.training.run import TrainingRun
from glassnet.utils.settings_checks import as_count


@dataclass(frozen=True, eq=False)
class Member:
    """A network, its parameters, and the classes that its outputs stand for (None for values)."""

    network: Network
    theta: Parameters
    classes_: NDArray[Any] | None

    @property
    def n_features_in_(self) -> int:
        """The network's inputs."""
        return self.network.sizes[0]

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts classes or labels."""
        return self.network.loss.target in ("class", "label")

    @property
    def is_multilabel(self) -> bool:
        """Whether it predicts several labels, each 0 or 1."""
        return self.network.loss.target == "label" and self.network.sizes[-1] > 1

    def predict(self, X: object) -> NDArray[Any]:
        """Values (n,), or (n, outputs) where there are several."""
        Y_hat = self.network.predict(self.theta, X)
        return Y_hat.ravel() if Y_hat.ndim == 2 and Y_hat.shape[1] == 1 else Y_hat

    def predict_proba(self, X: object) -> Array:
        """The probability of each class or label, (n, classes)."""
        P = self.network.predict_proba(self.theta, X)
        return np.hstack([1 - P, P]) if P.shape[1] == 1 else P


def members_of_runs(runs: Iterable[TrainingRun], classes: Sequence[Any] | None) -> list[Member]:
    """The runs' networks with the parameters that they predict with, found to go together."""
    if isinstance(runs, TrainingRun) or not isinstance(runs, Iterable):
        raise InputTypeError(f"runs is a list of training runs, not {type(runs).__name__}.")
    given = list(runs)
    if not given:
        raise InputError("runs is empty; expected at least one training run.")
    for i, run in enumerate(given):
        if not isinstance(run, TrainingRun):
            raise InputTypeError(f"runs[{i}] is a {type(run).__name__}; expected what gn.train returns.")
        if run.status == "diverged":
            raise InputError(
                f"runs[{i}] diverged at iteration {run.diverged_at}; its predictions would spoil the mean. "
                f"Leave it out: [run for run in runs if run.status != 'diverged']."
            )
        if not _agree(run.network, given[0].network):
            raise InputError(
                f"runs[{i}] is of the network {run.network}, runs[0] of {given[0].network}; expected "
                f"the same inputs, outputs and kind of output, whatever lies between."
            )
    labels = _classes(given[0].network, classes)
    warn_of_raw_rows(given[0].extra)  # the means and scales of its table stay with the run
    return [Member(run.network, run.theta, labels) for run in given]


def best_runs(result: SweepResult, n_best: int, fold: int | None) -> list[TrainingRun]:
    """The runs of a sweep's best settings, on one fold where there are folds."""
    if not isinstance(result, SweepResult):
        raise InputTypeError(f"result is what gn.sweep returned, not {type(result).__name__}.")
    count, rows = as_count(n_best, "n_best"), result.summary
    if not 1 <= count <= len(rows):
        raise InputError(f"n_best is {count}; the sweep has {len(rows)} settings to choose from.")
    whole = [row["setting"] for row in rows if not row["dropped"]]
    if count > len(whole):
        raise InputError(
            f"n_best is {count}, and halving trained {len(whole)} settings to the end; the others are "
            f"hardly trained. Lower n_best, or halving's factor."
        )
    folds = sorted({cell.fold for cell in result.cells if cell.fold is not None})
    if (fold is None) != (not folds):
        has = f"folds 0 to {folds[-1]}; fold=-1 takes the last one's networks" if folds else "no folds"
        raise InputError(f"fold is {fold}, and the sweep has {has}.")
    if fold is not None:
        if isinstance(fold, bool) or not isinstance(fold, (int, np.integer)):
            raise InputTypeError(f"fold is a whole number, not {fold!r}.")
        if not -len(folds) <= fold < len(folds):
            raise InputError(f"fold is {fold}; the sweep has folds 0 to {folds[-1]}.")
        fold = folds[fold]
    # Of this fold: a setting may have blown up on another one.
    blown = {cell.setting for cell in result.cells if cell.fold == fold and cell.status == "diverged"}
    if not blown.isdisjoint(whole[:count]):
        raise InputError(
            f"n_best is {count}, and of {len(blown.intersection(whole))} of {len(whole)} settings a "
            f"network diverged, whose predictions would spoil the mean. Lower n_best, or sweep over "
            f"smaller learning rates."
        )
    return [
        cell.run
        for setting in whole[:count]
        for cell in result.cells
        if (cell.setting, cell.fold) == (setting, fold)
    ]


def _agree(one: Network, other: Network) -> bool:
    def face(network: Network) -> tuple[Any, ...]:
        return network.sizes[0], network.sizes[-1], network.output.name, network.loss.target

    return face(one) == face(other)


def _classes(network: Network, classes: Sequence[Any] | None) -> NDArray[Any] | None:
    if network.loss.target not in ("class", "label"):
        if classes is not None:
            raise InputError(f"classes are for networks of classes; these predict {network.output.name}.")
        return None
    outputs = network.sizes[-1]
    expected = 2 if network.loss.target == "label" and outputs == 1 else outputs
    labels = np.arange(expected) if classes is None else np.asarray(classes)
    if labels.shape != (expected,):
        raise InputError(
            f"classes has shape {labels.shape}; expected ({expected},), one for each output of the "
            f"networks, in the order of the class numbers that they were trained on."
        )
    return labels
