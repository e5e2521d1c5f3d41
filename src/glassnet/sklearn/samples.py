"""The door of the estimators: the samples of a call, in memory or streamed, checked and coded.

`samples_of` alone looks at where X lies. `Samples` are checked as scikit-learn checks arrays,
`StreamedSamples` as `glassnet.train` checks streams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, check_X_y

from glassnet._types import Array
from glassnet.data.checks import columns_of_one_value
from glassnet.data.dataset import is_stream, stream
from glassnet.data.reduce import Block
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.predict import warn_of_constants
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.errors import InputError
from glassnet.nn.network import Network, Parameters
from glassnet.optim.loss_conventions import Conventions
from glassnet.optim.penalties import Penalties
from glassnet.sklearn.checks import (
    MIN_ENTRIES,
    MIN_ENTRIES_TO_PREDICT,
    as_rows,
    check_inputs,
    check_samples,
    check_weights,
)
from glassnet.sklearn.labels import check_zero_bytes
from glassnet.sklearn.network import WORTHWHILE, operations
from glassnet.sklearn.streaming import (
    Answer,
    answered,
    check_columns,
    check_scales,
    fitted_features,
    forget_columns,
    mean_over,
    targets_of,
    warn_of_raw_samples,
)
from glassnet.sklearn.tables import encoded


class Samples:
    """The X, y and sample weights of a call, in memory: arrays, sparse matrices, data frames.

    To predict and to score, `answers` and `score` do all. A fit calls `learn` and a validation `check`,
    after which `n_rows`, `n_inputs` and `dtype` are those of X; then `code` with the precision to compute
    in, which the methods after it need.
    """

    n_rows: int
    n_inputs: int
    _unchanged: tuple[Any, Any]
    dtype: np.dtype[Any]

    def __init__(self, estimator: Any, X: Any, y: Any = None, weights: Any = None) -> None:
        check_zero_bytes(y)
        self.estimator, self.X, self.y, self.weights = estimator, X, y, weights

    # ---- Predictions and scores by a fitted estimator --------------------------------------------------

    def answers(self, answer: Answer) -> Any:
        """The predictions that `answer` makes of the outputs."""
        warn_of_raw_samples(self.estimator, self.X)
        network, theta, X = self.inputs(MIN_ENTRIES_TO_PREDICT)

        def predict(X: Any) -> Any:
            return answer(self.estimator._outputs_of(network, theta, X))

        predicted = predict(X)
        if (constant := vars(self.estimator).get("_constant")) and not issparse(X):
            remedy = "put sklearn.feature_selection.VarianceThreshold() before the estimator"
            warn_of_constants(constant, X, predicted, predict, remedy)
        return predicted

    def score(self) -> float:
        """The estimator's score."""
        return float(self.estimator._score_arrays(self.X, self.y, self.weights))

    def inputs(self, min_entries: float = np.inf) -> tuple[Network, Parameters, Any]:
        """The network, its parameters and X, checked, in the precision to compute in.

        Sparse rows of `min_entries` or more stay sparse. Raises InputError for streamed samples.
        """
        estimator = self.estimator
        network, theta = estimator._fitted()
        X = self._known(min_entries)
        narrow = X.dtype == np.float32 and theta.dtype == np.float32
        dtype = np.dtype(np.float32 if narrow else np.float64)
        if theta.dtype != dtype:
            theta = theta.astype(dtype)
        return network, theta, as_rows(X, dtype)

    def targets(self) -> tuple[Any, Any]:
        """y and the weights, in memory."""
        return self.y, self.weights

    def readers(self, threads: int) -> int:
        """How many fits on so many threads may read the samples at once."""
        return threads

    # ---- Checks ----------------------------------------------------------------------------------------

    def learn(self, first: bool, incremental: bool, classes: Any) -> None:
        """Check the samples of a fit; the estimator learns features and labels where it is the `first`."""
        estimator = self.estimator
        if first:
            forget_columns(estimator)
        X, y = self._pair(first)
        if not first:
            warn_of_raw_samples(estimator, X)
        y = estimator._check_y(y, first, incremental, classes)
        X = self._completed(X, first)
        weights = None if self.weights is None else check_weights(self.weights, X)
        weights = estimator._weigh_classes(y, weights, incremental)
        if weights is not None and not weights.sum() > 0:
            raise InputError(
                f"The samples' weights sum to {weights.sum():.6g}; expected more than 0: at least one must "
                "count."
            )
        self._take(X, y, weights)

    def check(self) -> None:
        """Check the samples of `validation_data` by what the estimator has learned."""
        estimator, y = self.estimator, self.y
        self._unchanged = self.X, y
        warn_of_raw_samples(estimator, self.X)
        X = self._known(MIN_ENTRIES_TO_PREDICT)
        y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        y = estimator._check_y(y, False, True)
        weights = None if self.weights is None else check_weights(self.weights, X)
        self._take(X, y, weights)

    def _pair(self, first: bool) -> tuple[Any, Any]:
        """X and y of a fit, checked."""
        return check_samples(self.estimator, self.X, self.y, first, self.estimator._is_numeric)

    def _completed(self, X: Any, first: bool) -> Any:
        """X of a fit without missing values."""
        return self.estimator._complete(X, first, MIN_ENTRIES)

    def _known(self, min_entries: float) -> Any:
        """X checked and completed by what the estimator has learned."""
        estimator = self.estimator
        return estimator._complete(check_inputs(estimator, self.X), False, min_entries)

    def _take(self, X: Any, y: NDArray[Any], weights: NDArray[Any] | None) -> None:
        self.X, self.y, self.weights = X, y, weights
        (self.n_rows, self.n_inputs), self.dtype = X.shape, X.dtype

    def code(self, dtype: np.dtype[Any]) -> None:
        """Code the targets as the network learns them, all in the precision to compute in."""
        self.X, self.y, self.dtype = as_rows(self.X, dtype), self.estimator._encode(self.y, dtype), dtype
        if self.weights is not None:
            self.weights = np.asarray(self.weights, dtype)

    # ---- Once coded --------------------------------------------------------------------------------------

    def problem(self, network: Network, conventions: Conventions) -> Problem:
        """The samples as one batch, without penalties."""
        problem = self._prepare(network, conventions=conventions)
        assert isinstance(problem, Problem)
        return problem

    def batches(
        self, network: Network, size: int, dropout: tuple[float, ...], penalties: Penalties
    ) -> Batches:
        """The samples, to be trained on in batches."""
        settings: dict[str, Any] = {"batch_size": size, "dropout": dropout, "penalties": penalties}
        batches = self._prepare(network, conventions=self.estimator._conventions(self.dtype), **settings)
        assert isinstance(batches, Batches)
        return batches

    def _prepare(self, network: Network, **settings: Any) -> Problem | Batches:
        # For batches the policy asks for more threads, for epochs that have enough to do.
        small = "batch_size" in settings or operations(network, self.n_rows) <= WORTHWHILE
        settings["threads"] = 1 if small else self.estimator.n_threads
        settings["engine"] = "numpy" if issparse(self.X) else "auto"
        arrays = Block(self.X, self.y, self.weights)
        return prepare_problem(network, arrays, ProblemSettings(dtype=self.dtype, **settings))

    def mean_offset(self) -> float:
        """The reported mean loss minus the engine's."""
        offset = self.estimator._loss_offset()
        return 0.0 if offset is None else self._mean(offset)

    def _mean(self, value: Callable[[NDArray[Any]], NDArray[Any]]) -> float:
        """The weighted mean of a value of the targets."""
        return float(np.average(value(self.y), weights=self.weights))

    def weighted_targets(self, batches: Batches) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Targets and weights by row; None without weights, and for batches that keep no order of rows."""
        return None if self.weights is None else (self.y, self.weights)

    def hold_out(self, random: RandomState) -> tuple[Samples, Samples]:
        """The samples to train on and those held out, drawn as scikit-learn draws them."""
        estimator = self.estimator
        drawn = train_test_split(
            np.arange(self.n_rows),
            random_state=random,
            test_size=estimator.validation_fraction,
            stratify=estimator._strata(self.y),
        )
        if len(drawn[1]) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your "
                "dataset."
            )
        training, held_out = map(self._subset, drawn)
        if estimator.scoring is not None:
            held_out._unchanged = self._as_they_came(drawn[1]), estimator._decode(held_out.y)
        return training, held_out

    def _as_they_came(self, rows: NDArray[np.intp]) -> Any:
        """Some rows of X as a prediction takes them."""
        return self.X[rows]

    def _subset(self, rows: NDArray[np.intp]) -> Samples:
        subset = Samples(self.estimator, None)
        subset._take(self.X[rows], self.y[rows], None if self.weights is None else self.weights[rows])
        return subset

    def score_at(self, network: Network, flat: Array, model_at: Callable[[Array], Any]) -> float:
        """The score at flat parameters; `model_at` gives a fitted estimator with them."""
        Y_hat = self.estimator._outputs_of(network, Parameters(network.sizes, flat), self.X)
        return float(self.estimator._score_of(self.y, Y_hat, self.weights))

    def scores(self, model: Any, scorers: Mapping[str, Callable[..., float]]) -> dict[str, float]:
        """What the scorers measure of a fitted estimator on X and y as they came."""
        X, y = self._unchanged
        if isinstance(X, np.ndarray):  # which has no names
            model.__dict__.pop("feature_names_in_", None)
        return {name: float(scorer(model, X, y)) for name, scorer in scorers.items()}

    def constant_columns(
        self, problem: Problem | Batches, among: Mapping[int, float] | None
    ) -> Mapping[int, float]:
        """Columns, all or some, that have one value in all rows trained on, and the value.

        Of all, one row shows none.
        """
        return {} if among is None and self.n_rows < 2 else columns_of_one_value(self.X, among)

    def keep_work(self, error: BaseException, model: Callable[[], Any]) -> None:
        """Attach the estimator fitted so far to an error of streamed samples, which may have broken off."""


class TableSamples(Samples):
    """Samples with categories: X is encoded at once, and is the network's inputs from there on."""

    def _pair(self, first: bool) -> tuple[Any, Any]:
        estimator, self._came = self.estimator, self.X
        X = encoded(estimator, self.X, first)
        return check_X_y(
            X,
            self.y,
            dtype=estimator.dtype or np.float64,
            multi_output=True,
            y_numeric=estimator._is_numeric,
            estimator=estimator,
        )

    def _completed(self, X: Any, first: bool) -> Any:
        return X

    def _known(self, min_entries: float) -> Any:
        return encoded(self.estimator, self.X, False)

    def _as_they_came(self, rows: NDArray[np.intp]) -> Any:
        return _safe_indexing(self._came, rows)


