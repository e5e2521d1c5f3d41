"""One pass over targets alone: which values there are, how often, and where each is first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.reduce import Fold, Worker
from glassnet.data.scan import ranges_of
from glassnet.data.source import Block, Rows
from glassnet.errors import InputError, InputTypeError

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


def target_values(rows: Rows, threads: int, classes: bool = True) -> tuple[list[Values], bool]:
    """The values of each column of the rows' targets, and whether there is one column, (n,).

    Reads the targets once. Raises InputError, naming the row, for a value that is missing or not finite,
    and where there are more than `MOST`, unless they need not be `classes`: no more are looked for then.
    InputTypeError for text and numbers in one column.
    """
    found = rows.fold(_ValuesFold(), ranges_of(rows.n_rows), threads, lambda: False)
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


def _check(rows: Rows, column: Values, classes: bool) -> None:
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


class _ValuesFold(Fold):
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
