"""A network's shape and functions, its parameters as one flat vector, and initial draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn import reference
from glassnet.nn.activations import ACTIVATIONS, Activation, get_activation
from glassnet.nn.losses import OUTPUTS, Loss, Output, get_output
from glassnet.nn.names import get_loss
from glassnet.nn.network_html import drawing
from glassnet.nn.schemes import SCHEMES, Ranges, fit_to_ranges
from glassnet.utils.array_checks import as_dtype, as_matrix, as_numbers, cast, check_finite
from glassnet.utils.html import cell_output, cell_table
from glassnet.utils.settings_checks import as_random_state
from glassnet.utils.threads import thread_count


def as_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """Layer widths as a tuple of at least two positive integers, or an error that names the bad one."""
    if isinstance(sizes, (str, bytes)) or not isinstance(sizes, Iterable):
        raise InputTypeError(f"sizes is a sequence of layer widths such as (2, 3, 2), not {sizes!r}.")
    widths = tuple(sizes)
    for i, width in enumerate(widths):
        if isinstance(width, bool) or not isinstance(width, (int, np.integer)):
            raise InputTypeError(f"sizes[{i}] is {width!r} in {widths}; a width is a whole number.")
        if width < 1:
            raise InputError(f"sizes[{i}] is {width} in {widths}; a layer needs a width of 1 or more.")
    if len(widths) < 2:
        raise InputError(f"sizes is {widths}; expected at least an input and an output, as in (2, 2).")
    return tuple(int(width) for width in widths)


class Parameters:
    """A network's weights and biases: one flat vector, and a view on it for each W and b.

    ``flat`` is (n_parameters,), contiguous and writable, in the order W1, b1, W2, b2, ... with each
    W in C order. ``weights[l]`` is (sizes[l], sizes[l+1]) and ``biases[l]`` is (sizes[l+1],); both
    are views: writing to them writes to ``flat``.

    Example
    -------
    >>> import glassnet as gn
    >>> theta = gn.Network((2, 3, 2)).initialize(random_state=42)
    >>> theta.weights[0][0, 0] = 5.0
    >>> float(theta.flat[0])
    5.0

    Raises InputError where the length of `flat` does not fit the sizes. A contiguous float32 or float64
    array is wrapped, not copied.
    """

    __slots__ = ("biases", "flat", "sizes", "weights")

    def __init__(self, sizes: Iterable[int], flat: NDArray[Any]) -> None:
        self.sizes = as_sizes(sizes)
        flat = as_numbers(flat, "flat")
        self.flat: Array = np.require(flat, dtype=as_dtype(None, flat), requirements=["C", "W"])
        expected = count_parameters(self.sizes)
        if self.flat.shape != (expected,):
            raise InputError(
                f"flat has shape {flat.shape}; sizes {self.sizes} have {expected} parameters, "
                f"so expected ({expected},)."
            )
        weights, biases, start = [], [], 0
        for n_in, n_out in pairwise(self.sizes):
            middle, stop = start + n_in * n_out, start + (n_in + 1) * n_out
            weights.append(self.flat[start:middle].reshape(n_in, n_out))
            biases.append(self.flat[middle:stop])
            start = stop
        self.weights: tuple[Array, ...] = tuple(weights)
        self.biases: tuple[Array, ...] = tuple(biases)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.flat.dtype

    def copy(self) -> Parameters:
        """The same values in memory of their own."""
        return Parameters(self.sizes, self.flat.copy())

    def astype(self, dtype: DTypeLike) -> Parameters:
        """The same values in another precision, always a copy."""
        return Parameters(self.sizes, self.flat.astype(as_dtype(dtype)))

    # Views do not survive pickling or deepcopy: only the flat vector is pickled.
    def __reduce__(self) -> tuple[Any, ...]:
        return Parameters, (self.sizes, self.flat.copy())

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameters:
        return self.copy()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Parameters)
            and self.sizes == other.sizes
            and self.dtype == other.dtype
            and bool(np.array_equal(self.flat, other.flat, equal_nan=True))
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        layers = []
        for number, (W, b) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            values = (np.array2string(a, precision=6, prefix="     ") for a in (W, b))
            layers += [f"W{number} = {next(values)}", f"b{number} = {next(values)}"]
        total = self.flat.size
        head = f"Parameters{self.sizes}, {total} values, {self.dtype.name}"
        return head if total > 100 else "\n".join([head, *layers])


def count_parameters(sizes: Sequence[int]) -> int:
    """(n_in + 1) n_out, summed over the layers."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def as_network(network: object) -> Network:
    """The network itself; InputTypeError for anything else."""
    if not isinstance(network, Network):
        raise InputTypeError(f"network is a glassnet.Network, not {type(network).__name__}.")
    return network


