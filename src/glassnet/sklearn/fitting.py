"""The ways to fit, on batches and on all samples at once: from a job to an estimator's attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.errors import InputError
from glassnet.nn.dropout import as_dropout, draw_seed
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import Penalties
from glassnet.optim.schedules import Schedule
from glassnet.sklearn.checks import THEIR_MODULE
from glassnet.sklearn.job import HeldOut, Job, validation_samples
from glassnet.sklearn.policy import EpochPolicy, History, ScipyPolicy, SolverPolicy
from glassnet.sklearn.samples import Samples
from glassnet.sklearn.steppers import (
    EpochRates,
    OptimizerState,
    ScipyLBFGS,
    optimizer_at_rest,
    solver_of,
    start_solver,
)
from glassnet.training.ending import Ended, remark, warn_of
from glassnet.training.loop import Loop
from glassnet.training.steppers import BayesianRegularization, Solver, StopReason, check_fits
from glassnet.training.steppers.first_order import Epochs
from glassnet.training.steppers.units import units_of
from glassnet.utils.warn import warn

Fitted = tuple[Array, dict[str, Any]]
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
    "_optimizer_state",
)
"""Attributes that not every way to fit leaves: a fit from the start drops those of another way."""


def fit_whole(job: Job) -> Fitted:
    """Fit on all samples at once, by SciPy's L-BFGS-B or by a solver of ours."""
    estimator = job.estimator
    solver = solver_of(estimator)
    _refuse_unused(job, solver)
    samples, held_out, early = _held_out(job, splits=solver is not None)
    # A solver of ours needs losses that go with their gradients.
    conventions = estimator._conventions(job.theta.dtype) if solver is None else OURS
    problem = samples.problem(job.network, conventions)
    penalties = Conventions(average_penalties=True).over(_penalties(estimator), problem.divisor)
    units = None if solver is None else units_of(problem)
    if units is not None:  # alpha counts next to targets of a small unit as next to others
        penalties = replace(penalties, l2=penalties.l2 * min(1.0, units.unit))
        units = units.with_penalties(penalties)
    problem = problem.with_penalties(penalties)
    history = History.of(job, early)
    offset, flat = samples.mean_offset(), job.theta.flat
    stepper: Any
    policy: Any
    if solver is None or units is None:
        limits = {"max_iter": int(estimator.max_iter), "max_fun": int(estimator.max_fun)}
        stepper = ScipyLBFGS(problem, flat, **limits, tol=estimator.tol, offset=offset)
        policy = ScipyPolicy(job, history, held_out, stepper)
        # SciPy leaves Ctrl-C to Python: nobody sets this byte.
        loop = Loop(stepper, policy, stop=np.zeros(1, np.uint8))
    else:
        check_fits(solver, problem.network, None, problem.penalties, problem.dropout, None)
        stepper = start_solver(solver, problem, units, flat)
        policy = SolverPolicy(job, history, held_out, stepper, solver, offset)
        loop = Loop(stepper, policy, losses=np.array([stepper.point.loss]))

    constant = _constant_columns(job, samples, problem)

    def attributes(loss: float) -> dict[str, Any]:
        fitted = {"loss_": loss, "n_iter_": history.epochs, **history.attributes("values")}
        penalties = stepper.penalties or problem.penalties
        fitted |= {"_constant": constant, "_penalties": (penalties.l1, penalties.l2)}
        if solver is not None:
            fitted |= history.attributes("loss_curve", "best_loss")
            fitted |= {"validation_scores_": None, "best_validation_score_": None}
            fitted["reason_"] = stepper.reason.text
            if isinstance(solver, BayesianRegularization):
                fitted["evidence_"] = solver.evidence(stepper.numbers)
        if history.early:
            fitted |= history.attributes("scores", "best_score", "failures")
        if job.first:
            fitted["t_"] = 0
        return fitted | history.attributes("best_flat", "best_watched", "watched")

    try:
        status = loop.run()
        policy.warn(status)
    except BaseException as error:
        samples.keep_work(error, lambda: job.estimator_at(stepper.flat.copy(), attributes(history.loss)))
        raise
    loss = stepper.loss if solver is None else float(loop.losses[-1]) + offset
    flat = stepper.flat
    best = history.best()
    flat = flat if best is None else best
    if status != "interrupted":
        if solver is None:  # SciPy's numbers
            reason = {0: StopReason.FLAT, 2: StopReason.STUCK}.get(stepper.result.status, StopReason.NONE)
        else:
            reason = stepper.reason
        losses = history.loss_curve if solver is None else loop.losses
        how = {"went_back": best is not None, "chooses_l2": isinstance(solver, BayesianRegularization)}
        _warn_if_useless(stepper.problem, flat, losses, history.epochs, reason=reason, **how)
    return flat, attributes(loss)


def _constant_columns(job: Job, samples: Samples, problem: Problem | Batches) -> dict[int, float]:
    """The columns that have had one value since the first of the fits that go on, and the value."""
    known = None if job.first else vars(job.estimator).get("_constant", {})
    constant = samples.constant_columns(problem, known)
    if known is None:
        return dict(constant)
    return {place: value for place, value in known.items() if constant.get(place) == value}


def _warn_if_useless(
    problem: Problem | Batches, flat: Array, losses: Any, updates: int, **how: Any
) -> None:
    """Warn of a fit that is no better than a constant answer; `how` it ended are fields of `Ended`."""
    warn_of(remark(Ended(problem, problem.penalties, flat, np.asarray(losses), updates, **how)))


