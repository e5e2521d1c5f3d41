"""What arguments of other libraries are called here, for the error that answers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from glassnet.errors import InputTypeError, nearest_name
from glassnet.training.steppers import RULES, Rule

P = ParamSpec("P")
Result = TypeVar("Result")

_OTHERS: Mapping[str, str] = {
    "iterations={value}, which are updates on the full batch and epochs with a batch_size": (
        "epochs max_iter max_epochs n_epochs num_epochs nb_epoch n_iter maxiter max_iters steps n_steps "
        "max_steps num_iterations"
    ),
    "random_state={value}": "seed random_seed rng generator",
    "batch_size={value}": "minibatch_size mini_batch_size batch bs",
    "validation={value}": "validation_split validation_fraction validation_data eval_set val_ratio",
    "stopping=gn.EarlyStopping(patience=10)": "early_stopping patience n_iter_no_change max_fail",
    "stopping=gn.EarlyStopping(tolerance={value})": "tol tolerance min_delta",
    "optimizer={value}": "solver algorithm train_fcn trainFcn optim method",
    "optimizer=gn.SGD(gn.Exponential(0.1, decay=0.01)) or another of gn.SCHEDULES": (
        "scheduler lr_scheduler lr_schedule schedule learning_rate_schedule power_t"
    ),
    "l2={value}": "alpha weight_decay regularization reg_lambda l2_penalty",
    "threads={value}": "n_jobs n_threads num_threads num_workers workers nthreads",
    "progress={value!r}": "verbose verbosity show_progress",
    "dtype={value}": "precision",
    "engine={value}": "backend device",
    "scheme={value}": "init initializer kernel_initializer weight_init initialization",
    "parameters={value}": "weights initial_weights init_weights warm_start theta theta0 coefs_",
    "sample_weight={value}": "sample_weights weight",
    "class_weight={value}": "class_weights",
    "callbacks={value}": "callback",
    "standardize={value}": "normalize scale scaling process_fcns",
    "dropout={value}": "dropout_rate drop_rate",
    "validate_every={value}": "validation_freq validation_frequency eval_every",
    "average=0.999": "ema use_ema averaging polyak",
    "gn.Network(sizes, hidden={value!r})": "activation activations hidden_activation transfer_fcn",
    "gn.Network((inputs, *widths, outputs))": "hidden_layer_sizes hidden hidden_sizes layers units",
    "gn.Network(sizes, output={value!r})": "output output_activation out_activation",
    "gn.Network(sizes, loss={value!r})": "loss criterion loss_fn loss_function objective perform_fcn",
}
"""What to write, and the names that Keras, PyTorch, scikit-learn, MATLAB and others have for it."""

_MEANT = {name.lower(): answer for answer, names in _OTHERS.items() for name in names.split()}

_OF_RULES = {
    "lr": "learning_rate",
    "learning_rate_init": "learning_rate",
    "eta": "learning_rate",
    "eta0": "learning_rate",
    "step_size": "learning_rate",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "eps": "epsilon",
    "nesterovs_momentum": "nesterov",
    "mc": "momentum",
    "mu": "damping",
    "mu_max": "largest_damping",
    "min_grad": "gradient_tolerance",
    "time": "seconds",
}
"""Other names of the settings of optimizers."""


def answer(name: str, value: object, rule: Rule | None) -> str:
    """What to write for another library's argument, "" for any other; `rule` is the optimizer beside it."""
    setting = _OF_RULES.get(name.lower(), name)
    owners = [kind for kind in RULES.values() if setting in kind().settings()]
    if rule is not None and setting in rule.settings():
        owners = [type(rule), *owners]
    if owners:
        return f"optimizer=gn.{owners[0].__name__}({setting}={value!r})"
    if name.lower() in _MEANT:
        return _MEANT[name.lower()].format(value=_brief(value))
    return ""


def _brief(value: object) -> str:
    text = repr(value)
    if len(text) <= 40 and "\n" not in text:
        return text
    return "(X, y)" if isinstance(value, tuple) else f"<{type(value).__name__}>"


def refuse(
    function: str,
    wrong: Mapping[str, object],
    known: Iterable[str],
    rule: Rule | None,
    answers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise InputTypeError for arguments that the function does not have, with what to write for each.

    `answers` are the function's own, by name.
    """
    names, known = [*wrong], [*known]
    words = ""
    for name in names:
        written = answers.get(name) or answer(name, wrong[name], rule)
        near = nearest_name(name, known)
        if written:
            words += f" For {name}: {written}."
        elif near is not None:
            words += f" Did you mean {near!r} by {name!r}?"
    kind = "argument" if len(names) == 1 else "arguments"
    raise InputTypeError(
        f"{function} has no {kind} {', '.join(map(repr, names))}.{words} It has {', '.join(known)}."
    )


def with_other_names(function: Callable[P, Result]) -> Callable[P, Result]:
    """The function, which answers arguments that it does not have in one error for all of them."""
    known = list(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
        if not kwargs.keys() <= names:
            wrong = {name: value for name, value in kwargs.items() if name not in names}
            rule: Any = kwargs.get("optimizer")
            refuse(function.__name__, wrong, known, rule if hasattr(rule, "settings") else None)
        return function(*args, **kwargs)

    names = frozenset(known)
    return checked
