"""Scikit-learn's conventions of a loss, where they are not this library's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glassnet._types import Array
from glassnet.nn.losses import Loss
from glassnet.optim.penalties import Penalties


@dataclass(frozen=True)
class Conventions:
    """How the loss and the penalties of training are counted; the defaults are this library's own.

    shared : a batch's penalties are divided by the sum of its weights, as scikit-learn's ``alpha`` is.
    floor : the least probability that the reported loss is told of, above 0; 0 takes each as it is. For
        labels 0 or 1, and class numbers without smoothing. The gradient knows of no floor.
    part : how much of the data's loss is reported: scikit-learn averages a squared error over the
        outputs, but not its gradient.
    """

    shared: bool = False
    floor: float = 0.0
    part: float = 1.0

    def over(self, penalties: Penalties, weight: float) -> Penalties:
        """The penalties of a batch of this weight."""
        if not self.shared or weight <= 0:
            return penalties
        return Penalties(penalties.l1 / weight, penalties.l2 / weight, penalties.max_norm)


OURS = Conventions()


def loss_above(floor: float, loss: Loss, Z: Array, Y: Array, w: Array | None) -> float:
    """What the summed loss has above -log(floor) for each probability below the floor.

    >>> import numpy as np, glassnet as gn
    >>> from glassnet.optim.loss_conventions import loss_above
    >>> Z, Y = np.array([[-50.0], [1.0]]), np.array([[1.0], [1.0]])
    >>> round(loss_above(2.0**-52, gn.LOSSES["binary_cross_entropy"], Z, Y, None), 4)
    13.9563
    """
    most = -math.log(floor)
    if loss.target == "class":
        above = np.maximum(loss.value(Z, Y).astype(np.float64) - most, 0)
    else:
        above = np.maximum(np.where(Y > 0.5, -Z, Z).astype(np.float64) - most, 0).sum(axis=1)
    return float(np.sum(above if w is None else w * above))
