"""DuckDB, which reads text, Parquet and JSON: a connection that sees one file, and columns out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glassnet.data.tables.reading.meaning import literal
from glassnet.data.tables.table import TextColumn
from glassnet.utils.threads import thread_count


@contextmanager
def connected(*paths: Path) -> Iterator[Any]:
    """A database in memory that reads these files, and no other one, and writes none."""
    import duckdb

    database = duckdb.connect(
        ":memory:",
        config={
            "threads": thread_count(None),
            "python_enable_replacements": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_persistent_secrets": False,
            "temp_directory": "",
        },
    )
    with database:
        database.execute(f"SET allowed_paths = [{', '.join(literal(str(path)) for path in paths)}]")
        database.execute("SET enable_external_access = false")
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET enable_progress_bar = false")
        database.execute("SET lock_configuration = true")
        yield database


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def arrays(database: Any, query: str) -> dict[str, Any]:
    """The columns of a query as NumPy arrays; those with NULL are masked."""
    columns: dict[str, Any] = database.execute(query).fetchnumpy()
    return columns


def text_column(database: Any, table: str, column: str) -> TextColumn:
    """A column of text, or an expression of one, as it stands, by its place among the different texts."""
    different = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"
    database.execute(f"CREATE OR REPLACE TYPE words AS ENUM ({different})")
    words = [word for (word,) in database.execute("SELECT unnest(enum_range(NULL::words))").fetchall()]
    codes = arrays(database, f"SELECT ifnull(enum_code({column}::words)::INTEGER, -1) AS c FROM {table}")
    return TextColumn.coded(codes["c"], words)
