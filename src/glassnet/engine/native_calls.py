"""What the calls of the native engine take: samples packed, the rule of an update, and masks."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet.data.fixed_order import row_blocks
from glassnet.data.reduce import Block
from glassnet.engine.records import Setup
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network
from glassnet.optim import SGD, Optimizer
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import Penalties
from glassnet.utils.array_checks import cast


def native_rule(
    optimizer: Optimizer, penalties: Penalties, average: float = 0.0, conventions: Conventions = OURS
) -> Any:
    """The optimizer's settings without its rate, the penalties and the conventions."""
    assert native.module is not None

    def bound(value: float | None) -> float:
        return math.inf if value is None else value

    return native.module.Rule(
        kind=optimizer.name,
        coefficients=[getattr(optimizer, name) for name in optimizer.coefficients],
        flag=bool(optimizer.flag and getattr(optimizer, optimizer.flag)),
        weight_decay=getattr(optimizer, "weight_decay", 0.0),
        clip_value=bound(optimizer.clip_value),
        clip_norm=bound(optimizer.clip_norm),
        l1=penalties.l1,
        l2=penalties.l2,
        max_norm=bound(penalties.max_norm),
        average=average,
        average_penalties=conventions.average_penalties,
        min_probability=conventions.min_probability,
        loss_scale=conventions.loss_scale,
    )


class Rules:
    """The rules of a problem, of which the last one is kept: a small call takes microseconds."""

    def __init__(self, setup: Setup) -> None:
        self._settings = setup.penalties, setup.conventions
        self._last: tuple[Optimizer, float, Any] | None = None

    @cached_property
    def of_loss(self) -> Any:
        """The rule for passes without an update."""
        penalties, conventions = self._settings
        return native_rule(SGD(), penalties, 0.0, conventions)

    def of(self, optimizer: Optimizer, average: float) -> Any:
        """The rule of an optimizer, with a mean of the parameters where `average` is above 0."""
        last = self._last  # one object: several threads may ask at once
        if last is None or last[0] is not optimizer or last[1] != average:
            penalties, conventions = self._settings
            last = optimizer, average, native_rule(optimizer, penalties, average, conventions)
            self._last = last
        return last[2]


def native_masks(masks: Masks | None) -> tuple[int, int]:
    """The seed and the number of the masks; number 0 is a pass without."""
    return (0, 0) if masks is None else (masks.seed, masks.number)


def describe(network: Network, n_samples: int, labels: bool, weighted: bool) -> dict[str, Any]:
    """The arguments of every native class that holds samples: network, their number, and their kind."""
    return {
        "sizes": network.sizes,
        "hidden": [record.name for record in network.hidden],
        "loss": network.loss.name,
        "n_samples": n_samples,
        "labels": labels,
        "weighted": weighted,
        "isa": native.forced_isa(),
        "loss_setting": next(iter(network.loss.settings.values()), 0.0),
    }


def pack(name: str, setup: Setup, samples: Block) -> Any:
    """A native "Problem" or "Batches" that holds a copy of the samples, in its own order and precision."""
    X, y, w, dtype = *samples, setup.dtype
    kind = getattr(native.module, f"{name}{8 * dtype.itemsize}")
    about = describe(setup.network, len(X), y.ndim == 1, w is not None)
    packed = kind(**about, dropout=setup.dropout)
    for rows in row_blocks(*X.shape):
        start = rows.start
        target = y[rows].astype(np.int64) if y.ndim == 1 else cast(y[rows], dtype, "y", start)
        weight = None if w is None else cast(w[rows], dtype, "sample_weight", start)
        packed.put(
            start,
            np.ascontiguousarray(cast(X[rows], dtype, "X", start)),
            np.ascontiguousarray(target),
            None if weight is None else np.ascontiguousarray(weight),
        )
    return packed


def count_written(losses: NDArray[np.float64]) -> int:
    """How many losses an engine has written before an error, where all were NaN on entry."""
    missing = np.isnan(losses)
    return int(missing.argmax()) if missing.any() else len(losses)
