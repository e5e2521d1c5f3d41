"""Floor 5: whether a solver has ended where nothing was learned, because units have no slope left."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.activations import Array
from glassnet.arrays import as_matrix
from glassnet.baselines import scale_of
from glassnet.engine import Problem
from glassnet.errors import StalledTrainingWarning
from glassnet.network import Parameters
from glassnet.probes import slopes_lost

FLAT = 0.9
"""The share of a layer's (sample, unit) pairs without slope from which on it passes on next to nothing."""

USELESS = 0.95
"""The share of the best constant answer's loss from which on nothing was learned."""

_LOOKED_AT = 1000  # rows, evenly over all


def warn_if_stalled(
    problem: Problem, flat: Array, loss: float, X: Any, y: object, weights: object, stacklevel: int
) -> None:
    """Warn where a hidden layer is dead or saturated, and the loss next to the best constant answer's."""
    network = problem.network
    # Nearly all runs end far below the loss of zeros, and need no more than this.
    if not network.loss.is_built_in or not loss > 0.05 * problem.baseline:
        return
    rows = np.linspace(0, problem.n_samples - 1, min(problem.n_samples, _LOOKED_AT)).astype(int)
    some: NDArray[Any] = X[rows]
    inputs = as_matrix(some.toarray() if hasattr(some, "toarray") else some).astype(np.float64)
    theta = Parameters(network.sizes, flat.astype(np.float64))
    shares, dead = slopes_lost(network, theta, [inputs])
    widths = network.sizes[1:-1]
    lost = [
        f"{count} of {width} units of hidden layer {layer} are dead"
        if 2 * count > width
        else f"{share:.0%} of hidden layer {layer} is saturated"
        for layer, (share, count, width) in enumerate(zip(shares, dead, widths, strict=True), 1)
        if share >= FLAT
    ]
    if not lost:
        return
    scale = scale_of(problem, y, weights)
    if loss - scale.floor > USELESS * (scale.baseline - scale.floor):
        warnings.warn(
            f"Training ended at a loss of {loss:.4g}, and a constant answer's is {scale.baseline:.4g}: "
            f"{', and '.join(lost)}. Standardize X, and y where it is a quantity, or start from another "
            f"random_state.",
            StalledTrainingWarning,
            stacklevel=stacklevel,
        )
