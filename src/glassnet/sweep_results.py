"""Floor 7: what a sweep gives: each network's run with a verdict, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.runs import TrainingRun
from glassnet.schedules import SCHEDULES, Schedule

if TYPE_CHECKING:
    import pandas

CONVERGED_BELOW = 0.1
FELL, ROSE = 0.01, 0.05  # shares of the baseline that count as falling and as rising
_MOST_ROWS = 60  # printed

STATUSES: dict[str, str] = {
    "converged": "the loss has settled, low",
    "falling": "the loss was still falling at the end",
    "plateau": "the loss has settled, high",
    "unstable": "the loss jumps up and down, or ended above where it started",
    "diverged": "the loss blew up",
    "interrupted": "Ctrl-C came before the end",
}
"""What can be said of each network of a sweep; `assess` tells how it is decided."""


def rules(converged_below: float = CONVERGED_BELOW) -> dict[str, str]:
    """How the statuses that a loss curve decides are decided, in words; `assess` has it in full."""
    low, fell, rose = (f"{100 * share:g} %" for share in (converged_below, FELL, ROSE))
    return {
        "converged": f"ended at or below {low} of the best constant answer's loss, and fell by at most "
        f"{fell} of that loss over the last tenth of the iterations; it may still be falling slowly",
        "falling": f"fell over the last tenth of the iterations by more than {fell} of the best constant "
        f"answer's loss, or, while above {low} of it, by more than {fell} of all that it fell",
        "plateau": f"ended above {low} of the best constant answer's loss, and fell over the last tenth of "
        f"the iterations by at most {fell} of all that it fell",
        "unstable": f"rose by more than {rose} of the best constant answer's loss in the last tenth, or "
        f"ended above both that loss and the start",
    }


def assess(
    run: TrainingRun, baseline: float, converged_below: float = CONVERGED_BELOW, floor: float = 0.0
) -> str:
    """The name from `STATUSES` for a finished run, by the last tenth of its iterations.

    Everything is measured from `floor`, what the perfect answer pays, in shares of the way from there
    to `baseline`, what the best constant answer pays. After runs
    that diverged or were interrupted, and in this order:

    - "unstable": within the last tenth the loss rose from an earlier value by more than `ROSE`, or
      it ended above both its first value and the baseline;
    - "falling": over the last tenth it fell by more than `FELL`, or, while it is high, by more than
      that share of all that it fell: a rate far too small gives a slope, not a plateau;
    - "converged": it ended at or below `converged_below`;
    - "plateau": it ended above.

    A flat curve cannot tell a plateau, which a longer run may leave, from the best that the network
    can do on noisy data; only its height can.
    """
    if run.status in ("diverged", "interrupted"):
        return run.status
    losses, baseline = run.losses - floor, baseline - floor
    stretch = losses[-max(run.iterations // 10, 1) - 1 :]
    first, last = float(losses[0]), float(stretch[-1])
    rise = float((stretch - np.minimum.accumulate(stretch)).max())
    if rise > ROSE * baseline or last > max(first, baseline):
        return "unstable"
    high = last > converged_below * baseline
    whole = min(baseline, float(losses.max()) - last) if high else baseline
    if stretch[0] - last > FELL * whole:
        return "falling"
    return "plateau" if high else "converged"


def shown(value: Any, digits: int = 12) -> str:
    """A setting's value in words: a number in up to so many digits, anything else as it is written."""
    return (
        f"{value:.{digits}g}"
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else str(value)
    )


def as_plain(value: Any) -> Any:
    """A setting's value as JSON can hold it; a schedule of one's own in words."""
    if not isinstance(value, Schedule):
        return value
    return value.to_dict() if SCHEDULES.get(value.name) is type(value) else str(value)


