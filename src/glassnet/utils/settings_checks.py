"""Checks of settings, and records of settings that check themselves."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.random import MT19937, RandomState
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError, unknown_arguments, unknown_name


def as_real(value: object, name: str) -> float:
    """`value` as a Python float; NumPy's scalars would promote float32 parameters to float64."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InputTypeError(f"{name} is a number, not {value!r} ({type(value).__name__}).")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"{name} is a whole number too large for a float.") from error


def _in_range(fits: Callable[[float], bool], expected: str) -> Callable[[object, str], float]:
    def check(value: object, name: str) -> float:
        number = as_real(value, name)
        if not fits(number):
            raise InputError(f"{name} is {number}; expected a {expected}.")
        return number

    return check


as_positive = _in_range(lambda x: 0 < x < math.inf, "finite number above 0, such as 0.1")
as_not_negative = _in_range(lambda x: 0 <= x < math.inf, "finite number from 0 up, such as 1e-4")
as_decay = _in_range(
    lambda x: 0 <= x < 1,
    "number from 0 to below 1, such as 0.9. At 1 and above, earlier values would never lose weight",
)
"""The part of the past that is kept."""
as_factor = _in_range(lambda x: 0 < x <= 1, "number above 0, up to 1, such as 0.5")
as_fraction = _in_range(lambda x: 0 < x < 1, "number above 0 and below 1, such as 0.1")


def as_flag(value: object, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} is True or False, not {value!r}.")
    return bool(value)


def as_count(value: object, name: str, least: int = 0) -> int:
    """A whole number from `least` up."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InputTypeError(f"{name} is a whole number, not {value!r}.")
    if value < least:
        raise InputError(f"{name} is {value}; expected {least} or more.")
    return int(value)


def as_steps(value: object, name: str) -> int:
    """A whole number from 1 up."""
    return as_count(value, name, 1)


def check_random_state(value: object, name: str = "random_state") -> int | RandomState | None:
    """The value itself: None, a seed or a `numpy.random.RandomState`."""
    if value is None or isinstance(value, RandomState):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputTypeError(
            f"{name} is None, a whole number or a numpy.random.RandomState, not {value!r}."
        )
    if not 0 <= value < 2**32:
        raise InputError(f"{name} is {value}; a seed lies from 0 to 2**32 - 1.")
    return int(value)


def as_random_state(random_state: object) -> RandomState:
    """An integer (or None: entropy) makes a `numpy.random.RandomState`; an instance passes through."""
    seed = check_random_state(random_state)
    if isinstance(seed, RandomState):
        return seed
    return RandomState() if seed is None else seeded(seed)


class _Unseeded(ISeedSequence):
    """Words for a generator whose seed comes later; NumPy draws them from the system and hashes them."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return np.zeros(n_words, dtype)


_UNSEEDED = _Unseeded()


def seeded(seed: int) -> RandomState:
    """``RandomState(seed)``, in a third of the time: the fit of a small network takes hardly longer.

    >>> import numpy as np
    >>> from glassnet.utils.settings_checks import seeded
    >>> bool(seeded(42).rand() == np.random.RandomState(42).rand())
    True
    """
    random = RandomState(MT19937(_UNSEEDED))  # type: ignore[arg-type]  # which it takes
    random.seed(seed)
    return random


Check = Callable[[Any, str], Any]
"""A function of a value and its name: the value as a record holds it, or an error that says the name."""


def checked(check: Check, *, added: bool = False) -> dict[str, Any]:
    """The metadata of a dataclass's field with that check.

    `added` marks a setting that sweeps' journals of earlier commits do not know: at its default it is no
    part of a sweep's identity, so that these journals go on.
    """
    return {"check": check, "added": added}


def or_none(check: Check) -> Check:
    """The check of a setting that may be None."""
    return lambda value, name: None if value is None else check(value, name)


as_bound = or_none(as_positive)
"""None for no bound, or a finite number above 0."""


def one_of(choices: Iterable[str]) -> Check:
    """The check of a setting that is one of some names."""
    known = tuple(choices)

    def check(value: Any, name: str) -> Any:
        if value not in known:
            raise unknown_name(name, value, known)
        return value

    return check


@lru_cache(maxsize=256)
def _arguments_of(method: Callable[..., object]) -> tuple[list[str], bool]:
    """The names that a method's signature has after its first, and whether it takes any others too."""
    known = list(inspect.signature(method).parameters.values())[1:]
    names = [one.name for one in known if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return names, any(one.kind is one.VAR_KEYWORD for one in known)


def unknown_to(method: Callable[..., object], named: Iterable[str]) -> tuple[list[str], list[str]] | None:
    """The names that a method does not take, and those that it has; None where it takes all.

    Of a class's ``__init__``, which may be a subclass's own.
    """
    names, takes_any = _arguments_of(method)
    wrong = [] if takes_any else [name for name in named if name not in names]
    return (wrong, names) if wrong else None


class Settings:
    """The base of frozen dataclasses of settings: it checks their ranges and keeps their repr short.

    The metadata of a field hold its check, see `checked`. Keyword-only fields are rarely used: `repr` shows
    them where they differ from their default.
    """

    if TYPE_CHECKING:  # all subclasses are dataclasses
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __new__(cls, *values: object, **named: object) -> Self:
        if named and (wrong := unknown_to(cls.__init__, named)):
            raise unknown_arguments(cls.__name__, *wrong, {})
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field in fields(self):
            if check := field.metadata.get("check"):
                object.__setattr__(self, field.name, check(getattr(self, field.name), field.name))

    def settings(self) -> dict[str, Any]:
        """Every setting by name, the rarely used ones last."""
        known = sorted(fields(self), key=lambda field: bool(field.kw_only))
        return {field.name: getattr(self, field.name) for field in known}

    def brief(self) -> str:
        """The repr without what is at its default, for places with little room.

        >>> import glassnet as gn
        >>> gn.Adam(gn.OneCycle(0.1, steps=50), beta1=0.8).brief()
        'Adam(learning_rate=OneCycle(rate=0.1, steps=50), beta1=0.8)'
        """
        default = {field.name: field.default for field in fields(self)}
        shown = {k: v for k, v in self.settings().items() if v != default[k]}
        parts = (f"{k}={v.brief() if isinstance(v, Settings) else repr(v)}" for k, v in shown.items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __repr__(self) -> str:
        default = {field.name: field.default for field in fields(self) if field.kw_only}
        shown = {k: v for k, v in self.settings().items() if k not in default or v != default[k]}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def shared_fields(kind: type, record: object) -> dict[str, Any]:
    """The fields of the dataclass `kind` that the record has too, with the record's values."""
    return {
        field.name: getattr(record, field.name) for field in fields(kind) if hasattr(record, field.name)
    }


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
    known = {field.name: field.default for field in fields(kinds[name])}
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
