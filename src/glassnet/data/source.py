"""The dataset: rows of X, y and sample weights, wherever they lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import chunk_ranges
from glassnet.data.reduce import (
    NEVER,
    BadRow,
    Block,
    Cancelled,
    Change,
    Columns,
    Ranges,
    Reduction,
    State,
    reduce_in_workers,
)
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_numbers, as_target, as_vector
from glassnet.utils.memory import release_memory
from glassnet.utils.threads import thread_count

BLOCK_BYTES = 4 << 20
"""The largest size of a block in bytes: a reader's overhead is small then, and the caches hold it."""

LEAST_ROWS = 64
"""The fewest rows of a block: smaller blocks cost more overhead than they save memory."""

BLOCKS_UNDER_WAY = 8
"""The blocks that a worker may hold at once: those it reads, computes on and packs."""

RESULT_BYTES = 32 << 20
"""The most bytes of the results of one pass, such as predictions."""

ROW_GROUP_BYTES = 2 << 20
"""Bytes of a row group of a source that has no row groups of its own."""


class HoldOut(NamedTuple):
    """The two parts of a dataset: the rows to train on and the rows held out.

    `rows` holds the training row numbers, then the last `n_held_out`, which are held out.
    """

    training: Dataset
    held_out: Dataset
    rows: NDArray[np.int64]
    n_held_out: int


