"""Data that do not fit: how much memory a training takes, and how near it is to bare reading."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.charts import label, set_axis_labels, set_heading, two_panels
from benchmarks.contest import BenchmarkError, Say
from benchmarks.jobs.options import Options, run_child
from benchmarks.record import outcome
from glassnet.data.dataset import stream
from glassnet.engine.prepare import ProblemSettings, prepare, prepare_problem
from glassnet.nn.network import Network
from glassnet.optim import OPTIMIZERS
from glassnet.plots.style import FAINT, GRID, INK, OKABE_ITO
from glassnet.training.train import train
from glassnet.utils.memory import size_text
from glassnet.utils.threads import thread_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY, QUICK_MEMORY = 256 << 20, 96 << 20
TIMES = 4
"""So many times the memory are on the disk."""

INPUTS, HIDDEN, TARGET, FILES = 31, 16, "target", 8
ROW = 8 * (INPUTS + 1)
GROUP_ROWS = 1 << 16

BATCH, BUFFER = 256, 1 << 20

FORMAT = 2


def network(inputs: int = INPUTS) -> Network:
    """What is trained: a quantity of so many columns."""
    return Network((inputs, HIDDEN, 1), "tanh", "identity")


def measure_streaming(options: Options) -> dict[str, Any]:
    """A folder of Parquet `TIMES` as large as the memory, and the same as a mapped array.

    First a smaller copy is trained in memory and streamed, whose bits must agree; then each source is
    trained in a process of its own, whose resident memory is sampled; then passes are timed in turns with
    bare reading of the same bytes.
    """
    memory, say = QUICK_MEMORY if options.quick else MEMORY, options.say
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
            "job": f"{INPUTS}-{HIDDEN}-1 tanh, {n:,} x {INPUTS} float64, {size_text(on_disk)} of Parquet",
            "rows": n,
            "bytes": n * ROW,
            "bytes_on_disk": on_disk,
            "memory": memory,
            "peaks": peaks,
            "speed": measure_passes(where, n, options.rounds, say),
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
    for number in range(FILES):
        start, stop = n * number // FILES, n * (number + 1) // FILES
        with pq.ParquetWriter(
            folder / "parquet" / f"part-{number}.parquet",
            pa.schema([(name, pa.float64()) for name in [*names, TARGET]]),
            use_dictionary=False,  # of random numbers there is none
        ) as writer:
            for begin in range(start, stop, GROUP_ROWS):
                rows = random.standard_normal((min(GROUP_ROWS, stop - begin), inputs))
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
    settings: Any = {"optimizer": OPTIMIZERS["adam"](), "iterations": 5, "random_state": 0}
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    net = network(X.shape[1])
    expected = train(net, X, y, **settings)
    for source, rows in sources(folder, 128 << 20).items():
        run = train(net, rows, **settings)
        same = np.array_equal(run.losses, expected.losses) and run.parameters == expected.parameters
        if run.engine == "native" and not same:
            raise BenchmarkError(f"{source}: a streamed run has other bits than one in memory.")


# ---- Memory ---------------------------------------------------------------------------------------


def judge_peak(folder: Path, source: str, memory: int, say: Say) -> dict[str, Any]:
    """The most that a training took over what its process had once all was imported."""
    result = run_child(__name__, folder, source, memory)
    if "reason" in result:
        raise BenchmarkError(f"Training on {source} failed: {result['reason']}")
    say(f"{source}: {size_text(result['peak'])} at the peak, of {size_text(memory)} allowed")
    return {"source": source, **result, "holds": result["peak"] < memory}


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
    with sampled() as seen:
        run = train(net, rows, iterations=3, random_state=0)
        full, changed = max(taken for _, taken in seen), seen[-1][0]
        run = train(net, rows, iterations=2, random_state=0, batch_size=BATCH)
    result = {
        "peak": max(taken for _, taken in seen),
        "peak_of_the_full_batch": full,
        "updates": run.updates,
        "batches_from": changed,
        "curve": thinned(seen),
    }
    print(json.dumps(result))


def thinned(seen: list[tuple[float, int]], most: int = 240) -> list[tuple[float, int]]:
    """Seconds, and the largest bytes of each of `most` spans of time."""
    step = max(1, -(-len(seen) // most))
    spans = [seen[start : start + step] for start in range(0, len(seen), step)]
    return [(round(span[0][0], 3), max(taken for _, taken in span)) for span in spans]


@contextmanager
def sampled(every: float = 0.002) -> Iterator[list[tuple[float, int]]]:
    """Sample this process's resident memory over the start, in bytes, with the seconds since."""
    start, began, ended = resident(), time.perf_counter(), threading.Event()
    seen = [(0.0, 0)]

    def watch() -> None:
        while not ended.wait(every):
            seen.append((time.perf_counter() - began, resident() - start))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def resident() -> int:
    """Bytes of memory that this process has now, from Linux's /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


# ---- Speed ----------------------------------------------------------------------------------------


def measure_passes(folder: Path, n: int, rounds: int, say: Say) -> dict[str, Any]:
    """Bytes per second of passes and epochs, of bare reading, and of the engine in memory."""
    threads, n_in_memory = thread_count(None), min(n, 1 << 19)
    rows = sources(folder, MEMORY)
    arrays = (
        np.load(folder / "X.npy", mmap_mode="r")[:n_in_memory].copy(),
        np.load(folder / "y.npy")[:n_in_memory],
    )
    networks = {"": network(), " without a hidden layer": Network((INPUTS, 1), output="identity")}
    jobs: dict[str, tuple[Callable[[], Any], int]] = {}
    for words, net in networks.items():
        theta = net.initialize(0).flat
        problems: dict[str, Any] = {
            name: prepare_problem(net, source, ProblemSettings()) for name, source in rows.items()
        }
        for name, problem in {**problems, "in memory": prepare(net, *arrays)}.items():
            size = (n_in_memory if name == "in memory" else n) * ROW
            jobs[f"{name}, a pass{words}"] = partial(problem.loss_and_gradient, theta), size
    settings: Any = {"iterations": 1, "batch_size": BATCH, "random_state": 0}
    for name, source in rows.items():
        jobs[f"{name}, an epoch of batches"] = (
            partial(train(network(), source, **settings).resume, 1),
            n * ROW,
        )
    jobs["in memory, an epoch of batches"] = (
        partial(train(network(), *arrays, **settings).resume, 1),
        n_in_memory * ROW,
    )
    for words, workers, use_threads in (
        ("1 thread", 1, False),
        (f"{threads} files at once", threads, False),
        ("its own threads", 1, True),
    ):
        jobs[f"parquet, pyarrow's bare decode, {words}"] = (
            partial(decode, folder, workers, use_threads),
            n * ROW,
        )
    for workers in sorted({1, threads}):
        jobs[f"mapped, bare reading, {workers} threads"] = partial(read, folder, workers), n * 8 * INPUTS
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    of_cores: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}")
        for name, (work, _) in jobs.items():
            began, spent = time.perf_counter(), time.process_time()
            work()
            if number:  # the first one finds the files in no cache
                seconds[name].append(time.perf_counter() - began)
                of_cores[name].append(time.process_time() - spent)
    speed = {name: size / float(np.median(seconds[name])) for name, (_, size) in jobs.items()}
    core = {name: size / float(np.median(of_cores[name])) for name, (_, size) in jobs.items()}
    bare = {
        source: max(value for name, value in core.items() if source in name and "bare" in name)
        for source in rows
    }
    return {
        "threads": threads,
        "bytes_per_second": speed,
        "bytes_per_second_of_a_core": core,
        "shares": [
            {
                "source": source,
                "work": work,
                # By the cores' time, in which other programs' load counts least.
                "of_bare_reading": core[f"{source}, {work}"] / bare[source],
                # What cores that read and compute by turns would reach, were there nothing else to do.
                "of_the_bound": core[f"{source}, {work}"]
                * (1 / bare[source] + 1 / core[f"in memory, {work}"]),
            }
            for source in rows
            for work in [*(f"a pass{words}" for words in networks), "an epoch of batches"]
        ],
    }


def decode(folder: Path, workers: int, use_threads: bool) -> None:
    """Decode every column of every file and drop it."""
    import pyarrow.parquet as pq

    def one(file: Path) -> None:
        for _ in pq.ParquetFile(file, buffer_size=1 << 20).iter_batches(
            GROUP_ROWS, use_threads=use_threads
        ):
            pass

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, sorted((folder / "parquet").iterdir())))


def read(folder: Path, workers: int) -> None:
    """Read the array's file from end to end into buffers that are used again, one for each thread."""
    size = (folder / "X.npy").stat().st_size

    def one(worker: int) -> None:
        buffer = memoryview(bytearray(BUFFER))
        with (folder / "X.npy").open("rb", buffering=0) as file:
            file.seek(size * worker // workers)
            while (left := size * (worker + 1) // workers - file.tell()) > 0:
                file.readinto(buffer[: min(BUFFER, left)])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(workers)))


