"""What every optimizer is: a frozen record of settings, and a pure update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from glassnet._types import Array
from glassnet.optim.penalties import Mask
from glassnet.optim.schedules import Schedule, as_schedule
from glassnet.utils.settings_checks import Settings, as_bound, as_positive


def as_rate(value: object, name: str) -> float | Schedule:
    """A learning rate: a number above 0, or a schedule of them."""
    return value if isinstance(value, Schedule) else as_positive(value, name)


COMMON: Mapping[str, Any] = {"learning_rate": as_rate, "clip_norm": as_bound, "clip_value": as_bound}
"""The settings that every optimizer has, with their checks."""


@dataclass(frozen=True, repr=False)
class Optimizer(Settings, ABC):
    """A rule that moves the parameters along a gradient g, at a learning rate for each update.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule such as ``gn.Cosine(0.1, steps=1000)``.
    clip_norm : the gradient is made shorter where it is longer than this, all parameters together;
        None leaves it. It is clipped as the rule gets it, penalties included.
    clip_value : before that, each entry of the gradient is taken to within +- this; None leaves it.

    ``update`` is the rule itself; ``state_names`` are the rows of the state that it keeps, an array
    (rows, parameters) of the parameters' precision which starts at 0.

    >>> import numpy as np, glassnet as gn
    >>> theta, g, is_weight = np.array([1.0, -1.0]), np.array([2.0, 0.0]), np.array([True, True])
    >>> gn.SGD(momentum=0).update(theta, np.zeros((1, 2)), g, 1, 0.25, is_weight)[0].tolist()
    [0.5, -1.0]
    """

    name: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]]
    coefficients: ClassVar[tuple[str, ...]] = ()
    """The fields that the native engine is told, in its order."""
    flag: ClassVar[str] = ""
    """The one of True or False."""

    learning_rate: float | Schedule = 0.1
    clip_norm: float | None = field(default=None, kw_only=True)
    clip_value: float | None = field(default=None, kw_only=True)

    @abstractmethod
    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        """The parameters and the state after update number t, from 1, as new arrays.

        theta, gradient and is_weight are (n_parameters,), state (rows, n_parameters); the gradient is
        already clipped. `rate` is a Python float, so that float32 stays float32.
        """

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule, also where it is a number."""
        return as_schedule(self.learning_rate, "learning_rate")

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML can hold them; what is None is left out.

        >>> import glassnet as gn
        >>> gn.SGD(0.5).to_dict()
        {'name': 'sgd', 'learning_rate': 0.5, 'momentum': 0.9, 'nesterov': False}
        """
        settings = {name: value for name, value in self.settings().items() if value is not None}
        plain = {k: v.to_dict() if isinstance(v, Schedule) else v for k, v in settings.items()}
        return {"name": self.name, **plain}
