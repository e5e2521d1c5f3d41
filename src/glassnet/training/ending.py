"""When training ends no better than a constant answer: the one place that notices, and says why.

`remark` looks at a training that has ended by itself, of any rule on any rows, and gives a sentence where
its result is useless: `train`, `resume`, the estimators and the command line give it as a
`StalledTrainingWarning`, and ``run.reason`` keeps it. Nearly all trainings are cleared by the last loss and
the targets alone; the others are looked at on some rows, which a `Dataset.excerpt` holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
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

SATURATED = 0.05
"""A unit is saturated at a sample where its slope is below this share of the function's largest slope."""

DEAD = 1e-3
"""A unit is dead where its slope is below this share at every sample."""

FLAT = 0.9
"""A layer passes on next to nothing from this share of saturated (sample, unit) pairs on."""

USELESS = 0.95
"""Nothing was learned from this share of the best constant answer's loss on."""

ABOVE = 1.05
"""From this share on the loss is above that of a constant, which needs no other evidence."""

ROSE = 0.5
"""A loss has risen again once it is above its lowest by this share of the best constant answer's."""

FEW, SOME, MANY = 20, 100, 1000
"""Not judged are fewer updates than `FEW`, than `SOME` where more might help, and than `MANY` in fewer than
10 epochs."""

STANDARD = 3.0, 10.0, 0.01
"""Far from standardized: a mean further from 0 than 3 and than 3 standard deviations, a standard
deviation above 10 or below 0.01."""

MANY_TIMES = 10.0
"""A loss of so many times a constant's, on columns far from standardized, needs no further iterations to be
judged."""

SMALL = 0.01
"""The spread of answers that are all the same, and the size of weights that pass on nothing."""


@dataclass(frozen=True)
class Ended:
    """A training that has ended by itself.

    `flat` are the parameters it came to, whose loss is the last of `losses`, unless it `went_back` to
    earlier ones. `solved` says that the rule found nothing more to do, `has_rate` that it has a learning
    rate, `chooses_l2` that it chooses the penalty itself.
    """

    problem: Problem | Batches
    penalties: Penalties
    flat: Array
    losses: NDArray[np.float64]
    updates: int
    solved: bool = False
    has_rate: bool = True
    went_back: bool = False
    chooses_l2: bool = False


def remark(ended: Ended) -> str:
    """What is useless about the result, why, and what to do; "" where nothing is."""
    problem, losses = ended.problem, ended.losses
    network = problem.network
    least = FEW if len(losses) >= 10 else MANY
    enough = ended.solved or ended.updates >= least
    if not enough or not network.loss.is_built_in or not len(losses) or not math.isfinite(losses[-1]):
        return ""
    rows = problem.excerpt
    w = rows.w
    if problem.class_weight is not None:
        of_classes = np.asarray(problem.class_weight)[rows.y]
        w = of_classes if w is None else w * of_classes
    weight = 1.0 if w is None else float(w.mean())
    if not weight > 0:
        return ""
    unit = _unit(problem, weight)
    bound = unit * least_constant_loss(network.loss, rows.y, w, network.sizes[-1])
    last = float(losses[-1])
    if last <= 0.9 * bound and last - float(np.nanmin(losses)) <= ROSE * bound:
        return ""
    w = np.ones(len(rows.y)) if w is None else np.asarray(w, np.float64)
    return _Look(ended, rows.inputs(), rows.y, w, unit, rows.names).words()


def _unit(problem: Problem | Batches, weight: float) -> float:
    """What a mean loss is multiplied by in the curve of losses; `weight` is the mean weight of a sample."""
    n = problem.batch_size if isinstance(problem, Batches) else problem.n_samples
    return (1.0 if problem.reduction == "mean" else n * weight) * problem.conventions.loss_scale


def remark_on(run: RunState) -> str:
    """The remark on a run that has completed or stopped; "" where its rows are not known.

    A solver that has come to its goal is not judged; one whose time was over may not have been done.
    """
    reason = run.solver_reason
    if run.data is None or reason is StopReason.GOAL:
        return ""
    is_solver = isinstance(run.optimizer, Solver)
    ended = Ended(
        run.data.problem,
        run.penalties,
        run.parameters.flat,
        run.losses,
        run.updates,
        solved=reason not in (StopReason.NONE, StopReason.TIME),
        has_rate=not is_solver,
        went_back=run.validation is not None and run.validation.last_point is not None,
        chooses_l2=isinstance(run.optimizer, BayesianRegularization),
    )
    return remark(ended)


