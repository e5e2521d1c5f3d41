"""Attacks on the promise that nothing is lost: kills, signals, full disks, damaged files, time limits.

``make torture`` repeats each attack for some seconds, ``python -m benchmarks.torture --seconds 600`` for
longer, ``--only NAME`` one of them, and ``--seed N`` draws other moments. It prints how many were tried,
how many held, and each that was lost; the exit status is 1 where one was.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.cli import main as command_line
from glassnet.cli.experiments import job

TRAIN = [
    "train",
    "circles",
    "--results",
    "r",
    "--no-pictures",
    "--no-report",
    "--set",
    "data.n_samples=400",
]
SOON = 5.0
"""Seconds within which whatever is raised must arrive, on a machine that does other things too."""


class LostError(Exception):
    """An attack that did not hold, in words."""


class TimeIsOverError(Exception):
    """What a task queue's time limit raises."""


@dataclass
class Attack:
    """One way to attack: a function of a folder and a generator, which raises LostError."""

    name: str
    words: str
    once: Callable[[Path, random.Random], None]
    tried: int = 0
    lost: list[str] = field(default_factory=list)


ATTACKS: list[Attack] = []


def attack(function: Callable[[Path, random.Random], None]) -> Callable[[Path, random.Random], None]:
    """Add a function to `ATTACKS`, by its name."""
    ATTACKS.append(Attack(function.__name__, (function.__doc__ or "").strip(), function))
    return function


def require(holds: object, words: str) -> None:
    """Raise LostError unless it holds."""
    if not holds:
        raise LostError(words)


# ---- Commands in processes of their own ---------------------------------------------------------------


@dataclass
class Ended:
    """How a command ended: its exit status, or minus the signal's number, and what it printed."""

    status: int
    said: str
    begun: bool


def command(
    folder: Path,
    arguments: list[str],
    number: int | None = None,
    after: float = 0.0,
    prepare: Callable[[], object] = lambda: None,
) -> Ended:
    """Run a command in a child that has all imported; send it a signal after some seconds."""
    said, begun = folder / ".said", folder / ".begun"
    begun.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            _in_child(folder, arguments, said, begun, prepare)
        finally:
            os._exit(99)
    if number is not None:
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
    deadline = time.monotonic() + 120
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise LostError("the process did not end")
        time.sleep(0.002)
    text = said.read_text("utf-8", "replace") if said.exists() else ""
    return Ended(os.waitstatus_to_exitcode(ended[1]), text, begun.exists())


def _in_child(
    folder: Path, arguments: list[str], said: Path, begun: Path, prepare: Callable[[], object]
) -> None:
    os.chdir(folder)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    jobs: Any = job
    train = jobs.train

    def noted(*args: Any, **keywords: Any) -> Any:
        begun.touch()
        return train(*args, **keywords)

    jobs.train = wraps(train)(noted)
    prepare()
    status = 0
    try:
        command_line(arguments, prog_name="glassnet")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
    os._exit(status)


def seconds_of(folder: Path, arguments: list[str]) -> float:
    """How long a command takes, measured once in a folder."""
    mark = folder / ".seconds"
    if not mark.exists():
        began = time.monotonic()
        ended = command(folder, arguments)
        require(ended.status == 0, f"the plain command failed: {ended.said}")
        mark.write_text(str(time.monotonic() - began))
    return float(mark.read_text())


def iterations_in(folder: Path) -> int:
    """The iterations that every file of a results folder agrees on."""
    record = json.loads((folder / "run.json").read_text())
    settings = tomllib.loads((folder / "experiment.toml").read_text())
    rows = len((folder / "losses.csv").read_text().splitlines()) - 2
    run = gn.load(folder / "model.safetensors")
    seen = {record["settings"]["train"]["iterations"], settings["train"]["iterations"]}
    require(len(seen) == 1, f"a mixture of two runs: {seen}")
    require(record["iterations"] == run.iterations == rows, "record, model and losses are of two runs")
    return int(seen.pop())


@attack
def kills(folder: Path, draw: random.Random) -> None:
    """SIGKILL at any moment of glassnet train: one run's results whole, and the next cleans up."""
    taken = seconds_of(folder, [*TRAIN, "--iterations", "20"])
    (folder / "r" / "notes.txt").write_text("mine")
    command(folder, [*TRAIN, "--iterations", "30"], signal.SIGKILL, draw.uniform(0, 1.1 * taken))
    require(iterations_in(folder / "r") in (20, 30), "other results")
    require((folder / "r" / "notes.txt").read_text() == "mine", "a file of the user's own is gone")
    require(command(folder, [*TRAIN, "--iterations", "20"]).status == 0, "the next run failed")
    require(iterations_in(folder / "r") == 20, "the next run's results are not there")
    left = [p.name for p in (folder / "r").iterdir() if p.name.startswith(("unfinished", "."))]
    left += [p.name for p in folder.iterdir() if "unfinished" in p.name]
    require(not left, f"left behind: {left}")