@dataclass(frozen=True, init=False, repr=False)
class Network:
    """A feedforward network: layer widths, hidden activations, output link and loss.

    A layer computes Z = H W + b and H = activation(Z); the last one Y_hat = link(Z).

    Parameters
    ----------
    sizes : widths from input to output; (2, 2) has no hidden layer.
    hidden : one activation (a name or a record) for all hidden layers, or a list with one for each.
    output : "softmax", "logistic", "identity", "exp", or "tanh", by the NumPy engine.
    loss : None takes the output's own loss: cross_entropy, binary_cross_entropy, squared_error, poisson.
        A name takes another ("absolute_error", "huber", "quantile" over identity, "brier" over logistic);
        `glassnet.nn.losses.huber(delta=0.5)` or ``{"name": "huber", "delta": 0.5}`` one with settings.

    Raises InputError for a width below 1, an unknown name, a list of activations that is not as long as
    there are hidden layers, a softmax over one class, or a loss over another output.

    Example
    -------
    >>> import glassnet as gn
    >>> net = gn.Network((2, 3, 2), hidden="logistic", output="softmax")
    >>> net.n_parameters
    17

    A network is frozen and holds no parameters, unlike a PyTorch module: one network can be trained many
    times, from several threads. W is (n_in, n_out), the transpose of PyTorch's.
    """

    sizes: tuple[int, ...]
    hidden: tuple[Activation, ...]
    output: Output
    loss: Loss

    def __init__(
        self,
        sizes: Iterable[int],
        hidden: str | Activation | Sequence[str | Activation] = "logistic",
        output: str = "softmax",
        loss: str | Mapping[str, Any] | Loss | None = None,
    ) -> None:
        sizes = as_sizes(sizes)
        n_hidden = len(sizes) - 2
        if isinstance(hidden, Sequence) and not isinstance(hidden, str):
            records = tuple(get_activation(activation) for activation in hidden)
        else:
            records = (get_activation(hidden),) * n_hidden
        if len(records) != n_hidden:
            raise InputError(
                f"hidden names {len(records)} activation(s), but sizes {sizes} have {n_hidden} "
                f"hidden layer(s). Give one name for all layers, or one for each."
            )
        link = get_output(output)
        if link.name == "softmax" and sizes[-1] < 2:
            raise InputError(
                f"A softmax over {sizes[-1]} output is always 1: use 2 outputs, or "
                f'output="logistic" with one.'
            )
        for field, value in (
            ("sizes", sizes),
            ("hidden", records),
            ("output", link),
            ("loss", get_loss(loss, link)),
        ):
            object.__setattr__(self, field, value)

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return count_parameters(self.sizes)

    def __repr__(self) -> str:
        names = [record.name for record in self.hidden]
        hidden = f", hidden={(names[0] if len(set(names)) == 1 else names)!r}" if names else ""
        loss = "" if self.loss == get_loss(None, self.output) else f", loss={self.loss.to_plain()!r}"
        return f"Network({self.sizes}{hidden}, output={self.output.name!r}{loss})"

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        functions = [*(record.name for record in self.hidden), self.output.name]
        return f"{sizes} ({', '.join(functions)}; {self.loss})"

    def summary(self) -> str:
        """A table of the layers: units, function, and the numbers of weights and biases.

        >>> import glassnet as gn
        >>> print(gn.Network((4, 8, 3), hidden="tanh").summary())
        layer     units  function  weights  biases
        input         4
        hidden 1      8  tanh           32       8
        output        3  softmax        24       3
        67 parameters, loss cross_entropy

        Keras's ``model.summary()`` and MATLAB's ``view(net)`` show the same.
        """
        rows = self._layers()
        a, b, c, d, e = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            f"{name:<{a}}  {units:>{b}}  {function:<{c}}  {weights:>{d}}  {biases:>{e}}".rstrip()
            for name, units, function, weights, biases in rows
        ]
        return "\n".join([*lines, self._totals])

    @property
    def _totals(self) -> str:
        return f"{self.n_parameters:,} parameters, loss {self.loss}"

    def _layers(self) -> list[tuple[str, ...]]:
        """The table of `summary`: its heading, and a row for each layer."""
        names = [*(f"hidden {i}" for i in range(1, len(self.hidden) + 1)), "output"]
        functions = [*(record.name for record in self.hidden), self.output.name]
        rows: list[tuple[str, ...]] = [("layer", "units", "function", "weights", "biases")]
        rows.append(("input", f"{self.sizes[0]:,}", "", "", ""))
        for name, function, (n_in, n_out) in zip(names, functions, pairwise(self.sizes), strict=True):
            rows.append((name, f"{n_out:,}", function, f"{n_in * n_out:,}", f"{n_out:,}"))
        return rows

    def _repr_html_(self) -> str:
        head, *rows = self._layers()
        picture = drawing(self.sizes, [row[2] for row in rows[1:]])
        return cell_output(
            f"Network {'-'.join(map(str, self.sizes))}",
            [self._totals],
            picture,
            cell_table(head, rows, left=(0, 2)),
        )

    def initialize(
        self,
        random_state: int | RandomState | None = None,
        scheme: str = "glorot",
        dtype: DTypeLike = float,
        ranges: Ranges | None = None,
    ) -> Parameters:
        """Draw the parameters that training starts from, layer by layer, W before b.

        `scheme` is "normal" (standard normal weights and biases, as in the notebook), "glorot",
        "he", "sklearn" (the numbers that scikit-learn's MLPClassifier draws from the same seed) or
        "nguyen_widrow" (MATLAB's: the slopes of tanh, logistic and softsign units share out the inputs'
        range; others and the output layer are as by "glorot"). It draws in float64 and then casts, so that
        both precisions start from the same point. `ranges` are the least and the largest value of each
        input, two arrays (inputs,), for "nguyen_widrow": None stands for -1 and 1, and `gn.train` takes
        those of X.

        >>> import glassnet as gn
        >>> gn.Network((2, 3, 2)).initialize(random_state=42, scheme="normal").flat[:2].round(4).tolist()
        [0.4967, -0.1383]
        """
        if scheme not in SCHEMES:
            raise unknown_name("scheme", scheme, SCHEMES)
        random = as_random_state(random_state)
        draw, hidden = SCHEMES[scheme], [record.name for record in self.hidden]
        layers = [draw(self.sizes, hidden, layer, random) for layer in range(len(self.sizes) - 1)]
        if scheme == "nguyen_widrow" and ranges is not None:
            layers[0] = fit_to_ranges(*layers[0], ranges)
        flat = np.concatenate([array.ravel() for layer in layers for array in layer])
        return Parameters(self.sizes, flat.astype(as_dtype(dtype), copy=False))

    def check_parameters(self, theta: Parameters | NDArray[Any]) -> Parameters:
        """`theta` as Parameters of this network's sizes, finite; a flat vector is wrapped."""
        if hasattr(theta, "losses") and hasattr(theta, "theta"):
            raise InputTypeError("Expected parameters, not a run: give run.theta.")
        if not isinstance(theta, Parameters):
            theta = Parameters(self.sizes, as_numbers(theta, "parameters"))
        if theta.sizes != self.sizes:
            raise InputError(f"The parameters have sizes {theta.sizes}, the network has {self.sizes}.")
        check_finite(theta.flat, "parameters")
        return theta

    def forward(self, theta: Parameters | NDArray[Any], X: object = None) -> list[Array]:
        """Every layer's output, [H1, ..., Y_hat], each (n, width); computed in the parameters' precision.

        Raises InputError for an X that is not 2-D, not finite in that precision, or whose width is not that
        of the input.

        >>> import glassnet as gn
        >>> net = gn.Network((2, 3, 2))
        >>> [layer.shape for layer in net.forward(net.initialize(0), [[0.5, -1.0]])]
        [(1, 3), (1, 2)]
        """
        _check_both(X)
        theta = self.check_parameters(theta)
        inputs = cast(as_matrix(X, width=self.sizes[0]), theta.dtype, "X")
        # Huge parameters overflow: the outputs are then NaN or infinite.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Zs, Hs = reference.forward_propagation(inputs, theta.weights, theta.biases, self.hidden)
            return [*Hs[1:], reference.output_activations(Zs[-1], self.output)]

    def predict_proba(self, theta: Parameters | NDArray[Any], X: object = None) -> Array:
        """The class probabilities (softmax) or label probabilities (logistic), (n, outputs).

        The native engine computes them where it is installed and knows the functions: a row takes a few
        microseconds where theta is `Parameters` and X a C-contiguous array of its precision.

        Raises InputError for a network whose output is not a probability, and all that `forward` raises.

        >>> import glassnet as gn
        >>> net = gn.Network((2, 3, 2))
        >>> net.predict_proba(net.initialize(0), [[0.5, -1.0]]).shape
        (1, 2)
        """
        if self.loss.target not in ("class", "label"):
            raise InputError(
                f"A network with output {self.output.name!r} predicts values, not probabilities: "
                f"use predict."
            )
        return outputs_of(self, theta, X)

    def predict(self, theta: Parameters | NDArray[Any], X: object = None) -> NDArray[Any]:
        """The most probable class number (n,) for softmax, labels 0 or 1 for logistic, else Y_hat.

        Labels and Y_hat are (n, outputs), and (n, 1) with one output: take ``.ravel()`` before you compute
        with a y (n,), because NumPy broadcasts (n, 1) with (n,) to (n, n).

        >>> import glassnet as gn
        >>> net = gn.Network((2, 3, 1), output="identity")
        >>> net.predict(net.initialize(0), [[0.5, -1.0], [0.0, 1.0]]).shape
        (2, 1)
        """
        return decided(self, outputs_of(self, theta, X))

    @cached_property
    def _predictor(self) -> Any:
        """The native engine's forward pass of this network, or None where it cannot run it."""
        if (
            native.module is None
            or OUTPUTS.get(self.output.name) is not self.output
            or any(ACTIVATIONS.get(record.name) is not record for record in self.hidden)
        ):
            return None
        hidden = [record.name for record in self.hidden]
        return native.module.Predictor(self.sizes, hidden, self.output.name, native.forced_isa())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_predictor"}


