"""What all readers of Parquet share: endings, pyarrow, and the index that pandas keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassnet.data.tables.index import index_of
from glassnet.errors import FileError

ENDINGS = (".parquet", ".pq")
"""The endings of Parquet files."""


def unreadable_parquet(path: Path, error: Exception) -> FileError:
    """The error for a file that pyarrow cannot read."""
    return FileError(f"{path} cannot be read as Parquet: {str(error).rstrip('.')}.")


def pandas_index(schema: Any) -> tuple[str, ...]:
    """The columns of an Arrow schema that hold a frame's index, as pandas describes it."""
    return index_of(schema.names, (schema.metadata or {}).get(b"pandas", b"{}"))
