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
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from functools import cache, partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import glassnet as gn
from benchmarks.kills import ATTACKS, LostError, attack, require
from glassnet.cli import main as command_line
from glassnet.experiments import preparation

TRAIN = [
    *("train", "circles", "--results", "r", "--no-pictures", "--no-report"),
    *("--set", "data.n_samples=400", "--iterations"),
]
SOON = 5.0
"""Seconds within which whatever is raised must arrive, on a machine that does other things too."""


class TimeIsOverError(Exception):
    """What a task queue's time limit raises."""


def fork(work: Callable[[], int]) -> int:
    """Do work in a child, which ends with the status that it returns; the child's number."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        status = work()
    finally:
        os._exit(status)  # whatever was raised: it would go on as a second one of this script


class Ended(NamedTuple):
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
    child = fork(lambda: _in_child(folder, arguments, said, begun, prepare))
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
) -> int:
    os.chdir(folder)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module: Any = preparation
    train = module.train

    def noted(*args: Any, **keywords: Any) -> Any:
        begun.touch()
        return train(*args, **keywords)

    module.train = wraps(train)(noted)
    prepare()
    status = 0
    try:
        command_line(arguments, prog_name="glassnet")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
    return status


@cache
def seconds_of(folder: Path) -> float:
    """How long a plain command takes, measured once in a folder."""
    began = time.monotonic()
    ended = command(folder, [*TRAIN, "20"])
    require(ended.status == 0, f"the plain command failed: {ended.said}")
    return time.monotonic() - began


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
    """SIGKILL at any moment of glassnet train: each run's results whole, and the next cleans up."""
    taken = seconds_of(folder)
    for path in folder.glob("r.*"):
        shutil.rmtree(path)
    (folder / "r" / "notes.txt").write_text("mine")
    command(folder, [*TRAIN, "30"], signal.SIGKILL, draw.uniform(0, 1.1 * taken))
    now, earlier = iterations_in(folder / "r"), [iterations_in(path) for path in folder.glob("r.*")]
    require(now in (20, 30), "other results")
    require(20 in (now, *earlier), "the earlier results are gone")
    require((folder / "r" / "notes.txt").read_text() == "mine", "a file of the user's own is gone")
    require(command(folder, [*TRAIN, "20"]).status == 0, "the next run failed")
    require(iterations_in(folder / "r") == 20, "the next run's results are not there")
    left = [p.name for p in (folder / "r").iterdir() if p.name.startswith(("unfinished", "."))]
    left += [p.name for p in folder.iterdir() if "unfinished" in p.name]
    kept = sorted(map(iterations_in, folder.glob("r.*")))
    require(kept == sorted([now, *earlier]), f"earlier results of {kept} iterations are there")
    require(not left, f"left behind: {left}")


@attack
def checkpoints(folder: Path, draw: random.Random) -> None:
    """SIGKILL at any moment of training that a checkpoint follows: --resume ends with the same bits."""
    whole = folder / "whole.safetensors"
    arguments = [*TRAIN, "300000", "--checkpoint-every", "0.02"]
    if not whole.exists():
        require(command(folder, arguments).status == 0, "unbroken training failed")
        (folder / "r" / "model.safetensors").rename(whole)
    shutil.rmtree(folder / "r")
    command(folder, arguments, signal.SIGKILL, draw.uniform(0.1, 1.5))
    left = list((folder / "r").glob("unfinished-*/checkpoint.safetensors"))
    if left:
        ended = command(folder, [*arguments, "--resume"])
        require(ended.status == 0, f"--resume failed: {ended.said}")
        run, expected = gn.load(folder / "r" / "model.safetensors"), gn.load(whole)
        require(run.parameters == expected.parameters, "other parameters")
        require(np.array_equal(run.losses, expected.losses), "other losses")
        require(not list((folder / "r").glob("unfinished-*")), "the checkpoint is left behind")


@attack
def signals(folder: Path, draw: random.Random) -> None:
    """SIGTERM, SIGHUP and SIGINT at any moment: the status says so, and the work so far is there."""
    arguments = [*TRAIN, "100000", "--engine", draw.choice(["native", "numpy"])]
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
        command(folder, [*TRAIN, "20"])
    size = int(10 ** draw.uniform(0, 5.5))

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    ended = command(folder, [*TRAIN, "30"], prepare=fill)
    now = iterations_in(folder / "r")
    require(now == 30 or ended.status in (1, 2), f"status {ended.status} with the earlier results")
    require(now == 30 or "cannot be written" in ended.said or size < 4096, f"raw: {ended.said}")
    for path in (folder / "r").glob("unfinished-*/model.safetensors"):
        gn.load(path)
    if now == 30:
        require(command(folder, [*TRAIN, "20"]).status == 0, "the next run failed")


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
    ended = command(job_folder, [*TRAIN, "20"], prepare=break_output)
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
    settings: Any = {"iterations": 60, "random_state": 0, "batch_size": draw.choice([None, 500])}
    streamed, moment = draw.random() < 0.7, draw.uniform(0, 0.2)

    def work() -> int:
        X, y = np.load(folder / "X.npy", mmap_mode="r"), np.arange(rows) % 2
        timer = threading.Timer(moment, os.truncate, (folder / "X.npy", 4096))
        timer.start()
        with contextlib.suppress(gn.FileError):
            gn.train(gn.Network((4, 3, 2)), *((gn.stream(X, y), None) if streamed else (X, y)), **settings)
        timer.join()
        return 0

    status = os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
    require(status == 0, f"order {order}: the process ended with {status}")


