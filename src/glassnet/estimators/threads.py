"""Floor 7: how many threads an estimator's epochs are worth, found by trying.

Results do not depend on it. Two threads share each update and meet between its steps: whether that pays
depends on the network, on the processor, and on who else is computing.
"""

from __future__ import annotations

from glassnet.cores import thread_count

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


class Trial:
    """One thread for the first call that is worth more, all that are allowed for the next, then the faster.

    A number that the caller named is taken as it is.
    """

    def __init__(self, named: int | None, operations: float) -> None:
        self._named, self._operations = named, operations
        self._allowed: int | None = None
        self._pace: dict[int, float] = {}  # seconds an epoch by the number of threads

    def choose(self, epochs: int) -> int:
        """The threads for a call of so many epochs."""
        if self._operations * epochs < WORTHWHILE:
            return 1
        if self._allowed is None:
            self._allowed = thread_count(self._named)
        if self._named is not None or self._allowed == 1:
            return self._allowed
        for threads in (1, self._allowed):
            if threads not in self._pace:
                return threads
        return min(self._pace, key=self._pace.__getitem__)

    def report(self, threads: int, epochs: int, seconds: float) -> None:
        """What a call took."""
        if epochs and self._allowed is not None:
            self._pace.setdefault(threads, seconds / epochs)
