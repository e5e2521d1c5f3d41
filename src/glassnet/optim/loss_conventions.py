"""How the reported loss and the penalties are counted: scikit-learn's conventions differ from ours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glassnet._types import Array
from glassnet.nn.losses import Loss
from glassnet.optim.penalties import Penalties


@dataclass(frozen=True)
class Conventions:
    """How training counts the reported loss and the penalties; the defaults are this library's own.

    average_penalties : whether a batch's penalties are divided by the sum of its weights, as scikit-learn's
        ``alpha``.
    min_probability : the least probability in the reported loss, above 0; 0 reports each probability as it
        is. For labels 0 or 1, and class numbers without smoothing. It does not change the gradient.
    loss_scale : the factor of the data's loss in the reported loss: scikit-learn averages a squared error
        over the outputs, but not its gradient.
    """

    average_penalties: bool = False
    min_probability: float = 0.0
    loss_scale: float = 1.0

    def over(self, penalties: Penalties, weight: float) -> Penalties:
        """The penalties for a batch whose weights sum to `weight`."""
        if not self.average_penalties or weight <= 0:
            return penalties
        return Penalties(penalties.l1 / weight, penalties.l2 / weight, penalties.max_norm)


OURS = Conventions()


def loss_above(min_probability: float, loss: Loss, Z: Array, Y: Array, w: Array | None) -> float:
    """The excess of the summed loss: loss + log(min_probability) for each smaller probability.

    >>> import numpy as np, glassnet as gn
    >>> from glassnet.optim.loss_conventions import loss_above
    >>> Z, Y = np.array([[-50.0], [1.0]]), np.array([[1.0], [1.0]])
    >>> round(loss_above(2.0**-52, gn.LOSSES["binary_cross_entropy"], Z, Y, None), 4)
    13.9563
    """
    most = -math.log(min_probability)
    if loss.target == "class":
        above = np.maximum(loss.value(Z, Y).astype(np.float64) - most, 0)
    else:
        above = np.maximum(np.where(Y > 0.5, -Z, Z).astype(np.float64) - most, 0).sum(axis=1)
    return float(np.sum(above if w is None else w * above))
