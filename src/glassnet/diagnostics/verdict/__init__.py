"""The verdict on a network: its held-out scores, with intervals, beside those of simpler models."""

from glassnet.diagnostics.verdict.columns import (
    Column,
    Dependence,
    Importance,
    dependences,
    importances,
    of_inputs,
    spread_over,
)
from glassnet.diagnostics.verdict.contenders import Answer, Question
from glassnet.diagnostics.verdict.insight import Insight, look_into
from glassnet.diagnostics.verdict.judging import judge
from glassnet.diagnostics.verdict.measures import MEASURES, Estimate
from glassnet.diagnostics.verdict.mistakes import Mistake, worst_mistakes
from glassnet.diagnostics.verdict.record import CONSTANT, NETWORK, Entry, Verdict

__all__ = [
    "CONSTANT",
    "MEASURES",
    "NETWORK",
    "Answer",
    "Column",
    "Dependence",
    "Entry",
    "Estimate",
    "Importance",
    "Insight",
    "Mistake",
    "Question",
    "Verdict",
    "dependences",
    "importances",
    "judge",
    "look_into",
    "of_inputs",
    "spread_over",
    "worst_mistakes",
]
