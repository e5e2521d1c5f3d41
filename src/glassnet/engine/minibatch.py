"""Training on batches: a network with its data by sample, whole epochs per call, two engines."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.data.checks import CheckedData, check_data, fingerprint, same_data, target_rows
from glassnet.engine.numpy_ops import drawn, numpy_pass, packed
from glassnet.engine.updates import Updates, native_rule, numpy_update
from glassnet.errors import InputError
from glassnet.nn import reference
from glassnet.nn.dropout import Masks, as_dropout
from glassnet.nn.network import Network, Parameters
from glassnet.optim import penalties
from glassnet.optim.loss_conventions import OURS
from glassnet.optim.penalties import Penalties
from glassnet.utils.array_checks import cast
from glassnet.utils.settings_checks import as_steps
from glassnet.utils.threads import thread_count

_MOST_SAMPLES = 2**32 - 1  # an order holds 32-bit numbers
FEW = 1024  # samples that tell what loss training starts from


@dataclass(eq=False)
class Cursor:
    """Where training on batches stands, beside the parameters and the optimizer's state.

    Each epoch begins by shuffling `order`, the samples' numbers, in place by ``random.shuffle``: the
    orders are those of scikit-learn's stochastic solvers from the same stream. Within an epoch `row`
    samples are done, and `loss` is the sum of their batches' losses, each times its samples. A batch's
    loss above `limit` has blown up; `good` are the parameters to go back to then.

    Of data that are streamed `layout` has the rows of a window and the number of pieces, and `seed` is what
    this epoch's order is made of again; there is no `order`.
    """

    limit: float
    fingerprint: tuple[float, ...]
    order: NDArray[np.uint32] | None = None
    random: RandomState | None = None
    row: int = 0
    loss: float = 0.0
    good: Array | None = None
    layout: tuple[int, int] = (0, 0)
    seed: int = 0
    _lent: Any = field(default=None, init=False, repr=False)  # see `lend`

    def lend(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]] | None:
        """The Mersenne Twister's 624 numbers and how many are used, to draw from in place, or None.

        NumPy takes longer to give and take them than a small network takes for an epoch: `random` has
        its own back only when `settle` is called.
        """
        if self._lent is None and self.random is not None:
            state: Any = self.random.get_state(legacy=False)
            if state["bit_generator"] == "MT19937":
                self._lent = state, np.array([state["state"]["pos"]], np.int64)
        return None if self._lent is None else (self._lent[0]["state"]["key"], self._lent[1])

    def settle(self) -> None:
        """Let `random` stand where the draws have come to."""
        if self._lent is not None and self.random is not None:
            state, used = self._lent
            state["state"]["pos"] = int(used[0])
            self.random.set_state(state)
            self._lent = None

    def fits(self, fingerprint: tuple[float, ...]) -> bool:
        """Whether data are, by their fingerprint, those that this was made for."""
        return same_data(self.fingerprint, fingerprint)

    def check_layout(self, layout: tuple[int, int]) -> None:
        """Raise InputError where data come in other windows, and so in another order."""
        if layout != self.layout:
            (mine, my_pieces), (other, pieces) = self.layout, layout
            raise InputError(
                f"This run's batches were drawn from {_windows(mine, my_pieces)}, these data come in "
                f"{_windows(other, pieces)}: the order would be another. Give the data from the same "
                f"source and with the same memory, as gn.stream(..., memory=...) had it."
            )

    def copy(self) -> Cursor:
        """The same place, in memory of its own."""
        self.settle()
        order = None if self.order is None else self.order.copy()
        return replace(self, order=order, random=deepcopy(self.random), good=deepcopy(self.good))


def _windows(rows: int, pieces: int) -> str:
    return f"windows of {rows:,} rows over {pieces:,} pieces" if rows else "memory"


class EpochsDone(NamedTuple):
    """How far a call of `Batches.train` came: epochs ended, updates made, and whether a loss diverged."""

    epochs: int
    updates: int
    diverged: bool


class Batches(ABC):
    """A network with its data, checked and kept by sample, to be trained a batch at a time.

    Attributes as a `Problem`'s, and `batch_size`, at most the number of samples; `baseline` is that
    of a batch.
    """

    engine: str
    threads: int = 1
    layout = (0, 0)
    """See `Cursor`."""

    def __init__(
        self,
        network: Network,
        n_samples: int,
        dtype: np.dtype[Any],
        reduction: str,
        batch_size: int,
        dropout: tuple[float, ...],
    ) -> None:
        self.dropout = dropout
        self.network, self.n_samples, self.dtype = network, n_samples, dtype
        self.reduction, self.batch_size = reduction, min(batch_size, n_samples)
        self.penalties = Penalties()
        self.conventions = OURS
        self.class_weight: tuple[float, ...] | None = None
        self.baseline = 0.0
        self.engine_reason = ""
        self.fingerprint: tuple[float, ...] = ()
        self._first: tuple[Array, Array, Array | None] | None = None

    @property
    def updates_per_epoch(self) -> int:
        """The batches of an epoch, the last of which may be short."""
        return -(-self.n_samples // self.batch_size)

    def first_loss(self, flat: Array) -> float:
        """The loss of a batch at the parameters, from the data's first samples."""
        assert self._first is not None
        X, Y, w = self._first
        theta = Parameters(self.network.sizes, flat)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, self.network.hidden)
            loss = reference.loss(Zs[-1], Y, self.network.loss, w)
        total = (float(len(X)) if w is None else float(w.sum(dtype=np.float64))) or 1.0
        return loss / total * (1.0 if self.reduction == "mean" else self.batch_size)

    def remember(self, data: CheckedData) -> None:
        """Keep what recognizes the data, and a few samples of them."""
        few = slice(0, min(self.batch_size, FEW))
        w = None if data.weights is None else data.weights[few].astype(self.dtype)
        Y = target_rows(data.y[few], self.network.sizes[-1], self.dtype)
        self._first = data.X[few].astype(self.dtype), Y, w
        self.fingerprint = fingerprint(data)

    def begin(self, random: RandomState | None, limit: float) -> Cursor:
        """The place before the first epoch; None takes the samples as they come, every epoch."""
        order = None if random is None else np.arange(self.n_samples, dtype=np.uint32)
        return Cursor(limit, self.fingerprint, order, random)

    def train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        """Up to ``len(losses)`` epochs from the place of `cursor`; changes arrays and cursor in place.

        Returns early, within an epoch as well, when the seconds are over, ``stop[0]`` is set, or the rates
        (one for each update, or one for all) are used up. An epoch's entry in `losses` is the mean of
        its batches' losses, weighted by their samples. `cursor.good` keeps the parameters at the beginning
        of the last epoch whose first batch did not diverge, and with an average the mean behind them: where
        a loss is above the limit, or a parameter is not finite at an epoch's end, `flat` returns to them,
        and `cursor` stays where that was seen. At row 0 the last update of the epoch before has diverged,
        and `cursor.good` is from that epoch. Raises InputError where units are dropped without masks.
        """
        if updates.masks is None and any(self.dropout):
            raise InputError(
                "These batches drop units: train takes masks of the first update, such as "
                "masks=Masks(seed=0, number=1)."
            )
        if cursor.good is None:
            cursor.good = np.concatenate([flat, state[-1]]) if updates.average else flat.copy()
        return self._train(flat, state, losses, cursor, updates)

    @abstractmethod
    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        """`train` with masks where units are dropped, and a cursor that has `good`."""


