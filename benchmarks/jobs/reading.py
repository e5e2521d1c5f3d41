"""Reading tables: the columns of pandas first, then how fast, and with how much memory."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import BenchmarkError
from benchmarks.jobs.memory import resident
from benchmarks.jobs.options import Options, run_child
from benchmarks.record import FORMAT, outcome
from glassnet.data.tables import Table, TextColumn, read_table
from glassnet.utils.memory import size_text

ROWS = {"numbers": 300_000, "mixed": 2_000_000}
"""20 columns of numbers; and whole numbers, amounts, two texts, a date, true and false, and gaps."""

QUICK_ROWS = 2_000

MOST_TIME, MOST_MEMORY = 1.5, 3.0
"""The most times pandas' time, and the most times the file's size."""

READERS = ("glassnet", "pandas", "pyarrow", "polars", "duckdb")


def write(folder: Path, kind: str, rows: int) -> Path:
    """Draw a table and write it as CSV."""
    import pandas as pd

    random = np.random.default_rng(0)
    if kind == "numbers":
        frame = pd.DataFrame(random.standard_normal((rows, 20)), columns=[f"x{i}" for i in range(20)])
    else:
        days = np.datetime64("2000-01-01") + random.integers(0, 8000, rows).astype("m8[D]")
        frame = pd.DataFrame(
            {
                "id": np.arange(rows),
                "age": random.integers(18, 90, rows),
                "income": random.lognormal(8, 1, rows).round(2),
                "city": random.choice(["Berlin", "Oslo", "Paris", "Rome", "New York", "Lima"], rows),
                "job": random.choice([f"job {i}" for i in range(300)], rows),
                "joined": days.astype(str),
                "member": random.random(rows) < 0.5,
                "score": random.standard_normal(rows),
            }
        )
        frame.loc[random.random(rows) < 0.05, "score"] = np.nan
        frame.loc[random.random(rows) < 0.03, "city"] = None
    path = folder / f"{kind}.csv"
    frame.to_csv(path, index=False)
    return path


def read(reader: str, path: Path) -> Any:
    """The table by a library's defaults: pandas then leaves dates as text."""
    if reader == "glassnet":
        return read_table(path)
    if reader == "pandas":
        import pandas as pd

        return pd.read_csv(path)
    if reader == "pyarrow":
        from pyarrow import csv

        return csv.read_csv(path)
    if reader == "polars":
        import polars as pl

        return pl.read_csv(path, try_parse_dates=True)
    import duckdb

    with duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")  # it would be printed amid what `child` prints
        return database.execute(f"SELECT * FROM read_csv('{path}')").fetchnumpy()


def check(table: Table, path: Path) -> None:
    """Raise BenchmarkError unless each value is pandas', correctly rounded."""
    import pandas as pd

    dates = ["joined"] if path.stem == "mixed" else False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas 3, that it rounds correctly without the argument
        frame = pd.read_csv(path, parse_dates=dates, float_precision="round_trip")
    for name, column in table.columns.items():
        theirs = frame[name]
        if isinstance(column, TextColumn):
            same = np.array_equal(column.texts(), theirs.fillna("").to_numpy(object))
        elif column.dtype.kind == "M":
            same = np.array_equal(column, theirs.to_numpy("M8[us]"))
        else:
            same = np.array_equal(column, theirs.to_numpy(), equal_nan=column.dtype.kind == "f")
        if not same:
            raise BenchmarkError(f"Column {name!r} of {path.name} differs from pandas'.")


def child(reader: str, path: str) -> None:
    """Print the most memory that one reading takes above that of its imported libraries, and its time."""
    small = Path(path).with_name(f"small-{Path(path).name}")
    read(reader, small)
    _, before = resident()
    start = time.perf_counter()
    table = read(reader, Path(path))
    seconds = time.perf_counter() - start
    peak = resident()[1] - before
    print(json.dumps({"peak": peak, "seconds": seconds, "type": type(table).__name__}))


def measure_reading(options: Options) -> dict[str, Any]:
    """Equality with pandas; then readers in turns; then each in a process of its own, for its memory."""
    found = []
    with tempfile.TemporaryDirectory(prefix="glassnet-bench-") as folder:
        for kind, rows in ROWS.items():
            options.say(f"reading: {kind}")
            path = write(Path(folder), kind, QUICK_ROWS if options.quick else rows)
            Path(folder, "small").mkdir(exist_ok=True)
            small = write(Path(folder, "small"), kind, 100)
            small.rename(path.with_name(f"small-{path.name}"))
            check(read_table(path), path)
            found.append(_measured(kind, path, options))
    return {"format": FORMAT, "most_time": MOST_TIME, "most_memory": MOST_MEMORY, "tables": found}


def _measured(kind: str, path: Path, options: Options) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    for _ in range(options.rounds):
        for reader in READERS:
            if reader in failed:
                continue
            start, cpu = time.perf_counter(), time.process_time()
            try:
                read(reader, path)
            except Exception as error:  # of any library, which may be missing
                failed[reader] = f"{type(error).__name__}: {error}".partition("\n")[0]
                continue
            seconds.setdefault(reader, []).append(time.perf_counter() - start)
            seconds.setdefault(f"{reader}, processor", []).append(time.process_time() - cpu)
    peaks = {reader: run_child(__name__, reader, path) for reader in READERS if reader not in failed}
    size = path.stat().st_size
    return {
        "kind": kind,
        "rows": QUICK_ROWS if options.quick else ROWS[kind],
        "bytes": size,
        "seconds": seconds,
        "failed": failed,
        "peaks": {reader: found.get("peak") for reader, found in peaks.items()},
        "times_pandas": statistics.median(seconds["glassnet"]) / statistics.median(seconds["pandas"]),
        "times_file": peaks["glassnet"]["peak"] / size,
    }


def reading_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [
        "reading: CSV files, equal to pandas' columns; median time, processor time, and peak of memory"
    ]
    for table in record["tables"]:
        lines.append(f"  {table['kind']}: {table['rows']:,} rows, {size_text(table['bytes'])}")
        for reader in READERS:
            if reader in table["failed"]:
                lines.append(f"    {reader:<12}{table['failed'][reader]}")
                continue
            wall, cpu = (
                statistics.median(table["seconds"][name]) for name in (reader, f"{reader}, processor")
            )
            peak = table["peaks"][reader]
            memory = "" if peak is None else f"{peak / table['bytes']:>7.2f} x the file"
            lines.append(f"    {reader:<12}{wall:>8.3f} s{cpu:>8.3f} s{memory}")
        fast = table["times_pandas"] <= record["most_time"]
        lean = table["times_file"] <= record["most_memory"]
        lines.append(
            f"    {table['times_pandas']:.2f} times pandas, at most {record['most_time']} {outcome(fast)}; "
            f"{table['times_file']:.2f} times the file, at most {record['most_memory']} {outcome(lean)}"
        )
    return "\n".join(lines)
