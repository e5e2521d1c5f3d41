"""The output layer's formulas with numbers: links, losses and their deltas."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.explain.words import added, branch, counted, num, plain, shown, with_numbers
from glassnet.nn.loss_values import smoothed
from glassnet.nn.losses import Loss, Output
from glassnet.nn.network import Network

Settings = Mapping[str, float]
Term = Callable[[float, float, float, Settings], str]
"""The text of one output's term in a loss, of z, y, y_hat and the loss's settings."""


def link_numbers(output: Output, z: Array, unit: int) -> str:
    """A unit's Y_hat with numbers."""
    if output.name == "softmax":
        terms = added([f"exp({z[k]:.6g})" for k in shown(len(z))], len(z))
        return counted(f"exp({z[unit]:.6g}) / ({terms})", len(z))
    return with_numbers(output.formula, {"z": float(z[unit])})


def _huber(z: float, y: float, y_hat: float, settings: Settings) -> str:
    r, d = z - y, settings["delta"]
    if abs(r) <= d:
        return f"{num(r)}^2 / 2"
    return f"{num(d)} * (abs({r:.6g}) - {num(d)} / 2)"


def _quantile(z: float, y: float, y_hat: float, settings: Settings) -> str:
    r, q = z - y, settings["level"]
    return f"(1 - {num(q)}) * {num(r)}" if r >= 0 else f"(-{num(q)}) * {num(r)}"


def _square(z: float, y: float, y_hat: float, settings: Settings) -> str:
    return f"({num(y_hat)} - {num(y)})^2 / 2"


def _log(y_hat: float, z: float) -> str:
    """log y_hat; where y_hat has no digits left, the number itself."""
    return f"log({plain(y_hat)})" if 0 < y_hat < 1 else num(z)


def _both(z: float, y: float, y_hat: float, settings: Settings) -> str:
    # log y_hat = -log(1 + exp(-z)) and log(1 - y_hat) = -log(1 + exp(z)).
    above, below = (-float(np.logaddexp(0, sign * z)) for sign in (-1, 1))
    rest = f"log(1 - {plain(y_hat)})" if 0 < y_hat < 1 else num(below)
    return f"{num(y)} * {_log(y_hat, above)} + (1 - {num(y)}) * {rest}"


TERMS: dict[str, Term] = {
    "binary_cross_entropy": _both,
    "squared_error": _square,
    "absolute_error": lambda z, y, y_hat, settings: f"abs({num(y_hat)} - {num(y)})",
    "huber": _huber,
    "quantile": _quantile,
    "poisson": lambda z, y, y_hat, settings: f"{num(y_hat)} - {num(y)} * {num(z)}",
    "brier": _square,
    "tanh_error": _square,
}
"""A term of each built-in loss but cross_entropy."""


def loss_numbers(network: Network, z: Array, y: Array) -> str:
    """A sample's loss with numbers; of a user's own loss what goes into its formula."""
    loss = network.loss
    y_hat = _link(network, z)
    if not loss.is_ours:
        entries = [
            f"y_{k} = {num(y[k])}, y_hat_{k} = {num(y_hat[k])}, z_{k} = {num(z[k])}" for k in shown(len(z))
        ]
        return "with " + "; ".join(entries)
    y = _targets(loss, y)
    if loss.name == "cross_entropy":
        logs = z - z.max() - np.log(np.exp(z - z.max()).sum())
        text = added([f"{num(y[k])} * {_log(y_hat[k], logs[k])}" for k in shown(len(z))], len(z))
        return counted(f"-({text})", len(z))
    entries = [TERMS[loss.name](z[k], y[k], y_hat[k], loss.settings) for k in shown(len(z))]
    text = added(entries, len(z))
    return counted(f"-({text})" if loss.name == "binary_cross_entropy" else text, len(z))


def delta_numbers(network: Network, z: Array, y: Array, unit: int) -> str:
    """dxi/dZ of a unit with numbers."""
    loss, y_hat = network.loss, _link(network, z)[unit]
    target = _targets(loss, y)[unit]
    values: dict[str, float | str] = {"y_hat": y_hat, "y": target, "y'": target, "z": float(z[unit])}
    if loss.name == "huber" and loss.is_ours:
        values["d"] = loss.settings["delta"]
    formula = loss.delta_formula
    if loss.name == "quantile" and loss.is_ours:
        if y_hat == target:
            return "0, at the kink"
        return f"1 - {num(loss.settings['level'])}" if y_hat > target else f"-{num(loss.settings['level'])}"
    return with_numbers(branch(formula, float(z[unit])), values)


def _link(network: Network, z: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        y_hat: Array = network.output.link(z[None])[0]
    return y_hat


def _targets(loss: Loss, y: Array) -> Array:
    """The target that the loss compares with: a smoothed one, where it smooths."""
    if loss.name == "cross_entropy" and loss.is_ours:
        return smoothed(y[None], loss.settings["label_smoothing"])[0]
    return y