class Dataset(ABC):
    """Rows in a fixed order: arrays (`InMemory`), or another source that is read a block at a time.

    Attributes: `n_rows`; `n_inputs`; `names` of the inputs or None; `dtype`, float32 where X is, else
    float64; `weighted`, whether there are sample weights; `targeted`, whether there are targets; `target`,
    the name of a single target that has one; `flat`, whether targets are a single column (n,); `memory`,
    the bytes that reading may take; `reader_bytes`, those of a worker's reader beside its blocks; `source`,
    where the rows lie, in words; `in_memory`, whether the engine may keep all rows; `standardization`, the
    (mean, scale) that the inputs are standardized by, or None; `constant`, (inputs,), which inputs never
    vary, where they were measured.
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
    in_memory: bool = False
    reader_bytes: int = 0
    flat: bool = False
    standardization: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    constant: NDArray[np.bool_] | None = None

    @abstractmethod
    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        """Rows `start` to before `stop`, in blocks of at most `most` rows, with X in `dtype`.

        Without a dtype X is left out, (n, 0). Raises InputError, naming file and row, for what cannot be
        read.
        """

    def read_columns(
        self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None
    ) -> Iterator[Block] | Iterator[Columns]:
        """As `read`, or by column where the source lies in columns: for reductions that take both."""
        return self.read(start, stop, most, dtype)

    def where(self, row: int) -> str:
        """The place of a row, counted from 0 over all rows, for an error message."""
        return f"row {row}"

    def column(self, place: int) -> str:
        """The name of an input for an error message."""
        return f"X, column {place}" if self.names is None else f"Column {self.names[place]!r}"

    @property
    def identity(self) -> tuple[int, ...]:
        """What caches know the rows by while the dataset lives: datasets over the same arrays are alike."""
        return (id(self),)

    @property
    def memory_limit(self) -> int | None:
        """The bytes that reading may take; None for arrays in memory."""
        return self.memory

    @property
    def row_bytes(self) -> int:
        """About the bytes that a row takes while it is read."""
        return 8 * (self.n_inputs + 2)

    def block_rows(self, workers: int) -> int:
        """The rows of a block, so that all blocks of all workers stay within the memory.

        A worker that reads ahead has one block that it computes on, one that waits and one that is being
        read, which takes up to twice its room.
        """
        left = self.memory - workers * self.reader_bytes
        room = min(BLOCK_BYTES, left // (BLOCKS_UNDER_WAY * workers))
        return max(LEAST_ROWS, room // self.row_bytes)

    def rows_at_once(self, row_bytes: int) -> int:
        """The rows whose results, of so many bytes each, may be in memory at once."""
        return max(1, min(RESULT_BYTES, self.memory // 8) // row_bytes)

    def inputs(self) -> Dataset:
        """The same rows for uses that need X alone: targets and weights need not be read."""
        return self

    def whole(self, network: Network) -> Block:
        """All rows in memory, with targets for a network; those that are there already are no copy."""
        X, y, w = self.read_all()
        return Block(X, as_target(y, len(y), network.sizes[-1], network.loss.target), w)

    def row_groups(self) -> list[int]:
        """The first rows of the groups that are shuffled as a whole, and the end of the last group."""
        rows = max(1, ROW_GROUP_BYTES // self.row_bytes)
        return [*range(0, self.n_rows, rows), self.n_rows]

    def workers(self, threads: int) -> int:
        """How many of the threads can read at once."""
        return threads

    def cluster_threads(self) -> int:
        """The threads of the cluster that reduces the rows; 1 in this process."""
        return 1

    def reduce_ranges(
        self, reduction: Reduction, ranges: Ranges, threads: int, cancelled: Cancelled
    ) -> list[State]:
        """What `reduce` knows of each range of rows, in the source's own way."""
        workers = max(1, min(self.workers(threads), len(ranges)))
        read: Callable[..., Any] = self.read_columns if reduction.by_column else self.read
        blocks = partial(read, most=self.block_rows(workers), dtype=reduction.read_dtype)
        return reduce_in_workers(blocks, reduction, ranges, workers, workers < threads, cancelled)

    def reduce(
        self,
        reduction: Reduction,
        ranges: Ranges | None = None,
        threads: int | None = None,
        cancelled: Cancelled = NEVER,
    ) -> list[Any]:
        """The reduction's value of each range of rows, of each chunk by default.

        Raises InputError, naming its place, for the first row that cannot be used, and Cut once `cancelled`
        returns True.
        """
        ranges = chunk_ranges(self.n_rows) if ranges is None else ranges
        states = self.reduce_ranges(reduction, ranges, thread_count(threads), cancelled)
        if self.memory < self.n_rows * self.row_bytes:
            release_memory()
        for state in states:
            if state.bad is not None:
                raise self.located(state.bad)
        return [state.value for state in states]

    def located(self, bad: BadRow) -> Exception:
        """The error about a row, with the row's place in the source."""
        where = self.where(bad.row)
        if bad.place is not None:
            return InputError(
                f"{self.column(bad.place)} {bad.error} at {where}. Drop those rows or impute the values."
            )
        words = str(bad.error).replace("at row 0", f"at {where}")
        return type(bad.error)(words if where in words else f"{words} (at {where})")

    def read_all(self, dtype: np.dtype[Any] | None = None) -> Block:
        """All rows in one block, X in `dtype` or the dataset's own; they must fit into memory."""
        blocks = [*self.read(0, self.n_rows, self.block_rows(1), dtype or self.dtype)]
        return Block.concatenated(blocks)

    def input_ranges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the largest value of each input, by one pass over the rows."""
        low, high = np.full(self.n_inputs, np.inf), np.full(self.n_inputs, -np.inf)
        for block in self.inputs().read(0, self.n_rows, self.block_rows(1), self.dtype):
            low, high = np.minimum(low, block.X.min(axis=0)), np.maximum(high, block.X.max(axis=0))
        return low, high

    def is_standardized_by(self, mean: object, scale: object) -> bool:
        """Whether the inputs are standardized by this mean and this scale."""
        if self.standardization is None:
            return False
        return all(map(np.array_equal, self.standardization, (np.asarray(mean), np.asarray(scale))))

    def preprocessing(self, network: Network) -> dict[str, Any] | None:
        """How the rows became inputs, as a model file keeps it; None for inputs as they came."""
        return None

    def require_targets(self) -> None:
        """Raise InputError for rows without targets."""
        if not self.targeted:
            raise InputError(
                f"y is missing: training on and scoring {self.source} need targets. For files and "
                f"dataframes name the target column: gn.stream(X, y)."
            )

    def check_targets(self, network: Network) -> None:
        """Check the targets for a network, where they are in memory; a scan checks streamed ones."""
        self.require_targets()

    def require_width(self, width: int) -> None:
        """Raise InputError unless X has `width` columns, as the network has inputs."""
        if self.n_inputs != width:
            raise InputError(
                f"X, {self.source}, has {self.n_inputs} features; the network takes {width} inputs. Of "
                f"files and dataframes name them in their order: gn.stream(..., features=[...])."
            )

    def hold_out(self, network: Network, fraction: float, random: RandomState) -> HoldOut:
        """Draw a fraction of the rows to hold out, each class in proportion; InputError for streams."""
        raise InputError(
            "A fraction for validation is drawn from data in memory; these are streamed. Give "
            "validation=(X, y), samples of their own."
        )

    def hold_out_again(self, network: Network, rows: NDArray[np.int64], n_held_out: int) -> HoldOut:
        """What `hold_out` gave before, from its `rows` and `n_held_out`."""
        raise InputError("Rows held out by number are taken from data in memory; these are streamed.")

    def __len__(self) -> int:
        return self.n_rows

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise InputTypeError(
            f"{self.source} is streamed. Only gn.train, fit, predict and score accept streamed data; this "
            f"function needs an array in memory. Load some of the rows, or all of them where they fit."
        )

    def __getitem__(self, _: object) -> NDArray[Any]:
        return self.__array__()

    def __repr__(self) -> str:
        more = "" if self.targeted else ", without targets"
        more += ", weighted" if self.weighted else ""
        return f"{self.n_rows:,} rows of {self.n_inputs} inputs from {self.source}{more}"


_COPIED = (
    *("n_rows", "n_inputs", "names", "dtype", "weighted", "targeted", "target", "memory", "source", "flat"),
    *("standardization", "constant"),
)


def _forwarded(name: str) -> Any:
    """A method that calls the one of the dataset within."""
    return lambda self, *arguments: getattr(self._dataset, name)(*arguments)


class WrappedDataset(Dataset):
    """Another dataset whose rows a subclass changes as they are read."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        for name in _COPIED:
            setattr(self, name, getattr(dataset, name))

    row_bytes = property(lambda self: self._dataset.row_bytes)
    read, where, column, preprocessing = map(_forwarded, ("read", "where", "column", "preprocessing"))
    block_rows, row_groups, workers = map(_forwarded, ("block_rows", "row_groups", "workers"))
    cluster_threads = _forwarded("cluster_threads")


