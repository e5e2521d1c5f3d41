"""The learning rate beyond which gradient descent cannot stay, as a line over a heatmap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.diagnostics.curvature import Curvature
from glassnet.errors import InputError, InputTypeError
from glassnet.model_selection import identity_here
from glassnet.optim import SGD
from glassnet.plots.losses import readable
from glassnet.plots.sweep_words import ascending, key_of

if TYPE_CHECKING:
    from glassnet.model_selection import SweepResult

RATE = "learning_rate"


def draw_stability(paper: Any, result: SweepResult, rows: str, columns: str, curvature: Curvature) -> str:
    """Draw the limit over the cells; what it is, for the note under the title."""
    if not isinstance(curvature, Curvature):
        raise InputTypeError(
            "curvature is what gn.curvature(network, run.theta, X, y) returns, not "
            f"{type(curvature).__name__}."
        )
    limits = _limits(result, columns if rows == RATE else rows, rows, columns, curvature)
    rates = ascending(result, RATE)
    at = _places(np.array(rates, np.float64), limits)
    along = np.arange(len(limits), dtype=np.float64)
    # To the edges of the first and the last cell.
    along = np.concatenate([along[:1] - 0.5, along, along[-1:] + 0.5])
    at = np.concatenate([at[:1], at, at[-1:]])
    inside = at.min() < len(rates) - 0.5 and at.max() > -0.5
    at = np.clip(at, -0.5, len(rates) - 0.5)
    if inside:
        x, y = (along, at) if rows == RATE else (at, along)
        paper.plot(x, y, color="white", linewidth=4.2, zorder=2.5, solid_capstyle="butt")
        paper.plot(x, y, color="#C8102E", linewidth=2.0, zorder=2.6, solid_capstyle="butt")
    low, high = float(limits.min()), float(limits.max())
    span = readable(low) if low == high else f"{readable(low)} to {readable(high)}"
    which = "red" if inside else "off the picture"
    return f"{which}: the stability limit {_formula(result)}, {span}"


def _formula(result: SweepResult) -> str:
    rule = result.cells[0].trained.optimizer
    below = "λmax"
    if isinstance(rule, SGD) and rule.nesterov:
        below = f"((1\u00a0+\u00a02m)\u00a0{below})"
    return f"2(1\u00a0+\u00a0m)/{below}"  # which no line breaks


def _limits(
    result: SweepResult, other: str, rows: str, columns: str, curvature: Curvature
) -> NDArray[np.float64]:
    """The largest learning rate for each value of the other setting."""
    rules = [cell.trained.optimizer for cell in result.cells]
    rates = result.grid.get(RATE, ())
    plain = all(isinstance(rate, (int, float)) for rate in rates)
    if RATE not in (rows, columns) or not plain or not all(isinstance(rule, SGD) for rule in rules):
        raise InputError(
            "The stability limit is a learning rate of gradient descent with momentum: it is drawn over "
            "numbers of learning_rate on one of the axes, of a sweep whose optimizer is gn.SGD."
        )
    found = []
    for value in ascending(result, other):
        rule = next(
            r
            for r, c in zip(rules, result.cells, strict=True)
            if key_of(c, [other]) == (identity_here(value),)
        )
        assert isinstance(rule, SGD)
        found.append(curvature.stability_limit(rule.momentum, rule.nesterov))
    return np.array(found)


def _places(rates: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where limits lie among the rates, whose cells are one apart, on a logarithmic scale."""
    logs, wanted = np.log(rates), np.log(limits)
    index = np.arange(len(rates), dtype=np.float64)
    if len(rates) == 1:
        return np.clip(wanted - logs[0], -1.0, 1.0)
    found = np.interp(wanted, logs, index)
    below, above = wanted < logs[0], wanted > logs[-1]
    found[below] = (wanted[below] - logs[0]) / (logs[1] - logs[0])
    found[above] = len(rates) - 1 + (wanted[above] - logs[-1]) / (logs[-1] - logs[-2])
    return found
