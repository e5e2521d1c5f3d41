"""What may be wrong with the way down: the learning rate, a saddle, and the order of the batches."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from glassnet.diagnostics.curvature import Curvature
from glassnet.diagnostics.diagnosis.case import LEARNED, LEAST, Case, NotLookedForError
from glassnet.diagnostics.diagnosis.record import Remedy
from glassnet.diagnostics.diagnosis.remedies import SEED, Suspect
from glassnet.optim.penalties import frozen_mask
from glassnet.optim.schedules import SCHEDULES
from glassnet.training.divergence import in_python
from glassnet.training.steppers import Solver
from glassnet.utils.words import percent, readable

FAR = 50.0
"""A rate so many times below the stability limit is far below it."""

SHORT = 0.5
"""With an adaptive rule, each parameter moves by about a rate an update at most: rate times updates below
this is a short way."""

STEP = 1e-3
"""What one step at the best rate would gain at least, as a share of a constant answer's loss."""

FLAT, DOWNWARD, GAIN = 0.01, 1e-3, 0.1
"""A plateau: the loss of the last third of the iterations changes by less than the first share of a
constant answer's. A saddle curves downward by more than the second share of its largest curvature, and a
short way beyond it gains at least the third."""

MOST_UPDATES, SECONDS = 20_000, 1.0
"""How far the run is followed out of a saddle, over some of its rows."""

UP, ROUGH, ALL = 0.2, 0.1, 0.5
"""A loss on batches is restless where it rises in the first share of the later epochs, by the second of a
constant answer's; one on the full batch, which need not rise, where its later rises sum to the third."""


def rate_too_large(case: Case) -> Suspect | None:
    """Steps so long that the loss rises: training blew up, or bounces."""
    run = case.run
    if not case.has_rate or not (run.status == "diverged" or case.left > LEARNED):
        return None
    if run.status != "diverged" and not _is_restless(case):
        return None
    start, here = _limit_at_a_start(case), _limit_here(case)
    limit = min((value for value in (start, here) if math.isfinite(value)), default=math.nan)
    times = case.rate / limit if limit > 0 else math.nan
    evidence: dict[str, Any] = {"rate": case.rate, "loss": case.loss}
    if len(run.losses):
        evidence["loss_at_first"] = float(run.losses[0])
    words = "steps of this rate throw the parameters to where the loss is higher"
    if run.status == "diverged":
        evidence["diverged_at"] = run.diverged_at
        words = f"the loss blew up at iteration {run.diverged_at:,}"
    if case.on_batches:
        evidence["batch_size"] = run.batch_size
    rates = [case.rate / 10, case.rate / 100, case.rate / 1000]
    beyond = ""
    if math.isfinite(times) and _is_gradient_descent(case):
        evidence |= {"stability_limit": limit, "times_the_limit": times}
        if times > 1:
            beyond = f", {readable(times, 3)} times the largest stable one, {readable(limit, 3)}"
            rates = [limit / 2, limit / 20, limit / 200]
    elif run.status != "diverged" and _is_gradient_descent(case):
        return None
    return Suspect(
        0.65 if case.is_raw else 0.9 if run.status == "diverged" else 0.7,
        f"The learning rate {readable(case.rate, 3)} is too large{beyond}: {words}.",
        evidence,
        [_with_rate(case, rate, "use a smaller learning rate", anew=True) for rate in rates],
        proof="" if run.status == "diverged" else "refutes",
    )


