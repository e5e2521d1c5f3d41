"""What each constructor argument may be, as scikit-learn's validation takes it."""

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

BAR = "bar"
"""The ``verbose`` that shows a progress line."""

OF_NUMBERS = ("identity", "exp")
"""The outputs of a regressor."""

LOSSES_OF_NUMBERS = tuple(name for name, one in LOSSES.items() if one.output in OF_NUMBERS)

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
    "loss": [StrOptions(set(LOSSES_OF_NUMBERS)), Loss],
    "average_outputs": ["boolean"],
}


def _explain_optimizer(value: Any) -> None:
    """Raise InputTypeError for what is near an optimizer."""
    if isinstance(value, type) and issubclass(value, Optimizer):
        raise InputTypeError(
            f"optimizer is the class {value.__name__}: make an instance, as in gn.{value.__name__}(0.01), "
            f"or give its name, {value.name!r}."
        )
    if isinstance(value, Solver):
        raise InputTypeError(
            f"optimizer={value!r} is a solver, which gn.train takes in the place of an optimizer; an "
            f"estimator takes it as solver={value!r}, or by name, as in solver='lm'."
        )


@cache
def _defaults(kind: type) -> dict[str, Any]:
    return {name: one.default for name, one in inspect.signature(kind).parameters.items()}


def check_arguments(estimator: Any) -> None:
    """Raise scikit-learn's error for an argument out of range; the defaults need no check.

    Checking them all would take longer than fitting a small network.
    """
    defaults, found = _defaults(estimator.__class__), estimator.__dict__
    changed = {
        name: found[name]
        for name in estimator._parameter_constraints
        if name in found and found[name] is not defaults.get(name, found)
    }
    if changed:
        _explain_optimizer(changed.get("optimizer"))
        name = type(estimator).__name__
        validate_parameter_constraints(estimator._parameter_constraints, changed, caller_name=name)
