"""The ends of the scale of losses: the loss of the best constant answer, and of the perfect one."""

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

_TINY = np.finfo(np.float64).tiny


class Scale(NamedTuple):
    """The loss of the best constant answer, and of the perfect one."""

    baseline: float
    floor: float


def scale_of(problem: Problem | Batches, targets: Array, weights: Array | None) -> Scale:
    """The ends of the scale for a network's losses, over the samples that it is trained on.

    `targets` are as `InMemory.targets` gives them. The constant answers each sample with the targets' mean
    (for classes, their frequencies): no network that ignores X does better, for a convex loss. Where
    nothing does better at all, because y never varies, `problem.baseline` takes its place. The perfect
    answer is y itself, with the loss 0 but for poisson, whose loss may be negative.
    """
    network = problem.network
    w = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    if problem.class_weight is not None:
        w = w * np.asarray(problem.class_weight)[targets]
    Y = target_rows(targets, network.sizes[-1], np.dtype(np.float64))
    answers = [np.broadcast_to(best_constant(network.loss, Y, w), Y.shape)]
    if network.loss.target == "nonnegative":
        answers.append(np.log(np.maximum(Y, _TINY)))
    losses = [_loss_at(problem, Z, Y, w) for Z in answers]
    constant, floor = losses[0], losses[1] if len(losses) > 1 else 0.0
    varies = constant - floor > 1e-12 * abs(problem.baseline)
    return Scale(constant if varies else problem.baseline, floor)


def constant_loss(problem: Problem | Batches, y: object, sample_weight: object = None) -> float:
    """The loss of the best constant answer; see `scale_of`."""
    return _scale_of_data(problem, y, sample_weight).baseline


def least_loss(problem: Problem | Batches, y: object, sample_weight: object = None) -> float:
    """The loss of the perfect answer; see `scale_of`."""
    return _scale_of_data(problem, y, sample_weight).floor


def _scale_of_data(problem: Problem | Batches, y: object, sample_weight: object) -> Scale:
    network, n = problem.network, problem.n_samples
    targets = as_target(y, n, network.sizes[-1], network.loss.target)
    return scale_of(problem, targets, None if sample_weight is None else np.asarray(sample_weight))


def best_constant(loss: Loss, Y: Array, w: Array) -> Array:
    """The output layer's Z of the best constant answer."""
    mean = w @ Y / w.sum()
    if loss.target == "class":
        smoothing = loss.settings.get("label_smoothing", 0.0)
        return np.log(np.maximum((1 - smoothing) * mean + smoothing / len(mean), _TINY))
    if loss.target == "label":
        return np.log(np.maximum(mean, _TINY)) - np.log(np.maximum(1 - mean, _TINY))
    if loss.target == "nonnegative":
        return np.log(np.maximum(mean, _TINY))
    if loss.name == "squared_error":
        return mean
    # Each output's constant where the summed delta changes its sign, by bisection.
    low, high = Y.min(axis=0), Y.max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        above = w @ loss.delta(np.broadcast_to(middle, Y.shape), Y) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def _loss_at(problem: Problem | Batches, Z: Array, Y: Array, w: Array) -> float:
    blocks = row_blocks(problem.n_samples)
    total = sum(reference.loss(Z[rows], Y[rows], problem.network.loss, w[rows]) for rows in blocks)
    if problem.reduction == "mean":
        return float(total / w.sum())
    # On batches a summed loss is that of a batch.
    return float(total * problem.batch_size / len(Y)) if isinstance(problem, Batches) else float(total)
