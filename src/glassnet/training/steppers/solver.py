"""What every solver is: settings, and a stepper whose iterations are accepted steps."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.nn.network import Network
from glassnet.optim.penalties import Penalties
from glassnet.training.loop import ChunkStepper
from glassnet.training.steppers.units import Units, units_of
from glassnet.utils.interrupts import Cut
from glassnet.utils.settings_checks import Settings, as_bound, as_not_negative, as_real, checked, or_none


class StopReason(IntEnum):
    """Why a solver has ended; files hold the number."""

    NONE = 0
    FLAT = 1
    SLOW = 2
    STUCK = 3
    GOAL = 4
    TIME = 5
    DAMPED = 6

    @property
    def text(self) -> str:
        """The reason in words, "" for none."""
        return _TEXTS[self]


_TEXTS = (
    "",
    "the gradient is no longer than gradient_tolerance",
    "the last step lowered the loss by no more than tolerance, as a share of it",
    "no step lowers the loss any more, in this precision",
    "the loss is no larger than goal",
    "the seconds are over",
    "no damping up to largest_damping lowers the loss",
)


class SolverHistory(NamedTuple):
    """What a solver saw at each of ``run.losses``: two arrays (iterations + 1,), as `TrainingRun` has them.

    gradient : the largest entry of the gradient, which `gradient_tolerance` is compared with. NaN at steps
        that the native engine's L-BFGS made without coming back, and at iterations of an optimizer.
    damping : mu of `LevenbergMarquardt` and `BayesianRegularization` after each step; NaN elsewhere, and
        before the first step.

    >>> import numpy as np, glassnet as gn
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> run = gn.train(gn.Network((1, 3, 1), hidden="tanh", output="identity"), x, np.sin(3 * x),
    ...                optimizer=gn.LevenbergMarquardt(), iterations=10, random_state=0)
    >>> run.solver_history.gradient.shape, bool(run.solver_history.damping[-1] > 0)
    ((11,), True)

    MATLAB's training record has them as ``tr.gradient``, which is the gradient's length, and ``tr.mu``.
    """

    gradient: NDArray[np.float64]
    damping: NDArray[np.float64]


NO_STEPS = np.empty((0, 2))


def padded_steps(steps: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """A history's rows, with NaN for the iterations up to `count` that it lacks."""
    if len(steps) >= count:
        return steps[:count]
    return np.concatenate([steps, np.full((count - len(steps), 2), np.nan)])


class SolverState(NamedTuple):
    """What a solver keeps beside the rows of its state; `run.heard` and files have it as one array.

    evaluations : losses, and products of `NewtonCG`, that were computed, the first one too.
    reason : why the solver has ended, if it has.
    numbers : what a kind of solver needs of its own, such as a damping.
    """

    evaluations: int = 1
    reason: StopReason = StopReason.NONE
    numbers: tuple[float, ...] = ()

    @classmethod
    def of(cls, memory: NDArray[np.float64]) -> SolverState:
        """The state in a run's array, which is empty before the first step."""
        if not len(memory):
            return cls()
        evaluations, reason, *numbers = memory.tolist()
        return cls(int(evaluations), StopReason(int(reason)), tuple(numbers))

    def array(self) -> NDArray[np.float64]:
        """The state as a run keeps it."""
        return np.array([self.evaluations, self.reason, *self.numbers], np.float64)


LANES = 8


