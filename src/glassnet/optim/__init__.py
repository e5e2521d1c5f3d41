"""The rules that move parameters, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from glassnet.errors import InputError, InputTypeError, nearest_name, unknown_name
from glassnet.optim.adam import Adam, AdamW, AMSGrad, Nadam
from glassnet.optim.adaptive import Adadelta, Adagrad, RMSprop
from glassnet.optim.base import Optimizer
from glassnet.optim.descent import SGD, Lion
from glassnet.optim.schedules import schedule_from_dict

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "check_optimizer",
    "optimizer_from_dict",
]

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (SGD, RMSprop, Adagrad, Adadelta, Adam, AMSGrad, AdamW, Nadam, Lion)
}
"""Every optimizer's class by name."""


def optimizer_from_dict(settings: Mapping[str, Any]) -> Optimizer:
    """The optimizer that ``to_dict`` described; a setting left out takes its default.

    Raises InputError for a missing or unknown name, an unknown setting or a value out of range.

    >>> from glassnet.optim import optimizer_from_dict
    >>> optimizer_from_dict({"name": "sgd", "learning_rate": 0.5})
    SGD(learning_rate=0.5, momentum=0.9)
    """
    if not isinstance(settings, Mapping):
        raise InputTypeError(
            f'An optimizer is described by a mapping such as {{"name": "sgd", "learning_rate": 0.1}}, '
            f"not {settings!r}."
        )
    values = dict(settings)
    if "name" not in values:
        raise InputError(f"The optimizer has no name. Choose one of: {', '.join(OPTIMIZERS)}.")
    name = values.pop("name")
    if name not in OPTIMIZERS:
        raise unknown_name("optimizer", name, OPTIMIZERS)
    known = [field.name for field in fields(OPTIMIZERS[name])]
    for setting in values:
        if setting not in known:
            raise unknown_name(f"setting of the optimizer {name!r}:", setting, known)
    if isinstance(values.get("learning_rate"), Mapping):
        values["learning_rate"] = schedule_from_dict(values["learning_rate"])
    return OPTIMIZERS[name](**values)


def check_optimizer(optimizer: object) -> Optimizer:
    """`optimizer` itself, or an InputTypeError that says what an optimizer is."""
    if isinstance(optimizer, Optimizer):
        if OPTIMIZERS.get(optimizer.name) is not type(optimizer):
            # The native engine and files know a rule by its name, and would take another one for it.
            raise InputTypeError(
                f"optimizer is one of {', '.join(kind.__name__ for kind in OPTIMIZERS.values())}, not "
                f"{type(optimizer).__name__}, a rule of your own: call it in a loop of your own, with "
                f"gn.prepare(network, X, y).loss_and_gradient."
            )
        return optimizer
    meant = optimizer
    if isinstance(optimizer, str):
        meant = OPTIMIZERS.get(nearest_name(optimizer, OPTIMIZERS) or "")
    hint = ""
    if isinstance(meant, type) and meant in OPTIMIZERS.values():
        hint = f" Use gn.{meant.__name__}()."
    raise InputTypeError(
        f"optimizer is a glassnet optimizer such as gn.SGD(learning_rate=0.1, momentum=0.9), not "
        f"{optimizer!r}.{hint}"
    )
