"""The one training loop, which takes a run as far as it is asked to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.errors import InputError
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Parameters
from glassnet.training.callbacks import Callback, Hooks
from glassnet.training.divergence import divergence_limit
from glassnet.training.steppers import Rule, Solver, Start
from glassnet.training.steppers.first_order import Course, Epochs, FullBatch, Mean
from glassnet.training.steppers.rates import Pace
from glassnet.training.validation import Watcher
from glassnet.utils.interrupts import Interrupts, stop_on_interrupt
from glassnet.utils.progress import progress_line

Run = Any  # a TrainingRun, whose module lies above this one

Status = Literal["running", "completed", "stopped", "interrupted", "diverged"]


STATUSES: tuple[Status, ...] = ("running", "completed", "stopped", "interrupted", "diverged")


Callbacks = Iterable[Callback | Callable[[Run], bool | None]]

Progress = Callable[[int, float], None]
"""A function of iteration and loss, called now and then."""


CHUNK_SECONDS = 0.04  # how long an engine may be away from progress, callbacks and Ctrl-C


def masks_of(run: Run) -> Masks | None:
    """Those of the pass that gave a full-batch run's last loss: ``losses[k]`` has the masks k + 1."""
    return None if run.dropout_seed is None else Masks(run.dropout_seed, run.iterations + 1)


def course_of(start: Run, gradient: Array | None) -> Course:
    """What `continue_run` advances, from the run's own data; the full batch needs the gradient there."""
    problem, flat, state, rule = start._problem, start.parameters.flat, start.state, start.optimizer
    if isinstance(rule, Solver):
        assert isinstance(problem, Problem)
        assert gradient is not None
        at = float(start.losses[-1]), gradient
        return rule.course(Start(problem, flat, *at, state, start.heard, start.updates))
    mean = Mean()
    if start.average is not None and start.averaged is not None:
        mean = Mean(start.average, start.averaged.flat)
    if isinstance(problem, Batches):
        assert start.cursor is not None
        pace = Pace(
            rule.schedule, start.updates, start.heard, updates_per_iteration=problem.updates_per_epoch
        )
        return Epochs(problem, flat, state, start.cursor, rule, pace, start.dropout_seed, mean)
    assert problem is not None
    assert gradient is not None
    pace = Pace(rule.schedule, start.updates, start.heard, float(start.losses[-1]))
    limit = divergence_limit(float(start.losses[0]), problem.baseline)
    return FullBatch(problem, flat, state, gradient, rule, pace, limit, masks_of(start), mean)


def state_at_rest(rule: Rule, flat: Array) -> Array:
    """What a rule keeps before it has seen anything."""
    rows = 0 if isinstance(rule, Solver) else len(rule.state_names)
    return np.zeros((rows, flat.size), flat.dtype)


def at_rest(run: Run, optimizer: Rule) -> Run:
    """The run with a rule that has seen no update yet."""
    state = state_at_rest(optimizer, run.parameters.flat)
    return replace(run, optimizer=optimizer, state=state, updates=0, heard=np.empty(0))