@attack
def signals(folder: Path, draw: random.Random) -> None:
    """SIGTERM, SIGHUP and SIGINT at any moment: the status says so, and the work so far is there."""
    arguments = [*TRAIN, "--iterations", "100000", "--engine", draw.choice(["native", "numpy"])]
    number = draw.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    job_folder = folder / str(draw.random())
    job_folder.mkdir()
    ended = command(job_folder, arguments, number, draw.uniform(0.05, 2))
    known = {0, 128 + number} | ({-number} if not ended.begun else set())  # before the command listens
    require(ended.status in known, f"{number.name}: status {ended.status}: {ended.said}")
    if ended.begun and ended.status:
        places = [job_folder / "r", *(job_folder / "r").glob("unfinished-*")]
        models = [place / "model.safetensors" for place in places if (place / "model.safetensors").exists()]
        # Before the first update there is nothing to keep.
        early = "ended training" not in ended.said and "What was written before" not in ended.said
        require(models or early, f"{number.name}: no network is there: {ended.said}")
        for model in models:
            gn.load(model)


@attack
def disks(folder: Path, draw: random.Random) -> None:
    """A disk that is full at any byte: the earlier results or the new ones, and the status says which."""
    if not (folder / "r").exists():
        command(folder, [*TRAIN, "--iterations", "20"])
    size = int(10 ** draw.uniform(0, 5.5))

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    ended = command(folder, [*TRAIN, "--iterations", "30"], prepare=fill)
    now = iterations_in(folder / "r")
    require(now == 30 or ended.status in (1, 2), f"status {ended.status} with the earlier results")
    require(now == 30 or "cannot be written" in ended.said or size < 4096, f"raw: {ended.said}")
    for path in (folder / "r").glob("unfinished-*/model.safetensors"):
        gn.load(path)
    if now == 30:
        require(command(folder, [*TRAIN, "--iterations", "20"]).status == 0, "the next run failed")


@attack
def outputs(folder: Path, draw: random.Random) -> None:
    """A standard output that is full, closed or gone: the network is there, the status is 1."""
    kind = draw.choice(["full", "closed", "gone"])

    def break_output() -> None:
        if kind == "gone":
            sys.stdout = None  # as Python has it where it was closed
            return
        reading, writing = os.pipe()
        os.close(reading)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full if kind == "full" else writing, 1)

    job_folder = folder / str(draw.random())
    job_folder.mkdir()
    ended = command(job_folder, [*TRAIN, "--iterations", "20"], prepare=break_output)
    require(ended.status == 1, f"{kind}: status {ended.status}: {ended.said}")
    require(iterations_in(job_folder / "r") == 20, "no results")


# ---- Files ------------------------------------------------------------------------------------------


@attack
def damage(folder: Path, draw: random.Random) -> None:
    """A model file with bits flipped, cut or longer: refused in words, or the same run."""
    path = folder / "model.safetensors"
    if not path.exists():
        gn.save(gn.train(gn.Network((2, 3, 2)), *points(), iterations=5, random_state=0), path)
    whole, run = path.read_bytes(), gn.load(path)
    for _ in range(20):
        content, place = bytearray(whole), draw.randrange(len(whole))
        kind = draw.choice(["flip", "cut", "longer", "zero"])
        if kind == "flip":
            content[place] ^= 1 << draw.randrange(8)
        elif kind == "cut":
            del content[place:]
        elif kind == "longer":
            content[place:place] = draw.randbytes(draw.randrange(1, 50))
        else:
            content[place : place + 8] = bytes(len(content[place : place + 8]))
        (folder / "damaged").write_bytes(content)
        try:
            loaded = gn.load(folder / "damaged")
        except gn.GlassnetError:
            continue
        require(loaded.parameters == run.parameters, f"{kind} at {place}: another run was loaded")


@attack
def maps(folder: Path, draw: random.Random) -> None:
    """A mapped array cut short while it is read: an error in words, never the end of the process."""
    rows, order = 20_000, draw.choice("CF")
    X = np.random.RandomState(0).randn(rows, 4)
    np.save(folder / "X.npy", X if order == "C" else np.asfortranarray(X))
    child = os.fork()
    if not child:
        timer = None
        try:
            X, y = np.load(folder / "X.npy", mmap_mode="r"), np.arange(rows) % 2
            timer = threading.Timer(draw.uniform(0, 0.2), os.truncate, (folder / "X.npy", 4096))
            timer.start()
            settings: Any = {"iterations": 60, "random_state": 0, "batch_size": draw.choice([None, 500])}
            data = (gn.stream(X, y), None) if draw.random() < 0.7 else (X, y)
            gn.train(gn.Network((4, 3, 2)), *data, **settings)
        except gn.FileError:
            pass
        except BaseException:
            os._exit(1)
        finally:
            if timer is not None:
                timer.join()
            os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    require(status == 0, f"order {order}: the process ended with {status}")


# ---- Exceptions of others -----------------------------------------------------------------------------


