"""The ends of the scale of losses: the loss of the best constant answer, and of the perfect one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.data.checks import target_rows, with_class_weights
from glassnet.data.fixed_order import row_blocks
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.nn import reference
from glassnet.nn.losses import LOSSES, Loss
from glassnet.utils.array_checks import as_target

SQUARED, _TINY = LOSSES["squared_error"], np.finfo(np.float64).tiny


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
    weights = with_class_weights(weights, problem.class_weight, targets)
    w = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    Y = target_rows(targets, network.sizes[-1], np.dtype(np.float64))
    losses = [_loss_at(problem, Z, Y, w) for Z in _answers(network.loss, Y, w)]
    return _scale(losses, problem.baseline)


def scale_of_rows(loss: Loss, Y: Array, w: Array) -> Scale:
    """The same of target rows (n, outputs) alone, as means over their weights."""
    answers = [*_answers(loss, Y, w), np.zeros_like(Y)]
    *losses, zero = (reference.loss(Z, Y, loss, w) / float(w.sum()) for Z in answers)
    return _scale(losses, zero)


def least_constant_loss(loss: Loss, targets: Array, w: Array | None, n_outputs: int) -> float:
    """At most the mean loss of the best constant answer, in microseconds; 0 where that takes longer.

    `targets` are class numbers (n,) or target rows (n, outputs).
    """
    if not loss.is_ours:
        return 0.0
    squared = loss is SQUARED or not loss.is_built_in
    total = len(targets) if w is None else float(w.sum())
    if targets.ndim == 1:
        share = np.bincount(targets, w, n_outputs) / total
    else:
        share = (targets.sum(axis=0) if w is None else w @ targets) / total
    if loss.target == "class":
        return -float(share @ np.log(np.maximum(share, _TINY)))
    if loss.target == "label" and not squared:
        return -float(sum(p @ np.log(np.maximum(p, _TINY)) for p in (share, 1 - share)))
    if loss.target == "nonnegative":
        return 0.0
    values = (SQUARED if squared else loss).value(share, targets)
    at_mean = float(values.sum() if w is None else w @ values) / total
    return at_mean if squared else 0.1 * at_mean


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


def _answers(loss: Loss, Y: Array, w: Array) -> list[Array]:
    """The Z of the best constant answer, and of the perfect one where its loss is not 0."""
    answers = [np.broadcast_to(best_constant(loss, Y, w), Y.shape)]
    if loss.target == "nonnegative":
        answers.append(np.log(np.maximum(Y, _TINY)))
    return answers


def _scale(losses: list[float], zero: float) -> Scale:
    constant, floor = losses[0], losses[1] if len(losses) > 1 else 0.0
    return Scale(constant if constant - floor > 1e-12 * abs(zero) else zero, floor)


def answer_of_mean(loss: Loss, mean: Array) -> Array | None:
    """The output layer's Z of the best answer for rows whose targets have a mean, (..., outputs).

    None for a loss whose best answer is another than the mean's, such as the median.
    """
    if loss.target == "class":
        smoothing = loss.settings.get("label_smoothing", 0.0)
        return np.log(np.maximum((1 - smoothing) * mean + smoothing / mean.shape[-1], _TINY))
    if loss.target == "label":
        return np.log(np.maximum(mean, _TINY)) - np.log(np.maximum(1 - mean, _TINY))
    if loss.target == "nonnegative":
        return np.log(np.maximum(mean, _TINY))
    if loss.target == "signed":
        return np.arctanh(np.clip(mean, -1 + 2.0**-52, 1 - 2.0**-52))
    return mean if loss.name == "squared_error" else None


def best_constant(loss: Loss, Y: Array, w: Array) -> Array:
    """The output layer's Z of the best constant answer."""
    answer = answer_of_mean(loss, w @ Y / w.sum())
    if answer is not None:
        return answer
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
