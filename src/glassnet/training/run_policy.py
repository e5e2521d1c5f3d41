"""How `train`, `resume` and a sweep take a run further: the loop's policy for runs, and its stepper."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Generic, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.nn.network import Parameters
from glassnet.training.divergence import divergence_limit
from glassnet.training.ending import remark_on
from glassnet.training.hooks import Hooks, attach
from glassnet.training.loop import ChunkStepper, Loop, Policy, Progress, Status
from glassnet.training.state import AnyRun, RunState, at_best, masks_of
from glassnet.training.steppers import Solver, SolverState, Start
from glassnet.training.steppers.first_order import Epochs, FullBatch
from glassnet.training.steppers.rates import LearningRates
from glassnet.training.steppers.solver import padded_steps
from glassnet.training.validation import Evaluator


class Follower(Protocol):
    """What follows a training run by the clock, such as a file."""

    @property
    def is_due(self) -> bool:
        """Whether it is time for the run as it stands."""
        ...

    def prove(self, run: RunState) -> None:
        """Raise, before the work begins, what would keep runs such as this one from being written."""
        ...

    def write(self, run: RunState) -> None:
        """Take the run: where one is due, and at the end."""
        ...


def continue_run(
    start: AnyRun,
    iterations: int,
    hooks: Hooks[AnyRun] | None = None,
    progress: bool | float | Progress = False,
    stop: NDArray[np.uint8] | None = None,
    gradient: Array | None = None,
    follower: Follower | None = None,
    history: NDArray[np.float64] | None = None,
) -> AnyRun:
    """The run after `iterations` more of the run at `start`, whose cursor moves on.

    `gradient` is the one at its parameters, where it is known. `stop` is `Loop`'s. `history` begins with
    the run's losses, and may have room for those that follow.
    """
    policy = RunPolicy(start, iterations, Hooks(()) if hooks is None else hooks, follower)
    losses = start.losses if history is None else history
    loop = Loop(stepper_of(start, gradient), policy, start.iterations, losses, stop, progress)
    loop.reserve(policy.last)
    status = loop.run()
    return policy.ended(status)


def stepper_of(start: RunState, gradient: Array | None = None) -> ChunkStepper:
    """What takes a run with data further; `gradient` is the one at its parameters, where it is known."""
    problem = None if start.data is None else start.data.problem
    flat, rows, rule = start.parameters.flat, start.state, start.optimizer
    if isinstance(problem, Problem) and gradient is None:
        _, gradient = problem.loss_and_gradient(flat, masks_of(start))
    if isinstance(rule, Solver):
        assert isinstance(problem, Problem)
        assert gradient is not None
        loss, memory = float(start.losses[-1]), SolverState.of(start.heard)
        steps = start.solver_steps
        if start.iterations:
            steps = padded_steps(steps, start.iterations + 1)
        return rule.stepper(Start(problem, flat, loss, gradient, rows, memory, start.updates, steps))
    mean = None
    if start.average is not None and start.averaged is not None:
        mean = start.average, start.averaged.flat
    if isinstance(problem, Batches):
        assert start.cursor is not None
        rates = LearningRates(
            rule.schedule, start.updates, start.heard, updates_per_iteration=problem.updates_per_epoch
        )
        return Epochs(problem, flat, rows, start.cursor, rule, rates, start.dropout_seed, mean)
    assert problem is not None
    assert gradient is not None
    rates = LearningRates(rule.schedule, start.updates, start.heard, float(start.losses[-1]))
    limit = divergence_limit(float(start.losses[0]), problem.baseline)
    return FullBatch(problem, flat, rows, gradient, rule, rates, limit, masks_of(start), mean)


class RunPolicy(Policy, Generic[AnyRun]):
    """Evaluations, a stopping rule and callbacks decide; whatever happens, the work so far is a run.

    A follower, such as a checkpoint, gets the run when it is due, and at the end.
    """

    def __init__(
        self, start: AnyRun, iterations: int, hooks: Hooks[AnyRun], follower: Follower | None = None
    ) -> None:
        self._start, self._hooks, self._follower = start, hooks, follower
        self._began = time.perf_counter()
        self.last = start.iterations + iterations
        self._evaluator: Evaluator | None = None
        if start.validation is not None and start.data is not None:
            held_out, test = start.data.held_out, start.data.test
            self._evaluator = Evaluator(start.validation, held_out, test, start.iterations, self.last)

    def begin(self, loop: Loop) -> None:
        self._loop, evaluator = loop, self._evaluator
        at_start = loop.iteration == 0 and loop.stepper.start_losses
        if evaluator is not None and at_start and not evaluator.has_begun:
            self._evaluate(0)
        if self._follower is not None:
            self._follower.prove(self.snapshot())
        self._hooks.begin(self.snapshot)

    def next_decision(self, iteration: int) -> int:
        evaluator = self._evaluator
        evaluation = self.last if evaluator is None else evaluator.next_after(iteration)
        return int(min(self.last, self._hooks.next_after(iteration), evaluation))

    def decide(self, iteration: int, losses: NDArray[np.float64]) -> bool:
        enough = self._evaluate(iteration)
        return self._hooks.iteration(iteration, self.snapshot) or enough

    def rest(self, iteration: int) -> None:
        if self._follower is not None and self._follower.is_due:
            self._follower.write(self.snapshot())

    def diverged(self, iteration: int) -> None:
        if self._evaluator is not None:
            self._evaluator.forget(iteration)

    def failed(self, error: BaseException, where: str, iteration: int) -> None:
        attach(self.snapshot(), error, where, iteration)

    def ended(self, status: Status) -> AnyRun:
        """The run as the loop left it, at its best parameters; the last callbacks have seen it.

        An error of the look at the result, or Ctrl-C during it, has the run.
        """
        run = at_best(self.snapshot(status))
        if status == "stopped" or (status == "completed" and run.iterations > self._start.iterations):
            try:
                run = replace(run, finding=remark_on(run))
            except BaseException as error:
                attach(run, error, "by a look at the result after", run.iterations)
                raise
        if self._follower is not None:
            self._follower.write(run)
        self._hooks.end(lambda: run)
        del self._loop  # which has this policy: the two would keep the history until the collector comes
        return run

    def snapshot(self, status: Status = "running") -> AnyRun:
        """The run at this moment, in memory of its own."""
        start, loop, stepper = self._start, self._loop, self._loop.stepper
        sizes = start.network.sizes
        mean = stepper.averaged
        return replace(
            start,
            parameters=Parameters(sizes, stepper.flat.copy()),
            state=stepper.state.copy(),
            losses=loop.losses,
            status=status,
            diverged_at=loop.iteration + 1 if status == "diverged" else None,
            updates=stepper.updates,
            heard=stepper.memory,
            penalties=start.penalties if stepper.penalties is None else stepper.penalties,
            solver_steps=start.solver_steps if stepper.steps is None else stepper.steps,
            cursor=None if stepper.cursor is None else stepper.cursor.copy(),
            averaged=None if mean is None else Parameters(sizes, mean.copy()),
            validation=None if self._evaluator is None else self._evaluator.record(),
            seconds=start.seconds + time.perf_counter() - self._began,
        )

    def _evaluate(self, iteration: int) -> bool:
        if self._evaluator is None:
            return False
        stepper = self._loop.stepper
        try:
            enough = self._evaluator.evaluate(
                iteration, stepper.flat, stepper.averaged, self._loop.losses[-1]
            )
            loss = self._evaluator.loss_at(iteration)
            if loss is not None:
                stepper.hear(loss)
            return enough
        except BaseException as error:  # of a metric of the caller's own, or Ctrl-C
            self.failed(error, "by an evaluation after", iteration)
            raise