def rate_too_small(case: Case) -> Suspect | None:
    """Steps so short that the loss hardly moves, where longer ones would be stable."""
    run = case.run
    far_away = case.has_rate and run.status != "diverged" and case.left > LEARNED
    if not far_away or not case.landscape.is_finite or run.updates < 1:
        return None
    if case.falls_fast or _is_restless(case):
        return None
    rate = case.rate
    if _is_gradient_descent(case):
        limit, high = _limit_here(case), case.landscape.lambda_max
        if not math.isfinite(limit) or limit < FAR * rate or not high > 0:
            return None
        gradient = case.landscape.gradient
        if run.freeze:
            gradient = np.where(frozen_mask(case.network.sizes, run.freeze), 0.0, gradient)
        gain = float(gradient @ gradient) / (2 * high)
        if gain < STEP * case.height:
            return None
        return Suspect(
            0.6,
            f"The learning rate {readable(rate, 3)} is {readable(limit / rate, 3)} times smaller than the "
            f"largest stable one, {readable(limit, 3)}: the loss falls, but far too slowly.",
            {"rate": rate, "stability_limit": limit, "times_below": limit / rate, "loss": case.loss},
            [_with_rate(case, limit / part, "use a larger learning rate", anew=False) for part in (4, 20)],
            proof="refutes",
        )
    way = rate * run.updates
    if way > SHORT or (way > SHORT / 10 and not case.pace > 0):
        return None
    return Suspect(
        0.6,
        f"The learning rate {readable(rate, 3)} is so small that {run.updates:,} updates can move a "
        f"parameter by about {readable(way, 2)} at most.",
        {"rate": rate, "updates": run.updates, "furthest_move": way, "loss": case.loss},
        [
            _with_rate(case, value, "use a larger learning rate", anew=False)
            for value in (0.01, 0.001)
            if value > 2 * rate
        ]
        or [Remedy("train for more iterations")],
        proof="refutes",
    )


