"""The gradient checker, which trusts neither the engine nor the reference's backward pass.

`central_differences` has the numerical side, and says how it judges an entry.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.data.checks import target_rows
from glassnet.diagnostics.central_differences import LossDifferences
from glassnet.diagnostics.gradient_report import GradientCheck, GradientEntry, findings_of
from glassnet.diagnostics.mistakes import Finding, Judged, Point, mistakes_in
from glassnet.engine.prepare import prepare
from glassnet.errors import InputError
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.utils.array_checks import as_dtype, as_matrix, as_numbers, as_target, cast
from glassnet.utils.settings_checks import as_real


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
    holds them; the top of `glassnet.diagnostics.central_differences` says how it judges an entry. l1 and l2
    are `train`'s penalties; |W| has a kink at 0.

    Where entries are wrong, the result's `findings` name the mistake and its layer: the check computes what
    the gradient would be with each known mistake (a transposed weight, a missing derivative, a factor of
    n, a forgotten bias, a loss and a delta that do not belong together, ...), and says which one fits. For
    activations and losses of your own too, whose derivatives are compared with their values.

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
    data, double = (inputs, Y, w / problem.divisor), at.astype(np.float64)
    judged = np.asarray(backpropagated, np.float64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        differences = LossDifferences(network, double, data, problem.penalties, precision)
        table = tuple(_entries(differences, judged, epsilon))
    plain = np.full(len(inputs), 1.0 / len(inputs) if reduction == "mean" else 1.0)
    point = Point(network, double, *data, plain, problem.penalties, reduction == "mean")
    return GradientCheck(
        network=network,
        table=table,
        engine=problem.engine if own is None else "given",
        dtype=precision,
        epsilon=epsilon,
        reduction=reduction,
        n_samples=len(inputs),
        findings=findings_of(table, _mistakes(point, judged, table, precision)),
    )


def _mistakes(
    point: Point, gradient: NDArray[np.float64], table: Sequence[GradientEntry], precision: np.dtype[Any]
) -> list[Finding]:
    """The mistakes in a gradient; none where no entry is wrong."""
    wrong = np.array([entry.verdict == "wrong" for entry in table])
    if not wrong.any():
        return []
    tolerance = np.array([entry.tolerance for entry in table])
    judged = np.array([entry.verdict in ("right", "wrong") for entry in table])
    return mistakes_in(Judged(point, gradient, tolerance, wrong, judged, precision == np.float32))


def _entries(
    differences: LossDifferences, gradient: NDArray[np.float64], epsilon: float
) -> Iterator[GradientEntry]:
    """A row for every entry of every parameter, in the order of the flat vector."""
    for (layer, kind, index), backpropagated in zip(differences.entries(), gradient.tolist(), strict=True):
        judgement = differences.judge(layer, kind, index, backpropagated, epsilon)
        largest = max(abs(judgement.numerical), abs(backpropagated))
        relative = abs(judgement.numerical - backpropagated) / largest if largest else 0.0
        yield GradientEntry(
            layer + 1,
            f"{kind}{layer + 1}",
            index,
            judgement.numerical,
            backpropagated,
            relative,
            *judgement[1:],
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
