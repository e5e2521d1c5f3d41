"""Many networks at once: sweeps over settings, seeds and folds, and their results."""

from __future__ import annotations

from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.journal import OtherSweepError
from glassnet.model_selection.metrics import rank_ic
from glassnet.model_selection.outcomes import (
    CONVERGED_BELOW,
    FELL,
    ROSE,
    STATUSES,
    SweepCell,
    assess,
    rules,
)
from glassnet.model_selection.results import SweepResult
from glassnet.model_selection.settings import as_plain, shown
from glassnet.model_selection.sweep import sweep
from glassnet.training.baselines import constant_loss, least_loss

__all__ = [
    "CONVERGED_BELOW",
    "FELL",
    "ROSE",
    "STATUSES",
    "OtherSweepError",
    "SweepCell",
    "SweepResult",
    "as_plain",
    "assess",
    "constant_loss",
    "identity_here",
    "least_loss",
    "rank_ic",
    "rules",
    "shown",
    "sweep",
]
