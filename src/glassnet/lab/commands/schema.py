"""The commands of a session: one schema, by which a page, a server, a widget and a test are all checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from glassnet.errors import GlassnetError, InputError, InputTypeError, unknown_name
from glassnet.utils.settings_checks import Check, as_real

MOST_TEXT = 8_000_000
"""Characters of a table or a lesson that comes through a page."""

REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """An argument of a command: its check, and the value where it is left out."""

    check: Check
    default: Any = REQUIRED


def whole(low: int, high: int) -> Check:
    """A whole number from `low` to `high`; a page's 3.0 is one."""

    def check(value: Any, name: str) -> int:
        number = as_real(value, name)
        if not (number == number and low <= number <= high and number == int(number)):
            raise InputError(f"{name} is {value}; expected a whole number from {low:,} to {high:,}.")
        return int(number)

    return check


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`, both included."""

    def check(value: Any, name: str) -> float:
        given = as_real(value, name)
        if not low <= given <= high:
            raise InputError(f"{name} is {value}; expected a number from {low:g} to {high:g}.")
        return given

    return check


def text(longest: int) -> Check:
    """Text of at most so many characters."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise InputTypeError(f"{name} is text, not {type(value).__name__}.")
        if len(value) > longest:
            raise InputError(f"{name} has {len(value):,} characters; expected at most {longest:,}.")
        return value

    return check


def many(each: Check, most: int) -> Check:
    """A list of at most so many values, each of which passes a check."""

    def check(value: Any, name: str) -> list[Any]:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise InputTypeError(f"{name} is a list, not {value!r:.60}.")
        if len(value) > most:
            raise InputError(f"{name} has {len(value):,} entries; expected at most {most:,}.")
        return [each(entry, f"{name}[{i}]") for i, entry in enumerate(value)]

    return check


def record(value: Any, name: str, deep: int = 2) -> dict[str, Any]:
    """A mapping of at most 20 settings, each a number, text, a truth value, nothing, or such a mapping.

    Mappings lie at most `deep` levels within it.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InputTypeError(f"{name} is a mapping of names, not {value!r:.60}.")
    if len(value) > 20:
        raise InputError(f"{name} has {len(value)} entries; expected at most 20.")
    plain = dict(value)
    for key, entry in value.items():
        if deep and isinstance(entry, Mapping):
            plain[key] = record(entry, f"{name}.{key:.40}", deep - 1)
        elif not (entry is None or isinstance(entry, (bool, int, float, str))):
            raise InputTypeError(f"{name}.{key:.40} is {entry!r:.60}; expected a number or text.")
    return plain


@dataclass(frozen=True)
class Command:
    """What a session does for a page: a function of it and of checked arguments, with an answer.

    One that `acts` is done while training rests, and its answer has the session's state in short.
    """

    function: Callable[..., Mapping[str, Any] | None]
    fields: Mapping[str, Field]
    acts: bool


COMMANDS: dict[str, Command] = {}
"""Every command by its name."""

Function = TypeVar("Function", bound=Callable[..., Mapping[str, Any] | None])


def command(**fields: Field) -> Callable[[Function], Function]:
    """Make a function the command of its name that acts, with these arguments beside the session.

    An error that it raises must leave the session as it was.
    """
    return _registered(fields, acts=True)


def question(**fields: Field) -> Callable[[Function], Function]:
    """Make a function the command of its name that only asks, while training goes on."""
    return _registered(fields, acts=False)


def _registered(fields: Mapping[str, Field], acts: bool) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        COMMANDS[function.__name__] = Command(function, fields, acts)
        return function

    return register


def check_command(message: object) -> tuple[str, dict[str, Any]]:
    """The name of a command and its arguments, all of them there.

    A message is a mapping: ``do`` is the name, other keys are arguments, and ``id`` is the sender's own.
    Raises InputError or InputTypeError that names all that is wrong.
    """
    if not isinstance(message, Mapping):
        raise InputTypeError(
            f'A command is a mapping such as {{"do": "play"}}, not {type(message).__name__}.'
        )
    name = message.get("do")
    if not isinstance(name, str) or name not in COMMANDS:
        raise unknown_name("command", name if isinstance(name, str) else repr(name)[:40], sorted(COMMANDS))
    fields, wrong = COMMANDS[name].fields, []
    arguments: dict[str, Any] = {}
    for key in message:
        if key not in ("do", "id") and key not in fields:
            known = f"it has {', '.join(fields)}" if fields else "it has none"
            wrong.append(f"{name} has no argument {str(key)[:40]!r}; {known}.")
    for key, field in fields.items():
        value = message.get(key, field.default)
        if value is REQUIRED:
            wrong.append(f"{name} lacks {key!r}.")
            continue
        if key in message:
            try:
                value = field.check(value, key)
            except GlassnetError as error:
                wrong.append(str(error))
        arguments[key] = value
    if wrong:
        raise InputError(" ".join(wrong))
    return name, arguments
