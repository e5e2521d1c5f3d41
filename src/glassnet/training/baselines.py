"""The ends of the scale of losses: what the best constant answer pays, and the perfect one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.data.fixed_order import row_blocks
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.nn import reference
from glassnet.nn.losses import Loss
from glassnet.utils.array_checks import as_target


class Scale(NamedTuple):
    """What the best constant answer pays, and what the perfect one pays."""

    baseline: float
    floor: float


def scale_of(problem: Problem | Batches, y: object, sample_weight: object = None) -> Scale:
    """The ends of the scale for a network's losses, over the samples that it is trained on."""
    return Scale(constant_loss(problem, y, sample_weight), least_loss(problem, y, sample_weight))


def constant_loss(problem: Problem | Batches, y: object, sample_weight: object = None) -> float:
    """The loss of answering each sample with the targets' mean (for classes, their frequencies).

    No network that ignores X does better, for a convex loss. Where nothing does better at all,
    because y never varies, `problem.baseline` is given instead.
    """
    network, (Y, w) = problem.network, _targets(problem, y, sample_weight)
    mean, tiny = w @ Y / w.sum(), np.finfo(np.float64).tiny
    if network.loss.target == "class":
        smoothing = network.loss.settings.get("label_smoothing", 0.0)
        mean = (1 - smoothing) * mean + smoothing / len(mean)
        Z = np.log(np.maximum(mean, tiny))
    elif network.loss.target == "label":
        Z = np.log(np.maximum(mean, tiny)) - np.log(np.maximum(1 - mean, tiny))
    elif network.loss.target == "nonnegative":
        Z = np.log(np.maximum(mean, tiny))
    elif network.loss.name == "squared_error":
        Z = mean
    else:
        Z = _least_constant(network.loss, Y, w)
    constant = _loss_at(problem, np.broadcast_to(Z, Y.shape), Y, w)
    spread = constant - least_loss(problem, y, sample_weight)
    return constant if spread > 1e-12 * abs(problem.baseline) else problem.baseline


def least_loss(problem: Problem | Batches, y: object, sample_weight: object = None) -> float:
    """The loss of an answer that is y itself: 0, but for poisson, whose loss may be negative."""
    if problem.network.loss.target != "nonnegative":
        return 0.0
    Y, w = _targets(problem, y, sample_weight)
    return _loss_at(problem, np.log(np.maximum(Y, np.finfo(np.float64).tiny)), Y, w)


def _targets(problem: Problem | Batches, y: object, sample_weight: object) -> tuple[Array, Array]:
    n, outputs = problem.n_samples, problem.network.sizes[-1]
    targets = as_target(y, n, outputs, problem.network.loss.target)
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if problem.class_weight is not None:
        w = w * np.asarray(problem.class_weight)[targets]
    return target_rows(targets, outputs, np.dtype(np.float64)), w


def _loss_at(problem: Problem | Batches, Z: Array, Y: Array, w: Array) -> float:
    blocks = row_blocks(problem.n_samples)
    total = sum(reference.loss(Z[rows], Y[rows], problem.network.loss, w[rows]) for rows in blocks)
    if problem.reduction == "mean":
        return float(total / w.sum())
    # On batches a summed loss is that of a batch.
    return float(total * problem.batch_size / len(Y)) if isinstance(problem, Batches) else float(total)


def _least_constant(loss: Loss, Y: Array, w: Array) -> Array:
    """Each output's constant where the summed delta changes its sign, by bisection."""
    low, high = Y.min(axis=0), Y.max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        above = w @ loss.delta(np.broadcast_to(middle, Y.shape), Y) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2
