"""The optimizers' rules for one parameter, with their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from glassnet.diagnostics.explain.explanation import Step
from glassnet.diagnostics.explain.words import num
from glassnet.optim import Optimizer

State = Mapping[str, float]


@dataclass(frozen=True)
class _Entry:
    """One parameter before its update t: its name and number, its gradient, state, rate; `after` it."""

    rule: Any
    """An optimizer; each rule below knows which."""
    symbol: str
    theta: float
    g: float
    state: State
    t: int
    rate: float
    is_weight: bool
    after: float

    def moved(self, formula: str, numbers: str) -> Step:
        """The last line: the new parameter."""
        text = f"{num(self.theta)} {numbers}"
        return Step(self.symbol, f"{self.symbol} {formula}", text, self.after, "<-")


Rule = Callable[[_Entry], list[Step]]


def rule_steps(
    rule: Optimizer,
    symbol: str,
    theta: float,
    g: float,
    state: State,
    t: int,
    rate: float,
    is_weight: bool,
    after: float,
) -> list[Step]:
    """The lines of a rule for one parameter, from its gradient g to its new number `after`."""
    return RULES[rule.name](_Entry(rule, symbol, theta, g, state, t, rate, is_weight, after))


def _sgd(e: _Entry) -> list[Step]:
    m, V = e.rule.momentum, e.state["velocity"]
    text = f"{num(m)} * {num(V)} - {num(e.rate)} * {num(e.g)}"
    new = m * V - e.rate * e.g
    steps = [Step("V", "momentum V - learning_rate g", text, new, "<-")]
    if e.rule.nesterov:
        return [
            *steps,
            e.moved(
                "+ momentum V - learning_rate g", f"+ {num(m)} * {num(new)} - {num(e.rate)} * {num(e.g)}"
            ),
        ]
    return [*steps, e.moved("+ V", f"+ {num(new)}")]


def _mean(name: str, decay: float, letter: str, before: float, value: float, what: str) -> Step:
    """A running mean: decay m + (1 - decay) value."""
    text = f"{num(decay)} * {num(before)} + (1 - {num(decay)}) * {num(value)}"
    new = decay * before + (1 - decay) * value
    return Step(name, f"{letter} {name} + (1 - {letter}) {what}", text, new, "<-")


def _square(e: _Entry, decay: float, letter: str, key: str) -> Step:
    """v, the running mean of g^2."""
    before = e.state[key]
    text = f"{num(decay)} * {num(before)} + (1 - {num(decay)}) * {num(e.g)}^2"
    new = decay * before + (1 - decay) * e.g * e.g
    return Step("v", f"{letter} v + (1 - {letter}) g^2", text, new, "<-")


def _rmsprop(e: _Entry) -> list[Step]:
    v = _square(e, e.rule.rho, "rho", "square")
    steps, spread, formula, text = [v], v.value, "v", f"{v.value:.6g}"
    if e.rule.centered:
        m = _mean("m", e.rule.rho, "rho", e.state["mean"], e.g, "g")
        spread = max(v.value - m.value * m.value, 0.0)
        steps.append(m)
        formula, text = "max(v - m^2, 0)", f"max({v.value:.6g} - {num(m.value)}^2, 0)"
    root = math.sqrt(spread) + e.rule.epsilon
    steps.append(Step("r", f"sqrt({formula}) + epsilon", f"sqrt({text}) + {num(e.rule.epsilon)}", root))
    B = e.rule.momentum * e.state["buffer"] + e.g / root
    text = f"{num(e.rule.momentum)} * {num(e.state['buffer'])} + {num(e.g)} / {num(root)}"
    steps.append(Step("B", "momentum B + g / r", text, B, "<-"))
    return [*steps, e.moved("- rate B", f"- {num(e.rate)} * {num(B)}")]


def _adagrad(e: _Entry) -> list[Step]:
    before = e.state["squares"]
    v = before + e.g * e.g
    step = Step("v", "v + g^2", f"{num(before)} + {num(e.g)}^2", v, "<-")
    text = f"- {num(e.rate)} * {num(e.g)} / (sqrt({v:.6g}) + {num(e.rule.epsilon)})"
    return [step, e.moved("- rate g / (sqrt(v) + epsilon)", text)]


def _adadelta(e: _Entry) -> list[Step]:
    v, u, small = _square(e, e.rule.rho, "rho", "square"), e.state["steps"], e.rule.epsilon
    d = math.sqrt(u + small) / math.sqrt(v.value + small) * e.g
    text = f"sqrt({u:.6g} + {num(small)}) / sqrt({v.value:.6g} + {num(small)}) * {num(e.g)}"
    step = Step("d", "sqrt(u + epsilon) / sqrt(v + epsilon) g", text, d)
    text = f"{num(e.rule.rho)} * {num(u)} + (1 - {num(e.rule.rho)}) * {num(d)}^2"
    after = e.rule.rho * u + (1 - e.rule.rho) * d * d
    kept = Step("u", "rho u + (1 - rho) d^2, for the next update", text, after, "<-")
    return [v, step, kept, e.moved("- rate d", f"- {num(e.rate)} * {num(d)}")]


def _moments(e: _Entry) -> tuple[Step, Step]:
    m = _mean("m", e.rule.beta1, "beta1", e.state["mean"], e.g, "g")
    return m, _square(e, e.rule.beta2, "beta2", "square")


def _hats(e: _Entry, m: Step, v: Step) -> list[Step]:
    """m and v, corrected for their start at 0."""
    b1, b2 = e.rule.beta1, e.rule.beta2
    return [
        Step(
            "m_hat", "m / (1 - beta1^t)", f"{num(m.value)} / (1 - {num(b1)}^{e.t})", m.value / (1 - b1**e.t)
        ),
        Step(
            "v_hat", "v / (1 - beta2^t)", f"{num(v.value)} / (1 - {num(b2)}^{e.t})", v.value / (1 - b2**e.t)
        ),
    ]


def _adam_move(e: _Entry, hats: list[Step], decayed: str = "") -> Step:
    m_hat, v_hat = hats
    text = f"- {num(e.rate)} * {num(m_hat.value)} / (sqrt({v_hat.value:.6g}) + {num(e.rule.epsilon)})"
    step = e.moved("- rate m_hat / (sqrt(v_hat) + epsilon)", text)
    return step if not decayed else step._replace(numbers=f"{decayed} {text}")


def _adam(e: _Entry) -> list[Step]:
    m, v = _moments(e)
    if e.rule.epsilon_hat:
        b1, b2 = num(e.rule.beta1), num(e.rule.beta2)
        formula = "- rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)"
        text = (
            f"- {num(e.rate)} * sqrt(1 - {b2}^{e.t}) / (1 - {b1}^{e.t}) * {num(m.value)} / "
            f"(sqrt({v.value:.6g}) + {num(e.rule.epsilon)})"
        )
        return [m, v, e.moved(formula, text)]
    hats = _hats(e, m, v)
    return [m, v, *hats, _adam_move(e, hats)]


def _amsgrad(e: _Entry) -> list[Step]:
    m, v = _moments(e)
    largest = max(e.state["largest"], v.value)
    step = Step("max v", "max(max v, v)", f"max({e.state['largest']:.6g}, {v.value:.6g})", largest, "<-")
    hats = _hats(e, m, step)
    hats[1] = hats[1]._replace(formula="max v / (1 - beta2^t)")
    return [m, v, step, *hats, _adam_move(e, hats)]


def _decayed(e: _Entry) -> tuple[list[Step], str]:
    """The weight after its decay, and its number; a bias stays."""
    decay = e.rule.weight_decay
    if not (e.is_weight and decay):
        return [], num(e.theta)
    value = (1 - e.rate * decay) * e.theta
    text = f"(1 - {num(e.rate)} * {num(decay)}) * {num(e.theta)}"
    return [Step("decayed", f"(1 - rate weight_decay) {e.symbol}", text, value)], num(value)


def _adamw(e: _Entry) -> list[Step]:
    m, v = _moments(e)
    hats, (decayed, number) = _hats(e, m, v), _decayed(e)
    move = _adam_move(e, hats, number)
    if decayed:
        move = move._replace(formula="decayed - rate m_hat / (sqrt(v_hat) + epsilon)")
    return [m, v, *hats, *decayed, move]


def _nadam(e: _Entry) -> list[Step]:
    m, v = _moments(e)

    def mu(t: int) -> float:
        return float(e.rule.beta1 * (1 - 0.5 * 0.96 ** (t * e.rule.momentum_decay)))

    product = math.prod(mu(i) for i in range(1, min(e.t, 1000) + 1))
    now, ahead = mu(e.t), mu(e.t + 1)
    r = math.sqrt(v.value / (1 - e.rule.beta2**e.t)) + e.rule.epsilon
    text = f"sqrt({v.value:.6g} / (1 - {num(e.rule.beta2)}^{e.t})) + {num(e.rule.epsilon)}"
    steps = [m, v, Step("r", "sqrt(v / (1 - beta2^t)) + epsilon", text, r)]
    b, d = num(e.rule.beta1), num(e.rule.momentum_decay)
    for name, t, value in (("mu_t", e.t, now), ("mu_(t+1)", e.t + 1, ahead)):
        formula = f"beta1 (1 - 0.96^({'t' if t == e.t else '(t + 1)'} momentum_decay) / 2)"
        steps.append(Step(name, formula, f"{b} * (1 - 0.96^({t} * {d}) / 2)", value))
    steps.append(Step("P_t", "mu_1 ... mu_t", "", product))
    formula = "- rate [(1 - mu_t) / (1 - P_t) g + mu_(t+1) / (1 - P_t mu_(t+1)) m] / r"
    text = (
        f"- {num(e.rate)} * ((1 - {num(now)}) / (1 - {num(product)}) * {num(e.g)} + "
        f"{num(ahead)} / (1 - {num(product)} * {num(ahead)}) * {num(m.value)}) / {num(r)}"
    )
    return [*steps, e.moved(formula, text)]


def _lion(e: _Entry) -> list[Step]:
    m, b1, b2 = e.state["mean"], e.rule.beta1, e.rule.beta2
    text = f"{num(b1)} * {num(m)} + (1 - {num(b1)}) * {num(e.g)}"
    c = Step("c", "beta1 m + (1 - beta1) g", text, b1 * m + (1 - b1) * e.g)
    kept = _mean("m", b2, "beta2", m, e.g, "g")
    decayed, number = _decayed(e)
    move = e.moved("- rate sign(c)", "")._replace(numbers=f"{number} - {num(e.rate)} * sign({c.value:.6g})")
    if decayed:
        move = move._replace(formula="decayed - rate sign(c)")
    return [c, kept._replace(formula=f"{kept.formula}, for the next update"), *decayed, move]


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