def continue_run(
    start: Run,
    course: Course,
    iterations: int,
    hooks: Hooks,
    progress: bool | Progress,
    shared_stop: NDArray[np.uint8] | None = None,
) -> Run:
    """The one training loop: `iterations` more of the course that begins at `start`, and is changed.

    The engine works in chunks that end by the clock or where a callback is due. All state goes from
    one chunk to the next, so where they end has no influence on the numbers. A caller with many
    runs at once has a `stop_on_interrupt` of its own open, whose byte is `shared_stop`.

    A second Ctrl-C, and what a callback or a metric raises, leave with the run so far as their `run`.
    """
    began = time.perf_counter()
    lead = course.lead
    k = start.iterations
    last = k + iterations
    losses = _history(start.losses, last + lead)
    stopped, diverged = course.stops, False
    watcher = None
    if start.validation is not None:
        watcher = Watcher(start.validation, start._held_out, k, last)

    def look() -> bool:
        if watcher is None:
            return False
        try:
            return watcher.look(k, course.flat, course.averaged, losses[k + lead - 1])
        except BaseException as error:  # of a metric of the caller's own, or Ctrl-C
            work_kept(error, "by an evaluation after")
            raise

    def mean_of(flat: Array) -> Parameters:
        return Parameters(start.network.sizes, flat.copy())

    def snapshot(status: Status = "running", diverged_at: int | None = None) -> Run:
        return replace(
            start,
            parameters=Parameters(start.network.sizes, course.flat.copy()),
            state=course.state.copy(),
            losses=losses[: k + lead],
            status=status,
            diverged_at=diverged_at,
            updates=course.updates,
            heard=course.heard,
            penalties=start.penalties if course.penalties is None else course.penalties,
            cursor=None if course.cursor is None else course.cursor.copy(),
            averaged=None if course.averaged is None else mean_of(course.averaged),
            validation=None if watcher is None else watcher.record(),
            seconds=start.seconds + time.perf_counter() - began,
        )

    def work_kept(error: BaseException, where: str) -> None:
        error.run = snapshot()  # type: ignore[attr-defined]
        error.add_note(
            f"Raised {where} iteration {k}; the work so far is this exception's attribute `run`."
        )

    stopping = stop_on_interrupt() if shared_stop is None else nullcontext(Interrupts(shared_stop))
    showing = nullcontext(progress) if callable(progress) else progress_line(progress, k, last)
    with stopping as interrupts, showing as show:
        stop = interrupts.stop
        if watcher is not None and lead and k == 0 and not watcher.begun:
            look()
        hooks.begin(snapshot)
        while k < last and not (stopped or diverged or stop[0]):
            end = int(min(last, hooks.next_after(k), last if watcher is None else watcher.next_after(k)))
            interrupts.computing = True
            try:
                made, diverged = course.advance(losses[k + lead : end + lead], stop, CHUNK_SECONDS)
            except Exception as failure:  # of data that are read meanwhile
                work_kept(failure, "after")
                raise
            interrupts.computing = False
            k += made
            if k + lead:
                show(k, losses[k + lead - 1])
            if diverged and watcher is not None:
                watcher.forget(k)
            if interrupts.again:
                error = KeyboardInterrupt()
                work_kept(error, "by a second Ctrl-C after")
                raise error
            if made > 0:
                enough = look()
                stopped = hooks.iteration(k, snapshot) or enough
            stopped = stopped or course.stops
    if k < last:
        losses = losses[: k + lead].copy()  # lets go of what was never reached
    if diverged:
        run = snapshot("diverged", k + 1)
    elif stop[0] and (k < last or shared_stop is None):
        # A single run even where the last update was made: Ctrl-C was pressed to be heard.
        run = snapshot("interrupted")
    else:
        run = snapshot("stopped" if stopped else "completed")
    run = restored(run)
    hooks.end(lambda: run)
    return run


def at_point(run: Run, point: Array) -> Run:
    """The run at other parameters, and their mean where it has one."""
    flat, *mean = (Parameters(run.network.sizes, row.copy()) for row in point)
    return replace(run, parameters=flat, averaged=mean[0] if mean else None)


def restored(run: Run) -> Run:
    """The run at its best parameters, with those that it had come to kept for resuming."""
    kept = run.validation
    if kept is None or kept.best_point is None or kept.best_iteration == run.iterations:
        return run
    rows = [theta.flat for theta in (run.parameters, run.averaged) if theta is not None]
    return at_point(replace(run, validation=replace(kept, last_point=np.stack(rows))), kept.best_point)


def _history(losses: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    try:
        history = np.empty(length)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"A loss history of {length:,} iterations does not fit into memory; train in stretches."
        ) from error
    history[: len(losses)] = losses
    return history
