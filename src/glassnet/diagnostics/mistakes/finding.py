"""What a gradient check has found, in words that a program can read too."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "match",
    "kink",
    "rounding",
    "unsettled",
    "factor",
    "sign",
    "transposed",
    "derivative",
    "activation",
    "loss",
    "bias",
    "input",
    "targets",
    "order",
    "weights",
    "penalty",
    "samples",
    "missing",
    "entry",
    "unknown",
]


class Finding(NamedTuple):
    """One thing that a gradient check has found: its kind, where, and what it is in words.

    "match", "kink", "rounding" and "unsettled" are of entries that are not wrong. A mistake is a "factor"
    or the "sign", a "transposed" matrix, an activation's "derivative", another "activation", a "loss" and a
    delta that do not belong together, a "bias" that was forgotten, another "input", other "targets", arrays
    in another "order", sample "weights", a "penalty", a part of the "samples", a "missing" gradient, a
    single "entry", or "unknown".
    """

    kind: Kind
    layer: int | None
    """The layer of the mistake, from 1; None where it is in none, or in all."""
    names: tuple[str, ...]
    """The arrays that it makes wrong, such as "W1" and "b1"."""
    words: str
