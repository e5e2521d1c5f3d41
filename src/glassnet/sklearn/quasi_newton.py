"""The lbfgs solver: SciPy's L-BFGS-B over the engine's loss and gradient."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import _get_threadpool_controller

from glassnet._types import Array
from glassnet.engine.full_batch import Problem


def minimize(
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
