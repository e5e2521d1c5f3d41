"""Ctrl-C as a request to stop that keeps the work."""

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
    """Ctrl-C came in the middle of a pass or of a step, which is then not made."""


@dataclass(eq=False, repr=False)  # the signal module writes out a handler's owner each time, to drop it
class Interrupts:
    """What Ctrl-C has asked for so far.

    `stop` is one byte, 1 once training should end, which the engines read between updates. While
    `computing`, a second Ctrl-C is only remembered, as `again`: the engine is about to come back with
    whole updates, and what it is told in the middle of one would be lost. A third one raises there too.
    While `waiting` for other processes, which read no byte of this one, the first one raises.
    """

    stop: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(1, np.uint8))
    computing: bool = False
    again: bool = False
    waiting: bool = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signal."""
        if self.waiting or self.again or (self.stop[0] and not self.computing):
            self.stop[0] = 1
            raise KeyboardInterrupt
        self.again = bool(self.stop[0])
        self.stop[0] = 1


_open: list[Interrupts] = []
"""Those of the main thread, the innermost last."""


@contextmanager
def stop_on_interrupt() -> Iterator[Interrupts]:
    """While open, the first Ctrl-C asks to stop; a second one raises KeyboardInterrupt.

    The handler that was there before comes back in any case. Other threads, where Python allows no
    handlers, are asked to stop with the main thread where it has this open. Nothing is installed where
    SIGINT is ignored or handled outside Python.
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
