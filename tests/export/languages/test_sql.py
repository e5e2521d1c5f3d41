"""Queries: what databases give, PostgreSQL too where a server answers; and what is refused."""

import contextlib
import csv
import itertools
import os
import re
import shutil
import sqlite3
import subprocess

import duckdb
import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.export.exporting import export
from glassnet.export.languages.sql.run import sqlite_computes

RNG = np.random.default_rng(0)
TABLE = {
    "id": np.arange(100.0),
    'the "size"': RNG.normal(3, 2, 100),
    "color": RNG.choice(["red", "it's", "é"], 100),
    "kind": RNG.choice(["a", "b", "c"], 100),
}
FEATURES = list(TABLE)[1:3]


@pytest.fixture(scope="module")
def run():
    data = gn.prepare_table({name: TABLE[name] for name in [*FEATURES, "kind"]}, "kind")
    network = gn.Network((data.X.shape[1], 4, 4, 3), hidden=["gelu", "softplus"])
    return gn.train(network, data, iterations=20, random_state=0)


@pytest.mark.skipif(not os.environ.get("PGHOST"), reason="PGHOST names no server of PostgreSQL")
def test_query_runs_in_postgresql(run, tmp_path):
    export(run, tmp_path / "kind.sql", table="things")
    query = (tmp_path / "kind.sql").read_text("utf-8")
    rows = zip(*(TABLE[name].tolist() for name in ["id", *FEATURES]), strict=True)
    values = ", ".join(f"({key}, {size}, $${color}$$)" for key, size, color in rows)
    script = f"""\
CREATE TEMPORARY TABLE things (id INTEGER, "the ""size""\" DOUBLE PRECISION, color VARCHAR);
INSERT INTO things VALUES {values};
{query};"""
    psql = [shutil.which("psql"), "--quiet", "--csv", "--tuples-only", "--set", "ON_ERROR_STOP=1"]
    done = subprocess.run(psql, input=script, capture_output=True, text=True, check=True)
    _, *probabilities, labels = zip(*csv.reader(done.stdout.splitlines()), strict=True)
    assert np.allclose(np.array(probabilities, float).T, run.predict_proba(TABLE), 0, 1e-12)
    assert list(labels) == list(run.predict(TABLE))


def test_query_of_20_100_2_is_small(tmp_path):
    network = gn.Network((20, 100, 2), hidden="gelu")  # the longest formula
    run = gn.train(network, np.eye(20), np.arange(20) % 2, iterations=1, random_state=0)
    export(run, tmp_path / "small.sql")
    assert (tmp_path / "small.sql").stat().st_size < 500_000


def test_query_that_databases_do_not_take_is_refused(tmp_path):
    labels = np.array(["a", "b\0"], object)[np.arange(4) % 2]
    X = np.arange(4.0)[:, None]
    for width, y, message in ((3, labels, "character NUL"), (1601, np.arange(4) % 2, "1,601 columns")):
        run = gn.train(gn.Network((1, width, 2)), X, y, iterations=1, random_state=0)
        with pytest.raises(InputError, match=message):
            export(run, tmp_path / "refused.sql")
    with pytest.raises(InputError, match="have the names 'x1' more than once"):
        export(run, tmp_path / "refused.sql", key="X1")
    assert not (tmp_path / "refused.sql").exists()


def test_query_reads_dates_and_missing_values_as_databases_have_them(tmp_path):
    days = np.datetime64("1899-12-30", "us") + np.arange(120) * np.timedelta64(
        777 * 86_400_000 + 3_661_500, "ms"
    )
    sizes = [None if place % 7 == 0 else float(place) for place in range(120)]
    kinds = [None if place % 5 == 0 else "ab"[place % 2] for place in range(120)]
    table = {"day": days, "size": sizes, "kind": kinds, "y": np.arange(120) % 12 / 12.0}
    data = gn.prepare_table(table, "y")
    network = gn.Network((data.X.shape[1], 4, 1), output="identity")
    run = gn.train(network, data, iterations=20, random_state=0)
    export(run, tmp_path / "y.sql", verify=table)
    query, expected = (tmp_path / "y.sql").read_text("utf-8"), run.predict(table)
    texts = [str(day).replace("T", " ") for day in days]
    gaps = itertools.cycle(["", "n/a", "7 m", "m7"])
    written = [next(gaps) if size is None else f" {size} " for size in sizes]
    rows = list(zip(range(120), texts, written, [kind or "" for kind in kinds], strict=True))
    if sqlite_computes():
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE samples (id, day, size, kind)")  # as .import --csv has it
            connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?)", rows)
            assert np.allclose([row[1] for row in connection.execute(query)], expected, 0, 1e-12)
    duck = duckdb.connect()
    duck.execute("CREATE TABLE samples (id INTEGER, day TIMESTAMP, size DOUBLE, kind VARCHAR)")
    rows = list(zip(range(120), texts, sizes, kinds, strict=True))
    duck.executemany("INSERT INTO samples VALUES (?, ?, ?, ?)", rows)
    assert np.allclose([row[1] for row in duck.execute(query).fetchall()], expected, 0, 1e-12)


@pytest.mark.skipif(not sqlite_computes(), reason="this SQLite has no exp")
def test_query_that_fails_in_one_database_alone_is_not_verified(run, tmp_path):
    export(run, tmp_path / "kind.sql", table="a b.things", verify=TABLE)
    text = (tmp_path / "kind.sql").read_text("utf-8")
    for wrong in (
        "1 / 2 * 2",
        "(1 - 1 / 2 * 2)",
    ):  # 0 or 1 in SQLite, which divides whole numbers into such
        (tmp_path / "kind.sql").write_text(re.sub(r" AS p1,", rf" + {wrong} AS p1,", text), "utf-8")
        found = gn.verify_export(run, tmp_path / "kind.sql", TABLE, table="a b.things")
        assert found.data.error > 0.1


@pytest.mark.parametrize("table", ["data", "main.data"])
def test_query_of_a_table_called_data_is_verified(run, table, tmp_path):
    assert export(run, tmp_path / "kind.sql", table=table, verify=TABLE).passed
