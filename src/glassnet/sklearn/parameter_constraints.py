"""What each constructor argument may be, in the form of scikit-learn's parameter validation."""

from __future__ import annotations

import inspect
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from glassnet.errors import InputTypeError
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import LOSSES, Loss
from glassnet.optim import OPTIMIZERS, Optimizer
from glassnet.optim.schedules import Schedule
from glassnet.sklearn.solvers import BY_NAME
from glassnet.training.steppers import Solver

STOCHASTIC = ("sgd", "adam")

BAR = "bar"  # the ``verbose`` that shows a progress line

REGRESSION_OUTPUTS = ("identity", "exp")
REGRESSION_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.output in REGRESSION_OUTPUTS)

COMMON: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), Activation, list, tuple],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", *BY_NAME}), Solver],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose", StrOptions({BAR})],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer, None],
    "l1": [Interval(Real, 0, None, closed="left")],
    "scoring": [str, callable, list, tuple, dict, None],
    "restore_best": ["boolean"],
    "missing": [StrOptions({"error", "mean", "median"})],
    "dtype": [StrOptions({"float32", "float64"}), HasMethods("type"), type, None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
}

CLASSIFIER: dict[str, list[Any]] = {
    **COMMON,
    "loss": [StrOptions({"log_loss"}), Loss],
    "class_weight": [StrOptions({"balanced"}), dict, list, None],
}

REGRESSOR: dict[str, list[Any]] = {
    **COMMON,
    "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
    "average_outputs": ["boolean"],
}


@cache
def _defaults(kind: type) -> dict[str, Any]:
    return {name: argument.default for name, argument in inspect.signature(kind).parameters.items()}


def check_arguments(estimator: Any) -> None:
    """Raise scikit-learn's error for an argument out of range, and ours for an optimizer that is none.

    Arguments that have their defaults are not checked: that would take longer than to fit a small network.
    """
    kind, values = type(estimator), vars(estimator)
    defaults = _defaults(kind)  # type: ignore[arg-type]  # a class is hashable
    changed = {
        name: values[name]
        for name in estimator._parameter_constraints
        if name in values and values[name] is not defaults.get(name, values)
    }
    if not changed:
        return
    optimizer = changed.get("optimizer")
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise InputTypeError(
            f"optimizer is the class {optimizer.__name__}: make an instance, as in "
            f"gn.{optimizer.__name__}(0.01), or give its name, {optimizer.name!r}."
        )
    if isinstance(optimizer, Solver):
        raise InputTypeError(
            f"optimizer={optimizer!r} is a solver, which gn.train takes in the place of an optimizer; an "
            f"estimator takes it as solver={optimizer!r}, or by name, as in solver='lm'."
        )
    validate_parameter_constraints(estimator._parameter_constraints, changed, caller_name=kind.__name__)
