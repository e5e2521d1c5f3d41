"""Ctrl-C as a request to stop that keeps the work done so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

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
    if not callable(previous):
        yield interrupts
        return
    try:
        _open.append(interrupts)
        signal.signal(signal.SIGINT, interrupts.hear)
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)
        _open.remove(interrupts)
