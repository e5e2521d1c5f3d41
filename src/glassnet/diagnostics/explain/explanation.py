"""An explanation: formulas with their numbers, the result and its checks, as text, HTML and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from glassnet.diagnostics.central_differences import Judgement, Verdict
from glassnet.utils.html import BAD, GOOD, Html, cell_output, join, tag
from glassnet.utils.json_documents import omit, plain

_WORDS: dict[Verdict, str] = {
    "right": "right",
    "wrong": "WRONG",
    "kink": "a kink lies within the step, however small: there is no derivative to compare with",
    "unsettled": "the central difference does not settle, so that it judges nothing",
}


class Step(NamedTuple):
    """One line of arithmetic: symbol = formula = numbers = value; with "<-" the symbol gets a new value."""

    symbol: str
    """"Z1[7, 2]", say."""
    formula: str
    numbers: str
    """The formula with its numbers in it; "" where the value is given and not computed."""
    value: float
    sign: str = "="


class Check(NamedTuple):
    """A derivative, the central difference beside it, and the checker's verdict."""

    symbol: str
    """"dJ/dW1[0, 2]", say."""
    derivative: float
    numerical: float
    tolerance: float
    """The difference that is allowed."""
    epsilon: float
    """The step of the central difference."""
    verdict: Verdict

    @classmethod
    def of(cls, symbol: str, derivative: float, judgement: Judgement) -> Check:
        """The check of a derivative that has been judged."""
        return cls(symbol, derivative, *judgement)

    @property
    def words(self) -> str:
        """The verdict in words."""
        words = _WORDS[self.verdict]
        if self.verdict not in ("right", "wrong"):
            return words
        apart = abs(self.numerical - self.derivative)
        return f"{words}: the two differ by {apart:.2g}, and {self.tolerance:.2g} is allowed"


@dataclass(frozen=True, repr=False)
class Explanation:
    """A number of a network: the result of `explain`. ``str()`` is for reading, `to_dict` for a page.

    Attributes
    ----------
    what : the kind of number, as `explain` takes it; "pass" for the whole way of a sample.
    symbol : its name in the notation of `glassnet.nn.reference`, such as "H1[7, 2]".
    title : what it is, in words.
    value : the number; None where there is none, as for a solver's update.
    steps : the arithmetic that leads to it, each step with `symbol`, `formula`, `numbers`, `value` and the
        `sign` between symbol and formula, "=" or "<-" for a new value.
    checks : its derivatives, each with the central difference beside it: `symbol`, `derivative`,
        `numerical`, `tolerance`, `epsilon`, `verdict` ("right", "wrong", "kink" or "unsettled").
    notes : what else must be known, in words.
    parts : the explanations that a whole pass consists of, in the order in which they are computed.
    layers : of a whole pass, the arrays of each layer by their symbols.

    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, iterations=20, random_state=0)
    >>> loss = gn.explain(run, X, y, what="loss")
    >>> loss.symbol, abs(loss.value - run.losses[-1].item()) < 1e-12
    ('J', True)
    """

    what: str
    symbol: str
    title: str
    value: float | None
    steps: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Explanation, ...] = ()
    layers: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    @property
    def passed(self) -> bool:
        """True where no check is wrong, in the parts neither, and at least one is right."""
        verdicts = [check.verdict for check in self.all_checks()]
        return "wrong" not in verdicts and "right" in verdicts

    def all_checks(self) -> Iterator[Check]:
        """The checks, and those of the parts."""
        yield from self.checks
        for part in self.parts:
            yield from part.all_checks()

    def __repr__(self) -> str:
        value = "" if self.value is None else f" = {self.value!r}"
        verdicts = [check.verdict for check in self.all_checks()]
        counts = [f"{verdicts.count(v)} {v}" for v in _WORDS if v in verdicts]
        checked = f"; checked: {', '.join(counts)}" if counts else ""
        return f"Explanation of {self.symbol}{value}{checked}"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.title
        for step in self.steps:
            indent = " " * (len(step.symbol) + len(step.sign) + 1)
            yield f"  {step.symbol} {step.sign} {step.formula}"
            if step.numbers:
                yield f"{indent} = {step.numbers}"
            if step.formula != digits(step.value):
                yield f"{indent} = {digits(step.value)}"
        for check in self.checks:
            yield f"  check {check.symbol} = {digits(check.derivative)}"
            yield f"        central difference {digits(check.numerical)}, step {check.epsilon:g}"
            yield f"        {check.words}"
        for note in self.notes:
            yield f"  {note}"
        for part in self.parts:
            yield ""
            yield from part._lines()

    def _repr_html_(self) -> str:
        return cell_output(self.title, self.notes, self._steps_html(), *map(_part_html, self.parts))

    def _steps_html(self) -> Html:
        """The steps and the checks, in the notebook's type for code."""
        rows = []
        for step in self.steps:
            rows.append(_row(step.symbol, step.formula, step.sign))
            if step.numbers:
                rows.append(_row("", step.numbers))
            if step.formula != digits(step.value):
                rows.append(_row("", tag("b", digits(step.value))))
        for check in self.checks:
            color = GOOD if check.verdict == "right" else BAD if check.verdict == "wrong" else "inherit"
            rows.append(_row(f"check {check.symbol}", digits(check.derivative)))
            rows.append(_row("", f"central difference {digits(check.numerical)}", "≈"))
            rows.append(_row("", tag("span", check.words, style=f"color:{color};font-weight:bold"), ""))
        style = "border-collapse:collapse;margin:4px 0;font-family:monospace"
        whole = tag("table", tag("tbody", *rows), cellpadding=3, style=style)
        return tag("div", whole, style="overflow-x:auto")

    def to_dict(self) -> dict[str, Any]:
        """Everything as strings, numbers and lists for JSON; numbers that are not finite are None."""
        document = {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "steps": [step._asdict() for step in self.steps],
            "checks": [{**check._asdict(), "words": check.words} for check in self.checks],
            "parts": [part.to_dict() for part in self.parts],
            "passed": self.passed,
        }
        answer: dict[str, Any] = plain(document, self.symbol, omit)
        return answer


def digits(value: float) -> str:
    """A result in the fewest digits that give this very number."""
    return repr(float(value))


def _part_html(part: Explanation) -> Html:
    notes = join(tag("div", note, style="opacity:0.8") for note in part.notes)
    return tag("div", tag("b", part.title), part._steps_html(), notes, style="margin-top:8px")


def _row(symbol: object, content: object, sign: str = "=") -> Html:
    left = tag("td", symbol, style="text-align:right;white-space:nowrap;vertical-align:top")
    return tag(
        "tr",
        left,
        tag("td", sign, style="vertical-align:top"),
        tag("td", content, style="text-align:left"),
    )
