"""Remedies tried on short branches: the same training with and without one change, side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.checks import excerpt_rows
from glassnet.diagnostics.diagnosis.case import MOST_BYTES, Case, Rows
from glassnet.diagnostics.diagnosis.record import Finding, Remedy, Trial
from glassnet.errors import EngineError, InputError
from glassnet.nn.network import Network
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.hooks import FunctionHook, Hooks
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.settings import FitSettings
from glassnet.training.steppers import BayesianRegularization, Rule, Solver, rule_from_dict
from glassnet.training.train import DEFAULTS, begin

UPDATES, LEAST_UPDATES, STEPS, ROWS = 1_000, 500, 200, 5_000
"""The most updates of a branch and the fewest, the most steps of a solver's, and the most rows that one
learns from."""

GRADIENTS = 5
"""Of an optimizer, the updates that are set beside a solver's step, which takes a few gradients."""

HELD_OUT = 0.25
"""Of the rows, those that a branch does not learn from where rows held out judge it."""

SEED = 20_251
"""Of new starts, one that few users take: another start than the run's."""

FALL, SEEN = 0.8, 0.02
"""A remedy helps where what is left of the loss falls below the first share, and by more than the second of
a constant answer's."""

LOSS, OTHERS_LOSS, BALANCED = "loss", "loss of rows held out", "balanced accuracy"


@dataclass(frozen=True)
class Suspect:
    """What a check found, before remedies are tried.

    `measure` judges the remedies, which are tried in order until one helps. `proof` says what a trial
    decides: nothing of a fact that stands by itself; whether a remedy that does not help "refutes" it; or
    that only one that helps "proves" it. `trial` tries a remedy in a way of its own; `updates` are the most
    of a branch.
    """

    weight: float
    sentence: str
    evidence: Mapping[str, Any]
    remedies: Sequence[Remedy]
    measure: str = LOSS
    proof: Literal["", "refutes", "proves"] = ""
    trial: Callable[[Bench, Remedy], Trial | None] | None = None
    updates: int = UPDATES

    def finding(self, name: str, title: str, remedy: Remedy, trial: Trial | None) -> Finding | None:
        """The finding, if it is one; what helps weighs more, and what does not less."""
        helps = trial is not None and trial.helps
        if not helps and (self.proof == "proves" or (self.proof == "refutes" and trial is not None)):
            return None
        weight = self.weight
        if trial is not None:
            weight = (1 + weight) / 2 if trial.helps else weight / 2
        return Finding(name, title, weight, self.sentence, self.evidence, remedy, trial)


