"""Floor 4: one interface over two engines; the data are validated and prepared here, once."""

from __future__ import annotations

import copy
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet import native, penalties, reference
from glassnet.activations import ACTIVATIONS, Array
from glassnet.arrays import as_dtype, as_matrix, as_target, as_vector, check_finite
from glassnet.class_weights import as_class_weights
from glassnet.cores import thread_count
from glassnet.dropout import Masks, as_dropout
from glassnet.errors import EngineError, InputError, InputTypeError, unknown_name
from glassnet.network import Network, Parameters
from glassnet.optimizers import SGD, Optimizer
from glassnet.optimizers.compiled import native_rule
from glassnet.penalties import Penalties

REDUCTIONS = ("mean", "sum")
ENGINES = ("auto", "native", "numpy")

_PACKED_ROWS = 1 << 16  # rows cast at a time, so that casting never holds a second copy of X


@dataclass(frozen=True)
class Descent:
    """How far a call of `Problem.descend` came: updates made, and whether the next one blew up."""

    updates: int
    diverged: bool


class Problem(ABC):
    """A network with its data, checked and packed: what solvers and loops of one's own call.

    Attributes: `network`, `n_samples`, `dtype`, `reduction`, `engine` ("native" or "numpy"),
    `engine_reason` (why that one), `threads`, `penalties`, `dropout` (p of each hidden layer),
    `class_weight` (the weight of each class, or None), and `baseline`, the loss where the output
    layer's Z is 0 everywhere, which is what a network that knows nothing pays.
    """

    engine: str
    threads: int = 1
    penalties = Penalties()
    class_weight: tuple[float, ...] | None = None

    def __init__(
        self,
        network: Network,
        n_samples: int,
        dtype: np.dtype[Any],
        reduction: str,
        weight_sum: float,
        dropout: tuple[float, ...],
    ) -> None:
        self.network = network
        self.n_samples = n_samples
        self.dtype = dtype
        self.reduction = reduction
        self.divisor = weight_sum if reduction == "mean" else 1.0
        self.dropout = dropout
        self.baseline = 0.0
        self.engine_reason = ""

    def with_threads(self, threads: int | None) -> Problem:
        """The same problem over the same packed data, computed on another number of threads.

        Several Python threads may call one problem at once: a call keeps its scratch to itself.
        """
        thread_count(threads)  # one thread is all that there is here, whatever is asked for
        return self

    def with_penalties(self, penalties: Penalties) -> Problem:
        """The same problem over the same packed data, with other penalties."""
        other = copy.copy(self)
        other.penalties = penalties
        return other

    @abstractmethod
    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        """The reduced loss with its penalties, and the gradient, at flat parameters of this dtype.

        With `masks` those of a training pass, which drops hidden units where there is dropout.
        """

    @abstractmethod
    def loss(self, flat: Array) -> float:
        """The same loss, to the last bit, by a pass forward alone."""

    @abstractmethod
    def descend(
        self,
        flat: Array,
        state: Array,
        gradient: Array,
        losses: NDArray[np.float64],
        *,
        optimizer: Optimizer,
        rates: NDArray[np.float64],
        first_update: int,
        limit: float,
        stop: NDArray[np.uint8],
        seconds: float,
        masks: Masks | None = None,
        average: float = 0.0,
    ) -> Descent:
        """Up to ``len(losses)`` updates by the optimizer, all arrays changed in place.

        `state` is (len(optimizer.state_names), n_parameters). `rates` holds one learning rate for all
        updates, or at least one for each; the optimizer's own is not looked at. `first_update` is the
        number of the first update, from 1. With an `average` d above 0, `state` has a last row more:
        a mean of the parameters, made d mean + (1 - d) theta after each update.

        On entry `gradient` is the gradient at `flat`, and so it is on return: each update is
        followed by one pass at the new point, whose loss goes into `losses`. The call returns early
        when `seconds` are over or ``stop[0]`` is set, after an update that is whole. When a loss is
        above `limit` or not finite, `flat` and `state` return to what they were before that update.

        With dropout, passes are training passes: `masks` are those of the pass that gave `gradient` on
        entry, and each pass takes the next number. Raises InputError where they are missing.
        """

    def _check_masks(self, masks: Masks | None) -> None:
        if masks is None and any(self.dropout):
            raise InputError(
                "This problem drops units: descend takes the masks of the pass that gave the gradient, "
                "such as masks=Masks(seed=0, number=1), which loss_and_gradient takes too."
            )


