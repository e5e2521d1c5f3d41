"""Predictions and scores: for rows in memory, and for datasets that are read a block at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data.arrays import InMemory
from glassnet.data.dataset import is_stream, stream
from glassnet.data.reduce import BadRow, Block, BlockWorker, Reduction, Worker
from glassnet.data.scan import check_block
from glassnet.data.source import Dataset
from glassnet.data.standardization import standardized_by
from glassnet.engine.metrics import Tally, block_rows, summed, tally
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.nn.network import Network, Parameters, decided, outputs_of
from glassnet.utils.array_checks import as_target, as_vector
from glassnet.utils.memory import release_memory
from glassnet.utils.threads import thread_count

Method = Literal["predict", "predict_proba", "outputs"]
"""`Network.predict`, `Network.predict_proba`, or the output layer's values, of any network."""

_PREDICTION_BYTES = 32 << 20
"""The bytes that the predictions of one pass may take."""


# ---- Of a run ---------------------------------------------------------------------------------------


def predict(
    network: Network,
    theta: Parameters,
    X: object,
    method: Literal["predict", "predict_proba"],
    extra: Mapping[str, Any],
) -> NDArray[Any]:
    """`TrainingRun.predict` or `predict_proba`; the run's `extra` says how its rows were preprocessed."""
    rows = _streamed(X, None, None, extra)
    if rows is not None:
        return predict_dataset(network, theta, rows, method)
    predicted: NDArray[Any] = getattr(network, method)(theta, X)
    return predicted


def score(
    network: Network, theta: Parameters, X: object, y: object, w: object, extra: Mapping[str, Any]
) -> float:
    """`TrainingRun.score`."""
    rows = _streamed(X, y, w, extra)
    if rows is not None:
        return tally_dataset(network, theta, rows).score
    Y_hat = outputs_of(network, theta, X)
    if not len(Y_hat):
        raise InputError("X is empty; expected at least one sample to score.")
    weights = None if w is None else as_vector(w, "sample_weight", len(Y_hat))
    return tally(network, y, Y_hat, weights).score


# ---- Of a dataset -----------------------------------------------------------------------------------


def predict_dataset(
    network: Network,
    theta: Parameters,
    rows: Dataset,
    method: Method = "predict",
    threads: int | None = None,
) -> NDArray[Any]:
    """The predictions for all rows, (n,) or (n, outputs), as `Network.predict` gives them in memory.

    Targets and weights are not read. Raises InputError for rows of another width, and for a value that
    is missing or not finite, by file, row and column.
    """
    predicted, at = np.empty(0), 0
    for some in predictions(network, theta, rows, method, threads):
        if at == 0:
            predicted = np.empty((rows.n_rows, *some.shape[1:]), some.dtype)
        predicted[at : at + len(some)] = some
        at += len(some)
    return predicted


