"""The verdict on a network: its held-out scores, with intervals, beside those of simpler models."""

from glassnet.diagnostics.verdict.contenders import Answer, Question
from glassnet.diagnostics.verdict.judging import judge
from glassnet.diagnostics.verdict.measures import MEASURES, Estimate
from glassnet.diagnostics.verdict.record import CONSTANT, NETWORK, Entry, Verdict

__all__ = ["CONSTANT", "MEASURES", "NETWORK", "Answer", "Entry", "Estimate", "Question", "Verdict", "judge"]