class NumpyProblem(Problem):
    """The reference, doing real work."""

    engine = "numpy"

    def __init__(
        self,
        network: Network,
        X: NDArray[Any],
        y: NDArray[Any],
        w: NDArray[Any] | None,
        dtype: np.dtype[Any],
        reduction: str,
        dropout: tuple[float, ...],
    ) -> None:
        weight_sum = len(X) if w is None else float(w.sum())
        super().__init__(network, len(X), dtype, reduction, weight_sum, dropout)
        self._X = cast(X, dtype, "X")
        self._Y = target_rows(y, network.sizes[-1], dtype) if y.ndim == 1 else cast(y, dtype, "y")
        self._w = None if w is None else cast(w, dtype, "sample_weight")
        self._is_weight = penalties.weight_mask(network.sizes)

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        drawn = None
        if masks is not None and any(self.dropout):
            drawn = masks.draw(self.network.sizes, self.dropout, self.n_samples, self.dtype)
        data = self._X, self._Y, self._w
        return numpy_pass(self.network, *data, flat, self.divisor, self.penalties, self._is_weight, drawn)

    def loss(self, flat: Array) -> float:
        return numpy_loss(
            self.network, self._X, self._Y, self._w, flat, self.divisor, self.penalties, self._is_weight
        )

    def descend(
        self,
        flat: Array,
        state: Array,
        gradient: Array,
        losses: NDArray[np.float64],
        *,
        optimizer: Optimizer,
        rates: NDArray[np.float64],
        first_update: int,
        limit: float,
        stop: NDArray[np.uint8],
        seconds: float,
        masks: Masks | None = None,
        average: float = 0.0,
    ) -> Descent:
        self._check_masks(masks)
        end = time.monotonic() + seconds
        for k in range(len(losses)):
            rate = float(rates[min(k, len(rates) - 1)])
            theta, kept = numpy_update(
                self.network,
                optimizer,
                self.penalties,
                self._is_weight,
                (flat, state, gradient),
                first_update + k,
                rate,
                average,
            )
            loss, g = self.loss_and_gradient(theta, masks and masks.after(k + 1))
            if not loss <= limit:
                return Descent(k, diverged=True)
            flat[:], state[:], gradient[:], losses[k] = theta, kept, g, loss
            if stop[0] or time.monotonic() >= end:
                return Descent(k + 1, diverged=False)
        return Descent(len(losses), diverged=False)


def numpy_pass(
    network: Network,
    X: Array,
    Y: Array,
    w: Array | None,
    flat: Array,
    divisor: float,
    penalized: Penalties,
    is_weight: penalties.Mask,
    masks: Sequence[Array | None] | None = None,
) -> tuple[float, Array]:
    """The loss over `divisor` with its penalties, and its gradient, by the reference."""
    theta = Parameters(network.sizes, flat)
    # A blown-up network is found by its loss; NumPy's own warnings would only say it twice.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        loss, weights, biases = reference.compute_gradients(
            X, Y, theta.weights, theta.biases, network.hidden, network.loss, w, masks
        )
        parts = [part.ravel() for pair in zip(weights, biases, strict=True) for part in pair]
        gradient = np.concatenate(parts).astype(flat.dtype, copy=False)
        if divisor != 1.0:
            gradient /= gradient.dtype.type(divisor)
        loss /= divisor
        if penalized.l1 or penalized.l2:
            added, slope = penalties.penalty(flat, is_weight, penalized.l1, penalized.l2)
            loss, gradient = loss + added, gradient + slope
        return loss, gradient


def numpy_loss(
    network: Network,
    X: Array,
    Y: Array,
    w: Array | None,
    flat: Array,
    divisor: float,
    penalized: Penalties,
    is_weight: penalties.Mask,
) -> float:
    """The loss that `numpy_pass` gives."""
    theta = Parameters(network.sizes, flat)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
        loss = reference.loss(Zs[-1], Y, network.loss, w) / divisor
        if penalized.l1 or penalized.l2:
            loss += penalties.penalty(flat, is_weight, penalized.l1, penalized.l2)[0]
        return loss


