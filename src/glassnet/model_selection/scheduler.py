"""A plan carried out: networks trained side by side, and settings left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection.halving import best_of
from glassnet.model_selection.joblib_backend import Elsewhere, joblib_is_active
from glassnet.model_selection.journal import Journal
from glassnet.model_selection.plan import Plan
from glassnet.model_selection.records import Track, read_track, write_track
from glassnet.model_selection.results import SweepCell
from glassnet.model_selection.thread_pool import Crew, Line, crew, progress_of
from glassnet.model_selection.trainer import Trainer


class Rounds:
    """Tracks of all tasks, brought to their end rung by rung; without halving in one go.

    Those that the journal has are not trained again. The first Ctrl-C ends all networks after their
    update; they are not written down. What a network raises ends the rounds, and so does a second Ctrl-C:
    `finished` are the cells that were done before, and they are in the journal.
    """

    def __init__(self, plan: Plan, journal: Journal | None) -> None:
        self.plan, self.journal = plan, journal
        self.trainer = Trainer(plan)
        self._elsewhere = Elsewhere(plan) if joblib_is_active() else None
        self.tracks = {task.number: Track(task) for task in plan.tasks}
        if journal is not None:
            for record in journal.records():
                track = read_track(record, plan, journal.path)
                self.tracks[track.task.number] = track

    def run(self, progress: bool) -> list[SweepCell]:
        """A cell for each task, in their order."""
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

    @property
    def finished(self) -> list[SweepCell]:
        """The cells of networks that are done, and were not cut short."""
        cells = [track.cell for track in self.tracks.values()]
        return [cell for cell in cells if cell is not None and cell.status != "interrupted"]

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

        if self._elsewhere is not None and not hands.stopped:

            def note(track: Track) -> None:
                before = self.tracks[track.task.number].iterations
                self._keep(track)
                with line.network(before, until or track.task.iterations, ends=until is None) as show:
                    show(track.iterations, 0.0)

            self._elsewhere.work(open_, until, note, hands.interrupts)
            if not hands.stopped:
                return
            open_ = [track for track in self.tracks.values() if track.cell is None]

        def job(track: Track) -> Callable[[NDArray[np.uint8]], Track]:
            return lambda stop: self.trainer.trained(track, until, line, stop)

        hands.work([job(track) for track in open_], lambda _, track: self._keep(track))

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
                cell = self.trainer.cell_of(track.task, track.run, dropped=not track.ended)
                line.leave_out(0, 1)
                self._keep(replace(track, run=None, cell=cell))
        return going_on
