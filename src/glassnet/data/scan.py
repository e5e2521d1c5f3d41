"""One pass over all rows, which checks each and learns what training must know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import check_size, target_rows, weights_of_counts
from glassnet.data.fixed_order import BLOCK_ROWS, chunk_ranges
from glassnet.data.reduce import Block, Cancelled, Reduction, Worker
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn import reference
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_target, cast
from glassnet.utils.memory import release_memory


class Scan(NamedTuple):
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


def scan(
    network: Network,
    rows: Dataset,
    dtype: np.dtype[Any],
    class_weight: object,
    threads: int,
    cancelled: Cancelled = lambda: False,
) -> Scan:
    """Read all rows once. Raises InputError that names the place of what cannot be used."""
    ranges = chunk_ranges(rows.n_rows)

    def parts(each: tuple[float, ...] | None) -> list[_Part]:
        found = rows.reduce(ScanReduction(network, dtype, rows.n_rows, each), ranges, threads, cancelled)
        for sums in found:
            if sums.wrong is not None:
                raise located(rows, *sums.wrong)
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
        release_memory()
    weight_sum = sum(part.weight for part in found)
    if not weight_sum > 0:
        what = "sample_weight is" if each is None else "class_weight and sample_weight are"
        raise InputError(f"{what} 0 everywhere; at least one sample must count.")
    check_size(max(part.heaviest for part in found), weight_sum, dtype)
    return Scan(
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


class BadRow(NamedTuple):
    """What cannot be used: of which row, with an error about row 0 or about an input."""

    row: int
    error: Exception
    place: int | None = None


@dataclass
class _Sums:
    parts: list[_Part] = field(default_factory=list)
    row: int = 0
    wrong: BadRow | None = None


@dataclass(frozen=True, eq=False)
class ScanReduction(Reduction):
    """Sums by blocks of `check_data`'s own size, so that what is added up of them has its bits."""

    network: Network
    dtype: np.dtype[Any]
    n: int
    each: tuple[float, ...] | None
    block: int = BLOCK_ROWS

    def worker(self) -> Worker:
        return _Surveyor(self)


class _Surveyor(Worker):
    def __init__(self, fold: ScanReduction) -> None:
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
            stop = min(len(block.X), done + BLOCK_ROWS - self._count)
            part = block.rows(done, stop)
            first = self._found.row + self._count
            self._found.wrong = check_block(self._fold.network, part, first, self._fold.dtype)
            if self._found.wrong is not None:
                return
            self._sums += _fingerprint(part.X, first, self._fold.n)
            # Targets and weights are few numbers, and are kept until the block is whole.
            self._held.append((part.y.copy(), None if part.w is None else part.w.copy()))
            self._count += stop - done
            done = stop
            if self._count == BLOCK_ROWS:
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


def check_block(network: Network | None, block: Block, first: int, dtype: np.dtype[Any]) -> BadRow | None:
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
                return BadRow(first + int(row), InputError(words), int(place))
    if network is not None:
        outputs, target = network.sizes[-1], network.loss.target
        if block.y.size and isinstance(block.y.flat[0], str):
            words = (
                f"y holds text, {str(block.y.flat[0])!r}; a network takes numbers. gn.MLPClassifier().fit "
                f"of the same data takes labels as they are; else write a column of class numbers."
            )
            return BadRow(first, InputTypeError(words))
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


def _first_bad(values: NDArray[Any], first: int, check: Callable[[NDArray[Any]], object]) -> BadRow | None:
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
            return BadRow(first + low, error)
        raise
    return None


def located(rows: Dataset, row: int, error: Exception, place: int | None) -> Exception:
    """The error with the row's place in the file."""
    where = rows.where(row)
    if place is not None:
        return InputError(f"{rows.column(place)} {error} at {where}. Drop those rows or impute the values.")
    words = str(error).replace("at row 0", f"at {where}")
    return type(error)(words if where in words else f"{words} (at {where})")


# ---- Targets alone ---

MOST = 1 << 16
"""Different values above which targets are taken for quantities, and not for classes."""


@dataclass
class Values:
    """The different values of a column of targets: how often each is there, and where it is first."""

    counts: dict[Any, int] = field(default_factory=dict)
    first: dict[Any, int] = field(default_factory=dict)
    dtype: np.dtype[Any] | None = None

    def add(self, counts: dict[Any, int], first: dict[Any, int], dtype: np.dtype[Any] | None) -> None:
        """What later rows hold."""
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
        """The values, as an array of the kind that they came in, in no order."""
        assert self.dtype is not None
        found = np.empty(len(self.counts), self.dtype)
        found[:] = [*self.counts]
        return found


