"""Problems: a network with all of its samples as one batch, its loss and gradient, and descent."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import Summary, check_factor, target_rows
from glassnet.data.fixed_order import total_weight
from glassnet.data.reduce import Block
from glassnet.engine import gauss_newton
from glassnet.engine.native_calls import Rules, count_written, native_masks, pack
from glassnet.engine.numpy_ops import NumpyLoss, numpy_update
from glassnet.engine.records import Prepared, Setup, Updates
from glassnet.errors import InputError
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Parameters
from glassnet.optim import Optimizer
from glassnet.optim.penalties import Penalties, weight_mask
from glassnet.utils.array_checks import as_numbers, cast, check_finite
from glassnet.utils.interrupts import Cut


class Descent(NamedTuple):
    """How far a call of `Problem.descend` came: updates made, and whether the next one diverged.

    `error` cut the call short, such as one of rows that are read meanwhile or of a signal handler: the
    caller raises it once it has taken note of the updates.
    """

    updates: int
    diverged: bool
    error: BaseException | None = None


class Problem(Prepared, ABC):
    """A network with its samples, checked and packed, for solvers and loops of your own.

    Attributes: `network`, `n_samples`, `dtype`, `reduction`, `engine` ("native" or "numpy"),
    `engine_reason` (why that one), `threads`, `penalties`, `dropout` (p of each hidden layer),
    `class_weight` (the weight of each class, or None), and `baseline`, the loss where the output
    layer's Z is 0 everywhere, which a network that has learned nothing pays.

    >>> import glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> problem = gn.prepare(net, [[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> isinstance(problem, gn.Problem), problem.n_samples, round(problem.baseline, 4)
    (True, 2, 0.6931)
    """

    def __init__(
        self, setup: Setup, n_samples: int, summary: Summary, weight_sum: float, baseline: float
    ) -> None:
        self.weight_sum = weight_sum
        super().__init__(setup, n_samples, summary)
        self.baseline = baseline / self.divisor
        self._shape = (setup.network.n_parameters,)

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self.divisor = self.weight_sum if setup.reduction == "mean" else 1.0

    def with_stop(self, stop: NDArray[np.uint8]) -> Problem:
        """The same problem, whose passes raise `Cut` once ``stop[0]`` is set, where they take long."""
        return self

    @abstractmethod
    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        """The reduced loss with its penalties, and the gradient, (n_parameters,), at flat parameters.

        A contiguous array of this dtype is taken as it is; `Parameters` and other arrays are cast into a
        copy. With `masks`, the values are those of a training pass, in which hidden units are dropped.

        Raises InputError for another length, InputTypeError for other things than numbers.
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
        when `seconds` are over or ``stop[0]`` is set, after a whole update. When a loss is above `limit`
        or not finite, `flat` and `state` return to their values before that update.

        With dropout, passes are training passes: `masks` are those of the pass that gave `gradient` on
        entry, and each pass takes the next number. Raises InputError where they are missing.
        """
        updates = Updates(optimizer, rates, first_update, stop, seconds, limit, masks, average)
        descent = self.advance(flat, state, gradient, losses, updates)
        if descent.error is not None:
            raise descent.error
        return descent

    def advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        """`descend` with its settings as one record."""
        self.check_masks(updates.masks)
        return self._advance(flat, state, gradient, losses, updates)

    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        """`advance`, with masks where units are dropped."""
        end, masks, passes = time.monotonic() + updates.seconds, updates.masks, self.with_stop(updates.stop)
        # Updates made and where they led are one name: an error of a signal handler finds them whole.
        now, diverged, failure = (0, flat, state, gradient), False, None
        try:
            while now[0] < len(losses) and not diverged:
                k, *at = now
                theta, moved = self._updated(updates, k, *at)
                loss, g = passes.loss_and_gradient(theta, masks and masks.after(k + 1))
                diverged = not loss <= updates.limit
                if not diverged:
                    losses[k] = loss
                    now = k + 1, theta, moved, g
                    if updates.stop[0] or time.monotonic() >= end:
                        break
        except Cut:
            pass
        except BaseException as error:
            failure = error
        made, flat[:], state[:], gradient[:] = now
        return Descent(made, diverged, failure)

    def _updated(
        self, updates: Updates, k: int, flat: Array, state: Array, gradient: Array
    ) -> tuple[Array, Array]:
        """The new parameters and state after update k of a call, by the engine's own arithmetic."""
        return numpy_update(self.setup, updates, k, flat, state, gradient)

    def gauss_newton(self, flat: Array) -> NDArray[np.float64]:
        """The Gauss-Newton matrix G at flat parameters, (n_parameters, n_parameters), of the reduced loss.

        The samples' J^T H J (see `glassnet.nn.reference_curvature`), and l2 on the diagonal of weights;
        l1 adds nothing. It takes the memory of G, whatever the number of samples. InputError for a loss
        without ``factor``.
        """
        check_factor(self.network)
        G = self._curvature(self._as_flat(flat), None)
        G /= self.divisor  # in its place: it may be large
        if self.penalties.l2:
            gauss_newton.diagonal(G)[:] += self.penalties.l2 * weight_mask(self.network.sizes)
        return G

    def gauss_newton_product(self, flat: Array, vector: Array) -> NDArray[np.float64]:
        """G vector, (n_parameters,), without G: about two gradients' work."""
        check_factor(self.network)
        flat, vector = self._as_flat(flat), self._as_flat(vector)
        product = self._curvature(flat, vector)
        product /= self.divisor
        if self.penalties.l2:
            product += self.penalties.l2 * weight_mask(self.network.sizes) * vector
        return product

    def hessian_product(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """H v for each row v of `vectors`, (k, n_parameters), with H the exact Hessian of the reduced loss.

        The residuals' terms and l2 are included; l1 adds nothing. The NumPy engine applies Pearlmutter's
        R operator (see `glassnet.nn.reference_curvature`); the native one takes four gradients for each
        row, at two distances on both sides, which leaves about 11 digits. In float64.

        Raises InputError in float32 and for vectors of another shape; EngineError where gradients jump on
        the way, as with relu: the NumPy engine then computes it.
        """
        if self.dtype != np.float64:
            raise InputError('The Hessian is computed in float64: prepare(..., dtype="float64").')
        flat, vectors = self._as_flat(flat), np.asarray(as_numbers(vectors, "vectors"), np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != flat.size:
            raise InputError(
                f"vectors has shape {vectors.shape}; expected (k, {flat.size}), for each "
                f"product a row of as many numbers as there are parameters."
            )
        check_finite(vectors, "vectors")
        if not len(vectors):
            return vectors
        penalized = self.penalties.l2 * weight_mask(self.network.sizes) * vectors
        return self._hessian(flat, vectors) / self.divisor + penalized

    @abstractmethod
    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        """The samples' sum in `gauss_newton`, or in its product with a vector."""

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The samples' sum in `hessian_product`."""
        summed = self._with(penalties=Penalties(), reduction="sum")
        return gauss_newton.differenced_hessian(summed._gradients, flat, vectors)

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
    """The NumPy engine, which computes by the reference's functions; X may be a sparse array of SciPy's."""

    def __init__(self, setup: Setup, samples: Block, summary: Summary, baseline: float = 0.0) -> None:
        (X, y, w), dtype = samples, setup.dtype
        weight_sum = X.shape[0] if w is None else total_weight(w)
        super().__init__(setup, X.shape[0], summary, weight_sum, baseline)
        Y = target_rows(y, setup.network.sizes[-1], dtype) if y.ndim == 1 else cast(y, dtype, "y")
        self._samples = cast(X, dtype, "X"), Y, None if w is None else cast(w, dtype, "sample_weight")

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self.threads = 1  # whatever number is asked for

    @property
    def _loss(self) -> NumpyLoss:
        return NumpyLoss(self.network, self.divisor, self.penalties, self.conventions)

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        drawn = None
        if masks is not None and any(self.dropout):
            drawn = masks.draw(self.network.sizes, self.dropout, self.n_samples, self.dtype)
        return self._loss.value_and_gradient(self._samples, self._as_flat(flat), drawn)

    def loss(self, flat: Array) -> float:
        return self._loss.value(self._samples, self._as_flat(flat))

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        return gauss_newton.numpy_curvature(self.network, self._samples, flat, vector)

    def _hessian(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        return gauss_newton.numpy_hessian(self.network, self._samples, flat, vectors)


class NativeProblem(Problem):
    """The compiled engine over a copy of the samples in its own order."""

    def __init__(self, setup: Setup, samples: Block, summary: Summary, baseline: float = 0.0) -> None:
        n = len(samples.X)
        weight_sum = n if samples.w is None else total_weight(samples.w)
        super().__init__(setup, n, summary, weight_sum, baseline)
        self._problem = pack("Problem", setup, samples)
        self.isa: str = self._problem.isa

    def _take(self, setup: Setup) -> None:
        super()._take(setup)
        self._count = setup.network.n_parameters
        self._rules = Rules(setup)

    def loss_and_gradient(self, flat: Array, masks: Masks | None = None) -> tuple[float, Array]:
        gradient = np.empty(self._count, self.dtype)
        settings = self._rules.of_loss, self.divisor, self.threads
        try:
            if masks is None:
                return self._problem.loss_and_gradient(flat, gradient, *settings), gradient
            return self._problem.loss_and_gradient(
                flat, gradient, *settings, *native_masks(masks)
            ), gradient
        except (TypeError, ValueError):  # checked only now: a call takes microseconds
            return self.loss_and_gradient(self._cast(flat), masks)

    def loss(self, flat: Array) -> float:
        try:
            return float(self._problem.loss(flat, self._rules.of_loss, self.divisor, self.threads))
        except (TypeError, ValueError):
            return self.loss(self._cast(flat))

    def _cast(self, flat: Array) -> Array:
        """Cast parameters that the engine refused; raises its error where they were right already."""
        usable = self._as_flat(flat)
        if usable is flat:
            raise
        return usable

    def _curvature(self, flat: Array, vector: Array | None) -> NDArray[np.float64]:
        return gauss_newton.native_curvature(self._problem, self.threads, flat, vector)

    def lbfgs(self, *arguments: Any) -> Any:
        """Steps of `glassnet.LBFGS`, as ``training/steppers/lbfgs.py`` asks for them."""
        return self._problem.lbfgs(*arguments, self._rules.of_loss, self.divisor, self.threads)

    def _advance(
        self, flat: Array, state: Array, gradient: Array, losses: NDArray[np.float64], updates: Updates
    ) -> Descent:
        try:
            made, diverged = self._problem.descend(
                flat,
                state,
                gradient,
                losses,
                self._rules.of(updates.optimizer, updates.average),
                updates.rates,
                updates.first,
                self.divisor,
                updates.limit,
                updates.stop,
                updates.seconds,
                updates.threads or self.threads,
                *native_masks(updates.masks),
            )
        except BaseException as error:  # a signal handler's, after whole updates
            return Descent(count_written(losses), False, error)
        return Descent(made, diverged)


def problem_of(setup: Setup, samples: Block, summary: Summary, baseline: float = 0.0) -> Problem:
    """The problem of validated samples, by the engine of the setup; `baseline` is summed over them."""
    kind = NativeProblem if setup.engine == "native" else NumpyProblem
    return kind(setup, samples, summary, baseline)
