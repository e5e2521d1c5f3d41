"""One sample's way through the network: forward, its loss, and back, each number with its formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.central_differences import LossDifferences, judged
from glassnet.diagnostics.explain.explanation import Check, Explanation, Step, digits
from glassnet.diagnostics.explain.output_formulas import delta_numbers, link_numbers, loss_numbers
from glassnet.diagnostics.explain.subject import Pass, Place, Rows, Subject
from glassnet.diagnostics.explain.words import (
    bracketed,
    branch,
    counted,
    num,
    products,
    row_of,
    with_numbers,
)
from glassnet.diagnostics.rounding import unit_roundoff
from glassnet.errors import InputError

MOST_UNITS = 12
"""Units of a layer that a whole pass explains one by one."""


class SamplePass:
    """The explanations of one sample's numbers; layers count from 1, units and samples from 0."""

    def __init__(self, subject: Subject, sample: int) -> None:
        self.subject, self.sample, self.network = subject, sample, subject.network
        self.depth = len(self.network.sizes) - 1

    @cached_property
    def rows(self) -> Rows:
        return self.subject.sample(self.sample)

    @cached_property
    def numbers(self) -> Pass:
        return self.subject.forward_and_back(self.rows)

    @cached_property
    def _differences(self) -> LossDifferences:
        return self.subject.differences(self.rows, self.numbers, penalized=False)

    # ---- Names ---------------------------------------------------------------------------------------

    def _input(self, layer: int) -> str:
        """The name of what goes into a layer."""
        return "X" if layer == 1 else f"H{layer - 1}"

    def _unit(self, layer: int, unit: int) -> str:
        where = "the output layer" if layer == self.depth else f"hidden layer {layer}"
        return f"unit {unit} of {where}"

    def _entry(self, symbol: str, place: int | str) -> str:
        return f"{symbol}[{self.sample}, {place}]"

    # ---- Forward -------------------------------------------------------------------------------------

    def inputs(self) -> Explanation:
        """The sample's inputs, scaled where the run scales by itself."""
        scaling, X, raw = self.subject.scaling, row_of(self.rows.X, 0), self.subject.raw(self.sample)
        names, steps = self.subject.names, []
        for place in range(min(len(X), MOST_UNITS)):
            symbol = self._entry("X", place)
            if scaling is None:
                steps.append(Step(symbol, digits(X[place]), "", float(X[place])))
                continue
            text = f"({num(raw[place])} - {num(scaling.mean[place])}) / {num(scaling.scale[place])}"
            formula = f"(x - mean) / deviation{f' of {names[place]}' if names else ''}"
            steps.append(Step(symbol, formula, text, float(X[place])))
        left = len(X) - len(steps)
        notes = (f"... and {left:,} more inputs",) if left else ()
        return Explanation(
            "input",
            f"X[{self.sample}]",
            f"The inputs of sample {self.sample}",
            None,
            tuple(steps),
            notes=notes,
        )

    def pre_activation(self, layer: int, unit: int) -> Step:
        """Z = H_before W + b."""
        before, theta = self._input(layer), self.subject.theta
        H, W = row_of(self.numbers.Hs[layer - 1], 0), np.asarray(theta.weights[layer - 1][:, unit], float)
        text = counted(f"{products(H, W)} + {num(theta.biases[layer - 1][unit])}", len(H))
        formula = f"sum_i {self._entry(before, 'i')} W{layer}[i, {unit}] + b{layer}[{unit}]"
        return Step(
            self._entry(f"Z{layer}", unit), formula, text, float(self.numbers.Zs[layer - 1][0, unit])
        )

    def mask(self, layer: int, unit: int) -> float | None:
        """The factor of dropout; None where no unit of the layer is dropped."""
        masks = self.rows.masks
        M = None if masks is None or layer == self.depth else masks[layer - 1]
        return None if M is None else float(M[0, unit])

    def activation(self, layer: int, unit: int) -> Explanation:
        """A unit's output: H of a hidden layer, Y_hat of the last one."""
        Z = self.pre_activation(layer, unit)
        title = f"The activation of {self._unit(layer, unit)} for sample {self.sample}"
        if layer == self.depth:
            steps = self._output(unit)
            checks = (self._delta_check(layer, unit),) if self.numbers.deltas else ()
            last = steps[-1]
            notes = self._pass_notes()
            return Explanation("activation", last.symbol, title, last.value, (Z, *steps), checks, notes)
        sigma, M = self.network.hidden[layer - 1], self.mask(layer, unit)
        symbol, H = self._entry(f"H{layer}", unit), float(self.numbers.Hs[layer][0, unit])
        factor, text = "", with_numbers(sigma.formula, {"z": Z.value})
        notes = self._pass_notes()
        if M is not None:
            factor, text = f" * {self._entry(f'M{layer}', unit)}", f"{bracketed(text)} * {num(M)}"
            notes = (self._mask_words(layer, M),)
        formula = f"sigma({Z.symbol}){factor}, {sigma.name}: sigma(z) = {sigma.formula}"
        steps, checks = (Z, Step(symbol, formula, text, H)), (self._slope_check(layer, unit),)
        return Explanation("activation", symbol, title, H, steps, checks, notes)

    def _mask_words(self, layer: int, M: float) -> str:
        p = self.subject.run.dropout[layer - 1]
        if M:
            return f"Dropout leaves this unit in for this pass, times 1 / (1 - {p:g}): M = {M:g}."
        return f"Dropout leaves this unit out for this pass, which happens with probability {p:g}: M = 0."

    def _pass_notes(self) -> tuple[str, ...]:
        """What must be known of dropout in this pass."""
        if not self.subject.dropout:
            return ()
        if self.rows.masks is None:
            return (
                f"Sample {self.sample} is not in the present training pass, so that dropout has no mask "
                f"for it: these are the numbers without dropout.",
            )
        return (
            "Units are left out as in the present training pass; dropout=False explains the pass that "
            "predicts.",
        )

    def _output(self, unit: int) -> tuple[Step, ...]:
        """Y_hat, and in the unit of y where the run scales y."""
        Z, output = self.numbers.Zs[-1], self.network.output
        with np.errstate(over="ignore", invalid="ignore"):
            Y_hat = float(output.link(Z)[0, unit])
        z = row_of(Z, 0)
        symbol, text = self._entry("Y_hat", unit), link_numbers(output, z, unit)
        formula = f"{output.name}(Z{self.depth}[{self.sample}])[{unit}] = {output.formula}"
        steps = [Step(symbol, formula, text, Y_hat)]
        scaling = self.subject.scaling
        if scaling is not None and scaling.moves_targets:
            mean, scale = scaling.target_mean[unit], scaling.target_scale[unit]
            text = f"{num(Y_hat)} * {num(scale)} + {num(mean)}"
            formula = f"{symbol} * deviation + mean, in the unit of y"
            steps.append(Step(f"prediction[{unit}]", formula, text, Y_hat * scale + mean))
        return tuple(steps)

    def slope(self, layer: int, unit: int) -> Step:
        """sigma'(Z)."""
        sigma, Z = self.network.hidden[layer - 1], self.numbers.Zs[layer - 1]
        z = float(Z[0, unit])
        h = float(sigma.value(Z)[0, unit])
        shape = branch(sigma.derivative_formula, {"z": z})
        text = with_numbers(shape, {"z": z, "h": h})
        symbol = f"sigma'({self._entry(f'Z{layer}', unit)})"
        return Step(symbol, sigma.derivative_formula, text, float(self._slopes(layer)[unit]))

    def _slopes(self, layer: int) -> Array:
        """sigma'(Z) of a hidden layer, (units,)."""
        sigma, Z = self.network.hidden[layer - 1], self.numbers.Zs[layer - 1]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            slopes: Array = sigma.derivative(Z, sigma.value(Z))[0]
        return slopes

    def _slope_check(self, layer: int, unit: int) -> Check:
        """The derivative of an activation beside the central difference of its value."""
        sigma, slope = self.network.hidden[layer - 1], self.slope(layer, unit)
        center = float(self.numbers.Zs[layer - 1][0, unit])

        def difference(step: float) -> tuple[float, float, bool]:
            high, low = center + step, center - step
            with np.errstate(over="ignore", invalid="ignore"):
                values = sigma.value(np.array([[high, low]]))[0]
            width = high - low
            crosses = any(low <= kink <= high for kink in sigma.kinks)
            return (float(values[0] - values[1]) / width if width else np.nan), width, crosses

        u = unit_roundoff(self.subject.dtype)
        value = abs(float(sigma.value(np.array([[center]]))[0, 0]))
        # Half a dozen operations each; a value is what 1 and itself leave of one another, as in exp(z) - 1.
        error = 8 * unit_roundoff(np.dtype(np.float64)) * (1 + value)
        slope_error = 8 * u * (1 + abs(slope.value))
        judgement = judged(difference, slope.value, lambda: (error, slope_error))
        return Check.of(f"dH{layer}/dZ{layer} = {slope.symbol}", slope.value, judgement)

    # ---- Loss ----------------------------------------------------------------------------------------

    def loss(self) -> Explanation:
        """The sample's loss, and its share of J."""
        self._require_targets()
        network, rows = self.network, self.rows
        Z, Y = self.numbers.Zs[-1], rows.Y
        assert Y is not None
        with np.errstate(over="ignore", invalid="ignore"):
            xi = float(network.loss.value(Z, Y)[0])
        name = f"xi[{self.sample}]"
        text = loss_numbers(network, row_of(Z, 0), row_of(Y, 0))
        steps, value, symbol = [Step(name, network.loss.formula, text, xi)], xi, name
        if rows.w is not None:
            w = float(rows.w[0])
            value, symbol = w * xi, f"w[{self.sample}] {name}"
            steps.append(Step(symbol, "the sample's weight times its loss", f"{num(w)} * {num(xi)}", value))
        checks = tuple(self._delta_check(self.depth, unit) for unit in range(min(Z.shape[1], MOST_UNITS)))
        title = f"The loss of sample {self.sample}, {network.loss}"
        target = ", ".join(num(y) for y in row_of(Y, 0)[:MOST_UNITS])
        notes = (f"The target is y = [{target}].", *self._pass_notes())
        return Explanation("loss", symbol, title, value, tuple(steps), checks, notes)

    def _require_targets(self) -> None:
        if self.rows.Y is None:
            raise InputError("y is missing: the targets, one for each row of X.")

    # ---- Back ----------------------------------------------------------------------------------------

    def delta(self, layer: int, unit: int) -> Explanation:
        """dJ/dZ of a unit."""
        self._require_targets()
        symbol = self._entry(f"delta{layer}", unit)
        value = float(self.numbers.deltas[layer - 1][0, unit])
        title = f"The delta of {self._unit(layer, unit)} for sample {self.sample}, dJ/dZ"
        steps = self._output_delta(unit) if layer == self.depth else self._hidden_delta(layer, unit)
        check = self._delta_check(layer, unit)
        return Explanation("delta", symbol, title, value, steps, (check,), self._pass_notes())

    def _output_delta(self, unit: int) -> tuple[Step, ...]:
        network, rows = self.network, self.rows
        Z, Y = self.numbers.Zs[-1], rows.Y
        assert Y is not None
        text = delta_numbers(network, row_of(Z, 0), row_of(Y, 0), unit)
        value = float(self.numbers.deltas[-1][0, unit])
        symbol = self._entry(f"delta{self.depth}", unit)
        if rows.w is None:
            return (Step(symbol, network.loss.delta_formula, text, value),)
        formula = f"w[{self.sample}] ({network.loss.delta_formula})"
        return (Step(symbol, formula, f"{num(float(rows.w[0]))} * {bracketed(text)}", value),)

    def _hidden_delta(self, layer: int, unit: int) -> tuple[Step, ...]:
        after, W = row_of(self.numbers.deltas[layer], 0), self.subject.theta.weights[layer]
        slope, M = self.slope(layer, unit), self.mask(layer, unit)
        back = f"sum_k {self._entry(f'delta{layer + 1}', 'k')} W{layer + 1}[{unit}, k]"
        text = f"({products(after, np.asarray(W[unit], float))}) * {num(slope.value)}"
        formula = f"({back}) * {slope.symbol}"
        if M is not None:
            formula, text = f"{formula} * {self._entry(f'M{layer}', unit)}", f"{text} * {num(M)}"
        value, text = float(self.numbers.deltas[layer - 1][0, unit]), counted(text, len(after))
        return slope, Step(self._entry(f"delta{layer}", unit), formula, text, value)

    def _delta_check(self, layer: int, unit: int) -> Check:
        """A delta is the derivative by the unit's bias, for one sample."""
        value = float(self.numbers.deltas[layer - 1][0, unit])
        return self._check(f"dJ/d{self._entry(f'Z{layer}', unit)}", Place(layer, unit), value)

    # ---- One sample's share of a gradient, and all of it ------------------------------------------------

    def share(self, place: Place) -> Step:
        """What the sample adds to the gradient of a parameter."""
        self._require_targets()
        layer, name = place.layer, f"sample {self.sample} adds"
        delta = float(self.numbers.deltas[layer - 1][0, place.unit])
        symbol = self._entry(f"delta{layer}", place.unit)
        if place.input is None:
            return Step(name, symbol, "", delta)
        H = float(self.numbers.Hs[layer - 1][0, place.input])
        formula = f"{self._entry(self._input(layer), place.input)} {symbol}"
        return Step(name, formula, f"{num(H)} * {num(delta)}", H * delta)

    def share_check(self, place: Place) -> Check:
        """The same beside a central difference of the sample's loss."""
        own = f"xi[{self.sample}]" if self.rows.w is None else f"w[{self.sample}] xi[{self.sample}]"
        return self._check(f"d{own}/d{place.symbol}", place, self.share(place).value)

    def _check(self, symbol: str, place: Place, value: float) -> Check:
        """The sample's loss by a parameter, judged."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            judgement = self._differences.judge(place.layer - 1, place.kind, place.at, value)
        return Check.of(symbol, value, judgement)

    def whole(self) -> Explanation:
        """The whole way: inputs, every layer forward, the loss, every layer back."""
        parts, units = [self.inputs()], [min(k, MOST_UNITS) for k in self.network.sizes]
        for layer in range(1, self.depth + 1):
            parts += [self.activation(layer, unit) for unit in range(units[layer])]
        value = None
        if self.rows.Y is not None:
            loss = self.loss()
            value = loss.value
            # The checks of outputs and loss are those of the deltas that follow.
            parts = [
                part if part.steps[-1].symbol.startswith("H") else replace(part, checks=())
                for part in parts
            ]
            parts.append(replace(loss, checks=()))
            for layer in range(self.depth, 0, -1):
                parts += [self.delta(layer, unit) for unit in range(units[layer])]
        title = f"The whole way of sample {self.sample} through {self.network}"
        notes = [
            f"Layer {layer} has {size:,} units; the first {MOST_UNITS} are explained."
            for layer, size in enumerate(self.network.sizes)
            if layer and size > MOST_UNITS
        ]
        said = self._pass_notes()
        return Explanation(
            "pass",
            f"sample {self.sample}",
            title,
            value,
            notes=(*notes, *said),
            parts=tuple(
                replace(part, notes=tuple(note for note in part.notes if note not in said))
                for part in parts
            ),
            layers=tuple(self._arrays()),
        )

    def _arrays(self) -> Iterator[dict[str, Any]]:
        """Each layer's numbers by their symbols."""
        numbers = self.numbers
        for layer in range(self.depth + 1):
            if layer == 0:
                yield {"X": numbers.Hs[0][0]}
                continue
            arrays: dict[str, Array | None] = {f"Z{layer}": numbers.Zs[layer - 1][0]}
            if layer < self.depth:
                arrays[f"H{layer}"] = numbers.Hs[layer][0]
                arrays["slope"] = self._slopes(layer)
                if self.rows.masks is not None:
                    M = self.rows.masks[layer - 1]
                    arrays[f"M{layer}"] = None if M is None else M[0]
            else:
                arrays["Y_hat"] = self.network.output.link(numbers.Zs[-1])[0]
                arrays["Y"] = None if self.rows.Y is None else self.rows.Y[0]
            if numbers.deltas:
                arrays[f"delta{layer}"] = numbers.deltas[layer - 1][0]
            yield arrays
