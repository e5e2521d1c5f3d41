"""The verdict: a network's held-out scores beside those of simpler models, as plain values and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from glassnet.diagnostics.verdict.measures import FEW, LEVEL, MEASURES, Estimate
from glassnet.utils.words import aligned, counted, percent, readable, tidy

NETWORK, CONSTANT, BALANCED = "network", "constant answer", "balanced accuracy"

RARE = 0.8
"""From this share of the rows in one class on, all classes count alike: to answer it always is accurate."""

_GAP, _RATIO = 0.05, 0.5


@dataclass(frozen=True)
class Entry:
    """One who answered: its name, model, the rows it learned from, a note, and its scores with intervals.

    `lead` holds the network's scores less this one's, with intervals; the network's own is empty.
    """

    name: str
    model: str
    n: int
    note: str
    scores: dict[str, Estimate]
    lead: dict[str, Estimate] = field(default_factory=dict)

    def score(self, name: str) -> Estimate:
        """A score, undefined where this one gave no answer."""
        return self.scores.get(name, Estimate(None))


@dataclass(frozen=True)
class Verdict:
    """How a network answers rows that it has not seen, beside baselines that learned from the same rows.

    Attributes
    ----------
    target : the name of what is predicted, in whose unit RMSE and MAE are.
    classes : the names of the classes; None for a quantity.
    n, n_test : the rows there are to train on and held out; `n_judged` of the latter were scored.
    main : the score that decides: RMSE of a quantity, accuracy of classes, or balanced accuracy where one
        class has four fifths of the rows.
    entries : the network and those it is compared with, the best constant answer first.
    training : the network's scores on the rows it was trained on.
    never : how many held-out rows there are of each class that the network never answers.
    only : the class that all held-out rows are of, or None.
    validated : whether a validation share watched over training.
    """

    target: str
    classes: tuple[str, ...] | None
    n: int
    n_test: int
    n_judged: int
    main: str
    entries: tuple[Entry, ...]
    training: dict[str, float | None]
    never: dict[str, int] = field(default_factory=dict)
    only: str | None = None
    validated: bool = False

    @property
    def network(self) -> Entry:
        """The network's own entry."""
        return self.entries[0]

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the scores, the one that decides first."""
        names = self.network.scores
        return (self.main, *(name for name in names if name != self.main))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        document = asdict(self)
        for entry in document["entries"]:
            for part in ("scores", "lead"):
                entry[part] = {name: Estimate(*values)._asdict() for name, values in entry[part].items()}
        return {**document, "level": LEVEL, "sentences": list(self.sentences)}

    # ---- In words -----------------------------------------------------------------------------------

    @property
    def table(self) -> list[list[str]]:
        """The head and a row for each who answered, as text."""
        head = [f"on {counted(self.n_judged, 'held-out row')}", *self.scores]
        rows = []
        for entry in self.entries:
            scores = [write_estimate(name, entry.score(name), name == self.main) for name in self.scores]
            rows.append([entry.name, *scores])
        return [head, *rows]

    def lines(self) -> list[str]:
        """The table in aligned columns, notes on who answered, and what follows in sentences."""
        return [*aligned(self.table), *self.notes, *self.sentences]

    @property
    def notes(self) -> list[str]:
        """What the table's rows stand for, where that needs a word."""
        notes = []
        if self.n_judged < self.n_test:
            notes.append(f"Scored on {self.n_judged:,} of {self.n_test:,} held-out rows, drawn at random.")
        named = [f"{entry.name}: {entry.note}" for entry in self.entries if entry.note]
        return [*notes, *([f"{'; '.join(named)}."] if named else [])]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Who wins, by how much, and whether chance explains it; classes never answered; overfitting."""
        return tuple(filter(None, (*self._compared(), self._one(), self._silent(), self._overfits())))

    def _compared(self) -> list[str]:
        if self.network.score(self.main).value is None:
            return [f"The network's {self.main} on these rows is undefined: nothing can be compared."]
        others = [entry for entry in self.entries[1:] if entry.score(self.main).value is not None]
        if not others:
            return []
        sign = 1.0 if MEASURES[self.main].more else -1.0
        best = max(others, key=lambda entry: sign * (entry.score(self.main).value or 0.0))
        found = [self._against(best)]
        constant = next((entry for entry in others if entry.name == CONSTANT), None)
        if constant is not None and constant is not best and self._sure(constant) <= 0:
            lead = sign * (constant.lead[self.main].value or 0.0)
            words = "better than the {}, but not beyond chance" if lead > 0 else "no better than the {}"
            found.append(f"It is {words.format(CONSTANT)}: {self._difference(constant)}.")
        if self.n_judged < FEW:
            found.append(f"{counted(self.n_judged, 'held-out row')} cannot tell them apart.")
        return found

    def _against(self, other: Entry) -> str:
        own, its = (write(self.main, entry.score(self.main).value) for entry in (self.network, other))
        sign, name = self._sure(other), f"the {other.name}"
        scores = f"{self.main} {own} against {its}"
        if own == its and sign == 0:
            return f"The network is no better and no worse than {name}: {scores}."
        difference = self._difference(other)
        if sign > 0:
            return f"The network wins over {name}, the best of the others: {scores}; {difference}."
        if sign < 0:
            return f"The network loses to {name}: {scores}; {difference}."
        lead = other.lead[self.main]
        word = "ahead of" if ((lead.value or 0.0) > 0) == MEASURES[self.main].more else "behind"
        chance = (
            "but not beyond chance" if lead.low is not None else "and too few rows tell whether by chance"
        )
        return f"The network is {word} {name}, {chance}: {scores}; {difference}."

    def _difference(self, other: Entry) -> str:
        lead = other.lead[self.main]
        value, low, high = (write_difference(self.main, number) for number in lead)
        interval = f" ({percent(LEVEL)} interval {low} to {high})" if lead.low is not None else ""
        return f"the difference is {value}{interval}"

    def _sure(self, other: Entry) -> int:
        """1 where the network is better than chance explains, -1 where it is worse, else 0."""
        lead = other.lead[self.main]
        if lead.low is None or lead.high is None:
            return 0
        side = int(lead.low > 0) - int(lead.high < 0)
        return side if MEASURES[self.main].more else -side

    def _one(self) -> str:
        if self.only is None:
            return ""
        return (
            f"All held-out rows are {tidy(self.only)!r}: they cannot show whether classes are told apart."
        )

    def _silent(self) -> str:
        if not self.never:
            return ""
        shown = list(self.never.items())[:3]
        named = ", ".join(f"{tidy(name)!r} ({counted(count, 'row')})" for name, count in shown)
        more = f" and {len(self.never) - len(shown)} more" if len(self.never) > len(shown) else ""
        area = self.network.score("ROC AUC").low
        ranks = ""
        if area is not None and area > 0.5:
            ranks = " Its probabilities do tell them apart in part (see ROC AUC)."
        rare = (
            " Weigh rare classes more (--set train.class_weight=balanced)." if self.main == BALANCED else ""
        )
        return f"The network never answers {named}{more}.{ranks}{rare}"

    def _overfits(self) -> str:
        name = "R²" if self.classes is None else self.main
        held, seen = self.network.score(name), self.training.get(name)
        if held.value is None or held.high is None or seen is None or seen - held.value < _GAP:
            return ""
        if seen <= held.high or (1 - seen) > _RATIO * (1 - held.value):
            return ""
        remedies = [
            "penalize the weights (--set train.l2=0.001)",
            "take fewer hidden units (--hidden)",
            "or give more rows",
        ]
        if not self.validated:
            remedies.insert(0, "let a validation share stop training (--validation 0.2)")
        return (
            f"The network fits the rows it was trained on far better than others ({name} "
            f"{write(name, seen)} against {write(name, held.value)}): it overfits. To mend that, "
            f"{', '.join(remedies)}."
        )


def write(name: str, value: float | None) -> str:
    """A score for reading, such as 96.5 %, 27,240 or 0.812."""
    if value is None:
        return "undefined"
    kind = MEASURES[name].kind
    if kind == "share":
        return percent(value)
    if kind == "unit":
        return readable(value, 4)
    return f"{value:.3f}".replace("-0.000", "0.000") if abs(value) < 1e6 else f"{value:.3g}"


def write_estimate(name: str, estimate: Estimate, whole: bool = True) -> str:
    """A score, and with `whole` its interval."""
    text = write(name, estimate.value)
    if not whole or estimate.low is None or estimate.high is None:
        return text if estimate.value is not None else "-"
    low, high = (write(name, end).removesuffix(" %") for end in (estimate.low, estimate.high))
    return f"{text} ({low} to {high})"


def write_difference(name: str, value: float | None) -> str:
    """A difference of two scores with its sign; of shares in points of a percentage."""
    if value is None:
        return "undefined"
    if MEASURES[name].kind == "share":
        text = f"{100 * value:+.1f}"
        return f"{'0.0' if float(text) == 0 else text} points"
    sign = "+" if value > 0 else ""
    return f"{sign}{readable(value, 3)}"
