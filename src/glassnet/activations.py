"""Floor 1: the functions of the hidden layers, each a record of value and derivative."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputTypeError, unknown_name

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Activation:
    """A function applied to each entry of Z, with its derivative beside it.

    ``value(Z)`` gives H; ``derivative(Z, H)`` gives dH/dZ and may use whichever of the two is
    handier (the logistic function's is H (1 - H)). Both take and return arrays of one shape and
    keep its precision. ``kinks`` are the points where the derivative jumps: the gradient checker
    does not judge an entry whose step crosses one.

    Example
    -------
    >>> import numpy as np
    >>> from glassnet import Activation, Network
    >>> square = Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")
    >>> Network((2, 3, 2), hidden=square).hidden[0].name
    'square'

    A record that is not in `ACTIVATIONS` runs on the NumPy engine.
    """

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    formula: str
    derivative_formula: str
    kinks: tuple[float, ...] = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # A built-in record travels by name: lambdas do not pickle, and a copy would be another record.
        if ACTIVATIONS.get(self.name) is self:
            return get_activation, (self.name,)
        return super().__reduce_ex__(protocol)


def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)), written so that exp never overflows: its argument is never positive."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


ACTIVATIONS: dict[str, Activation] = {
    record.name: record
    for record in (
        Activation(
            "logistic",
            value=logistic,
            derivative=lambda z, h: h * (1 - h),
            formula="1 / (1 + exp(-z))",
            derivative_formula="h (1 - h)",
        ),
        Activation(
            "tanh",
            value=np.tanh,
            derivative=lambda z, h: 1 - h * h,
            formula="tanh(z)",
            derivative_formula="1 - h^2",
        ),
        Activation(
            "relu",
            value=lambda z: np.maximum(z, 0),
            # At the kink itself the derivative is taken as 0, as PyTorch and scikit-learn do.
            derivative=lambda z, h: (z > 0).astype(z.dtype),
            formula="max(z, 0)",
            derivative_formula="1 where z > 0, else 0",
            kinks=(0.0,),
        ),
        Activation(
            "identity",
            value=lambda z: z,
            derivative=lambda z, h: np.ones_like(z),
            formula="z",
            derivative_formula="1",
        ),
    )
}
"""Every built-in activation by name."""


def get_activation(activation: str | Activation) -> Activation:
    """The record for a name; a record passes through.

    Raises InputError for a name that is not known (with the nearest one that is), InputTypeError
    for anything that is neither.
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise InputTypeError(
            f"An activation is a name or a glassnet.Activation, not {activation!r} "
            f"({type(activation).__name__}). Names: {', '.join(ACTIVATIONS)}."
        )
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    return ACTIVATIONS[activation]
