"""SQL: one query for SQLite, DuckDB and PostgreSQL, with a step for each layer.

Each number that is computed is a column, and a step has the columns that need the one before. NULL stands
for NaN: databases order NaN among the numbers or have none.
"""

from __future__ import annotations

from glassnet.export.languages.language import Language
from glassnet.export.languages.program import promises
from glassnet.export.languages.sql.run import run
from glassnet.export.languages.sql.write import write

LANGUAGE = Language(
    ".sql",
    "SQL for SQLite, DuckDB and PostgreSQL",
    write,
    run,
    promises,
    settings={"table": "samples", "key": "id"},
)
