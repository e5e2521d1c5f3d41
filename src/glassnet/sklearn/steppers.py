"""The steppers of an estimator: SciPy's L-BFGS-B, a solver of `gn.SOLVERS`, or an optimizer on batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.utils.parallel import _get_threadpool_controller

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.errors import InputError
from glassnet.optim import OPTIMIZERS, SGD, Adam, Optimizer
from glassnet.optim.schedules import Constant, Schedule
from glassnet.training.loop import Loop, Stepper
from glassnet.training.steppers import SOLVERS, LevenbergMarquardt, Solver, SolverStepper, Start
from glassnet.training.steppers.rates import LearningRates
from glassnet.training.steppers.units import Units
from glassnet.utils.settings_checks import as_not_negative, checked

# ---- All samples at once ---------------------------------------------------------------------------


class ScipyLBFGS(Stepper):
    """SciPy's L-BFGS-B over a problem's loss and gradient, as scikit-learn calls it; in float64.

    `offset` is added to every loss. After `drive`, `result` is what SciPy returned, `loss` the last loss.
    """

    start_losses = 0

    def __init__(
        self, problem: Problem, flat: Array, *, max_iter: int, max_fun: int, tol: float, offset: float
    ) -> None:
        self.flat, self.problem, self._offset = flat.astype(np.float64), problem, offset
        self._options = {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
        self.result: Any = None

    @property
    def loss(self) -> float:
        """The loss where SciPy has ended."""
        return float(self.result.fun)

    def drive(self, loop: Loop) -> None:
        losses = loop.next_losses()

        def iterated(intermediate_result: Any) -> None:
            nonlocal losses
            assert losses is not None
            self.flat = intermediate_result.x.copy()
            losses[0] = intermediate_result.fun
            loop.advanced(1)
            losses = loop.next_losses()
            if losses is None:
                raise StopIteration

        # BLAS has vectors of some hundred numbers to work on: its threads take longer to meet than it takes
        # for those. The engine has its own threads.
        with _get_threadpool_controller().limit(limits=1, user_api="blas"):
            self.result = scipy.optimize.minimize(
                self._evaluate,
                self.flat,
                method="L-BFGS-B",
                jac=True,
                callback=iterated,
                options=self._options,
            )
        self.flat = self.result.x

    def _evaluate(self, flat: Array) -> tuple[float, Array]:
        loss, gradient = self.problem.loss_and_gradient(flat)
        return loss + self._offset, gradient


SOLVERS_BY_NAME: dict[str, type[Solver]] = {"lm": LevenbergMarquardt, **SOLVERS}
del SOLVERS_BY_NAME["lbfgs"]  # which is SciPy's
"""The solvers that an estimator's ``solver`` may name beside scikit-learn's, made with its ``tol``."""


def solver_of(estimator: Any) -> Solver | None:
    """The solver of ours that an estimator names or has; None for scikit-learn's."""
    solver = estimator.solver
    if isinstance(solver, Solver):
        return solver
    kind = SOLVERS_BY_NAME.get(solver)
    return None if kind is None else kind(gradient_tolerance=float(estimator.tol))


def start_solver(solver: Solver, problem: Problem, units: Units, flat: Array) -> SolverStepper:
    """The solver's stepper at its start, which evaluates the first loss; `units` are the problem's."""
    loss, gradient = problem.loss_and_gradient(flat)
    return solver.stepper(Start(problem, flat, loss, gradient, np.empty((0, flat.size)), units=units))


# ---- Batches ---------------------------------------------------------------------------------------

MIN_RATE = 1e-6  # at a rate from here down "adaptive" stops
DIVISOR = 5.0
MAX_RATES = 1 << 16  # planned at a time


@dataclass(frozen=True, repr=False)
class AnyMomentum(SGD):
    """Gradient descent whose momentum may be 1 too, which scikit-learn allows."""

    momentum: float = field(default=0.9, metadata=checked(as_not_negative))


class OptimizerState(NamedTuple):
    """An optimizer between two calls of `partial_fit`: its settings, and all that its updates change.

    `kind` names scikit-learn's way to change the rate, where there is no `schedule`: "constant",
    "invscaling", ``first_rate / (samples seen + 1)**power`` from the second epoch on, or "adaptive".
    """

    optimizer: Optimizer
    rows: Array
    first_rate: float
    kind: str = "constant"
    power: float = 0.5
    schedule: Schedule | None = None
    rate: float | None = None
    updates: int = 0
    memory: NDArray[np.float64] | None = None


_UNUSED = Constant(1.0)


