"""The libraries of the extra ``plot``, imported when a picture is made."""

import importlib
from typing import Any

from glassnet.errors import GlassnetError


class MissingLibraryError(GlassnetError, ImportError):
    """A library of an extra is not installed; the message gives the command that installs it."""


def require(module: str) -> Any:
    """Import a module of the extra `plot`, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingLibraryError(
            f'Pictures need {library}, which is not installed: pip install "glassnet[plot]".'
        ) from error