def streaming_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [f"streaming: {record['job']}, told to stay within {size_text(record['memory'])}"]
    for row in record["peaks"]:
        words = f"{size_text(row['peak'])} at the peak over the imported process"
        full = size_text(row["peak_of_the_full_batch"])
        lines.append(f"{outcome(row['holds'])} {row['source']}: {words} ({full} on the full batch)")
    speed = record["speed"]
    for name, value in speed["bytes_per_second"].items():
        of_core = speed["bytes_per_second_of_a_core"][name]
        lines.append(f"  {value / 1e9:6.2f} GB/s, {of_core / 1e9:6.2f} GB for a core's second  {name}")
    for row in speed["shares"]:
        lines.append(
            f"{row['source']}, {row['work']}: {row['of_bare_reading']:.0%} of bare reading for a core's "
            f"time, {row['of_the_bound']:.0%} of what reading and arithmetic by turns allow"
        )
    return "\n".join(lines)


# ---- The chart ------------------------------------------------------------------------------------

NAMES = {"parquet": "Parquet", "mapped": "mapped array"}


def draw_streaming(document: Mapping[str, Any]) -> Figure:
    """Left the resident memory over time below its limit, right the bytes per second of each job."""
    figure, left, right = two_panels(11.5, 5, (1, 1.25))
    set_heading(figure, "Training on data that do not fit", [document["job"]], document["machine"])
    _draw_memory(left, document)
    _draw_speed(right, document["speed"])
    return figure


