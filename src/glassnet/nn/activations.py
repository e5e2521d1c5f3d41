"""The activations of the hidden layers, each a record of value and derivative."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputTypeError, unknown_name
from glassnet.nn import special


@dataclass(frozen=True)
class Activation:
    """A function applied to each entry of Z, with its derivative beside it.

    ``value(Z)`` gives H; ``derivative(Z, H)`` gives dH/dZ from whichever of the two is handier (for the
    logistic function H (1 - H)). Both take and return arrays of one shape and keep the precision.
    ``kinks`` are the points where the derivative jumps: the gradient checker does not judge an entry whose
    step crosses one.

    Example
    -------
    >>> import numpy as np
    >>> from glassnet import Activation, Network
    >>> square = Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")
    >>> Network((2, 3, 2), hidden=square).hidden[0].name
    'square'

    Only the NumPy engine runs a record that is not in `ACTIVATIONS`.
    """

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    formula: str
    derivative_formula: str
    kinks: tuple[float, ...] = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # A built-in record is pickled by its name: lambdas do not pickle, and a copy would be a new record.
        if ACTIVATIONS.get(self.name) is self:
            return get_activation, (self.name,)
        return super().__reduce_ex__(protocol)


def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)); exp never overflows, because its argument is never positive."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


LEAK = 0.01
"""The slope of leaky_relu below 0: PyTorch's default."""

# The digits of the appendix of Klambauer et al., Self-normalizing neural networks, 2017.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def softsign(z: Array) -> Array:
    """z / (1 + |z|); an infinite z gives 1 or -1."""
    largest = np.finfo(z.dtype).max / 4
    z = np.clip(z, -largest, largest)
    return z / (1 + np.abs(z))


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
            # At the kink the derivative is 0, as in PyTorch and scikit-learn.
            derivative=lambda z, h: (z > 0).astype(z.dtype),
            formula="max(z, 0)",
            derivative_formula="1 where z > 0, else 0",
            kinks=(0.0,),
        ),
        Activation(
            "leaky_relu",
            value=lambda z: np.where(z > 0, z, LEAK * z),
            derivative=lambda z, h: np.where(z > 0, 1, LEAK).astype(z.dtype),
            formula=f"max(z, {LEAK} * z)",
            derivative_formula=f"1 where z > 0, else {LEAK}",
            kinks=(0.0,),
        ),
        Activation(
            "elu",
            value=lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
            # PyTorch takes h + 1, which has no digits left where z is far below 0.
            derivative=lambda z, h: np.exp(np.minimum(z, 0)),
            formula="max(z, 0) + exp(min(z, 0)) - 1",
            derivative_formula="1 where z > 0, else exp(z)",
        ),
        Activation(
            "selu",
            value=lambda z: np.where(
                z > 0, SELU_SCALE * z, SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(z, 0))
            ),
            derivative=lambda z, h: np.where(
                z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(z, 0))
            ),
            formula=f"{SELU_SCALE} * (max(z, 0) + {SELU_ALPHA} * (exp(min(z, 0)) - 1))",
            derivative_formula="1.0507 where z > 0, else 1.0507 * 1.6733 * exp(z)",
            kinks=(0.0,),
        ),
        Activation(
            "gelu",
            value=special.gelu,
            derivative=lambda z, h: special.gelu_derivative(z),
            formula="z * (1 + erf(z / sqrt(2))) / 2",
            derivative_formula="(1 + erf(z / sqrt(2))) / 2 + z exp(-z^2 / 2) / sqrt(2 pi)",
        ),
        Activation(
            "gelu_tanh",
            value=special.gelu_tanh,
            derivative=lambda z, h: special.gelu_tanh_derivative(z),
            formula="z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))) / 2",
            derivative_formula="s (1 + z w' (1 - s)) with s = 1 / (1 + exp(-w)), "
            "w = 2 sqrt(2 / pi) (z + 0.044715 z^3), w' = 2 sqrt(2 / pi) (1 + 3 * 0.044715 z^2)",
        ),
        Activation(
            "silu",
            value=special.silu,
            derivative=lambda z, h: special.silu_derivative(z),
            formula="z / (1 + exp(-z))",
            derivative_formula="s (1 + z (1 - s)) with s = 1 / (1 + exp(-z))",
        ),
        Activation(
            "softplus",
            # PyTorch returns z itself from 20 on, which is the same in float32 only.
            value=lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
            derivative=lambda z, h: logistic(z),
            formula="log(1 + exp(z))",
            derivative_formula="1 / (1 + exp(-z))",
        ),
        Activation(
            "softsign",
            value=softsign,
            derivative=lambda z, h: (1 / (1 + np.abs(z))) ** 2,
            formula="z / (1 + abs(z))",
            derivative_formula="1 / (1 + |z|)^2",
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

    Raises InputError for an unknown name, with the nearest known one, and InputTypeError for anything else.
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
