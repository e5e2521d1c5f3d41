"""The base of every optimizer: a frozen record of settings with a pure update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from glassnet._types import Array
from glassnet.optim.penalties import Mask
from glassnet.optim.schedules import Schedule, as_schedule
from glassnet.utils.settings_checks import Settings, as_bound, as_positive, checked


def as_rate(value: object, name: str) -> float | Schedule:
    """A learning rate: a number above 0, or a schedule of them."""
    return value if isinstance(value, Schedule) else as_positive(value, name)


class Line(NamedTuple):
    """One line of an update: theta or a letter of its state gets a new number, or `value` computes one.

    Names in both are the rule's settings, t, rate, g, theta, the letters, and symbols of the lines before.
    """

    symbol: str
    formula: str
    value: Callable[[Mapping[str, float]], float] | None = None


@dataclass(frozen=True, repr=False)
class Optimizer(Settings, ABC):
    """A rule that moves the parameters along a gradient g, at a learning rate for each update.

    Parameters
    ----------
    learning_rate : above 0 and finite, or a schedule such as ``gn.Cosine(0.1, steps=1000)``.
    clip_norm : the greatest length of the gradient of all parameters together, penalties included: a longer
        one is scaled down to it; None leaves the gradient as it is.
    clip_value : before that, each entry of the gradient is clipped to within +- this; None leaves it.

    ``update`` is the rule itself; ``state_names`` name the rows of its state, an array (rows, parameters)
    in the precision of the parameters that starts at 0.

    Every optimizer raises InputError for a value outside its range and InputTypeError for one of another
    type.

    >>> import numpy as np, glassnet as gn
    >>> theta, g, is_weight = np.array([1.0, -1.0]), np.array([2.0, 0.0]), np.array([True, True])
    >>> gn.SGD(momentum=0).update(theta, np.zeros((1, 2)), g, 1, 0.25, is_weight)[0].tolist()
    [0.5, -1.0]
    """

    name: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]]
    letters: ClassVar[tuple[str, ...]] = ()
    """The rows of the state as the formulas of `lines` write them."""
    coefficients: ClassVar[tuple[str, ...]] = ()
    """The fields that the native engine reads, in its order."""
    flag: ClassVar[str] = ""
    """The field that is True or False, if there is one."""

    learning_rate: float | Schedule = field(default=0.1, metadata=checked(as_rate))
    clip_norm: float | None = field(default=None, kw_only=True, metadata=checked(as_bound))
    clip_value: float | None = field(default=None, kw_only=True, metadata=checked(as_bound))

    @abstractmethod
    def update(
        self, theta: Array, state: Array, gradient: Array, t: int, rate: float, is_weight: Mask
    ) -> tuple[Array, Array]:
        """The parameters and the state after update t, counted from 1, as new arrays.

        theta, gradient and is_weight are (n_parameters,), state (rows, n_parameters); the gradient is
        already clipped. `rate` is a Python float, so that float32 stays float32.
        """

    def lines(self, is_weight: bool) -> list[Line]:
        """The update of one parameter, a weight or a bias, line by line."""
        return []

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule, even where it is a number."""
        return as_schedule(self.learning_rate, "learning_rate")

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings that are not None, as JSON and TOML hold them.

        >>> import glassnet as gn
        >>> gn.SGD(0.5).to_dict()
        {'name': 'sgd', 'learning_rate': 0.5, 'momentum': 0.9, 'nesterov': False}
        """
        settings = {name: value for name, value in self.settings().items() if value is not None}
        plain = {k: v.to_dict() if isinstance(v, Schedule) else v for k, v in settings.items()}
        return {"name": self.name, **plain}
