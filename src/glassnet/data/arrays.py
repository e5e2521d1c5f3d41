"""Arrays as datasets: in memory, or mapped from a file and read a block at a time."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.holdout import split
from glassnet.data.reduce import Block
from glassnet.data.source import (
    BLOCKS_UNDER_WAY,
    LEAST_ROWS,
    Dataset,
    HoldOut,
    as_labels,
    as_sample_weight,
    names_of,
)
from glassnet.errors import FileError, InputError
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_matrix, as_numbers, as_target, check_width
from glassnet.utils.memory import size_text
from glassnet.utils.paths import explain

_READ_BYTES = 1 << 20
"""Most bytes of a block of an array, which costs next to nothing to read: a core's cache holds them."""


# ---- Arrays in memory -----------------------------------------------------------------------------


class RowSubset:
    """Some rows of a validated X, in any order, that are read block by block and never copied whole.

    `shape`, `dtype` and `size` are those of the rows as an array.
    """

    def __init__(self, whole: NDArray[Any], rows: NDArray[np.int64]) -> None:
        self.whole, self.rows = whole, rows
        self.shape, self.dtype = (len(rows), whole.shape[1]), whole.dtype
        self.size = len(rows) * whole.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows = self.rows[index]
        # `take` needs a third of the time of an index, but would first copy an array in another order.
        if isinstance(self.whole, np.ndarray) and self.whole.flags.c_contiguous:
            return np.asarray(self.whole).take(rows, axis=0)
        return self.whole[rows]

    def astype(self, dtype: np.dtype[Any], copy: bool = True) -> NDArray[Any]:
        """All rows, copied once."""
        return self.whole[self.rows].astype(dtype, copy=False)


