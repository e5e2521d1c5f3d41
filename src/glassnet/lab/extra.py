"""The libraries of the extra ``lab``, imported when a lab is opened."""

import importlib
from typing import Any

from glassnet.plots.libraries import MissingLibraryError


def require(module: str) -> Any:
    """Import a module of the extra `lab`, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingLibraryError(
            f'The lab needs {library}, which is not installed: pip install "glassnet[lab]".'
        ) from error
