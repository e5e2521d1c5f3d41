"""Passes over streamed rows that check each and collect what training needs to know of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import (
    Excerpt,
    Summary,
    as_class_weights,
    check_size,
    columns_of_one_value,
    excerpt_rows,
    target_rows,
    with_class_weights,
)
from glassnet.data.fixed_order import BLOCK_ROWS
from glassnet.data.reduce import BadRow, Block, Reduction
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn import reference
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_target, cast

# ---- All rows, before training --------------------------------------------------------------------


class Scan(NamedTuple):
    """What a pass over all rows found.

    `labels` says whether targets are class numbers or one-hot rows.
    `weight_sum` and `baseline`, the summed loss where Z is 0 everywhere, include the `class_weight`.
    """

    labels: bool
    weight_sum: float
    baseline: float
    fingerprint: tuple[float, ...]
    class_weight: tuple[float, ...] | None
    summary: Summary


def scan(
    network: Network, dataset: Dataset, dtype: np.dtype[Any], class_weight: object, threads: int
) -> Scan:
    """Read all rows once; raises InputError that names the place of what cannot be used."""
    looked_at = excerpt_rows(dataset.n_rows, dataset.n_inputs)

    def sums(weights: tuple[float, ...] | None) -> list[_BlockSums]:
        reduction = ScanReduction(network, dtype, dataset.n_rows, weights, looked_at)
        return [block for chunk in dataset.reduce(reduction, None, threads) for block in chunk]

    weights = None
    if class_weight is not None:
        if network.loss.target != "class":
            raise InputError(
                f"class_weight is for a softmax whose y are class numbers or one-hot rows; the loss here "
                f"is {network.loss}. Use sample_weight."
            )
        counted = sums(None)
        if not all(block.labels for block in counted):
            raise InputError("class_weight is for class numbers or one-hot rows; y has others.")
        counts = np.sum([block.counts for block in counted], axis=0)
        weights = tuple(map(float, as_class_weights(class_weight, counts)))
    blocks = sums(weights)
    weight_sum = sum(block.weight for block in blocks)
    if not weight_sum > 0:
        names = "sample_weight is" if weights is None else "class_weight and sample_weight are"
        raise InputError(f"{names} 0 everywhere; at least one sample must count.")
    check_size(max(block.heaviest for block in blocks), weight_sum, dtype)
    return Scan(
        all(block.labels for block in blocks),
        float(weight_sum),
        float(sum(block.baseline for block in blocks)),
        (float(dataset.n_rows), *np.sum([block.fingerprint for block in blocks], axis=0).tolist()),
        weights,
        Summary(
            _excerpt_of(network, dataset, [block.rows for block in blocks]),
            reduce(_in_both, (block.constant for block in blocks)) if dataset.n_rows > 1 else {},
        ),
    )


def _excerpt_of(network: Network, dataset: Dataset, rows: Sequence[Block]) -> Excerpt:
    X, y, w = Block.concatenated(rows)
    return Excerpt(X, as_target(y, len(y), network.sizes[-1], network.loss.target), w, dataset.names)


def _in_both(first: Mapping[int, float], other: Mapping[int, float]) -> Mapping[int, float]:
    return {place: value for place, value in first.items() if other.get(place) == value}


class _BlockSums(NamedTuple):
    weight: float
    heaviest: float
    baseline: float
    labels: bool
    counts: NDArray[np.int64]
    fingerprint: NDArray[np.float64]
    rows: Block
    constant: Mapping[int, float]


class _Kept(NamedTuple):
    block: Block
    rows: Block
    constant: Mapping[int, float]


@dataclass(eq=False)
class ScanReduction(Reduction):
    """The sums of blocks as large as those of `check_data`, so that the total has its bits.

    Of rows of a block that is not whole yet it keeps targets, weights and, as X, the sums of their inputs;
    the rows of the excerpt, `looked_at`, and the columns of one value so far.
    """

    network: Network
    dtype: np.dtype[Any]
    n: int
    class_weight: tuple[float, ...] | None
    looked_at: NDArray[np.int64]
    block: int = BLOCK_ROWS

    def keep(self, block: Block, first: int) -> _Kept | BadRow:
        bad = check_block(self.network, block, first, self.dtype)
        if bad is not None:
            return bad
        begin, end = np.searchsorted(self.looked_at, (first, first + len(block.y)))
        some = self.looked_at[begin:end] - first
        rows = Block(block.X[some], block.y[some], None if block.w is None else block.w[some])
        before = self._state.value[-1].constant if self._state.value else None
        constant = columns_of_one_value(block.X, before)
        return _Kept(block._replace(X=_position_sums(block.X, first, self.n)[None]).copy(), rows, constant)

    def add(self, value: list[_BlockSums] | None, kept: list[_Kept], first: int) -> list[_BlockSums]:
        inputs, y, sample_weights = Block.concatenated([part.block for part in kept])
        n, outputs, loss = len(y), self.network.sizes[-1], self.network.loss
        targets = as_target(y, n, outputs, loss.target)
        labels = targets.ndim == 1
        weights = with_class_weights(sample_weights, self.class_weight, targets)
        Y = target_rows(targets, outputs, np.dtype(np.float64))
        with np.errstate(over="ignore"):  # an infinite loss is refused before the first update
            baseline = reference.loss(np.zeros_like(Y), Y, loss, weights)
        # As `checks.fingerprint` has it.
        others = targets, np.ones(n) if sample_weights is None else sample_weights
        sums = _BlockSums(
            float(n) if weights is None else float(weights.sum()),
            1.0 if weights is None else float(weights.max()),
            baseline,
            labels,
            np.bincount(targets, minlength=outputs) if labels else np.zeros(outputs, np.int64),
            np.concatenate(
                [inputs.sum(axis=0), *(_position_sums(array, first, self.n) for array in others)]
            ),
            Block.concatenated([part.rows for part in kept]),
            reduce(
                _in_both, [*(one.constant for one in (value or [])[-1:]), *(part.constant for part in kept)]
            ),
        )
        return [*(value or []), sums]


def _position_sums(array: NDArray[Any], first: int, n: int) -> NDArray[np.float64]:
    """The sum of some of n rows, and their sum by place, which tells another order apart."""
    with np.errstate(over="ignore", invalid="ignore"):
        by_row = array.sum(axis=1, dtype=np.float64) if array.ndim == 2 else array.astype(np.float64)
        return np.array([by_row.sum(), np.arange(first, first + len(by_row)) / n @ by_row])


# ---- Some rows --------------------------------------------------------------------------------------


def check_block(network: Network | None, block: Block, first: int, dtype: np.dtype[Any]) -> BadRow | None:
    """The first row that cannot be used, of which `first` is the number of the block's first row.

    Without a network only inputs and weights are checked.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(block.X.sum(dtype=np.float64)):
            bad = ~np.isfinite(block.X)
            if bad.any():
                row, place = np.unravel_index(int(bad.argmax()), bad.shape)
                value = block.X[row, place]
                precision = f" in {dtype.name}" if np.isinf(value) else ""
                error = InputError(f"has {value}{precision}; expected a finite number")
                return BadRow(first + int(row), error, int(place))
    if network is not None:
        outputs, target = network.sizes[-1], network.loss.target
        if block.y.size and isinstance(block.y.flat[0], str):
            return BadRow(
                first,
                InputTypeError(
                    f"y holds text, {str(block.y.flat[0])!r}; a network takes numbers. "
                    f"gn.MLPClassifier().fit of the same data takes labels as they are; else write a "
                    f"column of class numbers."
                ),
            )
        bad_target = _first_bad(
            block.y, first, lambda y: cast(as_target(y, len(y), outputs, target), dtype, "y")
        )
        if bad_target is not None:
            return bad_target
    if block.w is None:
        return None
    return _first_bad(block.w, first, lambda w: cast(_checked_weights(w), dtype, "sample_weight"))


