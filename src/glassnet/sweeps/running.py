"""Floor 7: a plan carried out: networks trained side by side, and settings left behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glassnet.runs import TrainingRun
from glassnet.sweeps.cells import Task, Workshop
from glassnet.sweeps.crew import Crew, Line, crew, progress_of
from glassnet.sweeps.elsewhere import joblib_is_active, work_elsewhere
from glassnet.sweeps.halving import best_of
from glassnet.sweeps.journal import Journal
from glassnet.sweeps.plan import Plan
from glassnet.sweeps.records import Track, read_track, write_track
from glassnet.sweeps.results import SweepCell, thinned
from glassnet.sweeps.verdicts import assess
from glassnet.sweeps.words import shown


def carry_out(plan: Plan, journal: Journal | None, progress: bool) -> list[SweepCell]:
    """A cell for each task, in their order; those that the journal has are not trained again.

    The first Ctrl-C ends all networks after their update; they are not written down. What a network
    raises ends the sweep, and what was done before stays in the journal.
    """
    return Rounds(plan, journal).run(progress)


class Rounds:
    """Tracks of all tasks, brought to their end rung by rung; without halving in one go."""

    def __init__(self, plan: Plan, journal: Journal | None) -> None:
        self.plan, self.journal = plan, journal
        self.workshop = Workshop(plan.sources, plan.workers, plan.each)
        self._elsewhere = joblib_is_active()
        self._seen: dict[int, int] = {}  # iterations that the progress line has been told of
        self.tracks = {task.number: Track(task) for task in plan.tasks}
        if journal is not None:
            for record in journal.records:
                track = read_track(record, plan, journal.path)
                self.tracks[track.task.number] = track
            journal.records.clear()

    def run(self, progress: bool) -> list[SweepCell]:
        """All cells."""
        plan = self.plan
        done = sum(track.cell is not None for track in self.tracks.values())
        alive = {task.setting for task in plan.tasks}
        with (
            progress_of(progress, len(plan.tasks), self._expected(), done) as line,
            crew(plan.workers) as hands,
        ):
            for rung, until in enumerate(plan.rungs):
                self._advance(hands, line, alive, until)
                if hands.stopped:
                    break
                alive = self._compared(line, alive, rung)
            self._advance(hands, line, alive, None)
        cells = [track.cell for track in self.tracks.values()]
        assert all(cell is not None for cell in cells)
        return [cell for cell in cells if cell is not None]

    def _expected(self) -> int:
        """The iterations that are left to do, as far as that is known."""
        plan = self.plan
        left = [t for t in self.tracks.values() if t.cell is None]
        if not plan.rungs:
            return sum(track.task.iterations - track.iterations for track in left)
        total, settings, before = 0, len(plan.space.recipes), 0
        each = len(plan.tasks) // settings
        for until in (*plan.rungs, plan.tasks[0].iterations):
            total += settings * each * (until - before)
            assert plan.halving is not None
            settings, before = plan.halving.survivors(settings), until
        return max(total - sum(track.iterations for track in self.tracks.values()), 0)

    def _advance(self, hands: Crew, line: Line, alive: set[int], until: int | None) -> None:
        """Take all tracks of these settings to a rung, or to their end."""
        open_ = [
            track
            for track in self.tracks.values()
            if track.cell is None
            and (track.task.setting in alive or hands.stopped)
            and (until is None or (not track.ended and track.iterations < until))
        ]

        if self._elsewhere and not hands.stopped:

            def note(_: int, track: Track) -> None:
                self._keep(track)
                before = self._seen.get(track.task.number, 0)
                with line.network(before, until or track.task.iterations, ends=until is None) as show:
                    show(track.iterations, 0.0)
                self._seen[track.task.number] = track.iterations

            work_elsewhere(train_share, self.plan, open_, until, note, hands.stop)
            if not hands.stopped:
                return
            open_ = [track for track in self.tracks.values() if track.cell is None]

        def job(track: Track) -> Callable[[NDArray[np.uint8]], Track]:
            return lambda stop: self.trained(track, until, line, stop)

        hands.work([job(track) for track in open_], lambda _, track: self._keep(track))

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

    def _keep(self, track: Track) -> None:
        """Take note of a track, in the journal too."""
        self.tracks[track.task.number] = track
        if self.journal is not None and (track.cell is None or track.cell.status != "interrupted"):
            self.journal.write(*write_track(track))

    def _compared(self, line: Line, alive: set[int], rung: int) -> set[int]:
        """The settings that go on from a rung; the others' networks are done."""
        assert self.plan.halving is not None
        costs: dict[int, list[float]] = {}
        for track in self.tracks.values():
            if track.task.setting in alive:
                costs.setdefault(track.task.setting, []).append(track.value_at(rung))
        going_on = best_of(costs, self.plan.halving.survivors(len(costs)))
        for track in list(self.tracks.values()):
            if track.task.setting in alive - going_on and track.cell is None:
                assert track.run is not None
                cell = self.cell_of(track.task, track.run, dropped=not track.ended)
                line.leave_out(0, 1)
                self._keep(replace(track, run=None, cell=cell))
        return going_on

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


def train_share(plan: Plan, tracks: Sequence[Track], until: int | None) -> list[Track]:
    """What a task does: these networks one after the other, on one thread, over data that they share."""
    sources = plan.sources
    # joblib may hand large arrays over as mapped files; the bits are the same.
    plain = replace(sources, X=np.asarray(sources.X), y=np.asarray(sources.y))
    rounds = Rounds(replace(plan, sources=plain), None)
    line, stop = Line(None, len(tracks), 0), np.zeros(1, np.uint8)
    return [rounds.trained(track, until, line, stop) for track in tracks]
