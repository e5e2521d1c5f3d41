"""From a wrong gradient to the mistake in it: hypotheses are tried from the output down until one fits.

Backpropagation carries a mistake from its layer to all those below, and to none above. So the uppermost
array that is wrong says where to look; a hypothesis that makes it right, and others too, is taken, and what
is wrong still is looked at in the same way. A hypothesis fits an array where it agrees with every judged
entry to the check's tolerance, and comes ten times nearer than the right gradient does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.diagnostics.mistakes.backpropagation import NONE, Point, Slips, gradient_with
from glassnet.diagnostics.mistakes.candidates import Hypothesis, in_a_layer, of_all
from glassnet.diagnostics.mistakes.finding import Finding, Kind
from glassnet.diagnostics.mistakes.own_functions import wrong_functions
from glassnet.nn.network import Parameters

MOST_MISTAKES = 4
"""Mistakes that are looked for in one gradient."""

_NEARER = 0.1
_FEW = 3  # wrong entries of an array that are listed one by one


def layer_of(name: str) -> int:
    """The layer of W1 or b1, say."""
    return int(name[1:])


@dataclass(frozen=True)
class Judged:
    """A gradient of which some entries are wrong, flat, as are the tolerance and the verdict of each."""

    point: Point
    gradient: Array
    tolerance: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    """The entries that are right or wrong."""
    single: bool
    """Whether float32 computed it."""

    @cached_property
    def right(self) -> Array:
        """What it should be."""
        return gradient_with(NONE, self.point)

    @cached_property
    def places(self) -> dict[str, NDArray[np.int64]]:
        """The places of W1, b1, ... in a flat gradient, in their shapes."""
        numbers = Parameters(self.point.network.sizes, np.arange(self.gradient.size, dtype=float))
        pairs = enumerate(zip(numbers.weights, numbers.biases, strict=True), 1)
        return {
            f"{kind}{layer}": places.astype(np.int64)
            for layer, pair in pairs
            for kind, places in zip("Wb", pair, strict=True)
        }

    @cached_property
    def accused(self) -> list[str]:
        """The arrays with wrong entries."""
        return [name for name, at in self.places.items() if self.wrong[at].any()]

    def array(self, flat: Array, name: str) -> Array:
        """One array of a flat gradient."""
        return flat[self.places[name]]

    def agrees(self, flat: Array, at: NDArray[Any]) -> bool:
        """Whether another gradient has the judged entries among some places, up to rounding."""
        at = at[self.judged[at]]
        relative = 1e-3 if self.single else 2e-5
        allowed = 8 * self.tolerance[at] + relative * np.abs(flat[at])
        return bool((np.abs(self.gradient[at] - flat[at]) <= allowed).all())

    def fits(self, flat: Array, name: str) -> bool:
        """Whether an array of a gradient with mistakes is the judged one's."""
        at = self.places[name].ravel()
        if not self.agrees(flat, at):
            return False
        if name not in self.accused:
            return True
        at = at[self.judged[at]]
        apart, before = (np.linalg.norm(self.gradient[at] - other[at]) for other in (flat, self.right))
        return bool(apart <= _NEARER * before)

    def unfit(self, flat: Array) -> list[str]:
        """The arrays that a gradient with mistakes does not explain, in the order W1, b1, ..."""
        return [name for name in self.places if not self.fits(flat, name)]

    def factor(self, flat: Array, names: list[str]) -> float | None:
        """The one factor between the judged arrays and those of `flat`; None where there is none."""
        at = np.concatenate([self.places[name].ravel() for name in names])
        at = at[self.judged[at]]
        ours, theirs, allowed = flat[at], self.gradient[at], self.tolerance[at]
        telling = np.abs(ours) > 10 * allowed
        if telling.sum() < 2 or not np.isfinite(theirs).all():
            return None
        largest = int(np.argmax(np.abs(ours)))
        factor = float(theirs[largest] / ours[largest])
        if factor == 0:
            return None
        slack = 2 * allowed * max(1.0, abs(factor)) + 0.01 * np.abs((factor - 1) * ours)
        return factor if (np.abs(theirs - factor * ours) <= slack).all() else None


def mistakes_in(seen: Judged) -> list[Finding]:
    """The mistakes in a gradient of which some entries are wrong, the uppermost first."""
    with np.errstate(all="ignore"):
        # Is this what backpropagation gives with the activations and the loss as they are?
        own = wrong_functions(seen.point)
        return own if own and seen.agrees(seen.right, np.arange(seen.right.size)) else _named(seen)


def _named(seen: Judged) -> list[Finding]:
    slips, findings = NONE, list[Finding]()
    rest = [*seen.accused]
    while rest and len(findings) < MOST_MISTAKES:
        best = _best(seen, slips, rest)
        if best is None:
            break
        hypothesis, slips, still = best
        names = tuple(name for name in rest if name not in still)
        findings.append(Finding(hypothesis.kind, hypothesis.layer, names, hypothesis.words))
        rest = still
    if rest:
        findings += _places(seen, slips, rest)
    return findings


def _best(seen: Judged, slips: Slips, rest: list[str]) -> tuple[Hypothesis, Slips, list[str]] | None:
    """The hypothesis that explains most of the uppermost wrong layer, then of all; of equal ones the first.

    None where none explains an array there, or each spoils one that is explained.
    """
    top = max(map(layer_of, rest))

    def score(unfit: list[str]) -> tuple[int, int]:
        here = sum(layer_of(name) >= top for name in unfit)
        return here, len(unfit) - here

    best, known, least = None, gradient_with(slips, seen.point), score(rest)
    for hypothesis in _hypotheses(seen, slips, known, rest):
        joined = slips.joined(hypothesis.slips)
        still = seen.unfit(gradient_with(joined, seen.point))
        reached = score(still)
        if reached[0] < least[0] or (best is not None and reached < least):
            best, least = (hypothesis, joined, still), reached
            if reached == (0, 0):
                break
    return best


