"""A warning where a solver has learned nothing, because its units have no slope left."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.engine.full_batch import Problem
from glassnet.errors import StalledTrainingWarning
from glassnet.nn import reference
from glassnet.nn.activations import Activation
from glassnet.nn.network import Network, Parameters
from glassnet.training.baselines import scale_of
from glassnet.utils.warn import warn

SATURATED = 0.05
"""A unit is saturated at a sample where its slope is below this share of the function's largest slope."""

DEAD = 1e-3
"""A unit is dead where its slope is below this share at every sample."""

FLAT = 0.9
"""A layer passes on next to nothing from this share of saturated (sample, unit) pairs on."""

USELESS = 0.95
"""Nothing was learned from this share of the best constant answer's loss on."""

_ROWS = 1000  # that are looked at, evenly over all


def warn_if_stalled(problem: Problem, flat: Array, loss: float, data: InMemory) -> None:
    """Warn where a hidden layer is dead or saturated, and the loss next to the best constant answer's.

    `data` are the samples that the network was trained on.
    """
    network = problem.network
    # Nearly all runs end far below the loss of zeros, and need no more than this.
    if not network.loss.is_built_in or not loss > 0.05 * problem.baseline:
        return
    rows = np.linspace(0, problem.n_samples - 1, min(problem.n_samples, _ROWS)).astype(int)
    chosen = data.X[rows]
    inputs = np.asarray(chosen.toarray() if hasattr(chosen, "toarray") else chosen, np.float64)
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
    scale = scale_of(problem, data.targets(network), data.weights)
    if loss - scale.floor > USELESS * (scale.baseline - scale.floor):
        warn(
            f"Training ended at a loss of {loss:.4g}, and a constant answer's is {scale.baseline:.4g}: "
            f"{', and '.join(lost)}. Standardize X, and y where it is a quantity, or start from another "
            f"random_state.",
            StalledTrainingWarning,
        )


def slopes_lost(
    network: Network, theta: Parameters, blocks: Iterable[NDArray[np.float64]]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Each hidden layer's share of saturated (sample, unit) pairs, and its number of dead units."""
    largest = [_largest_slope(record) for record in network.hidden]
    flat = [np.zeros(width) for width in network.sizes[1:-1]]
    steepest = [np.zeros(width) for width in network.sizes[1:-1]]
    n = 0
    for inputs in blocks:
        n += len(inputs)
        with np.errstate(over="ignore", under="ignore"):
            Zs, Hs = reference.forward_propagation(inputs, theta.weights, theta.biases, network.hidden)
        for layer, record in enumerate(network.hidden):
            slope = np.abs(record.derivative(Zs[layer], Hs[layer + 1]))
            flat[layer] += (slope < SATURATED * largest[layer]).sum(axis=0)
            steepest[layer] = np.maximum(steepest[layer], slope.max(axis=0))
    shares = tuple(float(count.mean() / n) for count in flat)
    dead = tuple(int((top < DEAD * most).sum()) for top, most in zip(steepest, largest, strict=True))
    return shares, dead


def _largest_slope(record: Activation) -> float:
    z = np.linspace(-8.0, 8.0, 321)
    return float(np.abs(record.derivative(z, record.value(z))).max())
