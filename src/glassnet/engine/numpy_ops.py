"""What the full batch and batches share: NumPy's pass and update, and the packing of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.data.fixed_order import row_blocks
from glassnet.nn import reference
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network, Parameters
from glassnet.optim import penalties
from glassnet.optim.loss_conventions import OURS, Conventions, loss_above
from glassnet.optim.penalties import Penalties
from glassnet.utils.array_checks import cast

_PARAMETERS = 1 << 14  # penalized at a time


def numpy_pass(
    network: Network,
    X: Array,
    Y: Array,
    w: Array | None,
    flat: Array,
    divisor: float,
    penalized: Penalties,
    is_weight: penalties.Mask,
    masks: Sequence[Array | None] | None = None,
    conventions: Conventions = OURS,
) -> tuple[float, Array]:
    """The loss over `divisor` with its penalties, and its gradient, by the reference."""
    theta = Parameters(network.sizes, flat)
    # A blown-up network is found by its loss; NumPy's own warnings would only say it twice.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        loss, weights, biases = reference.compute_gradients(
            X, Y, theta.weights, theta.biases, network.hidden, network.loss, w, masks
        )
        parts = [part.ravel() for pair in zip(weights, biases, strict=True) for part in pair]
        gradient = np.concatenate(parts).astype(flat.dtype, copy=False)
        if divisor != 1.0:
            gradient /= gradient.dtype.type(divisor)
        if conventions.floor:
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden, masks)
            loss -= loss_above(conventions.floor, network.loss, Zs[-1], Y, w)
        loss = conventions.part * loss / divisor
        if penalized.l1 or penalized.l2:
            for start in range(0, flat.size, _PARAMETERS):
                part = slice(start, start + _PARAMETERS)
                added, slope = penalties.penalty(flat[part], is_weight[part], penalized.l1, penalized.l2)
                loss, gradient[part] = loss + added, gradient[part] + slope
        return loss, gradient


def numpy_loss(
    network: Network,
    X: Array,
    Y: Array,
    w: Array | None,
    flat: Array,
    divisor: float,
    penalized: Penalties,
    is_weight: penalties.Mask,
    conventions: Conventions = OURS,
) -> float:
    """The loss that `numpy_pass` gives."""
    theta = Parameters(network.sizes, flat)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
        loss = reference.loss(Zs[-1], Y, network.loss, w)
        if conventions.floor:
            loss -= loss_above(conventions.floor, network.loss, Zs[-1], Y, w)
        loss = conventions.part * loss / divisor
        if penalized.l1 or penalized.l2:
            loss += penalties.penalty(flat, is_weight, penalized.l1, penalized.l2)[0]
        return loss


def drawn(masks: Masks | None) -> tuple[int, int]:
    """The native engine's seed and number of the mask; number 0 is a pass without."""
    return (0, 0) if masks is None else (masks.seed, masks.number)


def packed(
    kind: Any,
    network: Network,
    X: NDArray[Any],
    y: NDArray[Any],
    w: NDArray[Any] | None,
    dtype: np.dtype[Any],
    dropout: tuple[float, ...] = (),
) -> Any:
    """A native Problem or Batches that holds these data in its own order."""
    made = kind(
        sizes=network.sizes,
        hidden=[record.name for record in network.hidden],
        loss=network.loss.name,
        n_samples=len(X),
        labels=y.ndim == 1,
        weighted=w is not None,
        isa=native.forced_isa(),
        loss_setting=next(iter(network.loss.settings.values()), 0.0),
        dropout=dropout,
    )
    for rows in row_blocks(*X.shape):
        start = rows.start
        target = y[rows].astype(np.int64) if y.ndim == 1 else cast(y[rows], dtype, "y", start)
        weight = None if w is None else cast(w[rows], dtype, "sample_weight", start)
        made.put(
            start,
            np.ascontiguousarray(cast(X[rows], dtype, "X", start)),
            np.ascontiguousarray(target),
            None if weight is None else np.ascontiguousarray(weight),
        )
    return made
