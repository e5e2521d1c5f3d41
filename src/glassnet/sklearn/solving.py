"""The ways of fitting, on batches and on all samples at once: from a job to attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.engine.minibatch import Batches
from glassnet.errors import InputError
from glassnet.nn.dropout import as_dropout, draw_seed
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.schedules import Schedule
from glassnet.sklearn import solvers
from glassnet.sklearn.epochs import Epochs, Rules
from glassnet.sklearn.job import Job, Samples, make_batches, make_problem, mean_offset, penalties_of
from glassnet.sklearn.rates import Drive, make_drive
from glassnet.sklearn.record import Record, continued
from glassnet.sklearn.streaming import targets_of
from glassnet.sklearn.validation import given_samples, split_off, standing_at
from glassnet.training.stall_warning import warn_if_stalled
from glassnet.training.steppers import Solver, check_fits

Found = tuple[Array, dict[str, Any]]
"""The flat parameters, and the attributes that go with them."""

OF_TRAINING = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "stopped_",
    "reason_",
    "evidence_",
    "_no_improvement_count",
    "_drive",
)
"""Attributes that not every way of fitting leaves: a fit from the start drops those of another before."""


def fit_whole(job: Job) -> Found:
    """On all samples at once: by SciPy's L-BFGS-B, or by a solver of ours."""
    estimator, samples, tasks, talk = job.estimator, job.samples, job.tasks, job.talk
    solver = solvers.solver_of(estimator)
    _refuse_ignored(job, solver)
    problem = make_problem(job, samples)
    if solver is not None:  # which needs losses that go with their gradients
        problem = problem.with_conventions(OURS)
    penalties = Conventions(shared=True).over(penalties_of(estimator), problem.divisor)
    problem = problem.with_penalties(penalties)
    held = given_samples(job)
    # As in scikit-learn's lbfgs, nothing is held out; what the caller holds out can be watched.
    early = bool(estimator.early_stopping) and held is not None
    record = _record(job, early)
    tol, patience = float(estimator.tol), float(estimator.n_iter_no_change)

    reached = job.theta.flat.copy()

    def ended(number: int, loss: float, flat: Array) -> bool:
        reached[:] = flat
        seen = {} if held is None else held.look(flat.copy(), early)
        record.add(loss, tol, flat, seen)
        talk.epoch(number, loss, seen)
        stop = tasks is not None and tasks.end_iteration(flat)
        if early and record.failures > patience:
            talk.stall(early, tol, patience, True, 0.0)
            stop = True
        if tasks is not None and number < estimator.max_iter and not stop:
            tasks.begin_iteration()
        return stop

    if tasks is not None:
        tasks.begin_iteration()
    how: dict[str, Any] = {
        "max_iter": int(estimator.max_iter),
        "max_fun": int(estimator.max_fun),
        "ended": ended,
        "offset": mean_offset(job, samples),
    }

    def found(loss: float, n_iter: int) -> dict[str, Any]:
        made: dict[str, Any] = {"loss_": loss, "n_iter_": n_iter, "history_": record.history}
        if solver is not None:
            made["loss_curve_"], made["best_loss_"] = record.loss_curve, record.best_loss
            made["validation_scores_"] = made["best_validation_score_"] = None
        if early:
            made["validation_scores_"] = record.scores
            made["best_validation_score_"] = record.best_score
            made["_no_improvement_count"] = record.failures
        if job.first:
            made["t_"] = 0
        return {**made, **told, **record.kept()}

    told: dict[str, Any] = {}
    try:
        if solver is None:
            flat, loss, n_iter = solvers.minimize_by_scipy(
                problem, job.theta.flat, tol=estimator.tol, **how
            )
        else:
            check_fits(solver, problem.network, None, problem.penalties, problem.dropout, None)
            flat, loss, n_iter = solvers.minimize(problem, job.theta.flat, solver, told=told, **how)
    except Exception as error:
        _keep_work(job, error, reached, found(record.loss, record.epochs))
        raise
    if (best := record.chosen()) is not None:
        flat = best
    if solver is not None and not isinstance(samples, Dataset):
        warn_if_stalled(problem, flat, loss - how["offset"], samples.X, samples.target, samples.weights, 7)
    return flat, found(loss, n_iter)


def _refuse_ignored(job: Job, solver: Solver | None) -> None:
    """Raise InputError for what lbfgs and ours have no use for, of arguments that scikit-learn lacks."""
    estimator = job.estimator
    name = estimator.solver if solver is None else type(solver).__name__
    if any(as_dropout(estimator.dropout, len(job.network.hidden))):
        raise InputError("dropout is for solvers that take batches: use solver='adam' or 'sgd'.")
    if isinstance(estimator.learning_rate, Schedule):
        raise InputError(
            f"learning_rate={estimator.learning_rate!r} is for solvers that take batches: {name} searches "
            f"for the length of each step. Use solver='adam' or 'sgd', or leave learning_rate as it comes."
        )
    if estimator.scoring is not None and job.validation is None:
        raise InputError(
            f"scoring is measured on samples held out, and {name} holds none out: give "
            f"validation_data=(X, y) to fit."
        )