def _hypotheses(seen: Judged, slips: Slips, known: Array, rest: list[str]) -> Iterator[Hypothesis]:
    point = seen.point
    top = max(map(layer_of, rest))
    yield from _factors(seen, known, rest, top)
    yield from in_a_layer(point, top)
    yield from of_all(point)
    for name in rest:
        if layer_of(name) == top:
            yield from _of_an_array(seen, known, name)


def _factors(seen: Judged, known: Array, rest: list[str], top: int) -> Iterator[Hypothesis]:
    """One factor of all, or of a layer's delta and so of all below."""
    whole = seen.factor(known, [*seen.places])
    if whole is not None and len(rest) == len(seen.places):
        kind, words = _factor_words(seen.point, whole)
        yield Hypothesis(kind, None, words, Slips(scale=whole))
        return
    own = [name for name in rest if layer_of(name) == top]
    factor = seen.factor(known, own)
    if factor is not None and len(own) == 2:
        kind, words = _factor_words(seen.point, factor)
        words = f"{words}: so is delta{top}, and all below"
        yield Hypothesis(kind, top, words, Slips(delta_factors={top: factor}))


def _of_an_array(seen: Judged, known: Array, name: str) -> Iterator[Hypothesis]:
    """What may have become of one array alone."""
    layer, mine, theirs = layer_of(name), seen.array(known, name), seen.array(seen.gradient, name)

    def array(kind: Kind, words: str, values: Array) -> Hypothesis:
        return Hypothesis(kind, layer, words, Slips(arrays={name: values}))

    if not theirs.any():
        kind: Kind = "bias" if name[0] == "b" else "missing"
        yield array(kind, "zero everywhere, as if it was never computed", np.zeros_like(mine))
    if mine.ndim == 2 and min(mine.shape) > 1:
        yield array("transposed", "looks transposed", mine.T.reshape(mine.shape))
    factor = seen.factor(known, [name])
    if factor is not None:
        scaled = factor * mine
        yield array(*_factor_words(seen.point, factor, whole=False), scaled)
    for other, places in seen.places.items():
        if other != name and places.shape == mine.shape and places.size > 1:
            for whole in (known, seen.right):
                yield array("order", f"it is the gradient of {other}", seen.array(whole, other))


def _factor_words(point: Point, factor: float, whole: bool = True) -> tuple[Kind, str]:
    """A factor, and where it may come from: of `whole` layers, or of one array alone."""
    if abs(factor + 1) < 1e-3:
        return "sign", "the wrong sign"
    n, outputs = len(point.w), point.network.sizes[-1]
    total = float(point.w.sum() / point.plain.sum() * n)
    causes = [
        (n, f"the number of samples{': a sum where the mean is asked for' if point.mean else ''}"),
        (1 / n, f"1 / the number of samples{'' if point.mean else ': a mean where the sum is asked for'}"),
    ]
    if abs(total - n) > 1e-9 * n:
        causes += [
            (total, "the sum of the sample weights"),
            (1 / total, "1 / the sum of the sample weights"),
        ]
    if whole and outputs > 1:
        causes += [
            (outputs, "the number of outputs"),
            (1 / outputs, "1 / the number of outputs, as of a mean over them"),
        ]
    if whole and point.network.loss.name in _SQUARES:
        causes += [
            (2.0, "as of a squared error without its 1/2"),
            (0.5, "as of a squared error whose 1/2 is counted twice"),
        ]
    words = f"every entry is {factor:.6g} times what it should be"
    fitting = [cause for value, cause in causes if value != 1 and abs(abs(factor) - value) <= 1e-4 * value]
    if not fitting:
        return "factor", words
    return "factor", f"{words}, {'minus ' if factor < 0 else ''}{', or '.join(fitting)}"


_SQUARES = {"squared_error", "brier", "tanh_error", "huber"}
"""Losses with a 1/2 in them."""


def _places(seen: Judged, slips: Slips, rest: list[str]) -> list[Finding]:
    """Where the mistake lies, for which no hypothesis fits."""
    findings: list[Finding] = []
    top = max(map(layer_of, rest))
    here = [name for name in rest if layer_of(name) == top]
    depth = len(seen.point.network.sizes) - 1
    known = gradient_with(slips, seen.point)
    for name in here:
        at = seen.places[name]
        apart = np.abs(seen.gradient - known)
        bad = [place for place in np.ndindex(at.shape) if seen.wrong[at[place]]]
        if len(bad) <= _FEW and len(bad) < at.size and not np.isnan(apart[at]).all():
            entries = ", ".join(f"{name}{list(place)}" for place in bad)
            verb = "is" if len(bad) == 1 else "are"
            findings.append(Finding("entry", top, (name,), f"only {entries} {verb} wrong in this array"))
    if len(findings) == len(here):
        return findings
    W, b = f"W{top}", f"b{top}"
    if here == [W]:
        words = f"delta{top} is right, as b{top} shows: what it is multiplied by is wrong, or the product"
    elif here == [b]:
        words = f"delta{top} is right, as W{top} shows: its sum over the samples is wrong"
    elif top < depth:
        above = top + 1
        words = (
            f"layer {above} is right: the mistake lies on the way from delta{above} to delta{top}, which "
            f"is (delta{above} W{above}^T) * sigma'(Z{top})"
        )
    else:
        words = ""
    findings.append(Finding("unknown", top, tuple(rest), words))
    return findings
