"""Tables from files and frames, as named columns of NumPy arrays."""

from __future__ import annotations

from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.table import Column, Table, TextColumn

__all__ = ["Column", "Table", "TextColumn", "read_table"]
