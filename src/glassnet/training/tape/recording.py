"""How a tape hears of the states that training comes to."""

from __future__ import annotations

from collections.abc import Callable

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
