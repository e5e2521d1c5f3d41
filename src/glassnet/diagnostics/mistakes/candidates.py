"""The mistakes that people make in backpropagation, as hypotheses to try on a wrong gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from glassnet._types import Array
from glassnet.diagnostics.mistakes.backpropagation import Point, Slips, penalty_of
from glassnet.diagnostics.mistakes.finding import Kind
from glassnet.nn import reference
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import ALL_LOSSES, ALL_OUTPUTS


class Hypothesis(NamedTuple):
    """A mistake: its kind and layer, what it is in words, and what it changes."""

    kind: Kind
    layer: int | None
    words: str
    slips: Slips


def in_a_layer(point: Point, layer: int) -> Iterator[Hypothesis]:
    """The mistakes whose first wrong gradient, from the output down, is a layer's; likely ones first."""
    depth = len(point.network.sizes) - 1
    if layer == depth:
        yield from _of_the_output(point)
    else:
        yield from _of_the_slope(point.network.hidden[layer - 1], layer)
        yield from _of_the_way_back(point, layer)
    if layer > 1:
        words = f"dJ/dW{layer} is made of Z{layer - 1} in place of H{layer - 1}: the activation is missing"
        yield Hypothesis("input", layer, words, Slips(raw_inputs=frozenset([layer])))


def of_all(point: Point) -> Iterator[Hypothesis]:
    """The mistakes that make all layers wrong together."""
    yield from _of_the_weights(point)
    yield from _of_the_penalty(point)
    depth, biases = len(point.network.sizes) - 1, [b.any() for b in point.theta.biases]
    for layer in range(1, depth + 1):
        if biases[layer - 1]:
            words = f"the pass forward leaves b{layer} out"
            yield Hypothesis("bias", layer, words, Slips(biasless=frozenset([layer])))
    if depth > 1 and sum(biases) > 1:
        everywhere = Slips(biasless=frozenset(range(1, depth + 1)))
        yield Hypothesis("bias", None, "the pass forward leaves all biases out", everywhere)
    yield from _of_the_functions(point)
    yield from _of_the_data(point)


def _of_the_functions(point: Point) -> Iterator[Hypothesis]:
    """Another activation in the pass forward and back."""
    hidden = point.network.hidden

    def instead(record: Activation, layers: list[int], where: str) -> Hypothesis:
        names = ", ".join(dict.fromkeys(hidden[layer - 1].name for layer in layers))
        words = f"{where} computes {record.name} in place of {names}"
        layer = layers[0] if len(layers) == 1 else None
        return Hypothesis("activation", layer, words, Slips(functions=dict.fromkeys(layers, record)))

    for record in ACTIVATIONS.values():
        others = [layer for layer, sigma in enumerate(hidden, 1) if sigma.name != record.name]
        for layer in others:
            yield instead(record, [layer], f"layer {layer}")
        if len(others) > 1:
            yield instead(record, others, "every hidden layer")


def _of_the_data(point: Point) -> Iterator[Hypothesis]:
    """Other inputs and targets than those that are checked."""
    X, Y = point.X, point.Y
    if len(X) > 1:
        scale = X.std(axis=0)
        standardized = (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1)
        words = "the inputs are standardized, (x - mean) / deviation, and those of the check are not"
        yield Hypothesis("input", None, words, Slips(X=standardized))
    if Y.shape[1] > 1:
        words = "the targets' columns are in the reverse order"
        yield Hypothesis("targets", None, words, Slips(Y=Y[:, ::-1]))
    if point.network.loss.target == "label" or (point.network.loss.target == "class" and Y.shape[1] == 2):
        yield Hypothesis("targets", None, "the targets are 1 - y", Slips(Y=1 - Y))


# ---- The output's delta -----------------------------------------------------------------------------


def _of_the_output(point: Point) -> Iterator[Hypothesis]:
    network = point.network
    loss, output, depth = network.loss, network.output, len(network.sizes) - 1

    def other(words: str, delta: Callable[[Array, Array], Array]) -> Hypothesis:
        words = f"the loss is {loss}, and its delta, {loss.delta_formula}, was taken for another: {words}"
        return Hypothesis("loss", depth, words, Slips(delta=delta))

    def link_slope(Z: Array) -> Array:
        return reference.link_jacobian(output.name, output.link(Z)).diagonal(axis1=1, axis2=2)

    yield other("y_hat - y, as of a link with its own loss", lambda Z, Y: output.link(Z) - Y)
    if output.name != "identity":
        words = "the derivative of the link is multiplied in once more"
        yield other(words, lambda Z, Y: loss.delta(Z, Y) * link_slope(Z))
        yield other(
            f"(y_hat - y) times the derivative of {output.name}, as of a squared error",
            lambda Z, Y: (output.link(Z) - Y) * link_slope(Z),
        )
    if output.name not in ("softmax", "logistic"):
        words = "(y_hat - y) y_hat (1 - y_hat), as of a logistic output"
        yield other(words, lambda Z, Y: (output.link(Z) - Y) * output.link(Z) * (1 - output.link(Z)))
    yield other("z - y, without the link", lambda Z, Y: Z - Y)
    for record in ALL_LOSSES.values():
        if record != loss:
            words = f"{record.delta_formula}, that of {record}"
            if record.output != output.name:
                words += f" over {ALL_OUTPUTS[record.output].name}"
            yield other(words, record.delta)
    yield other("-y / y_hat, the derivative by y_hat in place of z", lambda Z, Y: -Y / output.link(Z))


# ---- A hidden layer's delta -------------------------------------------------------------------------