def as_keywords(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a `Remedy` as keywords of `train`; its network, which is none, is left out.

    >>> from glassnet.diagnostics.diagnosis.remedies import as_keywords
    >>> as_keywords({"optimizer": {"name": "lbfgs"}, "l2": 0.0})
    {'optimizer': LBFGS(memory=10), 'l2': 0.0}
    """
    keywords = {name: value for name, value in changes.items() if name != "network"}
    if "optimizer" in keywords:
        keywords["optimizer"] = rule_from_dict(keywords["optimizer"])
    if "stopping" in keywords:
        keywords["stopping"] = EarlyStopping(**keywords["stopping"])
    return keywords


def as_changed(network: Network, changes: Mapping[str, Any]) -> Network:
    """The network of a `Remedy`'s changes."""
    own = changes.get("network", {})
    hidden = own.get("hidden", network.hidden)
    return Network(own.get("sizes", network.sizes), hidden, network.output.name, network.loss)


class OutOfTimeError(Exception):
    """There is no time left for a branch."""


class Bench:
    """Where remedies are tried: branches of a case's run over its rows, for so many seconds in all."""

    def __init__(self, case: Case, seconds: float) -> None:
        self.case, self._end = case, time.monotonic() + seconds
        self._until = self._end
        self._controls: dict[tuple[Any, ...], TrainingRun | None] = {}
        self.interrupted = self.ran_out = self._was_cut = False
        rows = case.training
        self.all = rows.take(excerpt_rows(len(rows.X), rows.X.shape[1], ROWS, MOST_BYTES))

    @property
    def seconds_left(self) -> float:
        """The time there is for the suspect at hand."""
        return 0.0 if self.interrupted else self._until - time.monotonic()

    def tried(self, suspect: Suspect, share: float) -> tuple[Remedy, Trial | None]:
        """The first remedy that helps, or the first; within a share of the time left."""
        first: tuple[Remedy, Trial | None] = suspect.remedies[0], None
        now = time.monotonic()
        self._until = now + share * (self._end - now)
        for remedy in suspect.remedies:
            if not (remedy.changes or suspect.trial):
                continue
            try:
                began = time.monotonic()
                if suspect.trial is not None:
                    trial = suspect.trial(self, remedy)
                else:
                    trial = self.trial(remedy, suspect.measure, suspect.updates)
            except OutOfTimeError:
                self.ran_out = self.ran_out or first[1] is None
                break
            if trial is None:
                continue
            tried = remedy, replace(trial, seconds=time.monotonic() - began)
            if trial.helps:
                return tried
            first = tried if first[1] is None else first
        return first

    def trial(self, remedy: Remedy, measure: str, updates: int = UPDATES) -> Trial:
        """A remedy beside the same branch without it."""
        changes = remedy.changes
        rows, judges = self.rows(measure)
        planned = self.iterations(changes, updates)
        with_it = self.branch(changes, remedy.anew, planned, rows)
        made = planned if with_it is None else max(with_it.iterations, 1)
        cut = self._was_cut and made < planned / 2
        # Another start is compared with going on, early stopping with a branch that does not stop, and
        # scaled columns with others at the same rate.
        anew = remedy.anew and "random_state" not in changes
        own = {"optimizer": changes["optimizer"]} if {"optimizer", "standardize"} <= {*changes} else {}
        beside = made if "stopping" not in changes else planned
        if isinstance(self.rule(changes), Solver) != isinstance(self.rule(own), Solver):
            beside = min(GRADIENTS * made, self.iterations(own, updates))
        key = anew, beside, measure, str(own)
        if key not in self._controls:
            self._controls[key] = self.branch(own, anew, beside, rows, share=0.9)
        control = self._controls[key]
        if control is not None and self._was_cut and control.iterations < beside / 2:
            raise OutOfTimeError
        without, value = (self.measured(run, measure, judges) for run in (control, with_it))
        helps = self.helps(without, value, measure, remedy.anew)
        if cut and not helps:
            raise OutOfTimeError  # it may have needed more
        beside = beside if control is None else control.iterations
        return Trial(measure, without, value, made, beside, remedy.anew, anew, helps, self.unit(changes))

    # ---- Branches -------------------------------------------------------------------------------------

    def iterations(self, changes: Mapping[str, Any], updates: int = UPDATES) -> int:
        """How long a branch is at most."""
        run = self.case.run
        if isinstance(self.rule(changes), Solver):
            return STEPS
        if run.batch_size is None:
            return min(updates, max(LEAST_UPDATES, run.iterations))
        in_epoch = -(-len(self.all.X) // run.batch_size)
        return max(5, min(run.iterations, updates // in_epoch))

    def unit(self, changes: Mapping[str, Any]) -> str:
        """What the iterations of a branch are."""
        solved = isinstance(self.rule(changes), Solver)
        return "epoch" if self.case.on_batches and not solved else "iteration"

    def rule(self, changes: Mapping[str, Any]) -> Rule:
        """The rule of a branch."""
        own = changes.get("optimizer")
        return self.case.run.optimizer if own is None else rule_from_dict(own)

    def settings(self, changes: Mapping[str, Any], anew: bool, iterations: int) -> FitSettings:
        """The settings of a branch: the run's, but for the changes."""
        run, rule = self.case.run, self.rule(changes)
        if not anew and "optimizer" not in changes and not isinstance(rule, Solver):
            rule = replace(rule, learning_rate=self.case.last_rate)  # where the schedule stands
        own: dict[str, Any] = {
            "optimizer": rule,
            "iterations": iterations,
            "batch_size": run.batch_size,
            "reduction": run.reduction,
            "random_state": SEED,
            "dtype": run.dtype.name,
            "l1": run.penalties.l1,
            "l2": run.penalties.l2,
            "max_norm": run.penalties.max_norm,
            "dropout": run.dropout or 0.0,
            "average": run.average,
            "freeze": () if anew else run.freeze,
            "shuffle": run.cursor is None or run.cursor.random is not None,
        }
        if isinstance(rule, BayesianRegularization):
            own["l2"] = 0.0  # which it chooses
        own |= as_keywords(changes) | {"optimizer": rule}
        if isinstance(rule, Solver):  # which takes the full batch alone
            own |= {"batch_size": None, "dropout": 0.0, "average": None, "l1": 0.0, "max_norm": None}
            own |= {"freeze": ()}
        if not anew:
            own["parameters"] = run.parameters
        return FitSettings.of({**DEFAULTS, **own})

    def branch(
        self, changes: Mapping[str, Any], anew: bool, iterations: int, rows: Rows, share: float = 0.5
    ) -> TrainingRun | None:
        """A branch with some changes, cut short after a share of the time left; None if it blows up."""
        if self.seconds_left <= 0.02:
            raise OutOfTimeError
        began, self._was_cut = time.monotonic(), False
        end = began + share * self.seconds_left
        try:
            settings = self.settings(changes, anew, iterations)
            if isinstance(share_of_rows := settings.validation, float):
                rows, judges = _divided(rows, share_of_rows)
                settings = replace(settings, validation=(judges.X, judges.y, judges.w))
            data = InMemory(rows.X, rows.y, self._weights(rows, settings))
            start, gradient = begin(as_changed(self.case.network, changes), data, settings)
            every = int(np.clip(0.02 / max(time.monotonic() - began, 1e-6), 1, 100))
            watch: FunctionHook[TrainingRun] = FunctionHook(every, lambda run: self._is_late(end))
            run = continue_run(start, iterations, Hooks([watch]), gradient=gradient)
        except (InputError, EngineError, FloatingPointError):
            return None
        if run.status == "interrupted":
            self.interrupted = True
            raise OutOfTimeError
        return None if run.status == "diverged" else run

    def _is_late(self, end: float) -> bool:
        self._was_cut = time.monotonic() > end
        return self._was_cut

    def _weights(self, rows: Rows, settings: FitSettings) -> NDArray[np.float64] | None:
        """The rows' weights; of a summed loss on the full batch they stand for all rows."""
        w = rows.w
        if settings.reduction == "sum" and settings.batch_size is None:
            w = w * (rows.n_all / len(rows.X))
        return None if (w == 1).all() else w

    def rows(self, measure: str) -> tuple[Rows, Rows]:
        """The rows that a branch learns from, and those that judge it."""
        return _divided(self.all, HELD_OUT) if measure == OTHERS_LOSS else (self.all, self.all)

    # ---- Judging --------------------------------------------------------------------------------------

    def measured(self, run: TrainingRun | None, measure: str, rows: Rows) -> float:
        """A branch's value of a measure on some rows; NaN of one that blew up."""
        if run is None:
            return math.nan
        scaling, X = run.encoding.scaling, rows.X
        inner = Case(run, rows, None, None)
        Z = inner.outputs(inner.theta, X if scaling is None else scaling.inputs(X))
        Z = Z if scaling is None else scaling.values(Z)
        if measure == BALANCED:
            return balanced_accuracy(Z, rows.labels(self.case.network.loss.target))
        return self.case.mean_loss(Z, rows)

    def helps(self, without: float, value: float, measure: str, anew: bool) -> bool:
        """Whether the value with a remedy is better by more than one would overlook.

        A new start has to lead below a constant answer's loss.
        """
        if not math.isfinite(value):
            return False
        if measure == BALANCED:
            return not math.isfinite(without) or value > without + 0.05
        case = self.case
        left, before = value - case.scale[1], without - case.scale[1]
        if not left < 1.05 * case.height and (anew or not math.isfinite(without)):
            return False
        return not math.isfinite(without) or (left < FALL * before and before - left > SEEN * case.height)


def _divided(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """The rows without a share of them that is drawn at random, and that share, both in their order."""
    order = RandomState(0).permutation(len(rows.X))
    few = max(1, int(share * len(order)))
    return rows.take(np.sort(order[few:])), rows.take(np.sort(order[:few]))


def balanced_accuracy(Z: Array, labels: NDArray[np.intp] | None) -> float:
    """The mean over the classes of the share of its rows that are answered right; NaN without classes."""
    if labels is None:
        return math.nan
    answers = (Z[:, 0] > 0).astype(np.intp) if Z.shape[1] == 1 else Z.argmax(axis=1)
    shares = [float((answers[labels == label] == label).mean()) for label in np.unique(labels)]
    return float(np.mean(shares))
