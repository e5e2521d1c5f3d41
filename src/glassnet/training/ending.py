"""When training ends no better than a constant answer: the one place that notices, and says why.

`remark` looks at a training that has ended by itself, of any rule on any rows, and gives a sentence where
its result is useless: `train`, `resume`, the estimators and the command line give it as a
`StalledTrainingWarning`, and ``run.reason`` keeps it. Nearly all trainings are cleared by the last loss and
the targets alone; the others are looked at on some rows, which an `Excerpt` holds. Decision 23 has the
figures behind the thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows, with_class_weights
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.errors import StalledTrainingWarning
from glassnet.nn import reference
from glassnet.nn.activations import Activation
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.training.baselines import least_constant_loss, scale_of_rows
from glassnet.training.state import RunState
from glassnet.training.steppers import BayesianRegularization, Solver, StopReason
from glassnet.utils.warn import warn

CLEAR, USELESS, ABOVE, ROSE = 0.9, 0.95, 1.05, 0.5
"""Shares of the best constant answer's loss: a last loss below the first needs no look; from the second on
nothing was learned, if there is evidence of it; from the third on whatever the evidence. And a loss that is
above its lowest by the fourth has risen again."""

FEW, SOME, MANY = 20, 100, 1000
"""Not judged are fewer updates than `FEW`, than `SOME` where more might help, and than `MANY` in fewer than
10 epochs."""

LOWEST, FALLING, FURTHER = 0.02, 1e-6, 10
"""More might help where the loss is above its lowest by less than the first, and falls by more than the
second, as shares of a constant's; on raw columns, where so many times the iterations would be enough."""

MANY_TIMES = 10.0
"""A loss of so many times a constant's, on raw columns, needs no further iterations to be judged."""

SATURATED, DEAD, FLAT = 0.05, 1e-3, 0.9
"""A unit is saturated at a sample where its slope is below this share of the function's largest, and dead
where it is below the second at every sample. A layer passes on next to nothing from the third share of
saturated (sample, unit) pairs on."""

SMALL, SAME = 0.01, 1e-3
"""Answers are the same up to this spread, or where their loss on all rows is so close to a constant's.
Weights of the first size pass on nothing."""

STANDARD = 3.0, 10.0, 0.01
"""Raw is a column with a mean further from 0 than 3 and than 3 standard deviations, or a standard deviation
above 10 or below 0.01."""


@dataclass(frozen=True)
class Ended:
    """A training that has ended by itself.

    `flat` are the parameters it came to, whose loss is the last of `losses`, unless it `went_back` to
    earlier ones. `reason` is a solver's, and None of a rule with a learning rate; `chooses_l2` says that
    the solver chooses the penalty itself.
    """

    problem: Problem | Batches
    penalties: Penalties
    flat: Array
    losses: NDArray[np.float64]
    updates: int
    went_back: bool = False
    reason: StopReason | None = None
    chooses_l2: bool = False

    @property
    def has_rate(self) -> bool:
        return self.reason is None

    @property
    def solved(self) -> bool:
        """Whether the rule found nothing more to do; one whose time was over may not have been done."""
        return self.reason not in (None, StopReason.NONE, StopReason.TIME)


def remark(ended: Ended) -> str:
    """What is useless about the result, why, and what to do; "" where nothing is.

    A solver that has come to its goal is not judged, nor a loss of the user's own.
    """
    problem, losses, rows = ended.problem, ended.losses, ended.problem.summary.excerpt
    loss = problem.network.loss
    enough = ended.solved or ended.updates >= (FEW if len(losses) >= 10 else MANY)
    if not enough or ended.reason is StopReason.GOAL or not loss.is_ours:
        return ""
    if not len(losses) or not math.isfinite(losses[-1]):
        return ""
    w = with_class_weights(rows.w, problem.class_weight, rows.y)
    weight = 1.0 if w is None else float(w.mean())
    if not weight > 0:
        return ""
    # What a mean loss is multiplied by in the curve of losses.
    n = problem.batch_size if isinstance(problem, Batches) else problem.n_samples
    unit = (1.0 if problem.reduction == "mean" else n * weight) * problem.conventions.loss_scale
    bound = unit * least_constant_loss(loss, rows.y, w, problem.network.sizes[-1])
    last = float(losses[-1])
    if last <= CLEAR * bound and last - float(np.fmin.reduce(losses)) <= ROSE * bound:
        return ""
    short = not ended.solved and ended.updates < SOME
    if short and bound > 0 and _fall(losses, bound, 10 * FALLING):  # a look would take ten times as long
        raw = raw_columns(rows.inputs()) or (loss.target == "real" and raw_columns(rows.y))
        if not raw:
            return ""
    return _Look(ended, np.ones(len(rows.y)) if w is None else np.asarray(w, np.float64), unit).words()