def dot(a: Array, b: Array) -> float:
    """The inner product in float64, the same bits with and without the native engine.

    Eight sums, of every eighth product each, and then their sum, by halves; BLAS sums in an order of its
    threads and of the processor.
    """
    if native.module is not None:
        return float(native.module.dot(a, b))
    products = np.zeros(-(-len(a) // LANES) * LANES)
    np.multiply(a, b, out=products[: len(a)], dtype=np.float64)
    sums = products.reshape(-1, LANES).sum(axis=0)
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return float(sums[0])


def cast(flat: Array, dtype: np.dtype[Any]) -> Array:
    """Parameters in the problem's precision, where they may be infinite: then the loss is not finite."""
    if flat.dtype == dtype:
        return flat
    with np.errstate(over="ignore"):
        return flat.astype(dtype)


@dataclass(frozen=True, repr=False)
class Solver(Settings, ABC):
    """A rule that looks at the loss around it before each step: `train` takes it as its optimizer.

    An iteration is an accepted step, which lowers the loss; training ends with status "stopped" where a
    tolerance is reached or no step lowers the loss any more, and ``run.reason`` says which.

    Parameters
    ----------
    gradient_tolerance : training ends where no entry of the gradient is larger than this. The gradient is
        that of the mean loss, and in the data's units where these are far from 1.
    tolerance : it ends where a step lowers the loss by no more than this share of it.
    goal : it ends where the reported loss is no larger than this; None for no goal. Of squared errors the
        loss is half the mean squared error.
    seconds : it ends after a step when so much time has passed since `train` or `resume` was called; None
        for no limit.

    Where columns of X or targets deviate by less than 1/8 or more than 8, or lie more than 4 deviations
    from 0, a solver works in their units: its steps are those of standardized data, whatever the unit. A
    start in other units than the data, and no better than a constant answer, is brought into them by the
    first step. A penalty stays one of the weights as they are.

    >>> import glassnet as gn
    >>> isinstance(gn.LBFGS(), gn.Solver), "lbfgs" in gn.SOLVERS
    (True, True)

    SciPy's and PyTorch's tolerances are of another kind: SciPy's share is one of at least 1, PyTorch's no
    share at all, and both take the gradient as it is, so that they change with a summed loss and the unit.
    """

    name: ClassVar[str]
    n_numbers: ClassVar[int] = 0
    """How many `SolverState.numbers` it keeps."""

    gradient_tolerance: float = field(default=1e-7, kw_only=True, metadata=checked(as_not_negative))
    tolerance: float = field(default=1e-9, kw_only=True, metadata=checked(as_not_negative))
    goal: float | None = field(default=None, kw_only=True, metadata=checked(or_none(as_real), added=True))
    seconds: float | None = field(default=None, kw_only=True, metadata=checked(as_bound, added=True))

    @abstractmethod
    def stepper(self, start: Start) -> SolverStepper:
        """What the training loop advances."""

    def check(self, network: Network, memory: int | None = None) -> None:
        """Raise InputError where it cannot train that network, or not on rows streamed in that memory."""

    def fits(self, rows: int, memory: NDArray[np.float64]) -> bool:
        """Whether a run can have kept so many rows of state and these numbers, read from a file."""
        whole = memory.shape == (2 + self.n_numbers,) and 0 <= memory[1] < len(StopReason)
        return rows <= 1 and (whole or memory.shape == (0,))

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML can hold them; without those that are None.

        >>> import glassnet as gn
        >>> gn.LBFGS(memory=5).to_dict()["memory"]
        5
        """
        settings = self.settings().items()
        return {"name": self.name, **{name: value for name, value in settings if value is not None}}


class Start(NamedTuple):
    """Where a solver begins or goes on, with the state of a run (`rows`, `memory` and `steps`).

    `units` are those of the problem, where they are known.
    """

    problem: Problem
    flat: Array
    loss: float
    gradient: Array
    rows: Array
    memory: SolverState = SolverState()
    updates: int = 0
    steps: NDArray[np.float64] = NO_STEPS
    units: Units | None = None


class Point(NamedTuple):
    """Parameters in the problem's precision, with the loss and its gradient there."""

    flat: Array
    loss: float
    gradient: Array


class SolverStepper(ChunkStepper):
    """A solver under way, whose iterations are accepted steps: `step` makes the next one."""

    start_losses = 1

    stuck = StopReason.STUCK
    """Why there was no step."""

    def __init__(self, solver: Solver, start: Start) -> None:
        self._solver, self._units = solver, start.units or units_of(start.problem)
        self.problem = self._units.problem
        self.point = Point(start.flat.copy(), start.loss, start.gradient)
        kept, rows = np.split(start.rows, [len(start.rows) % 2])  # phi, and pairs
        self._in_other_units = bool(len(kept)) != self._units.shifted or any(
            not np.array_equal(self._units.outside(phi), start.flat) for phi in kept
        )
        if self._in_other_units:
            kept, rows = kept[:0], rows[:0]
        if not self._units.is_plain:
            phi = kept[0].copy() if len(kept) else self._units.inside(start.flat)
            self.point = Point(phi, *self.problem.loss_and_gradient(phi))
        # Where training begins, a start that is no better than a constant may be brought into the units.
        self._at_start = self._units.constant is not None and not start.updates
        self.rows = rows.copy()
        self.updates = start.updates
        self.evaluations, self.reason, self.numbers = start.memory
        self._stop = np.zeros(1, np.uint8)
        self._since_step = 0
        self._steps, self._n_steps = start.steps, len(start.steps)
        self._ends = math.inf if solver.seconds is None else time.monotonic() + solver.seconds
        if self.reason is StopReason.TIME:
            self.reason = StopReason.NONE
        if self.reason is StopReason.NONE:
            self.reason = self._reason_here()
        if not self._n_steps:
            self.keep_step()

    @property
    def settled(self) -> bool:
        """Whether the loss is the one to be lowered, and not one that still changes."""
        return True

    @property
    def state(self) -> Array:  # type: ignore[override]  # read only
        """Its rows, and before them phi where theta has not all of its digits."""
        return np.vstack([self.point.flat, self.rows]) if self._units.shifted else self.rows

    @property
    def damping(self) -> float:
        """mu, of rules that have one."""
        return math.nan

    @property
    def steps(self) -> NDArray[np.float64]:  # type: ignore[override]  # read only
        return self._steps[: self._n_steps]

    def keep_step(self, skipped: int = 0) -> None:
        """Add this point to the history, after some points that nobody saw."""
        count = self._n_steps + skipped + 1
        if count > len(self._steps):  # earlier ones are views of what is left behind
            self._steps = padded_steps(self.steps, max(2 * count, 64))
        self._steps[self._n_steps : count - 1] = np.nan
        self._steps[count - 1] = self._gradient_here(), self.damping
        self._n_steps = count

    @property
    def penalties(self) -> Penalties:  # type: ignore[override]  # read only
        penalties, total = self.problem.penalties, self._units.total
        return penalties if total == 1 else replace(penalties, l2=penalties.l2 * total)

    @property
    def flat(self) -> Array:  # type: ignore[override]  # read only
        return self._units.outside(self.point.flat)

    @property
    def memory(self) -> NDArray[np.float64]:  # type: ignore[override]  # read only
        return SolverState(self.evaluations, self.reason, self.numbers).array()

    @property
    def stops(self) -> bool:  # type: ignore[override]  # read only
        return self.reason is not StopReason.NONE

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        end = time.monotonic() + seconds
        self._stop = stop
        for k in range(len(losses)):
            if self.stops:
                return k, False
            self._since_step = 0
            self.problem = self.problem.with_stop(stop)
            try:
                brought_in = self._brought_in() if self._at_start else None
                point = brought_in or self.step()
            except Cut:
                return k, False
            except BaseException as error:  # the steps before count
                self.error = error
                return k, False
            self.evaluations += self._since_step
            if point is None:
                self.reason = self.stuck
                return k, False
            # No call stands between these, in which a signal handler could raise: a step is taken whole.
            before, self.point = self.point.loss, point  # the loss before as the step had it
            losses[k] = point.loss * self._units.loss
            self.updates += 1
            self._at_start = False
            try:
                self.keep_step()
                self.reason = self._reason_here(before if brought_in is None else None)
            except BaseException as error:
                self.error = error
                return k + 1, False
            if stop[0] or time.monotonic() >= end:
                return k + 1, False
        return len(losses), False

    @abstractmethod
    def step(self) -> Point | None:
        """The point that the next step leads to, or None where no step lowers the loss.

        It changes the stepper only once nothing is left that could raise `Cut`.
        """

    def _brought_in(self) -> Point | None:
        """The start in the data's units, where the one that was given is useless; see `Units`."""
        flat = self._units.brought_in(self.point.flat, self.point.loss)
        return None if flat is None else self.evaluate(flat)

    def evaluate(self, flat: Array) -> Point:
        """The loss and its gradient at parameters that are cast to the problem's precision; counted."""
        flat = cast(flat, self.problem.dtype)
        point = Point(flat, *self.problem.loss_and_gradient(flat))
        self.count_evaluation()
        return point

    def count_evaluation(self) -> None:
        """Count an evaluation; raises `Cut` where Ctrl-C has been pressed meanwhile."""
        self._since_step += 1
        if self._stop[0]:
            raise Cut

    def _reason_here(self, before: float | None = None) -> StopReason:
        """Why training ends at this point, after a step from the loss `before`, if it does."""
        solver, loss = self._solver, self.point.loss
        if solver.goal is not None and loss * self._units.loss <= solver.goal:
            return StopReason.GOAL
        if self.settled and self._gradient_here() <= solver.gradient_tolerance:
            return StopReason.FLAT
        if self.settled and before is not None and before - loss <= solver.tolerance * abs(before):
            return StopReason.SLOW
        return StopReason.TIME if time.monotonic() >= self._ends else StopReason.NONE

    def _gradient_here(self) -> float:
        return float(np.abs(self.point.gradient).max())
