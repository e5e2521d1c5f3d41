"""Central differences of the loss, and the judge that holds a gradient against them.

How it judges an entry
----------------------
The numerical side is the notebook's central difference, N(h) = [J(theta + h) - J(theta - h)] / 2h
with h = epsilon, in float64 by the reference's forward pass, whatever computed the gradient. It has
two errors of its own: rounding, about u J / h, and truncation, about h^2 J''' / 6 (Nocedal and
Wright, Numerical Optimization, 2nd ed., section 8.1), and it means nothing where a step carries a
sample over a kink, such as relu's at 0 or the absolute error's at y_hat = y. Backpropagation rounds
too, visibly in float32. An entry is

right      when the two differ by at most
           RELATIVE_TOLERANCE * |N(h)| + rounding of N(h) + rounding of the gradient,
           where both roundings come from an error analysis with these data (`rounding.py`);
wrong      when they differ by more than that, and truncation does not explain it: N(h) has settled,
           as a step ten times smaller shows;
kink       when the step crosses a kink, even a step 10,000 times smaller;
unsettled  when N(h) still moves after as many steps, so that the entry is neither right nor wrong.

Only entries that are not right at once take smaller steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.rounding import rounding_errors, unit_roundoff
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import NO_PENALTIES, Penalties, weight_mask

Verdict = Literal["right", "wrong", "kink", "unsettled"]

EPSILON = 1e-4
"""The first step, as in the notebook."""

RELATIVE_TOLERANCE = 1e-5
"""The tolerance of `numpy.allclose`, and so of the notebook; the check adds both roundings to it."""

SMALLER_STEPS = 4
"""How many times the check makes a step ten times smaller."""


class Judgement(NamedTuple):
    """A derivative held against a central difference: the difference allowed, its step, the verdict."""

    numerical: float
    tolerance: float
    epsilon: float
    verdict: Verdict


def judged(
    difference: Callable[[float], tuple[float, float, bool]],
    derivative: float,
    rounding: Callable[[], tuple[float, float]],
    epsilon: float = EPSILON,
    hasty: bool = False,
) -> Judgement:
    """A derivative, judged as the top of this module says.

    ``difference(h)`` gives the central difference, the distance 2h between its two points and whether a
    kink lies between them; ``rounding()`` bounds the rounding of the function and of its derivative. With
    `hasty` nobody asks for the bounds where the two agree without them, and the tolerance lacks them.
    """
    verdict: Verdict = "kink"
    before = None  # the derivative from the step before
    result = math.nan, math.inf, epsilon
    for k in range(SMALLER_STEPS + 1):
        step = epsilon / 10**k
        numerical, width, crosses = difference(step)
        if width == 0:  # the step is lost in the last digit of the parameter
            verdict = "unsettled"
            break
        allowed, apart = RELATIVE_TOLERANCE * abs(numerical), abs(numerical - derivative)
        if hasty and not crosses and apart <= allowed < math.inf:
            return Judgement(numerical, allowed, step, "right")
        value_error, derivative_error = rounding()
        allowed += 2 * value_error / width + derivative_error
        result = numerical, allowed, step
        if crosses:
            continue
        if apart <= allowed < math.inf:
            return Judgement(*result, "right")
        # A step ten times smaller leaves at most a tenth of the truncation error, `left`. An entry that
        # has settled and differs by more is wrong; `not` makes a gradient that is NaN wrong too.
        left = math.inf if before is None else abs(before - numerical) / 9
        if left <= allowed < math.inf and not apart <= allowed + left:
            return Judgement(*result, "wrong")
        before, verdict = numerical, "unsettled"
    return Judgement(*result, verdict)


class LossDifferences:
    """The numerical side at one point: central differences of the loss of some samples.

    `data` are X, rows of targets and each sample's weight in the reduced loss, in float64; `precision` is
    that of the gradients to be judged, `masks` those of a training pass with dropout. `passed` are Zs and
    Hs of the pass forward at the point, in float64, where somebody has them.
    """

    def __init__(
        self,
        network: Network,
        theta: Parameters,
        data: tuple[Array, Array, Array],
        penalties: Penalties = NO_PENALTIES,
        precision: np.dtype[Any] = np.dtype(np.float64),  # noqa: B008 - immutable
        masks: Sequence[Array | None] | None = None,
        passed: tuple[list[Array], list[Array]] | None = None,
    ) -> None:
        X, self._Y, self._w = data
        self._network, self._theta, self._masks = network, theta, masks
        self._data, self._precision = data, precision
        self._l1, self._l2 = penalties.l1, penalties.l2
        if passed is None:
            passed = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden, masks)
        Zs, self._Hs = passed
        self._sides = [self._sides_of(Zs, 0, layer) for layer in range(len(network.sizes) - 1)]

    @cached_property
    def _errors(self) -> tuple[float, Parameters]:
        """Bounds on the rounding of the loss and of each entry of its gradient."""
        network, theta = self._network, self._theta
        units = unit_roundoff(theta.dtype), unit_roundoff(self._precision)
        loss_error, bounds = rounding_errors(network, theta, *self._data, units[0], self._masks)
        if units[1] != units[0]:
            _, bounds = rounding_errors(network, theta, *self._data, units[1], self._masks)
        # Two products and two sums of the penalty's slope.
        slope = weight_mask(network.sizes) * (self._l2 * np.abs(theta.flat) + self._l1)
        return loss_error, Parameters(network.sizes, bounds + 4 * units[1] * slope)

    def entries(self) -> Iterator[tuple[int, str, tuple[int, ...]]]:
        """The layer (from 0), "W" or "b" and the index of every parameter, in the flat vector's order."""
        for layer, arrays in enumerate(zip(self._theta.weights, self._theta.biases, strict=True)):
            for kind, values in zip("Wb", arrays, strict=True):
                for index in np.ndindex(values.shape):
                    yield layer, kind, index

    def judge(
        self,
        layer: int,
        kind: str,
        index: tuple[int, ...],
        gradient: float,
        epsilon: float = EPSILON,
        hasty: bool = False,
    ) -> Judgement:
        """The judgement of one entry of a gradient; `hasty` as for `judged`."""
        theta = self._theta
        values = (theta.weights if kind == "W" else theta.biases)[layer]

        def rounding() -> tuple[float, float]:
            loss_error, bounds = self._errors
            return loss_error, float((bounds.weights if kind == "W" else bounds.biases)[layer][index])

        def difference(step: float) -> tuple[float, float, bool]:
            return self._central_difference(layer, values, index, step)

        return judged(difference, gradient, rounding, epsilon, hasty)

    def _central_difference(
        self, layer: int, values: Array, index: tuple[int, ...], step: float
    ) -> tuple[float, float, bool]:
        """[J(theta + h) - J(theta - h)] / 2h for one entry, 2h, and whether that crosses a kink.

        It subtracts sample by sample, which rounds less than subtracting two sums; 2h is the distance
        between the two numbers that theta really takes.
        """
        center = values[index]
        high, low = center + step, center - step
        losses, crosses = [], False
        for value in (high, low):
            values[index] = value
            # A parameter of this layer changes nothing below it.
            Zs, _ = reference.forward_propagation(
                self._Hs[layer],
                self._theta.weights[layer:],
                self._theta.biases[layer:],
                self._network.hidden[layer:],
                self._masks and self._masks[layer:],
            )
            losses.append(self._network.loss.value(Zs[-1], self._Y))
            crosses = crosses or any(
                not np.array_equal(self._sides_of(Zs, layer, other), self._sides[other])
                for other in range(layer, len(self._sides))
            )
        values[index] = center
        width = float(high - low)
        difference = float(self._w @ (losses[0] - losses[1]))
        if values.ndim == 2:  # weights; biases are not penalized
            difference += float(self._l2 * 0.5 * (high - low) * (high + low))
            difference += float(self._l1 * (abs(high) - abs(low)))
            crosses = crosses or (self._l1 > 0 and high >= 0 >= low)
        return (difference / width if width else math.nan), width, crosses

    def _sides_of(self, Zs: Sequence[Array], first: int, layer: int) -> NDArray[np.int8]:
        """On which side of each kink of its function a layer's Z lies; Zs begins at layer `first`.

        The function of the output layer is the loss, whose kinks are in the residual.
        """
        Z, hidden = Zs[layer - first], self._network.hidden
        if layer < len(hidden):
            kinks = hidden[layer].kinks
        else:
            kinks = self._network.loss.kinks
            Z = Z - self._Y if kinks else Z
        return np.array([np.sign(Z - kink) for kink in kinks], np.int8)
