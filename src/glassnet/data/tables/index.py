"""Columns' names: no repeats, and columns that only number the rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from glassnet.data.tables.table import Column
from glassnet.errors import InputError

_INDEX_LEVEL = re.compile(r"__index_level_\d+__", re.ASCII)

NAMELESS = ("unnamed 1", "Unnamed: 0")
"""The names of a first column without a name: here, and in a file that pandas read and wrote again."""


def counting(name: str, column: Column) -> tuple[str, ...]:
    """The name of the first column, where the file has none for it and it counts the rows."""
    counts = (
        name in NAMELESS
        and isinstance(column, np.ndarray)
        and column.dtype == np.int64
        and bool(np.all(np.diff(column) == 1))
    )
    return (name,) if counts else ()


def index_of(names: Sequence[str], described: str | bytes) -> tuple[str, ...]:
    """The columns that hold a frame's index, as pandas describes it in a Parquet file."""
    try:
        columns = list(json.loads(described)["index_columns"])
    except (ValueError, KeyError, TypeError):
        columns = []  # another writer's file: the names of its columns still tell
    return tuple(name for name in names if name in columns or _INDEX_LEVEL.fullmatch(name))


def refuse_repeats(names: Sequence[str], source: object) -> None:
    """Raise InputError where a name comes twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(
                f"{source} has more than one column called {name!r}; expected every name once. Rename them."
            )
