"""What a job says on stderr while it works: its stages as they begin, in a terminal in one line."""

from __future__ import annotations

import contextlib
import sys
import time

LOG_SECONDS = 10.0
"""How often training writes a line where stderr is no terminal."""

_WORDS = {
    "loading": "loading glassnet",
    "loading scikit-learn": "loading scikit-learn",
    "data": "reading and preparing the data",
    "gradient check": "checking the gradient",
    "training": "training",
    "scores": "scoring",
    "held-out rows": "judging the network on the rows held out",
    "loading the drawing libraries": "loading the drawing libraries",
    "report.html": "writing the report",
}
"""What is said of a step by its name; of others nothing, but that pictures are drawn."""


class Stages:
    """Says which stage of a job begins.

    In a terminal it is one line that the next stage replaces and `clear` removes, so that what is printed
    between stages stands alone. Elsewhere each stage is a line, after the seconds since the job began.
    """

    def __init__(self) -> None:
        self._began, self._said, self._width, self._quiet = time.monotonic(), "", 0, True

    def open(self, quiet: bool) -> None:
        """A job begins; a quiet one says nothing."""
        self._began, self._said, self._quiet = time.monotonic(), "", quiet or sys.stderr is None
        self.begin("loading")

    @property
    def progress(self) -> bool | float:
        """How training shows its iterations: by a line that moves, a line now and then, or not at all."""
        return False if self._quiet else True if sys.stderr.isatty() else LOG_SECONDS

    def begin(self, step: str) -> None:
        """A step of that name begins."""
        words = _WORDS.get(step, "")
        if step.endswith(".png") or step.startswith("pictures"):
            words = "drawing pictures"
        if step.startswith(("sweep ", "refit ")):
            words = f"training: {step}"
        if not words or self._quiet:
            return
        self.clear()
        with contextlib.suppress(OSError, ValueError):  # a closed stderr costs no job
            if sys.stderr.isatty():
                self._width = len(words) + 4
                sys.stderr.write(f"{words} ...")
            elif words != self._said:
                sys.stderr.write(f"[{time.monotonic() - self._began:6.1f} s] {words}\n")
            sys.stderr.flush()
        self._said = words

    def clear(self) -> None:
        """Take the line away from a terminal."""
        if self._width:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"\r{' ' * self._width}\r")
                sys.stderr.flush()
            self._width = 0


stages = Stages()
"""Those of the command that runs."""
