"""Whether an activation and its derivative, a loss and its delta belong together, where they are used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.mistakes.backpropagation import Point
from glassnet.diagnostics.mistakes.finding import Finding

_MOST = 500
_STEP = 1e-5
_TOLERANCE = 1e-5


def wrong_functions(point: Point) -> list[Finding]:
    """A finding for each activation and for the loss whose derivative is not that of its value."""
    network, theta, depth = point.network, point.theta, len(point.network.sizes) - 1
    H, findings = point.X, []
    for layer, sigma in enumerate(network.hidden, 1):
        Z = H @ theta.weights[layer - 1] + theta.biases[layer - 1]
        H = sigma.value(Z)
        few = Z.ravel()[:: max(1, Z.size // _MOST)]
        slopes = sigma.derivative(few, sigma.value(few))
        differs = _difference(sigma.value, few, slopes, sigma.kinks, "z")
        if differs:
            below = tuple(f"{kind}{number}" for number in range(1, layer + 1) for kind in "Wb")
            words = (
                f"{differs[0]}in layer {layer} the derivative of {sigma.name}, {sigma.derivative_formula}, "
                f"does not belong to its value, {sigma.formula}: {differs[1]}"
            )
            findings.append(Finding("derivative", layer, below, words))
    Z = H @ theta.weights[-1] + theta.biases[-1]
    rows = slice(None, None, max(1, len(Z) // _MOST))
    Z, Y = Z[rows], point.Y[rows]
    for k in range(Z.shape[1]):

        def value(z: Array, k: int = k) -> Array:
            moved = Z.copy()
            moved[:, k] = z
            return network.loss.value(moved, Y)

        kinks = tuple(Y[:, k] + kink for kink in network.loss.kinks)
        differs = _difference(value, Z[:, k], network.loss.delta(Z, Y)[:, k], kinks, f"z_{k}")
        if differs:
            names = tuple(f"{kind}{number}" for number in range(1, depth + 1) for kind in "Wb")
            words = (
                f"{differs[0]}the delta of the loss {network.loss.name}, {network.loss.delta_formula}, "
                f"does not belong to its value, {network.loss.formula}: {differs[1]}"
            )
            findings.append(Finding("loss", depth, names, words))
            break
    return findings


def _difference(
    value: Callable[[Array], Array], z: Array, slopes: Array, kinks: tuple[float | Array, ...], name: str
) -> tuple[str, str] | None:
    """How a derivative differs from the central difference of its function, and where; None where not."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scale = np.maximum(1.0, np.abs(z))
        numerical, coarse = (
            (value(z + h * scale) - value(z - h * scale)) / (2 * h * scale) for h in (_STEP, 3 * _STEP)
        )
        # Rounding of the value over the step, and what the longer step differs by.
        allowed = _TOLERANCE * (1 + np.abs(numerical)) + np.abs(numerical - coarse)
        allowed = allowed + 4e-16 * np.abs(value(z)) / (_STEP * scale)
        near = np.zeros(z.shape, bool)
        for kink in kinks:
            near |= np.abs(z - kink) <= 4 * _STEP * scale
        wrong = ~(np.abs(slopes - numerical) <= allowed) & ~near & np.isfinite(numerical)
    if not wrong.any():
        return None
    at = int(np.argmax(np.where(wrong, np.abs(slopes - numerical), -1)))
    where = f"at {name} = {z[at]:.4g} it gives {slopes[at]:.6g}, the central difference {numerical[at]:.6g}"
    telling = wrong & (np.abs(numerical) > 100 * allowed)
    ratios = slopes[telling] / numerical[telling]
    if len(ratios) > 1 and np.allclose(ratios, ratios[0], rtol=1e-3, atol=1e-6):
        ratio = float(np.median(ratios))
        if ratio == 0:
            return "zero everywhere: ", where
        if abs(ratio + 1) < 1e-3:
            return "the wrong sign: ", where
        return f"every entry is {ratio:.6g} times what it should be: ", where
    return "", where