def numpy_update(
    network: Network,
    optimizer: Optimizer,
    penalized: Penalties,
    is_weight: penalties.Mask,
    point: tuple[Array, Array, Array],
    t: int,
    rate: float,
    average: float = 0.0,
) -> tuple[Array, Array]:
    """Update number t from `point`, parameters, state and gradient: the new parameters and state.

    See `Problem.descend` for `average`.
    """
    flat, state, gradient = point
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        g = penalties.clip(gradient, optimizer.clip_value, optimizer.clip_norm)
        theta, kept = optimizer.update(flat, state[: len(optimizer.state_names)], g, t, rate, is_weight)
        if penalized.max_norm is not None:
            theta = penalties.constrain(theta, network.sizes, penalized.max_norm)
        if average:
            kept = np.vstack([kept, average * state[-1] + (1.0 - average) * theta])
    return theta, kept


def target_rows(y: NDArray[Any], n_outputs: int, dtype: np.dtype[Any]) -> Array:
    """Class numbers as one-hot rows; rows as they are; all of `dtype`."""
    if y.ndim == 2:
        return y.astype(dtype, copy=False)
    rows = np.zeros((len(y), n_outputs), dtype)
    rows[np.arange(len(y)), y] = 1
    return rows


class NativeProblem(Problem):
    """The compiled engine over data that it has packed for itself."""

    engine = "native"

    def __init__(
        self,
        network: Network,
        X: NDArray[Any],
        y: NDArray[Any],
        w: NDArray[Any] | None,
        dtype: np.dtype[Any],
        reduction: str,
        dropout: tuple[float, ...],
        threads: int,
    ) -> None:
        weight_sum = len(X) if w is None else float(w.sum())
        super().__init__(network, len(X), dtype, reduction, weight_sum, dropout)
        assert native.module is not None
        self.threads = threads
        kind = native.module.Problem32 if dtype == np.float32 else native.module.Problem64
        self._problem = packed(kind, network, X, y, w, dtype, dropout)
        self.isa: str = self._problem.isa
        self._plain_rule: tuple[Penalties, Any] | None = None

    def with_threads(self, threads: int | None) -> Problem:
        other = copy.copy(self)
        other.threads = thread_count(threads)
        return other

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        gradient = np.empty_like(flat)
        told = flat, gradient, self._rule(), self.divisor, self.threads
        return self._problem.loss_and_gradient(*told, *_drawn(masks)), gradient

    def loss(self, flat: Array) -> float:
        return float(self._problem.loss(flat, self._rule(), self.divisor, self.threads))

    def _rule(self) -> Any:
        """The penalties as the native engine takes them, made once: a small call takes microseconds."""
        made = self._plain_rule
        if made is None or made[0] is not self.penalties:
            made = self._plain_rule = self.penalties, native_rule(SGD(), self.penalties)
        return made[1]

    def descend(
        self,
        flat: Array,
        state: Array,
        gradient: Array,
        losses: NDArray[np.float64],
        *,
        optimizer: Optimizer,
        rates: NDArray[np.float64],
        first_update: int,
        limit: float,
        stop: NDArray[np.uint8],
        seconds: float,
        masks: Masks | None = None,
        average: float = 0.0,
    ) -> Descent:
        self._check_masks(masks)
        updates, diverged = self._problem.descend(
            flat,
            state,
            gradient,
            losses,
            native_rule(optimizer, self.penalties, average),
            rates,
            first_update,
            self.divisor,
            limit,
            stop,
            seconds,
            self.threads,
            *_drawn(masks),
        )
        return Descent(updates, diverged)


def _drawn(masks: Masks | None) -> tuple[int, int]:
    """The native engine's seed and number of the mask; number 0 is a pass without."""
    return (0, 0) if masks is None else (masks.seed, masks.number)


