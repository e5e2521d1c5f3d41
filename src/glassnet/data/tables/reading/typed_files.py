"""Tables from Parquet and JSON files, whose columns have types already, by DuckDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from glassnet.data.tables.index import counting, index_of, refuse_repeats
from glassnet.data.tables.reading.duck import arrays, connected, quoted, text_column
from glassnet.data.tables.reading.frames import column_of
from glassnet.data.tables.reading.meaning import literal
from glassnet.data.tables.reading.plain_text import plain_text
from glassnet.data.tables.reading.understanding import filled, understood
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.errors import FileError

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UBIGINT|FLOAT|DOUBLE|BOOLEAN")


def read_parquet(path: Path, shown: Path | str) -> Table:
    """The table of a Parquet file."""
    import duckdb

    try:
        with connected(path) as database:
            file = literal(str(path))
            names = _names(database, file)
            if not names:
                raise FileError(f"{shown} has no columns.")
            refuse_repeats(names, shown)
            query = f"SELECT * FROM read_parquet({file}, hive_partitioning=false)"
            described = database.execute(
                f"SELECT decode(value) FROM parquet_kv_metadata({file}) WHERE decode(key) = 'pandas'"
            ).fetchone()
            index = index_of(names, described[0] if described else "{}")
            return _table(database, query, shown, index)
    except duckdb.Error as error:
        raise FileError(
            f"{shown} cannot be read as Parquet: {str(error).partition(chr(10))[0]}."
        ) from error


def _names(database: Any, file: str) -> list[str]:
    """The columns' names as the file has them, which may repeat."""
    rows = database.execute(f"SELECT name, num_children FROM parquet_schema({file})").fetchall()
    names, inside = [], 0
    for name, children in rows[1:]:
        if inside:
            inside += (children or 0) - 1
            continue
        names.append(name)
        inside = children or 0
    return names


def read_json(path: Path, shown: Path | str, encoding: str | None) -> Table:
    """The table of a JSON file: a list of records, records one a line, or an object of columns."""
    import duckdb

    with plain_text(path, encoding, shown) as (plain, notes):
        try:
            with connected(plain) as database:
                query = f"SELECT * FROM read_json({literal(str(plain))}, sample_size=-1)"
                query = _unnested(database, query)
                return _table(database, query, shown, (), tuple(notes))
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0].replace(str(plain), str(shown))
            raise FileError(
                f"{shown} is no table in JSON: {reason} Expected a list of records, [{{...}}, {{...}}], or "
                "one record a line."
            ) from error


def _unnested(database: Any, query: str) -> str:
    """The query of the records that lie in one object: columns that are lists, or one list of records."""
    types = {name: kind for name, kind, *_ in database.execute(f"DESCRIBE {query}").fetchall()}
    if [*types] == ["json"]:
        import duckdb

        raise duckdb.InvalidInputException("it holds no records.")
    lists = [name for name, kind in types.items() if kind.endswith("[]")]
    if not lists or database.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM ({query}) LIMIT 2)"
    ).fetchone() != (1,):
        return query
    records = [name for name in lists if types[name].startswith("STRUCT")]
    if len(records) == 1:
        return f"SELECT unnest({quoted(records[0])}, max_depth := 2) FROM ({query})"
    if len(lists) == len(types):
        return f"SELECT {', '.join(f'unnest({quoted(n)}) AS {quoted(n)}' for n in lists)} FROM ({query})"
    return query


def _table(
    database: Any, query: str, shown: Path | str, index: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Table:
    database.execute(f"CREATE TABLE rows AS {query}")
    columns: dict[str, Column] = {}
    truths, text = set(), dict[str, TextColumn]()
    for name, type_of_file, *_ in database.execute("DESCRIBE rows").fetchall():
        kind = _kind(type_of_file)
        value = f"CAST({quoted(name)} AS {kind})"
        if kind == "VARCHAR":
            columns[name] = text[name] = text_column(database, "rows", value)
            continue
        values = filled(arrays(database, f"SELECT {value} AS v FROM rows")["v"])
        columns[name] = column_of(values)
        if kind == "BOOLEAN" and values.dtype != bool:
            truths.add(name)
    known = understood(text, database)
    columns = {name: known.columns.get(name, column) for name, column in columns.items()}
    index = index or counting(next(iter(columns)), next(iter(columns.values())))
    return Table(columns, shown, (*notes, *known.notes()), index, frozenset(truths | known.truths))


def _kind(kind: str) -> str:
    """The type of DuckDB that a column of another one is read as."""
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "TIMESTAMP"
    if kind.startswith("DECIMAL") or kind == '"NULL"' or "INT128" in kind or "HUGEINT" in kind:
        return "DOUBLE"
    return kind if _NUMBERS.fullmatch(kind) else "VARCHAR"
