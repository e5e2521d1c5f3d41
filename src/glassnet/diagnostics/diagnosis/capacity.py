"""What may hold a network down, or let it go too far: its width, its penalty, and overfitting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from glassnet.diagnostics.diagnosis.case import LEARNED, Case, Rows
from glassnet.diagnostics.diagnosis.record import Remedy, Trial
from glassnet.diagnostics.diagnosis.remedies import LOSS, OTHERS_LOSS, SEED, UPDATES, Bench, Suspect
from glassnet.diagnostics.diagnosis.shift import shifted_rows
from glassnet.training.ending import SMALL
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import BayesianRegularization
from glassnet.utils.words import counted, readable

HELD = 0.3
"""The share of a constant answer's loss above which a penalty is looked at."""

NARROW, WIDE, TIMES, STARTS = 16, 8, 4, 3
"""A layer of up to so many units may be too narrow. It is tried at so many times its width, and at least
the second, from so many starts."""

AS_GOOD = 0.6
"""A run is about as good as its shape can be where the best of the starts has this share of its loss."""

LESS = (100, 10_000)
"""By how much a penalty is made smaller."""

GAP, RATIO, SURE, RISEN = 0.2, 2.0, 3.0, 1.25
"""Overfitting: what is left of the loss on rows held out is above that on the training rows by the first
share of a constant answer's, by the second factor, and by so many standard errors; or the loss on rows held
out is above its lowest by the last factor."""

MOST_AT_NORM = 0.5
"""The share of units at max_norm from which on it may hold the network down."""

LONG = 5 * UPDATES
"""The most updates of a branch that has to overfit."""


def narrow_layer(case: Case) -> Suspect | None:
    """A hidden layer of too few units, or none where one is needed."""
    network, sizes = case.network, case.network.sizes
    if not LEARNED < case.left < math.inf or not case.height > 0 or case.is_under_way:
        return None
    widths = sizes[1:-1]
    if widths and min(widths) > NARROW:
        return None
    records = [record.name for record in network.hidden]
    if widths:
        narrow = min(widths)
        wide = [max(WIDE, TIMES * width) if width <= NARROW else width for width in widths]
        layer = widths.index(narrow) + 1
        words = f"Hidden layer {layer} has only {counted(narrow, 'unit')}"
        changes: dict[str, Any] = {"sizes": [sizes[0], *wide, sizes[-1]]}
        evidence = {"layer": layer, "units": narrow}
        shown = f", hidden={records[0]!r}" if len(set(records)) == 1 else f", hidden={records}"
    else:
        words, evidence, wide = "There is no hidden layer", {"hidden_layers": 0}, [WIDE]
        changes = {"sizes": [sizes[0], WIDE, sizes[-1]], "hidden": ["tanh"]}
        shown = ', hidden="tanh"'
    size = f"({', '.join(map(str, changes['sizes']))})"
    code = f"gn.Network({size}{shown}, output={network.output.name!r})"
    return Suspect(
        0.55,
        f"{words}: from the best of {STARTS} starts a network of this shape cannot follow the target, and "
        f"a wider one can, on rows that it has not seen too.",
        {**evidence, "parameters": network.n_parameters, "loss": case.loss},
        [Remedy(f"take {' and '.join(map(str, wide))} hidden units", code, {"network": changes})],
        OTHERS_LOSS,
        proof="proves",
        trial=_wider,
    )


def _wider(bench: Bench, remedy: Remedy) -> Trial | None:
    """The best of some starts by L-BFGS, of either width: neither the rule nor a bad start decides."""
    rows, judges = bench.rows(OTHERS_LOSS)
    best: list[TrainingRun] = []
    for changes in ({}, remedy.changes):
        starts = [_solved(bench, {**changes, "random_state": SEED + k}, rows) for k in range(STARTS)]
        solved = [run for run in starts if run is not None]
        if not solved:
            return None
        best.append(min(solved, key=lambda run: bench.measured(run, OTHERS_LOSS, rows)))
    (without, before), (value, after) = (
        (bench.measured(run, OTHERS_LOSS, judges), bench.measured(run, OTHERS_LOSS, rows)) for run in best
    )
    # Where the same shape learns far better than the run did, the width is not what holds it back.
    same = before - bench.case.scale[1] > AS_GOOD * (bench.case.loss - bench.case.scale[1])
    helps = all(bench.helps(*pair, OTHERS_LOSS, True) for pair in ((without, value), (before, after)))
    counts = best[1].iterations, best[0].iterations
    return Trial(OTHERS_LOSS, without, value, *counts, True, True, helps and same, "iteration")


def _solved(bench: Bench, changes: dict[str, Any], rows: Rows) -> TrainingRun | None:
    # Where training goes on too long a wider network answers a few rows wrong, with much confidence.
    stop = {"validation": 0.2, "stopping": {"patience": 10}}
    settings = {**changes, **stop, "optimizer": {"name": "lbfgs"}}
    return bench.branch(settings, True, bench.iterations(settings), rows, share=1 / (2 * STARTS))