class NumpyBatches(Batches):
    """The reference on one batch after another; X may be a sparse array of SciPy's."""

    engine = "numpy"

    def __init__(
        self,
        network: Network,
        X: NDArray[Any],
        y: NDArray[Any],
        w: NDArray[Any] | None,
        dtype: np.dtype[Any],
        reduction: str,
        batch_size: int,
        dropout: tuple[float, ...],
    ) -> None:
        super().__init__(network, X.shape[0], dtype, reduction, batch_size, dropout)
        self._X = cast(X, dtype, "X")
        self._y = y if y.ndim == 1 else cast(y, dtype, "y")
        self._w = None if w is None else cast(w, dtype, "sample_weight")
        self._is_weight = penalties.weight_mask(network.sizes)

    def _batch(self, cursor: Cursor, flat: Array, masks: Masks | None) -> tuple[int, float, Array]:
        """The samples, the loss and the gradient of the batch at the cursor."""
        rows: Any = slice(cursor.row, min(cursor.row + self.batch_size, self.n_samples))
        if cursor.order is not None:
            rows = cursor.order[rows]
        X, w = self._X[rows], None if self._w is None else self._w[rows]
        n = X.shape[0]
        Y = target_rows(self._y[rows], self.network.sizes[-1], self.dtype)
        divisor = 1.0
        if self.reduction == "mean":
            # A batch whose samples all have weight 0 has the loss 0.
            divisor = float(n) if w is None else float(w.sum(dtype=np.float64)) or 1.0
        dropped = None
        if masks is not None and any(self.dropout):
            dropped = masks.draw(self.network.sizes, self.dropout, n, self.dtype)
        penalized = self.conventions.over(self.penalties, divisor)
        how = divisor, penalized, self._is_weight, dropped, self.conventions
        return n, *numpy_pass(self.network, X, Y, w, flat, *how)

    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        assert cursor.good is not None
        end, good, masks = time.monotonic() + updates.seconds, cursor.good, updates.masks
        epochs = k = 0
        while epochs < len(losses) and (len(updates.rates) == 1 or k < len(updates.rates)):
            if k and (updates.stop[0] or time.monotonic() >= end):
                break
            if cursor.row == 0 and cursor.random is not None:
                cursor.random.shuffle(cursor.order)  # type: ignore[arg-type]  # both or neither
            samples, loss, gradient = self._batch(cursor, flat, masks and masks.after(k))
            if not loss <= updates.limit:
                go_back(flat, state, good)
                return EpochsDone(epochs, k, diverged=True)
            if cursor.row == 0:
                good[:] = np.concatenate([flat, state[-1]]) if updates.average else flat
            theta, moved = numpy_update(
                self.network,
                self.penalties,
                updates,
                k,
                (flat, state, gradient),
                in_place=not updates.average and self.penalties.max_norm is None,
            )
            if theta is not flat:
                flat[:], state[:] = theta, moved
            k += 1
            cursor.row, cursor.loss = cursor.row + samples, cursor.loss + loss * samples
            if cursor.row == self.n_samples:
                losses[epochs] = cursor.loss / self.n_samples
                if not np.isfinite(flat).all():
                    go_back(flat, state, good)
                    return EpochsDone(epochs, k, diverged=True)
                cursor.row, cursor.loss = 0, 0.0
                epochs += 1
        return EpochsDone(epochs, k, diverged=False)


