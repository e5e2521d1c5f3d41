"""Streamed datasets: their checks, their labels, and an estimator's predictions and scores on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from glassnet._types import Array
from glassnet.data.dask_cluster import is_collection
from glassnet.data.fixed_order import BLOCK_ROWS
from glassnet.data.parquet import are_paths
from glassnet.data.reduce import BadRow, Block, Reduction
from glassnet.data.scan import check_block, target_values
from glassnet.data.source import Dataset, MappedDataset
from glassnet.engine.predict import gathered, predictions
from glassnet.errors import InputError, InputTypeError, PreprocessingWarning
from glassnet.nn.network import Network, Parameters, outputs_of
from glassnet.sklearn.labels import Labels, class_numbers, class_weights, multiply_weights
from glassnet.utils.threads import thread_count
from glassnet.utils.warn import warn


def check_columns(estimator: Any, rows: Dataset, reset: bool) -> None:
    """Check the features as scikit-learn does: `reset` learns their number and names, else compares them.

    Raises InputError for other features, and where missing values would have to be filled in.
    """
    if vars(estimator).get("categorical_features") is not None:
        raise InputError(
            f"categorical_features is for tables in memory; {rows.source} is streamed. Train on it with "
            f"gn.train, or encode the categories before they are written."
        )
    if estimator.missing != "error":
        raise InputError(
            f"missing={estimator.missing!r} fills in missing values of data in memory; {rows.source} is "
            f"streamed. Fill them in before they are written, and leave missing='error'."
        )
    name, known = type(estimator).__name__, getattr(estimator, "feature_names_in_", None)
    if reset:
        estimator.n_features_in_ = rows.n_inputs
        estimator.__dict__.pop("feature_names_in_", None)
        forget_columns(estimator)
        if rows.standardization is not None:
            estimator.mean_, estimator.scale_ = rows.standardization
        if rows.names is not None:
            estimator.feature_names_in_ = np.array(rows.names, dtype=object)
    elif rows.n_inputs != getattr(estimator, "n_features_in_", rows.n_inputs):
        raise InputError(
            f"{rows.source} has {rows.n_inputs} features, but {name} is expecting "
            f"{estimator.n_features_in_} features as input. Choose them: gn.stream(..., features=[...])."
        )
    elif rows.names is not None and known is not None and [*rows.names] != [*known]:
        raise InputError(
            f"{rows.source} has the features {', '.join(rows.names)}; {name} was fitted on "
            f"{', '.join(known)}, in this order. Choose them: gn.stream(..., features=[...])."
        )
    elif rows.names is None and known is not None:
        warn(f"X does not have valid feature names, but {name} was fitted with feature names", UserWarning)
    elif rows.names is not None and known is None:
        warn(f"X has feature names, but {name} was fitted without feature names", UserWarning)


def forget_columns(estimator: Any) -> None:
    """Remove what a fit on other columns has left."""
    for attribute in ("mean_", "scale_", "imputer_", "is_categorical_", "_preprocessing"):
        estimator.__dict__.pop(attribute, None)


# ---- Targets ---------------------------------------------------------------------------------------


def first_targets(rows: Dataset) -> NDArray[Any]:
    """The targets of one row, (1,) or (1, outputs), for a regressor; training scans the others."""
    y = next(rows.read(0, 1, 1, None)).y
    if y.dtype.kind in "OUT":
        raise InputTypeError(f"y has {y.ravel()[0]!r} at {rows.where(0)}; a regressor takes numbers.")
    return y


def targets_of(rows: Dataset) -> Block:
    """The targets and weights of all rows, without their X."""
    return Block.concatenated(
        [block.copy() for block in rows.read(0, rows.n_rows, rows.block_rows(1), None)]
    )


class Classes:
    """The classes of rows, from a pass over their targets.

    `example` is a small y that has every value of each column: what holds for y holds for it.
    """

    def __init__(self, rows: Dataset, threads: int | None) -> None:
        self._rows = rows
        self._columns, flat = target_values(rows, thread_count(threads))
        self._values = [np.sort(column.array()) for column in self._columns]
        # Three times each: scikit-learn warns where hardly a value is there twice.
        most = 3 * max(map(len, self._values))
        columns = [np.resize(values, most) for values in self._values]
        self.example: NDArray[Any] = columns[0] if flat else np.column_stack(columns)

    def located(self, error: ValueError, known: Sequence[NDArray[Any]]) -> ValueError:
        """The error with the row of the first class that is not `known`, where there is one."""
        new = [
            (row, value)
            for column, classes in zip(self._columns, known, strict=False)
            for value, row in column.first.items()
            if value not in set(classes.tolist())
        ]
        if not new:
            return error
        row, value = min(new, key=lambda pair: pair[0])
        return InputError(f"{error} The first such is {value!r} at {self._rows.where(row)}.")

    def weights(
        self, class_weight: Any, labels: Labels, incremental: bool
    ) -> tuple[NDArray[np.float64], ...] | None:
        """The weight of each class of each column, as for samples in memory; None without class_weight."""
        if class_weight is None:
            return None
        counts = [
            np.array([column.counts[value] for value in values.tolist()], np.float64)
            for column, values in zip(self._columns, self._values, strict=True)
        ]
        if isinstance(class_weight, str) and self._rows.weighted:
            # In one chunk: sums of weights have the bits that they have in memory.
            (counts,) = self._rows.reduce(_WeightSums(self._values), [(0, self._rows.n_rows)], 1)
        return class_weights(class_weight, labels, self._values, counts, incremental)


@dataclass(frozen=True)
class Coding:
    """How blocks of rows are coded: labels as a network learns them, weights times those of classes."""

    labels: Labels
    dtype: np.dtype[Any]
    of_columns: tuple[NDArray[np.float64], ...] | None

    def __call__(self, block: Block) -> Block:
        y = block.y.ravel() if block.y.shape[1:] == (1,) else block.y
        w = block.w
        if self.of_columns is not None:
            w = multiply_weights(self.labels, self.of_columns, y, w)
        return Block(block.X, self.labels.encode(y, self.dtype), w)

    def of(self, rows: Dataset) -> Dataset:
        """The rows, coded as they are read."""
        return MappedDataset(rows, self, rows.weighted or self.of_columns is not None)


# ---- Sums over the rows ----------------------------------------------------------------------------


def mean_over(
    rows: Dataset, value: Callable[[Block], NDArray[Any]], dtype: np.dtype[Any] | None, threads: int | None
) -> float:
    """The weighted mean of a value of each row; `value` gives those of a block, whose X is in `dtype`.

    Summed by blocks of a fixed size, so that the bits do not depend on how a source cuts its rows. Raises
    InputError and InputTypeError for rows that cannot be used, and those that `value` raises, whose "row 0"
    is the block's first.
    """
    chunks = rows.reduce(_MeanReduction(value, dtype), threads=threads)
    weight = sum(weight for _, weight in chunks)
    if not weight > 0:
        raise InputError("sample_weight is 0 everywhere; at least one sample must count.")
    return sum(total for total, _ in chunks) / weight


@dataclass(eq=False)
class _MeanReduction(Reduction):
    """Keeps values and weights, two numbers a row, until a block is whole."""

    value: Callable[[Block], NDArray[Any]]
    dtype: np.dtype[Any] | None
    block: int = BLOCK_ROWS

    def keep(self, block: Block, first: int) -> NDArray[np.float64] | BadRow:
        bad = None if self.dtype is None else check_block(None, block, first, self.dtype)
        if bad is not None:
            return bad
        kept = np.empty((2, len(block.y)))
        try:
            kept[0] = self.value(block)
        except (InputError, InputTypeError) as error:
            return BadRow(first, error)
        kept[1] = 1.0 if block.w is None else block.w
        return kept

    def add(
        self, value: tuple[float, float] | None, kept: list[NDArray[np.float64]], first: int
    ) -> tuple[float, float]:
        values, weights = np.concatenate(kept, axis=1)
        total, weight = value or (0.0, 0.0)
        return total + float((values * weights).sum()), weight + float(weights.sum())


@dataclass(eq=False)
class _WeightSums(Reduction):
    """The weights of each value of each column, added one after the other as ``numpy.bincount`` does."""

    values: list[NDArray[Any]]
    dtype: None = None

    def keep(self, block: Block, first: int) -> Block:
        return block

    def add(
        self, value: list[NDArray[np.float64]] | None, kept: list[Block], first: int
    ) -> list[NDArray[np.float64]]:
        ((_, y, w),) = kept
        sums = value or [np.zeros(len(values)) for values in self.values]
        columns = [y] if y.ndim == 1 else y.T
        for total, values, column in zip(sums, self.values, columns, strict=True):
            np.add.at(total, class_numbers(values, column), np.asarray(w))
        return sums


# ---- Predictions and scores ------------------------------------------------------------------------

Answer = Callable[[Array], NDArray[Any]]
"""A function from the outputs of some samples to predictions."""


def fitted_features(estimator: Any, X: Any) -> list[str] | None:
    """The columns to read of files and dataframes, where names were fitted."""
    located = are_paths(X) or (is_collection(X) and hasattr(type(X), "columns"))
    known = getattr(estimator, "feature_names_in_", None)
    return None if known is None or not located else [*known]


def in_precision(theta: Parameters, rows: Dataset) -> Parameters:
    """Parameters in single precision where the rows are as well."""
    return theta if rows.dtype == np.float32 else theta.astype(np.float64)


def answered(
    network: Network, theta: Parameters, rows: Dataset, answer: Answer, threads: int | None
) -> Any:
    """The predictions for all rows; no more than these, and a block of rows, is in memory."""
    theta = in_precision(theta, rows)
    if not np.isfinite(theta.flat).all():
        return answer(np.full((rows.n_rows, network.sizes[-1]), np.nan, theta.dtype))
    blocks: Iterator[Any] = map(answer, predictions(network, theta, rows, "outputs", threads))
    block = next(blocks)
    blocks = chain([block], blocks)
    return (
        sparse.vstack([*blocks], format="csr") if sparse.issparse(block) else gathered(blocks, rows.n_rows)
    )


def accuracy_of_rows(
    network: Network, theta: Parameters, rows: Dataset, answer: Answer, threads: int | None
) -> float:
    """The share of the rows, by their weights, whose every label is predicted right."""
    theta = in_precision(theta, rows)
    return mean_over(rows, _IsRight(network, theta, answer), theta.dtype, threads)


@dataclass(frozen=True, eq=False)
class _IsRight:
    """Whether every label of each row of a block is predicted right."""

    network: Network
    theta: Parameters
    answer: Answer

    def __call__(self, block: Block) -> NDArray[np.bool_]:
        y_hat = self.answer(outputs_of(self.network, self.theta, np.ascontiguousarray(block.X), 1))
        y, y_hat = (labels.reshape(len(block.y), -1) for labels in (block.y, y_hat))
        labels, learned = y[0].tolist(), y_hat[0].tolist()
        if [isinstance(label, str) for label in labels] != [isinstance(label, str) for label in learned]:
            raise InputTypeError(
                f"y has {labels} at row 0; the estimator has learned labels such as {learned}."
            )
        right: NDArray[np.bool_] = (y == y_hat).all(axis=1)
        return right


def warn_of_raw_samples(estimator: Any, X: Any) -> None:
    """Warn where the estimator has learned from standardized rows, and X is not standardized like them."""
    attributes = vars(estimator)
    if "mean_" not in attributes:
        return
    if not (isinstance(X, Dataset) and X.is_standardized_by(attributes["mean_"], attributes["scale_"])):
        warn(
            f"{type(estimator).__name__} has learned from standardized rows, (x - mean_) / scale_; raw "
            f"ones get wrong answers. Standardize these too, arrays as well: gn.stream(X, "
            f"standardize=(model.mean_, model.scale_)); the rows fitted have them as mean and scale.",
            PreprocessingWarning,
        )


def check_scales(estimator: Any, rows: Dataset) -> None:
    """Raise an InputError where a fit goes on with rows in another scale, and warn of raw ones."""
    both = "mean_" in vars(estimator) and rows.standardization is not None
    if both and not rows.is_standardized_by(estimator.mean_, estimator.scale_):
        raise InputError(
            f"{type(estimator).__name__} has learned from rows standardized by its mean_ and scale_; these "
            f"are standardized by other numbers. Standardize them alike: gn.stream(..., "
            f"standardize=(model.mean_, model.scale_))."
        )
    warn_of_raw_samples(estimator, rows)
