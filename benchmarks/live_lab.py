"""What the live lab costs training, how fast its page follows, and what it holds on to.

``python -m benchmarks.live_lab`` plays an experiment (circles: 2-3-2 on 50,000 samples) without a page
and with one in a real Chromium, in turns, and prints iterations and frames a second, and the processor's
time that a frame takes in Python and in the browser. ``--minutes 20`` plays on and prints the memory of
Python each minute. Chromium is the system's, or the one that GLASSNET_CHROMIUM names.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.record import describe_machine, machine_line
from glassnet import native
from glassnet.lab.opening import Lab, session_of
from glassnet.lab.session import Session

ROUNDS = 5
SECONDS = 4.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def browser_seconds() -> float:
    """Seconds of processor's time that the processes of this one's browser have taken so far."""
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        fields = rest.split()
        parents[int(stat.parent.name)] = int(fields[1])
        if "chrom" in name or "headless" in name:
            spent[int(stat.parent.name)] = int(fields[11]) + int(fields[12])

    def is_own(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return sum(used for process, used in spent.items() if is_own(process)) / os.sysconf("SC_CLK_TCK")


def play(session: Session, seconds: float) -> float:
    """Iterations a second while it plays."""
    session.command({"do": "play"})
    first, began = session.shown_run().iterations, time.perf_counter()
    time.sleep(seconds)
    made = session.shown_run().iterations - first
    return made / (time.perf_counter() - began)


def frame_cost(session: Session) -> float:
    """Seconds of processor's time of one frame, its header and its bytes: a median."""
    costs = []
    for _ in range(50):
        session.command({"do": "step"})
        began = time.thread_time()
        frame = session.frame()
        frame.header()
        frame.payload()
        costs.append(time.thread_time() - began)
    return statistics.median(costs)


def compare(session: Session, lab: Lab, browser: Any, seconds: float) -> None:
    """Print the rates without and with a page, in turns."""
    rates, frames, drawn = [], [], []
    for _ in range(ROUNDS):
        alone = play(session, seconds)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        sent: list[object] = []

        def listen(socket: Any, sent: list[object] = sent) -> None:
            socket.on("framereceived", lambda data: sent.append(data) if isinstance(data, bytes) else None)

        page.on("websocket", listen)
        page.goto(lab.address)
        page.get_by_role("button", name="Play", exact=True).wait_for()
        page.wait_for_timeout(1000)
        count, spent, began = len(sent), browser_seconds(), time.perf_counter()
        watched = play(session, seconds)
        page.wait_for_timeout(1)  # what came meanwhile is counted now
        took, made = time.perf_counter() - began, len(sent) - count
        rates.append((alone, watched))
        frames.append(made / took)
        drawn.append((browser_seconds() - spent) / max(made, 1))
        page.close()
        print(f"  {alone:10,.0f} {watched:10,.0f} {watched / alone:8.0%} {frames[-1]:8.1f}", flush=True)
    share = statistics.median(watched / alone for alone, watched in rates)
    rate = statistics.median(frames)
    print(f"training at {share:.0%} of its speed without a page, {rate:.1f} frames a second")
    print(f"the browser takes {1e3 * statistics.median(drawn):.1f} ms of the processor for a frame")


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="circles")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--minutes", type=int, default=0)
    parser.add_argument("--pace", type=int, help="iterations from one frame to the next in those minutes")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    isa = native.module.isas()[0] if native.module is not None else None
    load = f"load {os.getloadavg()[0]:.1f}"
    print(machine_line(describe_machine(isa)), load)
    path = os.environ.get("GLASSNET_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with session_of(options.experiment) as session, Lab(session) as lab, sync_playwright() as playwright:
        print(f"a frame takes {1e3 * frame_cost(session):.1f} ms of the processor in Python")
        session.command({"do": "end_at", "iteration": 10_000_000})
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        print(f"  {'alone':>10} {'with page':>10} {'share':>8} {'frames/s':>8}")
        compare(session, lab, browser, options.seconds)
        page = browser.new_page()
        page.goto(lab.address)
        session.command({"do": "pace", "iterations": options.pace})
        for minute in range(options.minutes + 1):
            iterations = session.shown_run().iterations
            print(f"minute {minute:3}: {resident():8.1f} MiB, iteration {iterations:,}", flush=True)
            if minute < options.minutes:
                session.command({"do": "play"})
                page.wait_for_timeout(60_000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
