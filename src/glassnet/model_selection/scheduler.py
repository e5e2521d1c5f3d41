"""The scheduler carries a plan out: it trains networks side by side and drops settings that do worse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection.joblib_backend import JoblibBackend, joblib_is_active
from glassnet.model_selection.journal import Journal, read_state, write_state
from glassnet.model_selection.outcomes import SweepCell
from glassnet.model_selection.plan import Plan, TaskState, best_settings
from glassnet.model_selection.thread_pool import (
    ProgressLine,
    ThreadPool,
    progress_line,
    thread_pool,
    warnings_once,
)
from glassnet.model_selection.worker import Worker


class Scheduler:
    """Brings all tasks to their end rung by rung; without halving in one go.

    Tasks that the journal has are not trained again. The first Ctrl-C ends all networks after their
    update, and the journal gets none of them. An exception of a network ends the sweep, and so does a
    second Ctrl-C: `finished` are the cells that were done before, and they are in the journal.
    """

    def __init__(self, plan: Plan, journal: Journal | None) -> None:
        self.plan, self.journal = plan, journal
        self.worker = Worker(plan)
        self._joblib = JoblibBackend(plan) if joblib_is_active() else None
        self.states = {task.number: TaskState(task) for task in plan.tasks}
        if journal is not None:
            for record in journal.records():
                state = read_state(record, plan, journal.path)
                self.states[state.task.number] = state

    def run(self, progress: bool | float) -> list[SweepCell]:
        """A cell for each task, in their order."""
        plan = self.plan
        done = sum(state.cell is not None for state in self.states.values())
        alive = {task.setting for task in plan.tasks}
        with (
            warnings_once(),
            progress_line(progress, len(plan.tasks), self._expected(), done) as line,
            thread_pool(plan.workers) as pool,
        ):
            for rung, until in enumerate(plan.rungs):
                self._advance(pool, line, alive, until)
                if pool.stopped:
                    break
                alive = self._survivors(line, alive, rung)
            self._advance(pool, line, alive, None)
        cells = [state.cell for state in self.states.values() if state.cell is not None]
        assert len(cells) == len(plan.tasks)
        return cells

    @property
    def finished(self) -> list[SweepCell]:
        """The cells of networks that are done, and were not interrupted."""
        cells = [state.cell for state in self.states.values()]
        return [cell for cell in cells if cell is not None and cell.status != "interrupted"]

    def _expected(self) -> int:
        """The iterations that are left to do, as far as that is known."""
        plan = self.plan
        if plan.halving is None:
            unfinished = [state for state in self.states.values() if state.cell is None]
            return sum(state.task.iterations - state.iterations for state in unfinished)
        total, settings, before = 0, len(plan.space.candidates), 0
        networks_each = len(plan.tasks) // settings
        for until in (*plan.rungs, plan.tasks[0].iterations):
            total += settings * networks_each * (until - before)
            settings, before = plan.halving.survivors(settings), until
        return max(total - sum(state.iterations for state in self.states.values()), 0)

    def _advance(self, pool: ThreadPool, line: ProgressLine, alive: set[int], until: int | None) -> None:
        """Train all networks of these settings up to a rung, or to their end."""
        unfinished = [
            state
            for state in self.states.values()
            if state.cell is None
            and (state.task.setting in alive or pool.stopped)
            and (until is None or (not state.ended and state.iterations < until))
        ]
        if self._joblib is not None and not pool.stopped:

            def note(state: TaskState) -> None:
                before = self.states[state.task.number].iterations
                self._keep(state)
                with line.network(before, until or state.task.iterations, ends=until is None) as show:
                    show(state.iterations, 0.0)

            self._joblib.run(unfinished, until, note, pool.interrupts)
            if not pool.stopped:
                return
            unfinished = [state for state in self.states.values() if state.cell is None]

        def job(state: TaskState) -> Callable[[NDArray[np.uint8]], TaskState]:
            return lambda stop: self.worker.advance(state, until, line, stop)

        pool.run([job(state) for state in unfinished], self._keep)

    def _keep(self, state: TaskState) -> None:
        """Take note of a task's state, in the journal too."""
        self.states[state.task.number] = state
        if self.journal is not None and (state.cell is None or state.cell.status != "interrupted"):
            self.journal.write(*write_state(state))

    def _survivors(self, line: ProgressLine, alive: set[int], rung: int) -> set[int]:
        """The settings that go on from a rung; the others' networks are finished."""
        assert self.plan.halving is not None
        costs: dict[int, list[float]] = {}
        for state in self.states.values():
            if state.task.setting in alive:
                costs.setdefault(state.task.setting, []).append(state.cost_at(rung))
        best = best_settings(costs, self.plan.halving.survivors(len(costs)))
        for state in list(self.states.values()):
            if state.task.setting in alive - best and state.cell is None:
                cell = self.worker.cell_of(state, dropped=not state.ended)
                line.leave_out(0, 1)
                self._keep(TaskState(state.task, None, state.costs, cell))
        return best
