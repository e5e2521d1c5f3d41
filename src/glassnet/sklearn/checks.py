"""The checks of arguments and of samples, as scikit-learn makes them, with fast ways for what is usual.

scikit-learn's own functions take as long as the fit of a small network. They check whatever the fast ways
do not take, such as everything that deserves an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix, issparse
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight, validate_data

from glassnet.errors import InputTypeError
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import LOSSES, Loss
from glassnet.optim import OPTIMIZERS, Optimizer
from glassnet.optim.schedules import Schedule
from glassnet.sklearn.steppers import SOLVERS_BY_NAME
from glassnet.training.other_names import brief, setting_meant
from glassnet.training.steppers import Solver
from glassnet.utils.threads import MOST_THREADS

# ---- Arguments -------------------------------------------------------------------------------------

THEIR_MODULE = "sklearn.neural_network._multilayer_perceptron"
"""Where scikit-learn's fits warn: ``filterwarnings("ignore", module="sklearn")`` is to hide ours too."""

STOCHASTIC = ("sgd", "adam")

BAR = "bar"  # the ``verbose`` that shows a progress line

REGRESSION_OUTPUTS = ("identity", "exp")
REGRESSION_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.output in REGRESSION_OUTPUTS)

COMMON: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), Activation, list, tuple],
    "solver": [StrOptions({"lbfgs", "sgd", "adam", *SOLVERS_BY_NAME}), Solver],
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
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "dtype": [StrOptions({"float32", "float64"}), HasMethods("type"), type, None],
    "n_threads": [Interval(Integral, 1, MOST_THREADS, closed="both"), None],
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
def defaults_of(kind: type) -> dict[str, Any]:
    """The arguments of a class and their defaults."""
    return {name: argument.default for name, argument in inspect.signature(kind).parameters.items()}


def check_arguments(estimator: Any) -> None:
    """Raise scikit-learn's error for an argument out of range, and ours for an optimizer that is none.

    Arguments that have their defaults are not checked: that would take longer than to fit a small network.
    """
    kind, values = type(estimator), vars(estimator)
    defaults = defaults_of(kind)  # type: ignore[arg-type]  # a class is hashable
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


def not_fitted(estimator: Any) -> NotFittedError:
    """scikit-learn's error of an estimator that is not fitted; of one that is in part, what is missing."""
    name, needed, known = type(estimator).__name__, estimator._needed, vars(estimator)
    missing = [attribute for attribute in needed if known.get(attribute) is None]
    more = f", or set {', '.join(missing)} as well" if len(missing) < len(needed) else ""
    return NotFittedError(
        f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments before using this "
        f"estimator{more}."
    )


# ---- Samples ---------------------------------------------------------------------------------------

MAX_DENSITY = 0.05
"""The share of nonzero entries from which on a sparse X is made an array."""

MIN_ENTRIES, MIN_ENTRIES_TO_PREDICT = 1 << 23, 1 << 17
"""Entries from which on an X is trained on, and predicted for, as sparse rows."""

_SPARSE = (csr_array, csr_matrix, csc_array, csc_matrix)

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


_ARGUMENTS = {
    "iterations": "max_iter={value}",
    "learning_rate": "learning_rate_init={value}, or as a schedule learning_rate=gn.Cosine(0.1, steps=99)",
    "l2": "alpha={value}",
    "threads": "n_threads={value}",
    "progress": "verbose={value}",
    "hidden": "hidden_layer_sizes={value}",
    "validation": "early_stopping=True, validation_fraction=0.1",
    "stopping": "early_stopping=True, n_iter_no_change=10",
    "stopping.patience": "early_stopping=True, n_iter_no_change={value}",
    "stopping.tolerance": "tol={value}",
    "standardize": "make_pipeline(StandardScaler(), model), of scikit-learn",
}
"""What to write in an estimator for a setting of `glassnet.train`."""


def answer_for(name: str, value: object, known: Collection[str]) -> str:
    """What to write for an argument that an estimator lacks, "" where that is not known."""
    setting = setting_meant(name) or name
    written = (
        "{name}={value}" if setting in known and setting != "learning_rate" else _ARGUMENTS.get(setting)
    )
    return "" if written is None else written.format(name=setting, value=brief(value))


def check_inputs(estimator: Any, X: Any) -> Any:
    """X for a prediction, an array or a sparse matrix."""
    if _is_plain(X) and _is_known(estimator, X):
        return X
    return validate_data(estimator, X, **_options(estimator), reset=False)


def check_samples(estimator: Any, X: Any, y: Any, reset: bool, numeric: bool) -> tuple[Any, Any]:
    """X, an array or a sparse matrix of float32 or float64, and y; `reset` learns X's width and names."""
    dtype = None if estimator.dtype is None else np.dtype(estimator.dtype)
    if (
        _is_plain(X)
        and (dtype is None or dtype == X.dtype)
        and (reset or _is_known(estimator, X))
        and type(y) is np.ndarray
        and y.ndim in (1, 2)
        and len(y) == X.shape[0]
        and (y.dtype.kind in "iub" or (y.dtype in FLOATS and _is_finite(y)))
    ):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
        return X, y
    options = _options(estimator) | {"multi_output": True, "dtype": FLOATS if dtype is None else dtype}
    if numeric:
        options["y_numeric"] = True
    return validate_data(estimator, X, y, **options, reset=reset)


def as_rows(X: Any, dtype: np.dtype[Any]) -> Any:
    """Checked samples in the precision to compute in, an array in C order or sparse rows."""
    return csr_array(X, dtype=dtype) if issparse(X) else np.ascontiguousarray(X, dtype)


def stays_sparse(X: Any, min_entries: float) -> bool:
    """Whether X is better left sparse: of `min_entries` or more, nearly all of them 0.

    Otherwise the engine, which reads arrays, is faster by far.
    """
    entries = X.shape[0] * X.shape[1]
    return issparse(X) and entries >= min_entries and X.nnz < MAX_DENSITY * entries


def check_weights(weights: Any, X: Any) -> NDArray[Any]:
    """The samples' weights, one for each row of X."""
    plain = type(weights) is np.ndarray and weights.shape == (X.shape[0],) and weights.dtype in FLOATS
    if plain and weights.flags.c_contiguous and _is_finite(weights) and weights.any():
        return weights
    return _check_sample_weight(weights, X)


def _options(estimator: Any) -> dict[str, Any]:
    finite = True if estimator.missing == "error" else "allow-nan"
    return {"accept_sparse": ["csr", "csc"], "ensure_all_finite": finite}


def _is_plain(X: Any) -> bool:
    if type(X) in _SPARSE:
        return X.ndim == 2 and min(X.shape) > 0 and X.dtype in FLOATS and _is_finite(X.data)
    return type(X) is np.ndarray and X.ndim == 2 and X.size > 0 and X.dtype in FLOATS and _is_finite(X)


def _is_finite(array: Any) -> bool:
    # A finite sum proves every entry finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))


def _is_known(estimator: Any, X: Any) -> bool:
    """Whether X has the width that was fitted, and the fit had no feature names."""
    fitted = vars(estimator)
    return fitted.get("n_features_in_") == X.shape[1] and "feature_names_in_" not in fitted
