"""What is explained: a run at its parameters, one sample of the data, and all rows that it learns from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.checks import target_rows, with_class_weights
from glassnet.data.dataset import as_dataset
from glassnet.data.fixed_order import total_weight
from glassnet.data.source import Dataset
from glassnet.data.tables.prepare import PreparedTable
from glassnet.data.tables.rows import rows_of
from glassnet.diagnostics.central_differences import LossDifferences
from glassnet.engine.predict import warn_of_other_rows
from glassnet.errors import InputError
from glassnet.nn import reference
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Parameters, count_parameters
from glassnet.optim.penalties import NO_PENALTIES, Penalties
from glassnet.training.state import RunState, at_end
from glassnet.training.validation import parts_again
from glassnet.utils.array_checks import as_target, cast, check_finite
from glassnet.utils.memory import size_text

MOST_BYTES = 256 << 20
"""Streamed rows up to which all are read into memory."""


class Place(NamedTuple):
    """A parameter: the weight from `input` to `unit` of a layer, from 1, or with None the unit's bias."""

    layer: int
    unit: int
    input: int | None = None

    @property
    def kind(self) -> str:
        """ "W" or "b"."""
        return "b" if self.input is None else "W"

    @property
    def at(self) -> tuple[int, ...]:
        """Its index in W or b."""
        return (self.unit,) if self.input is None else (self.input, self.unit)

    @property
    def symbol(self) -> str:
        """W1[0, 2] or b1[2], say."""
        return f"{self.kind}{self.layer}{[*self.at]}"

    @property
    def words(self) -> str:
        """What it is."""
        if self.input is None:
            return f"the bias of unit {self.unit} of layer {self.layer}"
        below = "input" if self.layer == 1 else "unit"
        source = f"{below} {self.input}{'' if self.layer == 1 else f' of layer {self.layer - 1}'}"
        return f"the weight from {source} to unit {self.unit} of layer {self.layer}"

    def of(self, theta: Parameters) -> float:
        """Its number among parameters, or among anything of their sizes."""
        arrays = theta.biases if self.input is None else theta.weights
        return float(arrays[self.layer - 1][self.at])

    def position(self, sizes: tuple[int, ...]) -> int:
        """Its place in the flat vector."""
        return int(self.of(Parameters(sizes, np.arange(count_parameters(sizes), dtype=float))))


class Rows(NamedTuple):
    """Samples as the network takes them, in the precision of training.

    X is (n, inputs), Y rows of targets or None, w weights or None, masks those of a training pass or None;
    `divisor` is what the reduction divides their sum by.
    """

    X: Array
    Y: Array | None
    w: Array | None
    masks: list[Array | None] | None
    divisor: float
    words: str
    """"all 50,000 samples", say."""


class Pass(NamedTuple):
    """Every layer's numbers for some rows, in the notation of `reference`; delta_l is deltas[l - 1]."""

    Zs: list[Array]
    Hs: list[Array]
    """[X, H1, ...], the inputs of the layers."""
    deltas: list[Array]
    """Empty where there are no targets."""


