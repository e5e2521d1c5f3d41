"""Floor 5: when a loss has blown up, and which optimizer would be gentler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassnet.optimizers import Optimizer

DIVERGENCE_FACTOR = 100.0
"""A loss this many times worse than both the first one and `Problem.baseline` has blown up.

Losses here are safe for outputs of any size, so that a learning rate far too large seldom gives
NaN: it throws the parameters to where every gradient is flat. On the notebook's circles with
the summed loss, rates from 0.01 to 0.25 give 170 to 4,000 times the first loss after one update, and
never come back; runs that end well stay below it.
"""


def divergence_limit(first: float, baseline: float) -> float:
    """The loss above which training that began at `first` ends as diverged."""
    worst, scale = max(first, baseline), max(abs(first), abs(baseline))
    # For a loss that is never negative this is DIVERGENCE_FACTOR * worst; one's own may be negative.
    limit = worst + (DIVERGENCE_FACTOR - 1) * scale
    return float(min(limit, np.finfo(np.float64).max))  # so that an infinite loss is above it


def gentler(optimizer: Optimizer) -> str:
    """The optimizer with a tenth of its learning rate, as one would write it."""
    return f"gn.{replace(optimizer, learning_rate=float(f'{optimizer.learning_rate / 10:.1g}'))!r}"
