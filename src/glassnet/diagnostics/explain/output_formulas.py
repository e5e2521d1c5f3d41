"""The output layer's formulas with numbers: links, losses and their deltas."""

from __future__ import annotations

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.explain.words import added, branch, counted, num, shown, with_numbers
from glassnet.nn.loss_values import smoothed
from glassnet.nn.losses import Loss, Output
from glassnet.nn.network import Network


def link_numbers(output: Output, z: Array, unit: int) -> str:
    """A unit's Y_hat with numbers."""
    if output.name == "softmax":
        terms = added([f"exp({z[k]:.6g})" for k in shown(len(z))], len(z))
        return counted(f"exp({z[unit]:.6g}) / ({terms})", len(z))
    return with_numbers(output.formula, {"z": float(z[unit])})


def loss_numbers(network: Network, z: Array, y: Array) -> str:
    """A sample's loss with numbers; of a user's own loss what goes into its formula."""
    loss, units = network.loss, shown(len(z))
    if not loss.term:
        y_hat = _link(network, z)
        entries = [f"y_{k} = {num(y[k])}, y_hat_{k} = {num(y_hat[k])}, z_{k} = {num(z[k])}" for k in units]
        return "with " + "; ".join(entries)
    term = loss.term.removeprefix("-[").removesuffix("]")
    entries = []
    for unit in units:
        values = _values(network, z, y, unit)
        values |= {"r": values["y_hat"] - values["y"]}
        entries.append(
            with_numbers(branch(term, values), {**values, **_logs(network, z, values["y_hat"], unit)})
        )
    text = added(entries, len(z))
    return counted(text if term == loss.term else f"-({text})", len(z))


def delta_numbers(network: Network, z: Array, y: Array, unit: int) -> str:
    """dxi/dZ of a unit with numbers."""
    loss, values = network.loss, _values(network, z, y, unit)
    if loss.is_ours and values["y_hat"] - values["y"] in loss.kinks:
        return "0, at the kink"
    return with_numbers(branch(loss.delta_formula, values), values)


def _values(network: Network, z: Array, y: Array, unit: int) -> dict[str, float]:
    """The numbers in a loss's formulas, by name."""
    target = float(_targets(network.loss, y)[unit])
    y_hat = float(_link(network, z)[unit])
    return {**network.loss.settings, "z": float(z[unit]), "y": target, "y'": target, "y_hat": y_hat}


def _logs(network: Network, z: Array, y_hat: float, unit: int) -> dict[str, str]:
    """Logarithms as numbers: of a probability that has no digits left, and of exp(z)."""
    link = network.output.name
    if link == "exp":
        return {"log(y_hat)": num(z[unit])}
    if 0 < y_hat < 1 or link not in ("softmax", "logistic"):
        return {}
    if link == "softmax":
        return {"log(y_hat)": num(z[unit] - np.logaddexp.reduce(z))}
    # log y_hat = -log(1 + exp(-z)) and log(1 - y_hat) = -log(1 + exp(z)).
    above, below = (-float(np.logaddexp(0, sign * z[unit])) for sign in (-1, 1))
    return {"log(y_hat)": num(above), "log(1 - y_hat)": num(below)}


def _link(network: Network, z: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        y_hat: Array = network.output.link(z[None])[0]
    return y_hat


def _targets(loss: Loss, y: Array) -> Array:
    """The target that the loss compares with: a smoothed one, where it smooths."""
    if loss.name == "cross_entropy" and loss.is_ours:
        return smoothed(y[None], loss.settings["label_smoothing"])[0]
    return y