class MappedDataset(WrappedDataset):
    """A dataset of which `change` makes another, block by block and row by row: labels to numbers, say.

    `change` is called wherever blocks are read, by Dask's workers too, and can be pickled. `weighted` says
    whether the changed rows have weights, where that differs from the dataset's.
    """

    def __init__(
        self, dataset: Dataset, change: Callable[..., Block], weighted: bool | None = None
    ) -> None:
        super().__init__(dataset)
        self._change = change
        if weighted is not None:
            self.weighted = weighted

    def change(self, dtype: np.dtype[Any] | None) -> Change:
        """What makes blocks with X in `dtype`."""
        return self._change, dtype

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        change, read_as = self.change(dtype)
        return map(change, self._dataset.read(start, stop, most, read_as))

    def reduce_ranges(
        self, reduction: Reduction, ranges: Ranges, threads: int, cancelled: Cancelled
    ) -> list[State]:
        mapped = copy(reduction)
        mapped.changes = self.change(reduction.read_dtype), *reduction.changes
        mapped.by_column = False
        return self._dataset.reduce_ranges(mapped, ranges, threads, cancelled)


def choose_columns(
    owner: str,
    names: Sequence[str],
    targets: Sequence[str],
    weight: str | None,
    features: Sequence[str] | None,
    index: Sequence[str] = (),
) -> tuple[str, ...]:
    """The columns to learn from: `features`, or all others but an `index`.

    Raises InputError, with the nearest name, for columns that `owner` lacks, for a column with two uses,
    and where no column is left; InputTypeError for features that are no list.
    """
    if isinstance(features, (str, set, frozenset)):
        kind = f"one text: [{features!r}]" if isinstance(features, str) else "a set, which has no order"
        raise InputTypeError(f"features is a list of column names, not {kind}.")
    if weight is not None and weight in targets:
        raise InputError(
            f"sample_weight is {weight!r}, a target; expected a column that says how much each row counts."
        )
    special = [*targets, *([] if weight is None else [weight])]
    others = [name for name in names if name not in special and name not in index]
    chosen = tuple(others if features is None else features)
    for name in [*special, *chosen]:
        if name not in names:
            known = [name for name in names if name not in index]
            raise unknown_name(f"column of {owner}:", name, known)
    for name in chosen:
        if name in special:
            raise InputError(f"{name!r} is a target or weight; it cannot be a feature too.")
    if not chosen:
        raise InputError(f"There is no column in {owner} but {', '.join(special)}.")
    return chosen


def as_labels(values: object, name: str) -> NDArray[Any]:
    """An array of numbers, or of text labels, which are numbered later or refused by the scan."""
    try:
        array = np.asarray(values)
    except ValueError:
        return as_numbers(values, name)  # raises, and says why
    return array if array.dtype.kind in "OUT" else as_numbers(values, name)


def as_sample_weight(sample_weight: object, n: int) -> Array:
    """Weights (n,) of 0 or more, at least one of them above 0; else InputError."""
    weights = as_vector(sample_weight, "sample_weight", n)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise InputError(f"sample_weight has {weights[row]} at row {row}; expected 0 or more.")
    if not weights.any():
        raise InputError("sample_weight is 0 everywhere; at least one sample must count.")
    return weights


def names_of(X: object) -> tuple[str, ...] | None:
    """The columns of a data frame, where all have names of text."""
    names = getattr(X, "columns", None)
    return tuple(names) if names is not None and all(isinstance(name, str) for name in names) else None
