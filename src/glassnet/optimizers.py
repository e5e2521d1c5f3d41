"""Floor 5: the rules that move parameters, as frozen records of their settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from glassnet.errors import InputError, InputTypeError, unknown_name


def _as_real(value: object, name: str) -> float:
    """`value` as a Python float; NumPy's scalars would promote float32 parameters to float64."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputTypeError(f"{name} is a number, not {value!r} ({type(value).__name__}).")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"{name} is a whole number too large for a float.") from error


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum: V <- momentum V - learning_rate g, then theta <- theta + V.

    theta, V and g, the loss's gradient, are vectors of one length; V starts at 0. momentum=0 is
    plain gradient descent.

    Parameters
    ----------
    learning_rate : above 0 and finite. Its unit goes with the reduction: a rate r for the mean loss
        of n samples takes the same steps as r / n for their sum.
    momentum : from 0 to below 1, the share of the last step that the next one keeps.

    Raises InputError for a value outside its range, InputTypeError for one that is not a number.

    Example
    -------
    >>> import glassnet as gn
    >>> gn.SGD(learning_rate=1e-4, momentum=0.5)
    SGD(learning_rate=0.0001, momentum=0.5)

    This is Polyak's heavy ball (1964) as in Rumelhart, Hinton and Williams (1986), and what
    scikit-learn computes with nesterovs_momentum=False. PyTorch's buffer is B <- momentum B + g and
    its step theta <- theta - learning_rate B: the same path while the rate is constant (V is
    -learning_rate B), but there a change of rate also rescales the momentum that is already there.
    """

    name: ClassVar[str] = "sgd"

    learning_rate: float = 0.1
    momentum: float = 0.9

    def __post_init__(self) -> None:
        rate = _as_real(self.learning_rate, "learning_rate")
        if not 0 < rate < math.inf:
            raise InputError(f"learning_rate is {rate}; expected a finite number above 0, such as 0.1.")
        momentum = _as_real(self.momentum, "momentum")
        if not 0 <= momentum < 1:
            raise InputError(
                f"momentum is {momentum}; expected a number from 0 to below 1, such as 0.9. "
                f"At 1 and above, steps never die down."
            )
        object.__setattr__(self, "learning_rate", rate)
        object.__setattr__(self, "momentum", momentum)

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML can hold them.

        >>> import glassnet as gn
        >>> gn.SGD(0.5).to_dict()
        {'name': 'sgd', 'learning_rate': 0.5, 'momentum': 0.9}
        """
        return {"name": self.name, **asdict(self)}


Optimizer = SGD
"""Any optimizer of `OPTIMIZERS`, for type annotations."""

OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (SGD,)}
"""Every optimizer's class by name."""


def optimizer_from_dict(settings: Mapping[str, Any]) -> Optimizer:
    """The optimizer that ``to_dict`` described; a setting left out takes its default.

    Raises InputError for a missing or unknown name, an unknown setting or a value out of range.

    >>> from glassnet.optimizers import optimizer_from_dict
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
    return OPTIMIZERS[name](**values)


def check_optimizer(optimizer: object) -> Optimizer:
    """`optimizer` itself, or an InputTypeError that says what an optimizer is."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise InputTypeError(
        f"optimizer is a glassnet optimizer such as gn.SGD(learning_rate=0.1, momentum=0.9), not "
        f"{optimizer!r}."
    )
