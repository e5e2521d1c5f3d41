"""The gradient checker, which trusts neither the engine nor the reference's backward pass.

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

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet._types import Array
from glassnet.data.checks import target_rows
from glassnet.diagnostics.gradient_report import GradientCheck, GradientEntry, Verdict
from glassnet.diagnostics.rounding import rounding_errors, unit_roundoff
from glassnet.engine.prepare import prepare
from glassnet.errors import InputError
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim.penalties import Penalties, weight_mask
from glassnet.utils.array_checks import as_dtype, as_matrix, as_numbers, as_target, cast
from glassnet.utils.settings_checks import as_real

RELATIVE_TOLERANCE = 1e-5
"""The tolerance of `numpy.allclose`, and so of the notebook; the check adds both roundings to it."""

SMALLER_STEPS = 4
"""How many times the check makes a step ten times smaller."""


def check_gradients(
    network: Network,
    theta: Parameters | NDArray[Any],
    X: object,
    y: object,
    *,
    epsilon: float = 1e-4,
    reduction: str = "mean",
    sample_weight: object = None,
    engine: str = "auto",
    dtype: DTypeLike | None = None,
    threads: int | None = None,
    gradient: Parameters | NDArray[Any] | Sequence[NDArray[Any]] | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
) -> GradientCheck:
    """Compare every entry of the gradient with a central difference, [J(+h) - J(-h)] / 2h.

    X is (n, inputs), y as for `loss_and_gradient`. The gradient is the engine's, in `dtype` (None:
    the precision of the parameters); or your own, `gradient`, in the same reduction: Parameters,
    a flat vector, or a list [W1, b1, W2, b2, ...] of arrays (a bias may be (1, width)), judged by the
    precision of its arrays. The numerical side is always float64, at the data and parameters as `dtype`
    holds them. The top of this module says how the check judges an entry. l1 and l2 are `train`'s
    penalties; |W| has a kink at 0.

    Raises InputError and InputTypeError for bad input, EngineError for an engine that cannot run the
    network. A wrong gradient is a result, not an error: `GradientCheck.raise_if_failed` makes it one.

    >>> import glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> X, y = [[0.5, -1.0], [1.5, 0.2]], [0, 1]
    >>> check = gn.check_gradients(net, net.initialize(0, scheme="normal"), X, y, engine="numpy")
    >>> check.passed, check.n_checked, check.n_kinks
    (True, 17, 0)

    The notebook stops at the first entry that fails `numpy.allclose`; `torch.autograd.gradcheck` fails
    where a step crosses a kink and needs float64. The check takes two passes per parameter: for a large
    network, check a few samples.
    """
    epsilon = as_real(epsilon, "epsilon")
    if not 0 < epsilon < 1:
        raise InputError(f"epsilon is {epsilon}; expected a small step above 0 and below 1, such as 1e-4.")
    as_network(network)
    theta = network.check_parameters(theta)
    own = None if gradient is None else _as_gradient(network, gradient)
    precision = as_dtype(dtype) if dtype is not None else (theta if own is None else own).dtype

    problem = prepare(
        network,
        X,
        y,
        dtype=precision,
        reduction=reduction,
        sample_weight=sample_weight,
        engine=engine if own is None else "numpy",
        threads=threads,
        l1=l1,
        l2=l2,
    )
    at = Parameters(network.sizes, cast(theta.flat, precision, "parameters"))
    backpropagated = problem.loss_and_gradient(at.flat)[1] if own is None else own.flat

    # The numerical side sees the numbers that the engine saw, and computes with them in float64.
    def seen(values: NDArray[Any]) -> NDArray[np.float64]:
        return values.astype(precision).astype(np.float64)

    inputs = seen(as_matrix(X))
    targets = as_target(y, len(inputs), network.sizes[-1], network.loss.target)
    Y = seen(target_rows(targets, network.sizes[-1], precision))
    w = np.ones(len(inputs)) if sample_weight is None else seen(as_numbers(sample_weight, "sample_weight"))
    data = inputs, Y, w / problem.divisor
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        judge = _Judge(network, at.astype(np.float64), data, problem.penalties, precision)
        table = tuple(judge.judge(np.asarray(backpropagated, np.float64), epsilon))
    return GradientCheck(
        network=network,
        table=table,
        engine=problem.engine if own is None else "given",
        dtype=precision,
        epsilon=epsilon,
        reduction=reduction,
        n_samples=len(inputs),
    )


def _as_gradient(
    network: Network, gradient: Parameters | NDArray[Any] | Sequence[NDArray[Any]]
) -> Parameters:
    """A user's own gradient as Parameters: any values, in the right shapes."""
    if isinstance(gradient, Parameters):
        if gradient.sizes != network.sizes:
            raise InputError(f"The gradient has sizes {gradient.sizes}, the network has {network.sizes}.")
        return gradient
    if not isinstance(gradient, (list, tuple)) or not any(np.ndim(array) for array in gradient):
        return Parameters(network.sizes, as_numbers(gradient, "gradient"))
    expected = [
        (f"{kind}{layer}", (n_in, n_out) if kind == "W" else (n_out,))
        for layer, (n_in, n_out) in enumerate(zip(network.sizes, network.sizes[1:], strict=False), 1)
        for kind in "Wb"
    ]
    if len(gradient) != len(expected):
        names = ", ".join(name for name, _ in expected)
        raise InputError(f"gradient has {len(gradient)} arrays; expected {len(expected)}: {names}.")
    flat = []
    for (name, shape), values in zip(expected, gradient, strict=True):
        array = as_numbers(values, f"gradient {name}")
        if array.shape != shape and not (len(shape) == 1 and array.shape == (1, *shape)):
            hint = " It looks transposed." if array.shape == shape[::-1] else ""
            raise InputError(f"The gradient of {name} has shape {array.shape}; expected {shape}.{hint}")
        flat.append(array.ravel())
    return Parameters(network.sizes, np.concatenate(flat))


