"""The rules that move parameters, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassnet.errors import InputTypeError, nearest_name
from glassnet.optim import adam, adaptive, descent
from glassnet.optim.adam import *  # noqa: F403
from glassnet.optim.adaptive import *  # noqa: F403
from glassnet.optim.base import Optimizer
from glassnet.optim.descent import *  # noqa: F403
from glassnet.optim.schedules import schedule_from_dict
from glassnet.utils.settings_checks import settings_from_dict

__all__ = ["OPTIMIZERS", "Optimizer", "check_optimizer", "optimizer_from_dict"]
__all__ += descent.__all__
__all__ += adaptive.__all__
__all__ += adam.__all__

OPTIMIZERS: dict[str, type[Optimizer]] = {
    vars(module)[kind].name: vars(module)[kind]
    for module in (descent, adaptive, adam)
    for kind in module.__all__
}
"""Every optimizer's class by name: all that the modules of rules list as public."""


def optimizer_from_dict(settings: Mapping[str, Any]) -> Optimizer:
    """The optimizer from what ``to_dict`` gives; a missing setting takes its default.

    Raises InputError for a missing or unknown name, an unknown setting or a value out of range.

    >>> from glassnet.optim import optimizer_from_dict
    >>> optimizer_from_dict({"name": "sgd", "learning_rate": 0.5})
    SGD(learning_rate=0.5, momentum=0.9)
    """
    example = '{"name": "sgd", "learning_rate": 0.1}'
    nested = {"learning_rate": schedule_from_dict}
    return settings_from_dict(settings, OPTIMIZERS, "optimizer", "name", example, nested)


def check_optimizer(optimizer: object) -> Optimizer:
    """`optimizer` itself, or an InputTypeError that says what an optimizer is."""
    if isinstance(optimizer, Optimizer):
        if OPTIMIZERS.get(optimizer.name) is not type(optimizer):
            # The native engine and files know a rule by its name, and would take ours for the user's.
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
