"""Floor 0: what can go wrong, as a small tree.

Every message says what came, what was expected and how to mend it.
"""

import difflib
from collections.abc import Iterable


class GlassnetError(Exception):
    """The root of every error that glassnet raises on purpose."""


class InputError(GlassnetError, ValueError):
    """A value that cannot be used: its message names it and what was expected."""


class InputTypeError(GlassnetError, TypeError):
    """A value of a kind that cannot be used, such as text where numbers belong."""


class EngineError(InputError):
    """The engine that was asked for is missing or cannot do what was asked."""


class FileError(InputError):
    """A file that is missing, unreadable, damaged, of another format or cannot be written."""


class GradientError(InputError):
    """Backpropagation disagrees with the numerical gradient; names layer, entry and both values."""


class GlassnetWarning(UserWarning):
    """The root of every warning that glassnet gives."""


class DivergenceWarning(GlassnetWarning):
    """Training blew up; the run ends with the last parameters before it did."""


class PreprocessingWarning(GlassnetWarning):
    """A run whose training standardized a table's columns was given rows that it cannot know to be so."""


class InterruptedTrainingWarning(GlassnetWarning):
    """Ctrl-C ended training; the run holds the work so far."""


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> InputError:
    """The error for a name that a registry lacks, with the nearest name where there is one."""
    names = list(choices)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"Unknown {kind} {name!r}.{hint} Choose one of: {', '.join(names)}.")