class _Judge:
    """The numerical side at one point, which judges a gradient entry by entry."""

    def __init__(
        self,
        network: Network,
        theta: Parameters,
        data: tuple[Array, Array, Array],
        penalties: Penalties,
        precision: np.dtype[Any],
    ) -> None:
        X, self._Y, self._w = data
        self._network, self._theta = network, theta
        self._l1, self._l2 = penalties.l1, penalties.l2
        Zs, self._Hs = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
        self._sides = [self._sides_of(Zs, 0, layer) for layer in range(len(network.sizes) - 1)]
        self._loss_error, _ = rounding_errors(network, theta, *data, unit_roundoff(theta.dtype))
        _, self._gradient_error = rounding_errors(network, theta, *data, unit_roundoff(precision))
        # Two products and two sums of the penalty's slope.
        slope = weight_mask(network.sizes) * (self._l2 * np.abs(theta.flat) + self._l1)
        self._gradient_error = self._gradient_error + 4 * unit_roundoff(precision) * slope

    def judge(self, gradient: NDArray[np.float64], epsilon: float) -> Iterator[GradientEntry]:
        """A row for every entry of every parameter, in the order of the flat vector."""
        entries = zip(gradient.tolist(), self._gradient_error.tolist(), strict=True)
        for layer, arrays in enumerate(zip(self._theta.weights, self._theta.biases, strict=True)):
            for name, values in zip("Wb", arrays, strict=True):
                for index in np.ndindex(values.shape):
                    backpropagated, error = next(entries)
                    numerical, allowed, step, verdict = self._entry(
                        layer, values, index, backpropagated, error, epsilon
                    )
                    largest = max(abs(numerical), abs(backpropagated))
                    relative = abs(numerical - backpropagated) / largest if largest else 0.0
                    label = layer + 1, f"{name}{layer + 1}", index
                    yield GradientEntry(*label, numerical, backpropagated, relative, allowed, step, verdict)

    def _entry(
        self,
        layer: int,
        values: Array,
        index: tuple[int, ...],
        gradient: float,
        error: float,
        epsilon: float,
    ) -> tuple[float, float, float, Verdict]:
        """The numerical derivative, the difference allowed, the step, and the verdict."""
        verdict: Verdict = "kink"
        before = None  # the derivative from the step before
        result = math.nan, math.inf, epsilon
        for k in range(SMALLER_STEPS + 1):
            step = epsilon / 10**k
            numerical, width, crosses = self._central_difference(layer, values, index, step)
            if width == 0:  # the step is lost in the last digit of the parameter
                verdict = "unsettled"
                break
            allowed = RELATIVE_TOLERANCE * abs(numerical) + 2 * self._loss_error / width + error
            result = numerical, allowed, step
            if crosses:
                continue
            difference = abs(numerical - gradient)
            if difference <= allowed < math.inf:
                return *result, "right"
            # A step ten times smaller leaves at most a tenth of the truncation error, `left`. An entry that
            # has settled and differs by more is wrong; `not` makes a gradient that is NaN wrong too.
            left = math.inf if before is None else abs(before - numerical) / 9
            if left <= allowed < math.inf and not difference <= allowed + left:
                return *result, "wrong"
            before, verdict = numerical, "unsettled"
        return *result, verdict

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
