"""One pass over all rows, which checks each and learns what training must know of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import PACKED_ROWS, check_size, target_rows
from glassnet.data.checks import ranges_of as ranges_of
from glassnet.data.class_weights import weights_of_counts
from glassnet.data.reduce import Cancelled, Fold, Worker
from glassnet.data.source import Block, Rows
from glassnet.errors import InputError, InputTypeError
from glassnet.nn import reference
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_target, cast
from glassnet.utils.memory import give_back


class Survey(NamedTuple):
    """What is known of the rows.

    `labels` says whether targets are class numbers or one-hot rows, `counts` how many of each class.
    `weight_sum` and `baseline`, the summed loss where Z is 0 everywhere, are with the class weights `each`.
    """

    labels: bool
    weight_sum: float
    baseline: float
    fingerprint: tuple[float, ...]
    counts: NDArray[np.int64]
    each: tuple[float, ...] | None


def survey(
    network: Network,
    rows: Rows,
    dtype: np.dtype[Any],
    class_weight: object,
    threads: int,
    cancelled: Cancelled = lambda: False,
) -> Survey:
    """Read all rows once. Raises InputError that names the place of what cannot be used."""
    ranges = ranges_of(rows.n_rows)

    def parts(each: tuple[float, ...] | None) -> list[_Part]:
        found = rows.fold(SurveyFold(network, dtype, rows.n_rows, each), ranges, threads, cancelled)
        for sums in found:
            if sums.wrong is not None:
                raise named(rows, *sums.wrong)
        return [part for sums in found for part in sums.parts]

    each = None
    if class_weight is not None:
        if network.loss.target != "class":
            raise InputError(
                f"class_weight is for a softmax whose y are class numbers or one-hot rows; the loss here "
                f"is {network.loss}. Use sample_weight."
            )
        counted = parts(None)
        if not all(part.labels for part in counted):
            raise InputError("class_weight is for class numbers or one-hot rows; y has others.")
        counts = np.sum([part.counts for part in counted], axis=0)
        each = tuple(map(float, weights_of_counts(class_weight, counts)))
    found = parts(each)
    if rows.memory < rows.n_rows * rows.row_bytes:
        give_back()
    weight_sum = sum(part.weight for part in found)
    if not weight_sum > 0:
        what = "sample_weight is" if each is None else "class_weight and sample_weight are"
        raise InputError(f"{what} 0 everywhere; at least one sample must count.")
    check_size(max(part.heaviest for part in found), weight_sum, dtype)
    return Survey(
        all(part.labels for part in found),
        float(weight_sum),
        float(sum(part.baseline for part in found)),
        (float(rows.n_rows), *np.sum([part.sums for part in found], axis=0).tolist()),
        np.sum([part.counts for part in found], axis=0),
        each,
    )


@dataclass
class _Part:
    """Of one block."""

    weight: float
    heaviest: float
    baseline: float
    labels: bool
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]


class Wrong(NamedTuple):
    """What cannot be used: of which row, with an error about row 0 or about an input."""

    row: int
    error: Exception
    place: int | None = None


@dataclass
class _Sums:
    parts: list[_Part] = field(default_factory=list)
    row: int = 0
    wrong: Wrong | None = None


@dataclass(frozen=True, eq=False)
class SurveyFold(Fold):
    """Sums by blocks of `check_data`'s own size, so that what is added up of them has its bits."""

    network: Network
    dtype: np.dtype[Any]
    n: int
    each: tuple[float, ...] | None
    block: int = PACKED_ROWS

    def worker(self) -> Worker:
        return _Surveyor(self)


