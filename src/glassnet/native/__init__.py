"""The compiled engine, where the installation could build it.

``module`` is the extension, or None; ``reason`` then says why it is missing.
"""

from __future__ import annotations

import importlib
import json
import os
from importlib import resources
from types import ModuleType

from glassnet.errors import EngineError


def _load() -> tuple[ModuleType | None, str]:
    try:
        return importlib.import_module("glassnet.native._native"), ""
    except ModuleNotFoundError:
        # Written by the build, which knows why it could not compile.
        record = resources.files(__name__).joinpath("build.json")
        if record.is_file():
            return None, str(json.loads(record.read_text())["reason"])
        return None, "glassnet was not installed by its own build"
    except ImportError as error:
        return None, f"the compiled module does not load: {error}"


module, reason = _load()


def forced_isa() -> str:
    """The instruction set that GLASSNET_ISA asks for; "" leaves the choice to the engine.

    Raises EngineError for one that this processor or build does not have.
    """
    forced = os.environ.get("GLASSNET_ISA", "")
    usable = module.isas() if module is not None else ()
    if forced and module is not None and forced not in usable:
        raise EngineError(
            f"GLASSNET_ISA is {forced!r}, which this processor or build does not have; choose one of: "
            f"{', '.join(usable)}, or unset it."
        )
    return forced
