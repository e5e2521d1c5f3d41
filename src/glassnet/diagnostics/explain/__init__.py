"""Explains the numbers of a network: each with its formula, its numbers, and the check that it is right."""

from glassnet.diagnostics.explain.asking import explain
from glassnet.diagnostics.explain.explanation import Check, Explanation, Step

__all__ = ["Check", "Explanation", "Step", "explain"]
