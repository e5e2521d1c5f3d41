"""The live lab: a network that learns before your eyes, each number with its formula, time to wind back."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


class _Lab(ModuleType):
    """This package as ``gn.lab`` is called: a package of the name stands where the function would.

    Python sets ``glassnet.lab`` to the package whenever somebody imports a part of it.
    """

    __module__ = "glassnet.lab.opening"  # where readers find what is called
    __qualname__ = "lab"

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        from glassnet.lab.opening import lab

        return lab(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        from glassnet.lab.opening import lab

        return inspect.signature(lab)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        from glassnet.lab.opening import lab

        return lab.__doc__


__qualname__ = "lab"
sys.modules[__name__].__class__ = _Lab
