"""Networks whose predictions are averaged, and how far apart they are."""

from __future__ import annotations

from glassnet.sklearn.ensembles.ensemble import Ensemble

__all__ = ["Ensemble"]
