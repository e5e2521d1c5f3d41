"""One interface over two engines; the data are validated and prepared here, once."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.data.checks import check_data, target_rows
from glassnet.data.fixed_order import total_weight
from glassnet.engine import gauss_newton as second_order
from glassnet.engine.numpy_ops import drawn, numpy_loss, numpy_pass, packed
from glassnet.engine.updates import Updates, native_rule, numpy_update
from glassnet.errors import InputError
from glassnet.nn.dropout import Masks, as_dropout
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim import SGD, Optimizer, penalties
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import Penalties
from glassnet.utils.array_checks import as_numbers, cast
from glassnet.utils.threads import thread_count


@dataclass(frozen=True)
class Descent:
    """How far a call of `Problem.descend` came: updates made, and whether the next one blew up."""

    updates: int
    diverged: bool


class Problem(second_order.SecondOrder):
    """A network with its data, checked and packed: what solvers and loops of one's own call.

    Attributes: `network`, `n_samples`, `dtype`, `reduction`, `engine` ("native" or "numpy"),
    `engine_reason` (why that one), `threads`, `penalties`, `dropout` (p of each hidden layer),
    `class_weight` (the weight of each class, or None), and `baseline`, the loss where the output
    layer's Z is 0 everywhere, which is what a network that knows nothing pays.

    >>> import glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> problem = gn.prepare(net, [[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> isinstance(problem, gn.Problem), problem.n_samples, round(problem.baseline, 4)
    (True, 2, 0.6931)
    """

    engine: str
    threads: int = 1
    penalties = Penalties()
    conventions: Conventions = OURS
    class_weight: tuple[float, ...] | None = None
    stop: NDArray[np.uint8] | None = None
    """Passes that take long raise `Cut` once ``stop[0]`` is set; others take no notice."""

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
        self.weight_sum = weight_sum
        self.divisor = weight_sum if reduction == "mean" else 1.0
        self.dropout = dropout
        self._shape = (network.n_parameters,)
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
        """The reduced loss with its penalties, and the gradient, (n_parameters,), at flat parameters.

        A contiguous array of this dtype is taken as it is; `Parameters` and other arrays are cast into a
        copy. With `masks` those of a training pass, which drops hidden units where there is dropout.

        Raises InputError for another length, InputTypeError for what is no numbers.
        """

    @abstractmethod
    def loss(self, flat: Array) -> float:
        """The same loss, to the last bit, by a pass forward alone."""

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
        updates, or at least one for each; the optimizer's own is ignored. `first_update` is the
        number of the first update, from 1. With an `average` d above 0, `state` has a last row more:
        a mean of the parameters, made d mean + (1 - d) theta after each update.

        On entry `gradient` is the gradient at `flat`, and so it is on return: each update is
        followed by one pass at the new point, whose loss goes into `losses`. The call returns early
        when `seconds` are over or ``stop[0]`` is set, after an update that is whole. When a loss is
        above `limit` or not finite, `flat` and `state` return to what they were before that update.

        With dropout, passes are training passes: `masks` are those of the pass that gave `gradient` on
        entry, and each pass takes the next number. Raises InputError where they are missing.
        """
        updates = Updates(optimizer, rates, first_update, stop, seconds, limit, masks, average)
        return self.advance(flat, state, gradient, losses, updates)

    def advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        """`descend`, whose settings are one record."""
        if updates.masks is None and any(self.dropout):
            raise InputError(
                "This problem drops units: descend takes the masks of the pass that gave the gradient, "
                "such as masks=Masks(seed=0, number=1), which loss_and_gradient takes too."
            )
        return self._advance(flat, state, gradient, losses, updates)

    @abstractmethod
    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        """`advance` with masks where units are dropped."""

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        summed = self.with_penalties(Penalties())
        summed.divisor = 1.0
        return second_order.differenced_hessian(summed._gradients, flat, vectors)

    def _gradients(self, points: NDArray[Any]) -> NDArray[Any]:
        """The gradient at each row."""
        return np.stack([self.loss_and_gradient(flat)[1] for flat in points])

    def _as_flat(self, flat: object) -> Array:
        """Flat parameters as the engines take them."""
        if isinstance(flat, Parameters):
            flat = flat.flat
        array = as_numbers(flat, "flat")
        if array.shape != self._shape:
            raise InputError(
                f"flat has shape {array.shape}; {self.network} has {self._shape[0]} parameters, so "
                f"expected {self._shape}."
            )
        return np.ascontiguousarray(array, self.dtype)


class NumpyProblem(Problem):
    """The reference, doing real work; X may be a sparse array of SciPy's."""

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
        weight_sum = X.shape[0] if w is None else total_weight(w)
        super().__init__(network, X.shape[0], dtype, reduction, weight_sum, dropout)
        self._X = cast(X, dtype, "X")
        self._Y = target_rows(y, network.sizes[-1], dtype) if y.ndim == 1 else cast(y, dtype, "y")
        self._w = None if w is None else cast(w, dtype, "sample_weight")
        self._is_weight = penalties.weight_mask(network.sizes)

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        drawn = None
        if masks is not None and any(self.dropout):
            drawn = masks.draw(self.network.sizes, self.dropout, self.n_samples, self.dtype)
        data, flat = (self._X, self._Y, self._w), self._as_flat(flat)
        return numpy_pass(
            self.network,
            *data,
            flat,
            self.divisor,
            self.penalties,
            self._is_weight,
            drawn,
            self.conventions,
        )

    def loss(self, flat: Array) -> float:
        data, flat = (self._X, self._Y, self._w), self._as_flat(flat)
        return numpy_loss(
            self.network, *data, flat, self.divisor, self.penalties, self._is_weight, self.conventions
        )

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        return second_order.numpy_curvature(self.network, self._X, self._w, flat, vector)

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        return second_order.numpy_hessian(self.network, (self._X, self._Y, self._w), flat, vectors)

    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        end, masks = time.monotonic() + updates.seconds, updates.masks
        for k in range(len(losses)):
            theta, moved = numpy_update(self.network, self.penalties, updates, k, (flat, state, gradient))
            loss, g = self.loss_and_gradient(theta, masks and masks.after(k + 1))
            if not loss <= updates.limit:
                return Descent(k, diverged=True)
            flat[:], state[:], gradient[:], losses[k] = theta, moved, g, loss
            if updates.stop[0] or time.monotonic() >= end:
                return Descent(k + 1, diverged=False)
        return Descent(len(losses), diverged=False)


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
        weight_sum = len(X) if w is None else total_weight(w)
        super().__init__(network, len(X), dtype, reduction, weight_sum, dropout)
        assert native.module is not None
        self.threads = threads
        kind = native.module.Problem32 if dtype == np.float32 else native.module.Problem64
        self._problem = packed(kind, network, X, y, w, dtype, dropout)
        self.isa: str = self._problem.isa
        self._count = network.n_parameters
        self._plain_rule: tuple[Penalties, Conventions, Any] | None = None

    def with_threads(self, threads: int | None) -> Problem:
        other = copy.copy(self)
        other.threads = thread_count(threads)
        return other

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        gradient = np.empty(self._count, self.dtype)
        told = flat, gradient, self._rule(), self.divisor, self.threads
        try:
            if masks is None:
                return self._problem.loss_and_gradient(*told), gradient
            return self._problem.loss_and_gradient(*told, *drawn(masks)), gradient
        except (TypeError, ValueError):  # checked only now: a call takes microseconds
            usable = self._as_flat(flat)
            if usable is flat:
                raise
            return self.loss_and_gradient(usable, masks)

    def loss(self, flat: Array) -> float:
        try:
            return float(self._problem.loss(flat, self._rule(), self.divisor, self.threads))
        except (TypeError, ValueError):
            usable = self._as_flat(flat)
            if usable is flat:
                raise
            return self.loss(usable)

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        return second_order.native_curvature(self._problem, self.threads, flat, vector)

    def lbfgs(self, *told: Any) -> Any:
        """Steps of `glassnet.LBFGS`, as ``solvers/lbfgs.py`` asks for them."""
        return self._problem.lbfgs(*told, self._rule(), self.divisor, self.threads)

    def _rule(self) -> Any:
        """The penalties as the native engine takes them, made once: a small call takes microseconds."""
        made = self._plain_rule
        if made is None or made[0] is not self.penalties or made[1] is not self.conventions:
            told = self.penalties, self.conventions
            made = self._plain_rule = *told, native_rule(SGD(), told[0], 0.0, told[1])
        return made[2]

    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        made, diverged = self._problem.descend(
            flat,
            state,
            gradient,
            losses,
            native_rule(updates.optimizer, self.penalties, updates.average, self.conventions),
            updates.rates,
            updates.first,
            self.divisor,
            updates.limit,
            updates.stop,
            updates.seconds,
            self.threads,
            *drawn(updates.masks),
        )
        return Descent(made, diverged)


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

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> problem = gn.prepare(net, [[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> loss, gradient = problem.loss_and_gradient(np.zeros(net.n_parameters))
    >>> round(loss, 6), gradient.shape
    (0.693147, (17,))

    What SciPy's ``minimize(jac=True)`` asks for, and a loop of one's own; PyTorch and scikit-learn check
    and copy the data, or build the graph, at every call.
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
    as_network(network)
    theta = network.check_parameters(theta)
    how: Any = {"sample_weight": sample_weight, "engine": engine, "threads": threads, "l1": l1, "l2": l2}
    problem = prepare(network, X, y, dtype=theta.dtype, reduction=reduction, **how)
    loss, gradient = problem.loss_and_gradient(theta.flat)
    return loss, Parameters(network.sizes, gradient)