def outputs_of(
    network: Network, theta: Parameters | NDArray[Any], X: object, threads: int | None = None
) -> Array:
    """Y_hat alone, (n, outputs), by the native engine where it can; `threads` None takes all cores."""
    _check_both(X)
    predictor = network._predictor
    if predictor is None:
        return network.forward(theta, X)[-1]
    if type(theta) is Parameters and theta.sizes == network.sizes:
        # The checks below take longer than one row does; the predictor returns None where they would raise.
        few = threads is None and (not isinstance(X, np.ndarray) or X.size < _ONE_THREAD)
        Y_hat = predictor(theta.flat, X, 1 if few else thread_count(threads))
        if Y_hat is not None:
            return Y_hat
    theta = network.check_parameters(theta)
    inputs = np.ascontiguousarray(cast(as_matrix(X, width=network.sizes[0]), theta.dtype, "X"))
    Y_hat = predictor(theta.flat, inputs, thread_count(threads))
    return network.forward(theta, inputs)[-1] if Y_hat is None else Y_hat


def decided(network: Network, Y_hat: Array) -> NDArray[Any]:
    """The predictions of `Network.predict` from the outputs."""
    if network.loss.target == "class":
        return np.argmax(Y_hat, axis=1)
    return (Y_hat > 0.5).astype(np.intp) if network.loss.target == "label" else Y_hat


_ONE_THREAD = 4096  # entries of X below which a second thread never pays


def _check_both(X: object) -> None:
    """InputTypeError for net.predict(X), as in libraries whose networks hold their parameters."""
    if X is None:
        raise InputTypeError(
            "X is missing. A Network holds no parameters: use net.predict(theta, X), or run.predict(X) of "
            "the run that gn.train returns."
        )