def fit_epochs(job: Job) -> Found:
    """On batches, by the estimator's solver or optimizer."""
    estimator, theta, samples = job.estimator, job.theta, job.samples
    early = bool(estimator.early_stopping)
    held = given_samples(job)
    if early and held is None:
        samples, held = split_off(job)
    dropout = as_dropout(estimator.dropout, len(job.network.hidden))
    seed = draw_seed(job.random) if any(dropout) else None
    record = _record(job, early)
    drive = _drive(job)
    batches = make_batches(job, samples, dropout)
    epochs = Epochs(
        batches,
        theta.flat,
        drive,
        record,
        Rules(
            int(estimator.max_iter),
            float(estimator.tol),
            float(estimator.n_iter_no_change),
            job.incremental,
        ),
        job.random if estimator.shuffle else None,
        talk=job.talk,
        held=held,
        hooks=None if job.tasks is None else (job.tasks.begin_iteration, job.tasks.end_iteration),
        correct=_correction(job, samples, batches),
        dropout_seed=seed,
        n_threads=estimator.n_threads,
    )

    def found() -> dict[str, Any]:
        made = {
            "loss_": record.loss,
            "n_iter_": record.epochs,
            "t_": record.seen,
            "loss_curve_": record.loss_curve,
            "best_loss_": record.best_loss,
            "validation_scores_": record.scores,
            "best_validation_score_": record.best_score,
            "history_": record.history,
            "_no_improvement_count": record.failures,
            "_drive": drive,
            **record.kept(),
        }
        return {**made, "stopped_": epochs.stalled} if job.incremental and early else made

    try:
        epochs.run()
    except Exception as error:
        _keep_work(job, error, theta.flat, found())
        raise
    finally:
        if job.random is estimator.random_state or estimator.random_state is None:
            epochs.settle()  # others go on drawing from it
    flat = theta.flat
    # What is fitted a call at a time goes back to its best parameters when it has stalled.
    if (not job.incremental or epochs.stalled) and (best := record.chosen()) is not None:
        flat = best
    return flat, found()


def _keep_work(job: Job, error: Exception, flat: Array, found: dict[str, Any]) -> None:
    """Hand on what has been learned from streamed samples, whose files may be gone in the middle of it."""
    if isinstance(job.samples, Dataset):
        error.estimator = standing_at(job, flat.copy(), found)  # type: ignore[attr-defined]


def _record(job: Job, early: bool) -> Record:
    """An empty one, or that of the fit that is gone on with."""
    estimator, keep_best = job.estimator, bool(job.estimator.restore_best)
    record = Record(early, keep_best) if job.first else continued(estimator, early, keep_best)
    record.by_scorer = estimator.scoring is not None
    if early and record.best_flat is None:
        record.best_flat = job.theta.flat.copy()
    return record


def _drive(job: Job) -> Drive:
    """The optimizer's state: `partial_fit` goes on with that of the call before."""
    kept: Drive | None = job.estimator.__dict__.get("_drive") if job.incremental else None
    flat = job.theta.flat
    if kept is not None and kept.state.shape[1] == flat.size and kept.state.dtype == flat.dtype:
        return kept.copy()
    return make_drive(job.estimator, flat.size, flat.dtype)


def _correction(
    job: Job, samples: Samples | Dataset, batches: Batches
) -> Callable[[float, NDArray[Any] | None], float] | None:
    """What turns an epoch's loss, whose order is known, into the reported one; None for nothing.

    An epoch's loss is the mean of its batches', each over its own weights. Where samples come by windows
    their order is not kept, and the mean over all takes the place of the batches' own.
    """
    offset, batch_size = job.estimator._offset(), batches.batch_size
    if offset is None:
        return None
    if isinstance(samples, Dataset) and samples.weighted and not any(batches.layout):
        X, y, w = targets_of(samples)  # which fit
        dtype = job.theta.dtype
        samples = Samples(X, y.astype(dtype), None if w is None else w.astype(dtype))
    if isinstance(samples, Dataset) or samples.weights is None:
        mean = mean_offset(job, samples)
        return lambda loss, order: loss + mean
    offsets, w, n = offset(samples.target), samples.weights, samples.n_rows
    starts = np.arange(0, n, batch_size)
    sizes = np.diff(np.append(starts, n))
    weighted, weights = w * offsets, w.astype(np.float64)

    def correct(loss: float, order: NDArray[Any] | None) -> float:
        rows: Any = slice(None) if order is None else order
        means = np.add.reduceat(weighted[rows], starts) / np.add.reduceat(weights[rows], starts)
        return loss + float(np.average(means, weights=sizes))

    return correct