def go_back(flat: Array, state: Array, good: Array) -> None:
    """To the parameters, and their mean where there is one, that are kept."""
    flat[:] = good[: flat.size]
    if good.size > flat.size:
        state[-1] = good[flat.size :]


class NativeBatches(Batches):
    """The compiled engine over data that it keeps for itself, one copy in the precision of training."""

    engine = "native"

    def __init__(
        self,
        network: Network,
        X: NDArray[Any],
        y: NDArray[Any],
        w: NDArray[Any] | None,
        dtype: np.dtype[Any],
        reduction: str,
        batch_size: int,
        dropout: tuple[float, ...],
        threads: int,
    ) -> None:
        super().__init__(network, len(X), dtype, reduction, batch_size, dropout)
        assert native.module is not None
        self.threads = threads
        kind = native.module.Batches32 if dtype == np.float32 else native.module.Batches64
        self._batches = packed(kind, network, X, y, w, dtype, dropout)
        self.isa: str = self._batches.isa

    def _train(
        self, flat: Array, state: Array, losses: NDArray[np.float64], cursor: Cursor, updates: Updates
    ) -> EpochsDone:
        lent = cursor.lend()
        key, used = (None, np.zeros(1, np.int64)) if lent is None else lent
        if cursor.random is not None and lent is None:
            # Another generator's stream is drawn by NumPy, an epoch at a time.
            losses = losses[:1]
            if cursor.row == 0:
                cursor.random.shuffle(cursor.order)  # type: ignore[arg-type]  # both or neither
        before = updates.first - 1
        position, loss = np.array([cursor.row, before]), np.array([cursor.loss])
        epochs, diverged = self._batches.train(
            flat,
            state,
            cursor.good,
            losses,
            native_rule(updates.optimizer, self.penalties, updates.average, self.conventions),
            updates.rates,
            cursor.order,
            key,
            used,
            position,
            loss,
            self.batch_size,
            self.reduction == "mean",
            updates.limit,
            updates.stop,
            updates.seconds,
            self.threads,
            drawn(updates.masks)[0],
        )
        cursor.row, cursor.loss = int(position[0]), float(loss[0])
        return EpochsDone(epochs, int(position[1]) - before, diverged)


def prepare_batches(
    network: Network,
    X: object,
    y: object,
    batch_size: int,
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
) -> Batches:
    """Check a network's data once and keep them by sample, for training on batches.

    As `prepare`, which is for the full batch; a batch_size above the number of samples is that number.
    """
    batch_size = as_steps(batch_size, "batch_size")
    penalized = Penalties(l1, l2, max_norm)
    count = thread_count(threads)
    data = check_data(network, X, y, dtype, reduction, sample_weight, engine, class_weight)
    n = len(data.X)
    if n > _MOST_SAMPLES:
        raise InputError(f"X has {n} samples; batches are drawn from at most {_MOST_SAMPLES}.")
    batches: Batches
    dropped = as_dropout(dropout, len(network.hidden))
    kept = (network, data.X, data.y, data.weights, data.dtype, reduction, batch_size, dropped)
    batches = NativeBatches(*kept, count) if data.engine == "native" else NumpyBatches(*kept)
    batches.engine_reason = data.reason
    batches.penalties = penalized
    batches.class_weight = data.class_weight
    batches.remember(data)
    total = n if data.weights is None else float(data.weights.sum())
    batches.baseline = (
        data.baseline / total * (1.0 if reduction == "mean" else total * batches.batch_size / n)
    )
    return batches
