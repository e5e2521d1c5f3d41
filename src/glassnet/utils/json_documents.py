"""JSON documents: NumPy's values as plain ones, and exactly one text for each document."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glassnet.errors import InputError, InputTypeError


def canonical(document: Any) -> str:
    """The JSON text of a document in one form: keys sorted, no spaces, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def refuse(value: float, where: str) -> str:
    """For `plain`: raise InputError for NaN and infinities."""
    raise InputError(
        f"{where} is {value}, which JSON cannot hold; expected a finite number. Use None, text, or an "
        f"array beside the document."
    )


def spell(value: float, where: str) -> str:
    """For `plain`: write NaN and infinities as text that float() reads."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def omit(value: float, where: str) -> None:
    """For `plain`: write NaN and infinities as None."""


def plain(value: Any, where: str, not_finite: Callable[[float, str], str | None], depth: int = 0) -> Any:
    """`value` in the Python types that JSON has; `not_finite` replaces NaN and infinities."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else not_finite(value, where)
    if depth == 100:
        raise InputError(f"{where} is nested over 100 levels deep; does the document contain itself?")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputTypeError(
                    f"{where} has the key {key!r}; JSON's keys are text, so use {str(key)!r}."
                )
        return {k: plain(v, f"{where}[{k!r}]", not_finite, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, f"{where}[{i}]", not_finite, depth + 1) for i, v in enumerate(value)]
    raise InputTypeError(
        f"{where} is {value!r} ({type(value).__name__}), which JSON cannot hold; expected text, a "
        f"number, a bool, None, or lists and mappings of these."
    )
