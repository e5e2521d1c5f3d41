"""What a diagnosis holds: findings with evidence, remedies, and the trials that tried them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glassnet.utils.html import BAD, GOOD, Html, cell_output, cell_table, join, number, tag
from glassnet.utils.json_documents import plain, spell
from glassnet.utils.words import counted, readable


@dataclass(frozen=True)
class Remedy:
    """What to change.

    Attributes
    ----------
    words : the change as a request.
    code : the same as Python, with `run`, `network`, `X` and `y` as the user has them; "" where no setting
        does it.
    changes : keywords of `train` by name, as plain values: an optimizer as its `to_dict`, a stopping rule
        as its settings; and a network as ``{"sizes": [...]}``, with ``"hidden": [...]`` where they change.
    anew : whether training starts anew with it, or goes on from the run's parameters.
    """

    words: str
    code: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    anew: bool = True


@dataclass(frozen=True)
class Trial:
    """A remedy on a short branch, beside the same branch without it.

    Attributes
    ----------
    measure : what `without` and `with_remedy` are, such as "loss" or "balanced accuracy".
    without, with_remedy : the values at the end of both branches; NaN of one that blew up.
    iterations, iterations_without : how long the two are; a solver's do more than an optimizer's.
    anew, anew_without : whether each starts anew, or goes on from the run's parameters.
    helps : whether the remedy makes a difference.
    unit : what `iterations` are, "iteration" or "epoch".
    seconds : what both took.
    """

    measure: str
    without: float
    with_remedy: float
    iterations: int
    iterations_without: int
    anew: bool
    anew_without: bool
    helps: bool
    unit: str
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """The two values in words."""
        verdict = "It helps" if self.helps else "It does not help here"
        with_it, without = (
            f"{readable(value, 4)}" if math.isfinite(value) else "not finite"
            for value in (self.with_remedy, self.without)
        )
        first, second = (
            f"{counted(n, self.unit)} from {'a new start' if anew else 'here'}"
            for n, anew in (
                (self.iterations, self.anew),
                (self.iterations_without, self.anew_without),
            )
        )
        beside = "without it" if first == second else f"without it, {second},"
        return f"{verdict}: after {first} the {self.measure} is {with_it}, and {beside} {without}."


@dataclass(frozen=True)
class Finding:
    """One reason why a run does not learn.

    Attributes
    ----------
    name, title : which one, a name of `CHECKS` such as "raw_inputs", and the same in a few words.
    weight : from 0 to 1, how much it explains; findings are in its order.
    sentence : the finding in plain words.
    evidence : the numbers that show it, by name.
    remedy : what to change: of several that were tried the first that helps.
    trial : what came of trying, or None.
    """

    name: str
    title: str
    weight: float
    sentence: str
    evidence: Mapping[str, Any]
    remedy: Remedy
    trial: Trial | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them; a number that is not finite is text."""
        trial = None
        if self.trial is not None:
            trial = {**vars(self.trial), "sentence": self.trial.sentence}
        document = {
            "name": self.name,
            "title": self.title,
            "weight": self.weight,
            "sentence": self.sentence,
            "evidence": self.evidence,
            "remedy": dict(vars(self.remedy)),
            "trial": trial,
        }
        answer: dict[str, Any] = plain(document, self.name, spell)
        return answer

    @property
    def lines(self) -> list[str]:
        """The sentence, its evidence, the remedy and what came of it."""
        lines = [self.sentence]
        if self.evidence:
            lines.append(f"Evidence: {evidence_text(self.evidence)}.")
        code = f": {self.remedy.code}" if self.remedy.code else ""
        lines.append(f"Remedy: {self.remedy.words}{code}")
        if self.trial is not None:
            lines.append(f"Tried: {self.trial.sentence}")
        return lines


def evidence_text(evidence: Mapping[str, Any]) -> str:
    """Numbers by name as one line."""
    return "; ".join(f"{name}: {shown}" for name, shown in evidence_pairs(evidence))


