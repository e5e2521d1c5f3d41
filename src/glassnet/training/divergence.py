"""Divergence: the loss above which training ends, a gentler optimizer, and the warning."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from glassnet.errors import DivergenceWarning, InterruptedTrainingWarning
from glassnet.optim.schedules import Schedule
from glassnet.training.ending import warn_of
from glassnet.training.state import RunState
from glassnet.training.steppers import Rule, Solver
from glassnet.utils.warn import warn

DIVERGENCE_FACTOR = 100.0
"""A loss this many times worse than both the first one and `Problem.baseline` has diverged.

Losses here are safe for outputs of any size, so that a learning rate far too large seldom gives
NaN: it throws the parameters to where every gradient is flat. On the notebook's circles with
the summed loss, rates from 0.01 to 0.25 give 170 to 4,000 times the first loss after one update, and
never come back; runs that end well stay below it.
"""


ASK = "gn.diagnose(run, X, y) says more, and tries what helps."


def divergence_limit(first: float, baseline: float) -> float:
    """The loss above which training that began at `first` ends as diverged."""
    worst, scale = max(first, baseline), max(abs(first), abs(baseline))
    # For a loss that is never negative this is DIVERGENCE_FACTOR * worst; one's own may be negative.
    limit = worst + (DIVERGENCE_FACTOR - 1) * scale
    return float(min(limit, np.finfo(np.float64).max))  # so that an infinite loss is above it


def gentler(optimizer: Rule) -> str:
    """The optimizer with a tenth of its learning rate, as one would write it."""
    assert not isinstance(optimizer, Solver)  # each of its steps lowers the loss
    rate = optimizer.learning_rate
    tenth = rate.slower(0.1) if isinstance(rate, Schedule) else float(f"{rate / 10:.1g}")
    return in_python(repr(replace(optimizer, learning_rate=tenth)))


def in_python(shown: str) -> str:
    """The repr of a rule as one would write it."""
    return re.sub(r"\b(?=[A-Z]\w*\()", "gn.", shown)


def warn_of_ending(run: RunState) -> None:
    """Warn the caller of `train` or `resume` of a run that diverged, was interrupted or is useless."""
    warn_of(run.finding and f"{run.finding} {ASK}")
    if run.status == "diverged":
        hint = ' A summed loss asks for a rate smaller by the number of samples than reduction="mean" does.'
        before = f"; the loss before was {run.losses[-1]:.6g}" if len(run.losses) else ""
        warn(
            f"Training blew up at iteration {run.diverged_at}: its loss was not finite or above "
            f"{DIVERGENCE_FACTOR:g} times what training started from{before}. "
            f"The run ends with the parameters of iteration {run.iterations}. "
            f"Use a smaller learning rate, for instance optimizer={gentler(run.optimizer)}."
            f"{hint if run.reduction == 'sum' else ''} {ASK}",
            DivergenceWarning,
        )
    elif run.status == "interrupted":
        # An epoch that was cut short gives no loss.
        at = f", at the loss {run.losses[-1]:.6g}" if len(run.losses) else ""
        warn(
            f"Ctrl-C ended training after iteration {run.iterations}{at}. "
            f"The run holds the work so far; run.resume(iterations) goes on from there.",
            InterruptedTrainingWarning,
        )