def _of_the_slope(sigma: Activation, layer: int) -> Iterator[Hypothesis]:
    def slope(words: str, function: Callable[[Array, Array], Array]) -> Hypothesis:
        return Hypothesis("derivative", layer, words, Slips(slopes={layer: function}))

    own = sigma.derivative
    yield slope(
        f"the derivative of {sigma.name}, {sigma.derivative_formula}, is missing from delta{layer}",
        lambda Z, H: np.ones_like(Z),
    )
    yield slope(
        f"in delta{layer} the derivative of {sigma.name} is taken at H in place of Z",
        lambda Z, H: own(H, sigma.value(H)),
    )
    yield slope(
        f"in delta{layer} the derivative of {sigma.name}, {sigma.derivative_formula}, has Z in place of H",
        lambda Z, H: own(Z, Z),
    )
    yield slope(
        f"in delta{layer} the derivative of {sigma.name}, {sigma.derivative_formula}, has H in place of Z",
        lambda Z, H: own(H, H),
    )
    yield slope(f"in delta{layer} {sigma.name} itself stands in place of its derivative", lambda Z, H: H)
    yield slope(
        f"in delta{layer} the derivative of {sigma.name} is multiplied in twice",
        lambda Z, H: own(Z, H) ** 2,
    )
    for record in ACTIVATIONS.values():
        if record.name != sigma.name:
            words = (
                f"in delta{layer} the derivative is that of {record.name}, {record.derivative_formula}, "
                f"and the function is {sigma.name}"
            )
            yield slope(words, partial(_slope_at, record))
            yield slope(words, record.derivative)


def _slope_at(record: Activation, Z: Array, H: Array) -> Array:
    """The derivative as a function of Z alone."""
    return record.derivative(Z, record.value(Z))


def _of_the_way_back(point: Point, layer: int) -> Iterator[Hypothesis]:
    above, W = layer + 1, point.theta.weights[layer]

    def back(kind: Kind, words: str, values: Array) -> Hypothesis:
        words = f"{words} on the way from delta{above} to delta{layer}"
        return Hypothesis(kind, above, words, Slips(backs={above: values}))

    for other, values in enumerate(point.theta.weights, 1):
        if other != above and values.shape == W.shape:
            yield back("order", f"W{other} stands in place of W{above}", values.T)
    if W.shape[0] == W.shape[1]:
        yield back("transposed", f"W{above} is not transposed", W)
    elif min(W.shape) > 1:
        yield back("transposed", f"W{above} is reshaped in place of transposed", W.reshape(W.shape[::-1]))
    yield back("missing", f"W{above} is missing", np.ones_like(W.T))


# ---- Samples and penalties --------------------------------------------------------------------------


def _of_the_weights(point: Point) -> Iterator[Hypothesis]:
    w, n = point.w, len(point.w)

    def weighted(kind: Kind, words: str, values: Array) -> Hypothesis:
        return Hypothesis(kind, None, words, Slips(w=values))

    if not np.allclose(w, w[0]):
        yield weighted("weights", "the sample weights are left out", point.plain)
        if point.mean:
            words = "the sum is divided by the number of samples, not by the sum of their weights"
            yield weighted("weights", words, w / w.sum() * (w.sum() / point.plain.sum()))
        yield weighted("weights", "the sample weights are multiplied in twice", w * w / point.plain)
    if n > 1 and (point.penalties.l1 or point.penalties.l2):  # else one factor of everything
        total = w.sum() / point.plain.sum() * n
        summed = f"the samples' losses are summed, not divided by {total:.6g}"
        again = "once too often" if point.mean else "and not summed"
        if point.mean:
            yield weighted("factor", summed, w * total)
        yield weighted("factor", f"the samples' losses are divided by {total:.6g} {again}", w / total)
    if n > 1:
        for words, row in (("last", n - 1), ("first", 0)):
            only = np.zeros(n)
            only[row] = 1.0
            explained = f"only the {words} sample counts, as if each one replaced the sum so far"
            yield weighted("samples", explained, w * only)
            yield weighted("samples", explained, only)
        for words, row in (("last", n - 1), ("first", 0)):
            rest = w.copy()
            rest[row] = 0.0
            yield weighted("samples", f"the {words} sample is left out", rest)


def _of_the_penalty(point: Point) -> Iterator[Hypothesis]:
    l1, l2, n = point.penalties.l1, point.penalties.l2, len(point.w)
    names = [name for name, value in (("l1", l1), ("l2", l2)) if value]
    if not names:
        return

    def penalized(
        words: str, l1: float | None = None, l2: float | None = None, biases: bool = False
    ) -> Hypothesis:
        return Hypothesis("penalty", None, words, Slips(penalty=penalty_of(point, l1, l2, biases)))

    if len(names) == 2:
        yield penalized("the gradient of the l1 penalty, l1 sign(W), is missing", l1=0.0)
        yield penalized("the gradient of the l2 penalty, l2 W, is missing", l2=0.0)
    what = "l2 W" if names == ["l2"] else "l1 sign(W)" if names == ["l1"] else "l2 W + l1 sign(W)"
    kind = names[0] if len(names) == 1 else "l1 and l2"
    yield penalized(f"the gradient of the {kind} penalty, {what}, is missing", l1=0.0, l2=0.0)
    yield penalized("the penalty acts on biases too", biases=True)
    if l2:
        yield penalized("l2 is counted as l2 sum W^2, without its 1/2", l2=2 * l2)
    yield penalized(f"the penalty is divided by the number of samples, {n}", l1=l1 / n, l2=l2 / n)
    yield penalized(f"the penalty is multiplied by the number of samples, {n}", l1=l1 * n, l2=l2 * n)
    yield penalized("the penalty has the wrong sign", l1=-l1, l2=-l2)
