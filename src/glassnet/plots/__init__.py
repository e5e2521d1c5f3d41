"""The pictures, drawn by matplotlib (the extra ``plot``).

Each function returns a matplotlib Figure that belongs to no pyplot window: Jupyter shows it,
``figure.savefig(path)`` writes it.
"""

from glassnet.plots.flat import data, decision_boundary, loss
from glassnet.plots.landscape import curvature
from glassnet.plots.libraries import MissingLibraryError
from glassnet.plots.solid import hidden_projection, output_surface
from glassnet.plots.sweep_heatmap import sweep_heatmap
from glassnet.plots.sweep_parallel import sweep_parallel
from glassnet.plots.sweeps import sweep_losses

__all__ = [
    "MissingLibraryError",
    "curvature",
    "data",
    "decision_boundary",
    "hidden_projection",
    "loss",
    "output_surface",
    "sweep_heatmap",
    "sweep_losses",
    "sweep_parallel",
]
