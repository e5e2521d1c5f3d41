"""Ctrl-C, and for programs SIGTERM and SIGHUP, as a request to stop that keeps the work done so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cut(Exception):  # noqa: N818 - not an error
    """Ctrl-C came in the middle of a pass or of a step, which is then not completed."""


@dataclass(eq=False, repr=False)  # the signal module writes out a handler's owner each time, to drop it
class Interrupts:
    """The requests of Ctrl-C so far.

    `stop` is one byte, 1 once training should end, which the engines read between updates. While
    `computing`, a second Ctrl-C is only remembered, as `again`: the engine is about to return whole
    updates, which an exception would lose. A third Ctrl-C raises even then. While `waiting` for other
    processes, which cannot read the byte, the first Ctrl-C raises.
    """

    stop: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(1, np.uint8))
    computing: bool = False
    again: bool = False
    waiting: bool = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self.waiting or self.again or (self.stop[0] and not self.computing):
            self.stop[0] = 1
            raise KeyboardInterrupt
        self.again = bool(self.stop[0])
        self.stop[0] = 1


_open: list[Interrupts] = []
"""The open `stop_on_interrupt` blocks of the main thread, the innermost last."""


@contextmanager
def stop_on_interrupt() -> Iterator[Interrupts]:
    """While open, the first Ctrl-C asks to stop; a second one raises KeyboardInterrupt.

    The earlier handler comes back in any case. Python allows no handlers in other threads: these stop
    together with the main thread while it has such a block open. Nothing is installed where SIGINT is
    ignored or handled outside Python.
    """
    interrupts = Interrupts()
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        for outer in _open[-1:]:
            interrupts.stop = outer.stop
        yield interrupts
        return
    installs = callable(previous)
    try:
        _open.append(interrupts)
        if installs:
            signal.signal(signal.SIGINT, interrupts.hear)
        yield interrupts
    finally:
        if installs:
            signal.signal(signal.SIGINT, previous)
        _open.remove(interrupts)


heard: list[int] = []
"""The numbers of the signals that came in the open `ending_signals` block, in their order."""


@contextmanager
def ending_signals() -> Iterator[None]:
    """While open, SIGTERM and SIGHUP end training as Ctrl-C does, and elsewhere raise KeyboardInterrupt.

    SIGTERM is how a cluster, a container and a computer that shuts down announce the end, SIGHUP how a
    terminal that is closed does. They may come several times: once training has been asked to stop, later
    ones change nothing. For a program, to which its process belongs; a library leaves them to its host. A
    signal that is ignored, as `nohup` has it, stays so; the earlier handlers come back in any case.
    """
    previous: dict[int, Any] = {}

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if not _open:
            raise KeyboardInterrupt
        if not _open[-1].stop[0]:
            _open[-1].hear(number, frame)

    try:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
                number = getattr(signal, name, None)
                handler = None if number is None else signal.getsignal(number)
                if number is not None and (handler is signal.SIG_DFL or callable(handler)):
                    previous[number] = signal.signal(number, hear)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        heard.clear()


def who_ended() -> tuple[str, int]:
    """The name and the number of the signal that ended a job: Ctrl-C's, or of `ending_signals`."""
    number = heard[0] if heard else int(signal.SIGINT)
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name, number