def packed(
    kind: Any,
    network: Network,
    X: NDArray[Any],
    y: NDArray[Any],
    w: NDArray[Any] | None,
    dtype: np.dtype[Any],
    dropout: tuple[float, ...] = (),
) -> Any:
    """A native Problem or Batches that holds these data in its own order."""
    made = kind(
        sizes=network.sizes,
        hidden=[record.name for record in network.hidden],
        loss=network.loss.name,
        n_samples=len(X),
        labels=y.ndim == 1,
        weighted=w is not None,
        isa=os.environ.get("GLASSNET_ISA", ""),
        loss_setting=next(iter(network.loss.settings.values()), 0.0),
        dropout=dropout,
    )
    for rows in row_blocks(len(X)):
        start = rows.start
        target = y[rows].astype(np.int64) if y.ndim == 1 else cast(y[rows], dtype, "y", start)
        weight = None if w is None else cast(w[rows], dtype, "sample_weight", start)
        made.put(
            start,
            np.ascontiguousarray(cast(X[rows], dtype, "X", start)),
            np.ascontiguousarray(target),
            None if weight is None else np.ascontiguousarray(weight),
        )
    return made


def row_blocks(n: int) -> Iterator[slice]:
    """Slices that cover n rows, a bounded number of them at a time."""
    return (slice(start, start + _PACKED_ROWS) for start in range(0, n, _PACKED_ROWS))


def cast(values: NDArray[Any], dtype: np.dtype[Any], name: str, first_row: int = 0) -> Array:
    """`values` in the precision to compute in; an InputError where float32 cannot hold one."""
    with np.errstate(over="ignore"):
        same = values.astype(dtype, copy=False)
    if dtype == np.float32 and values.dtype != dtype:
        check_finite(same, f"{name} in float32", first_row)
    return same


def missing_in_native(network: Network) -> str:
    """What this network needs that the native engine lacks, in words; "" where it lacks nothing."""
    if native.module is None:
        return f"the native engine is not available: {native.reason}"
    for record in network.hidden:
        if ACTIVATIONS.get(record.name) is not record:
            return f"the activation {record.name!r} is your own, which runs on the NumPy engine"
    if not network.loss.is_built_in:
        return f"the loss {network.loss.name!r} is your own, which runs on the NumPy engine"
    return ""


def choose_engine(network: Network, engine: str) -> tuple[Literal["native", "numpy"], str]:
    """The engine to use and why, or an EngineError when "native" is asked for and cannot be had."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "numpy":
        return "numpy", "asked for"
    missing = missing_in_native(network)
    if not missing:
        return "native", "asked for" if engine == "native" else "it is the fastest"
    if engine == "native":
        raise EngineError(
            f'engine="native" cannot be used: {missing}. Use engine="numpy" or "auto", or see '
            f"glassnet info."
        )
    return "numpy", missing


def prepare(
    network: Network,
    X: object,
    y: object,
    *,
    dtype: DTypeLike | None = None,
    reduction: str = "mean",
    sample_weight: object = None,
    engine: str = "auto",
    threads: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
    class_weight: object = None,
) -> Problem:
    """Check a network's data once and pack them for an engine.

    X is (n, inputs); y is as the design of the loss asks: class numbers (n,) or rows. l1, l2 and
    max_norm are `Penalties`; dropout is the probability of dropping a hidden unit in a training pass,
    or one for each hidden layer. class_weight, "balanced" or a weight for each class number (see
    `train`), multiplies the sample weights. Nothing that is passed in is changed. Raises InputError or
    InputTypeError for data that cannot be used, saying which row and column, and EngineError for an
    engine that cannot.
    """
    penalized = Penalties(l1, l2, max_norm)
    count = thread_count(threads)
    data = check_data(network, X, y, dtype, reduction, sample_weight, engine, class_weight)
    problem: Problem
    dropped = as_dropout(dropout, len(network.hidden))
    packed = (network, data.X, data.y, data.weights, data.dtype, reduction, dropped)
    problem = NativeProblem(*packed, count) if data.engine == "native" else NumpyProblem(*packed)
    problem.engine_reason = data.reason
    problem.penalties = penalized
    problem.class_weight = data.class_weight
    problem.baseline = data.baseline / problem.divisor
    return problem


class Data(NamedTuple):
    """Data that have been checked, as they came, and what is to be done with them."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: Array | None
    dtype: np.dtype[Any]
    engine: Literal["native", "numpy"]
    reason: str
    baseline: float
    """The summed loss where the output layer's Z is 0 everywhere."""
    own_weights: Array | None = None
    """The samples' weights without those of their classes."""
    class_weight: tuple[float, ...] | None = None


