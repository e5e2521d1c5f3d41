"""Rows held out that differ from the training rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet._types import Array
from glassnet.data.checks import excerpt_rows
from glassnet.data.reduce import Block
from glassnet.diagnostics.diagnosis.case import FEW_ROWS, Case, Rows
from glassnet.diagnostics.diagnosis.record import Remedy, Trial
from glassnet.diagnostics.diagnosis.remedies import OTHERS_LOSS, Bench, Suspect
from glassnet.utils.words import counted, percent, readable

APART, CHANCE = 0.25, 1e-6
"""Two columns differ where their shares of values below some number are apart by the first, which chance
explains in fewer than the second of all draws, whatever the number of columns."""


def shifted_rows(case: Case) -> Suspect | None:
    """Columns, or targets, whose values are distributed otherwise on the rows held out."""
    if case.held_out is None:
        return None
    train, held = (
        rows.take(excerpt_rows(len(rows.X), rows.X.shape[1], FEW_ROWS))
        for rows in (case.training, case.held_out)
    )
    columns = [case.column(place) for place in range(train.X.shape[1])]
    distances = [distance(train.X[:, k], held.X[:, k]) for k in range(train.X.shape[1])]
    moved = [k for k, d in enumerate(distances) if d > limit(len(train.X), len(held.X), len(distances))]
    moved.sort(key=lambda k: -distances[k])
    of_targets = max(distance(train.Y[:, k], held.Y[:, k]) for k in range(train.Y.shape[1]))
    targets = of_targets > limit(len(train.X), len(held.X), train.Y.shape[1])
    if not moved and not targets:
        return None
    evidence: dict[str, Any] = {
        "rows": train.n_all,
        "rows_held_out": held.n_all,
        "targets_apart": of_targets,
    }
    words = []
    if moved:
        first = moved[0]
        low, high = float(train.X[:, first].mean()), float(held.X[:, first].mean())
        more = f", and {counted(len(moved) - 1, 'column')} more" if len(moved) > 1 else ""
        words.append(
            f"{columns[first]} has mean {readable(low, 4)} in the training rows and {readable(high, 4)} in "
            f"those held out{more}"
        )
        evidence |= {
            "columns": [case.name(k) for k in moved],
            "apart": [distances[k] for k in moved],
            "mean": low,
            "mean_held_out": high,
        }
    if targets:
        words.append(_targets_in_words(case, train, held))
    remedy = Remedy(
        "hold rows out at random, or train on rows like those to come; for rows in time see gn.WalkForward",
        "gn.train(..., validation=0.2)",
    )
    return Suspect(
        0.6,
        f"The rows held out differ from the training rows: {'; '.join(words)}. The network never saw "
        f"their like, and scores on them say nothing of rows like the training rows.",
        evidence,
        [remedy],
        OTHERS_LOSS,
        trial=_mixed,
    )


def _targets_in_words(case: Case, train: Rows, held: Rows) -> str:
    place = int(np.argmax([distance(train.Y[:, k], held.Y[:, k]) for k in range(train.Y.shape[1])]))
    before, after = float(train.Y[:, place].mean()), float(held.Y[:, place].mean())
    if case.labels is not None:
        label = case.label(place if train.Y.shape[1] > 1 else 1)
        return (
            f"class {label} has {percent(before)} of the training rows and {percent(after)} of the others"
        )
    return f"the target's mean is {readable(before, 4)} there and {readable(after, 4)} here"


def distance(first: Array, second: Array) -> float:
    """The largest difference of the shares of values at or below a number: Kolmogorov and Smirnov's."""
    values = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(part), values, side="right") / len(part) for part in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def limit(n: int, m: int, tests: int) -> float:
    """The distance above which two columns of n and m values differ, with so many columns looked at."""
    by_chance = math.sqrt(-math.log(CHANCE / tests / 2) / 2 * (n + m) / (n * m))
    return max(APART, by_chance)


def _mixed(bench: Bench, remedy: Remedy) -> Trial | None:
    """Half of the rows held out judge a branch that learns from the other half, and one that does not."""
    held = bench.case.held_out
    assert held is not None
    order = RandomState(0).permutation(len(held.X))
    half = len(order) // 2
    if half < 5:
        return None
    judges, learned = held.take(order[:half]), held.take(order[half:])
    own = bench.all
    both = Rows(
        *Block.concatenated([Block(own.X, own.y, own.w), Block(learned.X, learned.y, learned.w)])[:2],
        np.concatenate([own.Y, learned.Y]),
        np.concatenate([own.w, learned.w]),
        own.n_all + len(learned.X),
    )
    mixed = both.take(RandomState(0).permutation(len(both.X)))
    planned = bench.iterations({})
    with_it = bench.branch({}, True, planned, mixed)
    made = planned if with_it is None else max(with_it.iterations, 1)
    control = bench.branch({}, True, made, own)
    without, value = (bench.measured(run, OTHERS_LOSS, judges) for run in (control, with_it))
    helps = bench.helps(without, value, OTHERS_LOSS, anew=False)
    return Trial(OTHERS_LOSS, without, value, made, made, True, True, helps, bench.unit({}))
