"""From a wrong gradient to the mistake in it: hypotheses are tried from the output down until one fits.

Backpropagation carries a mistake from its layer to all those below, and to none above. So the uppermost
array that is wrong says where to look; a hypothesis that makes it right, and others too, is taken, and what
is wrong still is looked at in the same way. A hypothesis fits an array where it agrees with every judged
entry to the check's tolerance, and comes ten times nearer than the right gradient does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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


class _Wrong:
    """The gradient that was judged, beside the tolerance and the verdict of each entry."""

    def __init__(
        self,
        point: Point,
        gradient: Array,
        tolerance: NDArray[np.float64],
        wrong: NDArray[np.bool_],
        judged: NDArray[np.bool_],
        single: bool,
    ) -> None:
        self.point, self.gradient, self.judged = point, gradient, judged
        self._tolerance, self._relative = tolerance, 1e-3 if single else 2e-5
        self.right = gradient_with(NONE, point)
        names, sizes = [], Parameters(point.network.sizes, np.arange(gradient.size, dtype=float))
        for layer, pair in enumerate(zip(sizes.weights, sizes.biases, strict=True), 1):
            for kind, places in zip("Wb", pair, strict=True):
                names.append((f"{kind}{layer}", places.astype(int)))
        self.places = dict(names)
        self.accused = [name for name, at in self.places.items() if wrong[at].any()]
        self.wrong = wrong

    def array(self, flat: Array, name: str) -> Array:
        """One array of a flat gradient."""
        return flat[self.places[name]]

    def fits(self, flat: Array, name: str) -> bool:
        """Whether an array of a gradient with mistakes is the judged one's."""
        at = self.places[name].ravel()
        at = at[self.judged[at]]
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(self.gradient[at] - flat[at])
            allowed = 8 * self._tolerance[at] + self._relative * np.abs(flat[at])
            if not (apart <= allowed).all():
                return False
            if name not in self.accused:
                return True
            before = np.abs(self.gradient[at] - self.right[at])
        return bool(np.linalg.norm(apart) <= _NEARER * np.linalg.norm(before))

    def unfit(self, flat: Array) -> list[str]:
        """The arrays that a gradient with mistakes does not explain, in the order W1, b1, ..."""
        return [name for name in self.places if not self.fits(flat, name)]

    def is_of_the_records(self) -> bool:
        """Whether this is what backpropagation gives with the activations and the loss as they are."""
        apart = np.abs(self.gradient - self.right)[self.judged]
        allowed = 8 * self._tolerance[self.judged] + self._relative * np.abs(self.right[self.judged])
        return bool((apart <= allowed).all())

    def factor(self, flat: Array, names: list[str]) -> float | None:
        """The one factor between the judged arrays and those of `flat`; None where there is none."""
        at = np.concatenate([self.places[name].ravel() for name in names])
        at = at[self.judged[at]]
        ours, theirs, allowed = flat[at], self.gradient[at], self._tolerance[at]
        telling = np.abs(ours) > 10 * allowed
        if telling.sum() < 2 or not np.isfinite(theirs).all():
            return None
        largest = int(np.argmax(np.abs(ours)))
        factor = float(theirs[largest] / ours[largest])
        if factor == 0:
            return None
        slack = 2 * allowed * max(1.0, abs(factor)) + 0.01 * np.abs((factor - 1) * ours)
        return factor if (np.abs(theirs - factor * ours) <= slack).all() else None


def mistakes_in(
    point: Point,
    gradient: Array,
    tolerance: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    single: bool,
) -> list[Finding]:
    """The mistakes in a gradient of which some entries are wrong, the uppermost first.

    `gradient`, `tolerance`, `wrong` and `judged` are flat, of every parameter; `single` says that float32
    computed it.
    """
    with np.errstate(all="ignore"):
        seen = _Wrong(point, gradient, tolerance, wrong, judged, single)
        own = wrong_functions(point)
        if own and seen.is_of_the_records():
            return own
        return _named(seen)


def _named(seen: _Wrong) -> list[Finding]:
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


def _best(seen: _Wrong, slips: Slips, rest: list[str]) -> tuple[Hypothesis, Slips, list[str]] | None:
    """The hypothesis that explains most of the uppermost wrong layer, then of all; of equal ones the first.

    None where none explains an array there, or each spoils one that is explained.
    """
    top = max(map(layer_of, rest))

    def score(unfit: list[str]) -> tuple[int, int]:
        here = sum(layer_of(name) >= top for name in unfit)
        return here, len(unfit) - here

    best, known, least = None, gradient_with(slips, seen.point), score(rest)
    for hypothesis in _hypotheses(seen, slips, known, rest):
        joined = hypothesis.join(slips)
        still = seen.unfit(gradient_with(joined, seen.point))
        reached = score(still)
        if reached[0] < least[0] or (best is not None and reached < least):
            best, least = (hypothesis, joined, still), reached
            if reached == (0, 0):
                break
    return best


def _hypotheses(seen: _Wrong, slips: Slips, known: Array, rest: list[str]) -> Iterator[Hypothesis]:
    point = seen.point
    top = max(map(layer_of, rest))
    yield from _factors(seen, known, rest, top)
    yield from in_a_layer(point, top)
    yield from of_all(point)
    for name in rest:
        if layer_of(name) == top:
            yield from _of_an_array(seen, known, name)


def _factors(seen: _Wrong, known: Array, rest: list[str], top: int) -> Iterator[Hypothesis]:
    """One factor of all, or of a layer's delta and so of all below."""
    whole = seen.factor(known, [*seen.places])
    if whole is not None and len(rest) == len(seen.places):
        kind, words = _factor_words(seen.point, whole)
        yield Hypothesis(kind, None, words, lambda s: replace(s, scale=s.scale * whole))
        return
    own = [name for name in rest if layer_of(name) == top]
    factor = seen.factor(known, own)
    if factor is not None and len(own) == 2:
        kind, words = _factor_words(seen.point, factor)
        words, factors = f"{words}: so is delta{top}, and all below", {top: factor}
        yield Hypothesis(
            kind, top, words, lambda s: replace(s, delta_factors={**s.delta_factors, **factors})
        )


def _of_an_array(seen: _Wrong, known: Array, name: str) -> Iterator[Hypothesis]:
    """What may have become of one array alone."""
    layer, mine, theirs = layer_of(name), seen.array(known, name), seen.array(seen.gradient, name)

    def array(kind: Kind, words: str, values: Array) -> Hypothesis:
        return Hypothesis(
            kind, layer, words, lambda s: replace(s, arrays={**s.arrays, name: lambda old: values})
        )

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


def _places(seen: _Wrong, slips: Slips, rest: list[str]) -> list[Finding]:
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
