"""The rows of an array, those of a mapped one read from its file."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import FileError
from glassnet.utils.paths import explain


class Place(NamedTuple):
    """Where an array's entries lie in a file, and how that file was."""

    path: Path
    offset: int
    file: tuple[int, int]
    state: tuple[int, ...]


def place_of(array: NDArray[Any]) -> Place | None:
    """Where a mapped array's rows lie, one behind the other; None where they are to be taken from its map.

    Reading a file takes less time than letting its pages be mapped and unmapped, and finds one cut short
    as an error, where touching the map would end the process.
    """
    mapped, path = _map_of(array), getattr(array, "filename", None)
    if mapped is None or path is None or not hasattr(os, "preadv") or not _rows_lie_together(array):
        return None
    begin = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY  # type: ignore[attr-defined]  # a memmap's
    offset = begin + np.lib.array_utils.byte_bounds(array)[0] - np.frombuffer(mapped, np.uint8).ctypes.data
    try:
        place = Place(Path(path), offset, *_state_of(Path(path).stat(), array))
        found = [next(_read(array, place, row, row + 1, 1)).tobytes() for row in (0, len(array) - 1)]
    except (OSError, FileError):  # the name leads nowhere any more, the map still does
        return None
    return place if found == [array[0].tobytes(), array[-1].tobytes()] else None


def row_blocks(
    array: NDArray[Any], place: Place | None, start: int, stop: int, most: int
) -> Iterator[NDArray[Any]]:
    """Rows start, start + 1, ... before stop, at most so many at a time; a file's in memory of their own.

    Raises FileError for a file that has changed since `place_of`. One that is gone, or another under its
    name, is taken from the map.
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
            yield _taken(array[first : min(first + most, stop)])


def _state_of(status: os.stat_result, array: NDArray[Any]) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Which file it is, and what says that it has changed: what is written through a map is no change."""
    own = getattr(array, "mode", "r") != "r"
    state = (status.st_size,) if own else (status.st_size, status.st_mtime_ns)
    return (status.st_dev, status.st_ino), state


def _rows_lie_together(array: NDArray[Any]) -> bool:
    """Whether a row is followed by the next, with little between them."""
    between = array.strides[0] - _span(array)
    return all(stride > 0 for stride in array.strides) and 0 <= between <= _span(array)


def _read(array: NDArray[Any], place: Place, start: int, stop: int, most: int) -> Iterator[NDArray[Any]]:
    step = array.strides[0]
    try:
        with place.path.open("rb", buffering=0) as file:
            for first in range(start, stop, most):
                rows = min(most, stop - first)
                buffer = np.empty((rows - 1) * step + _span(array), np.uint8)
                at, view = place.offset + first * step, buffer.data
                while view.nbytes:
                    done = os.preadv(file.fileno(), [view], at)
                    if done == 0:
                        raise FileError(
                            f"{place.path} ends before row {first + rows}: it has been cut short since "
                            f"training began to read it."
                        )
                    at, view = at + done, view[done:]
                yield np.ndarray((rows, *array.shape[1:]), array.dtype, buffer, 0, array.strides)
    except OSError as error:
        raise FileError(f"{place.path} cannot be read: {explain(error)}.") from error


def _span(array: NDArray[Any]) -> int:
    """The bytes from a row's first entry to its last."""
    pairs = zip(array.strides[1:], array.shape[1:], strict=True)
    return sum(stride * (size - 1) for stride, size in pairs) + array.itemsize


def _taken(view: NDArray[Any]) -> NDArray[Any]:
    """The rows of a mapped file in memory of their own, of an array as they are.

    What was read of the file stays in the system's cache, but no longer counts as this process's own.
    """
    mapped = _map_of(view)
    if mapped is None:
        return view
    found = np.array(view, order="K")
    base = np.frombuffer(mapped, np.uint8)
    low, high = np.lib.array_utils.byte_bounds(view)
    begin = (low - base.ctypes.data) // mmap.PAGESIZE * mmap.PAGESIZE
    length = min(high - base.ctypes.data, len(mapped)) - begin
    if length > 0:
        mapped.madvise(mmap.MADV_DONTNEED, begin, length)
    return found


def _map_of(array: NDArray[Any]) -> mmap.mmap | None:
    """The file's map that an array looks at, where its pages can be let go without losing anything."""
    if not isinstance(array, np.memmap) or array.size == 0 or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    # Pages of a private map, mode "c", may hold changes that are in no file.
    return base if base is not None and array.mode != "c" else None
