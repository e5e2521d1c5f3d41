"""Formulas of the notebook's network that PyTorch and JAX compile alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.tasks import NotebookTask

State = tuple[list[Any], list[Any]]


def dense(A: Sequence[Any], W: Any, b: Any) -> list[Any]:
    """Z = W^T A + b, a list of rows (n,), written out."""
    return [sum(a * W[i, j] for i, a in enumerate(A)) + b[j] for j in range(W.shape[1])]


def descend(state: State, gradients: list[Any], task: NotebookTask) -> State:
    """The update with momentum of (parameters, velocities), as new lists."""
    parameters, velocities = state
    pairs = zip(velocities, gradients, strict=True)
    velocities = [task.momentum * v - task.learning_rate * g for v, g in pairs]
    return [p + v for p, v in zip(parameters, velocities, strict=True)], velocities
