"""How a tape hears of the states that training comes to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glassnet.training.files.checkpoint import Checkpoint
from glassnet.training.files.writing import HasArrays
from glassnet.training.hooks import Hook
from glassnet.training.run import TrainingRun
from glassnet.training.state import RunState


class EveryNth(Hook[TrainingRun]):
    """Hands every n-th state to `keep`; n may grow meanwhile."""

    def __init__(self, n: Callable[[], int | None], keep: Callable[[TrainingRun], None]) -> None:
        self._n, self._keep = n, keep

    @property
    def every(self) -> int:  # type: ignore[override]
        return self._n() or 1

    def on_iteration(self, run: TrainingRun) -> None:
        self._keep(run)


class Room:
    """The losses of one training in an array with room for more, so that no `advance` copies all of them.

    Runs of before keep their losses, as training writes none but those that follow.
    """

    def __init__(self) -> None:
        self._history: NDArray[np.float64] = np.empty(0)

    def of(self, start: TrainingRun, iterations: int) -> NDArray[np.float64]:
        """An array that begins with the run's losses and has room for those of so many iterations."""
        known = start.losses
        size = len(known) + iterations
        if known.base is not self._history or size > len(self._history):
            self._history = np.empty(max(size, 2 * len(known)))
            self._history[: len(known)] = known
        return self._history


class Recorder:
    """Follows training: hands a state to `keep` where one is due, and writes the file of the tape.

    `stands_at` gives the tape that has come to a run.
    """

    def __init__(
        self,
        keeps: Callable[[], bool],
        keep: Callable[[TrainingRun], None],
        stands_at: Callable[[TrainingRun], HasArrays],
        file: Checkpoint | None,
    ) -> None:
        self._keeps, self._keep, self._stands_at, self._file = keeps, keep, stands_at, file

    @property
    def is_due(self) -> bool:
        return self._keeps() or (self._file is not None and self._file.is_due)

    def prove(self, run: RunState) -> None:
        if self._file is not None:
            self._file.prove(run)

    def write(self, run: RunState) -> None:
        if run.status != "running" or not isinstance(run, TrainingRun):  # `advance` takes the end
            return
        if self._keeps():
            self._keep(run)
        if self._file is not None and self._file.is_due:
            self._file.write(self._stands_at(run))
