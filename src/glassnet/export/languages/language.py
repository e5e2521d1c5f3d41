"""What a language is to export and verify: a writer, and what runs the file that it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.export.model import Model


class Options(NamedTuple):
    """How a file is written.

    name : of the model, a C identifier; functions begin with it.
    precision : "float64" or "float32", that of the numbers in the file.
    mode : one of the language's modes; "" where it has none.
    settings : the language's own settings by name, from `Language.settings`.
    """

    name: str
    precision: str
    mode: str
    settings: Mapping[str, Any]


class Ran(NamedTuple):
    """What an exported file gave: outputs (n, n_outputs), and the number of each answer's label
    (n, answers), -1 where it has none; None where the file gives no labels."""

    outputs: Array
    numbers: NDArray[Any] | None
    gradients: Array | None = None


class MissingToolError(Exception):
    """What runs files of a language is not installed; the argument names it and how to get it."""


class Language(NamedTuple):
    """How networks are written for one kind of file, and how such files are run.

    suffix : of its files.
    name : in words.
    write : the file's bytes.
    run : runs the file on features' numbers (n, features); raises MissingToolError.
    promises : the largest distance of an output from the network's own, relative to the largest one of its
        row or to 1, that a file of a model with these options promises: 0 for the same bits, None for
        none.
    modes : the first is the default.
    settings : settings of its own, with their defaults.
    precisions : those that it has; the first is the default where the network has another one.
    """

    suffix: str
    name: str
    write: Callable[[Model, Options], bytes]
    run: Callable[[Path, Model, Options, Floats], Ran]
    promises: Callable[[Model, Options], float | None]
    modes: tuple[str, ...] = ("",)
    settings: Mapping[str, Any] = {}
    precisions: tuple[str, ...] = ("float64",)
