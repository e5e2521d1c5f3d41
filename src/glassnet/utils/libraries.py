"""Libraries that an installation may lack, imported where they are used."""

import importlib
from typing import Any

from glassnet.errors import MissingLibraryError

_EXTRAS = {
    "plot": ("Pictures need", ("matplotlib", "mpl_toolkits", "contourpy", "PIL", "plotly")),
    "parquet": ("Parquet and Arrow files need", ("pyarrow",)),
    "dask": ("Dask needs", ("dask", "distributed")),
    "lab": ("The lab needs", ("anywidget", "starlette", "uvicorn", "websockets")),
    "onnx": ("ONNX files need", ("onnx", "onnxruntime")),
}
"""What needs the libraries of each extra, and how these are imported."""


def require(module: str) -> Any:
    """Import a module, or say what installs its library: an extra, or its own name."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        need, install = "This needs", library
        for extra, (words, libraries) in _EXTRAS.items():
            if library in libraries:
                need, install = words, f'"glassnet[{extra}]"'
        missing, mend = (error.name or library).partition(".")[0], "is not installed: pip install"
        if not isinstance(error, ModuleNotFoundError):  # it is there, and beside another of another time
            missing, mend = library, f"does not load ({error}): pip install --upgrade"
        raise MissingLibraryError(f"{need} {missing}, which {mend} {install}.") from error
