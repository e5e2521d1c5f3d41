"""An optimizer and penalties as the native engine takes them."""

from __future__ import annotations

import math
from typing import Any

from glassnet import native
from glassnet.optim.base import Optimizer
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import Penalties


def native_rule(
    optimizer: Optimizer, penalties: Penalties, average: float = 0.0, conventions: Conventions = OURS
) -> Any:
    """The optimizer's settings, but for its rate, with the penalties, as the native engine takes them.

    `average` is what the mean of the parameters keeps of itself at an update, 0 where there is none.
    """
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
        shared=conventions.shared,
        floor=conventions.floor,
        part=conventions.part,
    )