class InMemory(Dataset):
    """Validated arrays in memory, of which the engine packs all rows.

    X is (n, inputs): an array, a `RowSubset`, or a sparse matrix of SciPy's. y is (n,), (n, outputs) or
    None; weights are (n,) or None. `described` is what `preprocessing` gives, where a table became these
    rows. The constructor checks nothing: see `validated`.
    """

    in_memory = True
    memory = sys.maxsize

    def __init__(
        self,
        X: Any,
        y: NDArray[Any] | None = None,
        weights: Array | None = None,
        names: Any = None,
        described: dict[str, Any] | None = None,
    ) -> None:
        self.X, self.y, self.weights, self.described = X, y, weights, described
        self.n_rows, self.n_inputs = X.shape
        self.dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
        self.weighted, self.targeted = weights is not None, y is not None
        self.names, self.source = names, "an array"
        self.flat = y is not None and y.ndim == 1
        self._targets: dict[tuple[int, str], NDArray[Any]] = {}

    @classmethod
    def validated(
        cls, X: object, y: object, sample_weight: object = None, width: int | None = None
    ) -> InMemory:
        """The dataset of a user's arrays, which are checked here, once; none but a mapped one is copied.

        `width` is the number of inputs, where it is known: an error about another shape then says more.
        """
        names = names_of(X)
        X, y, sample_weight = (
            _loaded(array) if isinstance(array, np.memmap) else array for array in (X, y, sample_weight)
        )
        inputs: Any = X if isinstance(X, RowSubset) else as_matrix(X, width=width)
        n = len(inputs)
        if n == 0:
            raise InputError(f"X is empty, shape {inputs.shape}; expected at least one sample.")
        targets = None if y is None else as_numbers(y, "y")
        weights = None if sample_weight is None else as_sample_weight(sample_weight, n)
        return cls(inputs, targets, weights, names)

    @property
    def identity(self) -> tuple[int, ...]:
        return id(self.X), id(self.y), id(self.weights)

    @property
    def memory_limit(self) -> None:
        return None

    def column(self, place: int) -> str:
        return f"X, column {place}"

    def preprocessing(self, network: Network) -> dict[str, Any] | None:
        return self.described

    def rows_at_once(self, row_bytes: int) -> int:
        return self.n_rows

    def block_rows(self, workers: int) -> int:
        return self.n_rows

    def row_groups(self) -> list[int]:
        return [0, self.n_rows]

    def targets(self, network: Network) -> NDArray[Any]:
        """y as class numbers (n,) or target rows (n, outputs), checked once for each kind of network."""
        self.require_targets()
        kind = network.sizes[-1], network.loss.target
        if kind not in self._targets:
            self._targets[kind] = as_target(self.y, self.n_rows, *kind)
        return self._targets[kind]

    def check_targets(self, network: Network) -> None:
        self.targets(network)

    def whole(self, network: Network) -> Block:
        return Block(self.X, self.targets(network), self.weights)

    def require_targets(self) -> None:
        if self.y is None:
            raise InputError("y is missing: the targets, one for each row of X.")

    def require_width(self, width: int) -> None:
        check_width(self.X, width)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        y = np.empty((self.n_rows, 0)) if self.y is None else self.y
        for first in range(start, stop, most):
            rows = slice(first, min(first + most, stop))
            X = np.empty((rows.stop - first, 0)) if dtype is None else self.X[rows]
            X = X.toarray() if hasattr(X, "toarray") else X
            yield Block(X, y[rows], None if self.weights is None else self.weights[rows]).cast(dtype)

    def take(self, rows: NDArray[np.int64], targets: NDArray[Any] | None) -> InMemory:
        """Some rows, without a copy of X, with `targets` of all rows in place of y."""
        whole, weights = self.X, self.weights
        inner = RowSubset(whole.whole, whole.rows[rows]) if isinstance(whole, RowSubset) else None
        X = RowSubset(whole, rows) if inner is None else inner
        y = None if targets is None else targets[rows]
        return InMemory(X, y, None if weights is None else weights[rows], self.names, self.described)

    def hold_out(self, network: Network, fraction: float, random: RandomState) -> HoldOut:
        y, strata = self.targets(network), None
        if network.loss.target == "class":
            strata = y if y.ndim == 1 else np.argmax(y, axis=1)
        elif network.loss.target == "label" and y.shape[1] == 1 and np.isin(y, (0, 1)).all():
            strata = y[:, 0]
        try:
            drawn = split(
                np.zeros(len(y)) if strata is None else strata, fraction, random, strata is not None
            )
        except InputError as error:
            raise InputError(
                f"validation={fraction} of {len(y)} sample(s) leaves none to train on: give more samples, "
                f"or a smaller fraction."
            ) from error
        rows = np.concatenate([drawn.train, drawn.test]).astype(np.int64)
        return self._split(rows, len(drawn.test), y)

    def hold_out_again(self, network: Network, rows: NDArray[np.int64], n_held_out: int) -> HoldOut:
        if len(rows) != self.n_rows:
            raise InputError(
                f"X has {self.n_rows} samples, but the run was made with {len(rows)}, those held out "
                f"included."
            )
        return self._split(rows, n_held_out, self.targets(network))

    def _split(self, rows: NDArray[np.int64], n_held_out: int, targets: NDArray[Any]) -> HoldOut:
        n = len(rows) - n_held_out
        return HoldOut(self.take(rows[:n], targets), self.take(rows[n:], targets), rows, n_held_out)


# ---- Arrays that are streamed ---------------------------------------------------------------------