def saddle(case: Case) -> Suspect | None:
    """A plateau where the loss curves downward along a direction that steps have not found yet."""
    run, losses = case.run, case.run.losses
    if run.status == "diverged" or case.left <= LEARNED or not case.landscape.is_finite:
        return None
    tail = losses[-max(len(losses) // 3, LEAST) :]
    solved = isinstance(run.optimizer, Solver)
    if not solved and (len(losses) < LEAST or np.ptp(tail) > FLAT * case.height):
        return None
    out, high = case.landscape.way_out, case.landscape.lambda_max
    if run.freeze:
        raise NotLookedForError("layers are frozen, and the way out may lead through them")
    if out is None:
        raise NotLookedForError("no direction of the smallest curvature is found for so many parameters")
    if not out[0] < -DOWNWARD * abs(high):
        return None
    low, direction = out
    if float(np.square(case.landscape.gradient).sum()) > 2 * abs(high) * FLAT * case.height:
        return None  # the gradient leads down by itself
    step, there = case.landscape.beyond(direction)
    gain = case.landscape.loss - there
    if gain < GAIN * case.height:
        return None
    evidence = {
        "lambda_min": low,
        "lambda_max": high,
        "gradient_norm": float(np.linalg.norm(case.landscape.gradient)),
        "loss": case.landscape.loss,
        "loss_beyond": there,
        "step_along_it": step,
    }
    if _is_gradient_descent(case):
        here = Curvature(0.0, 0.0, high, low, (), ())
        evidence["e_folding_iterations"] = here.escape_iterations(case.last_rate, case.momentum[0])
    long = ""
    if not isinstance(run.optimizer, Solver) and not case.on_batches:
        level = case.landscape.loss - gain / 2
        made, left_it = case.landscape.iterations_to(
            level, run.optimizer, case.last_rate, MOST_UPDATES, SECONDS
        )
        evidence["iterations_to_leave" if left_it else "iterations_without_leaving"] = made
        many = f"about {readable(made, 2)} iterations more" if left_it else f"more than {made:,} iterations"
        long = f" At this rate it takes {many} to leave it."
    if case.theta.flat.size <= 20:
        evidence["direction"] = direction.tolist()
    return Suspect(
        0.65,
        f"The plateau is a saddle, no minimum: along one direction the loss curves downward, and not far "
        f"beyond it is {readable(there, 4)} in place of {readable(case.landscape.loss, 4)}.{long}",
        evidence,
        _ways_out(case),
        proof="refutes",
    )


def _ways_out(case: Case) -> list[Remedy]:
    """Rules that see the curvature, and one whose steps do not shrink with the gradient."""
    run = case.run
    ways: list[tuple[str, dict[str, Any]]] = []
    solvable = not (run.penalties.l1 or run.penalties.max_norm or any(run.dropout) or run.freeze)
    if solvable and not case.on_batches and run.average is None:
        if case.network.loss.factor is not None and case.theta.flat.size <= 500:
            ways.append(("gn.LevenbergMarquardt()", {"name": "levenberg_marquardt"}))
        ways.append(("gn.LBFGS()", {"name": "lbfgs"}))
    ways.append(("gn.Adam(0.03)", {"name": "adam", "learning_rate": 0.03}))
    words = "go on with a rule that leaves saddles quickly"
    return [Remedy(words, case.resume(200, code), {"optimizer": rule}, anew=False) for code, rule in ways]


def batch_order(case: Case) -> Suspect | None:
    """Batches of neighbors that are alike, in an order that is never shuffled."""
    run = case.run
    unshuffled = run.cursor is not None and run.cursor.random is None
    if not unshuffled or run.batch_size is None or case.left <= LEARNED:
        return None
    rows = case.training
    n, size = len(rows.X), run.batch_size
    # Rows that are some of all stand for more neighbors each.
    here = max(2, round(size * n / rows.n_all))
    if n < 4 * here:
        return None
    starts = range(0, n - here + 1, here)
    spread = float(rows.Y.std(axis=0).max())
    if not spread > 0:
        return None
    within = float(np.mean([rows.Y[at : at + here].std(axis=0).max() for at in starts])) / spread
    if within > 0.5:
        return None
    evidence = {"batch_size": size, "batches": len(starts), "spread_within_batches": within}
    labels, words = case.labels, "their targets are nearly the same"
    if labels is not None:
        single = np.mean([len(np.unique(labels[at : at + here])) == 1 for at in starts])
        evidence["batches_of_one_class"] = float(single)
        words = f"{percent(float(single))} of them hold one class only"
    return Suspect(
        0.75,
        f"Batches come in the order of the rows, which are sorted: {words}. Each undoes what the last ones "
        f"taught.",
        evidence,
        [Remedy("shuffle the rows of each epoch", "gn.train(..., shuffle=True)", {"shuffle": True})],
    )


# ---- Rates --------------------------------------------------------------------------------------------


def _is_gradient_descent(case: Case) -> bool:
    return not isinstance(case.run.optimizer, Solver) and case.run.optimizer.name == "sgd"


def _limit_here(case: Case) -> float:
    return case.landscape.stability_limit(*case.momentum)


def _limit_at_a_start(case: Case) -> float:
    """The stability limit where training begins: after a blow-up all is flat."""
    start = case.network.initialize(SEED)
    return case.landscape_at(start).stability_limit(*case.momentum)


def _is_restless(case: Case) -> bool:
    """Whether the loss rises again and again, or ended above its start."""
    losses, height = case.run.losses, case.height
    losses = losses[np.isfinite(losses)]
    if len(losses) < LEAST:
        return False
    if losses[-1] > losses[0] + ROUGH * height:
        return True
    late = losses[len(losses) // 2 :]
    rises = np.diff(late)
    rough = rises[rises > ROUGH * height]
    if case.on_batches or any(case.run.dropout):  # which are restless by themselves
        return bool(len(rough) > UP * len(rises) and late.mean() > losses.min() + height)
    return bool(rises[rises > 0].sum() > ALL * height)


def _with_rate(case: Case, rate: float, words: str, anew: bool) -> Remedy:
    rule = case.run.optimizer
    assert not isinstance(rule, Solver)
    rounded = float(f"{rate:.1g}")
    scheduled = anew and SCHEDULES.get(rule.schedule.name) is type(rule.learning_rate)
    changed = replace(
        rule, learning_rate=rule.schedule.slower(rounded / case.rate) if scheduled else rounded
    )
    code = f"gn.train(..., optimizer={in_python(changed.brief())})"
    if not anew:
        code = case.resume(max(case.run.iterations, 1), in_python(changed.brief()))
    return Remedy(words, code, {"optimizer": changed.to_dict()}, anew)