def points(rows: int = 2_000) -> tuple[Any, Any]:
    """Some points of two classes."""
    generator = np.random.RandomState(0)
    X = generator.randn(rows, 2)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def calls() -> dict[str, Callable[..., Any]]:
    """Each kind of training; called with more settings."""
    net, (X, y) = gn.Network((2, 8, 2), hidden="tanh"), points()
    long: Any = {"iterations": 10_000_000, "random_state": 0}
    square = gn.Network((2, 8, 1), hidden="tanh", output="identity")

    def trained(network: gn.Network, streamed: bool, **settings: Any) -> Callable[..., Any]:
        def call(**more: Any) -> Any:
            target = y if network is net else X[:, 0] * X[:, 1]
            data = (gn.stream(X, target), None) if streamed else (X, target)
            return gn.train(network, *data, **{**long, **settings, **more})

        return call

    kinds: dict[str, Callable[..., Any]] = {}
    for streamed in (False, True):
        for engine in ("native", "numpy"):
            where = f"{'stream' if streamed else 'memory'}, {engine}"
            kinds[f"full batch, {where}"] = trained(net, streamed, engine=engine)
            kinds[f"batches, {where}"] = trained(net, streamed, engine=engine, batch_size=100)
            lm = gn.LevenbergMarquardt(tolerance=0.0, gradient_tolerance=0.0)
            kinds[f"lm, {where}"] = trained(square, streamed, engine=engine, optimizer=lm)
            lbfgs = gn.LBFGS(tolerance=0.0, gradient_tolerance=0.0)
            kinds[f"lbfgs, {where}"] = trained(square, streamed, engine=engine, optimizer=lbfgs)
    return kinds


@attack
def limits(folder: Path, draw: random.Random) -> None:
    """An exception out of a signal handler in each kind of training: once, soon, with whole updates."""
    name, call = draw.choice([*calls().items()])
    raised: list[float] = []

    def ring(number: int, frame: object) -> None:
        raised.append(time.monotonic())
        raise TimeIsOverError

    before, threads = signal.signal(signal.SIGALRM, ring), threading.active_count()
    run = None
    try:
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.03, 0.5))
        try:
            run = call()
        except TimeIsOverError as error:
            require(
                time.monotonic() - raised[0] < SOON, f"{name}: it took {time.monotonic() - raised[0]:.1f} s"
            )
            run = getattr(error, "run", None)
        else:
            require(run.status == "stopped" and not raised, f"{name}: the time limit vanished")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if run is not None and 0 < run.iterations < 3_000:
        again = call(iterations=run.iterations)
        require(np.array_equal(run.losses, again.losses), f"{name}: not the losses of whole updates")
        require(
            run.cursor is not None or run.parameters == again.parameters,
            f"{name}: parameters of another time",
        )
    del run
    gc.collect()
    deadline = time.monotonic() + SOON
    while threading.active_count() > threads:
        require(time.monotonic() < deadline, f"{name}: threads go on")
        time.sleep(0.01)


@attack
def callbacks(folder: Path, draw: random.Random) -> None:
    """A callback or a metric that raises: once, with the run of that moment."""
    name, call = draw.choice([*calls().items()])
    at = draw.randrange(1, 6)
    X, y = points(200)

    def fail(*arguments: Any) -> Any:
        if len(arguments) == 2:
            seen.append(arguments)
            if len(seen) < at:
                return 0.0
        raise TimeIsOverError

    seen: list[Any] = []
    settings: dict[str, Any] = {"callbacks": [gn.Every(at, fail)]}
    if draw.random() < 0.5 and not name.startswith(("lm", "lbfgs")):
        stopping = gn.EarlyStopping(patience=1000, metric=fail, mode="min")
        settings = {"validation": (X, y), "stopping": stopping}
    try:
        call(**settings)
    except TimeIsOverError as error:
        run = getattr(error, "run", None)
        require(run is not None, f"{name}: without the run")
    else:
        raise LostError(f"{name}: the exception vanished")


# ---- All of them ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def quiet_place() -> Iterator[Path]:
    """A folder for one attack."""
    with tempfile.TemporaryDirectory(prefix="glassnet-torture-") as name:
        yield Path(name)


def main() -> None:
    """Repeat the attacks, print the figures, and exit with 1 where something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=25, help="for each attack")
    parser.add_argument("--only", choices=[one.name for one in ATTACKS], action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401 - children have them already

    print(f"{'attack':<12}{'tried':>7}{'held':>7}{'lost':>7}")
    lost = False
    for one in ATTACKS:
        if options.only and one.name not in options.only:
            continue
        draw, end = random.Random(f"{options.seed} {one.name}"), time.monotonic() + options.seconds
        with quiet_place() as folder:
            while time.monotonic() < end:
                one.tried += 1
                try:
                    one.once(folder, draw)
                except Exception as error:
                    one.lost.append(f"{type(error).__name__}: {error}")
        print(
            f"{one.name:<12}{one.tried:>7}{one.tried - len(one.lost):>7}{len(one.lost):>7}  {one.words}",
            flush=True,
        )
        for words in one.lost[:5]:
            print(f"    {words}")
        lost = lost or bool(one.lost)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
