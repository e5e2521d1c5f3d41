"""Floor 5: Ctrl-C as a request to stop that keeps the work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
from numpy.typing import NDArray


@contextmanager
def stop_on_interrupt() -> Iterator[NDArray[np.uint8]]:
    """While open, the first Ctrl-C sets ``stop[0]`` to 1; a second one raises KeyboardInterrupt.

    Gives `stop`, one byte that the engines read between updates. The handler that was there before
    comes back in any case. Nothing is installed outside the main thread, where Python allows no
    handlers, nor where SIGINT is ignored or handled outside Python.
    """
    stop = np.zeros(1, np.uint8)

    def handle(number: int, frame: FrameType | None) -> None:
        if stop[0]:
            raise KeyboardInterrupt
        stop[0] = 1

    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield stop
        return
    try:
        signal.signal(signal.SIGINT, handle)
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
