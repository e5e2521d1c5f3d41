"""Floor 9: data that do not fit: how much memory a training takes, and how near it is to bare reading."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.bench.job import BenchmarkError
from glassnet.cores import thread_count
from glassnet.engine import prepare
from glassnet.network import Network
from glassnet.optimizers import OPTIMIZERS
from glassnet.streams import prepare_stream, stream
from glassnet.streams.memory import in_words
from glassnet.training import train

Say = Callable[[str], None]

MEMORY = 256 << 20
TIMES = 4
"""So many times the memory are on the disk."""

INPUTS, HIDDEN, TARGET, FILES = 31, 16, "target", 8
ROW = 8 * (INPUTS + 1)
GROUP = 1 << 16

FORMAT = 1


def network(inputs: int = INPUTS) -> Network:
    """What is trained: a quantity of so many columns."""
    return Network((inputs, HIDDEN, 1), "tanh", "identity")


def measure_streaming(rounds: int, say: Say, memory: int = MEMORY) -> dict[str, Any]:
    """A folder of Parquet `TIMES` as large as the memory, and the same as a mapped array.

    First a smaller copy is trained in memory and streamed, whose bits must agree; then each source is
    trained in a process of its own, whose resident memory is sampled; then passes are timed in turns with
    bare reading of the same bytes.
    """
    with tempfile.TemporaryDirectory(prefix="glassnet-bench-") as folder:
        say("writing the data")
        n = TIMES * memory // ROW + 1
        where = write(Path(folder), n)
        on_disk = sum(file.stat().st_size for file in (where / "parquet").iterdir())
        if on_disk < TIMES * memory:
            raise BenchmarkError(f"The files take {on_disk} bytes; expected {TIMES * memory} or more.")
        small = write(Path(folder) / "small", min(n, 100_003))
        check_bits(small)
        say("the same bits as in memory, from both sources, on the full batch")
        peaks = [judge_peak(where, source, memory, say) for source in ("parquet", "mapped")]
        return {
            "format": FORMAT,
            "job": f"{INPUTS}-{HIDDEN}-1 tanh, {n:,} x {INPUTS} float64, {in_words(on_disk)} of Parquet",
            "rows": n,
            "bytes": n * ROW,
            "bytes_on_disk": on_disk,
            "memory": memory,
            "peaks": peaks,
            "speed": measure_passes(where, n, rounds, say),
        }


def write(folder: Path, n: int, inputs: int = INPUTS) -> Path:
    """Draw n rows, and write them as a folder of Parquet and as arrays, some at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "parquet").mkdir(parents=True)
    random = np.random.default_rng(0)
    names = [f"x{place}" for place in range(inputs)]
    shape = (n, inputs)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, shape)
    y = np.empty(n)
    for part in range(FILES):
        start, stop = n * part // FILES, n * (part + 1) // FILES
        with pq.ParquetWriter(
            folder / "parquet" / f"part-{part}.parquet",
            pa.schema([(name, pa.float64()) for name in [*names, TARGET]]),
            use_dictionary=False,  # of random numbers there is none
        ) as writer:
            for begin in range(start, stop, GROUP):
                rows = random.standard_normal((min(GROUP, stop - begin), inputs))
                X[begin : begin + len(rows)] = rows
                y[begin : begin + len(rows)] = np.tanh(rows[:, 0]) + random.standard_normal(len(rows))
                columns = [*rows.T, y[begin : begin + len(rows)]]
                writer.write_table(pa.table(dict(zip([*names, TARGET], columns, strict=True))))
    X.flush()
    np.save(folder / "y.npy", y)
    return folder


def sources(folder: Path, memory: int) -> dict[str, Any]:
    """Both, to be streamed."""
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
    return {
        "parquet": stream(folder / "parquet", TARGET, memory=memory),
        "mapped": stream(X, y, memory=memory),
    }


def check_bits(folder: Path) -> None:
    """Raise BenchmarkError where a streamed run is another than the one in memory."""
    how: Any = {"optimizer": OPTIMIZERS["adam"](), "iterations": 5, "random_state": 0}
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    net = network(X.shape[1])
    expected = train(net, X, y, **how)
    for source, rows in sources(folder, 128 << 20).items():
        run = train(net, rows, **how)
        same = np.array_equal(run.losses, expected.losses) and run.parameters == expected.parameters
        if run.engine == "native" and not same:
            raise BenchmarkError(f"{source}: a streamed run has other bits than one in memory.")


# ---- Memory ---------------------------------------------------------------------------------------


def judge_peak(folder: Path, source: str, memory: int, say: Say) -> dict[str, Any]:
    """The most that a training took over what its process had once all was imported."""
    code = "import sys; from glassnet.bench.streaming import child; child(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(folder), source, str(memory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BenchmarkError(f"Training on {source} failed: {lines[-1]}")
    found = json.loads(done.stdout)
    say(f"{source}: {in_words(found['peak'])} at the peak, of {in_words(memory)} allowed")
    return {"source": source, **found, "holds": found["peak"] < memory}