def remark_on(run: RunState) -> str:
    """The remark on a run that has completed or stopped; "" where its rows are not known."""
    if run.data is None:
        return ""
    ended = Ended(
        run.data.problem,
        run.penalties,
        run.parameters.flat,
        run.losses,
        run.updates,
        went_back=run.validation is not None and run.validation.last_point is not None,
        reason=run.solver_reason if isinstance(run.optimizer, Solver) else None,
        chooses_l2=isinstance(run.optimizer, BayesianRegularization),
    )
    return remark(ended)


def warn_of(words: str) -> None:
    """Give a remark as a warning."""
    if words:
        warn(f"Training ended, but {words}", StalledTrainingWarning)


class _Look:
    """A look at some of the rows, with losses as means over them; `unit` makes them those of the curve.

    `height` is the best constant answer's loss above the perfect one's; `share` and `rose`, how much the
    loss rose from its lowest, are shares of it.
    """

    def __init__(self, ended: Ended, w: Array, unit: float) -> None:
        problem, rows, losses = ended.problem, ended.problem.summary.excerpt, ended.losses
        self.ended, self.X, self.names, self.unit = ended, rows.inputs(), rows.names, unit
        self.network = network = problem.network
        self.theta = Parameters(network.sizes, ended.flat.astype(np.float64))
        self.Y = target_rows(rows.y, network.sizes[-1], np.dtype(np.float64))
        self.constant, self.floor = scale_of_rows(network.loss, self.Y, w)
        self.height = self.constant - self.floor
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            Zs, _ = reference.forward_propagation(
                self.X, self.theta.weights, self.theta.biases, network.hidden
            )
            self.Z = Zs[-1]
            self.loss = reference.loss(self.Z, self.Y, network.loss, w) / float(w.sum())
            self.share = np.divide(self.loss - self.floor, self.height)
            self.rose = 0.0
            if ended.has_rate and not ended.went_back:  # solvers' losses rise with a penalty alone
                # With dropout the curve is that of a smaller network.
                last = self.loss * unit if any(problem.dropout) else float(losses[-1])
                self.rose = np.divide(last - float(np.nanmin(losses)), unit * self.height)

    def words(self) -> str:
        ended, share = self.ended, self.share
        if not self.height > 0 or not np.isfinite(self.loss) or (share <= USELESS and self.rose <= ROSE):
            return ""
        falls = self._still_falls()
        enough = ended.solved or ended.updates >= SOME
        if falls and not enough and not (self._raw[0] and self._is_far()):
            return ""
        held = self._held_down()
        if USELESS < share <= ABOVE and not (self._stiff or held or self._answers_the_same()):
            return ""  # it has learned a little, perhaps from noise
        causes, advice = self._evidence(held)
        if not causes and enough and not (falls and share <= ABOVE):
            causes, advice = self._without_evidence(falls)
        elif falls and not self._stiff:
            advice.append("train for more iterations")
        return f"{self._height()}: {'; '.join(causes)}. {_sentence(advice)}" if causes else ""

    def _height(self) -> str:
        # On batches the curve has the loss during the last epoch, which is what a user sees.
        on_batches = isinstance(self.ended.problem, Batches) and not self.ended.went_back
        shown = float(self.ended.losses[-1]) / self.unit if on_batches else self.loss
        loss, constant = (f"{value * self.unit:.4g}" for value in (shown, self.constant))
        if self.share > ABOVE:
            many = shown / self.constant if self.floor == 0 else 0.0
            height = "above" if many < 2 else f"{many:,.2g} times" if many < 100 else f"{many:,.0f} times"
            return f"its loss, {loss}, is {height} the best constant answer's, {constant}"
        if self.share > USELESS:
            return f"its loss, {loss}, is no better than the best constant answer's, {constant}"
        return f"its loss, {loss}, is far from its lowest (the best constant answer's is {constant})"

    def _still_falls(self) -> bool:
        """Whether the loss was falling when training ended: the iterations may have been too few."""
        return not self.ended.solved and _fall(self.ended.losses, self.height * self.unit, FALLING)

    def _is_far(self) -> bool:
        """Whether the loss is many times a constant's, or more iterations would not be enough.

        They would have the pace of the last tenth of the iterations.
        """
        losses, n = self.ended.losses, len(self.ended.losses)
        tail = losses[-max(n // 10, 1) - 1 :]
        pace = float(tail[0] - tail[-1]) / (len(tail) - 1)
        missing = (self.share - USELESS) * self.height * self.unit
        return bool(self.share > MANY_TIMES or missing > FURTHER * n * pace)

    # ---- Evidence ------------------------------------------------------------------------------------

    def _answers_the_same(self) -> bool:
        """Whether answers hardly vary or, of all rows, have the loss of a constant."""
        spread, n = float(self.Z.std(axis=0).max()), len(self.Y)
        if self.network.loss.target == "real":
            spread /= float(self.Y.std(axis=0).max()) or 1.0
        all_rows = n == self.ended.problem.n_samples
        return spread <= SMALL or (all_rows and abs(1 - self.share) < min(SAME, 0.5 / n))

    def _evidence(self, held: str) -> tuple[list[str], list[str]]:
        """What is wrong, and what to do about it."""
        stiff, has_rate = [*self._stiff.values()], self.ended.has_rate
        if held and self.ended.chooses_l2:
            remedies = ["unless y is noise, start from another random_state"]
            return [*stiff, held], [*remedies, "choose l2 yourself, for gn.LevenbergMarquardt()"]
        if held:
            return [*stiff, held], ["use a smaller penalty"]
        raw, [*advice] = self._raw
        curve = self._curve() if has_rate else []
        frozen = [layer for layer in self._stiff if layer in self._frozen]
        advice += [f"leave layer {layer} out of freeze" for layer in frozen]
        trained = len(frozen) < len(stiff)
        if has_rate and (curve or (trained and not raw)):
            advice.append("use a smaller learning rate")
        if trained and not raw:
            advice.append("start from another random_state")
        return [*stiff, *raw, *curve], advice

    @property
    def _frozen(self) -> tuple[int, ...]:
        return self.ended.problem.setup.freeze

    @cached_property
    def _stiff(self) -> dict[int, str]:
        """Layers whose units have no slope left."""
        shares, dead = slopes_lost(self.network, self.theta, [self.X])
        which = dict.fromkeys(self._frozen, ", which is frozen,")
        return {
            layer: f"{count} of {width} units of hidden layer {layer}{which.get(layer, '')} are dead"
            if 2 * count > width
            else f"{share:.0%} of hidden layer {layer}{which.get(layer, '')} is saturated"
            for layer, (share, count, width) in enumerate(
                zip(shares, dead, self.network.sizes[1:-1], strict=True), 1
            )
            if share >= FLAT
        }

    @cached_property
    def _raw(self) -> tuple[list[str], list[str]]:
        """Columns of X and of a y of quantities that are far from standardized, and what to do."""
        causes, advice = [], []
        if raw := raw_columns(self.X):
            first, mean, spread = raw[0]
            name = f"column {first} of X" if self.names is None else f"column {self.names[first]!r}"
            others = f", and {len(raw) - 1} more like it" if len(raw) > 1 else ""
            causes.append(f"{name} has mean {mean:.4g} and standard deviation {spread:.4g}{others}")
            advice.append("standardize X")
        if self.network.loss.target == "real" and (raw := raw_columns(self.Y)):
            _, mean, spread = raw[0]
            causes.append(f"y has mean {mean:.4g} and standard deviation {spread:.4g}")
            scaling = "standardize X and y" if advice else "standardize y"
            ways = "gn.train(standardize=True) and scikit-learn's TransformedTargetRegressor"
            advice = [f"{scaling} ({ways} do, and scale predictions back)"]
        return causes, advice

    def _curve(self) -> list[str]:
        losses = self.ended.losses
        lowest = int(np.nanargmin(losses))
        if self.rose > ROSE and lowest:
            at = lowest + isinstance(self.ended.problem, Batches)
            return [f"the loss fell to {losses[lowest]:.4g} at iteration {at} and rose again"]
        above = self.share > USELESS and losses[-1] > losses[0] and not self.ended.went_back
        return [f"the loss rose from {losses[0]:.4g}"] if self.rose > ROSE or above else []

    def _held_down(self) -> str:
        """Penalties that keep a layer's weights at 0."""
        penalties = self.ended.penalties
        trained = [W for layer, W in enumerate(self.theta.weights, 1) if layer not in self._frozen]
        largest = min(float(np.abs(W).max()) for W in trained)
        if largest > SMALL or not (penalties.l1 or penalties.l2):
            return ""
        named = " and ".join(f"{k}={v:.4g}" for k, v in (("l1", penalties.l1), ("l2", penalties.l2)) if v)
        chosen = "the evidence takes y for noise: " if self.ended.chooses_l2 else ""
        return f"{chosen}{named} holds all weights of a layer at {largest:.1g} and below"

    def _without_evidence(self, falls: bool) -> tuple[list[str], list[str]]:
        """What is left to say where there is nothing to see."""
        rate = ["use another learning rate"] if self.ended.has_rate else []
        if falls:
            return ["it was still falling, slowly"], ["train for more iterations", *rate]
        if self.share > ABOVE:
            return ["it falls no more"], [*rate, "start from another random_state"]
        varies = bool((self.X[0] != self.X).any())
        words = "the answers are much the same for all rows" + ("" if varies else ", as X is")
        return [words], ["start from another random_state", *rate, "take features that say more of y"]


def _fall(losses: NDArray[np.float64], height: float, least: float) -> bool:
    """Whether the last loss is about the lowest, and the last tenth below the one before."""
    tenth = max(len(losses) // 10, 1)
    if len(losses) <= 2 * tenth or not losses[-1] <= np.fmin.reduce(losses) + LOWEST * height:
        return False
    return bool(losses[-2 * tenth : -tenth].mean() - losses[-tenth:].mean() > least * height)


def raw_columns(values: Array) -> list[tuple[int, float, float]]:
    """Number, mean and standard deviation of columns that are far from standardized, the worst first."""
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.add.reduce(values, axis=0) / len(values)  # `mean` and `std` take three times as long
        spreads = np.sqrt(np.add.reduce((values - means) ** 2, axis=0) / len(values))
        ratio, largest, least = STANDARD
        away = np.abs(means)
        varies = spreads > 1e-12 * away
        raw = ((away > ratio * spreads) & (away > ratio)) | (varies & (spreads > largest))
        raw |= varies & (spreads < least)
        if not raw.any():
            return []
        size = np.where(raw, np.maximum(away, np.maximum(spreads, 1 / np.maximum(spreads, 1e-300))), 0)
    order = np.argsort(-size, kind="stable")[: int(raw.sum())]
    return [(int(k), float(means[k]), float(spreads[k])) for k in order]


def _sentence(advice: list[str]) -> str:
    words = ", or ".join([", ".join(advice[:-1]), advice[-1]]) if len(advice) > 1 else advice[0]
    return f"{words[0].upper()}{words[1:]}."


# ---- Units without a slope -----------------------------------------------------------------------------


def slopes_lost(
    network: Network, theta: Parameters, blocks: Iterable[NDArray[np.float64]]
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Each hidden layer's share of saturated (sample, unit) pairs, and its number of dead units."""
    largest = [_largest_slope(record) for record in network.hidden]
    flat = [np.zeros(width) for width in network.sizes[1:-1]]
    steepest = [np.zeros(width) for width in network.sizes[1:-1]]
    n = 0
    for inputs in blocks:
        n += len(inputs)
        with np.errstate(over="ignore", under="ignore"):
            Zs, Hs = reference.forward_propagation(inputs, theta.weights, theta.biases, network.hidden)
        for layer, record in enumerate(network.hidden):
            slope = np.abs(record.derivative(Zs[layer], Hs[layer + 1]))
            flat[layer] += (slope < SATURATED * largest[layer]).sum(axis=0)
            steepest[layer] = np.maximum(steepest[layer], slope.max(axis=0))
    shares = tuple(float(count.mean() / n) for count in flat)
    dead = tuple(int((top < DEAD * most).sum()) for top, most in zip(steepest, largest, strict=True))
    return shares, dead


def _largest_slope(record: Activation) -> float:
    z = np.linspace(-8.0, 8.0, 321)
    return float(np.abs(record.derivative(z, record.value(z))).max())