def evidence_pairs(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and numbers for reading; long lists are cut."""
    parts = []
    for name, value in evidence.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        shown = ", ".join(_short(one) for one in values[:5])
        more = f", ... ({len(values):,} in all)" if len(values) > 5 else ""
        parts.append((name.replace("_", " "), f"{shown}{more}"))
    return parts


def _short(value: object) -> str:
    if isinstance(value, float):
        return readable(value, 4)
    return number(value)


@dataclass(frozen=True)
class Diagnosis:
    """Why a run does not learn: the result of `diagnose`.

    Attributes
    ----------
    findings : each a `Finding`, the weightiest first; empty where nothing was found.
    headline : one sentence on where the run stands.
    looked_for : the names of all findings that were looked for.
    not_looked_for : why some could not be, by name.
    n_rows, n_looked : the rows trained on, and how many of them were looked at.
    loss, constant : the loss of the rows that were looked at, without penalties and in the unit of
        ``run.losses``, and that of the best constant answer.
    ran_out : whether the time was over before every remedy was tried.
    learned : whether the loss is far from the constant answer's.
    under_way : whether training had few iterations, or was on its way down when it ended.
    seconds : what the diagnosis took.

    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> net = gn.Network((2, 4, 2), hidden="tanh")
    >>> run = gn.train(net, X, y, iterations=500, random_state=0)
    >>> found = gn.diagnose(run, X, y)
    >>> found.findings, found.answer.startswith("Nothing found")
    ((), True)
    """

    findings: tuple[Finding, ...]
    headline: str
    looked_for: tuple[str, ...]
    not_looked_for: Mapping[str, str]
    n_rows: int
    n_looked: int
    loss: float
    constant: float
    ran_out: bool
    learned: bool
    under_way: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them; a number that is not finite is text."""
        document = {
            **vars(self),
            "findings": [],
            "looked_for": list(self.looked_for),
            "answer": self.answer,
        }
        answer: dict[str, Any] = plain(document, "diagnosis", spell)
        return {**answer, "findings": [finding.to_dict() for finding in self.findings]}

    @property
    def answer(self) -> str:
        """What was found, in one sentence."""
        if self.findings:
            return f"{counted(len(self.findings), 'finding')}, the weightiest first:"
        nothing = (
            f"Nothing found: none of {len(self.looked_for)} reasons why a network does not learn shows."
        )
        if self.learned:
            return nothing
        if self.under_way:
            return f"{nothing} Training had not come far when it ended: train for more iterations."
        return (
            f"{nothing} The loss is still near a constant answer's: perhaps the features say little of the "
            f"target, or it takes more iterations."
        )

    @property
    def summary(self) -> str:
        """The weightiest finding, its remedy and what came of it, and how many there are besides."""
        if not self.findings:
            return self.answer
        first, others = self.findings[0], len(self.findings) - 1
        tried = f" {first.trial.sentence}" if first.trial is not None else ""
        more = f" {counted(others, 'finding')} more." if others else ""
        words = f"{first.remedy.words[0].upper()}{first.remedy.words[1:]}."
        return f"{first.name}: {first.sentence} {words}{tried}{more}"

    @property
    def lines(self) -> list[str]:
        """The diagnosis in words, line by line."""
        lines = [self.headline, self.answer]
        for place, finding in enumerate(self.findings, 1):
            first, *others = finding.lines
            lines += [f"{place}. {finding.name}: {first}", *(f"   {line}" for line in others)]
        return [*lines, *self._others]

    @property
    def _others(self) -> list[str]:
        """The reasons that were not looked for, by why."""
        names: dict[str, list[str]] = {}
        for name, why in self.not_looked_for.items():
            names.setdefault(why, []).append(name)
        others = [f"Not looked for: {', '.join(those)} ({why})." for why, those in names.items()]
        if self.ran_out:
            others.append("Not all remedies were tried: the time was over. Give more `seconds`.")
        return others

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        head = ["", "finding", "evidence", "remedy", "tried"]
        rows = [
            [str(place), _words(finding), _evidence(finding), *_remedy(finding)]
            for place, finding in enumerate(self.findings, 1)
        ]
        table = cell_table(head, rows, range(5), sentences=True) if rows else Html()
        answer = self.answer if rows else tag("span", self.answer, style=f"color:{GOOD};font-weight:bold")
        return cell_output(self.headline, [answer, *self._others], table)


def _words(finding: Finding) -> Html:
    title = join([tag("b", finding.title), " (", tag("code", finding.name), ")"])
    return join([tag("div", title), tag("div", finding.sentence)])


def _evidence(finding: Finding) -> Html:
    return join(tag("div", f"{name}: {shown}") for name, shown in evidence_pairs(finding.evidence))


def _remedy(finding: Finding) -> tuple[Html, Html]:
    code = tag("code", finding.remedy.code) if finding.remedy.code else Html()
    remedy = join([tag("div", finding.remedy.words), code])
    trial = finding.trial
    if trial is None:
        return remedy, Html("no")
    return remedy, tag("div", trial.sentence, style=f"color:{GOOD if trial.helps else BAD}")