def check_data(
    network: Network,
    X: object,
    y: object,
    dtype: DTypeLike | None,
    reduction: str,
    sample_weight: object,
    engine: str,
    class_weight: object = None,
) -> Data:
    """Check a network's data once; no copy is made of an array. Raises as `prepare` does."""
    if not isinstance(network, Network):
        raise InputTypeError(f"network is a glassnet.Network, not {type(network).__name__}.")
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    inputs = as_matrix(X, width=network.sizes[0])
    n = len(inputs)
    if n == 0:
        raise InputError(f"X is empty, shape {inputs.shape}; expected at least one sample.")
    targets = as_target(y, n, network.sizes[-1], network.loss.target)
    own = weights = None if sample_weight is None else _sample_weight(sample_weight, n)
    each = None
    if class_weight is not None:
        if network.loss.target != "class" or targets.ndim != 1:
            raise InputError(
                f"class_weight is for a softmax whose y are class numbers or one-hot rows; the "
                f"loss here is {network.loss}, y has shape {targets.shape}. Use sample_weight."
            )
        each = as_class_weights(class_weight, targets, network.sizes[-1])
        weights = each[targets] if own is None else own * each[targets]
        if weights.sum() == 0:
            raise InputError("class_weight leaves every sample a weight of 0; at least one must count.")
    precision = as_dtype(dtype, inputs)
    name, why = choose_engine(network, engine)
    baseline = 0.0
    for rows in row_blocks(n):
        Y = target_rows(targets[rows], network.sizes[-1], np.dtype(np.float64))
        w = None if weights is None else weights[rows]
        baseline += reference.loss(np.zeros_like(Y), Y, network.loss, w)
    known = None if each is None else tuple(each.tolist())
    return Data(inputs, targets, weights, precision, name, why, baseline, own, known)


def loss_and_gradient(
    network: Network,
    theta: Parameters,
    X: object,
    y: object,
    reduction: str = "mean",
    sample_weight: object = None,
    engine: str = "auto",
    threads: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
) -> tuple[float, Parameters]:
    """The loss J and its gradient dJ/dtheta, from one pass forward and one back.

    X is (n, inputs). J is the samples' losses, summed (`reduction="sum"`) or divided by the sum of
    the sample weights (`"mean"`), plus the penalty ``l2/2 sum W^2 + l1 sum |W|`` over the weights.
    Computed in the parameters' precision; the loss is a float.

    Raises InputError and InputTypeError for bad input, EngineError for an engine that cannot.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> theta = gn.Parameters(net.sizes, np.zeros(net.n_parameters))
    >>> loss, gradient = gn.loss_and_gradient(net, theta, [[0.0, 1.0]], [1])
    >>> round(loss, 6), gradient.biases[1].tolist()
    (0.693147, [0.5, -0.5])

    For many calls on the same data, `prepare` once and call the problem's own method.
    """
    if not isinstance(network, Network):
        raise InputTypeError(f"network is a glassnet.Network, not {type(network).__name__}.")
    theta = network.check_parameters(theta)
    problem = prepare(
        network,
        X,
        y,
        dtype=theta.dtype,
        reduction=reduction,
        sample_weight=sample_weight,
        engine=engine,
        threads=threads,
        l1=l1,
        l2=l2,
    )
    loss, gradient = problem.loss_and_gradient(theta.flat)
    return loss, Parameters(network.sizes, gradient)


def _sample_weight(sample_weight: object, n: int) -> Array:
    weights = as_vector(sample_weight, "sample_weight", n)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise InputError(f"sample_weight has {weights[row]} at row {row}; expected 0 or more.")
    if weights.sum() == 0:
        raise InputError("sample_weight is 0 everywhere; at least one sample must count.")
    return weights
