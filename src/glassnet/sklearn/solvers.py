"""The solvers that take all samples at once: SciPy's L-BFGS-B, and those of `gn.SOLVERS`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import _get_threadpool_controller

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.training.steppers import (
    SOLVERS,
    BayesianRegularization,
    LevenbergMarquardt,
    Solver,
    Start,
)
from glassnet.utils.interrupts import stop_on_interrupt


def minimize_by_scipy(
    problem: Problem,
    flat: Array,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    ended: Callable[[int, float, Array], bool],
    offset: float = 0.0,
) -> tuple[Array, float, int]:
    """The parameters, the loss and the iterations from `flat` on; `ended` is told of each and may stop.

    `offset` is added to every loss. Warns where the solver did not converge.
    """
    iterations = 0

    def evaluate(theta: Array) -> tuple[float, Array]:
        loss, gradient = problem.loss_and_gradient(theta)
        return loss + offset, gradient

    def after(intermediate_result: Any) -> None:
        nonlocal iterations
        iterations += 1
        if ended(iterations, float(intermediate_result.fun), intermediate_result.x):
            raise StopIteration

    # BLAS has vectors of some hundred numbers to do, for which its threads take longer to meet than it
    # takes for them; the engine has threads of its own.
    with _get_threadpool_controller().limit(limits=1, user_api="blas"):
        found = scipy.optimize.minimize(
            evaluate,
            flat.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=after,
            options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
        )
    n_iter = min(int(found.nit), max_iter)
    asked = found.status == 99  # by `ended`
    if found.status != 0 and not asked:
        more = f"\nRaise the limit of iterations (max_iter={max_iter})." if n_iter == max_iter else ""
        warnings.warn(
            f"lbfgs failed to converge after {n_iter} iteration(s) (status={found.status}):\n"
            f"{found.message}\n{more}\nScaling the data may help as well, for instance by StandardScaler.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return found.x, float(found.fun), n_iter


AT_ONCE = 3600.0  # seconds for a step, which comes back when it is made: Ctrl-C ends one sooner


def _made(kind: type[Solver], tol: float) -> Solver:
    return kind(gradient_tolerance=tol)


BY_NAME: dict[str, Callable[[float], Solver]] = {
    "lm": lambda tol: LevenbergMarquardt(gradient_tolerance=tol),
    **{
        name: partial(_made, kind)
        for name, kind in SOLVERS.items()
        if name != "lbfgs"  # which is SciPy's
    },
}
"""The solvers that an estimator's ``solver`` may name beside scikit-learn's, made with its ``tol``."""


def solver_of(estimator: Any) -> Solver | None:
    """The solver of ours that an estimator asks for; None for scikit-learn's."""
    given = estimator.solver
    if isinstance(given, Solver):
        return given
    return BY_NAME[given](float(estimator.tol)) if given in BY_NAME else None


def minimize(
    problem: Problem,
    flat: Array,
    solver: Solver,
    *,
    max_iter: int,
    max_fun: int,
    ended: Callable[[int, float, Array], bool],
    told: dict[str, Any],
    offset: float = 0.0,
) -> tuple[Array, float, int]:
    """The parameters, the loss and the steps from `flat` on; `ended` is told of each and may stop.

    Into `told` goes what the solver tells of its end. `offset` is added to every loss. Warns where the
    solver did not end by itself.
    """
    loss, gradient = problem.loss_and_gradient(flat)
    stepper = solver.stepper(Start(problem, flat, loss, gradient, np.empty((0, flat.size))))
    made, losses, asked = 0, np.array([loss]), False
    with stop_on_interrupt() as interrupts:
        while made < max_iter and stepper.evaluations < max_fun and not (stepper.stops or asked):
            before = made
            made += stepper.advance(losses, interrupts.stop, AT_ONCE)[0]
            if made > before:
                asked = ended(made, float(losses[0]) + offset, stepper.flat)
            elif interrupts.stop[0]:
                break
        interrupted = bool(interrupts.stop[0])
    told["reason_"] = stepper.reason.text
    if isinstance(solver, BayesianRegularization):
        told["evidence_"] = solver.evidence(stepper.numbers)
    if interrupted:
        warnings.warn("Training interrupted by user.", stacklevel=2)
    elif not (stepper.stops or asked):
        what, limit = ("max_iter", max_iter) if made == max_iter else ("max_fun", max_fun)
        warnings.warn(
            f"{type(solver).__name__} failed to converge after {made} iteration(s). Raise the limit "
            f"({what}={limit}), or let it end sooner by a larger tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return stepper.flat.copy(), float(losses[0]) + offset, made