def strong_penalty(case: Case) -> Suspect | None:
    """A penalty that keeps the weights so small that the network cannot follow the target."""
    run, penalties = case.run, case.run.penalties
    chosen = isinstance(run.optimizer, BayesianRegularization)
    if not HELD < case.left < math.inf or not (penalties.l1 or penalties.l2 or penalties.max_norm):
        return None
    largest = [float(np.abs(W).max()) for W in case.theta.weights]
    held = min(largest) <= SMALL and bool(penalties.l1 or penalties.l2)
    at_norm = _at_norm(case)
    if chosen and not held:
        return None
    named = {k: v for k in ("l1", "l2", "max_norm") if (v := getattr(penalties, k))}
    if not (penalties.l1 or penalties.l2) and at_norm < MOST_AT_NORM:
        return None
    settings = " and ".join(f"{k}={readable(v, 3)}" for k, v in named.items())
    none: dict[str, Any] = {k: None if k == "max_norm" else 0.0 for k in named}
    added = {k: v for k, v in named.items() if k != "max_norm"}
    ways = [{**none, **{k: v / part for k, v in added.items()}} for part in LESS if added]
    ways.append(none)
    if chosen:
        ways = [{**none, "optimizer": {"name": "levenberg_marquardt"}}]
    return Suspect(
        0.75 if held else 0.6,
        f"The penalty {settings} is too strong: it holds the weights so small that the answers are nearly "
        f"the same for all rows.",
        {
            **named,
            "largest_weight_by_layer": largest,
            "units_at_max_norm": at_norm,
            "loss_without_penalty": case.loss,
        },
        [_smaller(way) for way in ways],
        LOSS if held else OTHERS_LOSS,  # a penalty may be good for other rows, but for 0 everywhere
        proof="" if held and not chosen else "proves",
    )


def _smaller(changes: dict[str, Any]) -> Remedy:
    shown = {k: v if v is None else float(f"{v:.3g}") for k, v in changes.items() if k != "optimizer"}
    code = ", ".join(f"{k}={v}" for k, v in shown.items())
    rule = ", optimizer=gn.LevenbergMarquardt()" if "optimizer" in changes else ""
    return Remedy("use a smaller penalty", f"gn.train(..., {code}{rule})", changes)


def _at_norm(case: Case) -> float:
    """The share of units whose weights are as long as max_norm lets them be."""
    most = case.run.penalties.max_norm
    if most is None:
        return 0.0
    lengths = np.concatenate([np.linalg.norm(W, axis=0) for W in case.theta.weights])
    return float((lengths > 0.999 * most).mean())


def overfitting(case: Case) -> Suspect | None:
    """The training rows learned by heart: rows held out are answered far worse."""
    run, rows = case.run, case.held_out
    if rows is None or not math.isfinite(case.left) or not case.height > 0 or shifted_rows(case):
        return None
    seen, others = case.row_losses(case.training), case.row_losses(rows)
    held_loss = case.unit * float(others @ rows.w / rows.w.sum())
    held_left = (held_loss - case.scale[1]) / case.height
    error = case.unit * math.hypot(_error(seen), _error(others))
    apart = held_loss - case.loss > SURE * error
    gap = held_left - case.left > GAP and held_left > RATIO * case.left and apart
    losses = run.validation_losses
    risen, evidence = False, {"loss": case.loss, "loss_held_out": held_loss}
    if len(losses) > 1 and np.isfinite(losses).any():
        lowest = float(np.nanmin(losses))
        above = (held_loss - lowest) / case.height
        risen = above > GAP / 2 and held_left > RISEN * max((lowest - case.scale[1]) / case.height, 0)
        evidence |= {
            "lowest_loss_held_out": lowest,
            "at_iteration": int(run.validation_iterations[int(np.nanargmin(losses))]),
        }
    if not (gap or risen):
        return None
    evidence |= {
        "parameters": case.network.n_parameters,
        "rows": case.training.n_all,
        "rows_held_out": rows.n_all,
    }
    scale = 1.0 if run.reduction == "mean" else case.unit
    penalties = [float(f"{l2 * scale:.2g}") for l2 in (1e-3, 1e-2, 1e-1)]
    code = "gn.train(..., validation=0.2, stopping=gn.EarlyStopping(patience=20))"
    stop = {"validation": 0.2, "stopping": {"patience": 20}}
    remedies = [
        *(
            Remedy("penalize the weights", f"gn.train(..., l2={l2:g})", {"l2": l2})
            for l2 in penalties
            if l2 > run.penalties.l2 and not isinstance(run.optimizer, BayesianRegularization)
        ),
        Remedy("stop where rows held out are answered best", code, stop),
    ]
    return Suspect(
        0.6,
        f"The network overfits: on rows held out its loss is {readable(held_loss, 4)}, on those it was "
        f"trained on {readable(case.loss, 4)}. It has "
        f"{counted(case.network.n_parameters, 'parameter')} for {counted(case.training.n_all, 'row')}.",
        evidence,
        remedies if _stops(case) else [remedies[-1], *remedies[:-1]],
        OTHERS_LOSS,
        updates=LONG,
    )


def _stops(case: Case) -> bool:
    """Whether a stopping rule watches over the run already."""
    return case.run.validation is not None and case.run.validation.stopping is not None


def _error(losses: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The standard error of a mean."""
    return float(losses.std() / math.sqrt(len(losses)))