def _checked_weights(w: NDArray[Any]) -> NDArray[Any]:
    if w.ndim != 1:
        raise InputError(f"sample_weight has {w.ndim} dimensions; expected 1.")
    bad = ~(np.isfinite(w) & (w >= 0))
    if bad.any():
        raise InputError(
            f"sample_weight has {w[bad.argmax()]} at row {int(bad.argmax())}; expected a finite "
            f"number of 0 or more."
        )
    return w


def _first_bad(values: NDArray[Any], first: int, check: Callable[[NDArray[Any]], object]) -> BadRow | None:
    """The first row that `check` refuses, found by bisection, and the error about this row alone."""

    def error_of(low: int, high: int) -> Exception | None:
        try:
            check(values[low:high])
        except (InputError, InputTypeError) as error:
            return error
        return None

    if error_of(0, len(values)) is None:
        return None
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if error_of(low, middle) is None else (low, middle)
    error = error_of(low, high)
    assert error is not None
    return BadRow(first + low, error)


# ---- The values of targets ------------------------------------------------------------------------

MOST_VALUES = 1 << 16
"""Targets with more different values than this are quantities and no classes."""


@dataclass
class Values:
    """The different values of a column of targets, with their counts and first rows."""

    counts: dict[Any, int] = field(default_factory=dict)
    first: dict[Any, int] = field(default_factory=dict)
    dtype: np.dtype[Any] | None = None

    def add(self, counts: dict[Any, int], first: dict[Any, int], dtype: np.dtype[Any] | None) -> None:
        """Add the values of later rows."""
        for value, count in counts.items():
            if value not in self.counts:
                self.first[value] = first[value]
            self.counts[value] = self.counts.get(value, 0) + count
        known = self.dtype
        if known is None or dtype is None:
            self.dtype = known or dtype
        elif known != dtype:
            mixed = {known.kind, dtype.kind} & set("OUT")
            self.dtype = np.dtype(object) if mixed else np.promote_types(known, dtype)

    def array(self) -> NDArray[Any]:
        """The values, as an array of the type that the targets have, in no order."""
        assert self.dtype is not None
        values = np.empty(len(self.counts), self.dtype)
        values[:] = [*self.counts]
        return values


