"""Packages that are called as the public function of their name, such as ``gn.lab``.

Python sets ``glassnet.lab`` to the package whenever somebody imports a part of it, where the function would
stand.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(importlib.import_module(self.__module__), self.__qualname__)
        return function

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return self._function()(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function())

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function().__doc__


def make_callable(package: str, home: str) -> None:
    """Let a package be called as the function of its name in the module `home`, which a call imports."""
    module = sys.modules[package]
    module.__dict__.update(__module__=home, __qualname__=package.rpartition(".")[2])  # where readers look
    module.__class__ = _CallablePackage