def _refuse_unused(job: Job, solver: Solver | None) -> None:
    """Raise InputError for arguments that scikit-learn lacks, and that this way to fit has no use for."""
    estimator = job.estimator
    name = estimator.solver if solver is None else type(solver).__name__
    if any(as_dropout(estimator.dropout, len(job.network.hidden))):
        raise InputError("dropout is for solvers that take batches: use solver='adam' or 'sgd'.")
    if isinstance(estimator.learning_rate, Schedule):
        raise InputError(
            f"learning_rate={estimator.learning_rate!r} is for solvers that take batches: {name} chooses "
            f"the length of each step. Use solver='adam' or 'sgd', or leave learning_rate at its default."
        )
    if estimator.scoring is not None and job.validation is None and solver is None:
        raise InputError(
            f"scoring is measured on samples held out, and {name} holds none out: give "
            f"validation_data=(X, y) to fit."
        )


def _held_out(job: Job, splits: bool) -> tuple[Samples, HeldOut | None, bool]:
    """The samples to train on, those to evaluate, and whether early stopping watches these.

    Where it `splits` they are drawn for early stopping without `validation_data`; scikit-learn's lbfgs does
    not, and a warning says so.
    """
    early, held_out = bool(job.estimator.early_stopping), validation_samples(job)
    if not early or held_out is not None:
        return job.samples, held_out, early
    if not splits:
        warn(
            "early_stopping=True is without effect: solver='lbfgs' holds no samples out, as scikit-learn's "
            "does not. Give validation_data=(X, y) to fit, or take solver=gn.LBFGS(), which does.",
            UserWarning,
        )
        return job.samples, None, False
    samples, rest = job.samples.hold_out(job.random)
    return samples, HeldOut(job, rest), True


def fit_epochs(job: Job) -> Fitted:
    """Fit on batches, by the estimator's solver or optimizer."""
    estimator, theta = job.estimator, job.theta
    samples, held_out, early = _held_out(job, splits=True)
    dropout = as_dropout(estimator.dropout, len(job.network.hidden))
    seed = draw_seed(job.random) if any(dropout) else None
    history, start = History.of(job, early), _optimizer_state(job)
    batches = samples.batches(
        job.network, _batch_size(estimator, samples.n_rows), dropout, _penalties(estimator)
    )
    rates = EpochRates(start, batches.updates_per_epoch)
    cursor = batches.begin(job.random if estimator.shuffle else None, np.inf)
    stepper = Epochs(batches, theta.flat, start.rows, cursor, start.optimizer, rates, seed, keep_nan=True)
    correct = _loss_correction(samples, batches)
    policy = EpochPolicy(job, history, held_out, stepper, rates, batches, correct)
    weight = batches.batch_size * batches.weight_sum / batches.n_samples
    own: dict[str, Any] = {"_penalties": (estimator.l1 / weight, estimator.alpha / weight)}
    own["_constant"] = _constant_columns(job, samples, batches)

    def attributes() -> dict[str, Any]:
        fitted = {"loss_": history.loss, "n_iter_": history.epochs, **history.attributes(), **own}
        fitted["_optimizer_state"] = rates.state(stepper.state)
        return {**fitted, "stopped_": policy.stalled} if job.incremental and early else fitted

    try:
        status = Loop(stepper, policy).run()
        policy.warn(status)
    except BaseException as error:
        samples.keep_work(error, lambda: job.estimator_at(stepper.flat.copy(), attributes()))
        raise
    finally:
        if job.random is estimator.random_state or estimator.random_state is None:
            cursor.settle()  # others go on drawing from it
    flat = stepper.flat
    # `partial_fit` goes back to the best parameters once it has stalled.
    best = history.best() if not job.incremental or policy.stalled else None
    flat = flat if best is None else best
    if not job.incremental and status != "interrupted":
        updates = history.epochs * batches.updates_per_epoch
        _warn_if_useless(batches, flat, history.loss_curve, updates, went_back=best is not None)
    return flat, attributes()


def _penalties(estimator: Any) -> Penalties:
    """The penalties of a batch whose weights sum to 1."""
    return Penalties(float(estimator.l1), float(estimator.alpha))


def _batch_size(estimator: Any, n: int) -> int:
    """The samples of an update, at most all `n`."""
    if isinstance(estimator.batch_size, str):
        return min(200, n)
    if estimator.batch_size > n:
        warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            UserWarning,
            THEIR_MODULE,
        )
    return min(int(estimator.batch_size), n)


def _optimizer_state(job: Job) -> OptimizerState:
    """The optimizer's state: `partial_fit` goes on with that of the call before."""
    flat = job.theta.flat
    known: OptimizerState | None = vars(job.estimator).get("_optimizer_state") if job.incremental else None
    if known is not None and (known.rows.shape[1], known.rows.dtype) == (flat.size, flat.dtype):
        return known
    return optimizer_at_rest(job.estimator, flat.size, flat.dtype)


def _loss_correction(
    samples: Samples, batches: Batches
) -> Callable[[float, NDArray[Any] | None], float] | None:
    """The function that turns an epoch's loss, whose order is known, into the reported one; None for none.

    An epoch's loss is the mean of its batches', each over its own weights. Where samples come by windows,
    whose order is not kept, the mean over all samples takes the place of the batches' own.
    """
    offset = samples.estimator._loss_offset()
    if offset is None:
        return None
    targets = samples.weighted_targets(batches)
    if targets is None:
        mean = samples.mean_offset()
        return lambda loss, order: loss + mean
    y, w = targets
    starts = np.arange(0, len(y), batches.batch_size)
    sizes = np.diff(np.append(starts, len(y)))
    weighted, weights = w * offset(y), w.astype(np.float64)

    def correct(loss: float, order: NDArray[Any] | None) -> float:
        rows: Any = slice(None) if order is None else order
        means = np.add.reduceat(weighted[rows], starts) / np.add.reduceat(weights[rows], starts)
        return loss + float(np.average(means, weights=sizes))

    return correct
