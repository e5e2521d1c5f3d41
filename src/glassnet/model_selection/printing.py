"""What a sweep gives, as one reads it on a terminal."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.model_selection.outcomes import STATUSES, rules
from glassnet.model_selection.words import shown

SweepResult = Any  # whose module lies above this one

_MOST_ROWS = 60


def printed(result: SweepResult) -> str:
    """What was trained, how the networks ended, and a table: each network or, of several, each setting."""
    run = result.cells[0].trained
    counts = {status: sum(cell.status == status for cell in result.cells) for status in STATUSES}
    unit = "iterations" if run.batch_size is None else "epochs"
    first = f" {run.losses[0]:.6g} at the start," if len(run.losses) and run.batch_size is None else ""
    lines = [
        f"SweepResult: {len(result.cells)} networks {_networks(result)}, {result.iterations:,} {unit} "
        f"each, in {result.seconds:.3g} s on {result.threads} thread(s)",
        f"  {run.reduction} loss{first} {result.baseline:.6g} for the best constant answer",
        f"  {', '.join(f'{count} {status}' for status, count in counts.items() if count)}",
    ]
    if len(equal := _equal(result)) < len(result.grid) and equal:
        lines.append(f"  all with {', '.join(f'{name} {_short(result.grid[name][0])}' for name in equal)}")
    summary = result.summary
    rows = _rows(result) if len(summary) == len(result.cells) else _summary_rows(result, summary)
    widths = [max(map(len, column)) for column in zip(*rows[: _MOST_ROWS + 1], strict=True)]
    for row in rows[: _MOST_ROWS + 1]:
        cells = [text.rjust(width) for text, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  ".join(["", *cells, row[-1]]).rstrip())
    if len(rows) > _MOST_ROWS + 1:
        lines.append(f"  and {len(rows) - _MOST_ROWS - 1} more")
    known = rules(result.converged_below)
    lines += [f"  {status}: {known[status]}" for status in known if counts[status]]
    return "\n".join(lines)


def _rows(result: SweepResult) -> list[list[str]]:
    """A heading, and each network's settings, loss, what it is compared by, and verdict."""
    names = _varied(result)
    by = [] if result.compared_by == "final_loss" else [result.compared_by]
    rows = [[*names, "final_loss" if by else "", *by, ""]]
    for cell, value in zip(result.cells, result.compared, strict=True):
        settings = [_short(cell.settings.get(name)) for name in names]
        lacks = result.measure is not None and cell.metric is None
        compared = ["" if lacks else _short(value)] if by else []
        rows.append([*settings, f"{cell.final_loss:.6g}", *compared, cell.verdict])
    return rows


def _summary_rows(result: SweepResult, summary: list[dict[str, Any]]) -> list[list[str]]:
    """A heading, and each setting over its seeds and folds, the best first."""
    names = _varied(result)
    rows = [[*names, f"{result.compared_by}, mean of {summary[0]['networks']}", "+-", ""]]
    for row in summary:
        settings = [_short(row[name]) for name in names]
        spread = "" if np.isnan(row["spread"]) else f"{row['spread']:.2g}"
        ended = [f"{row[how]} {how}" for how in ("diverged", "dropped") if row[how]]
        rows.append([*settings, f"{row['mean']:.6g}", spread, ", ".join(ended)])
    return rows


def _varied(result: SweepResult) -> list[str]:
    """The settings with more than one value, or, where there are none, all."""
    equal = _equal(result)
    return [name for name in result.grid if name not in equal] or list(result.grid)


def _equal(result: SweepResult) -> list[str]:
    every = [name for name in result.grid if all(name in cell.settings for cell in result.cells)]
    return [name for name in every if len(result.grid[name]) == 1]


def _networks(result: SweepResult) -> str:
    names = {str(cell.trained.network) for cell in result.cells}
    return names.pop() if len(names) == 1 else f"of {len(names)} kinds"


def _short(value: Any) -> str:
    return "" if value is None else shown(value, 6)
