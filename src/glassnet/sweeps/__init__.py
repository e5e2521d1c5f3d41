"""Floor 7: many networks at once, and what can be said of each of them."""

from __future__ import annotations

from glassnet.baselines import constant_loss, least_loss
from glassnet.sweeps.identities import identity_here
from glassnet.sweeps.journal import OtherSweepError
from glassnet.sweeps.results import SweepCell, SweepResult
from glassnet.sweeps.sweeping import sweep
from glassnet.sweeps.verdicts import CONVERGED_BELOW, FELL, ROSE, STATUSES, assess, rules
from glassnet.sweeps.words import as_plain, shown

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
    "rules",
    "shown",
    "sweep",
]
