"""What a job comes to, and the watch that times its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glassnet.cli.experiments.data import Samples
from glassnet.cli.experiments.settings import Experiment
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.nn.network import Parameters
from glassnet.plots.report import Scores
from glassnet.training.run import TrainingRun

Tell = Callable[[str, str], None]
"""What hears of each part of a job: (label, words)."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job came to: the run, its check and scores, seconds by part, the files, and what was seen of
    the curvature where that was asked for."""

    experiment: Experiment
    samples: Samples
    run: TrainingRun
    initial: Parameters
    check: GradientCheck | None
    scores: dict[str, Scores]
    timings: dict[str, float]
    folder: Path
    files: list[str]
    trace: CurvatureTrace | None = None


class Stopwatch:
    """Seconds by the name of a part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

    @property
    def total(self) -> float:
        """Seconds since the watch was made."""
        return time.perf_counter() - self._began
