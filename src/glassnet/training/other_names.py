"""What arguments of other libraries are called here, for the error that answers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from glassnet.errors import same_name, unknown_arguments
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


def answer(name: str, value: object, rule: object) -> str:
    """What to write for another library's argument, "" for any other; `rule` is the optimizer beside it."""
    for kind in [*([type(rule)] if isinstance(rule, Rule) else []), *RULES.values()]:
        setting = same_name(name, kind().settings())
        if setting is not None:
            return f"optimizer=gn.{kind.__name__}({setting}={value!r})"
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
    rule: object,
    answers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise InputTypeError for arguments that the function does not have, with what to write for each.

    `answers` are the function's own, by name.
    """
    answers = {name: answer(name, value, rule) for name, value in wrong.items()} | dict(answers)
    raise unknown_arguments(function, wrong, known, answers)


def with_other_names(function: Callable[P, Result]) -> Callable[P, Result]:
    """The function, which answers arguments that it does not have in one error for all of them."""
    known = list(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
        if not kwargs.keys() <= names:
            wrong = {name: value for name, value in kwargs.items() if name not in names}
            refuse(function.__name__, wrong, known, kwargs.get("optimizer"))
        return function(*args, **kwargs)

    names = frozenset(known)
    return checked
