"""Warnings at the user's line, wherever in the package they come from, and once for many fits."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import NamedTuple

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"

_BETWEEN = {"concurrent", "contextlib", "functools", "joblib", "sklearn", "threading"}
"""What calls this package for the user: decorators, pipelines, searches and threads."""


class Collected(NamedTuple):
    """A warning that was not given yet: the arguments of `warn`."""

    message: str
    category: type[Warning]
    module: str | None


_collected: ContextVar[list[Collected] | None] = ContextVar("glassnet_warnings", default=None)


def warn(message: str, category: type[Warning], module: str | None = None) -> None:
    """Warn at the nearest line outside of this package and of what calls it for the user.

    `module` is the name that filters see, where it is not that of the line's module. Python's
    ``skip_file_prefixes`` does much the same from 3.12 on.
    """
    pending = _collected.get()
    if pending is not None:
        pending.append(Collected(message, category, module))
        return
    frame = _users_frame()
    names = frame.f_globals
    registry = names.setdefault("__warningregistry__", {})
    name = names.get("__name__") or "<unknown>" if module is None else module
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, name, registry)


def _users_frame() -> FrameType:
    """The innermost frame that is the user's; in a thread without one, the first outside of the package."""
    outside: FrameType | None = None
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            outside = outside or frame
            if str(frame.f_globals.get("__name__")).partition(".")[0] not in _BETWEEN:
                return frame
        frame = frame.f_back
    return outside or sys._getframe(2)


@contextmanager
def collected() -> Iterator[list[Collected]]:
    """A context whose warnings by `warn` are put into a list, and not given: `warn_once` gives them."""
    found: list[Collected] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def warn_once(fits: Iterable[list[Collected]], name: str) -> None:
    """Give the collected warnings of many fits, those that differ in numbers alone as one.

    It is the first of them, and says how many of the fits, which are called `name`, have given it.
    """
    every = [*fits]
    alike: dict[tuple[type[Warning], str], list[Collected]] = {}
    for found in every:
        keys = {(warning.category, re.sub(r"[0-9.]+", "", warning.message)): warning for warning in found}
        for key, warning in keys.items():
            alike.setdefault(key, []).append(warning)
    for first, *others in alike.values():
        how_many = f"{1 + len(others)} of {len(every)} {name}: " if len(every) > 1 else ""
        warn(how_many + first.message, first.category, first.module)
