"""One C99 file, which is C++ too, without any library but math.h."""

from __future__ import annotations

from glassnet.export.languages.c.run import run
from glassnet.export.languages.c.write import promises, write
from glassnet.export.languages.language import Language

LANGUAGE = Language(
    ".c",
    "C",
    write,
    run,
    promises,
    modes=("bits", "small"),
    settings={"gradient": False, "train": False},
    precisions=("float64", "float32", "int16", "int8"),
)
