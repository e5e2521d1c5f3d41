"""scikit-learn's rules as policies of the training loop: when a fit ends, and the history it keeps."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from glassnet._types import Array
from glassnet.engine.minibatch import Batches
from glassnet.sklearn.checks import THEIR_MODULE
from glassnet.sklearn.job import HeldOut, Job
from glassnet.sklearn.network import WORTHWHILE, operations
from glassnet.sklearn.steppers import EpochRates, ScipyLBFGS
from glassnet.training.loop import Policy, Status
from glassnet.training.steppers import Solver, SolverStepper
from glassnet.training.steppers.first_order import Epochs
from glassnet.utils.threads import thread_count
from glassnet.utils.warn import warn

MOST_CALLS = 10_000
"""The calls of `partial_fit` whose losses and scores are kept."""

WAKING = 0.03  # seconds of training before more threads are used: an idle core takes milliseconds to wake


@dataclass
class History:
    """Losses and scores of a fit's epochs; a warm start and `partial_fit` go on with them.

    `failures` counts the epochs in a row that have not improved by the tolerance: the score where `early`,
    else the loss. `best_flat` are the parameters to bring back, where some are kept: those of the best
    score where `early`, else of the lowest loss that is `watched`. Every list of `values` has a value for
    each epoch, NaN where it was not measured. `loss` and `epochs` are of this call.
    """

    early: bool
    keep_best: bool = False
    by_scorer: bool = False
    loss_curve: list[float] = field(default_factory=list)
    best_loss: float | None = np.inf
    scores: list[float] | None = None
    best_score: float | None = None
    failures: int = 0
    seen: int = 0
    epochs: int = 0
    loss: float = np.nan
    values: dict[str, list[float]] = field(default_factory=dict)
    best_flat: Array | None = None
    best_watched: float = np.inf
    watched: str = "loss"

    _NAMES: ClassVar = {
        "loss_curve": "loss_curve_",
        "best_loss": "best_loss_",
        "scores": "validation_scores_",
        "best_score": "best_validation_score_",
        "failures": "_no_improvement_count",
        "seen": "t_",
        "values": "history_",
        "best_flat": "_best_flat",
        "best_watched": "_best_watched",
        "watched": "_watched",
    }
    """The estimator's attribute of each field that another call goes on with."""

    def __post_init__(self) -> None:
        if self.early:
            if self.scores is None:
                self.scores, self.best_score, self.best_loss = [], -np.inf, None
        elif self.best_loss is None:
            self.best_loss = np.inf

    @classmethod
    def of(cls, job: Job, early: bool) -> History:
        """An empty one, or that of the fit that the job goes on with."""
        estimator, known = job.estimator, {}
        if not job.first:
            attributes = vars(estimator)
            known = {name: attributes[key] for name, key in cls._NAMES.items() if key in attributes}
            # A stream may go on for millions of calls, and its model be written after each.
            since = 1 - MOST_CALLS if job.incremental else 0
            for name in ("loss_curve", "scores"):
                if known.get(name) is not None:
                    known[name] = list(known[name][since:])
            known["values"] = {
                name: list(values[since:]) for name, values in known.get("values", {}).items()
            }
        history = cls(early, bool(estimator.restore_best), estimator.scoring is not None, **known)
        if early and history.best_flat is None:
            history.best_flat = job.theta.flat.copy()
        return history

    def attributes(self, *names: str) -> dict[str, Any]:
        """Some fields, or all that another call goes on with, as attributes of an estimator."""
        fields = vars(self)
        return {self._NAMES[name]: fields[name] for name in names or self._NAMES}

    def add(self, loss: float, tol: float, flat: Array, measured: dict[str, float]) -> None:
        """Take in an epoch: its loss, its parameters and what was measured ("score" where `early`)."""
        self.epochs += 1
        self.loss = loss
        self.loss_curve.append(loss)
        values, measured = self.values, {"loss": loss, **measured}
        for name in measured:
            if name not in values:
                values[name] = [np.nan] * len(values.get("loss", ()))
        for name, series in values.items():
            series.append(measured.get(name, np.nan))
        if self.early:
            score = measured["score"]
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
            self._keep_best(loss, flat, measured)

    def best(self) -> Array | None:
        """The parameters to go back to; None keeps the last ones.

        Warns where a scorer has given early stopping no number.
        """
        if self.early and self.by_scorer and self.best_score == -np.inf:
            warn(
                "scoring gave no number in any epoch (one class alone has no ROC AUC, for instance): early "
                "stopping had nothing to go by, and the last parameters are kept.",
                UserWarning,
            )
            return None
        if self.best_flat is None or not (self.early or self.keep_best):
            return None
        return self.best_flat.copy()

    def _keep_best(self, loss: float, flat: Array, measured: dict[str, float]) -> None:
        # A training loss cannot be compared with a validation loss, which another call may have.
        held_out = "validation_loss" in measured
        if held_out and self.watched == "loss":
            self.watched, self.best_watched = "validation_loss", np.inf
        elif not held_out and self.watched != "loss":
            return
        value = measured.get("validation_loss", loss)
        if value < self.best_watched:
            self.best_watched, self.best_flat = value, flat.copy()


