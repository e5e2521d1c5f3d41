"""A weight or a bias: its value, its gradient over all rows and its next update; the loss over all rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.explain.explanation import Check, Explanation, Step
from glassnet.diagnostics.explain.rules import rule_steps
from glassnet.diagnostics.explain.sample_pass import SamplePass
from glassnet.diagnostics.explain.subject import Pass, Place, Rows, Subject
from glassnet.diagnostics.explain.words import added, counted, num, products, shown
from glassnet.engine.minibatch import Batches
from glassnet.nn import reference
from glassnet.nn.network import Parameters
from glassnet.optim import penalties
from glassnet.optim.base import Optimizer
from glassnet.training.steppers import Solver
from glassnet.training.steppers.rates import LearningRates


class ParameterNumbers:
    """The explanations of parameters of a subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.run, self.network = subject, subject.run, subject.network

    # ---- Values --------------------------------------------------------------------------------------

    def value(self, place: Place, at: SamplePass | None) -> Explanation:
        """A weight or a bias, and what it does."""
        value = place.of(self.subject.theta)
        kind = "weight" if place.input is not None else "bias"
        title = f"{place.symbol}, {place.words}, after {self._count()}"
        steps, notes = [Step(place.symbol, repr(value), "", value)], self._notes(place)
        checks: tuple[Check, ...] = ()
        if at is not None:
            Z = f"Z{place.layer}[{at.sample}, {place.unit}]"
            if place.input is not None:
                H = float(at.numbers.Hs[place.layer - 1][0, place.input])
                source = f"{'X' if place.layer == 1 else f'H{place.layer - 1}'}[{at.sample}, {place.input}]"
                text = f"{num(H)} * {num(value)}"
                steps.append(Step(f"its part of {Z}", f"{source} {place.symbol}", text, H * value))
            steps.append(at.pre_activation(place.layer, place.unit))
            if self.subject.targeted:
                steps.append(at.share(place))
                checks = (at.share_check(place),)
                notes.append('what="gradient" explains the sum over all rows.')
        elif self.subject.targeted:
            gradient = self.gradient(place, None)
            steps += gradient.steps
            checks = gradient.checks
        return Explanation(kind, place.symbol, title, value, tuple(steps), tuple(checks), tuple(notes))

    def _count(self) -> str:
        epochs, n = self.run.batch_size is not None, self.subject.iteration
        return f"{n:,} {'epoch' if epochs else 'iteration'}{'' if n == 1 else 's'}"

    def _notes(self, place: Place) -> list[str]:
        notes = []
        if place.layer in self.run.freeze:
            notes.append(f"Layer {place.layer} is frozen: updates leave it as it is.")
        if self.run.averaged is not None:
            mean = place.of(self.run.averaged)
            notes.append(
                f"The run predicts with a running mean of the parameters, in which this is {mean!r}; "
                f"training goes on from the value here."
            )
        return notes

    # ---- Gradients -----------------------------------------------------------------------------------

    @cached_property
    def _over_all(self) -> tuple[Rows, Pass]:
        rows = self.subject.whole
        return rows, self.subject.forward_and_back(rows)

    def gradient(self, place: Place, at: SamplePass | None) -> Explanation:
        """dJ/dW or dJ/db over all rows."""
        rows, numbers = self._over_all
        steps, value, _ = self._gradient_steps(place, rows, numbers)
        notes = []
        if at is not None:
            steps.append(at.share(place))
        if self.subject.dropout and rows.masks is None:
            notes.append(
                'Without dropout, whose masks belong to a batch: what="update" has the gradient of the '
                "next batch with its masks."
            )
        if place.layer in self.run.freeze:
            notes.append(f"Layer {place.layer} is frozen: updates take its gradient for 0.")
        check = self._gradient_check(place, rows, numbers, value)
        title = f"The gradient of the loss by {place.symbol}, {place.words}, over {rows.words}"
        symbol = f"dJ/d{place.symbol}"
        return Explanation("gradient", symbol, title, value, tuple(steps), (check,), tuple(notes))

    def _gradient_check(self, place: Place, rows: Rows, numbers: Pass, value: float) -> Check:
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            differences = self.subject.differences(rows, numbers, penalized=True)
            judgement = differences.judge(place.layer - 1, place.kind, place.at, value, hasty=True)
        return Check.of(f"dJ/d{place.symbol}", value, judgement)

    def _gradient_steps(self, place: Place, rows: Rows, numbers: Pass) -> tuple[list[Step], float, Array]:
        """The sum over the rows, what reduction and penalties make of it, and the whole flat gradient."""
        layer, symbol = place.layer, f"dJ/d{place.symbol}"
        delta = numbers.deltas[layer - 1][:, place.unit]
        name = "X" if layer == 1 else f"H{layer - 1}"
        n, total = len(delta), self._summed(numbers)
        summed = place.of(Parameters(self.network.sizes, total))
        if place.input is None:
            formula = f"sum_i delta{layer}[i, {place.unit}]"
            text = counted(added([num(delta[i]) for i in shown(n)], n), n)
        else:
            formula = f"sum_i {name}[i, {place.input}] delta{layer}[i, {place.unit}]"
            text = counted(products(numbers.Hs[layer - 1][:, place.input], delta), n)
        l1, l2 = self.subject.penalties.l1, self.subject.penalties.l2
        penalized = place.input is not None and (l1 or l2)
        whole = self._reduced(total, rows)
        if rows.divisor == 1 and not penalized:
            return [Step(symbol, formula, text, summed)], summed, whole
        value = place.of(Parameters(self.network.sizes, whole))
        steps = [Step("S", formula, text, summed)]
        formula, text = "S", num(summed)
        if self.run.reduction == "mean":
            formula += " / N" if rows.w is None else " / sum_i w[i]"
            text += f" / {rows.divisor:.6g}"
        if penalized:
            weight = place.of(self.subject.theta)
            if l2:
                formula, text = f"{formula} + l2 {place.symbol}", f"{text} + {num(l2)} * {num(weight)}"
            if l1:
                formula = f"{formula} + l1 sign({place.symbol})"
                text = f"{text} + {num(l1)} * sign({weight:.6g})"
        steps.append(Step(symbol, formula, text, value))
        return steps, value, whole

    def _summed(self, numbers: Pass) -> Array:
        """The bare sum of the gradients over the rows, flat, as the NumPy engine computes it."""
        layers = []
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for H, delta in zip(numbers.Hs, numbers.deltas, strict=True):
                layers += [reference.weight_gradient(H, delta).ravel(), reference.bias_gradient(delta)]
        summed: Array = np.concatenate(layers).astype(self.subject.dtype, copy=False)
        return summed

    def _reduced(self, total: Array, rows: Rows) -> Array:
        """The gradient of the reduced loss and its penalties."""
        gradient, theta = total, self.subject.theta.flat
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if rows.divisor != 1.0:
                gradient = gradient / gradient.dtype.type(rows.divisor)
            l1, l2 = self.subject.penalties.l1, self.subject.penalties.l2
            if l1 or l2:
                gradient = gradient + penalties.penalty(theta, self._is_weight, l1, l2)[1]
        return gradient

    @property
    def _is_weight(self) -> penalties.Mask:
        return penalties.weight_mask(self.network.sizes)

    # ---- The loss over all rows ------------------------------------------------------------------------

    def loss(self) -> Explanation:
        """J: the samples' losses, reduced, and the penalties."""
        rows, numbers = self._over_all
        Z, Y = numbers.Zs[-1], rows.Y
        assert Y is not None
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            xi = self.network.loss.value(Z, Y)
            summed = reference.loss(Z, Y, self.network.loss, rows.w)
        n, own = len(xi), rows.w is not None
        text = added([num(xi[i]) for i in shown(n)], n) if rows.w is None else products(rows.w, xi)
        text = counted(text, n)
        steps = [Step("S", "sum_i w[i] xi[i]" if own else "sum_i xi[i]", text, summed)]
        formula, text, value = "S", num(summed), summed / rows.divisor
        if self.run.reduction == "mean":
            formula += " / sum_i w[i]" if own else " / N"
            text += f" / {rows.divisor:.6g}"
        l1, l2 = self.subject.penalties.l1, self.subject.penalties.l2
        theta = self.subject.theta.flat
        W = np.where(self._is_weight, theta, 0).astype(np.float64)
        if l2:
            formula, text = f"{formula} + l2 / 2 sum W^2", f"{text} + {num(l2)} / 2 * {num(float(W @ W))}"
        if l1:
            formula = f"{formula} + l1 sum |W|"
            text = f"{text} + {num(l1)} * {num(float(np.abs(W).sum()))}"
        value += penalties.penalty(theta, self._is_weight, l1, l2)[0]
        steps.append(Step("J", formula, text, value))
        notes = [f"xi[i] is the loss of sample i: {self.network.loss.formula}."]
        if rows.masks is not None:
            notes.append(
                "Units are left out by the masks of this pass, as in the losses that training reports."
            )
        elif self.subject.dropout:
            notes.append("Without dropout, whose masks belong to a batch.")
        return Explanation(
            "loss", "J", f"The loss over {rows.words}", value, tuple(steps), (), tuple(notes)
        )

    # ---- The next update -------------------------------------------------------------------------------

    def update(self, place: Place) -> Explanation:
        """The change that the next update makes."""
        rule = self.run.optimizer
        title = f"The next update of {place.symbol}, {place.words}"
        symbol = f"update of {place.symbol}"
        if isinstance(rule, Solver):
            return Explanation("update", symbol, title, None, notes=(_words_of_solver(rule),))
        subject = self.subject.at_end
        if subject is not self.subject:
            explained = ParameterNumbers(subject).update(place)
            note = (
                f"The run holds its best parameters, of iteration {self.subject.iteration:,}; training "
                f"goes on from those of iteration {self.run.iterations:,}, whose update this is."
            )
            return replace(explained, notes=(note, *explained.notes))
        rows = subject.present
        numbers = subject.forward_and_back(rows)
        steps, value, gradient = self._gradient_steps(place, rows, numbers)
        steps[-1] = steps[-1]._replace(symbol=f"g = {steps[-1].symbol}")
        check = self._gradient_check(place, rows, numbers, value)
        more, change, words = self._rule_steps(place, rule, gradient)
        words.insert(0, f"The gradient is over {rows.words}.")
        return Explanation("update", symbol, title, change, (*steps, *more), (check,), tuple(words))

    def _rule_steps(
        self, place: Place, rule: Optimizer, gradient: Array
    ) -> tuple[list[Step], float, list[str]]:
        run, sizes, theta = self.run, self.network.sizes, self.subject.theta.flat
        at, notes, steps = place.position(sizes), [], []
        before = float(theta[at])
        if place.layer in run.freeze:
            step = Step(place.symbol, place.symbol, num(before), before, "<-")
            return [step], 0.0, [f"Layer {place.layer} is frozen: updates leave it as it is."]
        if run.freeze:
            gradient = np.where(penalties.frozen_mask(sizes, run.freeze), 0, gradient)
        g = float(gradient[at])
        if rule.clip_value is not None:
            clipped = penalties.clip(gradient, rule.clip_value, None)
            c = num(rule.clip_value)
            text = f"min(max({g:.6g}, -{c}), {c})"
            steps.append(Step("g", f"the gradient within +-{c}", text, float(clipped[at]), "<-"))
            gradient, g = clipped, float(clipped[at])
        if rule.clip_norm is not None:
            length = float(np.sqrt(np.sum(np.square(gradient, dtype=np.float64))))
            clipped = penalties.clip(gradient, None, rule.clip_norm)
            text = f"{num(g)} * min(1, {rule.clip_norm:.6g} / {length:.6g})"
            formula = f"g min(1, {rule.clip_norm:g} / |g|), |g| the length of the whole gradient"
            steps.append(Step("g", formula, text, float(clipped[at]), "<-"))
            gradient = clipped
        rate, t = self._rate(rule), run.updates + 1
        state = run.state[: len(rule.state_names)]
        with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
            moved, new = rule.update(theta, state, gradient, t, rate, self._is_weight)
            after, own = float(moved[at]), (place.symbol, float(gradient[at]))
            numbers = (before, state[:, at]), (after, new[:, at])
            steps += rule_steps(rule, *own, t, rate, place.input is not None, *numbers)
            max_norm = run.penalties.max_norm
            if max_norm is not None and place.input is not None:
                bounded = float(penalties.constrain(moved, sizes, max_norm)[at])
                column = Parameters(sizes, moved).weights[place.layer - 1][:, place.unit]
                length = float(np.sqrt(np.sum(np.square(column, dtype=np.float64))))
                text = f"{num(after)} * min(1, {max_norm:.6g} / {length:.6g})"
                formula = f"{place.symbol} min(1, max_norm / length of the unit's weights)"
                steps.append(Step(place.symbol, formula, text, bounded, "<-"))
                after = bounded
        if run.average is not None and run.averaged is not None:
            d, mean = run.average, place.of(run.averaged)
            text = f"{num(d)} * {num(mean)} + (1 - {num(d)}) * {num(after)}"
            formula = f"d mean + (1 - d) {place.symbol}, with which the run predicts"
            steps.append(Step("mean", formula, text, d * mean + (1 - d) * after, "<-"))
        steps.append(
            Step("update", f"new {place.symbol} - old", f"{num(after)} - {num(before)}", after - before)
        )
        notes.append(f"Update {t:,}, at the learning rate {rate:.10g}.")
        if run.status == "diverged":
            notes.append("This is the update that blew up.")
        return steps, after - before, notes

    def _rate(self, rule: Optimizer) -> float:
        """The learning rate of the next update."""
        run, every = self.run, 1
        problem = None if run.data is None else run.data.problem
        if isinstance(problem, Batches):
            every = problem.updates_per_epoch
        elif run.batch_size is not None:
            every = -(-len(self.subject.learned.X) // run.batch_size)
        loss = float(run.losses[-1]) if len(run.losses) else np.inf
        return float(LearningRates(rule.schedule, run.updates, run.heard, loss, every).next(1)[0])


def _words_of_solver(rule: Solver) -> str:
    """Why a solver's update has no formula of one parameter."""
    return (
        f"{type(rule).__name__} moves all parameters together: {_SOLVERS[rule.name]} The new "
        f"value depends on the whole gradient and curvature, and on the losses that it tries on the way: "
        f"there is no formula of this one number. An optimizer's update, of gn.SGD() or gn.Adam(), has one."
    )


_SOLVERS = {
    "lbfgs": "it multiplies the gradient by an inverse Hessian that past steps give, and searches for a "
    "length along that line.",
    "levenberg_marquardt": "it solves (G + mu I) d = -g for the step d, with the Gauss-Newton matrix G, "
    "and tries mu until the loss falls.",
    "bayesian_regularization": "it solves (G + mu I) d = -g for the step d, and then estimates the "
    "penalty anew.",
    "newton_cg": "it solves H d = -g by conjugate gradients, and searches for a length along d.",
}
