"""What a notebook shows of a run: how it ended, its losses as a curve and at the points that matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glassnet.training.state import RunState
from glassnet.utils.html import BAD, Html, cell_output, cell_table, tag
from glassnet.utils.line_chart import Line, line_chart


def run_html(run: RunState) -> str:
    """The words of `repr`, the losses over the iterations, and a table of losses and metrics."""
    title, *words = repr(run).splitlines()
    lines: list[object] = [line.strip() for line in words]
    if run.status == "diverged" or run.finding:
        lines[0] = tag("span", lines[0], style=f"color:{BAD};font-weight:bold")
    first = int(run.batch_size is not None)
    trained = np.arange(len(run.losses)) + first
    losses = {"training": (trained, run.losses)}
    at = run.validation_iterations
    losses |= {
        name: (at, values)
        for name, values in (("validation", run.validation_losses), ("test", run.test_losses))
        if len(values)
    }
    best = run.best_iteration
    chart = line_chart(
        [Line(name, x, y) for name, (x, y) in losses.items()],
        "epochs" if run.batch_size is not None else "iterations",
        f"{run.reduction} loss",
        None if best is None else ("best", best),
    )
    return cell_output(title, lines, chart, _numbers(run, losses))


def _numbers(run: RunState, losses: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Html:
    """The losses and metrics at the start, where they were best, and at the end."""
    at, best = run.validation_iterations, run.best_iteration
    series = {f"{name} loss": pair for name, pair in losses.items() if len(pair[0])}
    series |= {name: (at, values) for name, values in run.metrics.items() if len(values)}
    stopping = None if run.validation is None else run.validation.stopping
    if stopping is not None and len(run.validation_scores):
        name = stopping.metric if isinstance(stopping.metric, str) else stopping.metric.__name__
        series.setdefault(name, (at, run.validation_scores))
    if not series:
        return Html()
    head = ["", "first", *([] if best is None else [f"at the best, {best:,}"]), "last", "lowest"]
    rows: list[list[object]] = []
    for name, (x, y) in series.items():
        row: list[object] = [name, float(y[0])]
        if best is not None:
            there = np.flatnonzero(x == best)
            row.append(float(y[there[0]]) if len(there) else "")
        lowest = int(np.nanargmin(y)) if name.endswith("loss") and not np.isnan(y).all() else None
        rows.append(
            [*row, float(y[-1]), "" if lowest is None else f"{y[lowest]:.6g} at {int(x[lowest]):,}"]
        )
    return cell_table(head, rows)
