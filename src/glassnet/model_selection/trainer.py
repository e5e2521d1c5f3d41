"""One network of a sweep at a time: taken to a rung or to its end, and judged there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection.outcomes import assess
from glassnet.model_selection.plan import Plan
from glassnet.model_selection.records import Track
from glassnet.model_selection.results import SweepCell, thinned
from glassnet.model_selection.tasks import Task, Workshop
from glassnet.model_selection.thread_pool import Line
from glassnet.model_selection.words import shown
from glassnet.training.run import TrainingRun


class Trainer:
    """Trains networks of a plan over data that they share; any number of threads may ask at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.workshop = Workshop(plan.sources, plan.workers, plan.each)

    def trained(self, track: Track, until: int | None, line: Line, stop: NDArray[np.uint8]) -> Track:
        """The track further on; with its cell where this is its end. What it raises tells of which."""
        try:
            return self._trained_as_told(track, until, line, stop)
        except Exception as error:
            words = [f"{name}={shown(value)}" for name, value in track.task.settings.items()]
            words += [
                f"{name} {n}" for name in ("seed", "fold") if (n := getattr(track.task, name)) is not None
            ]
            error.add_note(f"Raised by the network with {', '.join(words)}.")
            raise

    def _trained_as_told(
        self, track: Track, until: int | None, line: Line, stop: NDArray[np.uint8]
    ) -> Track:
        task = track.task
        last = task.iterations if until is None else min(until, task.iterations)
        with line.network(track.iterations, last, ends=until is None) as show:
            run = track.run
            if not track.ended and track.iterations < last:
                run = self.workshop.train(task, track.run, last, show, stop)
        assert run is not None
        interrupted = run.status == "interrupted"
        if until is None or interrupted:
            return replace(track, run=None, cell=self.cell_of(task, run))
        value = self._cost(task, run)
        return replace(track, run=self.workshop.lightened(run), values=(*track.values, value))

    def _cost(self, task: Task, run: TrainingRun) -> float:
        """What settings are compared by at a rung: the metric or, without one, the share of the loss."""
        if run.status == "diverged" or not len(run.losses):
            return math.inf
        measure = self.plan.sources.measure
        if measure is not None:
            metric = self.workshop.measured(task, run)
            assert metric is not None
            return measure.sign * metric
        scale = self.workshop.scale(task, run)
        return (float(run.losses[-1]) - scale.floor) / (scale.baseline - scale.floor)

    def cell_of(self, task: Task, run: TrainingRun, dropped: bool = False) -> SweepCell:
        """What is kept of a network that is done: its run, with a verdict and the metric."""
        plan = self.plan
        if run._problem is None:
            run = self.workshop.attached(task, run)
        scale = self.workshop.scale(task, run)
        status = "dropped" if dropped else assess(run, scale.baseline, plan.converged_below, scale.floor)
        metric = None if status == "interrupted" else self.workshop.measured(task, run)
        run, places = self.workshop.released(run, plan.cores), None
        if not plan.keep_orders and status != "interrupted":
            run = replace(run, cursor=None)
        if len(run.losses) > plan.kept:
            places = thinned(run.losses, plan.kept)
            run = replace(run, losses=run.losses[places])
        return SweepCell(
            task.settings, status, run, places, metric, task.setting, task.seed, task.fold, *scale
        )
