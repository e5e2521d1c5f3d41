"""Every reason why a network does not learn that is looked for, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from glassnet.diagnostics.diagnosis import capacity, descent, samples, shift, units
from glassnet.diagnostics.diagnosis.case import Case
from glassnet.diagnostics.diagnosis.remedies import Suspect


@dataclass(frozen=True)
class Check:
    """A reason in a few words, and the function that looks for it; `held_out` where it needs such rows."""

    words: str
    look: Callable[[Case], Suspect | None]
    held_out: bool = False


CHECKS: Mapping[str, Check] = {
    "raw_inputs": Check("inputs of raw scale", samples.raw_inputs),
    "raw_target": Check("a target of raw scale", samples.raw_target),
    "constant_columns": Check("columns that never vary", samples.constant_columns),
    "duplicate_columns": Check("columns that say the same", samples.duplicate_columns),
    "equal_rows": Check("equal rows with different targets", samples.equal_rows),
    "one_class": Check("one class nearly always", samples.one_class),
    "rate_too_large": Check("a learning rate above the stability limit", descent.rate_too_large),
    "rate_too_small": Check("a learning rate far below it", descent.rate_too_small),
    "saddle": Check("a plateau that is a saddle", descent.saddle),
    "saturated_units": Check("saturated units", units.saturated_units),
    "dead_units": Check("dead units", units.dead_units),
    "equal_units": Check("units that never part", units.equal_units),
    "narrow_layer": Check("a hidden layer too narrow", capacity.narrow_layer),
    "strong_penalty": Check("a penalty too strong", capacity.strong_penalty),
    "batch_order": Check("batches in a sorted order", descent.batch_order),
    "overfitting": Check("training rows learned by heart", capacity.overfitting, held_out=True),
    "shifted_rows": Check("rows held out that differ", shift.shifted_rows, held_out=True),
}
"""The checks by name; the tests iterate them, each with a run in which it is the truth."""
