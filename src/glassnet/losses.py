"""Floor 1: the output layer's links and losses, each loss a record of value and delta.

A loss is written as a function of the output layer's *pre-activation* Z, never of Y_hat: the link
is folded in, which is what keeps value and delta finite and exact for logits of any size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from glassnet.activations import Array, logistic
from glassnet.errors import InputError, InputTypeError, unknown_name


@dataclass(frozen=True)
class Output:
    """The output layer's link, Y_hat = link(Z) with Z and Y_hat of shape (n, outputs)."""

    name: str
    link: Callable[[Array], Array]
    formula: str
    loss: str
    """The loss that belongs to this link, used where none is named."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # As for an activation: a built-in record travels by name.
        if OUTPUTS.get(self.name) is self:
            return get_output, (self.name,)
        return super().__reduce_ex__(protocol)


@dataclass(frozen=True)
class Loss:
    """A sample's loss and its derivative with respect to the output layer's Z.

    ``value(Z, Y)`` is (n,): each sample's loss, summed over the outputs. ``delta(Z, Y)`` is
    (n, outputs): its derivative with respect to Z. ``target`` says what a target may be: ``"class"``
    (probabilities of classes, rows that sum to 1), ``"label"`` (each entry from 0 to 1) or
    ``"real"``.
    """

    name: str
    output: str
    target: str
    value: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array], Array]
    formula: str
    delta_formula: str

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if LOSSES.get(self.name) is self:
            return get_loss, (self.name, OUTPUTS[self.output])
        return super().__reduce_ex__(protocol)


def softmax(z: Array) -> Array:
    """exp(z) / sum exp(z) along the row, the row's maximum taken off first so that no exp overflows."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _cross_entropy(z: Array, y: Array) -> Array:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - (y * shifted).sum(axis=1)


def _binary_cross_entropy(z: Array, y: Array) -> Array:
    return (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).sum(axis=1)


OUTPUTS: dict[str, Output] = {
    record.name: record
    for record in (
        Output("softmax", softmax, "exp(z_c) / sum_k exp(z_k)", loss="cross_entropy"),
        Output("logistic", logistic, "1 / (1 + exp(-z))", loss="binary_cross_entropy"),
        Output("identity", lambda z: z, "z", loss="squared_error"),
    )
}
"""Every output link by name."""

LOSSES: dict[str, Loss] = {
    record.name: record
    for record in (
        Loss(
            "cross_entropy",
            output="softmax",
            target="class",
            value=_cross_entropy,
            delta=lambda z, y: softmax(z) - y,
            formula="-sum_c y_c log y_hat_c",
            delta_formula="y_hat - y",
        ),
        Loss(
            "binary_cross_entropy",
            output="logistic",
            target="label",
            value=_binary_cross_entropy,
            delta=lambda z, y: logistic(z) - y,
            formula="-sum_k [y_k log y_hat_k + (1 - y_k) log(1 - y_hat_k)]",
            delta_formula="y_hat - y",
        ),
        Loss(
            "squared_error",
            output="identity",
            target="real",
            value=lambda z, y: 0.5 * ((z - y) ** 2).sum(axis=1),
            delta=lambda z, y: z - y,
            formula="1/2 sum_k (y_hat_k - y_k)^2",
            delta_formula="y_hat - y",
        ),
    )
}
"""Every loss by name."""


def get_output(output: str) -> Output:
    """The output record for a name, or an InputError that names the nearest one."""
    if not isinstance(output, str):
        raise InputTypeError(
            f"An output is a name, not {output!r} ({type(output).__name__}). Names: {', '.join(OUTPUTS)}."
        )
    if output not in OUTPUTS:
        raise unknown_name("output", output, OUTPUTS)
    return OUTPUTS[output]


def get_loss(loss: str | Loss | None, output: Output) -> Loss:
    """The loss record for a name (None: the output's own), which must belong to that output.

    Raises InputError for an unknown name or a loss written for another output.
    """
    if isinstance(loss, Loss):
        record = loss
    elif loss is None:
        record = LOSSES[output.loss]
    elif not isinstance(loss, str):
        raise InputTypeError(
            f"A loss is a name or a glassnet.Loss, not {loss!r} ({type(loss).__name__}). "
            f"Names: {', '.join(LOSSES)}."
        )
    elif loss not in LOSSES:
        raise unknown_name("loss", loss, LOSSES)
    else:
        record = LOSSES[loss]
    if record.output != output.name:
        fitting = [r.name for r in LOSSES.values() if r.output == output.name]
        raise InputError(
            f"The loss {record.name!r} is written for the output {record.output!r}, not "
            f"{output.name!r}. Use output={record.output!r}, or one of these losses: "
            f"{', '.join(fitting)}."
        )
    return record
