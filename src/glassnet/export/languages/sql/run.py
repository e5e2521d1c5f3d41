"""Running queries by the databases that are there."""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import MissingToolError, Options, Ran
from glassnet.export.languages.program import promises, ran, texts_of
from glassnet.export.languages.sql.write import identifier, labels_in_sql, table_parts
from glassnet.export.model import Feature, Model
from glassnet.export.verification import distance


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the query by SQLite and by DuckDB, where they are; of the two the answers that are further from
    the model's own."""
    query = path.read_bytes().decode()
    columns = [
        values[:, place] if feature.categories is None else _category_texts(feature, values[:, place])
        for place, feature in enumerate(model.features)
    ]
    answers = [
        _ran(model, by(query, model, options, columns))
        for by, there in (
            (_by_sqlite, sqlite_computes()),
            (_by_duckdb, importlib.util.find_spec("duckdb")),
        )
        if there
    ]
    if not answers:
        raise MissingToolError("neither DuckDB nor an SQLite with functions such as exp is installed")
    expected, refused, near = model.outputs(values), ~model.finite(values), promises(model, options)

    def far(one: Ran) -> tuple[int, float]:
        outputs, numbers = one.outputs, one.numbers
        apart = distance(expected, outputs, model.numbers(expected), numbers, near, refused)
        return apart.labels, apart.error

    return max(answers, key=far)


def sqlite_computes() -> bool:
    """Whether this Python's SQLite has functions such as exp."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return ("ENABLE_MATH_FUNCTIONS",) in connection.execute("PRAGMA compile_options").fetchall()


def _by_sqlite(query: str, model: Model, options: Options, columns: Sequence[NDArray[Any]]) -> list[Any]:
    described = [f"{identifier(options.settings['key'])} INTEGER"]
    values: list[Iterable[Any]] = [range(len(columns[0]))]
    for feature, column in zip(model.features, columns, strict=True):
        kind = "DOUBLE PRECISION" if feature.categories is None and not feature.date else "VARCHAR"
        described.append(f"{identifier(feature.name)} {kind}")
        values.append(map(_date_text, column.tolist()) if feature.date else column.tolist())
    table = table_parts(options)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for schema in table[:-1]:
            if schema.lower() != '"main"':
                connection.execute(f"ATTACH ':memory:' AS {schema}")
        connection.execute(f"CREATE TABLE {'.'.join(table)} ({', '.join(described)})")
        marks = ", ".join("?" * len(values))
        rows = zip(*values, strict=True)
        connection.executemany(f"INSERT INTO {'.'.join(table)} VALUES ({marks})", rows)
        return connection.execute(_in_order(query, options)).fetchall()


def _date_text(number: float) -> str | None:
    """A date's number with all digits: the query reads dates as texts, and SQLite's own have 15 digits."""
    return None if np.isnan(number) else repr(number).replace("inf", "1e999")


def _by_duckdb(query: str, model: Model, options: Options, columns: Sequence[NDArray[Any]]) -> list[Any]:
    import duckdb  # here, so that importing glassnet stays light

    with duckdb.connect() as connection:
        data = {"id": np.arange(len(columns[0]))} | {f"c{place}": c for place, c in enumerate(columns)}
        connection.register("data", data)
        names = [f"c{place} AS {identifier(feature.name)}" for place, feature in enumerate(model.features)]
        table = table_parts(options)
        if table[:-1]:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(table[:-1])}")
        selected = ", ".join([f"id AS {identifier(options.settings['key'])}", *names])
        connection.execute(f"CREATE TABLE {'.'.join(table)} AS SELECT {selected} FROM data")
        connection.unregister("data")  # which would hide a table of this name
        rows: list[Any] = connection.execute(_in_order(query, options)).fetchall()
        return rows


def _in_order(query: str, options: Options) -> str:
    return f"SELECT * FROM ({query}) ORDER BY {identifier(options.settings['key'])}"


def _ran(model: Model, rows: Sequence[Any]) -> Ran:
    known = list(map(labels_in_sql, texts_of(model).classes))
    return ran(model, [[*row[1 : 1 + model.n_outputs], *_places(row, known)] for row in rows])


def _places(row: Sequence[Any], known: Sequence[list[Any]]) -> list[int]:
    """The numbers of the labels at a row's end, -1 for one that is NULL."""
    own = row[len(row) - len(known) :]
    return [-1 if label is None else labels.index(label) for label, labels in zip(own, known, strict=True)]


def _category_texts(feature: Feature, places: Floats) -> NDArray[np.object_]:
    """The texts of a category's places; another text for other places, None for NaN."""
    known, other = list(feature.categories or ()), "".join(feature.categories or ()) + "another"
    texts = [
        None if np.isnan(place) else (known[int(place)] if 0 <= place < len(known) else other)
        for place in places
    ]
    return np.array(texts, object)
