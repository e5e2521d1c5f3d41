"""What arguments of other libraries are called here, for the error that answers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from glassnet.errors import same_name, unknown_arguments
from glassnet.training.settings import NAMES
from glassnet.training.steppers import RULES, rule_class

P = ParamSpec("P")
Result = TypeVar("Result")

_OTHERS = {
    "iterations": "epochs max_iter max_epochs n_epochs num_epochs nb_epoch n_iter maxiter max_iters steps "
    "n_steps max_steps num_iterations",
    "random_state": "seed random_seed rng generator",
    "batch_size": "minibatch_size mini_batch_size batch bs",
    "validation": "validation_split validation_fraction validation_data eval_set val_ratio",
    "stopping.patience": "early_stopping patience n_iter_no_change max_fail",
    "stopping.tolerance": "tol tolerance min_delta",
    "optimizer": "solver algorithm train_fcn trainFcn optim method",
    "learning_rate": "scheduler lr_scheduler lr_schedule schedule learning_rate_schedule power_t",
    "l2": "alpha weight_decay regularization reg_lambda l2_penalty",
    "threads": "n_jobs n_threads num_threads num_workers workers nthreads",
    "progress": "verbose verbosity show_progress",
    "dtype": "precision",
    "engine": "backend device",
    "scheme": "init initializer kernel_initializer weight_init initialization",
    "parameters": "weights initial_weights init_weights warm_start theta theta0 coefs_",
    "sample_weight": "sample_weights weight",
    "class_weight": "class_weights",
    "callbacks": "callback",
    "standardize": "normalize scale scaling process_fcns",
    "dropout": "dropout_rate drop_rate",
    "validate_every": "validation_freq validation_frequency eval_every",
    "average": "ema use_ema averaging polyak",
    "activation": "activation activations hidden_activation transfer_fcn",
    "hidden": "hidden_layer_sizes hidden hidden_sizes layers units",
    "output": "output output_activation out_activation",
    "loss": "loss criterion loss_fn loss_function objective perform_fcn",
}
"""What Keras, PyTorch, scikit-learn, MATLAB and others call a setting, by its name in files and sweeps."""

_WRITTEN = {
    "iterations": "iterations={value}, which are updates on the full batch and epochs with a batch_size",
    "stopping.patience": "stopping=gn.EarlyStopping(patience=10)",
    "stopping.tolerance": "stopping=gn.EarlyStopping(tolerance={value})",
    "learning_rate": "optimizer=gn.SGD(gn.Exponential(0.1, factor=0.999)) or another of gn.SCHEDULES",
    "average": "average=0.999",
    "activation": "gn.Network(sizes, hidden={value})",
    "hidden": "gn.Network((inputs, *widths, outputs))",
    "output": "gn.Network(sizes, output={value})",
    "loss": "gn.Network(sizes, loss={value})",
}
"""What to write where it is not the setting and its value."""

_MEANT = {name.lower(): setting for setting, names in _OTHERS.items() for name in names.split()}


def answer(name: str, value: object, rule: object) -> str:
    """What to write for another library's argument, "" for any other; `rule` is the optimizer beside it."""
    chosen = rule_class(rule) or (rule if isinstance(rule, type) else type(rule))
    for kind in [*([chosen] if chosen in RULES.values() else []), *RULES.values()]:
        setting = same_name(name, kind().settings())
        if setting is not None:
            return f"optimizer=gn.{kind.__name__}({setting}={value!r})"
    meant = _MEANT.get(name.lower())
    return "" if meant is None else _WRITTEN.get(meant, meant + "={value}").format(value=brief(value))


def setting_meant(name: str) -> str:
    """What another library's name is called in files and sweeps; "" for any other name.

    >>> from glassnet.training.other_names import setting_meant
    >>> setting_meant("lr"), setting_meant("epochs"), setting_meant("patience"), setting_meant("iterations")
    ('learning_rate', 'iterations', 'stopping.patience', '')
    """
    setting = same_name(name, [setting for kind in RULES.values() for setting in kind().settings()])
    return _MEANT.get(name.lower(), "") if setting in (None, name) else setting


def brief(value: object) -> str:
    """The value as an error writes it: short, on one line."""
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


def _kept(wrong: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """The answers to settings of `train` and of the network that a run keeps, by the names given."""
    meant = {name: (setting_meant(name) or name).partition(".")[0] for name in wrong}
    of_rules = {setting for kind in RULES.values() for setting in kind().settings()}
    return {
        name: f"a run keeps its {setting}; start another one by gn.train(..., parameters=run.parameters)"
        for name, setting in meant.items()
        if setting in {*NAMES, *_WRITTEN} - of_rules and setting not in known
    }


def with_other_names(function: Callable[P, Result]) -> Callable[P, Result]:
    """The function, which answers arguments that it does not have in one error for all of them.

    A method is one of a run's, which keeps the settings that it does not take.
    """
    known = list(inspect.signature(function).parameters)
    of_run = known[0] == "self"
    known = known[of_run:]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
        if not kwargs.keys() <= names:
            wrong = {name: value for name, value in kwargs.items() if name not in names}
            rule = kwargs.get("optimizer", getattr(args[0], "optimizer", None) if of_run and args else None)
            refuse(function.__name__, wrong, known, rule, _kept(wrong, names) if of_run else {})
        return function(*args, **kwargs)

    names = frozenset(known)
    return checked