class EstimatorPolicy(Policy):
    """What every fit does after an iteration: evaluate, write down, report, ask the callbacks.

    `is_over` tells that a rule or a callback has ended training, and `stalled` that it made no progress.
    """

    def __init__(self, job: Job, history: History, held_out: HeldOut | None) -> None:
        estimator = job.estimator
        self._job, self._held_out, self.history = job, held_out, history
        self.max_iter, self._tol = int(estimator.max_iter), float(estimator.tol)
        self._patience = float(estimator.n_iter_no_change)
        self.last, self._reports = self.max_iter, job.verbosity.is_on
        self.is_over = self.stalled = False

    def _take_in(self, loss: float, flat: Array) -> bool:
        """Take in an iteration with its reported loss: whether a callback asks training to stop."""
        history, job = self.history, self._job
        measured = {} if self._held_out is None else self._held_out.measure(flat, history.early)
        history.add(loss, self._tol, flat, measured)
        if self._reports:
            job.verbosity.epoch(history.epochs, loss, measured)
        if job.tasks is None:
            return False
        return job.tasks.end_iteration(lambda: job.attributes_at(flat.copy()))

    def _report_stall(self, stops: bool, rate: float) -> None:
        self._job.verbosity.stall(self.history.early, self._tol, self._patience, stops, rate)

    def warn(self, status: Status) -> None:
        """Warn as scikit-learn does, of how training has ended."""
        if status == "interrupted" and not self.is_over:
            self._job.verbosity.interrupted = True
            warn("Training interrupted by user.", UserWarning, THEIR_MODULE)
        elif not self.is_over and (text := self._unconverged()):
            warn(text, ConvergenceWarning, THEIR_MODULE)

    @abstractmethod
    def _unconverged(self) -> str:
        """The warning of a training that has reached a limit; "" where it has reached none."""


class EpochPolicy(EstimatorPolicy):
    """The rules on batches; the engine trains several epochs per call when no decision falls between them.

    `correct` turns the engine's loss of an epoch, whose order it is given, into the reported one.
    """

    def __init__(
        self,
        job: Job,
        history: History,
        held_out: HeldOut | None,
        stepper: Epochs,
        rates: EpochRates,
        batches: Batches,
        correct: Callable[[float, NDArray[Any] | None], float] | None,
    ) -> None:
        super().__init__(job, history, held_out)
        self._stepper, self._rates, self._batches, self._correct = stepper, rates, batches, correct
        self._operations = operations(batches.network, batches.n_samples)
        self._threads = 0
        self._seconds, self._began = 0.0, 0.0
        self._one_at_a_time = bool(
            held_out
            or job.tasks
            or job.verbosity.is_on
            or history.keep_best
            or rates.follow_losses
            or job.incremental
            or correct is not None
        )

    def next_decision(self, iteration: int) -> int:
        epochs, history = 1, self.history
        if not self._one_at_a_time:
            left = min(self.max_iter - iteration, self._rates.max_epochs)
            epochs = int(max(1, min(left, self._patience + 1 - history.failures)))
        self._rates.plan(epochs, history.seen, self._batches.n_samples)
        if self._job.tasks is not None:
            self._job.tasks.begin_iteration()
        self._stepper.threads = self._threads_for(epochs)
        self._began = time.perf_counter()
        return iteration + epochs

    def _threads_for(self, epochs: int) -> int:
        """The most threads that a call may use; the engine decides whether to use them."""
        n_threads = self._job.estimator.n_threads
        if self._operations * epochs < WORTHWHILE or (n_threads is None and self._seconds < WAKING):
            return 1
        self._threads = self._threads or thread_count(n_threads)
        return self._threads

    def decide(self, iteration: int, losses: NDArray[np.float64]) -> bool:
        self._seconds += time.perf_counter() - self._began
        self.is_over = any(map(self._ends_after, losses.tolist()))
        self._began = time.perf_counter()
        return self.is_over

    def _ends_after(self, loss: float) -> bool:
        history, rates = self.history, self._rates
        if self._correct is not None:
            loss = self._correct(loss, self._stepper.cursor.order)
        history.seen += self._batches.n_samples
        callback_stops = self._take_in(loss, self._stepper.flat)
        rates.end_epoch(loss, history.seen)
        if history.failures > self._patience:
            self.stalled = not rates.slow_down()
            self._report_stall(self.stalled, rates.rate)
            if self.stalled:
                return True
            history.failures = 0
        return self._job.incremental or callback_stops or rates.stops

    def _unconverged(self) -> str:
        if self.history.epochs < self.max_iter:
            return ""
        return (
            f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
            f"hasn't converged yet."
        )