# ---- Exceptions of others -----------------------------------------------------------------------------


def points(rows: int = 2_000) -> tuple[Any, Any]:
    """Some points of two classes."""
    generator = np.random.RandomState(0)
    X = generator.randn(rows, 2)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def trained(streamed: bool, squared: bool, **settings: Any) -> gn.TrainingRun:
    """Train for long, unless told otherwise."""
    X, y = points()
    net = gn.Network(
        (2, 8, 1 if squared else 2), hidden="tanh", output="identity" if squared else "softmax"
    )
    target = X[:, 0] * X[:, 1] if squared else y
    data = (gn.stream(X, target), None) if streamed else (X, target)
    return gn.train(net, *data, **{"iterations": 10_000_000, "random_state": 0, **settings})


ENDLESS: Any = {"tolerance": 0.0, "gradient_tolerance": 0.0}
KINDS: dict[str, dict[str, Any]] = {
    "full batch": {"squared": False},
    "batches": {"squared": False, "batch_size": 100},
    "lm": {"squared": True, "optimizer": gn.LevenbergMarquardt(**ENDLESS)},
    "lbfgs": {"squared": True, "optimizer": gn.LBFGS(**ENDLESS)},
}


def draw_call(draw: random.Random) -> tuple[str, Callable[..., gn.TrainingRun]]:
    """A kind of training in words, and the function that trains so, with more settings."""
    kind, streamed, engine = draw.choice([*KINDS]), draw.random() < 0.5, draw.choice(["native", "numpy"])
    name = f"{kind}, {'stream' if streamed else 'memory'}, {engine}"
    return name, partial(trained, streamed, engine=engine, **KINDS[kind])


@attack
def limits(folder: Path, draw: random.Random) -> None:
    """An exception out of a signal handler in each kind of training: once, soon, with whole updates."""
    name, call = draw_call(draw)
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
            taken = time.monotonic() - raised[0]
            require(taken < SOON, f"{name}: it took {taken:.1f} s")
            run = getattr(error, "run", None)
        else:
            require(run.status == "stopped" and not raised, f"{name}: the time limit vanished")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if run is not None and 0 < run.iterations < 3_000:
        again = call(iterations=run.iterations)
        require(np.array_equal(run.losses, again.losses), f"{name}: not the losses of whole updates")
        same = run.cursor is not None or run.parameters == again.parameters
        require(same, f"{name}: parameters of another time")
    del run
    gc.collect()
    deadline = time.monotonic() + SOON
    while threading.active_count() > threads:
        require(time.monotonic() < deadline, f"{name}: threads go on")
        time.sleep(0.01)


@attack
def callbacks(folder: Path, draw: random.Random) -> None:
    """A callback or a metric that raises: once, with the run of that moment."""
    name, call = draw_call(draw)
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


def main() -> None:
    """Repeat the attacks, print the figures, and exit with 1 where something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=25, help="for each attack")
    parser.add_argument("--only", choices=[*ATTACKS], action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401 - children have them already

    print(f"{'attack':<12}{'tried':>7}{'held':>7}{'lost':>7}")
    all_lost = 0
    for name in options.only or ATTACKS:
        once, lost, tried = ATTACKS[name], [], 0
        draw, end = random.Random(f"{options.seed} {name}"), time.monotonic() + options.seconds
        with tempfile.TemporaryDirectory(prefix="glassnet-torture-") as folder:
            while time.monotonic() < end:
                tried += 1
                try:
                    once(Path(folder), draw)
                except Exception as error:
                    lost.append(f"    {type(error).__name__}: {error}")
        print(f"{name:<12}{tried:>7}{tried - len(lost):>7}{len(lost):>7}  {once.__doc__}")
        print(*lost[:5], sep="\n", end="\n" * bool(lost), flush=True)
        all_lost += len(lost)
    print(f"lost: {all_lost or 'none'}")
    sys.exit(1 if all_lost else 0)


if __name__ == "__main__":
    main()