def target_values(rows: Dataset, threads: int, classes: bool = True) -> tuple[list[Values], bool]:
    """The values of each column of the rows' targets, and whether there is one column, (n,).

    Reads the targets once. Raises InputError, naming the row, for a value that is missing or not finite,
    and where there are more than `MOST`, unless they need not be `classes`: no more are looked for then.
    InputTypeError for text and numbers in one column.
    """
    found = rows.reduce(_ValuesFold(), chunk_ranges(rows.n_rows), threads, lambda: False)
    columns = [Values() for _ in found[0].columns]
    for part in found:
        if part.wrong is not None:
            row, error = part.wrong
            raise InputError(f"{error} at {rows.where(row)}. Drop those rows or fill them in.")
        for column, more in zip(columns, part.columns, strict=True):
            if len(column.counts) <= MOST:
                column.add(more.counts, more.first, more.dtype)
            _check(rows, column, classes)
    return columns, found[0].flat


def _check(rows: Dataset, column: Values, classes: bool) -> None:
    texts = [value for value in column.counts if isinstance(value, str)]
    if texts and len(texts) < len(column.counts):
        number = next(value for value in column.counts if not isinstance(value, str))
        raise InputTypeError(
            f"y has {texts[0]!r} at {rows.where(column.first[texts[0]])} and {number!r} at "
            f"{rows.where(column.first[number])}; expected all text or all numbers."
        )
    if classes and len(column.counts) > MOST:
        last = max(column.first.values())
        raise InputError(
            f"y has more than {MOST:,} different values, the last new one at {rows.where(last)}; expected "
            f"classes. Quantities are for a regression."
        )


@dataclass
class _Found:
    """Of a range of rows; `wrong` is a row, and what is wrong there."""

    row: int
    columns: list[Values]
    flat: bool = True
    wrong: tuple[int, str] | None = None


class _ValuesFold(Reduction):
    block = 1
    dtype = None

    def worker(self) -> Worker:
        return _Valuer()


class _Valuer(Worker):
    def begin(self, state: Any, row: int) -> None:
        self._found = _Found(row, [])
        if state is not None:  # which stays as it is: Dask may take it twice
            copies = [Values({**v.counts}, {**v.first}, v.dtype) for v in state.columns]
            self._found = _Found(state.row, copies, state.flat, state.wrong)

    def take(self, block: Block) -> None:
        found, n = self._found, len(block.y)
        if n == 0 or found.wrong is not None:
            return
        found.flat = block.y.ndim == 1
        columns = [block.y] if found.flat else [*block.y.T]
        found.columns = found.columns or [Values() for _ in columns]
        for values, column in zip(found.columns, columns, strict=True):
            if len(values.counts) <= MOST:  # else it is refused
                bad = _bad(column)
                if bad is not None:
                    found.wrong = found.row + bad, f"y has {column[bad]}"
                    return
                values.add(*_counted(column, found.row, values.first), column.dtype)
        found.row += n

    def end(self) -> _Found:
        return self._found


def _bad(column: NDArray[Any]) -> int | None:
    """The first entry that is missing or not finite."""
    if column.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(column.sum(dtype=np.float64)):
                return None
        bad = ~np.isfinite(column)
    elif column.dtype.kind == "O":
        # What is not equal to itself is no number, however it came to be there.
        bad = np.fromiter((v is None or v != v for v in column.tolist()), bool, len(column))
    else:
        return None
    return int(bad.argmax()) if bad.any() else None


def _counted(
    column: NDArray[Any], row: int, known: dict[Any, int]
) -> tuple[dict[Any, int], dict[Any, int]]:
    """How often each value is there, and where it is first if it is not `known`; counted from `row`."""
    if column.dtype.kind not in "OUT":
        found, places, counts = np.unique(column, return_index=True, return_counts=True)
        keys = found.tolist()
        starts = dict(zip(keys, (row + places).tolist(), strict=True))
        return dict(zip(keys, counts.tolist(), strict=True)), starts
    values = column.tolist()
    counted, first = Counter(values), dict[Any, int]()
    new = counted.keys() - known.keys()
    for place, value in enumerate(values) if new else ():
        if value in new:
            first.setdefault(value, row + place)
    return counted, first
