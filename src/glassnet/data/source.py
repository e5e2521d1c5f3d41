"""Samples that are read a block at a time: what each source is, and arrays as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.memmap import place_of, row_blocks
from glassnet.data.reduce import Cancelled, Fold, Worker, fold_lanes
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.array_checks import as_numbers
from glassnet.utils.memory import in_words

BLOCK_BYTES = 4 << 20
"""What a block takes at most: enough for a reader's own overhead to be small, little enough for caches."""

_LEAST_ROWS = 64
"""Of a block: fewer would be lost in what a block costs of itself, and the engine's have no fewer."""

_UNDER_WAY = 8
"""How many blocks' room a lane may take: what it reads, works on and packs."""

_READ_BYTES = 1 << 20
"""Of an array's rows, which cost next to nothing to read in small blocks: what a core's cache holds."""

PIECE_BYTES = 2 << 20
"""A piece of an array, where batches are shuffled."""


class Block(NamedTuple):
    """Some samples that follow each other: X (n, inputs), y as it comes, and weights (n,) or None.

    Without targets y is (n, 0).
    """

    X: NDArray[Any]
    y: NDArray[Any]
    w: NDArray[Any] | None

    def part(self, start: int, stop: int) -> Block:
        """Rows of it, looked at where they lie."""
        return Block(self.X[start:stop], self.y[start:stop], None if self.w is None else self.w[start:stop])

    def cast(self, dtype: np.dtype[Any] | None) -> Block:
        """With X in another precision, or without it."""
        if dtype is None:
            return self._replace(X=self.X[:, :0])
        with np.errstate(over="ignore"):  # found by the survey
            return self._replace(X=self.X.astype(dtype, copy=False))

    def copy(self) -> Block:
        """In memory of its own."""
        return Block(self.X.copy(), self.y.copy(), None if self.w is None else self.w.copy())

    def joined(self, other: Block) -> Block:
        """With the rows of another behind."""
        w = None if self.w is None or other.w is None else np.concatenate([self.w, other.w])
        return Block(np.concatenate([self.X, other.X]), np.concatenate([self.y, other.y]), w)


class Columns(NamedTuple):
    """As `Block`, with X as its columns (inputs,) of (n,) each."""

    X: tuple[NDArray[Any], ...]
    y: NDArray[Any]
    w: NDArray[Any] | None

    def part(self, start: int, stop: int) -> Columns:
        """Rows of it, looked at where they lie."""
        X = tuple(column[start:stop] for column in self.X)
        return Columns(X, self.y[start:stop], None if self.w is None else self.w[start:stop])

    def block(self, dtype: np.dtype[Any]) -> Block:
        """The same with X as an array, in which columns lie together."""
        X = np.empty((len(self.X), len(self.y)), dtype)
        for place, column in enumerate(self.X):
            X[place] = column
        return Block(X.T, self.y, self.w)