class ArrayDataset(Dataset):
    """An array, in memory or mapped from a file, that is read a block at a time."""

    def __init__(self, X: object, y: object, w: object, memory: int) -> None:
        self._X, self.targeted = _as_given(X, "X"), y is not None
        self._y = np.empty((len(self._X), 0)) if y is None else _as_given(y, "y", as_labels)
        self._w = None if w is None else _as_given(w, "sample_weight")
        if self._X.ndim != 2:
            raise InputError(f"X has shape {self._X.shape}; expected 2 dimensions, (samples, features).")
        n = len(self._X)
        if n == 0:
            raise InputError(f"X is empty, shape {self._X.shape}; expected at least one sample.")
        for array, name in ((self._y, "y"), (self._w, "sample_weight")):
            if array is not None and (array.ndim == 0 or len(array) != n):
                entries = 1 if array.ndim == 0 else len(array)
                raise InputError(f"{name} has {entries} entries, X has {n} rows; they must be equal.")
        self.n_rows, self.n_inputs = self._X.shape
        self.dtype = np.dtype(np.float32 if self._X.dtype == np.float32 else np.float64)
        self.weighted, self.memory, self.flat = self._w is not None, memory, self._y.ndim == 1
        filename = getattr(X, "filename", None)
        self.source = "an array" if filename is None else str(filename)
        self._places = [place_of(array) for array in self._arrays()]
        # Rows in memory are not read.
        mapped = isinstance(self._X, np.memmap)
        self._worker_bytes = BLOCKS_UNDER_WAY * LEAST_ROWS * self.row_bytes if mapped else 1
        if self._worker_bytes > memory:
            raise InputError(
                f"memory is {size_text(memory)}, but to read rows of {self.n_inputs:,} columns from "
                f"{self.source} takes about {size_text(self._worker_bytes)}: give more than that, "
                f"or take some of the columns."
            )

    @property
    def row_bytes(self) -> int:
        row = sum(a.nbytes // max(1, len(a)) for a in (self._X, self._y, self._w) if a is not None)
        return max(row, 8 * self.n_inputs)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        arrays, places = self._arrays(), self._places
        if dtype is None:
            arrays, places = [self._X[:, :0], *arrays[1:]], [None, *places[1:]]
        pairs = zip(arrays, places, strict=True)
        for X, y, *w in zip(*(array_blocks(*pair, start, stop, most) for pair in pairs), strict=True):
            block = Block(X, y, w[0] if w else None)
            yield block if dtype is None else block.cast(dtype)

    def _arrays(self) -> list[NDArray[Any]]:
        return [self._X, self._y, *([] if self._w is None else [self._w])]

    def block_rows(self, workers: int) -> int:
        return max(LEAST_ROWS, min(super().block_rows(workers), _READ_BYTES // self.row_bytes))

    def workers(self, threads: int) -> int:
        return max(1, min(threads, self.memory // self._worker_bytes))


def _as_given(
    values: object, name: str, check: Callable[[object, str], NDArray[Any]] = as_numbers
) -> NDArray[Any]:
    """The checked array; a mapped one stays what it is, so that its pages can be released."""
    array = check(values, name)
    return values if isinstance(values, np.memmap) else array


# ---- Reading mapped arrays --------------------------------------------------------------------------


class Place(NamedTuple):
    """The file of a mapped array, the offset of its entries, and the state of the file then."""

    path: Path
    offset: int
    file: tuple[int, int]
    state: tuple[int, ...]


def place_of(array: NDArray[Any]) -> Place | None:
    """The place of a mapped array whose rows, or columns, lie together; None where only the map gives them.

    Reading a file takes less time than mapping and unmapping its pages. A file that is cut short gives an
    error, where touching the map would end the process.
    """
    mapped, path = _map_of(array), getattr(array, "filename", None)
    if mapped is None or path is None or not hasattr(os, "preadv"):
        return None
    if not (_rows_lie_together(array) or _columns_lie_together(array)):
        return None
    begin = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY  # type: ignore[attr-defined]  # a memmap's
    offset = begin + np.lib.array_utils.byte_bounds(array)[0] - np.frombuffer(mapped, np.uint8).ctypes.data
    try:
        place = Place(Path(path), offset, *_state_of(Path(path).stat(), array))
        ends = [next(_read(array, place, row, row + 1, 1)).tobytes() for row in (0, len(array) - 1)]
    except (OSError, FileError) as error:
        if _maps(mapped, Path(path)):
            raise FileError(
                f"{path} has been cut short since it was mapped: reading the array would end the process. "
                f"Write the file again, and map it anew."
            ) from error
        return None  # the file is gone, but the map still works
    # Touching the map, as on other systems, would end the process where the file is cut short just now.
    same = _maps(mapped, place.path) or ends == [array[0].tobytes(), array[-1].tobytes()]
    return place if same else None


def _maps(mapped: mmap.mmap, path: Path) -> bool:
    """Whether the map is one of the file that is at the path now, as far as Linux says."""
    begin = np.frombuffer(mapped, np.uint8).ctypes.data
    try:
        inode = path.stat().st_ino
        for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
            addresses, _, _, _, number, *_ = line.split()
            low, high = (int(address, 16) for address in addresses.split("-"))
            if low <= begin < high:
                return int(number) == inode
    except (OSError, ValueError):
        pass
    return False


def array_blocks(
    array: NDArray[Any], place: Place | None, start: int, stop: int, most: int
) -> Iterator[NDArray[Any]]:
    """Rows `start` to before `stop`, at most `most` at a time; those of a file are read into new memory.

    Raises FileError for a file that has changed since `place_of`. Where the file is gone, or its name leads
    to another, the rows come from the map.
    """
    if place is not None:
        try:
            status = place.path.stat()
        except OSError:
            place = None
        else:
            file, state = _state_of(status, array)
            if file != place.file:
                place = None
            elif state != place.state:
                raise FileError(f"{place.path} has changed since training began to read it.")
    if place is not None:
        yield from _read(array, place, start, stop, most)
    else:
        for first in range(start, stop, most):
            yield _in_own_memory(array[first : min(first + most, stop)])


def _state_of(status: os.stat_result, array: NDArray[Any]) -> tuple[tuple[int, int], tuple[int, ...]]:
    """The identity of a file, and its state; writing through the map itself changes no state."""
    writable = getattr(array, "mode", "r") != "r"
    state = (status.st_size,) if writable else (status.st_size, status.st_mtime_ns)
    return (status.st_dev, status.st_ino), state


def _rows_lie_together(array: NDArray[Any]) -> bool:
    """Whether a row is followed by the next, with little between them."""
    between = array.strides[0] - _span(array)
    return all(stride > 0 for stride in array.strides) and 0 <= between <= _span(array)


def _columns_lie_together(array: NDArray[Any]) -> bool:
    """Whether each column is one piece, as `numpy.save` writes the values of a data frame."""
    return array.ndim == 2 and array.strides[0] == array.itemsize and array.strides[1] > 0


def _read(array: NDArray[Any], place: Place, start: int, stop: int, most: int) -> Iterator[NDArray[Any]]:
    step = array.strides[0]
    try:
        with place.path.open("rb", buffering=0) as file:
            for first in range(start, stop, most):
                rows = min(most, stop - first)
                at = place.offset + first * step
                if _rows_lie_together(array):
                    buffer = np.empty((rows - 1) * step + _span(array), np.uint8)
                    _fill(file, buffer, at, place, first + rows)
                    yield np.ndarray((rows, *array.shape[1:]), array.dtype, buffer, 0, array.strides)
                else:
                    columns = np.empty((array.shape[1], rows), array.dtype)
                    for number, column in enumerate(columns):
                        _fill(file, column, at + number * array.strides[1], place, first + rows)
                    yield columns.T
    except OSError as error:
        raise FileError(f"{place.path} cannot be read: {explain(error)}.") from error


def _fill(file: IO[bytes], into: NDArray[Any], at: int, place: Place, end: int) -> None:
    """Read contiguous memory full from an offset of the file, for rows that end before `end`."""
    view = into.view(np.uint8).data
    while view.nbytes:
        done = os.preadv(file.fileno(), [view], at)
        if done == 0:
            raise FileError(
                f"{place.path} ends before row {end}: it has been cut short since training began to "
                f"read it."
            )
        at, view = at + done, view[done:]


def _loaded(array: NDArray[Any]) -> NDArray[Any]:
    """A mapped array in memory, read from its file: touching a map that is cut short ends the process."""
    place = place_of(array)
    if place is None:
        return array
    loaded = np.empty_like(array, subok=False)
    most, first = max(1, _READ_BYTES * len(array) // max(1, array.nbytes)), 0
    for block in array_blocks(array, place, 0, len(array), most):
        loaded[first : first + len(block)] = block
        first += len(block)
    return loaded


def _span(array: NDArray[Any]) -> int:
    """The bytes from a row's first entry to its last."""
    pairs = zip(array.strides[1:], array.shape[1:], strict=True)
    return sum(stride * (size - 1) for stride, size in pairs) + array.itemsize


def _in_own_memory(view: NDArray[Any]) -> NDArray[Any]:
    """The rows of a mapped file, copied; the rows of another array as they are.

    The pages stay in the system's cache, but no longer count as memory of this process.
    """
    mapped = _map_of(view)
    if mapped is None:
        return view
    copied = np.array(view, order="K")
    base = np.frombuffer(mapped, np.uint8)
    low, high = np.lib.array_utils.byte_bounds(view)
    begin = (low - base.ctypes.data) // mmap.PAGESIZE * mmap.PAGESIZE
    length = min(high - base.ctypes.data, len(mapped)) - begin
    if length > 0:
        mapped.madvise(mmap.MADV_DONTNEED, begin, length)
    return copied


def _map_of(array: NDArray[Any]) -> mmap.mmap | None:
    """The map behind an array, where its pages can be released without losing anything."""
    if not isinstance(array, np.memmap) or array.size == 0 or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    # Pages of a private map, mode "c", may hold changes that are in no file.
    return base if base is not None and array.mode != "c" else None
