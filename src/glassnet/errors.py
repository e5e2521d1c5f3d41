"""The exceptions and warnings of glassnet, as a small tree.

Every message says what came, what was expected and how to mend it.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class GlassnetError(Exception):
    """The root of every error that glassnet raises on purpose."""


class InputError(GlassnetError, ValueError):
    """A value that cannot be used: its message names it and what was expected."""


class InputTypeError(GlassnetError, TypeError):
    """A value of a type that cannot be used, such as text where numbers belong."""


class EngineError(InputError):
    """The chosen engine is missing, or cannot do what the settings ask for."""


class FileError(InputError):
    """A file that is missing, unreadable, damaged, of another format or cannot be written."""


class MissingLibraryError(InputError, ImportError):
    """A library is not installed, or does not load; the message gives the command that installs it."""


class GradientError(InputError):
    """Backpropagation disagrees with the numerical gradient; names layer, entry and both values."""


class GlassnetWarning(UserWarning):
    """The root of every warning that glassnet gives."""


class CheckpointWarning(GlassnetWarning):
    """A checkpoint could not be written; training goes on, and tries again."""


class DivergenceWarning(GlassnetWarning):
    """Training diverged; the run ends with the parameters before the update that diverged."""


class PreprocessingWarning(GlassnetWarning):
    """A run that learned from standardized inputs was given rows that may not be standardized."""


class InterruptedTrainingWarning(GlassnetWarning):
    """Ctrl-C ended training; the run holds the work so far."""


class StalledTrainingWarning(GlassnetWarning):
    """Training ended no better than a constant answer, or far worse than it was on the way."""


@contextmanager
def prefixed(words: str) -> Iterator[None]:
    """Let the message of an InputError or InputTypeError in the block begin with these words."""
    try:
        yield
    except (InputError, InputTypeError) as error:
        raise type(error)(f"{words}: {error}") from error


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> InputError:
    """The error for a name that a registry lacks, with the nearest name where there is one."""
    names = list(choices)
    near = nearest_name(name, names)
    hint = f" Did you mean {near!r}?" if near is not None else ""
    more = f" and {len(names) - _MOST_CHOICES:,} more" if len(names) > _MOST_CHOICES else ""
    return InputError(
        f"Unknown {kind} {name!r}.{hint} Choose one of: {', '.join(names[:_MOST_CHOICES])}{more}."
    )


_MOST_CHOICES = 60


_OTHER_NAMES = {
    "sigmoid": "logistic",
    "linear": "identity",
    "swish": "silu",
    "mse": "squared_error",
    "meansquarederror": "squared_error",
    "mae": "absolute_error",
    "meanabsoluteerror": "absolute_error",
    "bce": "binary_cross_entropy",
    "binarycrossentropy": "binary_cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy",
    "logloss": "cross_entropy",
    "nll": "cross_entropy",
    "smoothl1": "huber",
    "pinball": "quantile",
    "xavier": "glorot",
    "hidden": "hidden_layer_sizes",
    "lr": "learning_rate",
    "learningrateinit": "learning_rate",
    "eta": "learning_rate",
    "eta0": "learning_rate",
    "stepsize": "learning_rate",
    "eps": "epsilon",
    "nesterovsmomentum": "nesterov",
    "mc": "momentum",
    "mu": "damping",
    "mumax": "largest_damping",
    "mingrad": "gradient_tolerance",
    "time": "seconds",
    "alpha": "l2",
    "weightdecay": "l2",
    "kaiming": "he",
    "initnw": "nguyen_widrow",
    "lm": "levenberg_marquardt",
    "trainlm": "levenberg_marquardt",
    "minrate": "smallest",
    "minlr": "smallest",
    "ic": "rank_ic",
    "spearman": "rank_ic",
    "spearmanr": "rank_ic",
    "rankcorrelation": "rank_ic",
}
"""Other libraries' names, as `_plain` writes them, and the names here."""


def nearest_name(name: object, choices: Iterable[str]) -> str | None:
    """The choice that a wrong name most likely means: near it, spelled otherwise, or another library's."""
    plain = _by_plain(choices)
    near = difflib.get_close_matches(_plain(str(name)), plain, n=1)
    return same_name(name, plain.values()) or (plain[near[0]] if near else None)


def same_name(name: object, choices: Iterable[str]) -> str | None:
    """The choice that a name is, spelled otherwise or by another library; None where there is none."""
    plain, wrong = _by_plain(choices), _plain(str(name))
    return plain.get(wrong) or plain.get(_plain(_OTHER_NAMES.get(wrong, "")))


def unknown_arguments(
    owner: str, wrong: Iterable[str], known: Iterable[str], answers: Mapping[str, str]
) -> InputTypeError:
    """The error for all arguments that a function or class lacks, with an answer or the nearest name."""
    words, wrong, known = "", [*wrong], [*known]
    for name in wrong:
        near = nearest_name(name, known)
        if answers.get(name):
            words += f" For {name}: {answers[name]}."
        elif near is not None:
            words += f" Did you mean {near!r} by {name!r}?"
    kind = "argument" if len(wrong) == 1 else "arguments"
    names = ", ".join(map(repr, wrong))
    return InputTypeError(f"{owner} has no {kind} {names}.{words} It has {', '.join(known)}.")


def _by_plain(choices: Iterable[str]) -> dict[str, str]:
    """The choices by their plain names; of two equal ones the first stays."""
    return {_plain(choice): choice for choice in reversed(list(choices))}


def _plain(name: str) -> str:
    """Without capitals, hyphens, spaces and underscores: LeakyReLU is leaky_relu."""
    return name.lower().translate({ord(mark): None for mark in "_- "})