def child(folder: str, source: str, memory: str) -> None:
    """Train on the full batch and on batches, and print the most memory over the start as JSON."""
    import pyarrow.parquet as pq

    first = next(iter(sorted((Path(folder) / "parquet").iterdir())))
    # Whatever reading and training import is there before anything is measured.
    next(iter(pq.ParquetFile(first).iter_batches(10)))
    rows = sources(Path(folder), int(memory))[source]
    net, few = network(rows.n_inputs), np.zeros((10, rows.n_inputs))
    for batch_size in (None, 5):
        train(net, few, np.zeros(10), iterations=1, batch_size=batch_size)
    with sampled() as most:
        run = train(net, rows, iterations=3, random_state=0)
        full = most()
        run = train(net, rows, iterations=2, random_state=0, batch_size=256)
    print(json.dumps({"peak": most(), "peak_of_the_full_batch": full, "updates": run.updates}))


@contextmanager
def sampled(every: float = 0.002) -> Iterator[Callable[[], int]]:
    """Sample this process's resident memory; gives a function that says the most over the start."""
    start, most, ended = resident(), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            most[0] = max(most[0], resident() - start)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        ended.set()
        thread.join()


def resident() -> int:
    """Bytes of memory that this process has now, from Linux's /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


# ---- Speed ----------------------------------------------------------------------------------------


def measure_passes(folder: Path, n: int, rounds: int, say: Say) -> dict[str, Any]:
    """Bytes per second of a pass, of bare reading of the same bytes, and of the engine in memory."""
    threads = thread_count(None)
    theta = network().initialize(0).flat
    rows = sources(folder, MEMORY)
    X = np.load(folder / "X.npy", mmap_mode="r")
    part = min(n, 1 << 19)
    problems: dict[str, Any] = {
        name: prepare_stream(network(), source, None) for name, source in rows.items()
    }
    kept = prepare(network(), np.array(X[:part]), np.load(folder / "y.npy")[:part])
    jobs: dict[str, tuple[Callable[[], Any], int]] = {
        "parquet, a training pass": (lambda: problems["parquet"].loss_and_gradient(theta), n * ROW),
        "parquet, pyarrow's bare decode, 1 thread": (lambda: decode(folder, 1, False), n * ROW),
        f"parquet, pyarrow's bare decode, {threads} files at once": (
            lambda: decode(folder, threads, False),
            n * ROW,
        ),
        "parquet, pyarrow's bare decode, its own threads": (lambda: decode(folder, 1, True), n * ROW),
        "mapped, a training pass": (lambda: problems["mapped"].loss_and_gradient(theta), n * ROW),
        "mapped, bare reading": (lambda: read(X), n * 8 * INPUTS),
        "in memory, a training pass": (lambda: kept.loss_and_gradient(theta), part * ROW),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}")
        for name, (work, _) in jobs.items():
            began = time.perf_counter()
            work()
            if number:  # the first one finds the files in no cache
                seconds[name].append(time.perf_counter() - began)
    speed = {name: size / float(np.median(seconds[name])) for name, (_, size) in jobs.items()}
    decoders = [value for name, value in speed.items() if "decode" in name]
    return {
        "threads": threads,
        "bytes_per_second": speed,
        "share_of_the_decoder": speed["parquet, a training pass"] / max(decoders),
        "share_of_reading": speed["mapped, a training pass"] / speed["mapped, bare reading"],
        "share_of_memory": {
            name: speed[f"{name}, a training pass"] / speed["in memory, a training pass"]
            for name in ("parquet", "mapped")
        },
        # What one core that reads and computes by turns would reach, were nothing else to do.
        "by_turns": 1 / (1 / max(decoders) + 1 / speed["in memory, a training pass"]),
    }


def decode(folder: Path, workers: int, use_threads: bool) -> None:
    """Decode every column of every file and drop it."""
    import pyarrow.parquet as pq

    def one(file: Path) -> None:
        for _ in pq.ParquetFile(file, buffer_size=1 << 20).iter_batches(GROUP, use_threads=use_threads):
            pass

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, sorted((folder / "parquet").iterdir())))


def read(X: Any) -> None:
    """Copy a mapped array's rows, some at a time."""
    for start in range(0, len(X), GROUP // 8):
        np.array(X[start : start + GROUP // 8])


def streaming_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [f"streaming: {record['job']}, told to stay within {in_words(record['memory'])}"]
    for row in record["peaks"]:
        words = f"{in_words(row['peak'])} at the peak over the imported process"
        full = in_words(row["peak_of_the_full_batch"])
        verdict = "[holds]" if row["holds"] else "[MISSED]"
        lines.append(f"{verdict} {row['source']}: {words} ({full} on the full batch)")
    speed = record["speed"]
    for name, value in speed["bytes_per_second"].items():
        lines.append(f"  {value / 1e9:6.2f} GB/s  {name}")
    lines.append(
        f"A pass over Parquet reaches {speed['share_of_the_decoder']:.0%} of the fastest decode, over a "
        f"mapped array {speed['share_of_reading']:.0%} of bare reading; both compute besides."
    )
    return "\n".join(lines)
