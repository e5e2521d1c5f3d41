"""A table of 1,000,000 rows with categories, dates and gaps, trained on within 256 MiB and in memory.

``python -m benchmarks.table_streams [ROWS [MEMORY [COLUMNS]]]`` writes the table as a folder of Parquet
files and, in a process of its own, finds out what each column is, encodes and trains within the memory. It
prints the most memory over the imported process, and compares preprocessing and parameters with those of
the same rows in memory. COLUMNS, such as x0,x1,when, are those to learn from, all by default.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.options import run_child
from benchmarks.jobs.streaming import sampled
from glassnet.data.tables.prepare import prepare_table
from glassnet.experiments.library import find_experiment
from glassnet.experiments.preparation import Draws
from glassnet.experiments.settings import Override
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS
from glassnet.training.train import train
from glassnet.utils.memory import as_memory, size_text

ROWS, MEMORY, FILES, GROUP_ROWS = 1_000_000, "256 MiB", 5, 1 << 16
TARGET, NUMBERS = "bought", 12


def columns(random: np.random.Generator, first: int, n: int) -> dict[str, Any]:
    """Some rows of the table, of which `first` is the number of the first."""
    import pyarrow as pa

    numbers = random.standard_normal((NUMBERS, n))
    gone = random.random(n) < 0.05
    city = random.integers(0, 40, n)
    kind = random.integers(0, 6, n)
    seconds = np.datetime64("2024-01-01", "us") + random.integers(0, 86_400 * 700, n) * np.timedelta64(
        1, "s"
    )
    score = numbers[0] + (city % 3 == 0) - (kind == 2) + random.standard_normal(n) > 0.5
    return {
        **{
            f"x{place}": pa.array(column, mask=np.roll(gone, place)) for place, column in enumerate(numbers)
        },
        "city": pa.array(np.array([f"city {k}" for k in range(40)])[city]),
        "kind": pa.array(np.array([*"abcdef"])[kind], mask=np.roll(gone, 50)),
        "shop": pa.array([f"shop {k}" for k in (5_000 * random.random(n) ** 2).astype(int)]),
        "member": pa.array(random.random(n) < 0.3),
        "when": pa.array(seconds),
        "order": pa.array([f"order {k}" for k in range(first, first + n)]),
        "remark": pa.array([f"the customer {k} said nothing" for k in range(first, first + n)]),
        TARGET: pa.array(np.where(score, "yes", "no"), mask=np.roll(gone, 100)),
    }


def write(folder: Path, n: int, names: list[str]) -> None:
    """The table as a folder, and as one file; of `names`, where some are given, and the target."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    (folder / "table").mkdir(parents=True)
    kept = [*names, TARGET] if names else [*columns(random, 0, 1)]
    schema = pa.table(columns(random, 0, 10)).select(kept).schema
    with pq.ParquetWriter(folder / "table.parquet", schema) as whole:
        for number in range(FILES):
            start, stop = n * number // FILES, n * (number + 1) // FILES
            with pq.ParquetWriter(folder / "table" / f"part-{number}.parquet", schema) as part:
                for begin in range(start, stop, GROUP_ROWS):
                    some = pa.table(columns(random, begin, min(GROUP_ROWS, stop - begin))).select(kept)
                    part.write_table(some)
                    whole.write_table(some)


def fit(X: Any, y: Any, width: int) -> Any:
    """A few steps on all rows."""
    settings: Any = {"optimizer": OPTIMIZERS["adam"](), "iterations": 5, "random_state": 0}
    return train(Network((width, 16, 2), "tanh"), X, y, **settings)


def streamed(folder: Path, memory: str) -> tuple[Any, Any]:
    """The preprocessing and the run of the folder."""
    values: dict[str, Any] = {"data.target": TARGET, "data.memory": memory, "data.test_fraction": 0.0}
    job = find_experiment(str(folder), {key: Override(value, key) for key, value in values.items()})
    samples = Draws(job).samples
    return samples.preprocessing, fit(samples.training, None, samples.training.n_inputs)


def in_memory(folder: Path) -> tuple[Any, Any]:
    """The preprocessing and the run of the one file."""
    data = prepare_table(folder.with_suffix(".parquet"), TARGET, test_fraction=0)
    return data.preprocessing, fit(data.X_train, data.y_train, data.X.shape[1])


def child(folder: str, way: str, memory: str) -> None:
    """Prepare and train, and print the digests and the most memory over the start as JSON."""
    few = Path(folder) / "few"
    for prepare in (lambda path: streamed(path, "96 MiB"), in_memory):
        prepare(few / "table")  # whatever reading and training import is there before anything is measured
    began = time.perf_counter()
    with sampled() as seen:
        table = Path(folder) / "table"
        known, run = streamed(table, memory) if way == "streamed" else in_memory(table)
    result = {
        "peak": max(taken for _, taken in seen),
        "seconds": round(time.perf_counter() - began, 1),
        "inputs": len(known.inputs),
        "preprocessing": sha256(json.dumps(known.to_dict()).encode()).hexdigest()[:16],
        "parameters": sha256(run.parameters.flat.tobytes()).hexdigest()[:16],
    }
    print(json.dumps(result))


def main(n: int = ROWS, memory: str = MEMORY, names: str = "") -> int:
    """Print both; 0 where the memory held and the bits agree."""
    chosen = names.split(",") if names else []
    with tempfile.TemporaryDirectory(prefix="glassnet-bench-") as folder:
        write(Path(folder), n, chosen)
        write(Path(folder) / "few", 2_000, chosen)
        size = sum(file.stat().st_size for file in (Path(folder) / "table").iterdir())
        results = {
            way: run_child("benchmarks.table_streams", folder, way, memory)
            for way in ("streamed", "in memory")
        }
    for way, result in results.items():
        if "reason" in result:
            print(f"{way}: {result['reason']}")
            return 1
    first, other = results.values()
    print(f"{n:,} rows, {first['inputs']} inputs, {size_text(size)} of Parquet")
    for way, result in results.items():
        print(
            f"{way:10} {size_text(result['peak'])} over the imported process, {result['seconds']} s, "
            f"preprocessing {result['preprocessing']}, parameters {result['parameters']}"
        )
    same = all(first[key] == other[key] for key in ("preprocessing", "parameters"))
    holds = first["peak"] < as_memory(memory)
    print(f"the same bits: {same}; within {memory}: {holds}")
    return 0 if same and holds else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(int(given[0]) if given else ROWS, *given[1:3]))
