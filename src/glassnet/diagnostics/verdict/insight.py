"""What a network's answers rest on, and where they fail, as one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from glassnet.diagnostics.verdict.columns import (
    Column,
    Dependence,
    Importance,
    dependences,
    importances,
)
from glassnet.diagnostics.verdict.contenders import Answer, Question
from glassnet.diagnostics.verdict.mistakes import Mistake, worst_mistakes
from glassnet.utils.words import readable, tidy

STRONGEST, _CURVES = 6, 24
"""Of how many columns there is a partial dependence for a target, and for all of them."""


@dataclass(frozen=True, eq=False)
class Insight:
    """The importance of each column on rows held out, curves along the strongest, and the worst mistakes.

    `target` and `classes`, None for a quantity, are those of the question.
    """

    target: str
    classes: tuple[str, ...] | None
    importances: tuple[Importance, ...]
    dependences: tuple[Dependence, ...]
    mistakes: tuple[Mistake, ...]

    @property
    def unit(self) -> str:
        """What rises where a column is shuffled."""
        if self.classes is not None:
            return "the log loss"
        return f"the root mean square error of {tidy(self.target)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return {
            "importances": {
                "unit": self.unit,
                "columns": [asdict(one) for one in self.importances],
            },
            "dependences": [
                {
                    "column": one.column.name,
                    "values": list(one.column.labels) or one.column.levels.tolist(),
                    "answers": one.answers.tolist(),
                }
                for one in self.dependences
            ],
            "mistakes": [asdict(one) for one in self.mistakes],
        }

    @property
    def sentence(self) -> str:
        """The strongest columns, or "" where there are none."""
        strong = [one for one in self.importances[:5] if one.rise > 2 * one.deviation and one.rise > 0]
        named = ", ".join(f"{tidy(one.name)} (+{readable(one.rise, 2)})" for one in strong)
        return named and f"{named}: by so much {self.unit} rises where the column is shuffled"


def look_into(
    question: Question, answer: Answer, columns: Sequence[Column], where: Callable[[int], str]
) -> Insight:
    """The insight into a network's answers for the rows held out.

    `where` says where row i of those lies.
    """
    classes, X, y = question.classes, question.X_test, question.y_test
    mistakes = tuple(worst_mistakes(y, answer(X), where, classes))
    if X.shape[1] == 1:  # the answer over the only input is a picture of its own
        return Insight(question.target, classes, (), (), mistakes)
    found = importances(answer, X, y, columns, targets=question.targets)
    most = max(1, min(STRONGEST, _CURVES // question.targets))
    by_name = {column.name: column for column in columns}
    strongest = [by_name[one.name] for one in found if len(by_name[one.name].levels)][:most]
    curves = dependences(answer, question.X, strongest)
    return Insight(question.target, classes, tuple(found), tuple(curves), mistakes)