def warn_of(words: str) -> None:
    """Give a remark as a warning."""
    if words:
        warn(f"Training ended, but {words}", StalledTrainingWarning)


class _Look:
    """A look at some of the rows, with losses as means over them; `unit` makes them those of the curve."""

    def __init__(
        self,
        ended: Ended,
        X: NDArray[np.float64],
        y: Array,
        w: Array,
        unit: float,
        names: Sequence[str] | None,
    ) -> None:
        self.ended, self.X, self.unit, self.names = ended, X, unit, names
        self.network = network = ended.problem.network
        self.theta = Parameters(network.sizes, ended.flat.astype(np.float64))
        self.Y = target_rows(y, network.sizes[-1], np.dtype(np.float64))
        self.scale = scale_of_rows(network.loss, self.Y, w)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            Zs, _ = reference.forward_propagation(X, self.theta.weights, self.theta.biases, network.hidden)
            self.Z = Zs[-1]
            self.loss = reference.loss(self.Z, self.Y, network.loss, w) / float(w.sum())

    def words(self) -> str:
        scale, losses = self.scale, self.ended.losses
        height = scale.baseline - scale.floor
        if not height > 0 or not np.isfinite(self.loss):
            return ""
        share = (self.loss - scale.floor) / height
        rose = 0.0
        if self.ended.has_rate and not self.ended.went_back:  # solvers' losses rise with a penalty alone
            dropped = any(self.ended.problem.dropout)  # then the curve is that of a smaller network
            last = self.loss * self.unit if dropped else float(losses[-1])
            rose = (last - float(np.nanmin(losses))) / (self.unit * height)
        if share <= USELESS and rose <= ROSE:
            return ""
        falls = self._still_falls(height)
        enough = self.ended.solved or self.ended.updates >= SOME
        if falls and not enough and not (self._scales()[0] and self._is_far(share, height)):
            return ""
        held = self._held_down()
        if USELESS < share <= ABOVE and not (self._stiff or held or self._answers_the_same(share)):
            return ""  # it has learned a little, perhaps from noise
        causes, advice = self._evidence(rose, share, held)
        if not causes and enough and not (falls and share <= ABOVE):
            causes, advice = self._without_evidence(share, falls)
        elif falls and not self._stiff:
            advice.append("train for more iterations")
        return f"{self._height(share)}: {'; '.join(causes)}. {_sentence(advice)}" if causes else ""

    def _height(self, share: float) -> str:
        # On batches the curve has the loss during the last epoch, which is what a user sees.
        on_batches = isinstance(self.ended.problem, Batches) and not self.ended.went_back
        shown = float(self.ended.losses[-1]) / self.unit if on_batches else self.loss
        loss, constant = (f"{value * self.unit:.4g}" for value in (shown, self.scale.baseline))
        if share > ABOVE:
            many = shown / self.scale.baseline if self.scale.floor == 0 else 0.0
            height = "above" if many < 2 else f"{many:,.2g} times" if many < 100 else f"{many:,.0f} times"
            return f"its loss, {loss}, is {height} the best constant answer's, {constant}"
        if share > USELESS:
            return f"its loss, {loss}, is no better than the best constant answer's, {constant}"
        return f"its loss, {loss}, is far from its lowest (the best constant answer's is {constant})"

    def _still_falls(self, height: float) -> bool:
        """Whether the loss is at its lowest, and was falling: the iterations may have been too few."""
        losses = self.ended.losses
        tenth = max(len(losses) // 10, 1)
        if self.ended.solved or len(losses) <= 2 * tenth:
            return False
        last, before = losses[-tenth:].mean(), losses[-2 * tenth : -tenth].mean()
        near = 0.02 * height * self.unit
        return bool(losses[-1] <= np.nanmin(losses) + near and before - last > 1e-6 * height * self.unit)

    def _is_far(self, share: float, height: float) -> bool:
        """Whether the loss is many times a constant's, or ten times the iterations would not be enough.

        They would have the pace of the last tenth of the iterations.
        """
        if share > MANY_TIMES:
            return True
        losses, n = self.ended.losses, len(self.ended.losses)
        tail = losses[-max(n // 10, 1) - 1 :]
        pace = float(tail[0] - tail[-1]) / (len(tail) - 1)
        return (share - USELESS) * height * self.unit > 10 * n * pace

    # ---- Evidence ------------------------------------------------------------------------------------

    def _answers_the_same(self, share: float) -> bool:
        """Whether answers hardly vary or, of all rows, are within a thousandth of a constant's loss."""
        spread, n = float(self.Z.std(axis=0).max()), len(self.Y)
        if self.network.loss.target == "real":
            spread /= float(self.Y.std(axis=0).max()) or 1.0
        all_rows = n == self.ended.problem.n_samples
        return spread <= SMALL or (all_rows and abs(1 - share) < min(1e-3, 0.5 / n))

    def _evidence(self, rose: float, share: float, held: str) -> tuple[list[str], list[str]]:
        """What is wrong, and what to do about it."""
        stiff = self._stiff
        if held:
            remedy = "start from another random_state" if self.ended.chooses_l2 else "use a smaller penalty"
            return [*stiff, held], [remedy]
        raw, advice = self._scales()
        curve = self._curve(rose, share) if self.ended.has_rate else ""
        if curve or (stiff and not raw and self.ended.has_rate):
            advice.append("use a smaller learning rate")
        if stiff and not raw:
            advice.append("start from another random_state")
        return [*stiff, *raw, *([curve] if curve else [])], advice

    @cached_property
    def _stiff(self) -> list[str]:
        """Layers whose units have no slope left."""
        shares, dead = slopes_lost(self.network, self.theta, [self.X])
        return [
            f"{count} of {width} units of hidden layer {layer} are dead"
            if 2 * count > width
            else f"{share:.0%} of hidden layer {layer} is saturated"
            for layer, (share, count, width) in enumerate(
                zip(shares, dead, self.network.sizes[1:-1], strict=True), 1
            )
            if share >= FLAT
        ]

    def _scales(self) -> tuple[list[str], list[str]]:
        """Columns of X and of a y of quantities that are far from standardized."""
        causes, advice = [], []
        names = self.names
        raw = _raw_columns(self.X)
        if raw:
            first, mean, spread = raw[0]
            name = f"column {first} of X" if names is None else f"column {names[first]!r}"
            others = f", and {len(raw) - 1} more like it" if len(raw) > 1 else ""
            causes.append(f"{name} has mean {mean:.4g} and standard deviation {spread:.4g}{others}")
            advice.append("standardize X")
        if self.network.loss.target == "real" and (raw := _raw_columns(self.Y)):
            _, mean, spread = raw[0]
            causes.append(f"y has mean {mean:.4g} and standard deviation {spread:.4g}")
            scaling = "standardize X and y" if advice else "standardize y"
            ways = "gn.train(standardize=True) and scikit-learn's TransformedTargetRegressor"
            advice = [f"{scaling} ({ways} do, and scale predictions back)"]
        return causes, advice

    def _curve(self, rose: float, share: float) -> str:
        losses = self.ended.losses
        if self.ended.went_back:
            return ""
        if rose > ROSE:
            if lowest := int(np.nanargmin(losses)):
                at = lowest + isinstance(self.ended.problem, Batches)
                return f"the loss fell to {losses[lowest]:.4g} at iteration {at} and rose again"
            return f"the loss rose from {losses[0]:.4g}"
        return f"the loss rose from {losses[0]:.4g}" if share > USELESS and losses[-1] > losses[0] else ""

    def _held_down(self) -> str:
        """Penalties that keep a layer's weights at 0."""
        penalties = self.ended.penalties
        largest = min(float(np.abs(W).max()) for W in self.theta.weights)
        if largest > SMALL or not (penalties.l1 or penalties.l2):
            return ""
        named = " and ".join(f"{k}={v:.4g}" for k, v in (("l1", penalties.l1), ("l2", penalties.l2)) if v)
        return f"{named} holds all weights of a layer at {largest:.1g} and below"

    def _without_evidence(self, share: float, falls: bool) -> tuple[list[str], list[str]]:
        """What is left to say where there is nothing to see."""
        rate = ["use another learning rate"] if self.ended.has_rate else []
        if falls:
            return ["it was still falling, slowly"], ["train for more iterations", *rate]
        if share > ABOVE:
            return ["it falls no more"], [*rate, "start from another random_state"]
        varies = bool((self.X[0] != self.X).any())
        words = "the answers are much the same for all rows" + ("" if varies else ", as X is")
        return [words], ["start from another random_state", *rate, "take features that say more of y"]


def _raw_columns(values: Array) -> list[tuple[int, float, float]]:
    """Number, mean and standard deviation of columns that are far from standardized, the worst first."""
    with np.errstate(over="ignore", invalid="ignore"):
        means, spreads = values.mean(axis=0), values.std(axis=0)
        ratio, largest, least = STANDARD
        away = np.abs(means)
        varies = spreads > 1e-12 * away
        raw = ((away > ratio * spreads) & (away > ratio)) | (varies & (spreads > largest))
        raw |= varies & (spreads < least)
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