def target_values(dataset: Dataset, threads: int, classes: bool = True) -> tuple[list[Values], bool]:
    """The values of each column of the targets, and whether y is one column, (n,); reads the targets once.

    Raises InputError, naming the row, for a value that is missing or not finite, and, if the targets must
    be `classes`, for more than `MOST_VALUES` values; else it stops counting there. InputTypeError for text
    and numbers in one column.
    """
    chunks = dataset.reduce(_ValuesReduction(), None, threads)
    columns = [Values() for _ in chunks[0].columns]
    for chunk in chunks:
        for column, more in zip(columns, chunk.columns, strict=True):
            if len(column.counts) <= MOST_VALUES:
                column.add(more.counts, more.first, more.dtype)
            _check_values(dataset, column, classes)
    return columns, chunks[0].flat


def _check_values(dataset: Dataset, column: Values, classes: bool) -> None:
    texts = [value for value in column.counts if isinstance(value, str)]
    if texts and len(texts) < len(column.counts):
        number = next(value for value in column.counts if not isinstance(value, str))
        raise InputTypeError(
            f"y has {texts[0]!r} at {dataset.where(column.first[texts[0]])} and {number!r} at "
            f"{dataset.where(column.first[number])}; expected all text or all numbers."
        )
    if classes and len(column.counts) > MOST_VALUES:
        last = max(column.first.values())
        raise InputError(
            f"y has more than {MOST_VALUES:,} different values, the last new one at {dataset.where(last)}; "
            f"expected classes. Quantities are for a regression."
        )


class _Columns(NamedTuple):
    columns: list[Values]
    flat: bool


class _ValuesReduction(Reduction):
    dtype = None

    def keep(self, block: Block, first: int) -> NDArray[Any] | BadRow:
        known: _Columns | None = self._state.value
        for place, column in enumerate(_columns(block.y)):
            if known is not None and len(known.columns[place].counts) > MOST_VALUES:
                continue  # quantities, which another pass checks
            bad = _first_missing(column)
            if bad is not None:
                words = f"y has {column[bad]} at row 0. Drop those rows or fill them in."
                return BadRow(first + bad, InputError(words))
        return block.y

    def add(self, value: _Columns | None, kept: list[NDArray[Any]], first: int) -> _Columns:
        (y,) = kept
        value = value or _Columns([Values() for _ in _columns(y)], y.ndim == 1)
        for values, column in zip(value.columns, _columns(y), strict=True):
            if len(values.counts) <= MOST_VALUES:
                values.add(*_counted(column, first, values.first), column.dtype)
        return value


def _columns(y: NDArray[Any]) -> list[NDArray[Any]]:
    return [y] if y.ndim == 1 else [*y.T]


def _first_missing(column: NDArray[Any]) -> int | None:
    """The first entry that is missing or not finite."""
    if column.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(column.sum(dtype=np.float64)):
                return None
        bad = ~np.isfinite(column)
    elif column.dtype.kind == "O":
        # A value that does not equal itself is no number, however it got there.
        bad = np.fromiter((v is None or v != v for v in column.tolist()), bool, len(column))
    else:
        return None
    return int(bad.argmax()) if bad.any() else None


def _counted(
    column: NDArray[Any], row: int, known: dict[Any, int]
) -> tuple[dict[Any, int], dict[Any, int]]:
    """The count of each value, and the first row of each that is not `known`, counted from `row`."""
    if column.dtype.kind not in "OUT":
        values, places, counts = np.unique(column, return_index=True, return_counts=True)
        keys = values.tolist()
        starts = dict(zip(keys, (row + places).tolist(), strict=True))
        return dict(zip(keys, counts.tolist(), strict=True)), starts
    entries = column.tolist()
    counted, first = Counter(entries), dict[Any, int]()
    new = counted.keys() - known.keys()
    for place, value in enumerate(entries) if new else ():
        if value in new:
            first.setdefault(value, row + place)
    return counted, first