class _Surveyor(Worker):
    def __init__(self, fold: SurveyFold) -> None:
        self._fold = fold
        self._held: list[tuple[Array, Array | None]] = []
        self._count = 0
        self._sums = np.zeros(2)

    def begin(self, state: Any, row: int) -> None:
        # A state stays as it is: Dask may take it twice.
        self._found = _Sums(row=row) if state is None else replace(state, parts=[*state.parts])

    def take(self, block: Block) -> None:
        if self._found.wrong is not None:
            return
        done = 0
        while done < len(block.X) and self._found.wrong is None:
            stop = min(len(block.X), done + PACKED_ROWS - self._count)
            part = block.part(done, stop)
            first = self._found.row + self._count
            self._found.wrong = check_block(self._fold.network, part, first, self._fold.dtype)
            if self._found.wrong is not None:
                return
            self._sums += _fingerprint(part.X, first, self._fold.n)
            # Targets and weights are few numbers, and are kept until the block is whole.
            self._held.append((part.y.copy(), None if part.w is None else part.w.copy()))
            self._count += stop - done
            done = stop
            if self._count == PACKED_ROWS:
                self._close()

    def _close(self) -> None:
        fold, network = self._fold, self._fold.network
        y = np.concatenate([y for y, _ in self._held])
        ws = [w for _, w in self._held if w is not None]
        w = np.concatenate(ws) if ws else None
        first, n, outputs = self._found.row, len(y), network.sizes[-1]
        targets = as_target(y, n, outputs, network.loss.target)
        labels = targets.ndim == 1
        counts = np.bincount(targets, minlength=outputs) if labels else np.zeros(outputs, np.int64)
        weights = w
        if fold.each is not None:
            each = np.array(fold.each)
            weights = each[targets] if w is None else w * each[targets]
        Y = target_rows(targets, outputs, np.dtype(np.float64))
        with np.errstate(over="ignore"):  # an infinite loss is refused before the first update
            baseline = reference.loss(np.zeros_like(Y), Y, network.loss, weights)
        own = np.ones(n) if w is None else w
        # As `data.fingerprint` has it.
        sums = [*self._sums, *_fingerprint(targets, first, fold.n), *_fingerprint(own, first, fold.n)]
        weight = float(n) if weights is None else float(weights.sum())
        heaviest = 1.0 if weights is None else float(weights.max())
        self._found.parts.append(_Part(weight, heaviest, baseline, labels, counts, np.array(sums)))
        self._found.row += n
        self._held, self._count, self._sums = [], 0, np.zeros(2)

    def end(self) -> _Sums:
        if self._count and self._found.wrong is None:
            self._close()
        return self._found


def _fingerprint(array: NDArray[Any], first: int, n: int) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        by_row = array.sum(axis=1, dtype=np.float64) if array.ndim == 2 else array.astype(np.float64)
        return np.array([by_row.sum(), np.arange(first, first + len(by_row)) / n @ by_row])


def check_block(network: Network | None, block: Block, first: int, dtype: np.dtype[Any]) -> Wrong | None:
    """The first thing about rows that cannot be used; without a network their inputs and weights alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(block.X.sum(dtype=np.float64)):
            bad = ~np.isfinite(block.X)
            if bad.any():
                row, place = np.unravel_index(int(bad.argmax()), bad.shape)
                value = block.X[row, place]
                words = (
                    f"has {value}{f' in {dtype.name}' if np.isinf(value) else ''}; expected a finite number"
                )
                return Wrong(first + int(row), InputError(words), int(place))
    if network is not None:
        outputs, target = network.sizes[-1], network.loss.target
        if block.y.size and isinstance(block.y.flat[0], str):
            words = (
                f"y holds text, {str(block.y.flat[0])!r}; a network takes numbers. gn.MLPClassifier().fit "
                f"of the same data takes labels as they are; else write a column of class numbers."
            )
            return Wrong(first, InputTypeError(words))
        wrong = _first_bad(
            block.y, first, lambda y: cast(as_target(y, len(y), outputs, target), dtype, "y")
        )
        if wrong is not None:
            return wrong
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


def _first_bad(values: NDArray[Any], first: int, check: Callable[[NDArray[Any]], object]) -> Wrong | None:
    """Where the first row is that `check` refuses, found by halves, and what it says of it alone."""
    try:
        check(values)
    except (InputError, InputTypeError):
        low, high = 0, len(values)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                check(values[low:middle])
                low = middle
            except (InputError, InputTypeError):
                high = middle
        try:
            check(values[low:high])
        except (InputError, InputTypeError) as error:
            return Wrong(first + low, error)
        raise
    return None


def named(rows: Rows, row: int, error: Exception, place: int | None) -> Exception:
    """The error with the row's place in the file."""
    where = rows.where(row)
    if place is not None:
        return InputError(f"{rows.column(place)} {error} at {where}. Drop those rows or impute the values.")
    words = str(error).replace("at row 0", f"at {where}")
    return type(error)(words if where in words else f"{words} (at {where})")
