"""Every reason why a network does not learn that is looked for, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from glassnet.diagnostics.diagnosis import capacity, descent, samples, shift, units
from glassnet.diagnostics.diagnosis.case import Case
from glassnet.diagnostics.diagnosis.remedies import Suspect


@dataclass(frozen=True)
class Check:
    """A reason by its name, what it is in a few words, and the function that looks for it.

    `held_out` says that it needs rows held out.
    """

    name: str
    words: str
    look: Callable[[Case], Suspect | None]
    held_out: bool = False


CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check("raw_inputs", "inputs of raw scale", samples.raw_inputs),
        Check("raw_target", "a target of raw scale", samples.raw_target),
        Check("constant_columns", "columns that never vary", samples.constant_columns),
        Check("duplicate_columns", "columns that say the same", samples.duplicate_columns),
        Check("equal_rows", "equal rows with different targets", samples.equal_rows),
        Check("one_class", "one class nearly always", samples.one_class),
        Check("rate_too_large", "a learning rate above the stability limit", descent.rate_too_large),
        Check("rate_too_small", "a learning rate far below it", descent.rate_too_small),
        Check("saddle", "a plateau that is a saddle", descent.saddle),
        Check("saturated_units", "saturated units", units.saturated_units),
        Check("dead_units", "dead units", units.dead_units),
        Check("equal_units", "units that never part", units.equal_units),
        Check("narrow_layer", "a hidden layer too narrow", capacity.narrow_layer),
        Check("strong_penalty", "a penalty too strong", capacity.strong_penalty),
        Check("batch_order", "batches in a sorted order", descent.batch_order),
        Check("overfitting", "training rows learned by heart", capacity.overfitting, held_out=True),
        Check("shifted_rows", "rows held out that differ", shift.shifted_rows, held_out=True),
    )
}
"""The checks by name; the tests iterate them, each with a run in which it is the truth."""
