"""What the live lab costs training, how fast its page follows, and what it holds on to.

``python -m benchmarks.live_lab`` plays an experiment (circles: 2-3-2 on 50,000 samples) without a page
and with one in a real Chromium, in turns, and prints iterations and frames a second, the processor's time
that a frame takes in Python and in the browser, and what the browser draws with. ``--minutes 20`` plays on
and prints the memory of Python each minute. Chromium is the system's, or that of GLASSNET_CHROMIUM.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

from benchmarks.record import describe_machine, machine_line
from glassnet import native
from glassnet.lab.frame import Frame
from glassnet.lab.opening import Lab, session_of
from glassnet.lab.session import Session

ROUNDS = 5
SECONDS = 4.0
HEADS = ("alone", "with page", "share, %", "frames/s", "in Python", "Chromium")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """The system's Chromium, or that of GLASSNET_CHROMIUM."""
    path = os.environ.get("GLASSNET_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        raise SystemExit("There is no Chromium: install it, or name it in GLASSNET_CHROMIUM.")
    return path


class Browser:
    """A Chromium that looks at an address, as a person's does: nothing listens to what it receives."""

    def __init__(self, address: str) -> None:
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = [
            "--headless",
            "--window-size=1280,800",
            "--no-first-run",
            f"--user-data-dir={self._home.name}",
        ]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        self._process = subprocess.Popen([chromium_path(), *flags, address], stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._home.cleanup()

    def _own(self) -> list[Path]:
        """The folders in /proc of its processes."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])

        def is_own(process: int) -> bool:
            while process in parents and process != self._process.pid:
                process = parents[process]
            return process == self._process.pid

        return [Path(f"/proc/{process}") for process in parents if is_own(process)]

    def seconds(self) -> float:
        """Seconds of processor's time that it has taken so far."""
        ticks = 0
        for process in self._own():
            with suppress(OSError):
                ticks += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def draws_with(self) -> str:
        """What its pictures are made by, from the command line of its process for graphics."""
        for process in self._own():
            with suppress(OSError):
                words = (process / "cmdline").read_text().replace("\0", " ")
                if "--type=gpu-process" in words:
                    by_processor = "swiftshader" in words or "--use-gl=disabled" in words
                    return "the processor: there is no graphics card" if by_processor else "a graphics card"
        return "the processor: there is no process for graphics"


def play(session: Session, seconds: float) -> float:
    """Iterations a second while it plays."""
    session.command({"do": "play"})
    first, began = session.shown_run().iterations, time.perf_counter()
    time.sleep(seconds)
    made = session.shown_run().iterations - first
    return made / (time.perf_counter() - began)


def compare(session: Session, lab: Lab, frames: list[float], seconds: float) -> None:
    """Print the rates without and with a page, in turns; `frames` has the seconds that each one takes."""
    rows: list[tuple[float, ...]] = []
    for _ in range(ROUNDS):
        alone = play(session, seconds)
        session.command({"do": "pause"})
        made = len(frames)
        browser = Browser(lab.address)
        try:
            while len(frames) == made:  # until it shows the first one
                time.sleep(0.1)
            time.sleep(2)
            if not rows:
                print(f"Chromium draws with {browser.draws_with()}; a frame takes ms of the processor")
                print("  ".join(f"{head:>10}" for head in HEADS))
            made, spent, began = len(frames), browser.seconds(), time.perf_counter()
            watched = play(session, seconds)
            took, spent = time.perf_counter() - began, browser.seconds() - spent
            own = frames[made:]
        finally:
            browser.close()
        n = max(len(own), 1)
        rows.append((alone, watched, 100 * watched / alone, n / took, 1e3 * sum(own) / n, 1e3 * spent / n))
        print("  ".join(f"{value:10,.1f}" for value in rows[-1]), flush=True)
    print("  ".join(f"{statistics.median(values):10,.1f}" for values in zip(*rows, strict=True)), "median")


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def remember(session: Session, lab: Lab, minutes: int, pace: int | None) -> None:
    """Play on with a page, and print the memory of Python each minute."""
    session.command({"do": "pace", "iterations": pace})
    session.command({"do": "play"})
    browser = Browser(lab.address)
    try:
        for minute in range(minutes + 1):
            iterations = session.shown_run().iterations
            print(f"minute {minute:3}: {resident():8.1f} MiB, iteration {iterations:,}", flush=True)
            time.sleep(60 if minute < minutes else 0)
    finally:
        browser.close()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="circles")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--minutes", type=int, default=0)
    parser.add_argument("--pace", type=int, help="iterations from one frame to the next in those minutes")
    options = parser.parse_args()
    isa = native.module.isas()[0] if native.module is not None else None
    print(machine_line(describe_machine(isa)), f"load {os.getloadavg()[0]:.1f}")
    frames: list[float] = []
    frame = Session.frame

    def counted(session: Session) -> Frame:
        began = time.thread_time()
        made = frame(session)
        frames.append(time.thread_time() - began)
        return made

    with session_of(options.experiment) as session, Lab(session) as lab:
        session.command({"do": "end_at", "iteration": 10_000_000})
        with patch.object(Session, "frame", counted):
            compare(session, lab, frames, options.seconds)
        if options.minutes:
            remember(session, lab, options.minutes, options.pace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
