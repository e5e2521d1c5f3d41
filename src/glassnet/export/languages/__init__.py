"""The kinds of files that networks are exported to, by their suffix; each has a module of its own."""

from __future__ import annotations

import importlib
from functools import cache

from glassnet.data.holdout import listed
from glassnet.errors import InputError
from glassnet.export.languages.language import Language

MODULES = {
    ".c": "c",
    ".go": "go",
    ".java": "java",
    ".js": "javascript",
    ".m": "octave",
    ".onnx": "onnx",
    ".pt2": "torch",
    ".py": "python",
    ".rs": "rust",
    ".sql": "sql",
}
"""The module of each suffix, which has its `LANGUAGE`."""


@cache
def language_of(suffix: str) -> Language:
    """The language of files with this suffix; InputError for another one, which names those there are."""
    if suffix.lower() not in MODULES:
        raise InputError(
            f"The path ends in {suffix!r}; expected the suffix of a file that networks are exported to: "
            f"{listed(MODULES)}."
        )
    module = importlib.import_module(f"glassnet.export.languages.{MODULES[suffix.lower()]}")
    language: Language = module.LANGUAGE
    return language