class Subject:
    """A run with the user's data; everything is computed when it is asked for."""

    def __init__(self, run: RunState, X: object, y: object, sample_weight: object, dropout: bool) -> None:
        self.run, self.network, self.theta = run, run.network, run.parameters
        self.dtype, self.dropout = run.dtype, dropout and any(run.dropout)
        rows = None if isinstance(X, PreparedTable) else rows_of(X, run.extra)
        if rows is not None:
            X, y = (rows.X, None) if y is None and not _has_targets(rows) else rows.scored(y)
        self._y = y
        dataset = _dataset_of(X, self.network.sizes[0])
        dataset.require_width(self.network.sizes[0])
        self.scaling = run.encoding.scaling
        if self.scaling is None and rows is None and not isinstance(X, PreparedTable):
            warn_of_other_rows(dataset, run.extra)
        if not isinstance(dataset, InMemory):
            if self.scaling is not None and dataset.standardization is not None:
                raise InputError("The run scales by itself: leave standardize out of gn.stream.")
            dataset = _read(dataset)
            sample_weight = dataset.weights if sample_weight is None else sample_weight
        if dataset.y is not None and self._y is None:  # of a prepared table, or a stream
            self._y = dataset.y
        self._X, self.names, self.n_samples = dataset.X, dataset.names, dataset.n_rows
        self._sample_weight = sample_weight
        self.targeted = self._y is not None

    # ---- One sample ---------------------------------------------------------------------------------

    def check_sample(self, sample: int) -> None:
        """Raise InputError for a sample that X lacks."""
        if sample >= self.n_samples:
            raise InputError(
                f"sample is {sample}, and X has {self.n_samples:,} row(s); expected a row's number from 0 "
                f"to {self.n_samples - 1}."
            )

    def raw(self, sample: int) -> Array:
        """The sample's inputs as they came, (inputs,)."""
        X: Array = self._X[sample : sample + 1]
        return np.asarray(X, np.float64)[0]

    def sample(self, sample: int) -> Rows:
        """One row, with the mask that the present training pass has for it."""
        X: Any = self._X[sample : sample + 1]
        check_finite(X, "X", sample)
        if self.scaling is not None:
            X = self.scaling.inputs(X)
        X = cast(np.ascontiguousarray(X), self.dtype, "X")
        Y = w = None
        if self.targeted:
            numbers = self.run.encoding.targets(self._of_one(self._y, sample, "y"))
            targets = as_target(numbers, 1, self.network.sizes[-1], self.network.loss.target)
            Y = target_rows(targets, self.network.sizes[-1], self.dtype)
            w = self._weight(sample, targets)
        masks = self._masks_of_sample(sample)
        return Rows(X, Y, w, masks, 1.0, f"sample {sample}")

    def _of_one(self, values: object, sample: int, name: str) -> NDArray[Any]:
        array = np.asarray(values)
        if array.ndim == 0 or len(array) != self.n_samples:
            entries = array.size if array.ndim == 0 else len(array)
            raise InputError(
                f"{name} has {entries} entries, X has {self.n_samples} rows; they must be equal."
            )
        return array[sample : sample + 1]

    def _weight(self, sample: int, targets: NDArray[Any]) -> Array | None:
        """The sample's weight times that of its class; None where there are no weights."""
        weight = None
        if self._sample_weight is not None:
            weight = np.asarray(self._of_one(self._sample_weight, sample, "sample_weight"), np.float64)
            if not (np.isfinite(weight).all() and (weight >= 0).all()):
                raise InputError(f"sample_weight has {weight[0]} at row {sample}; expected 0 or more.")
        weight = with_class_weights(weight, self.run.class_weight, targets)
        return None if weight is None else cast(weight, self.dtype, "sample_weight")

    def _masks_of_sample(self, sample: int) -> list[Array | None] | None:
        """Its part of the masks of the present pass; None where it has none."""
        if not self.dropout:
            return None
        try:
            places, masks = self.pass_masks
        except InputError:  # of data that are not the run's
            return None
        at = np.flatnonzero(self.numbers[places] == sample)
        return [None if M is None else M[at] for M in masks] if len(at) else None

    # ---- All rows ------------------------------------------------------------------------------------

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the rows that the run learns from, in their order."""
        kept = self.run.validation
        rows = None if kept is None else kept.training_rows
        return np.arange(self.n_samples) if rows is None else rows

    @cached_property
    def learned(self) -> Rows:
        """All rows that the run learns from, those held out left out; without masks."""
        if not self.targeted:
            raise InputError("y is missing: the targets, one for each row of X.")
        network, run = self.network, self.run
        y = run.encoding.numbers(self._y)
        dataset = as_dataset(self._X, y, self._sample_weight, network.sizes[0])
        try:
            training = parts_again(network, dataset, run.validation).scaled(self.scaling).training
        except InputError as error:
            raise InputError(
                f"{error} A gradient is a sum over the rows that the run learns from: give all of them."
            ) from error
        assert isinstance(training, InMemory)
        targets = training.targets(network)
        weights = with_class_weights(training.weights, run.class_weight, targets)
        n, divisor = training.n_rows, 1.0
        if run.reduction == "mean":
            divisor = float(n) if weights is None else total_weight(weights)
        inputs = training.X.toarray() if hasattr(training.X, "toarray") else training.X[:]
        X, Y = cast(inputs, self.dtype, "X"), target_rows(targets, network.sizes[-1], self.dtype)
        w = None if weights is None else cast(weights, self.dtype, "sample_weight")
        return Rows(X, Y, w, None, divisor, f"all {n:,} samples" if n > 1 else "the one sample")

    @cached_property
    def pass_masks(self) -> tuple[NDArray[np.intp], list[Array | None]]:
        """The places among `numbers` of the samples of the present training pass, and its masks.

        InputError where nobody knows them.
        """
        run, size = self.run, self.run.batch_size
        places = np.arange(len(self.numbers)) if size is None else self._next_batch(size)
        if run.dropout_seed is None:
            return places, [None] * len(run.dropout)
        number = (self.iteration if size is None else run.updates) + 1
        drawn = Masks(run.dropout_seed, number)
        return places, drawn.draw(self.network.sizes, run.dropout, len(places), self.dtype)

    def _next_batch(self, size: int) -> NDArray[np.intp]:
        cursor, n = self.run.cursor, len(self.numbers)
        if cursor is None:
            raise InputError(
                "This run's sweep was too large to keep each network's order of samples: nobody knows its "
                "next batch, and so not its next update."
            )
        if cursor.layout != (0, 0):
            raise InputError("This run's batches come from a stream: its next batch is not in memory.")
        cursor = cursor.copy()
        if cursor.order is None:
            return np.arange(cursor.row, min(cursor.row + size, n))
        if len(cursor.order) != n:
            raise InputError(
                f"The run learns from {len(cursor.order):,} samples, X has {n:,}; expected the same data."
            )
        if cursor.random is not None and cursor.row == 0:
            cursor.random.shuffle(cursor.order)
        return cursor.order[cursor.row : cursor.row + size].astype(np.intp)

    @cached_property
    def present(self) -> Rows:
        """The rows of the pass that gives the next update its gradient, with its masks."""
        every = self.learned
        places, masks = self.pass_masks
        drawn = masks if self.dropout else None
        if self.run.batch_size is None:
            return every._replace(masks=drawn)
        assert every.Y is not None
        w = None if every.w is None else every.w[places]
        n, divisor = len(places), 1.0
        if self.run.reduction == "mean":
            divisor = float(n) if w is None else float(w.sum(dtype=np.float64)) or 1.0
        words = f"the {n:,} samples of the next batch"
        return Rows(every.X[places], every.Y[places], w, drawn, divisor, words)

    @property
    def whole(self) -> Rows:
        """All rows, with masks where the present pass is over all of them."""
        return self.learned if self.run.batch_size is not None else self.present

    @property
    def iteration(self) -> int:
        """The iteration of the parameters: the last one, or the best where the run has gone back to it."""
        kept = self.run.validation
        if kept is not None and kept.last_point is not None and kept.best_iteration is not None:
            return kept.best_iteration
        return self.run.iterations

    @property
    def at_end(self) -> Subject:
        """The same at the parameters that training goes on from."""
        kept = self.run.validation
        if kept is None or kept.last_point is None:
            return self
        other = copy.copy(self)
        for name in ("learned", "pass_masks", "present"):
            other.__dict__.pop(name, None)
        other.run = at_end(self.run)
        other.theta = other.run.parameters
        return other

    @property
    def penalties(self) -> Penalties:
        """l1 and l2, as training has them."""
        return replace(self.run.penalties, max_norm=None)

    # ---- Passes --------------------------------------------------------------------------------------

    def forward_and_back(self, rows: Rows) -> Pass:
        """The pass over some rows, by the reference."""
        weights, biases, hidden = self.theta.weights, self.theta.biases, self.network.hidden
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Zs, Hs = reference.forward_propagation(rows.X, weights, biases, hidden, rows.masks)
            if rows.Y is None:
                return Pass(Zs, Hs, [])
            deltas = [reference.loss_gradient(Zs[-1], rows.Y, self.network.loss, rows.w)]
            for layer in reversed(range(len(hidden))):
                Z, sigma, M = Zs[layer], hidden[layer], rows.masks[layer] if rows.masks else None
                H = Hs[layer + 1] if M is None else reference.hidden_activations(Z, sigma)
                deltas.insert(0, reference.hidden_error(deltas[0], weights[layer + 1], Z, H, sigma, M))
            return Pass(Zs, Hs, deltas)

    def differences(self, rows: Rows, numbers: Pass, penalized: bool) -> LossDifferences:
        """Central differences over some rows: of the reduced loss, or of the bare sum without penalties."""
        assert rows.Y is not None
        w = np.ones(len(rows.X)) if rows.w is None else rows.w.astype(np.float64)
        if penalized:
            w = w / rows.divisor
        data = rows.X.astype(np.float64), rows.Y.astype(np.float64), w
        masks = None
        if rows.masks is not None:
            masks = [None if M is None else M.astype(np.float64) for M in rows.masks]
        penalties = self.penalties if penalized else NO_PENALTIES
        theta: Parameters = self.theta.astype(np.float64)
        passed = (numbers.Zs, numbers.Hs) if self.dtype == np.float64 else None
        return LossDifferences(self.network, theta, data, penalties, self.dtype, masks, passed)


def _dataset_of(X: object, width: int) -> Dataset:
    """X as a dataset; of an array nobody looks at all rows where one is asked for."""
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind in "fiub" and len(X):
        return InMemory(X)
    return as_dataset(X, None, None, width)


def _read(dataset: Dataset) -> InMemory:
    """A streamed dataset's rows in memory, where they are few."""
    size = dataset.n_rows * dataset.row_bytes
    if size > MOST_BYTES:
        raise InputError(
            f"X is streamed from {dataset.source}, {dataset.n_rows:,} rows of about {size_text(size)}; "
            f"expected at most {size_text(MOST_BYTES)}: give some of the rows, as arrays X and y."
        )
    X, y, w = dataset.read_all()
    targets = y if dataset.targeted else None
    return InMemory(X, targets, w, dataset.names)


def _has_targets(rows: Any) -> bool:
    names: Sequence[str] = rows.preprocessing.target_names
    return all(name in rows.table.names for name in names)
