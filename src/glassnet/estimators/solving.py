"""Floor 7: the two ways of fitting, on batches and by lbfgs: from a job to an estimator's attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.activations import Array
from glassnet.conventions import Conventions
from glassnet.dropout import as_dropout, draw_seed
from glassnet.errors import InputError
from glassnet.estimators import quasi_newton
from glassnet.estimators.epochs import Epochs, Rules
from glassnet.estimators.evaluation import given_samples, split_off
from glassnet.estimators.heldout import Samples
from glassnet.estimators.job import Job, make_batches, make_problem, penalties_of
from glassnet.estimators.rates import Drive, make_drive
from glassnet.estimators.record import Record, continued

Found = tuple[Array, dict[str, Any]]
"""The flat parameters, and the attributes that go with them."""


def fit_lbfgs(job: Job) -> Found:
    """By SciPy's L-BFGS-B, on all samples at once."""
    estimator, samples, tasks = job.estimator, job.samples, job.tasks
    if any(as_dropout(estimator.dropout, len(job.network.hidden))):
        raise InputError("dropout is for solvers that take batches: use solver='adam' or 'sgd'.")
    problem = make_problem(job, samples)
    problem.penalties = Conventions(shared=True).over(penalties_of(estimator), problem.divisor)
    history: dict[str, list[float]] = {"loss": []}
    held = given_samples(job)

    def ended(number: int, loss: float, flat: Array) -> bool:
        history["loss"].append(loss)
        for name, value in ({} if held is None else held.look(flat.copy(), False)).items():
            history.setdefault(name, []).append(value)
        job.talk.epoch(number, loss)
        if tasks is None:
            return False
        stop = tasks.end(number, flat)
        if number < estimator.max_iter and not stop:
            tasks.begin()
        return stop

    if tasks is not None:
        tasks.begin()
    offsets = estimator._offsets(samples)
    flat, loss, n_iter = quasi_newton.minimize(
        problem,
        job.theta.flat,
        max_iter=int(estimator.max_iter),
        max_fun=int(estimator.max_fun),
        tol=estimator.tol,
        ended=ended,
        offset=0.0 if offsets is None else float(np.average(offsets, weights=samples.weights)),
    )
    found: dict[str, Any] = {"loss_": loss, "n_iter_": n_iter, "history_": history}
    if job.first:
        found["t_"] = 0
    return flat, found


def fit_epochs(job: Job) -> Found:
    """On batches, by the estimator's solver or optimizer."""
    estimator, theta, samples = job.estimator, job.theta, job.samples
    early, keep_best = bool(estimator.early_stopping), bool(estimator.restore_best)
    held = given_samples(job)
    if early and held is None:
        samples, held = split_off(job)
    dropout = as_dropout(estimator.dropout, len(job.network.hidden))
    seed = draw_seed(job.random) if any(dropout) else None
    record = Record(early, keep_best) if job.first else continued(estimator, early, keep_best)
    if early and record.best_flat is None:
        record.best_flat = theta.flat.copy()
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
        hooks=None if job.tasks is None else (job.tasks.begin, job.tasks.end),
        correct=_correction(estimator._offsets(samples), samples, batches.batch_size),
        dropout_seed=seed,
        n_threads=estimator.n_threads,
    )
    try:
        epochs.run()
    finally:
        if job.random is estimator.random_state or estimator.random_state is None:
            epochs.settle()  # others go on drawing from it
    flat = theta.flat
    # What is fitted a call at a time goes back to its best parameters when it has stalled.
    if record.best_flat is not None and (early or keep_best) and (not job.incremental or epochs.stalled):
        flat = record.best_flat.copy()
    found = {
        "loss_": record.loss,
        "n_iter_": record.epochs,
        "t_": record.seen,
        "loss_curve_": record.loss_curve,
        "best_loss_": record.best_loss,
        "validation_scores_": record.scores,
        "best_validation_score_": record.best_score,
        "history_": record.history,
        "_no_improvement_count": record.failures,
        "_best_flat": record.best_flat,
        "_best_watched": record.best_watched,
        "_drive": drive,
    }
    if job.incremental and early:
        found["stopped_"] = epochs.stalled
    return flat, found


def _drive(job: Job) -> Drive:
    """The optimizer's state: `partial_fit` goes on with that of the call before."""
    kept: Drive | None = job.estimator.__dict__.get("_drive") if job.incremental else None
    flat = job.theta.flat
    if kept is not None and kept.state.shape[1] == flat.size and kept.state.dtype == flat.dtype:
        return kept.copy()
    return make_drive(job.estimator, flat.size, flat.dtype)


def _correction(
    offsets: NDArray[np.float64] | None, samples: Samples, batch_size: int
) -> Callable[[float, NDArray[Any] | None], float] | None:
    """What turns an epoch's loss, whose order is known, into the reported one; None for nothing.

    An epoch's loss is the mean of its batches', each over its own weights.
    """
    if offsets is None:
        return None
    w, n = samples.weights, len(samples.X)
    if w is None:
        mean = float(offsets.mean())
        return lambda loss, order: loss + mean
    starts = np.arange(0, n, batch_size)
    sizes = np.diff(np.append(starts, n))
    weighted, weights = w * offsets, w.astype(np.float64)

    def correct(loss: float, order: NDArray[Any] | None) -> float:
        rows: Any = slice(None) if order is None else order
        means = np.add.reduceat(weighted[rows], starts) / np.add.reduceat(weights[rows], starts)
        return loss + float(np.average(means, weights=sizes))

    return correct