class Rows(ABC):
    """Samples in an order of their own, which are read from where they lie whenever they are needed.

    Attributes: `n_rows`; `n_inputs`; `names` of the inputs, where they have any; `dtype`, float32 where X
    is, else float64; `weighted`, whether the samples have weights, `targeted`, whether targets;
    `target`, the name of the one target that has one; `memory`, the bytes that reading may take; `source`,
    where they lie.
    """

    n_rows: int
    n_inputs: int
    names: tuple[str, ...] | None = None
    dtype: np.dtype[Any]
    weighted: bool
    targeted: bool = True
    target: str | None = None
    memory: int
    source: str

    @abstractmethod
    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        """Rows start, start + 1, ... before stop, in blocks of at most `most`, X in `dtype`.

        Without a dtype X is left out, (n, 0). Raises InputError, naming file and row, for what cannot be
        read.
        """

    def read_columns(
        self, start: int, stop: int, most: int, dtype: np.dtype[Any]
    ) -> Iterator[Block] | Iterator[Columns]:
        """As `read`, or by column where that is how they come: for folds that take them so."""
        return self.read(start, stop, most, dtype)

    def where(self, row: int) -> str:
        """A row, counted from 0 over all of them, as a person finds it."""
        return f"row {row}"

    def column(self, place: int) -> str:
        """An input as a person finds it."""
        return f"column {place} of {self.source}"

    @property
    def row_bytes(self) -> int:
        """About what a row takes while it is read."""
        return 8 * (self.n_inputs + 2)

    def most(self, lanes: int) -> int:
        """How many rows a block may have, so that all that are under way stay within the memory.

        A lane that reads ahead has one block that is worked on, one that waits and one that is being read,
        which takes up to twice its room.
        """
        room = min(BLOCK_BYTES, self.memory // (_UNDER_WAY * lanes))
        return max(_LEAST_ROWS, room // self.row_bytes)

    def inputs(self) -> Rows:
        """The same rows where their inputs alone are asked for: targets and weights need not be read."""
        return self

    def pieces(self) -> list[int]:
        """Where the pieces begin that are shuffled as a whole, and where the last one ends."""
        rows = max(1, PIECE_BYTES // self.row_bytes)
        return [*range(0, self.n_rows, rows), self.n_rows]

    def lanes(self, threads: int) -> int:
        """How many blocks can be worked on at once."""
        return threads

    def shares(self) -> int:
        """How many folds of the same range are better than one: those of a cluster's threads."""
        return 1

    def fold(
        self, fold: Fold, ranges: Sequence[tuple[int, int]], threads: int, cancelled: Cancelled
    ) -> list[Any]:
        """What `fold` makes of each range of rows."""
        lanes = max(1, min(self.lanes(threads), len(ranges)))

        def read(start: int, stop: int) -> Iterator[Block] | Iterator[Columns]:
            if fold.by_column and fold.dtype is not None:
                return self.read_columns(start, stop, self.most(lanes), fold.dtype)
            return self.read(start, stop, self.most(lanes), fold.dtype)

        return fold_lanes(read, fold, ranges, lanes, lanes < threads, cancelled)

    def __len__(self) -> int:
        return self.n_rows

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise InputTypeError(
            f"{self.source} is streamed, which training takes, an estimator's fit, and predict and score; "
            f"this takes an array in memory. Give it some of the rows, or all of them where they fit."
        )

    def __getitem__(self, _: object) -> NDArray[Any]:
        return self.__array__()

    def __repr__(self) -> str:
        more = "" if self.targeted else ", without targets"
        more += ", weighted" if self.weighted else ""
        return f"{self.n_rows:,} rows of {self.n_inputs} inputs from {self.source}{more}"


class WrappedRows(Rows):
    """The rows of another source, where a class changes how they come."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.n_rows, self.n_inputs, self.names = rows.n_rows, rows.n_inputs, rows.names
        self.dtype, self.weighted = rows.dtype, rows.weighted
        self.targeted, self.target = rows.targeted, rows.target
        self.memory, self.source = rows.memory, rows.source

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        return self._rows.read(start, stop, most, dtype)

    def where(self, row: int) -> str:
        return self._rows.where(row)

    def column(self, place: int) -> str:
        return self._rows.column(place)

    @property
    def row_bytes(self) -> int:
        return self._rows.row_bytes

    def most(self, lanes: int) -> int:
        return self._rows.most(lanes)

    def pieces(self) -> list[int]:
        return self._rows.pieces()

    def lanes(self, threads: int) -> int:
        return self._rows.lanes(threads)

    def shares(self) -> int:
        return self._rows.shares()


class ChangedRows(WrappedRows):
    """Rows of which `change` makes others, a block at a time and as many of them: labels into numbers, say.

    It is called wherever blocks are read, by Dask's workers too, and can be pickled. `weighted` says
    whether what it makes has weights, where that is another.
    """

    def __init__(self, rows: Rows, change: Callable[[Block], Block], weighted: bool | None = None) -> None:
        super().__init__(rows)
        self._change = change
        if weighted is not None:
            self.weighted = weighted

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        return map(self._change, self._rows.read(start, stop, most, dtype))

    def fold(
        self, fold: Fold, ranges: Sequence[tuple[int, int]], threads: int, cancelled: Cancelled
    ) -> list[Any]:
        return self._rows.fold(ChangedFold(fold, self._change, fold.dtype), ranges, threads, cancelled)


class ChangedFold(Fold):
    """A fold of what `change` makes of blocks, whose X is read in `dtype`."""

    def __init__(self, fold: Fold, change: Callable[[Block], Block], dtype: np.dtype[Any] | None) -> None:
        self._fold, self._change = fold, change
        self.block, self.dtype = fold.block, dtype

    def worker(self) -> Worker:
        return _Changer(self._fold.worker(), self._change)


class _Changer(Worker):
    def __init__(self, worker: Worker, change: Callable[[Block], Block]) -> None:
        self._worker, self._change = worker, change

    def begin(self, state: Any, row: int) -> None:
        self._worker.begin(state, row)

    def take(self, block: Block) -> None:
        self._worker.take(self._change(block))

    def end(self) -> Any:
        return self._worker.end()


class ArrayRows(Rows):
    """An array, in memory or mapped from a file."""

    def __init__(self, X: object, y: object, w: object, memory: int) -> None:
        self._X, self.targeted = _as_given(X, "X"), y is not None
        self._y = np.empty((len(self._X), 0)) if y is None else _as_given(y, "y", as_labels)
        self._w = None if w is None else _as_given(w, "sample_weight")
        if self._X.ndim != 2:
            raise InputError(f"X has shape {self._X.shape}; expected 2 dimensions, (samples, features).")
        n = len(self._X)
        if n == 0:
            raise InputError(f"X is empty, shape {self._X.shape}; expected at least one sample.")
        for array, what in ((self._y, "y"), (self._w, "sample_weight")):
            if array is not None and (array.ndim == 0 or len(array) != n):
                entries = 1 if array.ndim == 0 else len(array)
                raise InputError(f"{what} has {entries} entries, X has {n} rows; they must be equal.")
        self.n_rows, self.n_inputs = self._X.shape
        self.dtype = np.dtype(np.float32 if self._X.dtype == np.float32 else np.float64)
        self.weighted, self.memory = self._w is not None, memory
        name = getattr(X, "filename", None)
        self.source = "an array" if name is None else str(name)
        self._places = [place_of(array) for array in self._arrays()]
        # Rows in memory are not read.
        mapped = isinstance(self._X, np.memmap)
        self._lane_bytes = _UNDER_WAY * _LEAST_ROWS * self.row_bytes if mapped else 1
        if self._lane_bytes > memory:
            raise InputError(
                f"memory is {in_words(memory)}, but to read rows of {self.n_inputs:,} columns from "
                f"{self.source} takes about {in_words(self._lane_bytes)}: give more than that, "
                f"or take some of the columns."
            )

    @property
    def row_bytes(self) -> int:
        row = sum(a.nbytes // max(1, len(a)) for a in (self._X, self._y, self._w) if a is not None)
        return max(row, 8 * self.n_inputs)

    def column(self, place: int) -> str:
        return f"X, column {place}"

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        arrays, places = self._arrays(), self._places
        if dtype is None:
            arrays, places = [self._X[:, :0], *arrays[1:]], [None, *places[1:]]
        pairs = zip(arrays, places, strict=True)
        for X, y, *w in zip(*(row_blocks(*pair, start, stop, most) for pair in pairs), strict=True):
            block = Block(X, y, w[0] if w else None)
            yield block if dtype is None else block.cast(dtype)

    def _arrays(self) -> list[NDArray[Any]]:
        return [self._X, self._y, *([] if self._w is None else [self._w])]

    def most(self, lanes: int) -> int:
        return max(_LEAST_ROWS, min(super().most(lanes), _READ_BYTES // self.row_bytes))

    def lanes(self, threads: int) -> int:
        return max(1, min(threads, self.memory // self._lane_bytes))


def refuse_weight(weight: object, targets: Sequence[object]) -> None:
    """Raise InputError for a target column that is to be the weights, too."""
    if isinstance(weight, str) and weight in targets:
        raise InputError(
            f"sample_weight is {weight!r}, a target; expected a column that says how much each row counts."
        )


def as_labels(values: object, name: str) -> NDArray[Any]:
    """An array of numbers, or of labels of text, which are numbered later or refused by the survey."""
    try:
        array = np.asarray(values)
    except ValueError:
        return as_numbers(values, name)  # says why it cannot be
    return array if array.dtype.kind in "OUT" else as_numbers(values, name)


def _as_given(
    values: object, name: str, check: Callable[[object, str], NDArray[Any]] = as_numbers
) -> NDArray[Any]:
    """An array as checked; one that is mapped stays what it is, so that its pages can be let go."""
    array = check(values, name)
    return values if isinstance(values, np.memmap) else array