def predictions(
    network: Network,
    theta: Parameters,
    rows: Dataset,
    method: Method = "predict",
    threads: int | None = None,
) -> Iterator[NDArray[Any]]:
    """As `predict_dataset`, some rows at a time, in their order, within the memory that reading takes."""
    rows.require_width(network.sizes[0])
    if isinstance(rows, InMemory):  # all at once, as `Network.predict` computes
        methods = {"predict": network.predict, "predict_proba": network.predict_proba}
        yield methods.get(method, partial(outputs_of, network))(theta, rows.X[:])
        return
    if method == "predict_proba" and network.loss.target not in ("class", "label"):
        network.predict_proba(theta, np.empty((0, rows.n_inputs)))  # raises, and says what to do
    rows, count = rows.inputs(), thread_count(threads)
    reduction = _Prediction(network, network.check_parameters(theta), method)
    most = max(1, min(_PREDICTION_BYTES, rows.memory // 8) // (8 * network.sizes[-1]))
    for ranges in _passes(rows.row_groups(), most):
        for some in rows.reduce(reduction, ranges, count):
            if isinstance(some, BadRow):
                raise rows.located(some)
            yield some
        if rows.memory < rows.n_rows * rows.row_bytes:
            release_memory()


def tally_dataset(network: Network, theta: Parameters, rows: Dataset, threads: int | None = None) -> Tally:
    """The tally of the predictions for rows with targets; no predictions are kept.

    Raises InputError for rows without targets, and as training does for rows that cannot be used.
    """
    rows.require_targets()
    rows.require_width(network.sizes[0])
    return summed(rows.reduce_chunks(_TallyReduction(network, network.check_parameters(theta)), threads))


def _passes(edges: Sequence[int], most: int) -> Iterator[list[tuple[int, int]]]:
    """Row groups that are read in one pass, of at most `most` rows; a larger one is divided."""
    ranges: list[tuple[int, int]] = []
    for start, stop in pairwise(edges):
        if ranges and stop - ranges[0][0] > most:
            yield ranges
            ranges = []
        if stop - start <= most:
            ranges.append((start, stop))
        else:
            yield from ([(first, min(first + most, stop))] for first in range(start, stop, most))
    if ranges:
        yield ranges


@dataclass(frozen=True, eq=False)
class _Prediction(Reduction):
    network: Network
    theta: Parameters
    method: Method
    block: int = 1

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.theta.dtype

    def worker(self) -> Worker:
        return _PredictionWorker(self)


class _PredictionWorker(Worker):
    def __init__(self, reduction: _Prediction) -> None:
        self._reduction = reduction

    def begin(self, state: Any, row: int) -> None:
        self._bad: BadRow | None = state if isinstance(state, BadRow) else None
        self._predicted: list[NDArray[Any]] = [] if state is None or self._bad else [state]
        self._row = row

    def take(self, block: Block) -> None:
        if self._bad is not None:
            return
        network, theta = self._reduction.network, self._reduction.theta
        self._bad = check_block(None, block, self._row + sum(map(len, self._predicted)), theta.dtype)
        if self._bad is None:
            Y_hat = outputs_of(network, theta, np.ascontiguousarray(block.X), 1)
            self._predicted.append(
                decided(network, Y_hat) if self._reduction.method == "predict" else Y_hat
            )

    def end(self) -> NDArray[Any] | BadRow:
        return np.concatenate(self._predicted) if self._bad is None else self._bad


@dataclass(frozen=True, eq=False)
class _TallyReduction(Reduction):
    network: Network
    theta: Parameters
    block: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", block_rows(self.network.sizes[-1]))

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.theta.dtype

    def worker(self) -> Worker:
        return _TallyWorker(self)


class _TallyWorker(BlockWorker):
    """Keeps outputs, targets and weights, which are few numbers, until a block is whole."""

    def __init__(self, reduction: _TallyReduction) -> None:
        super().__init__(reduction.block)
        self._network, self._theta = reduction.network, reduction.theta

    def keep(self, block: Block, first: int) -> Block | BadRow:
        bad = check_block(self._network, block, first, self._theta.dtype)
        if bad is not None:
            return bad
        Y_hat = outputs_of(self._network, self._theta, np.ascontiguousarray(block.X), 1)
        return block._replace(X=Y_hat).copy()

    def add(self, value: Tally | None, kept: list[Block], first: int) -> Tally:
        Y_hat, y, w = Block.concatenated(kept)
        actual = as_target(y, len(y), self._network.sizes[-1], self._network.loss.target)
        block = Tally.of(self._network, actual, Y_hat, w)
        return block if value is None else value.merged(block)


# ---- Warnings of rows that are not standardized -----------------------------------------------------


def _streamed(X: object, y: object, w: object, extra: Mapping[str, Any]) -> Dataset | None:
    """X as a dataset where it is streamed; warns of other rows than a run of standardized ones expects."""
    preprocessing = extra.get("preprocessing")
    if not isinstance(preprocessing, Mapping) or not standardized_by(
        X, preprocessing["mean"], preprocessing["scale"]
    ):
        warn_of_raw_rows(extra, 5)
    return stream(X, y, sample_weight=w) if is_stream(X) else None


def warn_of_raw_rows(extra: Mapping[str, Any], stacklevel: int = 3) -> None:
    """Warn where the run expects standardized rows: raw rows would give wrong predictions in silence."""
    if _is_raw(extra):
        return
    predicts = _predicts(extra["preprocessing"])
    warnings.warn(
        f"This run learned from standardized columns, (x - mean) / scale{predicts}: unscaled rows give "
        f"wrong answers. mean and scale are in run.extra['preprocessing']: predict for gn.stream(X, "
        f"standardize=(mean, scale)), or call run.network.predict(run.theta, (X - mean) / scale); neither "
        f"gives this warning. For a table, glassnet predict MODEL TABLE does all of it.",
        PreprocessingWarning,
        stacklevel=stacklevel,
    )


def warn_of_raw_validation(extra: Mapping[str, Any], stacklevel: int = 4) -> None:
    """Warn where a run that learns from standardized rows is evaluated on an array."""
    if _is_raw(extra):
        return
    warnings.warn(
        "validation: training standardizes its rows, (x - mean) / scale, and cannot know whether these are "
        "standardized too; raw ones are scored wrong and stop training at the wrong time. Give "
        "((X_validation - rows.mean) / rows.scale, y_validation), with the mean and scale of the streamed "
        "rows; once that is done: warnings.simplefilter('ignore', gn.PreprocessingWarning).",
        PreprocessingWarning,
        stacklevel=stacklevel,
    )


def _is_raw(extra: Mapping[str, Any]) -> bool:
    """Whether a run has learned from values as they came."""
    preprocessing = extra.get("preprocessing")
    raw = {"mean": 0, "scale": 1, "target_mean": 0, "target_scale": 1}
    return not isinstance(preprocessing, Mapping) or all(
        np.all(np.asarray(preprocessing.get(name, value)) == value) for name, value in raw.items()
    )


def _predicts(preprocessing: Mapping[str, Any]) -> str:
    """What the run predicts, in words, where that is not the target as it came."""
    classes = preprocessing.get("classes")
    if classes is not None:
        numbers = [*classes] == [*range(len(classes))]
        return "" if numbers else ", and answers with class numbers, not labels"
    moved = (preprocessing.get("target_mean", 0), preprocessing.get("target_scale", 1)) != (0, 1)
    return ", and answers with standardized values" if moved else ""
