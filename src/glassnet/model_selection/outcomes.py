"""How the training of each network of a sweep ended, and what its loss curve says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.model_selection.settings import shown
from glassnet.training.run import TrainingRun

CONVERGED_BELOW = 0.1
FELL, ROSE = 0.01, 0.05
"""The shares of the baseline that count as falling and as rising."""

STATUSES: dict[str, str] = {
    "converged": "the loss has settled, low",
    "falling": "the loss was still falling at the end",
    "plateau": "the loss has settled, high",
    "unstable": "the loss jumps up and down, or ended above where it started",
    "diverged": "the loss blew up",
    "dropped": "successive halving left it behind, since others did better with as many iterations",
    "interrupted": "Ctrl-C came before the end",
}
"""Every status that a network of a sweep may have; `assess` decides which."""


def rules(converged_below: float = CONVERGED_BELOW) -> dict[str, str]:
    """The rule of each status that a loss curve decides, in words; `assess` has them in full."""
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

    All losses are measured from `floor`, the loss of the perfect answer, in shares of the way from there
    to `baseline`, the loss of the best constant answer. Runs that diverged or were interrupted keep that
    status. Of the others, in this order:

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
    if not len(run.losses):
        return "falling"
    losses, baseline = run.losses - floor, baseline - floor
    tail = losses[-max(run.iterations // 10, 1) - 1 :]
    first, last = float(losses[0]), float(tail[-1])
    rise = float((tail - np.minimum.accumulate(tail)).max())
    if rise > ROSE * baseline or last > max(first, baseline):
        return "unstable"
    high = last > converged_below * baseline
    fall = min(baseline, float(losses.max()) - last) if high else baseline
    if tail[0] - last > FELL * fall:
        return "falling"
    return "plateau" if high else "converged"


@dataclass(frozen=True, eq=False, repr=False)
class SweepCell:
    """One network of a sweep.

    Attributes
    ----------
    settings : the settings that were varied, by name.
    status : see `glassnet.model_selection.STATUSES`.
    trained : the `TrainingRun`, whose losses may be thinned; `run` has one for each iteration.
    kept : the places of the losses that are kept, or None where all are.
    metric : the value of the sweep's metric; None where there is none.
    setting, seed, fold : the number of the setting, the seed and the number of the fold; None where a
        sweep has none.
    baseline, floor : the loss of the best constant answer, and of the perfect one.
    evaluations : the metric after every `SweepResult.evaluate_every` iterations, (evaluations,); of a
        network that ended by itself, up to there.
    rows, predictions : where the sweep keeps predictions, the numbers of the fold's test rows, (rows,), and
        the network's predictions for them, (rows,) or (rows, outputs); `SweepResult.predictions` puts the
        folds together.
    left_out : the dates that the metric "rank_ic" left out: fewer than two rows, or all values equal.
    """

    settings: Mapping[str, Any]
    status: str
    trained: TrainingRun
    kept: NDArray[np.int64] | None = None
    metric: float | None = None
    setting: int = 0
    seed: int | None = None
    fold: int | None = None
    baseline: float = 1.0
    floor: float = 0.0
    evaluations: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    rows: NDArray[np.int64] | None = None
    predictions: NDArray[Any] | None = None
    left_out: int = 0

    @property
    def run(self) -> TrainingRun:
        """The `TrainingRun`, which predicts, is saved and resumes; a loss that was not kept is NaN."""
        if self.kept is None:
            return self.trained
        losses = np.full(self.kept[-1] + 1 if len(self.kept) else 0, np.nan)
        losses[self.kept] = self.trained.losses
        return replace(self.trained, losses=losses)

    @property
    def iterations(self) -> int:
        """How many iterations it was trained for."""
        return self.trained.iterations if self.kept is None else int(self.kept[-1]) + 1 - self._lead

    @property
    def _lead(self) -> int:
        return int(self.trained.batch_size is None)

    @property
    def label(self) -> str:
        """The settings, as ``learning_rate 0.1, momentum 0.9``, and the seed and the fold."""
        words = [f"{name} {shown(value)}" for name, value in self.settings.items()]
        return ", ".join(words + [f"{name} {value}" for name, value in self.place.items()])

    @property
    def place(self) -> dict[str, int]:
        """The seed and the fold by name, where there are any."""
        return {k: v for k, v in (("seed", self.seed), ("fold", self.fold)) if v is not None}

    @property
    def verdict(self) -> str:
        """The status in words, with the iteration where training ended early."""
        if self.status == "diverged":
            return f"diverged at {self.trained.diverged_at:,}"
        ended = self.status in ("interrupted", "dropped")
        return f"{self.status} at {self.iterations:,}" if ended else self.status

    @property
    def final_loss(self) -> float:
        """The loss after the last update; for a run that diverged, before it blew up.

        With a batch_size the last epoch's; NaN where there was none.
        """
        return float(self.trained.losses[-1]) if len(self.trained.losses) else float("nan")

    @property
    def lowest_loss(self) -> float:
        """The smallest loss on the way."""
        return float(self.trained.losses.min()) if len(self.trained.losses) else float("nan")

    @property
    def share(self) -> float:
        """The final loss over the baseline, both above the floor: for squared error, 1 - R^2."""
        return (self.final_loss - self.floor) / (self.baseline - self.floor)

    def curve(self, most: int | None = 2000) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Iterations and losses, at most about `most` of them; None gives all that are kept.

        A long history is cut into runs of iterations, short at the start and equal later, of which the
        first, smallest, largest and last loss are kept: the curve looks the same on linear and on
        logarithmic axes.
        """
        losses = self.trained.losses
        keep = np.arange(len(losses)) if most is None else thinned(losses, most)
        at = keep if self.kept is None else self.kept[keep]
        return at + 1 - self._lead, losses[keep]

    def __repr__(self) -> str:
        return f"SweepCell({self.label}: {self.verdict}, loss {self.final_loss:.6g})"


def thinned(losses: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The places of about `most` losses that make the same curve; see `SweepCell.curve`."""
    n = len(losses)
    if n <= most:
        return np.arange(n)
    count = max(most // 8, 2)
    edges = np.concatenate([np.geomspace(1, n, count), np.linspace(0, n, count)])
    edges = np.unique(edges.astype(np.intp))
    kept = [np.array([0, n - 1])]
    for low, high in pairwise(edges):
        run = losses[low:high]
        kept.append(low + np.array([0, run.argmin(), run.argmax(), high - low - 1]))
    return np.unique(np.concatenate(kept))
