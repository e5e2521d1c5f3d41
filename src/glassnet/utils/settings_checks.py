"""Settings that are numbers, each checked to lie in its range."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from glassnet.errors import InputError, InputTypeError, unknown_name


def as_real(value: object, name: str) -> float:
    """`value` as a Python float; NumPy's scalars would promote float32 parameters to float64."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputTypeError(f"{name} is a number, not {value!r} ({type(value).__name__}).")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"{name} is a whole number too large for a float.") from error


def as_positive(value: object, name: str) -> float:
    """A finite number above 0."""
    number = as_real(value, name)
    if not 0 < number < math.inf:
        raise InputError(f"{name} is {number}; expected a finite number above 0, such as 0.1.")
    return number


def as_not_negative(value: object, name: str) -> float:
    """A finite number from 0 up."""
    number = as_real(value, name)
    if not 0 <= number < math.inf:
        raise InputError(f"{name} is {number}; expected a finite number from 0 up, such as 1e-4.")
    return number


def as_share(value: object, name: str) -> float:
    """A number from 0 to below 1: how much of the past is kept."""
    number = as_real(value, name)
    if not 0 <= number < 1:
        raise InputError(
            f"{name} is {number}; expected a number from 0 to below 1, such as 0.9. "
            f"At 1 and above, what is past never dies down."
        )
    return number


def as_part(value: object, name: str) -> float:
    """A number above 0 and up to 1."""
    number = as_real(value, name)
    if not 0 < number <= 1:
        raise InputError(f"{name} is {number}; expected a number above 0, up to 1, such as 0.5.")
    return number


def as_fraction(value: object, name: str) -> float:
    """A number above 0 and below 1."""
    number = as_real(value, name)
    if not 0 < number < 1:
        raise InputError(f"{name} is {number}; expected a number above 0 and below 1, such as 0.1.")
    return number


def as_bound(value: object, name: str) -> float | None:
    """None for no bound, or a finite number above 0."""
    return None if value is None else as_positive(value, name)


def as_flag(value: object, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} is True or False, not {value!r}.")
    return bool(value)


def as_steps(value: object, name: str) -> int:
    """A whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputTypeError(f"{name} is a whole number, not {value!r}.")
    if value < 1:
        raise InputError(f"{name} is {value}; expected 1 or more.")
    return int(value)


class Settings:
    """What a frozen dataclass of settings inherits: ranges that are checked, and a short repr.

    `_ranges` has a check for every field. Keyword-only fields are the seldom used ones: `repr` shows
    them where they differ from their default.
    """

    _ranges: ClassVar[Mapping[str, Callable[[object, str], object]]]

    def __post_init__(self) -> None:
        for setting, check in self._ranges.items():
            object.__setattr__(self, setting, check(getattr(self, setting), setting))

    def settings(self) -> dict[str, Any]:
        """Every setting by name, the seldom used ones last."""
        known = sorted(fields(self), key=lambda one: bool(one.kw_only))  # type: ignore[arg-type]  # a dataclass's
        return {one.name: getattr(self, one.name) for one in known}

    def brief(self) -> str:
        """The repr without what is at its default, for places with little room.

        >>> import glassnet as gn
        >>> gn.Adam(gn.OneCycle(0.1, steps=50), beta1=0.8).brief()
        'Adam(learning_rate=OneCycle(rate=0.1, steps=50), beta1=0.8)'
        """
        default = {one.name: one.default for one in fields(self)}  # type: ignore[arg-type]  # a dataclass's
        shown = {k: v for k, v in self.settings().items() if v != default[k]}
        parts = (f"{k}={v.brief() if isinstance(v, Settings) else repr(v)}" for k, v in shown.items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __repr__(self) -> str:
        off = {one.name: one.default for one in fields(self) if one.kw_only}  # type: ignore[arg-type]  # too
        shown = {k: v for k, v in self.settings().items() if k not in off or v != off[k]}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


Kind = TypeVar("Kind", bound=Settings)


def settings_from_dict(
    description: Mapping[str, Any],
    kinds: Mapping[str, type[Kind]],
    what: str,
    key: str,
    example: str,
    nested: Mapping[str, Callable[[Mapping[str, Any]], object]],
) -> Kind:
    """The record of settings that a mapping describes: its kind's name under `key`, and its settings.

    `what` and `example` are for error messages; `nested` reads settings that are mappings themselves.
    Raises InputTypeError for anything but a mapping, and InputError for a missing or unknown name and for
    an unknown or missing setting.
    """
    if not isinstance(description, Mapping):
        raise InputTypeError(f"Describe the {what} by a mapping such as {example}, not {description!r}.")
    values = dict(description)
    if key not in values:
        raise InputError(f"The {what} has no name: set {key!r} to one of: {', '.join(kinds)}.")
    name = values.pop(key)
    if not isinstance(name, str) or name not in kinds:
        raise unknown_name(what, name, kinds)
    known = {field.name: field.default for field in fields(kinds[name])}  # type: ignore[arg-type]  # too
    for setting in values:
        if setting not in known:
            raise unknown_name(f"setting of the {what} {name!r}:", setting, known)
    for setting, default in known.items():
        if default is MISSING and setting not in values:
            raise InputError(f"The {what} {name!r} lacks {setting}, which has no default.")
    for setting, read in nested.items():
        if isinstance(values.get(setting), Mapping):
            values[setting] = read(values[setting])
    return kinds[name](**values)
