"""The pictures, drawn by matplotlib (the extra ``plot``).

Each function returns a matplotlib Figure that belongs to no pyplot window: Jupyter shows it,
``figure.savefig(path)`` writes it.
"""

from glassnet.errors import MissingLibraryError
from glassnet.plots.boundary import data, decision_boundary
from glassnet.plots.classes import confusion, precision_recall, roc
from glassnet.plots.curvature_trace import curvature
from glassnet.plots.film import animation, film
from glassnet.plots.hidden_layer import hidden_projection
from glassnet.plots.loss_curve import loss
from glassnet.plots.quantities import error_histogram, fit, regression
from glassnet.plots.surface import output_surface
from glassnet.plots.sweeps.curves import sweep_losses
from glassnet.plots.sweeps.heatmap import sweep_heatmap
from glassnet.plots.sweeps.parallel import sweep_parallel
from glassnet.plots.training_state import training_state
from glassnet.plots.verdict.calibration import calibration
from glassnet.plots.verdict.columns import importance, partial_dependence
from glassnet.plots.verdict.models import models
from glassnet.plots.verdict.residuals import residuals

__all__ = [
    "MissingLibraryError",
    "animation",
    "calibration",
    "confusion",
    "curvature",
    "data",
    "decision_boundary",
    "error_histogram",
    "film",
    "fit",
    "hidden_projection",
    "importance",
    "loss",
    "models",
    "output_surface",
    "partial_dependence",
    "precision_recall",
    "regression",
    "residuals",
    "roc",
    "sweep_heatmap",
    "sweep_losses",
    "sweep_parallel",
    "training_state",
]