class StreamedSamples(Samples):
    """Samples that `glassnet.stream` takes or returns, which are read anew for each pass.

    `rows` are as they came, `dataset` has coded targets.
    """

    rows: Dataset
    dataset: Dataset

    def answers(self, answer: Answer) -> Any:
        estimator = self.estimator
        (network, theta), rows = estimator._fitted(), self._known_rows(False)
        return answered(network, theta, rows, lambda Y: answer(estimator._link(Y)), estimator.n_threads)

    def score(self) -> float:
        self.estimator._fitted()  # raises NotFittedError before a file is opened
        return float(self.estimator._score_rows(self._known_rows(True)))

    def inputs(self, min_entries: float = np.inf) -> tuple[Network, Parameters, Any]:
        raise InputError(f"X is {self.X!r}; this takes samples in memory, an array or a table.")

    def targets(self) -> tuple[Any, Any]:
        _, y, weights = targets_of(self._rows())
        return y, weights

    def readers(self, threads: int) -> int:
        return 1  # a fit takes all of the memory, and its threads read side by side

    def learn(self, first: bool, incremental: bool, classes: Any) -> None:
        estimator, rows = self.estimator, self._rows()
        check_columns(estimator, rows, first)
        if not first:
            check_scales(estimator, rows)
        self._coded = estimator._check_rows(rows, first, incremental, classes, trained_on=True)
        self.n_rows, self.n_inputs = rows.n_rows, rows.n_inputs
        self.dtype = rows.dtype if estimator.dtype is None else np.dtype(estimator.dtype)

    def check(self) -> None:
        self.rows = rows = self._known_rows(True)
        if self.estimator.scoring is not None:
            raise InputError(
                f"scoring is measured on samples in memory; {rows.source} is streamed. Leave scoring "
                f"out: early_stopping then watches accuracy or R^2."
            )
        self._coded = self.estimator._check_rows(rows, False, True)

    def _rows(self, features: list[str] | None = None) -> Dataset:
        """The dataset with targets; columns of files and dataframes are found by their names."""
        if self.y is None and not isinstance(self.X, Dataset):
            raise InputError(
                "y is missing: the target column's name where X is a path or a dataframe, else one for "
                "each row."
            )
        rows = stream(self.X, self.y, sample_weight=self.weights, features=features)
        rows.require_targets()
        return rows

    def _known_rows(self, scored: bool) -> Dataset:
        """The dataset, with the features that were learned; with targets where it is `scored`."""
        estimator, X = self.estimator, self.X
        warn_of_raw_samples(estimator, X)
        features = fitted_features(estimator, X)
        rows = self._rows(features) if scored else stream(X, features=features)
        check_columns(estimator, rows, False)
        return rows

    def code(self, dtype: np.dtype[Any]) -> None:
        self.dtype, self.dataset = dtype, self._coded(dtype)

    def _prepare(self, network: Network, **settings: Any) -> Problem | Batches:
        settings["threads"] = self.estimator.n_threads
        return prepare_problem(network, self.dataset, ProblemSettings(dtype=self.dtype, **settings))

    def _mean(self, value: Callable[[NDArray[Any]], NDArray[Any]]) -> float:
        return mean_over(self.dataset, lambda block: value(block.y), None, self.estimator.n_threads)

    def weighted_targets(self, batches: Batches) -> tuple[NDArray[Any], NDArray[Any]] | None:
        if not self.dataset.weighted or any(batches.layout):
            return None
        _, y, w = targets_of(self.dataset)  # they fit into memory
        return y.astype(self.dtype), np.asarray(w, self.dtype)

    def hold_out(self, random: RandomState) -> tuple[Samples, Samples]:
        raise InputError(
            f"early_stopping=True holds out some of the samples in memory; {self.dataset.source} is "
            f"streamed. Give validation_data=(X, y) to fit."
        )

    def score_at(self, network: Network, flat: Array, model_at: Callable[[Array], Any]) -> float:
        return float(model_at(flat)._score_rows(self.rows)) if np.isfinite(flat).all() else float("nan")

    def constant_columns(
        self, problem: Problem | Batches, among: Mapping[int, float] | None
    ) -> Mapping[int, float]:
        return problem.summary.constant

    def keep_work(self, error: BaseException, model: Callable[[], Any]) -> None:
        error.estimator = model()  # type: ignore[attr-defined]


def samples_of(estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> Samples:
    """The samples of a call, in memory or streamed."""
    # Arrays are told by their type alone: a prediction for one row takes microseconds.
    if type(X) is not np.ndarray and is_stream(X):
        return StreamedSamples(estimator, X, y, sample_weight)
    kind = Samples if vars(estimator).get("categorical_features") is None else TableSamples
    return kind(estimator, X, y, sample_weight)
