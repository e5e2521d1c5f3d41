"""Predictions and scores: for rows in memory, and for datasets that are read a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.dataset import in_memory_or_streamed, is_stream, stream
from glassnet.data.encoding import Encoding
from glassnet.data.reduce import BadRow, Block, Reduction
from glassnet.data.scan import check_block
from glassnet.data.source import Dataset
from glassnet.engine.metrics import Tally, block_rows, summed, tally
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.nn.network import Network, Parameters, decided, outputs_of
from glassnet.utils.array_checks import as_matrix, as_target, as_vector
from glassnet.utils.threads import thread_count
from glassnet.utils.warn import warn

Method = Literal["predict", "predict_proba", "outputs"]
"""`Network.predict`, `Network.predict_proba`, or the output layer's values, of any network."""


# ---- Of a run ---------------------------------------------------------------------------------------


def predict(
    network: Network,
    theta: Parameters,
    X: object,
    method: Literal["predict", "predict_proba"],
    extra: Mapping[str, Any],
    encoding: Encoding,
) -> NDArray[Any]:
    """What `Network.predict` or `predict_proba` gives for a user's X.

    `encoding` says how X goes in; a run's `extra` may say that it expects standardized rows.
    """
    scaling = encoding.scaling
    if scaling is None:
        warn_of_other_rows(X, extra)
    elif is_stream(X):
        X = scaling.applied(stream(X), targets=False)
    else:
        X = scaling.inputs(X)
    answer = partial(getattr(network, method), theta)
    predicted: NDArray[Any] = in_memory_or_streamed(
        (X, None, None),
        lambda X, y, w: answer(X),
        lambda rows: predict_dataset(network, theta, rows, method),
    )
    if encoding.constant and not is_stream(X):  # streamed rows would have to be read once more
        remedy = "train with standardize=True, which gives columns that never vary a weight of 0"
        warn_of_constants(encoding.constant, as_matrix(X), predicted, answer, remedy)
    return predicted


def score(
    network: Network,
    theta: Parameters,
    X: object,
    y: object,
    w: object,
    extra: Mapping[str, Any],
    encoding: Encoding,
) -> float:
    """`TrainingRun.score`."""
    scaling = encoding.scaling
    if scaling is None:
        warn_of_other_rows(X, extra)
    if is_stream(X):
        rows = stream(X, y, sample_weight=w)
        rows = rows if scaling is None else scaling.applied(rows)
        return tally_dataset(network, theta, rows).score
    if scaling is not None:
        X = scaling.inputs(X)
    return _score_arrays(network, theta, X, encoding.targets(y), w)


def _score_arrays(network: Network, theta: Parameters, X: object, y: object, w: object) -> float:
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
    return gathered(predictions(network, theta, rows, method, threads), rows.n_rows)


