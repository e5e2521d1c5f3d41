"""The optimizers' rules for one parameter, line by line, and the same with their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from glassnet._types import Array
from glassnet.diagnostics.explain.explanation import Step
from glassnet.diagnostics.explain.words import with_numbers
from glassnet.optim import Optimizer

Values = Mapping[str, float]
"""The rule's settings, t, rate, g and theta, the letters of its state, and the lines before, by name."""


class Line(NamedTuple):
    """One line of a rule: theta or a letter of its state gets a new number, or `value` computes one."""

    symbol: str
    formula: str
    value: Callable[[Values], float] | None = None


Rule = Callable[[Any, bool], list[Line]]
"""An optimizer's lines, for a weight or for a bias."""

LETTERS = {
    "velocity": "V",
    "mean": "m",
    "square": "v",
    "squares": "v",
    "largest": "max v",
    "buffer": "B",
    "steps": "u",
}
"""The rows of a state as the formulas write them."""


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
    letters = [LETTERS[name] for name in rule.state_names]
    old, new = (
        {"theta": float(theta), **dict(zip(letters, map(float, state), strict=True))}
        for theta, state in (before, after)
    )
    numeric = {name: value for name, value in rule.settings().items() if isinstance(value, (int, float))}
    values: dict[str, float] = {**numeric, "learning_rate": rate, "rate": rate, "t": t, "g": g, **old}
    steps = []
    for name, formula, value in RULES[rule.name](rule, is_weight):
        text, sign = with_numbers(formula.partition(", for")[0], {**values, "t": str(t)}), "="
        if value is None:
            values[name], sign = new[name], "<-"
        else:
            values[name] = value(values)
        text = "" if "..." in formula else text
        shown = symbol if name == "theta" else name
        steps.append(Step(shown, formula.replace("theta", symbol), text, values[name], sign))
    return steps


def _sgd(rule: Any, is_weight: bool) -> list[Line]:
    step = "momentum V - learning_rate g"
    return [Line("V", step), Line("theta", f"theta + {step if rule.nesterov else 'V'}")]


_MEAN_SQUARE = Line("v", "rho v + (1 - rho) g^2")


def _rmsprop(rule: Any, is_weight: bool) -> list[Line]:
    end = [Line("B", "momentum B + g / r"), Line("theta", "theta - rate B")]
    if not rule.centered:
        root = Line("r", "sqrt(v) + epsilon", lambda x: math.sqrt(x["v"]) + x["epsilon"])
        return [_MEAN_SQUARE, root, *end]
    root = Line(
        "r",
        "sqrt(max(v - m^2, 0)) + epsilon",
        lambda x: math.sqrt(max(x["v"] - x["m"] * x["m"], 0.0)) + x["epsilon"],
    )
    return [_MEAN_SQUARE, Line("m", "rho m + (1 - rho) g"), root, *end]


def _adagrad(rule: Any, is_weight: bool) -> list[Line]:
    return [Line("v", "v + g^2"), Line("theta", "theta - rate g / (sqrt(v) + epsilon)")]


def _adadelta(rule: Any, is_weight: bool) -> list[Line]:
    def d(x: Values) -> float:
        return math.sqrt(x["u"] + x["epsilon"]) / math.sqrt(x["v"] + x["epsilon"]) * x["g"]

    return [
        _MEAN_SQUARE,
        Line("d", "sqrt(u + epsilon) / sqrt(v + epsilon) g", d),
        Line("u", "rho u + (1 - rho) d^2, for the next update"),
        Line("theta", "theta - rate d"),
    ]


_MOMENTS = [Line("m", "beta1 m + (1 - beta1) g"), Line("v", "beta2 v + (1 - beta2) g^2")]

_M_HAT = Line("m_hat", "m / (1 - beta1^t)", lambda x: x["m"] / (1 - x["beta1"] ** x["t"]))
_V_HAT = Line("v_hat", "v / (1 - beta2^t)", lambda x: x["v"] / (1 - x["beta2"] ** x["t"]))

_STEP = "rate m_hat / (sqrt(v_hat) + epsilon)"


def _adam(rule: Any, is_weight: bool) -> list[Line]:
    if rule.epsilon_hat:
        step = "rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)"
        return [*_MOMENTS, Line("theta", f"theta - {step}")]
    return [*_MOMENTS, _M_HAT, _V_HAT, Line("theta", f"theta - {_STEP}")]


def _amsgrad(rule: Any, is_weight: bool) -> list[Line]:
    v_hat = Line("v_hat", "max v / (1 - beta2^t)", lambda x: x["max v"] / (1 - x["beta2"] ** x["t"]))
    return [*_MOMENTS, Line("max v", "max(max v, v)"), _M_HAT, v_hat, Line("theta", f"theta - {_STEP}")]


def _decay(rule: Any, is_weight: bool) -> tuple[list[Line], str]:
    """The decay of a weight, and what the update begins with; a bias stays."""
    if not (is_weight and rule.weight_decay):
        return [], "theta"
    formula = "(1 - rate weight_decay) theta"
    line = Line("decayed", formula, lambda x: (1 - x["rate"] * x["weight_decay"]) * x["theta"])
    return [line], "decayed"


def _adamw(rule: Any, is_weight: bool) -> list[Line]:
    decay, start = _decay(rule, is_weight)
    return [*_MOMENTS, _M_HAT, _V_HAT, *decay, Line("theta", f"{start} - {_STEP}")]


def _nadam(rule: Any, is_weight: bool) -> list[Line]:
    def mu(x: Values, t: float) -> float:
        return float(x["beta1"] * (1 - 0.5 * 0.96 ** (t * x["momentum_decay"])))

    def r(x: Values) -> float:
        return math.sqrt(x["v"] / (1 - x["beta2"] ** x["t"])) + x["epsilon"]

    def product(x: Values) -> float:
        return math.prod(mu(x, i) for i in range(1, min(int(x["t"]), 1000) + 1))

    return [
        *_MOMENTS,
        Line("r", "sqrt(v / (1 - beta2^t)) + epsilon", r),
        Line("mu_t", "beta1 (1 - 0.96^(t momentum_decay) / 2)", lambda x: mu(x, x["t"])),
        Line("mu_(t+1)", "beta1 (1 - 0.96^((t + 1) momentum_decay) / 2)", lambda x: mu(x, x["t"] + 1)),
        Line("P_t", "mu_1 ... mu_t", product),
        Line("theta", "theta - rate ((1 - mu_t) / (1 - P_t) g + mu_(t+1) / (1 - P_t mu_(t+1)) m) / r"),
    ]


def _lion(rule: Any, is_weight: bool) -> list[Line]:
    decay, start = _decay(rule, is_weight)
    return [
        Line("c", "beta1 m + (1 - beta1) g", lambda x: x["beta1"] * x["m"] + (1 - x["beta1"]) * x["g"]),
        Line("m", "beta2 m + (1 - beta2) g, for the next update"),
        *decay,
        Line("theta", f"{start} - rate sign(c)"),
    ]


RULES: dict[str, Rule] = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "adam": _adam,
    "amsgrad": _amsgrad,
    "adamw": _adamw,
    "nadam": _nadam,
    "lion": _lion,
}
"""Each optimizer's lines."""
