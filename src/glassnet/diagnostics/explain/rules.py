"""The lines of an optimizer's update for one parameter, with their numbers."""

from __future__ import annotations

from glassnet._types import Array
from glassnet.diagnostics.explain.explanation import Step
from glassnet.diagnostics.explain.words import with_numbers
from glassnet.optim import Optimizer


def rule_steps(
    rule: Optimizer,
    symbol: str,
    g: float,
    t: int,
    rate: float,
    is_weight: bool,
    before: tuple[float, Array],
    after: tuple[float, Array],
) -> list[Step]:
    """The lines of update t for one parameter, from its number and state `before` to those `after` it."""
    old, new = (
        {"theta": float(theta), **dict(zip(rule.letters, map(float, state), strict=False))}
        for theta, state in (before, after)
    )
    numeric = {name: value for name, value in rule.settings().items() if isinstance(value, (int, float))}
    values: dict[str, float] = {**numeric, "learning_rate": rate, "rate": rate, "t": t, "g": g, **old}
    steps = []
    for name, formula, value in rule.lines(is_weight):
        text, sign = with_numbers(formula.partition(", for")[0], {**values, "t": str(t)}), "="
        if value is None:
            values[name], sign = new[name], "<-"
        else:
            values[name] = value(values)
        text = "" if "..." in formula else text
        shown = symbol if name == "theta" else name
        steps.append(Step(shown, formula.replace("theta", symbol), text, values[name], sign))
    return steps