def gathered(blocks: Iterator[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    """The rows of all blocks in one array, which is made once: memory holds one block beside it."""
    first, at = next(blocks), 0
    whole = np.empty((n_rows, *first.shape[1:]), first.dtype)
    for block in chain([first], blocks):
        whole[at : at + len(block)] = block
        at += len(block)
    return whole


def predictions(
    network: Network,
    theta: Parameters,
    rows: Dataset,
    method: Method = "predict",
    threads: int | None = None,
) -> Iterator[NDArray[Any]]:
    """As `predict_dataset`, some rows at a time, in their order, within the memory that reading takes."""
    rows.require_width(network.sizes[0])
    if method == "predict_proba" and network.loss.target not in ("class", "label"):
        network.predict_proba(theta, np.empty((0, rows.n_inputs)))  # raises, and says what to do
    rows, count, theta = rows.inputs(), thread_count(threads), network.check_parameters(theta)
    for ranges in _passes(rows.row_groups(), rows.rows_at_once(8 * network.sizes[-1])):
        # Several ranges have a worker each; the only one is computed by all threads.
        reduction = _Prediction(network, theta, method, count if len(ranges) == 1 else 1)
        for predicted in rows.reduce(reduction, ranges, count):
            yield np.concatenate(predicted)


def tally_dataset(network: Network, theta: Parameters, rows: Dataset, threads: int | None = None) -> Tally:
    """The tally of the predictions for rows with targets; no predictions are kept.

    Raises InputError for rows without targets, and as training does for rows that cannot be used.
    """
    rows.require_targets()
    rows.require_width(network.sizes[0])
    reduction = _TallyReduction(network, network.check_parameters(theta))
    return summed(rows.reduce(reduction, threads=threads))


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


class _OutputReduction(Reduction):
    """A reduction of the network's outputs, which are few numbers."""

    def __init__(self, network: Network, theta: Parameters, threads: int) -> None:
        self.network, self.theta, self.threads, self.dtype = network, theta, threads, theta.dtype

    def outputs(self, block: Block) -> Array:
        """The network's outputs for the rows of a block."""
        return outputs_of(self.network, self.theta, np.ascontiguousarray(block.X), self.threads)


class _Prediction(_OutputReduction):
    def __init__(self, network: Network, theta: Parameters, method: Method, threads: int) -> None:
        super().__init__(network, theta, threads)
        self.method = method

    def keep(self, block: Block, first: int) -> NDArray[Any] | BadRow:
        bad = check_block(None, block, first, self.theta.dtype)
        if bad is not None:
            return bad
        Y_hat = self.outputs(block)
        return decided(self.network, Y_hat) if self.method == "predict" else Y_hat

    def add(self, value: list[NDArray[Any]] | None, kept: list[NDArray[Any]], first: int) -> Any:
        return [*(value or []), *kept]


class _TallyReduction(_OutputReduction):
    """Keeps outputs, targets and weights until a block is whole."""

    def __init__(self, network: Network, theta: Parameters) -> None:
        super().__init__(network, theta, 1)
        self.block = block_rows(network.sizes[-1])

    def keep(self, block: Block, first: int) -> Block | BadRow:
        bad = check_block(self.network, block, first, self.theta.dtype)
        return block._replace(X=self.outputs(block)).copy() if bad is None else bad

    def add(self, value: Tally | None, kept: list[Block], first: int) -> Tally:
        Y_hat, y, w = Block.concatenated(kept)
        actual = as_target(y, len(y), self.network.sizes[-1], self.network.loss.target)
        block = Tally.of(self.network, actual, Y_hat, w)
        return block if value is None else value.merged(block)


# ---- Warnings of columns that never varied, and of rows that are not standardized ---------------------

ROUNDING = 1e-6
"""Values are equal but for rounding up to this share."""


def warn_of_constants(
    constant: Mapping[int, float],
    X: Array,
    predicted: NDArray[Any],
    answer: Callable[[Array], NDArray[Any]],
    remedy: str,
) -> None:
    """Warn where a column that was `constant` in training varies, and moves what `answer` has predicted.

    Equal but for rounding, as 0.1 in another precision, is not another value, nor is a number predicted.
    """
    known = np.array([*constant.values()], X.dtype)
    other = (np.abs(X[:, [*constant]] - known) > ROUNDING * np.abs(known)).any(axis=0)
    if not other.any():
        return
    as_trained = X.copy()
    as_trained[:, [*constant]] = known
    unmoved: Any = answer(as_trained)
    moved: Any = predicted != unmoved
    if hasattr(moved, "toarray"):  # of labels that are sparse
        moved = moved.toarray()
    elif predicted.dtype.kind == "f":
        moved = np.abs(predicted - unmoved) > ROUNDING * np.abs(predicted).max(axis=0)
    rows = int(moved.sum() if moved.ndim == 1 else moved.any(axis=1).sum())
    if not rows:
        return
    place = [*constant][int(other.argmax())]
    more = f" (and {other.sum() - 1} more)" if other.sum() > 1 else ""
    warn(
        f"Column {place} of X{more} was {constant[place]:g} in every row trained on, so that nothing was "
        f"learned of it, and is another value here, which moves {rows} of {len(X)} predictions by the "
        f"weights' random start. Leave the column out, or {remedy}.",
        PreprocessingWarning,
    )


def warn_of_other_rows(X: object, extra: Mapping[str, Any]) -> None:
    """Warn of other rows than those that a run of standardized ones expects."""
    known = extra.get("preprocessing")
    if not (
        isinstance(known, Mapping)
        and isinstance(X, Dataset)
        and X.is_standardized_by(known["mean"], known["scale"])
    ):
        warn_of_raw_rows(extra)


def warn_of_raw_rows(extra: Mapping[str, Any]) -> None:
    """Warn where the run expects standardized rows: raw rows would give wrong predictions in silence."""
    if _is_raw(extra):
        return
    predicts = _predicts(extra["preprocessing"])
    warn(
        f"This run learned from standardized columns, (x - mean) / scale{predicts}: unscaled rows give "
        f"wrong answers. mean and scale are in run.extra['preprocessing']: predict for gn.stream(X, "
        f"standardize=(mean, scale)), or call run.network.predict(run.theta, (X - mean) / scale); neither "
        f"gives this warning. A table with the columns' names, such as a DataFrame, needs none of it.",
        PreprocessingWarning,
    )


def warn_of_raw_validation(extra: Mapping[str, Any]) -> None:
    """Warn where a run that learns from standardized rows is evaluated on an array."""
    if _is_raw(extra):
        return
    warn(
        "validation: training standardizes its rows, (x - mean) / scale, and cannot know whether these are "
        "standardized too; raw ones are scored wrong and stop training at the wrong time. Give "
        "((X_validation - rows.mean) / rows.scale, y_validation), with the mean and scale of the streamed "
        "rows; once that is done: warnings.simplefilter('ignore', gn.PreprocessingWarning).",
        PreprocessingWarning,
    )


def _is_raw(extra: Mapping[str, Any]) -> bool:
    """Whether a run has learned from values as they came, or its arrays are those of `prepare_table`."""
    preprocessing = extra.get("preprocessing")
    if isinstance(preprocessing, Mapping) and preprocessing.get("columns") and "name" not in extra:
        return True
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
