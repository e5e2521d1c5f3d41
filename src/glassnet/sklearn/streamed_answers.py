"""What a fitted estimator answers to samples that are streamed, and how well, in pieces."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from glassnet._types import Array
from glassnet.data.dask_cluster import is_collection
from glassnet.data.dataset import stream
from glassnet.data.paths import are_paths
from glassnet.data.source import Block, Rows
from glassnet.data.standardization import StandardizedRows, standardized_by
from glassnet.engine.predict import predictions
from glassnet.errors import InputError, InputTypeError, PreprocessingWarning
from glassnet.nn.network import Network, Parameters, outputs_of
from glassnet.sklearn.streaming import as_stream, check_columns, mean_over

Answer = Callable[[Array], NDArray[Any]]
"""What is made of the outputs of some samples."""


def rows_for(
    estimator: Any, X: Any, y: Any = None, sample_weight: Any = None, scored: bool = False
) -> Rows:
    """Samples as rows with the features that were fitted: those of files and dataframes by their names.

    Those that are `scored` have targets. Raises NotFittedError before `fit`, and warns of raw samples.
    """
    check_is_fitted(estimator, estimator._needed)
    warn_of_raw_samples(estimator, X)
    features = fitted_features(estimator, X)
    rows = as_stream(X, y, sample_weight, features) if scored else stream(X, features=features)
    assert rows is not None
    check_columns(estimator, rows, False)
    return rows


def fitted_features(estimator: Any, X: Any) -> list[str] | None:
    """The columns to read of files and dataframes, where names were fitted."""
    named = are_paths(X) or (is_collection(X) and hasattr(type(X), "columns"))
    known = getattr(estimator, "feature_names_in_", None)
    return None if known is None or not named else [*known]


def in_precision(theta: Parameters, rows: Rows) -> Parameters:
    """Parameters in single precision where the rows are as well."""
    return theta if rows.dtype == np.float32 else theta.astype(np.float64)


def answered(network: Network, theta: Parameters, rows: Rows, answer: Answer, threads: int | None) -> Any:
    """The answers to all rows; more than these is never in memory."""
    theta = in_precision(theta, rows)
    if not np.isfinite(theta.flat).all():
        return answer(np.full((rows.n_rows, network.sizes[-1]), np.nan, theta.dtype))
    pieces = map(answer, predictions(network, theta, rows, "outputs", threads))
    some = next(pieces)
    if sparse.issparse(some):
        return sparse.vstack([some, *pieces], format="csr")
    found, at = np.empty((rows.n_rows, *some.shape[1:]), some.dtype), len(some)
    found[:at] = some
    for some in pieces:
        found[at : at + len(some)] = some
        at += len(some)
    return found


def share_right(
    network: Network, theta: Parameters, rows: Rows, answer: Answer, threads: int | None
) -> float:
    """The share of the samples, by their weights, whose every answer is the target; none are kept."""
    theta = in_precision(theta, rows)
    return mean_over(rows, _Right(network, theta, answer), theta.dtype, threads)


@dataclass(frozen=True, eq=False)
class _Right:
    """Whether each of some rows is answered right."""

    network: Network
    theta: Parameters
    answer: Answer

    def __call__(self, block: Block) -> NDArray[np.bool_]:
        found = self.answer(outputs_of(self.network, self.theta, np.ascontiguousarray(block.X), 1))
        y, found = (labels.reshape(len(block.y), -1) for labels in (block.y, found))
        mine, learned = y[0].tolist(), found[0].tolist()
        if [isinstance(one, str) for one in mine] != [isinstance(one, str) for one in learned]:
            raise InputTypeError(
                f"y has {mine} at row 0; the estimator has learned labels such as {learned}."
            )
        right: NDArray[np.bool_] = (y == found).all(axis=1)
        return right


def warn_of_raw_samples(estimator: Any, X: Any) -> None:
    """Speak up where the estimator has learned from standardized rows, and others come."""
    made = estimator.__dict__
    if "mean_" not in made:
        return
    if not standardized_by(X, made["mean_"], made["scale_"]):
        warnings.warn(
            f"{type(estimator).__name__} has learned from standardized rows, (x - mean_) / scale_; raw "
            f"ones get wrong answers. Standardize these too, arrays as well: gn.stream(X, "
            f"standardize=(model.mean_, model.scale_)); the rows fitted have them as mean and scale.",
            PreprocessingWarning,
            stacklevel=4,
        )


def check_scales(estimator: Any, rows: Rows) -> None:
    """Raise an InputError where a fit goes on with rows in another scale, and warn of raw ones."""
    both = "mean_" in estimator.__dict__ and isinstance(rows, StandardizedRows)
    if both and not standardized_by(rows, estimator.mean_, estimator.scale_):
        raise InputError(
            f"{type(estimator).__name__} has learned from rows standardized by its mean_ and scale_; these "
            f"are standardized by other numbers. Standardize them alike: gn.stream(..., "
            f"standardize=(model.mean_, model.scale_))."
        )
    warn_of_raw_samples(estimator, rows)