class IterationPolicy(EstimatorPolicy):
    """The rules on all samples at once, an iteration at a time."""

    def __init__(
        self,
        job: Job,
        history: History,
        held_out: HeldOut | None,
        stepper: SolverStepper | ScipyLBFGS,
        offset: float = 0.0,
    ) -> None:
        """`offset` is the reported loss minus the stepper's."""
        super().__init__(job, history, held_out)
        self._stepper, self._offset = stepper, offset

    def next_decision(self, iteration: int) -> int:
        if self._job.tasks is not None and iteration < self.max_iter:
            self._job.tasks.begin_iteration()
        return iteration + 1

    def decide(self, iteration: int, losses: NDArray[np.float64]) -> bool:
        self.is_over = self._take_in(float(losses[-1]) + self._offset, self._stepper.flat)
        if self.history.early and self.history.failures > self._patience:
            self._report_stall(True, 0.0)
            self.is_over = True
        return self.is_over


class ScipyPolicy(IterationPolicy):
    """The rules of SciPy's L-BFGS-B, which itself ends at a limit and says why."""

    _stepper: ScipyLBFGS

    def __init__(self, job: Job, history: History, held_out: HeldOut | None, stepper: ScipyLBFGS) -> None:
        super().__init__(job, history, held_out, stepper)
        self.last += 1

    def _unconverged(self) -> str:
        result, n_iter, limit = self._stepper.result, self.history.epochs, self.max_iter
        if result.status == 0:
            return self._too_small_for_tol()
        more = f"\nRaise the limit of iterations (max_iter={limit})." if n_iter == limit else ""
        return (
            f"lbfgs failed to converge after {n_iter} iteration(s) (status={result.status}):\n"
            f"{result.message}\n{more}\nScaling the data may help as well, for instance by StandardScaler."
        )

    def _too_small_for_tol(self) -> str:
        """The warning where the gradient has ended training only because the targets' unit is small."""
        stepper, tol = self._stepper, float(self._job.estimator.tol)
        problem = stepper.problem
        if problem.network.loss.name != "squared_error" or np.abs(stepper.result.jac).max() > tol:
            return ""
        deviation = float(np.max(problem.summary.excerpt.y.std(axis=0)))
        fits = stepper.loss < 0.05 * deviation**2 / 2
        if fits or not 0 < deviation < 1e3 * tol:
            return ""
        return (
            f"lbfgs ended where no entry of the gradient is larger than tol={tol:g}, and the targets "
            f"deviate by {deviation:.2g} only: this is no minimum. Scale y (as "
            f"TransformedTargetRegressor does), lower tol, or use solver='lm', which takes any unit."
        )


class SolverPolicy(IterationPolicy):
    """The rules of a solver of ours, whose evaluations have a limit too."""

    _stepper: SolverStepper

    def __init__(
        self,
        job: Job,
        history: History,
        held_out: HeldOut | None,
        stepper: SolverStepper,
        solver: Solver,
        offset: float,
    ) -> None:
        super().__init__(job, history, held_out, stepper, offset)
        self._solver = solver
        self._max_fun = int(job.estimator.max_fun)
        if stepper.evaluations >= self._max_fun:
            self.last = 0

    def decide(self, iteration: int, losses: NDArray[np.float64]) -> bool:
        return super().decide(iteration, losses) or self._stepper.evaluations >= self._max_fun

    def _unconverged(self) -> str:
        if self._stepper.stops:
            return ""
        n_iter = self.history.epochs
        at_max_iter = n_iter == self.max_iter
        limit = f"max_iter={self.max_iter}" if at_max_iter else f"max_fun={self._max_fun}"
        return (
            f"{type(self._solver).__name__} failed to converge after {n_iter} iteration(s). Raise the "
            f"limit ({limit}), or let it end sooner by a larger tol."
        )