class EpochRates(LearningRates):
    """The rates of a fit's epochs, by scikit-learn's rules or by a schedule."""

    stops = False  # until an epoch of this fit has ended: each `partial_fit` makes one

    def __init__(self, state: OptimizerState, updates_per_epoch: int) -> None:
        super().__init__(
            state.schedule or _UNUSED, state.updates, state.memory, updates_per_iteration=updates_per_epoch
        )
        self._start, self._per_epoch = state, updates_per_epoch
        self._follows = self.follow_losses
        self.rate = state.first_rate if state.rate is None else state.rate
        self._planned, self._used = np.array([self.rate]), 0

    def state(self, rows: Array) -> OptimizerState:
        """What the next `partial_fit` goes on with."""
        memory = self.memory if self._follows else None
        return self._start._replace(rows=rows, rate=self.rate, updates=self.updates, memory=memory)

    @property
    def max_epochs(self) -> int:
        """The epochs that may be planned at a time: "invscaling" keeps a rate for each update."""
        return max(1, MAX_RATES // self._per_epoch) if self._start.kind == "invscaling" else MAX_RATES

    def plan(self, epochs: int, seen: int, n_samples: int) -> None:
        """Set the rates of some epochs over `n_samples` samples, after `seen` samples."""
        if self._start.kind == "invscaling":
            rates = [self.rate, *(self._inverse(seen + k * n_samples) for k in range(1, epochs))]
            self._planned = np.repeat(rates, self._per_epoch)
        self._used = 0

    def next(self, count: int) -> NDArray[np.float64]:
        if self._start.schedule is not None:
            return super().next(count)
        return self._planned if len(self._planned) == 1 else self._planned[self._used :]

    def count(self, updates: int) -> None:
        super().count(updates)
        self._used += updates

    def observe(self, losses: NDArray[np.float64]) -> int | None:
        return None  # the reported losses count, which `end_epoch` is given

    def end_epoch(self, loss: float, seen: int) -> None:
        """Take in an epoch's reported loss, and the samples seen in all."""
        if self._follows:
            super().observe(np.array([loss]))
            self.stops = super().stops
        if self._start.kind == "invscaling":
            self.rate = self._inverse(seen)

    def slow_down(self) -> bool:
        """Lower the rate of "adaptive" because training has stalled: whether it was still possible."""
        if self._start.kind != "adaptive" or self.rate <= MIN_RATE:
            return False
        self.rate /= DIVISOR
        self._planned = np.array([self.rate])
        return True

    def _inverse(self, seen: int) -> float:
        return float(self._start.first_rate / (seen + 1) ** self._start.power)


def optimizer_at_rest(estimator: Any, n_parameters: int, dtype: np.dtype[Any]) -> OptimizerState:
    """The optimizer that an estimator's arguments describe, before its first update."""

    def state(optimizer: Optimizer, first: float, *settings: Any, **schedule: Any) -> OptimizerState:
        if getattr(schedule["schedule"], "watches", "training") != "training":
            raise InputError(
                f"{type(schedule['schedule']).__name__} watches the validation losses of gn.train. The "
                f"learning rate of an estimator follows its training loss: gn.Adaptive, or 'adaptive'."
            )
        rows = np.zeros((len(optimizer.state_names), n_parameters), dtype)
        return OptimizerState(optimizer, rows, first, *settings, **schedule)

    if estimator.optimizer is not None:
        optimizer = optimizer_of(estimator)
        return state(optimizer, float(optimizer.schedule.rates(1, 1)[0]), schedule=optimizer.schedule)
    rate, kind = float(estimator.learning_rate_init), estimator.learning_rate
    schedule = kind if isinstance(kind, Schedule) else None
    if estimator.solver == "adam":
        settings = float(estimator.beta_1), float(estimator.beta_2), float(estimator.epsilon)
        return state(_adam(rate, *settings), rate, schedule=schedule)
    nesterov = bool(estimator.nesterovs_momentum)
    sgd = AnyMomentum(rate, momentum=float(estimator.momentum), nesterov=nesterov)
    named = "constant" if schedule is not None else kind
    return state(sgd, rate, named, float(estimator.power_t), schedule=schedule)


@lru_cache(64)
def _adam(*settings: float) -> Adam:
    """scikit-learn's Adam, whose settings are checked once."""
    return Adam(*settings, epsilon_hat=True)


def optimizer_of(estimator: Any) -> Optimizer:
    """The estimator's optimizer, or that of a name at the estimator's learning rate.

    As in scikit-learn, rates that the optimizer does not use may stay, in a search for instance. Raises
    InputError for a schedule that would be ignored.
    """
    optimizer, rate, first = estimator.optimizer, estimator.learning_rate, estimator.learning_rate_init
    if isinstance(optimizer, str):
        if isinstance(rate, str) and rate != "constant":
            raise InputError(
                f"learning_rate={rate!r} is of solver='sgd'; with optimizer={optimizer!r} it is 'constant' "
                "or a schedule, as in learning_rate=gn.Cosine(0.01, steps=2000)."
            )
        return OPTIMIZERS[optimizer](rate if isinstance(rate, Schedule) else float(first))
    if isinstance(rate, Schedule):
        raise InputError(
            f"learning_rate={rate!r} would be ignored: optimizer={optimizer!r} has a rate of its own, "
            "which may be a schedule. Set it there, or name the optimizer, as in optimizer='adamw'."
        )
    return optimizer