def _draw_memory(axes: Any, document: Mapping[str, Any]) -> None:
    limit = document["memory"]
    for row, color in zip(document["peaks"], OKABE_ITO, strict=False):
        seconds, taken = zip(*row["curve"], strict=True)
        name = f"{NAMES[row['source']]}, {size_text(row['peak'])} at most"
        axes.plot(seconds, [amount / 2**20 for amount in taken], color=color, linewidth=1.2, label=name)
        axes.axvline(row["batches_from"], color=color, linewidth=0.8, linestyle=":")
    axes.axhline(limit / 2**20, color=INK, linewidth=1.2, linestyle="--")
    inside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "baseline", "fontsize": 9}
    label(axes, f"told to stay within {size_text(limit)}", (0.02, limit / 2**20), (0, 4), **inside)
    axes.set_ylim(0, limit / 2**20 * 1.25)
    x = "seconds; dotted: the full batch ends, batches begin"
    set_axis_labels(axes, x, "resident memory over the start, MiB")
    axes.legend(fontsize=8.5, labelcolor=INK, edgecolor="none", loc="upper right")


def _draw_speed(axes: Any, speed: Mapping[str, Any]) -> None:
    rates = speed["bytes_per_second"]
    names_of = {
        source: [name for name in rates if name.startswith(source)] for source in [*NAMES, "in memory"]
    }
    place, labels = 0.0, []
    for color, names in zip((*OKABE_ITO[:2], FAINT), names_of.values(), strict=True):
        for name in names:
            axes.barh(place, rates[name] / 1e9, color=GRID if "bare" in name else color, height=0.75)
            label(axes, f"{rates[name] / 1e9:.2g}", (rates[name] / 1e9, place), (3, 0))
            labels.append((place, name))
            place += 1
        place += 0.6
    axes.set_yticks([at for at, _ in labels], [name for _, name in labels], fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlim(0, max(rates.values()) / 1e9 * 1.1)
    set_axis_labels(axes, "GB of rows per second; gray: bare reading")
