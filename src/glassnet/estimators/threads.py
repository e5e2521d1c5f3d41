"""Floor 7: how many threads an estimator's epochs are worth, found by trying.

Results do not depend on it. Two threads share each update and meet between its steps: whether that pays
depends on the network, on the processor, and on who else is computing.
"""

from __future__ import annotations

from glassnet.cores import thread_count

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


SLOWER = 1.25
"""How much slower a call may make a number of threads look: one whose core was taken tells little."""

FORGIVEN = 0.99
"""What a call by other threads takes off a number's time, so that it is tried again."""

WAKING = 0.03
"""Seconds of training before other cores are tried: one that sleeps takes milliseconds to wake."""


class Trial:
    """One thread at first, then all that are allowed, then whichever has been faster of late.

    A number that the caller named is taken as it is.
    """

    def __init__(self, named: int | None, operations: float) -> None:
        self._named, self._operations = named, operations
        self._spent = 0.0
        self._awake = False
        self._pace: dict[int, float] = {}  # seconds an epoch by the number of threads

    def choose(self, epochs: int) -> int:
        """The threads for a call of so many epochs."""
        if self._operations * epochs < WORTHWHILE or (self._named is None and self._spent < WAKING):
            return 1
        most = thread_count(self._named)
        if self._named is not None or most == 1 or most not in self._pace:
            return most
        return min(self._pace, key=self._pace.__getitem__)

    def report(self, threads: int, epochs: int, seconds: float) -> None:
        """What a call took."""
        self._spent += seconds
        if threads > 1 and not self._awake:
            self._awake = True
        elif epochs:
            for other in self._pace.keys() - {threads}:
                self._pace[other] *= FORGIVEN
            pace = seconds / epochs
            self._pace[threads] = min(pace, SLOWER * self._pace.get(threads, pace))