@dataclass(frozen=True, eq=False, repr=False)
class SweepCell:
    """One network of a sweep: its `settings` by name, its `status` (see `STATUSES`) and its `run`."""

    settings: Mapping[str, Any]
    status: str
    run: TrainingRun

    @property
    def label(self) -> str:
        """The settings, as ``learning_rate 0.1, momentum 0.9``."""
        return ", ".join(f"{name} {shown(value)}" for name, value in self.settings.items())

    @property
    def verdict(self) -> str:
        """The status in words, with the iteration where it diverged or was interrupted."""
        if self.status == "diverged":
            return f"diverged at {self.run.diverged_at:,}"
        return f"interrupted at {self.run.iterations:,}" if self.status == "interrupted" else self.status

    @property
    def final_loss(self) -> float:
        """The loss after the last update; for a run that diverged, before it blew up."""
        return float(self.run.losses[-1])

    @property
    def lowest_loss(self) -> float:
        """The smallest loss on the way."""
        return float(self.run.losses.min())

    def curve(self, most: int | None = 2000) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Iterations and losses, at most about `most` of them; None gives all.

        A long history is cut into stretches, short ones at the start and equal ones later, of which
        the first, smallest, largest and last loss are kept: the curve looks the same on linear and
        on logarithmic axes.
        """
        losses = self.run.losses
        keep = np.arange(len(losses)) if most is None else _thinned(losses, most)
        return keep, losses[keep]

    def __repr__(self) -> str:
        return f"SweepCell({self.label}: {self.verdict}, loss {self.final_loss:.6g})"


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """What a sweep gives: a `SweepCell` for every combination of settings, and what they share.

    Attributes
    ----------
    grid : each setting's values, in the order they were given.
    cells : the networks; the last setting varies fastest, as in nested loops.
    iterations : the updates that each was to make.
    baseline : the loss of the best constant answer, which statuses are measured by.
    converged_below : the share of it at or below which a settled loss has converged.
    floor : the loss of the perfect answer, where shares begin: 0, but for poisson.
    n_samples, threads, seconds : the samples, the threads in all, and the wall time of all updates.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> result.best.settings, len(result.runs)
    ({'learning_rate': 1.0}, 2)
    """

    grid: Mapping[str, tuple[Any, ...]]
    cells: tuple[SweepCell, ...]
    iterations: int
    baseline: float
    converged_below: float
    n_samples: int
    threads: int
    seconds: float
    floor: float = 0.0

    @property
    def runs(self) -> tuple[TrainingRun, ...]:
        """Each cell's `TrainingRun`, with every loss; ``save`` and ``resume`` work on them."""
        return tuple(cell.run for cell in self.cells)

    @property
    def best(self) -> SweepCell | None:
        """The network that ended with the lowest loss; None where all diverged."""
        cells = [cell for cell in self.cells if cell.status != "diverged"]
        return min(cells, key=lambda cell: cell.final_loss, default=None)

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each network: its settings, status, diverged_at, iterations, losses, seconds.

        ``share`` is the final loss over the baseline, both above the floor: for squared error, 1 - R^2.
        """
        return [
            {
                **cell.settings,
                "status": cell.status,
                "diverged_at": cell.run.diverged_at,
                "iterations": cell.run.iterations,
                "final_loss": cell.final_loss,
                "lowest_loss": cell.lowest_loss,
                "share": (cell.final_loss - self.floor) / (self.baseline - self.floor),
                "seconds": cell.run.seconds,
            }
            for cell in self.cells
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; an InputError where pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise InputError(
                "to_pandas needs pandas, which is not installed: pip install pandas. The attribute table "
                "is the same as plain dictionaries."
            ) from error
        return pandas.DataFrame(self.table).astype({"diverged_at": "Int64"})

    def to_dict(self, most: int | None = 2000) -> dict[str, Any]:
        """Everything but the parameters, as JSON can hold it; curves have about `most` points."""
        run, rows = self.cells[0].run, self.table
        for row, cell in zip(rows, self.cells, strict=True):
            at, losses = cell.curve(most)
            row |= {name: as_plain(value) for name, value in cell.settings.items()}
            row["curve"] = {"iterations": at.tolist(), "losses": losses.tolist()}
        return {
            "network": str(run.network),
            "optimizer": run.optimizer.name,
            "grid": {name: list(map(as_plain, values)) for name, values in self.grid.items()},
            "iterations": self.iterations,
            "reduction": run.reduction,
            "n_samples": self.n_samples,
            "first_loss": float(run.losses[0]),
            "baseline": self.baseline,
            "floor": self.floor,
            "converged_below": self.converged_below,
            "dtype": run.dtype.name,
            "engine": run.engine,
            "engine_reason": run.engine_reason,
            "threads": self.threads,
            "seconds": self.seconds,
            "cells": rows,
        }

    def __repr__(self) -> str:
        run = self.cells[0].run
        counts = {status: sum(cell.status == status for cell in self.cells) for status in STATUSES}
        names = list(self.grid)
        rows = [[shown(cell.settings[name], 6) for name in names] for cell in self.cells[:_MOST_ROWS]]
        widths = [max(len(text) for text in column) for column in zip(names, *rows, strict=True)]
        lines = [
            f"SweepResult: {len(self.cells)} networks {run.network}, {self.iterations:,} iterations each, "
            f"in {self.seconds:.3g} s on {self.threads} thread(s)",
            f"  {run.reduction} loss {run.losses[0]:.6g} at the start, {self.baseline:.6g} for the best "
            f"constant answer",
            f"  {', '.join(f'{count} {status}' for status, count in counts.items() if count)}",
            "  " + "  ".join(name.rjust(width) for name, width in zip(names, widths, strict=True)),
        ]
        for row, cell in zip(rows, self.cells, strict=False):
            values = "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
            lines.append(f"  {values}  {cell.final_loss:12.6g}  {cell.verdict}")
        more = len(self.cells) - len(rows)
        if more:
            lines.append(f"  and {more} more")
        known = rules(self.converged_below)
        lines += [f"  {status}: {known[status]}" for status in known if counts[status]]
        return "\n".join(lines)


def _thinned(losses: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    n = len(losses)
    if n <= most:
        return np.arange(n)
    stretches = max(most // 8, 2)
    edges = np.concatenate([np.geomspace(1, n, stretches), np.linspace(0, n, stretches)])
    edges = np.unique(edges.astype(np.intp))
    kept = [np.array([0, n - 1])]
    for low, high in pairwise(edges):
        part = losses[low:high]
        kept.append(low + np.array([0, part.argmin(), part.argmax(), high - low - 1]))
    return np.unique(np.concatenate(kept))
